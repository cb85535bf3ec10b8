"""Numbers without a unit that look like hours, radians or something else than what they are taken for."""

import warnings

import numpy as np
import pytest
from astropy.table import Column, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import sky_positions


def sky(n, seed=0):
    """Uniform on the whole sphere, degrees."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


@pytest.mark.parametrize("n", [5, 100, 10_000])
def test_hours_and_radians_of_the_whole_sky_are_noticed(n):
    ra, dec = sky(n)
    with pytest.warns(GalzooWarning, match=r"looks like hours.*table\['ra'\].unit = 'hourangle'"):
        sky_positions(Table({"ra": ra / 15, "dec": dec}))
    with pytest.warns(GalzooWarning, match=r"looks like radians; set the unit of both columns to 'rad'"):
        sky_positions(Table({"ra": np.radians(ra), "dec": np.radians(dec)}))
    with pytest.warns(GalzooWarning, match="looks like radians"):
        sky_positions(Table({"ra": np.radians((ra + 180) % 360 - 180), "dec": np.radians(dec)}))


def test_text_that_is_numbers_is_judged_alike_and_missing_rows_do_not_count():
    ra, dec = sky(50)
    words = [f"{x:.4f}" for x in ra / 15]
    words[0], dec[1] = "", np.nan
    with pytest.warns(GalzooWarning, match="looks like hours"):
        sky_positions(Table({"ra": words, "dec": dec}))


@pytest.mark.parametrize(
    "table",
    [
        Table({"ra": Column(sky(50)[0] / 15, unit="hourangle"), "dec": sky(50)[1]}),
        Table({"ra": Column(sky(50)[0] / 15, unit="deg"), "dec": sky(50)[1]}),
        Table({"ra": ["01:00:00", "10:00:00", "23:00:00"], "dec": [-50.0, 0.0, 70.0]}),
        Table({"ra": [10.0, 10.1, 10.2], "dec": [40.0, 40.1, 40.2]}),
        Table({"ra": [2.0, 20.0], "dec": [-80.0, 80.0]}),
        Table({"ra": np.linspace(0, 20, 50), "dec": np.linspace(-10, 15, 50)}),
        Table({"ra": np.linspace(0.1, 0.9, 50), "dec": np.linspace(-1, 1, 50)}),
        Table({"ra": [], "dec": []}),
    ],
)
def test_units_sexagesimal_text_and_patches_of_sky_are_not_doubted(table):
    assert sky_positions(table).valid.all()


@pytest.mark.parametrize("seed", range(3))
def test_no_patch_of_a_survey_raises_an_alarm(seed):
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            centre, width = rng.uniform(-60, 60), 10 ** rng.uniform(-1, 1.2)
            west = rng.uniform(0, 340)
            dec = np.clip(centre + rng.uniform(-width, width, 100), -90, 90)
            ra = west + rng.uniform(0, 2 * width, 100) / np.cos(np.radians(centre))
            sky_positions(Table({"ra": ra % 360, "dec": dec}))


def test_a_few_galaxies_of_the_whole_sky_hardly_ever_raise_an_alarm():
    alarms = 0
    for seed in range(300):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ra, dec = sky(3, seed)
            sky_positions(Table({"ra": ra, "dec": dec}))
        alarms += len(caught)
    assert alarms <= 1


def test_columns_the_wrong_way_round_are_noticed():
    ra, dec = sky(200)
    with pytest.warns(GalzooWarning, match=r"wrong way round; if so, give coords=\('dec', 'ra'\)"):
        found = sky_positions(Table({"ra": dec, "dec": ra}))
    assert found.reason[np.argmax(ra > 90)].startswith("dec: declination")
    assert sky_positions(Table({"ra": dec, "dec": ra}), coords=("dec", "ra")).valid.all()


def test_angles_from_a_pole_are_noticed():
    ra, dec = sky(200)
    with pytest.warns(GalzooWarning, match="as if they were angles from a pole"):
        sky_positions(Table({"ra": ra, "dec": 90 - dec}))


@pytest.mark.parametrize("sentinel", [99.99, 999.0, -99.0])
def test_a_sentinel_is_a_bad_row_and_no_more(sentinel):
    ra, dec = sky(100)
    dec[:30] = sentinel
    assert sky_positions(Table({"ra": ra, "dec": dec})).valid.sum() == 70


def test_longitudes_on_both_sides_of_zero_are_plain():
    ra, dec = sky(100)
    found = sky_positions(Table({"ra": (ra + 180) % 360 - 180, "dec": dec}))
    np.testing.assert_allclose(found.ra, ra)
