"""Nearest galaxies of vectors by whichever is cheaper: every galaxy compared, or a graph that must be built first."""

import sys

import numpy as np

from galzoo_repr._arguments import check_choice
from galzoo_repr._device import choose_device
from galzoo_repr._progress import progress_bar
from galzoo_repr.index._ann import NeighbourGraph
from galzoo_repr.index._segments import METHODS, Segment, Segments
from galzoo_repr.index._storage import SavedIndex

__all__ = ["Engine", "choose_method"]

_BATCH = 16384  # queries answered at a time
_COVERED = 0.75  # share of the galaxies that a graph must cover to be worth using

# Measured by benchmarks/similarity.py on one core of a server, with 10^6 galaxies of 64 dimensions; ratios, not the
# figures, decide.
_PRODUCTS = 3.7e10  # multiplications a second of the exact search
_NARROW_PRODUCTS = 7.2e10  # the same in bfloat16
_COMPILE = 35.0  # seconds for pynndescent to be imported and compiled, once in each process
_OPEN = 4.0  # the same when a saved graph is only queried
_BUILD = 2e-6  # seconds per galaxy and dimension to build the graph
_QUERY = 1.0e-4  # seconds per query of the graph, guard included
_SMALLEST = 20_000  # below this the graph is never worth its memory
_MOST = 100  # beyond so many neighbours the graph is searched too widely to be quick


