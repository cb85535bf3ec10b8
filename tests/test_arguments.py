"""Checks of arguments, and what they say."""

import numpy as np
import pytest

from galzoo_repr._arguments import check_choice, check_column, check_number, check_seed, check_whole_number


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.5), np.int64(1)])
def test_numbers_of_any_kind_in_the_range(value):
    check_number("share", value, 0, 1)


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (-1, {}, "share must be a number from 0, not -1"),
        (np.nan, {}, "share must be a number from 0, not nan"),
        (np.inf, {}, "share must be a number from 0, not inf"),
        (True, {}, "share must be a number from 0, not True"),
        ("much", {}, "share must be a number from 0, not 'much'"),
        (None, {}, "share must be a number from 0, not None"),
        (0, {"above": True}, "share must be a number above 0, not 0"),
        (2, {"most": 1}, "share must be a number from 0 and at most 1, not 2"),
        (1, {"most": 1, "below": True}, "share must be a number from 0 and below 1, not 1"),
        (9, {"most": 1, "why": ": it is a share"}, "share must be .* at most 1, not 9: it is a share"),
    ],
)
def test_what_is_no_number_or_out_of_range_is_refused(value, options, message):
    with pytest.raises(ValueError, match=f"{message}$"):
        check_number("share", value, **options)


def test_whole_numbers_become_those_of_python():
    assert type(check_whole_number("n", np.int16(3))) is int
    assert type(check_seed(np.uint32(3))) is int
    for wrong in (0, 2.0, True, np.True_, "3", None):
        with pytest.raises(ValueError, match="n must be a whole number from 1, not "):
            check_whole_number("n", wrong)
    with pytest.raises(ValueError, match=r"seed must be below 2\*\*32, not 4294967296"):
        check_seed(2**32)


def test_words_and_columns():
    assert check_choice("way", "up", ("up", "down")) == "up"
    with pytest.raises(ValueError, match="way='left' is not one of 'up', 'down'"):
        check_choice("way", "left", ("up", "down"))
    assert check_column("label", "ring", ["ring"]) == "ring"
    with pytest.raises(
        ValueError, match=r"label='rung' is not a column of the table; its columns are ring; did you"
    ):
        check_column("label", "rung", ["ring"])
    with pytest.raises(ValueError, match="its columns are none"):
        check_column("label", "rung", [])
    with pytest.raises(TypeError, match="label must be the name of a column, not ndarray; add the values"):
        check_column("label", np.zeros(3), ["ring"])
