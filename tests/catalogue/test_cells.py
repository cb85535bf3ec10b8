"""Cells of a column, whatever a file or a program made of them: values, and where there is none."""

from decimal import Decimal

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.masked import Masked

from galzoo_repr.catalogue import (
    galaxy_names,
    means_no_value,
    read_cells,
    sky_positions,
    text_of,
    texts_of,
)

NAN = np.nan
NOTHING = [
    "",
    "  ",
    "null",
    "NULL",
    "None",
    " nan ",
    "N/A",
    "n.a.",
    "#N/A",
    "<NA>",
    "(null)",
    "'na'",
    "-",
    "--",
    "---",
]
NOTHING += [
    "...",
    "…",
    "–",
    "—",
    "?",
    "??",
    "NaT",
    "INDEF",
    "undefined",
    "Unknown",
    "no data",
    "nil",
    "\\N",
    "[]",
]
SOMETHING = [
    "0",
    "-1",
    "no",
    "non-ring",
    "N",
    "ring?",
    "no ring",
    "a",
    "x.fits",
    "-5 30 00",
    "missing",
    "not",
    "+",
]


@pytest.mark.parametrize("word", NOTHING)
def test_words_for_no_value_mean_the_same_in_every_column(word):
    assert means_no_value(word)
    assert texts_of([word, "a.fits"]) == ["", "a.fits"]
    assert np.isnan(read_cells(["5", word]).numbers()).tolist() == [False, True]
    assert sky_positions(Table({"ra": ["10", word], "dec": [1, 2]})).reason.tolist() == ["", "ra: missing"]
    assert galaxy_names(Table({"name": ["M31", word]})) == ["M31", "row 1"]


@pytest.mark.parametrize("word", SOMETHING)
def test_other_words_are_values(word):
    assert not means_no_value(word)
    assert texts_of([word]) == [word]


def objects(*values):
    return Column(list(values), dtype=object)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (objects(5, 0, None), [5, 0, NAN]),
        (objects(1.5, np.float32(0.5), NAN), [1.5, 0.5, NAN]),
        (objects(Decimal("2.5"), np.int16(3), np.ma.masked), [2.5, 3, NAN]),
        (objects(True, None, np.False_), [1, NAN, 0]),
        (objects("5", 4, b"?"), [5, 4, NAN]),
        ([5, None, 3], [5, NAN, 3]),
        (["5", " 4.5 ", "−1e2"], [5, 4.5, -100]),
        (np.array([b"5", b"N/A", b"3"]), [5, NAN, 3]),
        (np.array([[5], [4], [3]]), [5, 4, 3]),
        (np.array([["5"], ["-"], ["3"]]), [5, NAN, 3]),
        (MaskedColumn([5, 4, 3], mask=[0, 1, 0]), [5, NAN, 3]),
        (MaskedColumn(["5", "4", "3"], mask=[0, 1, 0]), [5, NAN, 3]),
        (MaskedColumn([[5], [4], [3]], mask=[[0], [1], [0]]), [5, NAN, 3]),
        (Masked([5.0, 4.0, 3.0] * u.kpc, mask=[False, True, False]), [5, NAN, 3]),
        (["", "", ""], [NAN, NAN, NAN]),
        (["True", "false", ""], [1, 0, NAN]),
    ],
)
def test_numbers_are_numbers_in_every_form(column, expected):
    cells = read_cells(column)
    assert not cells.texts
    np.testing.assert_array_equal(cells.numbers(), expected)


@pytest.mark.parametrize(
    "column",
    [
        np.array([b"S\xe9rsic", b"other", b"?"]),
        np.array(["Sérsic".encode(), b"other", b"?"]),
        objects(b"S\xe9rsic", "other", None),
        ["Sérsic", " other", ""],
        np.array(["Sérsic\0", "other ", "null"], dtype=object),
    ],
)
def test_bytes_are_text_in_utf_8_or_else_latin_1(column):
    cells = read_cells(column)
    assert cells.texts == ("Sérsic", "other")
    assert cells.values[:2].tolist() == [0, 1]
    assert cells.missing.tolist() == [False, False, True]
    assert [text.strip("\0 ") for text in texts_of(column)] == ["Sérsic", "other", ""]


def test_texts_that_are_the_same_but_for_blanks_are_one_and_words_are_counted():
    cells = read_cells(MaskedColumn(["a b", " a  b", "?", "?", "", "a b"], mask=[0, 0, 0, 0, 0, 1]))
    assert cells.texts == ("a b",)
    assert cells.words == {"?": 2, "": 2}


def test_one_cell_is_text():
    cells = [None, np.ma.masked, "a", b"\xe9", ["x"], np.array([b"y"]), 5]
    assert [text_of(cell) for cell in cells] == ["", "", "a", "é", "x", "y", "5"]


def test_names_in_latin_1_or_missing_do_not_stop_a_list_of_galaxies():
    table = Table(
        {"name": np.array([b"Andr\xe9", b"", b"M32"]), "ra": [1.0, 2.0, 3.0], "dec": [0.0, 0.0, 0.0]}
    )
    names = galaxy_names(table)
    assert names[0] == "André"
    assert names[1].startswith("00h08m00s")
    assert names[2] == "M32"
