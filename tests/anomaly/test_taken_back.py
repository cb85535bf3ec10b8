"""Ratings that are taken back: the file only grows, and what stood before stands again."""

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr.anomaly import RatingsFile, ratings_in, read_ratings

FACTS = {"galaxies": 5, "embeddings": "x", "interest": "interest"}
NONE = np.full(5, np.nan)


def test_what_stood_before_stands_again_step_by_step(tmp_path):
    path = tmp_path / "r.ecsv"
    given = np.array([np.nan, 3, np.nan, np.nan, np.nan])
    with RatingsFile(path, FACTS) as file:
        for number, row, rating in [(1, 0, 4), (1, 1, 5), (2, 0, 2), (2, 2, np.nan)]:
            file.append(number, row, rating)
        assert file.take_back() == 2
        assert file.asked() == [0, 1, 0]
        assert file.take_back() == 0
        np.testing.assert_array_equal(file.ratings(given), [4, 5, np.nan, np.nan, np.nan])
        assert file.take_back() == 1
        np.testing.assert_array_equal(file.ratings(given), [4, 3, np.nan, np.nan, np.nan])
        assert file.last_round == 2
    with RatingsFile(path, FACTS) as file:
        np.testing.assert_array_equal(file.ratings(given), [4, 3, np.nan, np.nan, np.nan])
        assert file.take_back() == 0
        assert file.take_back() is None
        np.testing.assert_array_equal(file.ratings(given), given)
        file.append(3, 0, 1)
        np.testing.assert_array_equal(file.ratings(NONE), [1, *NONE[1:]])
    np.testing.assert_array_equal(ratings_in(read_ratings(path), 5), [1, *NONE[1:]])
    assert len(read_ratings(path)) == 9


def test_a_round_that_was_taken_back_is_unfinished_again(tmp_path):
    with RatingsFile(tmp_path / "r.ecsv", FACTS) as file:
        file.plan(1, [3, 4])
        file.append(1, 3, 0)
        file.append(1, 4, 0)
        assert file.unfinished() == (2, [])
        file.take_back()
        assert file.unfinished() == (1, [3, 4])


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_that_the_catalogue_lacks_are_left_out(row):
    table = Table({"round": [1, 1], "row": [row, 2], "rating": [1.0, 2.0]})
    np.testing.assert_array_equal(ratings_in(table, 5), [np.nan, np.nan, 2, np.nan, np.nan])


def test_a_line_that_takes_back_what_was_never_given_changes_nothing():
    table = Table({"round": [1, -2, -1], "row": [0, 0, 1], "rating": [1.0, np.nan, np.nan]})
    np.testing.assert_array_equal(ratings_in(table, 5), [1, *NONE[1:]])
