"""The same galaxy twice: found by place, by looks, or by both."""

import tracemalloc

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table, vstack

import galzoo_repr as gzr
from galzoo_repr.catalogue import provenance, read_catalogue, write_catalogue
from galzoo_repr.exceptions import GalzooWarning


def galaxies(n=40, dim=16, seed=0):
    rng = np.random.default_rng(seed)
    return Table(
        {
            "ra": rng.uniform(0, 360, n),
            "dec": rng.uniform(-80, 80, n),
            "embedding": rng.normal(size=(n, dim)).astype("float32"),
        }
    )


def again(table, rows, *, shift=0.5 * u.arcsec, noise=0.0):
    """The same galaxies, a little beside themselves."""
    copies = table[rows]
    copies["dec"] += shift.to_value(u.deg)
    copies["embedding"] += noise * np.random.default_rng(9).normal(size=copies["embedding"].shape)
    return copies


@pytest.mark.parametrize("give", [Table, QTable])
@pytest.mark.parametrize(
    "how", [{}, {"separation": 1 * u.arcsec}, {"separation": "1 arcsec"}, {"similarity": 0.99}]
)
def test_pairs_are_groups_of_two_and_all_else_is_single(give, how):
    cat = give(vstack([galaxies(), again(galaxies(), [3, 5])]))
    found = gzr.find_duplicates(cat, **how)
    assert type(found) is give
    single = np.ones(42, dtype=bool)
    single[[3, 5, 40, 41]] = False
    assert np.array_equal(np.ma.getmaskarray(found["duplicate_group"]), single)
    assert found["duplicate_group"][[3, 40, 5, 41]].tolist() == [0, 0, 1, 1]
    assert np.array_equal(found["duplicate_size"], np.where(single, 1, 2))
    assert found["duplicate_rank"][[3, 5, 40, 41, 0]].tolist() == [1, 1, 2, 2, 1]
    assert len(found[found["duplicate_rank"] == 1]) == 40
    assert "duplicate_group" not in cat.colnames


def test_both_must_hold_where_both_are_asked_for():
    near_but_other = again(galaxies(), [1])
    near_but_other["embedding"] = -near_but_other["embedding"]
    alike_but_far = again(galaxies(), [2], shift=20 * u.arcsec)
    cat = vstack([galaxies(), near_but_other, alike_but_far, again(galaxies(), [4])])
    found = gzr.find_duplicates(cat, separation=1 * u.arcsec, similarity=0.99)
    assert np.flatnonzero(found["duplicate_size"] > 1).tolist() == [4, 42]
    assert np.flatnonzero(gzr.find_duplicates(cat, similarity=0.99)["duplicate_size"] > 1).tolist() == [
        2,
        4,
        41,
        42,
    ]
    assert np.flatnonzero(gzr.find_duplicates(cat)["duplicate_size"] > 1).tolist() == [1, 4, 40, 42]


def test_a_chain_is_one_group():
    ra = np.arange(5) * 0.9 / 3600
    found = gzr.find_duplicates(Table({"ra": [*ra, 50.0], "dec": np.zeros(6)}), separation=1 * u.arcsec)
    assert found["duplicate_size"].tolist() == [5] * 5 + [1]
    assert found["duplicate_rank"].tolist() == [1, 2, 3, 4, 5, 1]


@pytest.mark.parametrize(
    "pair",
    [([359.99999, 0.00001], [0.0, 0.0]), ([10.0, 190.0], [89.99999, 89.99999]), ([5.0, 5.0], [1.0, 1.0])],
)
def test_across_ra_0_at_the_pole_and_at_one_place(pair):
    found = gzr.find_duplicates(Table(dict(zip(("ra", "dec"), pair, strict=True))), separation=0.1 * u.arcsec)
    assert found["duplicate_size"].tolist() == [2, 2]


def test_rows_without_position_or_embedding_are_single():
    cat = vstack([galaxies(), again(galaxies(), [3, 5])])
    cat["ra"][40] = np.nan
    cat["embedding"][41] = np.nan
    assert gzr.find_duplicates(cat)["duplicate_size"][[3, 40, 5, 41]].tolist() == [1, 1, 2, 2]
    assert gzr.find_duplicates(cat, similarity=0.99)["duplicate_size"][[3, 40, 5, 41]].tolist() == [
        2,
        2,
        1,
        1,
    ]
    both = gzr.find_duplicates(cat, similarity=0.99, separation=1 * u.arcsec)
    assert both["duplicate_size"].tolist() == [1] * 42


