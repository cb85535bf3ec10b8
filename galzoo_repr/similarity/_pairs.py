"""Pairs of galaxies that are near or alike, found without a matrix of all pairs, and the groups they make."""

from collections.abc import Callable, Iterator

import numpy as np
from astropy import units as u

from galzoo_repr.catalogue import Embeddings
from galzoo_repr.similarity._sky import chord

__all__ = ["Links", "alike_pairs", "near_pairs", "pairs_alike"]

# Pairs that are held at once.
_MOST_PAIRS = 20_000_000
_ROWS, _COLUMNS = 1024, 8192
# Principal axes by which most pairs are ruled out.
_AXES = 64
_SAMPLE = 4096
# What single precision may be wrong by in a cosine, and double precision.
_SINGLE, _DOUBLE = 1e-5, 1e-12
# Part of a block of pairs beyond which all its cosines are computed at once, rather than one by one.
_MANY = 0.01
_AT_ONCE = 2**22  # numbers of double precision that are gathered at a time


class Links:
    """
    Links between n rows, of which no more are kept than tell the groups.

    Parameters
    ----------
    n : int
        Rows.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._pairs: list[np.ndarray] = []
        self._held = 0

    def add(self, pairs: np.ndarray) -> None:
        """Add pairs of rows, int of shape (m, 2)."""
        self._pairs.append(pairs)
        self._held += len(pairs)
        if self._held > 4 * self.n + _ROWS * _COLUMNS:
            groups = self.groups()
            # A link of each row to the first of its group says the same.
            _, first = np.unique(groups, return_index=True)
            linked = np.flatnonzero(first[groups] != np.arange(self.n))
            self._pairs = [np.stack([linked, first[groups[linked]]], axis=1)]
            self._held = len(linked)

    def groups(self) -> np.ndarray:
        """Group of each row, int64 of shape (n,), numbered from 0."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        pairs = np.concatenate([np.empty((0, 2), dtype=np.int64), *self._pairs])
        if self.n == 0:
            return np.zeros(0, dtype=np.int64)
        graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(self.n,) * 2)
        return connected_components(graph, directed=False)[1].astype(np.int64)


def near_pairs(points: np.ndarray, separation: u.Quantity) -> np.ndarray:
    """
    Pairs of rows within an angle of each other, int64 of shape (m, 2).

    Rows are unit vectors, shape (n, 3), NaN where a position is unknown. A `ValueError` if there are too many to hold.
    """
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isfinite(points[:, 0]))
    if len(known) < 2:
        return np.empty((0, 2), dtype=np.int64)
    tree = cKDTree(points[known])
    # Two rows at exactly this angle are a pair, whichever way their chord is rounded.
    radius = chord(separation) * (1 + 1e-9) + 1e-14
    pairs = (tree.count_neighbors(tree, radius) - len(known)) // 2
    if pairs > _MOST_PAIRS:
        raise ValueError(
            f"separation={str(separation)!r} joins {pairs} pairs of {len(known)} galaxies, which are no duplicates; "
            "give a smaller one"
        )
    return known[tree.query_pairs(radius, output_type="ndarray")]


def pairs_alike(embeddings: Embeddings, pairs: np.ndarray, similarity: float) -> np.ndarray:
    """Which pairs of rows, int of shape (m, 2), have at least this cosine similarity: bool of shape (m,)."""
    result = embeddings.usable[pairs].all(axis=1)
    left = np.flatnonzero(result)
    step = max(1, _AT_ONCE // embeddings.dim)
    for start in range(0, len(left), step):
        some = left[start : start + step]
        one, other = (_unit(np.asarray(embeddings.vectors[rows])) for rows in pairs[some].T)
        result[some] = np.einsum("ij,ij->i", one, other) >= similarity - _DOUBLE
    return result


def alike_pairs(embeddings: Embeddings, similarity: float) -> Iterator[np.ndarray]:
    """Pairs of rows that have at least this cosine similarity, block by block: int64, shape (m, 2)."""
    rows = np.flatnonzero(embeddings.usable)
    if len(rows) < 2:
        return
    bound = _bounding(embeddings, rows)
    for start in range(0, len(rows), _ROWS):
        for begin in range(start - start % _COLUMNS, len(rows), _COLUMNS):
            here, there = slice(start, start + _ROWS), slice(begin, begin + _COLUMNS)
            # Of each pair once, and none of a row with itself.
            possible = bound[here] @ bound[there].T >= similarity - _SINGLE
            if begin < start + _ROWS:
                possible &= np.arange(len(rows))[there] > np.arange(len(rows))[here, None]
            if (count := np.count_nonzero(possible)) == 0:
                continue
            if count > _MANY * possible.size:
                one, other = (_unit(np.asarray(embeddings.vectors[rows[part]])) for part in (here, there))
                possible &= one @ other.T >= similarity - _DOUBLE
            first, second = np.nonzero(possible)
            pairs = np.stack([rows[start + first], rows[begin + second]], axis=1)
            if count <= _MANY * possible.size:
                pairs = pairs[pairs_alike(embeddings, pairs, similarity)]
            if len(pairs):
                yield pairs


def _bounding(embeddings: Embeddings, rows: np.ndarray) -> np.ndarray:
    """
    Short vectors, float32 of shape (m, k), whose product is the cosine of two rows, or more.

    A unit vector is its part along some axes and a rest; the product of two rests is at most that of their lengths.
    """
    dim = embeddings.dim
    if dim <= _AXES + 1:
        return _in_parts(embeddings, rows, lambda part: part, dim)
    some = rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]
    sample = _unit(np.asarray(embeddings.vectors[some]))
    axes = np.linalg.eigh(sample.T @ sample)[1][:, -_AXES:]

    def shortened(part: np.ndarray) -> np.ndarray:
        along = part @ axes
        rest = np.sqrt(np.clip(1 - (along**2).sum(axis=1, keepdims=True), 0, None))
        return np.concatenate([along, rest], axis=1)

    return _in_parts(embeddings, rows, shortened, _AXES + 1)


def _in_parts(
    embeddings: Embeddings, rows: np.ndarray, form: Callable[[np.ndarray], np.ndarray], dim: int
) -> np.ndarray:
    result = np.empty((len(rows), dim), dtype=np.float32)
    step = max(1, _AT_ONCE // embeddings.dim)
    for start in range(0, len(rows), step):
        part = np.asarray(embeddings.vectors[rows[start : start + step]])
        result[start : start + step] = form(_unit(part))
    return result


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    # The largest number first: squares of large ones have no room.
    vectors /= np.abs(vectors).max(axis=1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
