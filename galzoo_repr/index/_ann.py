"""Approximate neighbours by a graph (pynndescent), guarded against searches that end in the wrong place."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse

from galzoo_repr._config import log
from galzoo_repr.index._graph_check import check_graph, trees_of
from galzoo_repr.index._segments import Segments

if TYPE_CHECKING:
    from pynndescent import NNDescent

__all__ = ["NeighbourGraph"]

_NEIGHBOURS = 30
_EPSILON = 0.1  # how much farther than the worst of the best the search looks
_FOUND = 20  # the search is asked for so many at least, and for twice as many as are wanted
_GUARD = 0.01  # share of the galaxies that every query is also compared with
_FEWEST = 1000  # but at least so many: a smaller sample may hold none that is near
_LEFT_OUT = {"_raw_data", "_neighbor_graph", "_rp_forest", "_query_workspace", "random_state"}


class NeighbourGraph:
    """
    A pynndescent index over the first galaxies of an index.

    It is kept as arrays, never as a pickle. Built twice with the same seed and number of threads it is the
    same; with another number of threads its neighbours, and so the few that it misses, differ.

    Parameters
    ----------
    search : pynndescent.NNDescent
        Ready to be queried.
    seed : int
        Seed it was built with.
    """

    def __init__(self, search: NNDescent, seed: int) -> None:
        self._search, self.seed = search, seed
        self._rng_state = search.search_rng_state.copy()

    def __len__(self) -> int:
        return len(self._search._raw_data)

    @classmethod
    def build(cls, vectors: Segments, seed: int) -> NeighbourGraph:
        """
        Build the graph: seconds for 10^5 galaxies, minutes for 10^6, after a minute of compilation.

        The vectors are held in memory in single precision while the graph is in use.
        """
        from pynndescent import NNDescent

        log.info("Building the neighbour graph of %d galaxies.", len(vectors))
        data = np.ascontiguousarray(vectors.whole("vectors"), dtype=np.float32)
        # Vectors of unit length are ordered alike by their cosine and by their distance.
        search = NNDescent(data, metric="euclidean", n_neighbors=_NEIGHBOURS, random_state=seed)
        search.prepare()
        return cls(search, seed)

    def candidates(self, queries: np.ndarray, n: int) -> np.ndarray:
        """
        Places of probable neighbours of each query, more than n of them, not in order; -1 for none.

        `queries` are float32 of shape (m, k), in the space of the index.
        """
        # Asked for twice as many, the search misses far fewer of the first n.
        wanted = min(max(2 * n, _FOUND), len(self))
        # Its random state moves on with every query; the same query shall get the same answer.
        self._search.search_rng_state[:] = self._rng_state
        found, _ = self._search.query(queries, k=wanted, epsilon=_EPSILON)
        return found.astype(np.int64)

    def guard(self) -> np.ndarray:
        """
        Places of the galaxies that every query is also compared with.

        A search of the graph fails as a whole or not at all: it ends among galaxies none of which is a
        neighbour. Then one of a small random sample is nearly always nearer than the nearest found.
        """
        size = min(len(self), max(_FEWEST, int(_GUARD * len(self))))
        return np.sort(np.random.default_rng(self.seed).choice(len(self), size, replace=False))

    def arrays(self) -> tuple[dict[str, np.ndarray], dict[str, bool | int | float | str | None]]:
        """Everything needed to make the graph again: arrays, without the vectors, and settings that JSON can hold."""
        arrays, settings = {}, {"pynndescent": version("pynndescent"), "seed": self.seed}
        for name, value in self._search.__getstate__().items():
            if name in _LEFT_OUT:
                continue
            if isinstance(value, np.ndarray | np.generic):
                arrays[name] = np.asarray(value)
            elif scipy.sparse.issparse(value):
                arrays |= {f"{name}.{part}": getattr(value, part) for part in ("indptr", "indices", "data")}
            elif name == "_search_forest":
                for number, tree in enumerate(value):
                    arrays |= {f"tree.{number}.{part}": np.asarray(leaf) for part, leaf in enumerate(tree)}
            elif isinstance(value, bool | int | float | str | None):
                settings[name] = value
        return arrays, settings

    @classmethod
    def from_arrays(
        cls,
        arrays: dict[str, np.ndarray],
        settings: dict[str, bool | int | float | str | None],
        vectors: Segments,
    ) -> NeighbourGraph | None:
        """
        Make the graph again from what `arrays` gave and the galaxies it was built from, and perhaps others after them.

        None when it was saved under another version of pynndescent, whose inner arrays may differ. A `ValueError` or
        `KeyError` if the arrays cannot be those of a graph.
        """
        if settings["pynndescent"] != version("pynndescent"):
            log.info("The neighbour graph is of pynndescent %s: it is built again.", settings["pynndescent"])
            return None
        from pynndescent import NNDescent

        state = {name: value for name, value in settings.items() if name not in ("pynndescent", "seed")}
        check_graph(arrays, state, vectors)
        if shadowed := [name for name in (*state, *arrays) if hasattr(NNDescent, name)]:
            raise ValueError(f"settings of a graph do not replace {shadowed}")
        size = len(arrays["_vertex_order"])
        parts = [arrays[f"_search_graph.{part}"] for part in ("data", "indices", "indptr")]
        state["_search_graph"] = scipy.sparse.csr_array(tuple(parts), shape=(size, size))
        state["_search_forest"] = tuple(_tree(arrays, number) for number in trees_of(arrays))
        state |= {name: value for name, value in arrays.items() if "." not in name}
        state["_min_distance"] = np.float32(arrays["_min_distance"])
        data = vectors.take("vectors", np.asarray(arrays["_vertex_order"], dtype=np.int64))
        state |= {"_raw_data": np.ascontiguousarray(data, dtype=np.float32), "_input_dtype": np.float32}
        state |= {"_dist_args": (), "random_state": settings["seed"], "_distance_correction": None}
        search = NNDescent.__new__(NNDescent)
        search.__setstate__(state)
        return cls(search, settings["seed"])


def _tree(arrays: dict[str, np.ndarray], number: int) -> tuple:
    """One search tree as pynndescent keeps it: arrays, and last the size of a leaf as a number."""
    parts = [arrays[f"tree.{number}.{part}"] for part in range(5)]
    return (*parts[:4], int(parts[4]))
