"""Ranks among more scores than fit in memory: a sort in pieces of which each does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galzoo_repr.hats._later import keep

__all__ = ["rank_all", "rank_file", "write_scores"]

# Scores sorted at a time: 8 million are 64 MB, and as much again for their order and places.
_PIECE = 2**23


def write_scores(path: Path, scores: np.ndarray) -> None:
    """
    Keep the scores of one partition for `rank_all`.

    Parameters
    ----------
    path : pathlib.Path
        A file of numpy: the scores from the highest on, negative, and the rows that have them.
    scores : numpy.ndarray of float64, shape (n,)
        Higher is better; NaN where a row has no rank.
    """
    scored = np.flatnonzero(~np.isnan(scores))
    order = scored[np.argsort(-scores[scored], kind="stable")]
    keep(path, np.stack([-scores[order], order.astype(float)]))


def rank_all(paths: Sequence[Path], lengths: Sequence[int], *, piece: int = _PIECE) -> None:
    """
    Rank the rows of all partitions, 1 for the highest score; equal ones in the order of the catalogue.

    The range of scores is cut where few enough of them lie between two cuts to be sorted in memory.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        What `write_scores` wrote for each partition, in the order of the catalogue. Beside each goes a file with
        ``.rank`` in its name: int64 of shape (n,), -1 where there is no score.
    lengths : sequence of int
        Rows of each partition.
    piece : int
        Scores that are sorted at a time.
    """
    kept = [np.load(path, mmap_mode="r") for path in paths]
    falling = [scores for scores, _ in kept]
    ranks = [
        np.lib.format.open_memmap(rank_file(path), mode="w+", dtype=np.int64, shape=(int(length),))
        for path, length in zip(paths, lengths, strict=True)
    ]
    for rank in ranks:
        rank[:] = -1
    cuts = _cuts(falling, piece)
    begun = np.zeros(len(paths), dtype=np.int64)
    before = 0
    for cut in [*cuts, np.inf]:
        ends = [np.searchsorted(scores, cut, side="right") for scores in falling]
        parts = [scores[start:end] for scores, start, end in zip(falling, begun, ends, strict=True)]
        if total := sum(map(len, parts)):
            places = np.empty(total, dtype=np.int64)
            # Stable: equal scores stay in the order of partitions, and within them in that of rows.
            places[np.argsort(np.concatenate(parts), kind="stable")] = np.arange(
                before + 1, before + total + 1
            )
            done = 0
            for number, part in enumerate(parts):
                rows = kept[number][1, begun[number] : begun[number] + len(part)]
                ranks[number][rows.astype(np.int64)] = places[done : done + len(part)]
                done += len(part)
        before += total
        begun = np.array(ends)
    for rank in ranks:
        rank.flush()


def rank_file(path: Path) -> Path:
    """File of the ranks that belong to a file of scores."""
    return path.with_name(f"{path.stem}.rank.npy")


def _cuts(falling: Sequence[np.ndarray], piece: int) -> np.ndarray:
    """
    Scores between which about as many lie as one piece holds.

    Of each partition scores at even steps are looked at, so many that no two cuts enclose more than twice a piece.
    """
    total = sum(map(len, falling))
    if total <= piece:
        return np.zeros(0)
    step = max(1, piece // (2 * len(falling)))
    seen = np.sort(np.concatenate([scores[::step] for scores in falling]))
    each = max(1, piece // step // 2)
    return np.unique(seen[each::each])
