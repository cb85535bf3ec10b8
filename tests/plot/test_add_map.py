"""Places on a map: one for every galaxy, the same for the same embeddings."""

import numpy as np
import pytest
from astropy.table import QTable, Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.exceptions import GalzooWarning


@pytest.fixture
def three_kinds():
    rng = np.random.default_rng(2)
    kind = np.arange(150) % 3
    embedding = rng.normal(size=(150, 8)) + 30 * np.eye(8)[kind]
    return Table({"kind": kind, "embedding": embedding.astype(np.float32)})


def separation(table, name="map") -> float:
    """Least distance between the middles of kinds, over the scatter within one."""
    places = np.column_stack([table[f"{name}_x"], table[f"{name}_y"]])
    middles = np.array([np.median(places[table["kind"] == kind], axis=0) for kind in range(3)])
    scatter = max(places[table["kind"] == kind].std(axis=0).max() for kind in range(3))
    return min(np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2))) / scatter


@pytest.mark.parametrize("kind", [Table, QTable])
def test_principal_components_are_places(three_kinds, kind):
    given = kind(three_kinds)
    mapped = gzr.add_map(given)
    assert type(mapped) is kind
    assert given.colnames == ["kind", "embedding"]
    assert separation(mapped) > 3
    assert mapped["map_x"].dtype == np.float32
    assert mapped["map_x"].description == "First principal component of embedding"
    facts = mapped.meta["galzoo_repr"]["add_map"]
    assert facts["method"] == "pca"
    assert len(facts["explained_variance"]) == 2
    centred = three_kinds["embedding"] - three_kinds["embedding"].mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)[0][:, 0]
    assert abs(np.corrcoef(mapped["map_x"], expected)[0, 1]) > 0.999


def test_the_same_embeddings_have_the_same_places_in_any_order(three_kinds):
    once, order = gzr.add_map(three_kinds), np.random.default_rng(0).permutation(150)
    again = gzr.add_map(three_kinds[order])
    np.testing.assert_allclose(again["map_x"], once["map_x"][order], atol=1e-4)
    np.testing.assert_allclose(again["map_y"], once["map_y"][order], atol=1e-4)


def test_rows_without_an_embedding_have_no_place(three_kinds):
    three_kinds["embedding"][[3, 70]] = [[np.nan], [0]]
    with pytest.warns(
        GalzooWarning, match="2 of 150 galaxies have no usable embedding in column 'embedding'"
    ):
        mapped = gzr.add_map(three_kinds)
    assert np.flatnonzero(np.isnan(mapped["map_x"])).tolist() == [3, 70]
    assert np.isnan(mapped["map_y"]).sum() == 2


@pytest.mark.parametrize(
    ("embedding", "places"),
    [
        (np.ones((4, 3)), [[0, 0]] * 4),
        (np.ones((1, 3)), [[0, 0]]),
        (np.zeros((0, 3)), np.zeros((0, 2))),
        (np.array([[-1.0, 1], [1, 1]]), [[-1, 0], [1, 0]]),
        (np.array([[-1.0], [2], [-1]]), [[-1, 0], [2, 0], [-1, 0]]),
    ],
)
@pytest.mark.parametrize("method", ["pca", "umap"])
def test_few_or_equal_galaxies_have_places_too(embedding, places, method):
    if method == "umap":
        pytest.importorskip("umap", reason="umap-learn is not installed")
    mapped = gzr.add_map(Table({"embedding": embedding}), method=method, progress=False)
    np.testing.assert_allclose(np.column_stack([mapped["map_x"], mapped["map_y"]]), places, atol=1e-6)


def test_no_embedding_at_all_is_told():
    with pytest.warns(GalzooWarning, match="3 of 3 galaxies have no usable embedding"):
        mapped = gzr.add_map(Table({"embedding": np.full((3, 4), np.nan)}))
    assert np.isnan(mapped["map_x"]).all()


def test_umap_keeps_kinds_together_and_is_the_same_again(three_kinds):
    pytest.importorskip("umap", reason="umap-learn is not installed")
    three_kinds["embedding"][7] = np.nan
    options = {"method": "umap", "name": "umap", "seed": 4, "sample": 100, "progress": False}
    with pytest.warns(GalzooWarning, match="1 of 150 galaxies"):
        once = gzr.add_map(three_kinds, **options)
    with pytest.warns(GalzooWarning, match="1 of 150 galaxies"):
        again = gzr.add_map(three_kinds, **options)
    assert np.flatnonzero(np.isnan(once["umap_x"])).tolist() == [7]
    np.testing.assert_array_equal(again["umap_x"], once["umap_x"])
    assert separation(once[np.isfinite(once["umap_x"])], "umap") > 2
    facts = once.meta["galzoo_repr"]["add_map"]
    assert (facts["method"], facts["sample"], facts["seed"]) == ("umap", 100, 4)


@pytest.mark.parametrize("suffix", [".ecsv", ".parquet", ".fits", ".vot"])
def test_places_are_kept_with_the_catalogue(three_kinds, tmp_path, suffix):
    mapped = gzr.add_map(three_kinds)
    write_catalogue(mapped, tmp_path / f"mapped{suffix}")
    back = read_catalogue(tmp_path / f"mapped{suffix}")
    np.testing.assert_array_equal(back["map_x"], mapped["map_x"])
    gzr.plot.map(back)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "tsne"}, ValueError, "method='tsne' is not one of 'pca', 'umap'"),
        ({"embedding": "vectors"}, ValueError, "no column 'vectors'"),
        ({"sample": 2}, ValueError, "sample must be a whole number from 4"),
        ({"neighbours": 1}, ValueError, "neighbours must be a whole number from 2"),
        ({"min_dist": 1.5}, ValueError, "min_dist must be a number from 0 and at most 1"),
        ({"seed": -1}, ValueError, "seed must be a whole number from 0"),
        ({"name": 3}, TypeError, "name must be text, not int"),
    ],
)
def test_what_makes_no_map_is_refused(three_kinds, arguments, error, message):
    with pytest.raises(error, match=message):
        gzr.add_map(three_kinds, **arguments)


def test_columns_are_replaced_only_when_told(three_kinds):
    mapped = gzr.add_map(three_kinds)
    with pytest.raises(ValueError, match="already has 'map_x', 'map_y'; pass overwrite=True"):
        gzr.add_map(mapped)
    assert gzr.add_map(mapped, overwrite=True).colnames == mapped.colnames


def test_without_umap_learn_the_error_says_what_to_install(three_kinds, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(ImportError, match=r'pip install "galzoo_repr\[umap\]"'):
        gzr.add_map(three_kinds, method="umap")
