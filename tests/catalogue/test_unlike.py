"""Galaxies are ranked by how far they are from all that somebody has labelled or rated."""

import numpy as np
import pytest

from galzoo_repr.catalogue import KnownGalaxies


def galaxies(n, *, d=60, seed=0):
    """Galaxies in a few directions of many, as those of an encoder are."""
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(n, d)) * 0.9 ** np.arange(d)).astype(np.float32) + 3


@pytest.mark.parametrize("n", [20, 80, 400, 3000])
def test_galaxies_like_the_known_ones_are_spread_evenly(n):
    ranks = [
        KnownGalaxies.of(galaxies(n, seed=seed)).unlike(galaxies(1000, seed=99 + seed)) for seed in range(8)
    ]
    assert np.mean(ranks) == pytest.approx(0.5, abs=0.07)
    assert np.mean(np.greater(ranks, 0.95)) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.greater(ranks, 0.99)) < 0.035


@pytest.mark.parametrize("n", [20, 600])
def test_what_is_unlike_is_near_one_and_what_is_farther_is_nearer(n):
    known = KnownGalaxies.of(galaxies(n))
    one = galaxies(1, seed=5)[0]
    away = np.stack([one + step for step in (0, 1, 2, 4, 8)])
    rank = known.unlike(away)
    assert (np.diff(rank) > 0).all()
    assert 0.95 < rank[3] < rank[4] < 1


def test_a_known_galaxy_is_at_nought_and_a_row_that_is_not_finite_has_no_rank():
    vectors = galaxies(40)
    rank = KnownGalaxies.of(vectors).unlike(np.vstack([vectors, np.full((1, 60), np.nan)]))
    assert rank[:40].max() < 0.01
    assert np.isnan(rank[40])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("factor", [1.0, 2.0**-10])
def test_the_rank_does_not_depend_on_units(kind, factor):
    expected = KnownGalaxies.of(galaxies(40)).unlike(galaxies(50, seed=1))
    known = KnownGalaxies.of((galaxies(40) * factor).astype(kind))
    found = known.unlike((galaxies(50, seed=1) * factor).astype(kind))
    np.testing.assert_allclose(found, expected, atol=0.02 if kind is np.float16 else 1e-4)


def test_images_of_one_galaxy_are_not_compared():
    once = galaxies(40)
    twice = np.repeat(once, 2, axis=0) + 1e-3 * np.random.default_rng(2).normal(size=(80, 60))
    others = galaxies(200, seed=3)
    with_groups = KnownGalaxies.of(twice, groups=np.repeat(np.arange(40), 2)).unlike(others)
    np.testing.assert_allclose(with_groups, KnownGalaxies.of(once).unlike(others), atol=0.05)
    assert KnownGalaxies.of(twice).unlike(others).min() > 0.98


def test_rows_that_repeat_another_do_not_count():
    once, others = galaxies(40), galaxies(200, seed=3)
    known = KnownGalaxies.of(np.concatenate([once, once[::2]]))
    np.testing.assert_array_equal(known.unlike(others), KnownGalaxies.of(once).unlike(others))


def test_what_the_encoder_has_not_seen_says_what_is_usual():
    """Trained on the others, it has brought these together."""
    vectors = galaxies(100)
    vectors[:80] = vectors.mean(0) + 0.2 * (vectors[:80] - vectors.mean(0))
    others = galaxies(300, seed=3)
    assert np.mean(KnownGalaxies.of(vectors, unseen=np.arange(80, 100)).unlike(others)) < 0.65
    assert np.mean(KnownGalaxies.of(vectors).unlike(others)) > 0.75


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_are_not_compared_or_differ(n):
    known = KnownGalaxies.of(galaxies(n))
    assert np.isnan(known.unlike(galaxies(5, seed=1))).all() == (n == 1)


def test_known_galaxies_that_are_all_the_same():
    known = KnownGalaxies.of(np.ones((5, 3), np.float32))
    np.testing.assert_allclose(known.unlike(np.array([[1.0, 1, 1], [1, 2, 1]])), [0, 1], atol=1e-6)


def test_what_is_kept_is_bounded():
    known = KnownGalaxies.of(galaxies(5000))
    assert known.coordinates.shape == (512, 40)
    assert len(known.distances) == 1000
    assert all(array.dtype == np.float32 for array in vars(known).values())
