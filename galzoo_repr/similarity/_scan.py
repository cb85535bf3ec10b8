"""Comparison of every galaxy with every query on the processor: products block by block, the best kept."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from galzoo_repr.similarity._segments import Segments

__all__ = ["scan"]

_QUERIES = 256  # queries per matrix product
_SCORES = 2**20  # similarities held at once, 4 MB
_ELEMENTS = 2**21  # elements of vectors multiplied at once, 8 MB
_SMALLEST = 2**22  # multiplications below which a second thread costs more than it brings
_STALE = 0.25  # share of the lists that may be noted before it is merged with them
_NOTED = 128  # so many may be noted in any case
_WIDTH = 16  # similarities of which only the largest is compared at first


def scan(
    vectors: Segments, queries: np.ndarray, wanted: int, *, metric: str, start: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the best galaxies for each query in single precision.

    Every thread takes the next share of the work when it has done its last one, and multiplies alone: threads
    that wait for one another at each product are slower than one as soon as another program keeps one waiting.
    A share is some of the queries; where they are few, or galaxies in half precision would be converted again for
    each share, it is a block of galaxies.

    Parameters
    ----------
    vectors : Segments
        Galaxies.
    queries : numpy.ndarray of float32, shape (m, k)
        In the same space.
    wanted : int
        Galaxies for each, at most as many as there are from `start` on.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    start : int
        Only galaxies from this place on are searched.
    threads : int
        How many threads to use at most.

    Returns
    -------
    scores : numpy.ndarray of float32, shape (m, wanted)
        The product of query and galaxy, for the Euclidean metric less half the square of the galaxy's length;
        best first.
    places : numpy.ndarray of int64, shape (m, wanted)
        Of the galaxies.
    """
    work = (len(vectors) - start) * vectors.dim * len(queries)
    threads = max(1, min(threads, work // _SMALLEST))
    each = min(len(queries), _QUERIES)
    rows = max(_WIDTH, min(_SCORES // each, _ELEMENTS // vectors.dim))
    by_query = len(queries) >= threads * _QUERIES and all(
        piece.vectors.dtype == np.float32 for piece in vectors.pieces
    )
    blocks = queue.SimpleQueue()
    for block in () if by_query else _blocks(vectors, rows, start):
        blocks.put(block)

    # Taken once for each thread: fresh memory for every product would be faulted in page by page.
    padded = -(-rows // _WIDTH) * _WIDTH
    workspaces = queue.SimpleQueue()
    for _ in range(threads):
        workspaces.put((np.empty(padded * each, np.float32), np.empty((rows, vectors.dim), np.float32)))

    def search(share: np.ndarray) -> _Scanner:
        workspace = workspaces.get()
        try:
            scanner = _Scanner(share, wanted, metric, workspace)
            scanner.run(_blocks(vectors, rows, start) if by_query else _until_empty(blocks))
        finally:  # without it, a failure would leave other shares waiting for ever
            workspaces.put(workspace)
        return scanner

    shares = np.split(queries, range(_QUERIES, len(queries), _QUERIES)) if by_query else [queries] * threads
    with _pools().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        scanners = list((map if threads == 1 else pool.map)(search, shares))
    scores = np.concatenate([scanner.scores for scanner in scanners], axis=0 if by_query else 1)
    places = np.concatenate([scanner.places for scanner in scanners], axis=0 if by_query else 1)
    if by_query:
        return scores, places
    order = np.lexsort((places, -scores))[:, :wanted]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(places, order, axis=1)


@cache
def _pools() -> ThreadpoolController:
    """The thread pools of the libraries that numpy has loaded."""
    return ThreadpoolController()


def _blocks(vectors: Segments, rows: int, start: int) -> Iterator[tuple[int, np.ndarray]]:
    """Vectors from place `start` on, so many rows at a time, each block with the place of its first."""
    offset = 0
    for piece in vectors.pieces:
        whole = np.asarray(piece.vectors)
        for first in range(max(0, start - offset), len(whole), rows):
            yield offset + first, whole[first : first + rows]
        offset += len(whole)


def _until_empty(blocks: queue.SimpleQueue) -> Iterator[tuple[int, np.ndarray]]:
    """What no other thread has taken."""
    while True:
        try:
            yield blocks.get_nowait()
        except queue.Empty:
            return


class _Scanner:
    """
    One thread's share: the best of the galaxies that it has seen, for every query.

    Attributes
    ----------
    scores : numpy.ndarray of float32, shape (m, wanted)
        Best first, minus infinity where fewer galaxies were seen.
    places : numpy.ndarray of int64, shape (m, wanted)
        Of the galaxies; of equal scores the first place comes first.
    """

    def __init__(
        self, queries: np.ndarray, wanted: int, metric: str, workspace: tuple[np.ndarray, np.ndarray]
    ) -> None:
        self._queries, self._metric = queries, metric
        self._products, self._single = workspace
        self.scores = np.full((len(queries), wanted), -np.inf, dtype=np.float32)
        self.places = np.zeros((len(queries), wanted), dtype=np.int64)
        self._noted = [[] for _ in range(0, len(queries), _QUERIES)]
        self._many = [0] * len(self._noted)

    def run(self, blocks: Iterable[tuple[int, np.ndarray]]) -> None:
        """Compare blocks, each with the place of its first galaxy."""
        for first, block in blocks:
            if block.dtype != np.float32:
                block = _to_single(block, self._single[: len(block)])
            half_square = np.einsum("ij,ij->i", block, block) / 2 if self._metric == "euclidean" else None
            for begin in range(0, len(self._queries), _QUERIES):
                scores = self._compare(block, self._queries[begin : begin + _QUERIES], half_square)
                self._note(begin, scores, first)
        for begin in range(0, len(self._queries), _QUERIES):
            self._merge(begin)

    def _compare(self, block: np.ndarray, queries: np.ndarray, half_square: np.ndarray | None) -> np.ndarray:
        """Scores of a block, shape (rows, queries), rows without a galaxy being minus infinity."""
        padded = -(-len(block) // _WIDTH) * _WIDTH
        scores = self._products[: padded * len(queries)].reshape(padded, len(queries))
        scores[len(block) :] = -np.inf
        if len(queries) == 1:
            # Row after row, as the memory holds them: quicker than a product of matrix and vector.
            np.vecdot(block, queries[0], out=scores[: len(block), 0])
        else:
            np.matmul(block, queries.T, out=scores[: len(block)])
        if half_square is not None:
            # |q - x|^2 = |q|^2 - 2 (q.x - |x|^2 / 2), and |q|^2 is the same for all.
            scores[: len(block)] -= half_square[:, None]
        return scores

    def _note(self, begin: int, scores: np.ndarray, first: int) -> None:
        """Note the galaxies of a block that are better than the worst kept, for queries from `begin` on."""
        wanted = self.scores.shape[1]
        grouped = scores.reshape(_WIDTH, -1, scores.shape[1])
        groups = grouped.shape[1]
        largest = grouped.max(axis=0)
        floor = self.scores[begin : begin + scores.shape[1], -1]
        full = floor.min() > -np.inf
        if groups > wanted and not full:
            # So many groups have a member at least as good as this.
            bound = np.partition(largest, groups - wanted, axis=0)[groups - wanted]
            floor = np.maximum(floor, np.nextafter(bound, np.float32(-np.inf)))
        group, query = _true_places(largest > floor)
        if not len(group):
            return
        members = grouped[:, group, query]
        member, hit = _true_places(members > floor[query])
        places = first + member * groups + group[hit]
        part = begin // _QUERIES
        self._noted[part].append((query[hit], members[member, hit], places))
        self._many[part] += len(hit)
        if self._many[part] > max(_NOTED, scores.shape[1] * wanted * _STALE) or not full:
            self._merge(begin)

    def _merge(self, begin: int) -> None:
        """Merge what was noted into the lists of queries from `begin` on; of equal scores the first place wins."""
        noted = self._noted[begin // _QUERIES]
        if not noted:
            return
        query, scores, places = (np.concatenate(parts) for parts in zip(*noted, strict=True))
        noted.clear()
        self._many[begin // _QUERIES] = 0
        order = np.argsort(query, kind="stable")
        own, first, counts = np.unique(query[order], return_index=True, return_counts=True)
        wanted = self.scores.shape[1]
        column = wanted + np.arange(len(order)) - np.repeat(first, counts)
        line = np.repeat(np.arange(len(own)), counts)
        shape = len(own), wanted + counts.max()
        both, where = np.full(shape, -np.inf, dtype=np.float32), np.zeros(shape, dtype=np.int64)
        both[:, :wanted], where[:, :wanted] = self.scores[begin + own], self.places[begin + own]
        both[line, column], where[line, column] = scores[order], places[order]
        best = np.argsort(-both, axis=1, kind="stable")[:, :wanted]
        self.scores[begin + own] = np.take_along_axis(both, best, axis=1)
        self.places[begin + own] = np.take_along_axis(where, best, axis=1)


def _true_places(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `numpy.nonzero` of two dimensions, but ten times as fast."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])


def _to_single(half: np.ndarray, single: np.ndarray) -> np.ndarray:
    """
    Convert finite half precision exactly, seven times as fast as numpy does.

    The bits of sign, exponent and mantissa are moved to where single precision has them; the exponent is then
    too small by 112.
    """
    bits = single.view(np.int32)
    bits[:] = half.view(np.int16)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, np.int32(-0x70000001), out=bits)
    return np.multiply(single, np.float32(2.0**112), out=single)
