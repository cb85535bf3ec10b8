"""Comparison of every galaxy with every query on a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from galzoo_repr.index._products import rounding
from galzoo_repr.index._segments import Segments

__all__ = ["scan_gpu"]

_QUERIES = 256  # queries per matrix product
_SCORES = 2**25  # similarities held at once, 128 MB
_WIDTH = 64  # similarities of which only the largest is compared at first


def scan_gpu(
    vectors: Segments,
    queries: np.ndarray,
    n: int,
    *,
    metric: str,
    start: int,
    device: torch.device,
    spare: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the galaxies that may be among the nearest of each query, as `_scan.scan` does, and `spare` others."""
    wanted = min(n + spare, len(vectors) - start)
    asked = torch.from_numpy(queries).to(device)
    best = torch.full((len(asked), wanted), -torch.inf, device=device)
    where = torch.zeros((len(asked), wanted), dtype=torch.int64, device=device)
    each = min(len(asked), _QUERIES)
    rows = min(max(4096, _SCORES // each), len(vectors) - start)
    memory = torch.empty(each * rows, device=device)
    for first, block in _blocks(vectors, rows, start, device):
        for begin in range(0, len(asked), _QUERIES):
            part = slice(begin, begin + _QUERIES)
            scores, at = _largest(_compare(asked[part], block, metric, memory), wanted)
            scores, kept = torch.cat([best[part], scores], dim=1).topk(wanted, dim=1)
            best[part], where[part] = scores, torch.cat([where[part], at + first], dim=1).gather(1, kept)
    scores = best.cpu().numpy()
    length = np.linalg.norm(queries.astype(np.float64), axis=1)
    surely = scores[:, n - 1] - 2 * rounding(length, scores[:, n - 1], vectors.dim, metric)
    return where.cpu().numpy(), (scores[:, -1] < surely) | (wanted == len(vectors) - start)


def _blocks(
    vectors: Segments, rows: int, start: int, device: torch.device
) -> Iterator[tuple[int, torch.Tensor]]:
    """Vectors from place `start` on, so many rows at a time, each block with the place of its first."""
    offset = 0
    for tensor in vectors.tensors(device):
        for first in range(max(0, start - offset), len(tensor), rows):
            yield offset + first, tensor[first : first + rows].to(device).float()
        offset += len(tensor)


def _compare(queries: torch.Tensor, block: torch.Tensor, metric: str, memory: torch.Tensor) -> torch.Tensor:
    """Scores of a block, shape (queries, rows), in memory that is there already."""
    scores = memory[: len(queries) * len(block)].view(len(queries), len(block))
    torch.matmul(queries, block.T, out=scores)
    if metric == "euclidean":
        # |q - x|^2 = |q|^2 - 2 (q.x - |x|^2 / 2), and |q|^2 is the same for all.
        scores -= block.square().sum(dim=1) / 2
    return scores


def _largest(scores: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Give the n largest of each row and their places.

    The n largest lie in the n groups whose largest members are largest, so only those groups are sorted.
    """
    groups = scores.shape[1] // _WIDTH
    if groups <= n:
        return scores.topk(min(n, scores.shape[1]), dim=1)
    even = groups * _WIDTH
    grouped = scores[:, :even].reshape(len(scores), groups, _WIDTH)
    chosen = grouped.amax(dim=2).topk(n, dim=1).indices
    values = grouped.gather(1, chosen[:, :, None].expand(-1, -1, _WIDTH)).flatten(1)
    values = torch.cat([values, scores[:, even:]], dim=1)
    inside = torch.arange(_WIDTH, device=scores.device)
    places = (chosen[:, :, None] * _WIDTH + inside).flatten(1)
    rest = torch.arange(even, scores.shape[1], device=scores.device).expand(len(scores), -1)
    values, kept = values.topk(n, dim=1)
    return values, torch.cat([places, rest], dim=1).gather(1, kept)
