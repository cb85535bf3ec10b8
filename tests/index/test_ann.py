"""The neighbour graph: guarded answers, kept without building it again, galaxies added after it was built."""

import os
import subprocess
import sys

import numpy as np
import pytest

from galzoo_repr import SimilarityIndex, neighbour_table
from galzoo_repr.index import _ann
from galzoo_repr.index._segments import Segment, Segments

pytestmark = pytest.mark.usefixtures("approximate")


def builds():
    return sys.modules["pynndescent"].NNDescent.built


def vectors(n=600, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


def same(first, second):
    return np.array_equal(first["row"], second["row"]) and np.array_equal(
        first["similarity"], second["similarity"]
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_queries_that_lose_their_way_are_answered_exactly(metric):
    data = vectors()
    index = SimilarityIndex.build(data, metric=metric, method="pynndescent")
    assert index.has_graph
    found = index.search(data[:50])
    assert same(found, index.search(data[:50], method="exact"))
    assert same(found, index.search(data[:50]))


def test_the_graph_is_built_only_once_it_is_needed():
    index = SimilarityIndex.build(vectors())
    index.search(vectors(5))
    assert (builds(), index.has_graph) == (0, False)
    index.search(vectors(5), method="pynndescent")
    index.search(vectors(5), method="pynndescent")
    assert (builds(), index.has_graph) == (1, True)


def test_a_saved_graph_is_not_built_again(tmp_path):
    index = SimilarityIndex.build(vectors(), method="pynndescent", dtype="float16")
    found = index.search(vectors(30, 1))
    index.save(tmp_path / "index")
    opened = SimilarityIndex.open(tmp_path / "index")
    assert same(opened.search(vectors(30, 1)), found)
    assert builds() == 1
    opened.save(tmp_path / "copy")
    assert same(SimilarityIndex.open(tmp_path / "copy").search(vectors(30, 1)), found)
    assert builds() == 1


def test_a_graph_built_for_an_opened_index_is_kept(tmp_path):
    SimilarityIndex.build(vectors()).save(tmp_path / "index")
    SimilarityIndex.open(tmp_path / "index").search(vectors(3), method="pynndescent")
    again = SimilarityIndex.open(tmp_path / "index")
    assert again.has_graph
    again.search(vectors(3), method="pynndescent")
    assert builds() == 1


def test_what_was_added_while_a_graph_was_built_is_not_lost(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(vectors()).save(folder)
    building, adding = SimilarityIndex.open(folder), SimilarityIndex.open(folder)
    adding.add(vectors(50, 4))
    building.search(vectors(3), method="pynndescent")
    index = SimilarityIndex.open(folder)
    assert (len(index), index.has_graph) == (650, True)
    assert same(index.search(vectors(9, 4), method="pynndescent"), index.search(vectors(9, 4)))
    assert builds() == 1


def test_of_two_graphs_the_first_is_kept(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(vectors()).save(folder)
    first, second = SimilarityIndex.open(folder), SimilarityIndex.open(folder)
    first.search(vectors(3), method="pynndescent")
    kept = [path.name for path in folder.glob("graph-*")]
    second.search(vectors(3), method="pynndescent")
    assert [path.name for path in folder.glob("graph-*")] == kept
    assert builds() == 2


def test_a_graph_is_not_kept_in_an_index_that_was_replaced(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(vectors(), method="pynndescent").save(folder)
    old = SimilarityIndex.open(folder)
    SimilarityIndex.build(vectors(300, 2)).save(folder, overwrite=True)
    assert same(old.search(vectors(9), method="pynndescent"), old.search(vectors(9)))
    assert not SimilarityIndex.open(folder).has_graph
    assert not list(folder.glob("graph-*"))


def test_a_graph_of_another_version_is_built_again(tmp_path, monkeypatch):
    index = SimilarityIndex.build(vectors(), method="pynndescent")
    found = index.search(vectors(30, 1))
    index.save(tmp_path / "index")
    monkeypatch.setattr(_ann, "version", lambda name: "999")
    assert same(SimilarityIndex.open(tmp_path / "index").search(vectors(30, 1)), found)
    assert builds() == 2


def test_galaxies_added_after_the_graph_are_found(tmp_path):
    data = vectors(700)
    SimilarityIndex.build(data[:600], method="pynndescent").save(tmp_path / "index")
    index = SimilarityIndex.open(tmp_path / "index")
    index.add(data[600:])
    assert same(index.search(data[590:650]), index.search(data[590:650], method="exact"))
    assert builds() == 1
    index = SimilarityIndex.open(tmp_path / "index")
    index.add(vectors(200, 9))
    index.search(data[:3])
    # Now more than a quarter is not in the graph.
    assert builds() == 2


def test_a_table_of_neighbours_from_the_graph():
    from astropy.table import Table

    cat = Table({"embedding": vectors(100)})
    assert same_rows(neighbour_table(cat, 4, method="pynndescent"), neighbour_table(cat, 4))


def same_rows(first, second):
    return np.array_equal(first["neighbour_row"], second["neighbour_row"])


def test_more_neighbours_than_galaxies_in_the_graph():
    data = vectors(40)
    index = SimilarityIndex.build(data, method="pynndescent")
    assert same(index.search(data[:9], n=100), index.search(data[:9], n=100, method="exact"))


def test_the_guard_is_a_sample_fixed_by_the_seed():
    n = 150_000
    galaxies = Segments([Segment(vectors(n), np.arange(n), np.arange(n), np.zeros((n, 2)))])
    sample = _ann.NeighbourGraph.build(galaxies, seed=3).guard()
    assert len(np.unique(sample)) == 1500
    assert np.array_equal(sample, _ann.NeighbourGraph.build(galaxies, seed=3).guard())
    assert not np.array_equal(sample, _ann.NeighbourGraph.build(galaxies, seed=4).guard())


REAL = """
import numpy as np, sys
from galzoo_repr import SimilarityIndex
data = np.random.default_rng(0).normal(size=(3000, 16)).astype("f4")
folder = sys.argv[1]
if sys.argv[2] == "build":
    index = SimilarityIndex.build(data, method="pynndescent")
    index.save(folder)
else:
    index = SimilarityIndex.open(folder)
found = np.asarray(index.search(data[:500])["row"]).reshape(500, 10)
exact = np.asarray(index.search(data[:500], method="exact")["row"]).reshape(500, 10)
recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact)])
assert recall > 0.98, recall
np.save(f"{folder}/{sys.argv[2]}.npy", found)
"""


@pytest.mark.skipif(
    not os.environ.get("GALZOO_SLOW_TESTS"),
    reason="compiles pynndescent for a minute; set GALZOO_SLOW_TESTS=1",
)
def test_pynndescent_itself(tmp_path):
    for step in ("build", "open"):
        subprocess.run([sys.executable, "-c", REAL, str(tmp_path / "index"), step], check=True, timeout=600)
    built, opened = (np.load(tmp_path / "index" / f"{step}.npy") for step in ("build", "open"))
    assert np.array_equal(built, opened)
