"""A table of galaxies that a person filled in: what is blank, what is a rating, and what is refused."""

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.anomaly import record_answers


def recorded(galaxies, rows, ratings, tmp_path):
    answers = Table({"row": rows, "rating": ratings})
    values, added = record_answers(galaxies, [answers], tmp_path / "mine.ecsv")
    return {int(row): values[row] for row in np.flatnonzero(np.isfinite(values))}, added


@pytest.mark.parametrize(
    "ratings",
    [
        [3.0, np.nan, 0.0],
        ["3", "?", "0"],
        ["3.0", "", " 0 "],
        np.array([b"3", b"N/A", b"0"]),
        Column([3, None, "0"], dtype=object),
        MaskedColumn([3, 1, 0], mask=[0, 1, 0]),
        MaskedColumn(["3", "1", "0"], mask=[0, 1, 0]),
    ],
)
@pytest.mark.parametrize("rows", [[5, 6, 7], ["5", "6", "7"], [5.0, 6.0, 7.0], ["5.0", "6.0", "7.0"]])
def test_blank_answers_are_left_out_in_every_form(galaxies, rows, ratings, tmp_path):
    assert recorded(galaxies, rows, ratings, tmp_path) == ({5: 3.0, 7: 0.0}, 2)


@pytest.mark.parametrize(
    ("rows", "ratings", "message"),
    [
        ([5], ["high"], "the answer for row 5 is 'high', which is no number"),
        ([5], [np.inf], "the answer for row 5 is inf; a rating must be finite"),
        ([400], [1.0], "an answer for row 400, but the catalogue's rows are 0 to 399"),
        ([2.5], [1.0], "an answer for row 2.5, but the catalogue's rows"),
        ([np.nan], [1.0], "an answer for row nan, but"),
        (["?"], [1.0], "an answer for row ?"),
        (MaskedColumn([3], mask=[1]), [1.0], "an answer for row unknown"),
    ],
)
def test_answers_that_make_no_sense_are_refused(galaxies, rows, ratings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        recorded(galaxies, rows, ratings, tmp_path)
    assert not (tmp_path / "mine.ecsv").exists()


def test_a_number_that_seems_to_stand_for_no_rating_is_said(galaxies, tmp_path):
    with pytest.warns(GalzooWarning, match="rating is -99 in 1 row, unlike the rest .0 to 3."):
        recorded(galaxies, [1, 2, 3], [0, 3, -99], tmp_path)
