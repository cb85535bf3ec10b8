"""The exact search: the answers of double precision, whatever the processor is quick with."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galzoo_repr import SimilarityIndex
from galzoo_repr.index import _exact, _products, _scan
from galzoo_repr.index._products import decode, encode


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


def same(first, second):
    return all(
        np.array_equal(first[name], second[name], equal_nan=name in ("ra", "dec")) for name in first.colnames
    )


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


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_query_far_from_every_galaxy_is_answered_with_its_distance(metric):
    data = vectors()
    found = SimilarityIndex.build(data, metric=metric).search(1e6 * np.ones(16), n=3)
    rows, scores = brute_force(data, 1e6 * np.ones((1, 16)), 3, metric)
    assert found["row"].tolist() == rows[0].tolist()
    np.testing.assert_allclose(found["similarity"], scores[0], rtol=1e-6)


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
from galzoo_repr.index import _scan

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