def test_identical_embeddings_are_alike_to_one_whatever_their_length():
    cat = galaxies(3000, 100)
    cat["embedding"][7] = cat["embedding"][2900]
    cat["embedding"][8] = 1e6 * cat["embedding"][1500]
    found = gzr.find_duplicates(cat, similarity=1.0)
    assert np.flatnonzero(found["duplicate_size"] > 1).tolist() == [7, 8, 1500, 2900]


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_groups_are_those_of_every_pair_compared(threshold, offset):
    rng = np.random.default_rng(3)
    cat = Table({"embedding": rng.normal(size=(700, 200)) @ np.diag(0.97 ** np.arange(200)) + offset})
    vectors = np.asarray(cat["embedding"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    threshold = float(np.quantile((unit @ unit.T)[np.triu_indices(700, 1)], 1 - 1e-3 * threshold))
    from scipy.sparse.csgraph import connected_components

    count, labels = connected_components(unit @ unit.T >= threshold)
    found = gzr.find_duplicates(cat, similarity=threshold)
    assert np.array_equal(found["duplicate_size"], np.bincount(labels)[labels])
    assert len(np.unique(labels[found["duplicate_size"] > 1])) == found["duplicate_group"].max() + 1
    assert count > 1


def test_a_threshold_that_joins_everything_is_said():
    cat = galaxies()
    cat["embedding"] += 100
    with pytest.warns(GalzooWarning, match="40 of 40 galaxies are one group"):
        found = gzr.find_duplicates(cat, similarity=0.9)
    assert found["duplicate_size"].tolist() == [40] * 40


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"separation": 1}, (TypeError, u.UnitsError), "separation"),
        ({"separation": -1 * u.arcsec}, ValueError, "separation"),
        ({"similarity": 1.2}, ValueError, "similarity must be"),
        ({"similarity": np.nan}, ValueError, "similarity must be"),
        ({"similarity": "0.9"}, ValueError, "similarity must be"),
        ({"similarity": True}, ValueError, "similarity must be"),
        ({"similarity": 0.9, "embedding": "vector"}, ValueError, "no column 'vector'"),
        ({"embedding": "vector"}, ValueError, "embedding='vector' counts only .* give similarity=, too"),
        (
            {"similarity": 0.9, "coords": ("ra", "dec")},
            ValueError,
            "coords= counts only .* give separation=, too",
        ),
        ({"name": "ra_dec"}, ValueError, "already has 'ra_dec_group'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    cat = galaxies()
    cat["ra_dec_group"] = 1
    with pytest.raises(error, match=message):
        gzr.find_duplicates(cat, **options)


def test_neither_positions_nor_embeddings_to_go_by():
    with pytest.raises(ValueError, match=r"no positions.*similarity="):
        gzr.find_duplicates(galaxies()["embedding",])
    with pytest.raises(ValueError, match="add_embeddings"):
        gzr.find_duplicates(galaxies()["ra", "dec"], similarity=0.9)


def test_a_separation_that_joins_too_many_is_refused_before_it_fills_the_memory():
    n = 20_000
    cat = Table({"ra": np.random.default_rng(0).uniform(0, 1, n), "dec": np.zeros(n)})
    with pytest.raises(ValueError, match=r"pairs.*smaller"):
        gzr.find_duplicates(cat, separation=2 * u.deg)


def test_a_bare_skycoord_will_do():
    found = gzr.find_duplicates(SkyCoord([1.0, 1.0, 2.0], [0.0, 0.0001, 0.0], unit="deg"))
    assert found["duplicate_size"].tolist() == [2, 2, 1]


@pytest.mark.parametrize("rows", [0, 1])
def test_of_none_or_one_nothing_is_twice(rows):
    found = gzr.find_duplicates(galaxies()[:rows], separation=1 * u.arcsec, similarity=0.9)
    assert found["duplicate_size"].tolist() == [1] * rows


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".ecsv", ".vot"])
def test_it_is_kept_in_files(tmp_path, ending):
    found = gzr.find_duplicates(vstack([galaxies(), again(galaxies(), [3, 5])]))
    write_catalogue(found, tmp_path / f"cat{ending}")
    back = read_catalogue(tmp_path / f"cat{ending}")
    assert np.array_equal(
        np.ma.filled(back["duplicate_group"], -1), np.ma.filled(found["duplicate_group"], -1)
    )
    assert back["duplicate_size"].tolist() == found["duplicate_size"].tolist()


def test_what_was_done_is_recorded():
    facts = provenance(
        gzr.find_duplicates(vstack([galaxies(), again(galaxies(), [3, 5])])), "find_duplicates"
    )
    assert facts["separation"] == "5.0 arcsec"
    assert (facts["groups"], facts["galaxies"], facts["largest"]) == (2, 4, 2)


def test_many_rows_take_little_memory():
    n = 30_000
    cat = galaxies(n, 128)
    cat["embedding"][-10:] = cat["embedding"][:10]
    tracemalloc.start()
    found = gzr.find_duplicates(cat, similarity=0.99)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found["duplicate_size"] > 1).sum() == 20
    assert peak < 400e6  # of all pairs, 3.6 GB as bytes
