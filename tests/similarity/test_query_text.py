"""Text that could mean more than one thing is refused; names, rows and marks come in columns of one element, too."""

import numpy as np
import pytest
from astropy.table import Column, Table

from galzoo_repr import find_similar


def catalogue(**columns):
    vectors = np.random.default_rng(3).normal(size=(5, 8))
    return Table({"ra": [10.0, 20, 30, 40, 50], "dec": [1.0, 2, 3, 4, 5], "embedding": vectors, **columns})


def rows(table, query):
    found = find_similar(table, query, n=1, include_query=True)
    return found["row"][found["similarity_rank"] == 0].tolist()


def test_a_position_is_not_an_id_without_its_blank():
    assert rows(catalogue(objid=["201", "202", "302", "402", "502"]), "20 2") == [1]


def test_names_with_letters_may_differ_in_blanks():
    assert rows(catalogue(name=["NGC 0020", "IC 2", "a", "b", "c"]), "ngc20") == [0]


def test_a_pair_of_angles_that_are_ids_is_refused():
    table = catalogue(id=[30, 3, 5, 6, 7])
    with pytest.raises(ValueError, match="is a position, and names of the catalogue; give a list"):
        rows(table, ("30", "3"))
    assert rows(table, ["30", "3"]) == [0, 1]
    assert rows(table, "30 3") == [2]


def test_a_file_that_is_called_like_a_position_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "20 2").write_bytes(b"")
    with pytest.raises(ValueError, match="is a file, and a position; give a SkyCoord"):
        rows(catalogue(), "20 2")


@pytest.mark.parametrize(
    "query",
    [
        np.array([["b"], ["d"]]),
        Column([[b"b"], [b"d"]]),
        np.array([[1], [3]]),
        np.array([[False], [True], [False], [True], [False]]),
    ],
    ids=["text", "bytes", "rows", "mask"],
)
def test_columns_of_one_element_are_what_is_in_them(query):
    assert rows(catalogue(name=list("abcde")), query) == [1, 3]
