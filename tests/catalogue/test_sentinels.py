"""Numbers that stand for no value are told from others, with few false alarms, and can be masked as is said."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, QTable, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import masking, read_cells, sentinels, warn_of_sentinels

RANDOM = np.random.default_rng(3)
FRACTIONS = RANDOM.random(50)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*FRACTIONS, -99], {-99: 1}),
        ([*FRACTIONS, -1, -1], {-1: 2}),
        ([*(15 + 10 * FRACTIONS), 99.99, -99], {99.99: 1, -99: 1}),
        ([*range(6), 9999], {9999: 1}),
        ([*range(6), -1, -1], {-1: 2}),
        ([*(6 * FRACTIONS), -9], {-9: 1}),
        ([-1, 0, 1, 1], {-1: 1}),
        ([0, 1, 9], {9: 1}),
        ([0, -99], {-99: 1}),
        ([*FRACTIONS, -32768], {-32768: 1}),
        ([*FRACTIONS, 2**31 - 1], {2**31 - 1: 1}),
        ([*FRACTIONS, -1.6375e30], {-1.6375e30: 1}),
        ([*(1e4 * RANDOM.normal(size=50)), *[-999] * 3], {-999: 3}),
        (np.append(np.float32(FRACTIONS), np.float32(-99.9)), {float(np.float32(-99.9)): 1}),
    ],
)
def test_numbers_unlike_the_rest_are_found(values, found):
    assert sentinels(values) == found


@pytest.mark.parametrize(
    "values",
    [
        [],
        [NAN := np.nan],
        [-99],
        [1, -1, 1, -1],
        [0, -1],
        [-2, -1, 0, 1, 2],
        range(-5, 11),
        range(101),
        [90, 91, 99],
        [0, 5, 9],
        [85.0, 90.0, 99.9],
        [*FRACTIONS, 0.99, 0.999],
        [*(1000 * FRACTIONS), 999],
        RANDOM.normal(size=100),
        [*RANDOM.normal(size=50), -1.0],
    ],
)
def test_numbers_like_the_rest_are_not(values):
    assert sentinels(list(values)) == {}


@pytest.mark.parametrize(
    ("column", "options"),
    [
        (Column([1, -99, 3]), {}),
        (Column([1.0, -99, 3]), {}),
        (MaskedColumn([1.0, -99, 3], mask=[0, 0, 0]), {}),
        (Column([1, -99, 3], dtype=object), {}),
        (Column(["1", "-99", "3"]), {"text": True}),
        ([1, -99, 3] * u.kpc, {"quantity": True}),
    ],
)
def test_the_line_of_code_in_the_warning_masks_the_number(column, options):
    table = QTable({"z": column}) if options.get("quantity") else Table({"z": column})
    exec(masking("z", -99.0, **options), {"np": np, "table": table})
    assert read_cells(table["z"]).missing.tolist() == [False, True, False]


def test_the_warning_says_number_count_and_what_to_do():
    line = r"table\['z'\] = np.ma.masked_equal\(table\['z'\], -9\)"
    with pytest.warns(GalzooWarning, match=rf"label 'z' is -9 in 2 rows, unlike the rest \(0 to 2\).*{line}"):
        warn_of_sentinels([0, 1, 2, -9, -9, np.nan], "label 'z'", "z")
