"""The index: exact answers, its folder, galaxies added later, bad input."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from galzoo_repr import SimilarityIndex, neighbour_table
from galzoo_repr.similarity import _exact, _products, _scan
from galzoo_repr.similarity._choice import choose_method
from galzoo_repr.similarity._products import decode, encode


def vectors(n=500, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def brute_force(data, queries, n, metric):
    data, queries = np.asarray(data, np.float64), np.asarray(queries, np.float64)
    if metric == "cosine":
        data = data / np.linalg.norm(data, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        scores = queries @ data.T
    else:
        scores = -np.linalg.norm(queries[:, None] - data[None], axis=2)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    return order, np.take_along_axis(scores, order, axis=1)


def answer(table, queries):
    return np.asarray(table["row"]).reshape(queries, -1), np.asarray(table["similarity"]).reshape(queries, -1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("n", "queries", "k"), [(500, 7, 10), (9000, 30, 10), (9000, 1, 200), (5, 3, 10)])
def test_exact_search_is_brute_force_in_double_precision(metric, n, queries, k):
    data = vectors(n)
    index = SimilarityIndex.build(data, metric=metric)
    rows, scores = answer(index.search(data[:queries], n=k), min(queries, n))
    expected, best = brute_force(data, data[:queries], k, metric)
    assert np.array_equal(rows, expected)
    np.testing.assert_allclose(scores, best, atol=2e-7, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 700), st.integers(1, 9), st.integers(1, 30), st.integers(0, 2**31), st.sampled_from("ce")
)
def test_exact_search_for_any_shape(n, d, k, seed, metric):
    data, queries = vectors(n, d, seed), vectors(4, d, seed + 1)
    index = SimilarityIndex.build(data, metric={"c": "cosine", "e": "euclidean"}[metric])
    rows, scores = answer(index.search(queries, n=k), 4)
    _, best = brute_force(data, queries, k, index.metric)
    np.testing.assert_allclose(scores, best, atol=1e-6)
    assert all(len(set(line)) == len(line) for line in rows.tolist())


def test_a_large_common_offset_does_not_spoil_distances():
    data = vectors() + 1000
    rows, _ = answer(SimilarityIndex.build(data, metric="euclidean").search(data[:50]), 50)
    assert np.array_equal(rows, brute_force(data, data[:50], 10, "euclidean")[0])


def test_half_precision_is_near():
    data = vectors(2000, 64)
    index = SimilarityIndex.build(data, dtype="float16")
    rows, scores = answer(index.search(data[:40]), 40)
    expected, best = brute_force(data, data[:40], 10, "cosine")
    np.testing.assert_allclose(scores, best, atol=5e-4)
    assert (rows == expected).mean() > 0.97
    with pytest.raises(ValueError, match="too large for half precision"):
        SimilarityIndex.build(data * 1e5, metric="euclidean", dtype="float16")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_gpu_gives_the_same_answers(metric, dtype):
    data = vectors(30_000, 32)
    on_cpu = SimilarityIndex.build(data, metric=metric, dtype=dtype, device="cpu")
    on_gpu = SimilarityIndex.build(data, metric=metric, dtype=dtype, device="cuda")
    for queries in (data[:1], data[:700]):
        expected, found = on_cpu.search(queries), on_gpu.search(queries)
        np.testing.assert_allclose(found["similarity"], expected["similarity"], atol=1e-6)
        assert (found["row"] == expected["row"]).mean() > 0.999


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


def same(first, second):
    return all(
        np.array_equal(first[name], second[name], equal_nan=name in ("ra", "dec")) for name in first.colnames
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "euclidean", "components": 4, "whiten": True},
        {"ids": "id_str", "dtype": "float16", "components": 3},
    ],
)
def test_saved_and_opened_it_answers_alike(tmp_path, options):
    cat = catalogue()
    index = SimilarityIndex.build(cat, **options)
    index.save(tmp_path / "index")
    again = SimilarityIndex.open(tmp_path / "index")
    assert same(index.search(cat["embedding"]), again.search(cat["embedding"]))
    assert repr(index) == repr(again)
    assert np.array_equal(index.ids, again.ids)
    assert isinstance(again._galaxies.pieces[0].vectors, np.memmap)
    if "components" in options:
        assert np.array_equal(index.explained_variance_ratio, again.explained_variance_ratio)
        assert 0 < index.explained_variance_ratio.sum() <= 1
    assert not any(path.suffix == ".pkl" for path in (tmp_path / "index").rglob("*"))


def test_saving_leaves_what_is_there_unless_asked(tmp_path):
    index = SimilarityIndex.build(catalogue())
    index.save(tmp_path / "index")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        index.save(tmp_path / "index")
    SimilarityIndex.build(catalogue(12)).save(tmp_path / "index", overwrite=True)
    assert len(SimilarityIndex.open(tmp_path / "index")) == 12
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match="it is no index"):
        index.save(tmp_path / "other", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "other"]


def test_galaxies_added_later_are_found_and_kept(tmp_path):
    cat = catalogue(60)
    cat["embedding"][[5, 45]] = np.nan
    whole = SimilarityIndex.build(cat, ids="id_str")
    grown = SimilarityIndex.build(cat[:40], ids="id_str")
    grown.add(cat[40:50])
    grown.save(tmp_path / "index")
    opened = SimilarityIndex.open(tmp_path / "index")
    opened.add(cat[50:])
    opened = SimilarityIndex.open(tmp_path / "index")
    queries = cat["embedding"][[0, 20, 55]]
    assert same(whole.search(queries), opened.search(queries))
    assert (len(opened), opened.excluded) == (58, 2)
    assert opened.search(queries[2], n=1)["id"][0] == "J0055"


def test_row_numbers_go_on_when_there_are_no_ids():
    data = vectors(20)
    index = SimilarityIndex.build(data[:15])
    index.add(data[15:])
    assert index.ids.tolist() == list(range(20))


def test_galaxies_added_without_embedding_are_counted(tmp_path):
    SimilarityIndex.build(np.eye(4)).save(tmp_path / "index")
    SimilarityIndex.open(tmp_path / "index").add(np.full((2, 4), np.nan))
    index = SimilarityIndex.open(tmp_path / "index")
    index.add(np.ones((1, 4)))
    assert (len(index), index.excluded) == (5, 2)
    assert index.search(np.ones(4), n=1)["row"].tolist() == [6]


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
    with pytest.raises(ValueError, match="some ids are masked"):
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


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_query_far_from_every_galaxy_is_answered_with_its_distance(metric):
    data = vectors()
    found = SimilarityIndex.build(data, metric=metric).search(1e6 * np.ones(16), n=3)
    rows, scores = brute_force(data, 1e6 * np.ones((1, 16)), 3, metric)
    assert found["row"].tolist() == rows[0].tolist()
    np.testing.assert_allclose(found["similarity"], scores[0], rtol=1e-6)


def test_a_table_may_be_the_query():
    cat = catalogue()
    found = SimilarityIndex.build(cat).search(cat[:3], n=1)
    assert found["row"].tolist() == [0, 1, 2]


def test_neighbours_are_counted_in_whole_numbers():
    with pytest.raises(ValueError, match="k must be a whole number from 1, not 0"):
        neighbour_table(catalogue(), 0)


def test_a_damaged_folder_says_so(tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(FileNotFoundError, match="holds no similarity index"):
        SimilarityIndex.open(folder)
    SimilarityIndex.build(catalogue()).save(folder)
    contents = (folder / "index.json").read_text()
    (folder / "index.json").write_text(json.dumps({**json.loads(contents), "format_version": 99}))
    with pytest.raises(ValueError, match="format 99"):
        SimilarityIndex.open(folder)
    (folder / "index.json").write_text(contents[:40])
    with pytest.raises(ValueError, match="damaged"):
        SimilarityIndex.open(folder)
    (folder / "index.json").write_text(contents)
    whole = (folder / "vectors-0000.npy").read_bytes()
    (folder / "vectors-0000.npy").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"damaged: .*vectors-0000\.npy"):
        SimilarityIndex.open(folder)
    np.save(folder / "vectors-0000.npy", np.ones((3, 8), np.float32))
    with pytest.raises(ValueError, match="has 3 rows, not 30"):
        SimilarityIndex.open(folder)
    np.save(folder / "ids-0000.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(ValueError, match="damaged"):
        SimilarityIndex.open(folder)


def test_a_table_of_neighbours():
    cat = catalogue(50)
    cat["embedding"][7] = np.nan
    cat["embedding"][11] = cat["embedding"][10]
    table = neighbour_table(cat, 3)
    assert len(table) == 49 * 3
    assert not (table["row"] == table["neighbour_row"]).any()
    assert 7 not in set(table["row"]) | set(table["neighbour_row"])
    assert table["neighbour_row"][table["row"] == 10][0] == 11
    keep = np.delete(np.arange(50), 7)
    expected, _ = brute_force(cat["embedding"][keep], cat["embedding"][keep], 4, "cosine")
    assert table["neighbour_row"][table["row"] == 20].tolist() == keep[expected[19, 1:]].tolist()
    pair = table[0]
    apart = abs(cat["ra"][pair["neighbour_row"]] - cat["ra"][pair["row"]])
    np.testing.assert_allclose(pair["separation"] / 3600, min(apart, 360 - apart), rtol=1e-9)
    assert table.meta["galzoo_repr"]["neighbour_table"]["without_embedding"] == 1


def test_neighbours_when_there_are_few():
    assert len(neighbour_table(catalogue(3), 10)) == 6
    assert len(neighbour_table(catalogue(1), 10)) == 0


def test_neighbours_across_batches(monkeypatch):
    monkeypatch.setattr("galzoo_repr.similarity._index._BATCH", 16)
    cat = catalogue(50)
    table = neighbour_table(cat, 2, progress=False)
    expected, _ = brute_force(cat["embedding"], cat["embedding"], 3, "cosine")
    assert np.array_equal(np.asarray(table["neighbour_row"]).reshape(50, 2), expected[:, 1:])


def test_the_cheaper_method_is_chosen():
    million = {"rows": 10**6, "dim": 64, "n": 10, "device": "cpu"}
    assert choose_method(**million, queries=1, graph=False) == "exact"
    assert choose_method(**million, queries=1, graph=True) == "exact"
    assert choose_method(**million, queries=10**6, graph=False) == "pynndescent"
    assert choose_method(**{**million, "device": "cuda"}, queries=10**5, graph=False) == "exact"
    assert choose_method(**{**million, "rows": 5000}, queries=10**6, graph=False) == "exact"
    assert choose_method(**{**million, "n": 500}, queries=10**6, graph=True) == "exact"


def test_neither_torch_nor_pynndescent_is_imported_before_it_is_used(tmp_path):
    SimilarityIndex.build(catalogue()).save(tmp_path / "index")
    code = (
        "import sys; from galzoo_repr import SimilarityIndex\n"
        f"index = SimilarityIndex.open({str(tmp_path / 'index')!r})\n"
        "assert 'torch' not in sys.modules\n"
        "index.search([1.0] * 8)\n"
        "assert 'torch' in sys.modules and 'pynndescent' not in sys.modules and 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_galaxies_too_alike_for_single_precision():
    rng = np.random.default_rng(0)
    # Their cosines with the query differ by about the rounding of single precision.
    near = rng.normal(size=64) + 1e-6 * rng.normal(size=(200, 64))
    index = SimilarityIndex.build(np.concatenate([vectors(5000, 64), near]).astype(np.float32))
    query = near[0] + rng.normal(size=64) / 10
    rows, _ = answer(index.search(query), 1)
    stored = index._galaxies.pieces[0].vectors.astype(np.float64)
    cosines = stored @ index.space.project(query[None])[0].astype(np.float64)
    assert np.array_equal(rows[0], np.argsort(-cosines, kind="stable")[:10])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_threads_share_the_work_and_give_the_same_answers(dtype, monkeypatch):
    import torch

    data = np.repeat(vectors(4000, 24), 5, axis=0)  # every galaxy five times: ties are in order of place
    index = SimilarityIndex.build(data, dtype=dtype)
    monkeypatch.setattr(_scan, "_SMALLEST", 1)
    monkeypatch.setattr(_scan, "_ELEMENTS", 24 * 1000)
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        answers.append([index.search(data[:queries]) for queries in (1, 5, 700, 900)])
    assert all(same(one, three) for one, three in zip(*answers, strict=True))
    assert answers[0][1]["row"][:5].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("quick", [True, False])
def test_few_bits_hide_no_neighbour(quick, monkeypatch):
    # Three hundred galaxies closer to one another than bfloat16 can tell, and others on the far side of the sky.
    monkeypatch.setattr(_exact, "has_bfloat16", lambda: quick)
    rng = np.random.default_rng(8)
    near = rng.normal(size=32) + 1e-4 * rng.normal(size=(300, 32))
    data = np.concatenate([vectors(3000, 32), near, -vectors(40, 32)]).astype(np.float32)
    queries = np.concatenate([data[:60], near[:70], -near[:3]]).astype(np.float32)
    for n in (1, 10, 400, len(data)):
        rows, scores = answer(SimilarityIndex.build(data).search(queries, n=n), len(queries))
        _, best = brute_force(data, queries, n, "cosine")
        np.testing.assert_allclose(scores, best, atol=2e-7)
        assert all(len(set(line)) == n for line in rows.tolist())


def test_of_equal_galaxies_the_first_is_found_first(monkeypatch):
    monkeypatch.setattr(_exact, "has_bfloat16", lambda: True)
    data = np.repeat(vectors(4, 16), 1500, axis=0)
    rows, _ = answer(SimilarityIndex.build(data).search(np.tile(data[4500], (70, 1)), n=5), 70)
    assert (rows == np.arange(4500, 4505)).all()


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_bfloat16_numbers_as_integers_are_in_order(numbers):
    numbers = np.array(numbers, dtype=np.float32)
    near = decode(encode(numbers))
    assert (np.abs(near) <= np.abs(numbers)).all()
    assert np.array_equal(encode(near), encode(numbers))
    order = near[:, None] > numbers
    assert (encode(near)[:, None] >= encode(numbers))[order].all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_search_of_a_gpu_finds_the_same(metric, monkeypatch):
    # Nothing in it needs a GPU, so it can be compared without one.
    import torch

    data = np.concatenate([vectors(9000, 16), np.repeat(vectors(3, 16), 300, axis=0)])
    index = SimilarityIndex.build(data, metric=metric)
    index.add(vectors(700, 16, seed=5))
    queries = np.concatenate([data[:300], data[-2:]])
    expected = [answer(index.search(queries, n=n), len(queries)) for n in (1, 10, 400)]
    searches = [partial(_exact.scan_gpu, device=torch.device("cpu"), spare=spare) for spare in (4, 256)]
    monkeypatch.setattr(_exact, "_searches", lambda *_: searches)
    for n, (_, scores) in zip((1, 10, 400), expected, strict=True):
        found, similarity = answer(index.search(queries, n=n), len(queries))
        np.testing.assert_allclose(similarity, scores, atol=1e-12)
        assert all(len(set(line)) == n for line in found.tolist())


def test_each_thread_of_a_search_multiplies_alone(monkeypatch):
    import torch

    threads, seen = torch.get_num_threads(), set()
    scores = _products.Products.scores

    def watched(*arguments):
        seen.add(torch.get_num_threads())
        return scores(*arguments)

    monkeypatch.setattr(_products.Products, "scores", watched)
    monkeypatch.setattr(_exact, "has_bfloat16", lambda: True)
    try:
        torch.set_num_threads(3)
        SimilarityIndex.build(vectors(5000, 24)).search(vectors(2000, 24))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert seen == {1}


def test_a_failure_in_one_thread_ends_the_search():
    # In a process of its own, which can be ended if it waits for ever.
    code = """
import time
import numpy as np, torch
from galzoo_repr import SimilarityIndex
from galzoo_repr.similarity import _scan

def fail(*_):
    time.sleep(0.02)
    raise MemoryError("no room for products")

torch.set_num_threads(2)
vectors = np.random.default_rng(0).normal(size=(4000, 24))
_scan._SMALLEST, _scan._Scanner.run = 1, fail
SimilarityIndex.build(vectors).search(vectors[:2000])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "MemoryError: no room for products" in done.stderr
