"""A stand-in for pynndescent, which takes a minute to compile."""

import sys
import types

import numpy as np
import pytest
import scipy.sparse


class Approximate:
    """
    Stands in for pynndescent.NNDescent.

    Like it, it keeps its data in an order of its own, and a few queries end among galaxies far away. The arrays of its
    graph and its tree are such as pynndescent has, but it does not use them.
    """

    built = 0

    def __init__(self, data, metric, n_neighbors, random_state):
        assert metric == "euclidean"
        type(self).built += 1
        n, dim = data.shape
        rng = np.random.default_rng(random_state)
        self._vertex_order = rng.permutation(n).astype(np.int32)
        self._raw_data = data[self._vertex_order]
        self._search_graph = scipy.sparse.csr_array((np.ones(1, np.uint8), ([0], [0])), shape=(n, n))
        ends = np.linspace(0, n, 4).astype(np.int32)
        leaves = [[-ends[0], -ends[1]], [-ends[1], -ends[2]], [-ends[2], -ends[3]]]
        children = np.array([[1, 4], [2, 3], *leaves], np.int32)
        planes = np.zeros((5, dim), np.float32)
        indices = np.arange(n, dtype=np.int32)
        self._search_forest = ((planes, np.zeros(5, np.float32), children, indices, 30),)
        self._min_distance = np.float32(1)
        self._visited = np.zeros(n // 8 + 1, np.uint8)
        self.rng_state, self.search_rng_state = np.arange(3), np.arange(3)
        self.n_neighbors = n_neighbors
        self._distance_func = len

    def prepare(self):
        pass

    def query(self, queries, k, epsilon):
        distance = np.linalg.norm(queries[:, None] - self._raw_data[None], axis=2)
        lost = (np.arange(len(queries)) % 7 == 3) & (self.search_rng_state[0] == 0)
        order = np.argsort(np.where(lost[:, None], -distance, distance), axis=1)[:, :k]
        self.search_rng_state += 1
        return self._vertex_order[order], np.take_along_axis(distance, order, axis=1)

    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        assert state["_raw_data"].dtype == state["_input_dtype"]
        self.__dict__ = state


@pytest.fixture
def approximate(monkeypatch):
    module = types.ModuleType("pynndescent")
    module.NNDescent = type("NNDescent", (Approximate,), {"built": 0})
    monkeypatch.setitem(sys.modules, "pynndescent", module)
