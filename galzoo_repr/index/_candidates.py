"""Galaxies that may be among the nearest of a query, kept while blocks of scores go by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from galzoo_repr.index._products import WIDTH, decode, encode, in_order

__all__ = ["Candidates"]

_NOTED = 128  # so many may be noted in any case before the best are chosen
_MOST = 256  # candidates of a query beyond those wanted


class Candidates:
    """
    The n best of each query, and what rounding may have put behind them.

    Parameters
    ----------
    queries : int
        How many.
    n : int
        Neighbours wanted of each.
    error : callable
        Bounds the error of scores for each query, given the least score that matters.
    """

    def __init__(self, queries: int, n: int, error: Callable[[np.ndarray], np.ndarray]) -> None:
        self._n, self._error = n, error
        self._floor = np.full(queries, -np.inf, np.float32)  # n galaxies score as much, or more
        self._dropped = np.full(queries, -np.inf, np.float32)  # the best that was dropped for want of room
        self._noted: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # query, score and place
        self._many = self._kept = 0

    @property
    def threshold(self) -> np.ndarray:
        """Less than the score of any galaxy that may be among the n best, shape (m,)."""
        lowest = self._floor - 2 * self._error(self._floor)
        return np.nextafter(lowest.astype(np.float32), np.float32(-np.inf))

    def note(self, first: int, scores: np.ndarray) -> None:
        """Note galaxies that may be among the n best: scores from `Products`, and the place of the first galaxy."""
        narrow = scores.dtype == np.int16
        grouped = scores.reshape(WIDTH, -1, scores.shape[1])
        groups = grouped.shape[1]
        largest = grouped.max(axis=0)
        if groups > self._n and self._floor.min() == -np.inf:
            # So many groups have a member at least as good as this.
            bound = np.partition(largest, groups - self._n, axis=0)[groups - self._n]
            self._floor = np.maximum(self._floor, _cosine(bound) if narrow else bound)
        threshold = self.threshold
        least = encode(threshold) - np.int16(1) if narrow else threshold
        group, query = _true_places(largest > least)
        members = grouped[:, group, query]
        member, hit = _true_places(members > least[query])
        found = members[member, hit]
        places = first + member * groups + group[hit]
        self._noted.append((query[hit].astype(np.int16), _cosine(found) if narrow else found, places))
        self._many += len(hit)
        if self._many > max(_NOTED, self._kept + 4 * self._n * len(threshold)):
            self._choose()

    def join(self, other: Candidates) -> None:
        """Take what another has noted for the same queries."""
        if other._noted:
            query, scores, places = (
                np.concatenate(parts) for parts in zip(*self._noted, *other._noted, strict=True)
            )
            order = np.argsort(places)
            self._noted = [(query[order], scores[order], places[order])]
        self._floor = np.maximum(self._floor, other._floor)
        self._dropped = np.maximum(self._dropped, other._dropped)

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """
        Give the candidates.

        Places are int64 of shape (m, c), best first, at most n and some hundreds, -1 behind the last; beside them is
        whether every galaxy that may be among the n best of a query is a candidate.
        """
        rank = self._choose()
        query, _, places = self._noted[0]
        found = np.full((len(self._floor), rank.max(initial=-1) + 1), -1, dtype=np.int64)
        found[query, rank] = places
        return found, self._dropped <= self.threshold

    def _choose(self) -> np.ndarray:
        """Keep what may be among the n best, best first and of equal scores the first; give the rank of each."""
        query, scores, places = (np.concatenate(parts) for parts in zip(*self._noted, strict=True))
        order = _best_first(scores)
        order = order[np.argsort(query[order], kind="stable")]
        query, scores, places = query[order], scores[order], places[order]
        begin = np.searchsorted(query, np.arange(len(self._floor) + 1))
        full = np.flatnonzero(np.diff(begin) >= self._n)
        self._floor[full] = np.maximum(self._floor[full], scores[begin[full] + self._n - 1])
        rank = np.arange(len(query)) - begin[query]
        wanted = scores > self.threshold[query]
        room = rank < self._n + _MOST
        np.maximum.at(self._dropped, query[wanted & ~room], scores[wanted & ~room])
        kept = wanted & room
        self._noted = [(query[kept], scores[kept], places[kept])]
        self._many = self._kept = len(self._noted[0][0])
        return rank[kept]


def _cosine(keys: np.ndarray) -> np.ndarray:
    """What `encode` has turned into integers, without what rounding has added beyond 1."""
    return np.minimum(decode(keys), np.float32(1))


def _best_first(scores: np.ndarray) -> np.ndarray:
    """Order scores from the best, equal ones as they stand, by two counting sorts of 16 bits: five times as fast."""
    bits = ~in_order(scores.view(np.int32))
    order = np.argsort(bits.astype(np.uint16), kind="stable")
    return order[np.argsort((bits >> 16).astype(np.int16)[order], kind="stable")]


def _true_places(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `numpy.nonzero` of two dimensions, but ten times as fast."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
