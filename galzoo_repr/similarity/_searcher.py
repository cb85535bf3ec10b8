"""Nearest galaxies of vectors, by whichever method is cheaper."""

from collections.abc import Callable
from copy import copy

import numpy as np

from galzoo_repr._arguments import check_choice
from galzoo_repr.similarity._choice import METHODS, choose_method
from galzoo_repr.similarity._graph import NeighbourGraph
from galzoo_repr.similarity._segments import Segment, Segments

__all__ = ["Searcher"]

_BATCH = 16384  # queries asked of the graph at a time
_COVERED = 0.75  # share of the galaxies that a graph must cover to be worth using


class Searcher:
    """
    Search of the galaxies of an index.

    Parameters
    ----------
    galaxies : Segments
        What is searched.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    method : {"auto", "exact", "pynndescent"}
        What to use when nothing else is said.
    seed : int
        Of the graph.
    device : str or None
        Where the exact search runs; None for a GPU if there is one.
    load : callable
        Gives a saved graph, or None. Called when the graph is first needed.
    keep : callable
        Told of every graph that is built.
    """

    def __init__(
        self,
        galaxies: Segments,
        metric: str,
        *,
        method: str,
        seed: int,
        device: str | None,
        load: Callable[[], NeighbourGraph | None],
        keep: Callable[[NeighbourGraph], None],
    ) -> None:
        self.galaxies, self.metric, self.method, self.seed = galaxies, metric, method, seed
        self._device, self._load, self._keep = device, load, keep
        self._graph: NeighbourGraph | None = None
        self._sample: Segments | None = None
        self._checked: str | None = None

    @property
    def device(self) -> str:
        """Where the exact search runs."""
        if self._checked is None:
            import torch

            try:
                chosen = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
                torch.empty(0, device=chosen)
            except (RuntimeError, AssertionError, TypeError) as error:
                raise ValueError(
                    f"device {self._device!r} cannot be used: {error}; leave it out to have one chosen"
                ) from error
            self._checked = str(chosen)
        return self._checked

    def widened(self, galaxies: Segments) -> "Searcher":
        """
        Search more galaxies.

        Parameters
        ----------
        galaxies : Segments
            Those searched so far, and others after them.

        Returns
        -------
        Searcher
            With the same graph.
        """
        wider = copy(self)
        wider.galaxies = galaxies
        return wider

    @property
    def graph(self) -> NeighbourGraph | None:
        """The graph, loaded if it was saved; None if there is none."""
        if self._graph is None:
            self._graph = self._load()
        return self._graph

    def choose(self, queries: int, n: int, method: str | None, *, has_graph: bool) -> str:
        """
        Say which method answers so many queries.

        Parameters
        ----------
        queries, n : int
            Queries, and neighbours wanted of each.
        method : {"auto", "exact", "pynndescent"} or None
            What the user wants; None for what was said at the beginning.
        has_graph : bool
            Whether a graph is ready or saved.

        Returns
        -------
        {"exact", "pynndescent"}
        """
        method = check_choice("method", self.method if method is None else method, METHODS)
        if method != "auto":
            return method
        from galzoo_repr.similarity._exact import compares_in_bfloat16

        return choose_method(
            len(self.galaxies),
            self.galaxies.dim,
            queries,
            n,
            device=self.device,
            graph=has_graph,
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
        if method == "exact":
            return self._exactly(self.galaxies, vectors, n)
        parts = [self._by_graph(vectors[i : i + _BATCH], n) for i in range(0, len(vectors), _BATCH)]
        return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])

    def ready_graph(self) -> NeighbourGraph:
        """
        Give a graph that covers most galaxies, built now if need be.

        Returns
        -------
        NeighbourGraph
        """
        graph = self.graph
        if graph is None or len(graph) < _COVERED * len(self.galaxies):
            graph = self._graph = NeighbourGraph.build(self.galaxies, self.seed)
            self._sample = None
            self._keep(graph)
        return graph

    def _exactly(
        self, galaxies: Segments, vectors: np.ndarray, n: int, start: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        from galzoo_repr.similarity._exact import exact_search

        return exact_search(galaxies, vectors, n, metric=self.metric, device=self.device, start=start)

    def _by_graph(self, vectors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        from galzoo_repr.similarity._exact import rescore

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
