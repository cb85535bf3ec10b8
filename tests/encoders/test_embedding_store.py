"""Embeddings on disk: shared, atomic, and never in the way."""

import multiprocessing
import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from galzoo_repr import GalzooWarning
from galzoo_repr.encoders import EmbeddingStore

DIGEST = "ab" * 32


def keys_of(numbers):
    return [int(number).to_bytes(16, "big") for number in numbers]


@pytest.fixture
def shelf(tmp_path):
    opened = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
    yield opened
    opened.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=arrays(
        np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(-1e6, 1e6, width=32)
    )
)
def test_what_is_written_is_read(vectors, tmp_path):
    folder = tmp_path / str(abs(hash(vectors.tobytes())))
    shelf = EmbeddingStore(folder).shelf(DIGEST, dim=4)
    keys = keys_of(range(len(vectors)))
    shelf.write(keys, vectors)
    shelf.close()
    again = EmbeddingStore(folder).shelf(DIGEST, dim=4)
    found = again.read([*keys, b"unknown"])
    again.close()
    assert set(found) == set(keys)
    for key, vector in zip(keys, vectors, strict=True):
        np.testing.assert_array_equal(found[key], vector)


def test_more_keys_than_a_query_may_have(shelf):
    keys = keys_of(range(2500))
    shelf.write(keys, np.arange(10_000, dtype=np.float32).reshape(2500, 4))
    found = shelf.read(keys)
    assert len(found) == 2500
    np.testing.assert_array_equal(found[keys[7]], [28, 29, 30, 31])


def test_what_is_not_finite_is_not_kept(shelf):
    shelf.write(keys_of([1, 2]), np.array([[1, 2, 3, np.nan], [1, 2, 3, 4]], dtype=np.float32))
    assert list(shelf.read(keys_of([1, 2]))) == keys_of([2])


def test_encoders_do_not_mix(shelf, tmp_path):
    shelf.write(keys_of([1]), np.ones((1, 4)))
    other = EmbeddingStore(tmp_path).shelf("cd" * 32, dim=4)
    assert other.read(keys_of([1])) == {}
    other.close()


def test_vectors_of_another_length_are_not_returned(shelf, tmp_path):
    shelf.write(keys_of([1]), np.ones((1, 4)))
    other = EmbeddingStore(tmp_path).shelf(DIGEST, dim=5)
    assert other.read(keys_of([1])) == {}
    other.close()


def test_file_that_is_no_database_costs_only_time(tmp_path):
    (tmp_path / f"{DIGEST[:32]}.sqlite").write_bytes(b"something else " * 100)
    with pytest.warns(GalzooWarning, match="computed but not kept.*not a database"):
        shelf = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
    shelf.write(keys_of([1]), np.ones((1, 4)))
    assert shelf.read(keys_of([1])) == {}


def test_read_only_store_is_read(tmp_path):
    shelf = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
    shelf.write(keys_of([1]), np.ones((1, 4)))
    shelf.close()
    os.chmod(tmp_path, 0o555)
    os.chmod(shelf.path, 0o444)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.warns(GalzooWarning, match="computed but not kept"):
            again = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
        assert len(again.read(keys_of([1]))) == 1
        again.write(keys_of([2]), np.ones((1, 4)))
        again.close()
    finally:
        os.chmod(tmp_path, 0o755)


def test_full_disk_is_said_once_and_what_was_kept_stays(shelf):
    shelf.write(keys_of([1]), np.ones((1, 4)))
    shelf._db.execute("PRAGMA max_page_count = 4")
    many = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
    with pytest.warns(GalzooWarning, match="computed but not kept.*full") as caught:
        shelf.write(keys_of(range(10, 5010)), many)
    shelf.write(keys_of(range(10, 5010)), many)
    assert len(caught) == 1
    assert list(shelf.read(keys_of(range(1, 5010)))) == keys_of([1])


def _write_many(folder, first):
    shelf = EmbeddingStore(folder).shelf(DIGEST, dim=4)
    for start in range(first, first + 200, 10):
        numbers = range(start, start + 10)
        shelf.write(keys_of(numbers), np.array([[n, 0, 0, 0] for n in numbers], dtype=np.float32))
    shelf.close()


def _write_for_ever(folder):
    shelf = EmbeddingStore(folder).shelf(DIGEST, dim=4)
    start = 0
    while True:
        numbers = range(start, start + 50)
        shelf.write(keys_of(numbers), np.array([[n, 0, 0, 0] for n in numbers], dtype=np.float32))
        start += 50


def test_processes_share_a_store(tmp_path):
    # Overlapping ranges: each embedding is kept once.
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write_many, args=(tmp_path, first)) for first in (0, 100, 200)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    shelf = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
    found = shelf.read(keys_of(range(400)))
    shelf.close()
    assert [found[key][0] for key in keys_of(range(400))] == list(range(400))


def test_killed_writer_leaves_whole_batches(tmp_path):
    worker = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(tmp_path,))
    worker.start()
    path = tmp_path / f"{DIGEST[:32]}.sqlite"
    deadline = time.monotonic() + 60
    while not _rows(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    rows = _rows(path)
    assert rows > 0
    assert rows % 50 == 0
    _write_many(tmp_path, 10**6)
    assert _rows(path) == rows + 200


def _rows(path):
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT COUNT(*) FROM embedding").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize("stored", [b"12345", b"", np.full(4, np.nan, "<f4").tobytes(), bytes(20), "text", 7])
def test_what_is_damaged_is_computed_again(tmp_path, stored):
    shelf = EmbeddingStore(tmp_path).shelf(DIGEST, dim=4)
    shelf.write([b"a", b"b"], np.ones((2, 4), np.float32))
    connection = sqlite3.connect(shelf.path)
    with connection:
        connection.execute("UPDATE embedding SET vector = ? WHERE image = ?", (stored, b"a"))
    connection.close()
    assert list(shelf.read([b"a", b"b"])) == [b"b"]
    assert shelf.has([b"a", b"b"]) == {b"b"}
    assert shelf.write([b"a"], np.ones((1, 4), np.float32))
    assert list(shelf.read([b"a", b"b"])) == [b"a", b"b"]
    shelf.close()


def test_a_disk_that_is_full_is_said_once_by_several_threads(shelf):
    """Another batch meets with it while this one is made ready, or at the same time."""

    class Meanwhile(np.ndarray):
        def __iter__(self):
            assert not shelf.write(keys_of(range(1000)), np.ones((1000, 4), np.float32))
            return super().__iter__()

    shelf.write(keys_of([0]), np.ones((1, 4), np.float32))
    (pages,) = shelf._db.execute("PRAGMA page_count").fetchone()
    shelf._db.execute(f"PRAGMA max_page_count={pages + 1}")
    vectors = np.ones((1000, 4), np.float32).view(Meanwhile)
    with ThreadPoolExecutor(4) as pool, pytest.warns(GalzooWarning, match="not kept.*full") as told:
        kept = list(pool.map(lambda _: shelf.write(keys_of(range(2000, 3000)), vectors), range(8)))
    assert not any(kept)
    assert len(told) == 1
    assert list(shelf.read(keys_of([0, 2000]))) == keys_of([0])
