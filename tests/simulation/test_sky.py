"""The cells, the noise and the footprint of the simulated sky."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galzoo_repr.simulation import BandGap, Footprint
from galzoo_repr.simulation._noise import sky_noise
from galzoo_repr.simulation._sky import SkyTiling, cell_random, separation, slow_variation

RA = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


def grid(ra, dec, n=80, step=0.262):
    """Positions of a small image's pixels, good enough away from the poles."""
    steps = (np.arange(n) - (n - 1) / 2) * step / 3600
    dec = dec + np.repeat(steps[:, None], n, 1)
    return (ra - steps[None, :] / np.cos(np.deg2rad(dec))) % 360, dec


@given(RA, DEC, st.floats(1e-4, 3.0))
def test_cells_near_a_position_hold_it(ra, dec, radius):
    cells = SkyTiling(0.25).cells_near(ra, dec, radius)
    inside = [
        cell
        for cell in cells
        if cell.ra_limits[0] <= ra <= cell.ra_limits[1] and cell.dec_limits[0] <= dec <= cell.dec_limits[1]
    ]
    assert inside
    assert len({(cell.ring, cell.column) for cell in cells}) == len(cells)


@given(RA, st.floats(-89, 89), st.floats(0.01, 2.0), st.floats(0, 2 * np.pi))
def test_cells_near_a_position_hold_points_around_it(ra, dec, radius, angle):
    other_dec = np.clip(dec + 0.99 * radius * np.sin(angle), -90, 90)
    other_ra = (ra + 0.99 * radius * np.cos(angle) / np.cos(np.deg2rad(dec))) % 360
    if separation(other_ra, other_dec, ra, dec) > radius:
        return
    assert any(
        cell.ra_limits[0] <= other_ra <= cell.ra_limits[1]
        and cell.dec_limits[0] <= other_dec <= cell.dec_limits[1]
        for cell in SkyTiling(0.25).cells_near(ra, dec, radius)
    )


def test_cells_cover_the_sphere_once():
    cells = SkyTiling(5.0).cells_near(0.0, 0.0, 180.0)
    assert sum(cell.area for cell in cells) == pytest.approx(4 * np.pi * (180 / np.pi) ** 2)


def test_positions_are_uniform_in_a_cell():
    [cell] = SkyTiling(5.0).cells_near(12.0, 62.0, 0.001)
    ra, dec = cell.random_positions(4000, cell_random(1, 1, cell))
    assert cell.ra_limits[0] <= ra.min() < ra.max() <= cell.ra_limits[1]
    assert cell.dec_limits[0] <= dec.min() < dec.max() <= cell.dec_limits[1]
    north = np.mean(dec > np.mean(cell.dec_limits))
    assert 0.44 < north < 0.5  # a spherical cell is narrower in the north


def test_random_numbers_of_cells_and_purposes_differ():
    first, second = SkyTiling(0.25).cells_near(150.0, 2.25, 0.001)
    numbers = {
        cell_random(seed, purpose, cell).random()
        for seed in (0, 1)
        for purpose in (1, 2)
        for cell in (first, second)
    }
    assert len(numbers) == 8
    assert cell_random(0, 1, first).random() == cell_random(0, 1, first).random()


def test_conditions_change_slowly_and_are_standardised():
    random = np.random.default_rng(0)
    ra, dec = random.uniform(0, 360, 600), np.rad2deg(np.arcsin(random.uniform(-1, 1, 600)))
    values = np.array([slow_variation(3, 5, *place) for place in zip(ra, dec, strict=True)])
    assert abs(values.mean()) < 0.15
    assert values.std() == pytest.approx(1, abs=0.15)
    here, near, far = (slow_variation(3, 5, 150.0, dec) for dec in (2.0, 2.01, 8.0))
    assert abs(here - near) < 0.02
    assert abs(here - far) > 0.02


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 2.0), (0.0, -45.0), (359.9999, 60.0), (77.0, 89.5)])
def test_noise_has_unit_variance_and_independent_bands(ra, dec):
    noise = sky_noise(*grid(ra, dec), pitch=0.262, seed=1, bands="griz")
    assert noise.shape == (4, 80, 80)
    assert noise.dtype == np.float32
    assert np.abs(noise.mean((1, 2))).max() < 0.06
    np.testing.assert_allclose(noise.std((1, 2)), 1, atol=0.05)
    correlation = np.corrcoef(noise.reshape(4, -1)) - np.eye(4)
    assert np.abs(correlation).max() < 0.05


def test_noise_belongs_to_the_sky():
    ra, dec = grid(0.0, 30.0)
    whole = sky_noise(ra, dec, pitch=0.262, seed=1)
    part = sky_noise(ra[10:30, 5:70], dec[10:30, 5:70], pitch=0.262, seed=1)
    np.testing.assert_allclose(whole[:, 10:30, 5:70], part, atol=1e-4)


def test_noise_of_one_band_is_that_of_many():
    ra, dec = grid(10.0, 30.0, n=20)
    np.testing.assert_array_equal(
        sky_noise(ra, dec, pitch=0.262, seed=1, bands="z")[0], sky_noise(ra, dec, pitch=0.262, seed=1)[2]
    )


@pytest.mark.parametrize("changed", [{"seed": 2}, {"pitch": 0.524}])
def test_noise_of_another_seed_or_pitch_is_independent(changed):
    ra, dec = grid(10.0, 30.0)
    one = sky_noise(ra, dec, pitch=0.262, seed=1)
    other = sky_noise(ra, dec, **{"pitch": 0.262, "seed": 1, **changed})
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("ra", "dec", "bands"),
    [
        (150.0, 2.0, "griz"),
        (150.0, 50.0, "grz"),  # the north has no i
        (30.0, 33.0, "griz"),  # as far north, but in the southern galactic cap
        (160.0, 10.0, "gri"),
        (30.0, -5.0, "riz"),
        (266.4, -29.0, ""),
        (150.0, -70.0, ""),
        (150.0, 85.0, ""),
    ],
)
def test_footprint_has_edges_and_gaps(ra, dec, bands):
    covered = Footprint().covers(np.array([ra]), np.array([dec]), "griz")[:, 0]
    assert "".join(np.array(list("griz"))[covered]) == bands


def test_halves_of_the_footprint_are_disjoint():
    ra, dec = np.full(50, 150.0), np.linspace(-60, 80, 50)
    both = Footprint().covers(ra, dec, "r")
    north, south = (Footprint().covers(ra, dec, "r", half=half) for half in ("north", "south"))
    assert not (north & south).any()
    np.testing.assert_array_equal(north | south, both)
    assert (north[0] == (dec > 32.375)).all()


def test_footprint_everywhere_has_no_edge():
    random = np.random.default_rng(1)
    ra, dec = random.uniform(0, 360, 500), random.uniform(-90, 90, 500)
    assert Footprint.everywhere().covers(ra, dec, "griz").all()


def test_own_gap():
    footprint = Footprint(gaps=(BandGap("r", 10.0, 20.0, 1.0),))
    assert footprint.covers(np.array([10.0, 10.0]), np.array([20.5, 21.5]), "r").tolist() == [[False, True]]
