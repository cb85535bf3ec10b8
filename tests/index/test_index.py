"""The index: what it is built from, its answers, galaxies added later, bad input."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr import SimilarityIndex
from galzoo_repr.index._engine import choose_method


def vectors(n=500, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def catalogue(n=30, **columns):
    return Table(
        {
            "id_str": [f"J{i:04d}" for i in range(n)],
            "ra": np.linspace(0, 300, n),
            "dec": np.zeros(n),
            "embedding": vectors(n, 8),
            **columns,
        }
    )


def test_answers_carry_ids_rows_and_positions():
    cat = catalogue()
    found = SimilarityIndex.build(cat, ids="id_str").search(cat["embedding"][[4, 9]], n=3)
    assert found["query"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["similarity_rank"].tolist() == [1, 2, 3] * 2
    assert found["id"][[0, 3]].tolist() == ["J0004", "J0009"]
    assert np.array_equal(found["id"], cat["id_str"][found["row"]])
    np.testing.assert_array_equal(found["ra"], cat["ra"][found["row"]])
    assert found["ra"].unit == "deg"


def test_galaxies_without_embedding_are_left_out_and_counted():
    cat = catalogue()
    cat["embedding"][[3, 8]] = np.nan
    index = SimilarityIndex.build(cat, ids="id_str")
    assert (len(index), index.excluded) == (28, 2)
    assert "2 without embedding" in repr(index)
    assert not {"J0003", "J0008"} & set(index.ids)
    found = index.search(cat["embedding"][[9]], n=100)
    assert len(found) == 28
    assert found["id"][0] == "J0009"


def test_row_numbers_go_on_when_there_are_no_ids():
    data = vectors(20)
    index = SimilarityIndex.build(data[:15])
    index.add(data[15:])
    assert index.ids.tolist() == list(range(20))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (lambda: catalogue(5), "5 ids are in the index already, such as 'J0000'"),
        (
            lambda: Table({"id_str": ["a"], "embedding": np.ones((1, 9))}),
            "have 9 dimensions, those of the index 8",
        ),
        (lambda: Table({"id_str": [7], "embedding": np.ones((1, 8))}), "ids of the index are"),
        (
            lambda: Table({"id_str": ["a"], "embedding": np.ones((1, 8))}, meta={"GZRENCD": "b"}),
            "by encoder b",
        ),
        (lambda: np.ones((2, 8)), "ids='id_str' is not a column"),
    ],
)
def test_what_cannot_be_added(added, message):
    cat = catalogue()
    cat.meta["GZRENCD"] = "a"
    index = SimilarityIndex.build(cat, ids="id_str")
    with pytest.raises(ValueError, match=message):
        index.add(added())
    assert len(index) == 30


@pytest.mark.parametrize(
    "ids",
    [["a", "b", "c"], np.array([b"a", b"b", b"c"]), np.array(["a", "b", "c"], dtype=object), [3, 1, 2]],
)
def test_ids_may_be_text_bytes_or_numbers(ids, tmp_path):
    SimilarityIndex.build(np.eye(3), ids=ids).save(tmp_path / "index")
    found = SimilarityIndex.open(tmp_path / "index").search(np.eye(3)[1], n=1)["id"][0]
    assert found == (1 if isinstance(ids[0], int) else "b")


def test_masked_ids_and_wrong_positions_are_refused():
    cat = Table({"embedding": np.eye(3), "id": np.ma.array([1, 2, 3], mask=[0, 1, 0])})
    with pytest.raises(ValueError, match="1 ids are masked or missing, in row 1; every galaxy"):
        SimilarityIndex.build(cat, ids="id")
    with pytest.raises(ValueError, match="is not a column"):
        SimilarityIndex.build(cat, coords=("alpha", "beta"))


def test_ids_given_by_value_must_be_given_again():
    index = SimilarityIndex.build(vectors(3), ids=["a", "b", "c"])
    with pytest.raises(ValueError, match="give ids="):
        index.add(vectors(2))
    index.add(vectors(2, seed=1), ids=["d", "e"])
    assert index.ids.tolist() == list("abcde")


@pytest.mark.parametrize(
    ("galaxies", "options", "error", "message"),
    [
        (vectors(0), {}, ValueError, "none of the 0 galaxies has an embedding"),
        (np.full((4, 3), np.nan), {}, ValueError, "none of the 4 galaxies"),
        (catalogue()[:0], {}, ValueError, "none of the 0 galaxies"),
        (Table({"ra": [1.0]}), {}, ValueError, "no column 'embedding'"),
        (np.ones(4), {}, ValueError, "must have shape"),
        (np.array([["a"]]), {}, TypeError, "got ndarray; a catalogue is an astropy Table"),
        ("galaxies.fits", {}, TypeError, "got the path 'galaxies.fits'; a catalogue is"),
        (SkyCoord([1, 2], [3, 4], unit="deg"), {}, ValueError, "no column 'embedding'"),
        (vectors(4) * 1e30, {"metric": "euclidean"}, ValueError, "too large for Euclidean distances"),
        (vectors(4), {"ids": [1, 2, 2, 3]}, ValueError, "1 ids are there more than once"),
        (vectors(4), {"ids": [1, 2]}, ValueError, "one for each of the 4"),
        (vectors(4), {"ids": [0.5, 1, 2, 3]}, TypeError, "whole numbers or text"),
        (vectors(4), {"ids": "name"}, ValueError, "is not a column"),
        (vectors(4), {"metric": "manhattan"}, ValueError, "metric='manhattan' is not one of 'cosine'"),
        (vectors(4), {"dtype": "int8"}, ValueError, "dtype='int8' is not one of 'float32', 'float16'"),
        (vectors(4), {"method": "faiss"}, ValueError, "method='faiss' is not one of"),
        (vectors(4), {"components": 4}, ValueError, "from 1 to 3"),
        (vectors(4), {"whiten": True}, ValueError, "needs components"),
        (vectors(1), {"components": 1}, ValueError, "at least 2 galaxies with an embedding, not 1"),
        (np.ones((4, 3)), {"components": 2}, ValueError, "all 4 embeddings are the same"),
        (vectors(4), {"seed": "one"}, TypeError, "seed must be a whole number, not 'one'"),
    ],
)
def test_what_cannot_be_indexed(galaxies, options, error, message):
    with pytest.raises(error, match=message):
        SimilarityIndex.build(galaxies, **options)


@pytest.mark.parametrize(
    ("query", "n", "message"),
    [
        (np.ones(5), 10, "have 5 dimensions, those of the index 8"),
        (np.full((2, 8), np.nan), 10, "2 of 2 queries have no embedding"),
        (np.zeros(8), 10, "1 of 1 queries"),
        (np.ones(8), 0, "n must be a whole number"),
        (np.ones(8), 2.5, "n must be a whole number"),
        (np.ones(8), True, "n must be a whole number"),
    ],
)
def test_bad_queries(query, n, message):
    with pytest.raises(ValueError, match=message):
        SimilarityIndex.build(catalogue()).search(query, n=n)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device 'warp' cannot be used"):
        SimilarityIndex.build(vectors(4), device="warp").search(np.ones(16))


def test_a_table_may_be_the_query():
    cat = catalogue()
    found = SimilarityIndex.build(cat).search(cat[:3], n=1)
    assert found["row"].tolist() == [0, 1, 2]


def test_the_cheaper_method_is_chosen():
    million = {"rows": 10**6, "dim": 64, "n": 10, "device": "cpu"}
    assert choose_method(**million, queries=1, graph=False) == "exact"
    assert choose_method(**million, queries=1, graph=True) == "exact"
    assert choose_method(**million, queries=10**6, graph=False) == "pynndescent"
    assert choose_method(**{**million, "device": "cuda"}, queries=10**5, graph=False) == "exact"
    assert choose_method(**{**million, "rows": 5000}, queries=10**6, graph=False) == "exact"
    assert choose_method(**{**million, "n": 500}, queries=10**6, graph=True) == "exact"
