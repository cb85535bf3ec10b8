"""Comparison of every galaxy with every query on the processor: products block by block, the best kept."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from galzoo_repr._threads import one_thread
from galzoo_repr.index._candidates import Candidates
from galzoo_repr.index._products import WIDTH, Products
from galzoo_repr.index._segments import Segments

__all__ = ["scan"]

_QUERIES = 512  # queries per matrix product
_SHARE = 2048  # queries with which a thread goes through all galaxies
_SORTED = 2**14  # neighbours of the queries of a product, for which candidates are sorted together
_KEPT = 2**21  # neighbours of the queries of a share
_SCORES = 2**21  # similarities held at once, 8 MB
_ELEMENTS = 2**21  # elements of vectors multiplied at once, 8 MB
_SMALLEST = 2**22  # multiplications below which a second thread costs more than it brings


def scan(
    vectors: Segments,
    queries: np.ndarray,
    n: int,
    *,
    metric: str,
    start: int,
    threads: int,
    narrow: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the galaxies that may be among the nearest of each query.

    Every thread takes the next share of the work when it has done its last one, and multiplies alone: threads
    that wait for one another at each product are slower than one as soon as another program keeps one waiting.
    A share is some of the queries, or a block of galaxies where queries are few.

    `queries` are float32 of shape (m, k), in the space of the galaxies; only galaxies from place `start` on are
    searched, by so many threads at most, in bfloat16 (`narrow`, for cosines only) or in single precision.

    Returns
    -------
    places : numpy.ndarray of int64, shape (m, c)
        Candidates, best first; -1 behind the last.
    complete : numpy.ndarray of bool, shape (m,)
        Whether all that rounding may hide are among them.
    """
    work = (len(vectors) - start) * vectors.dim * len(queries)
    threads = max(1, min(threads, work // _SMALLEST))
    each = min(len(queries), _QUERIES, max(WIDTH, _SORTED // n))
    rows = max(WIDTH, min(_SCORES // each, _ELEMENTS // vectors.dim))
    by_query = len(queries) >= threads * each
    blocks = queue.SimpleQueue()
    for block in () if by_query else _blocks(vectors, rows, start):
        blocks.put(block)

    def search(share: np.ndarray) -> _Scanner:
        scanner = _Scanner(share, n, rows=rows, each=each, metric=metric, narrow=narrow)
        with one_thread():
            scanner.run(_blocks(vectors, rows, start) if by_query else _until_empty(blocks))
        return scanner

    size = min(_SHARE, -(-len(queries) // threads), max(each, _KEPT // n))
    shares = np.split(queries, range(size, len(queries), size))
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        each_share = map if threads == 1 else pool.map
        if by_query:
            found = each_share(lambda share: search(share).best(), shares)
            return _stacked([part for parts in found for part in parts])
        scanner, *others = each_share(search, [queries] * threads)
    for other in others:
        scanner.join(other)
    return _stacked(scanner.best())


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


def _stacked(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of all queries, as wide as the widest."""
    width = max(places.shape[1] for places, _ in parts)
    places = [np.pad(each, ((0, 0), (0, width - each.shape[1])), constant_values=-1) for each, _ in parts]
    return np.concatenate(places), np.concatenate([complete for _, complete in parts])


class _Scanner:
    """One thread's share, in parts of so many queries as are multiplied at once."""

    def __init__(self, queries: np.ndarray, n: int, *, each: int, **options: bool | int | str) -> None:
        self._products = Products(queries, each=each, **options)
        self._parts = []
        for begin in range(0, len(queries), each):
            part = slice(begin, min(begin + each, len(queries)))
            candidates = Candidates(part.stop - begin, n, partial(self._products.error, part))
            self._parts.append((part, candidates))

    def run(self, blocks: Iterable[tuple[int, np.ndarray]]) -> None:
        """Compare blocks, each with the place of its first galaxy."""
        for first, block in blocks:
            self._products.load(block)
            for part, candidates in self._parts:
                candidates.note(first, self._products.scores(part, candidates.threshold))

    def join(self, other: _Scanner) -> None:
        """Add what another thread has found for the same queries in other blocks."""
        self._products.lost = max(self._products.lost, other._products.lost)
        for (_, mine), (_, theirs) in zip(self._parts, other._parts, strict=True):
            mine.join(theirs)

    def best(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Candidates of each part, and whether they are complete."""
        return [candidates.best() for _, candidates in self._parts]