class Engine:
    """
    Search of the galaxies of an index.

    Parameters
    ----------
    galaxies : Segments
        What is searched. Others may be put in its place that begin with the same ones.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    method : {"auto", "exact", "pynndescent"}
        What to use when nothing else is said.
    seed : int
        Of the graph.
    device : str or None
        Where the exact search runs; None for a GPU if there is one.
    saved : SavedIndex or None
        Where a graph is looked for when it is first needed, and kept when it is built.
    """

    def __init__(
        self,
        galaxies: Segments,
        metric: str,
        *,
        method: str,
        seed: int,
        device: str | None,
        saved: SavedIndex | None,
    ) -> None:
        self.galaxies, self.metric, self.method, self.seed = galaxies, metric, method, seed
        self.asked_device, self.saved = device, saved
        self._graph: NeighbourGraph | None = None
        self._sample: Segments | None = None
        self._checked: str | None = None
        self._sound: list[Segment] = []

    @property
    def device(self) -> str:
        """Where the exact search runs."""
        if self._checked is None:
            self._checked = choose_device(self.asked_device)
        return self._checked

    @property
    def graph(self) -> NeighbourGraph | None:
        """The graph, loaded if it was saved; None if there is none."""
        if self._graph is None and self.saved is not None:
            self._graph = self.saved.load_graph()
        return self._graph

    @property
    def has_graph(self) -> bool:
        """Whether a graph is ready, or saved."""
        return self._graph is not None or (self.saved is not None and self.saved.has_graph)

    def choose(self, queries: int, n: int, method: str | None) -> str:
        """Say which method answers so many queries for n neighbours each, if the user does not."""
        method = check_choice("method", self.method if method is None else method, METHODS)
        if method != "auto":
            return method
        from galzoo_repr.index._exact import compares_in_bfloat16

        return choose_method(
            len(self.galaxies),
            self.galaxies.dim,
            queries,
            n,
            device=self.device,
            graph=self.has_graph,
            narrow=compares_in_bfloat16(self.metric, queries, n),
        )

    def nearest(self, vectors: np.ndarray, n: int, method: str) -> tuple[np.ndarray, np.ndarray]:
        """
        Find the nearest galaxies.

        Parameters
        ----------
        vectors : numpy.ndarray of float32, shape (m, k)
            In the space of the galaxies.
        n : int
            Neighbours of each, at most as many as there are galaxies.
        method : {"exact", "pynndescent"}
            How to search.

        Returns
        -------
        places : numpy.ndarray of int64, shape (m, n)
            Places of the galaxies, best first.
        similarity : numpy.ndarray of float64, shape (m, n)
            Higher is more alike.
        """
        self._check()
        if method == "exact":
            return self._exactly(self.galaxies, vectors, n)
        parts = [self._by_graph(vectors[i : i + _BATCH], n) for i in range(0, len(vectors), _BATCH)]
        return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])

    def _check(self) -> None:
        """Look at vectors that were read from a folder when they are first searched, once."""
        for piece in self.galaxies.pieces:
            if self.saved is not None and not any(piece is one for one in self._sound):
                piece.check(self.metric)
                self._sound.append(piece)

    def nearest_others(self, n: int, method: str, *, progress: bool) -> tuple[np.ndarray, np.ndarray]:
        """Find the n nearest other galaxies of every galaxy: places and similarity, as for `nearest`."""
        size = len(self.galaxies)
        places, similarity = np.empty((size, n), dtype=np.int64), np.empty((size, n))
        starts = range(0, size, _BATCH)
        with progress_bar(size, "neighbours", "galaxy", shown=progress and len(starts) > 1) as bar:
            for start in starts:
                own = np.arange(start, min(start + _BATCH, size))
                vectors = self.galaxies.take("vectors", own).astype(np.float32)
                found, alike = self.nearest(vectors, n + 1, method)
                # A galaxy comes first among its own neighbours, unless another one has the very same embedding.
                order = np.argsort(found == own[:, None], axis=1, kind="stable")[:, :n]
                places[own] = np.take_along_axis(found, order, axis=1)
                similarity[own] = np.take_along_axis(alike, order, axis=1)
                bar.update(len(own))
        return places, similarity

    def ready_graph(self) -> NeighbourGraph:
        """Give a graph that covers most galaxies, built now if need be."""
        graph = self.graph
        if graph is None or len(graph) < _COVERED * len(self.galaxies):
            graph = self._graph = NeighbourGraph.build(self.galaxies, self.seed)
            self._sample = None
            if self.saved is not None:
                self.saved.keep_graph(graph)
        return graph

    def _exactly(
        self, galaxies: Segments, vectors: np.ndarray, n: int, start: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        from galzoo_repr.index._exact import exact_search

        return exact_search(galaxies, vectors, n, metric=self.metric, device=self.device, start=start)

    def _by_graph(self, vectors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        from galzoo_repr.index._exact import rescore

        graph = self.ready_graph()
        if len(graph) < n:
            return self._exactly(self.galaxies, vectors, n)
        places, similarity = rescore(
            self.galaxies, vectors, graph.candidates(vectors, n), n, metric=self.metric
        )
        _, reached = self._exactly(self._guard(graph), vectors, 1)
        lost = np.flatnonzero((reached[:, 0] > similarity[:, 0]) | np.isinf(similarity[:, -1]))
        late = len(self.galaxies) - len(graph)
        if late:
            newer, _ = self._exactly(self.galaxies, vectors, min(n, late), start=len(graph))
            candidates = np.concatenate([places, newer], axis=1)
            places, similarity = rescore(self.galaxies, vectors, candidates, n, metric=self.metric)
        if len(lost):
            places[lost], similarity[lost] = self._exactly(self.galaxies, vectors[lost], n)
        return places, similarity

    def _guard(self, graph: NeighbourGraph) -> Segments:
        """Give the galaxies that every query of the graph is also compared with."""
        if self._sample is None:
            places = graph.guard()
            vectors = self.galaxies.take("vectors", places).astype(np.float32)
            self._sample = Segments([Segment(vectors, places, places, np.full((len(places), 2), np.nan))])
        return self._sample


def choose_method(
    rows: int, dim: int, queries: int, n: int, *, device: str, graph: bool, narrow: bool = False
) -> str:
    """
    Choose between the exact search and the graph.

    `device` is where the exact search would run, `graph` whether a graph is there already, and `narrow` whether the
    exact search would compare in bfloat16.

    Examples
    --------
    >>> from galzoo_repr.index._engine import choose_method
    >>> choose_method(1_000_000, 64, 1, 10, device="cpu", graph=False)
    'exact'
    >>> choose_method(1_000_000, 64, 1_000_000, 10, device="cpu", graph=False)
    'pynndescent'
    """
    if rows < _SMALLEST or n > _MOST or str(device) != "cpu":
        return "exact"
    exact = queries * rows * dim / (_NARROW_PRODUCTS if narrow else _PRODUCTS)
    start = 0.0 if "pynndescent" in sys.modules else _OPEN if graph else _COMPILE
    approximate = start + queries * _QUERY + (0.0 if graph else rows * dim * _BUILD)
    return "pynndescent" if approximate < exact else "exact"
