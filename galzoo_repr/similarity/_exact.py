"""Exact nearest neighbours: matrix products in single precision, the best of them judged in double."""

from collections.abc import Iterator

import numpy as np
import torch

from galzoo_repr.similarity._segments import Segments

__all__ = ["exact_search", "rescore"]

_QUERIES = 256  # queries per matrix product
_SCORES = 2**21  # similarities held at once, 8 MB
_SCORES_ON_GPU = 2**25  # a GPU is kept busy by larger pieces
_CONVERTED = 2**19  # elements of half precision converted at once: 2 MB, within a processor's cache
_FEW = 3  # queries at most for which products of matrix and vector, query by query, are quicker
_SPARE = 8  # candidates beyond those asked for, so that rounding in single precision loses none
_WIDTH = 64  # similarities of which only the largest is compared at first


def exact_search(
    vectors: Segments,
    queries: np.ndarray,
    n: int,
    *,
    metric: str,
    device: str | torch.device = "cpu",
    start: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Nearest neighbours of each query.

    Parameters
    ----------
    vectors : Segments
        Galaxies; of unit length for the cosine metric.
    queries : numpy.ndarray of float32, shape (m, k)
        In the same space.
    n : int
        Neighbours wanted, at most as many as there are galaxies from `start` on.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    device : str or torch.device
        Where to compute.
    start : int
        Only galaxies from this place on are searched.

    Returns
    -------
    places : numpy.ndarray of int64, shape (m, n)
        Best first; ties in order of place.
    similarity : numpy.ndarray of float64, shape (m, n)
        Cosine, or minus the Euclidean distance.
    """
    wanted = min(n + _SPARE, len(vectors) - start)
    asked = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32)).to(device)
    best = torch.full((len(asked), wanted), -torch.inf, device=device)
    where = torch.zeros((len(asked), wanted), dtype=torch.int64, device=device)
    held = _SCORES if asked.device.type == "cpu" else _SCORES_ON_GPU
    rows = max(4096, held // max(1, min(len(asked), _QUERIES)))
    # Taken once: fresh memory for every product would be faulted in page by page.
    memory = torch.empty(min(len(asked), _QUERIES) * min(rows, len(vectors) - start), device=device)
    for first, block in _blocks(vectors, rows, start, device):
        for begin in range(0, len(asked), _QUERIES):
            part = slice(begin, begin + _QUERIES)
            scores, at = _largest(_products(asked[part], block, metric, memory), wanted)
            scores, kept = torch.cat([best[part], scores], dim=1).topk(wanted, dim=1)
            best[part], where[part] = scores, torch.cat([where[part], at + first], dim=1).gather(1, kept)
    return rescore(vectors, queries, where.cpu().numpy(), n, metric=metric)


def _blocks(
    vectors: Segments, rows: int, start: int, device: str | torch.device
) -> Iterator[tuple[int, torch.Tensor]]:
    """Vectors from place `start` on, so many rows at a time, each block with the place of its first."""
    offset = 0
    for tensor in vectors.tensors(device):
        for first in range(max(0, start - offset), len(tensor), rows):
            yield offset + first, tensor[first : first + rows].to(device)
        offset += len(tensor)


def _products(queries: torch.Tensor, block: torch.Tensor, metric: str, held: torch.Tensor) -> torch.Tensor:
    """Similarities up to a constant per query, shape (m, rows of the block), in the memory of `held`."""
    few = len(queries) <= _FEW and block.device.type == "cpu"
    scores = held[: len(queries) * len(block)].view(len(queries), len(block))
    whole = block.dtype == torch.float32 or not few
    step = len(block) if whole else max(1, _CONVERTED // block.shape[1])
    for first in range(0, len(block), step):
        part = block[first : first + step].float()
        if block.device.type != "cpu":
            torch.matmul(queries, part.T, out=scores)
        elif few:
            for row, query in enumerate(queries):
                scores[row, first : first + step] = torch.from_numpy(part.numpy() @ query.numpy())
        else:
            # numpy's library multiplies up to 1.3 times as fast as torch's, with a vector 1.5 times.
            np.matmul(queries.numpy(), part.numpy().T, out=scores.numpy())
        if metric == "euclidean":
            # |q - x|^2 = |q|^2 - 2 (q.x - |x|^2 / 2), and |q|^2 is the same for all.
            scores[:, first : first + step] -= part.square().sum(dim=1) / 2
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


def rescore(
    vectors: Segments, queries: np.ndarray, candidates: np.ndarray, n: int, *, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """
    Order candidates by their similarity in double precision.

    Parameters
    ----------
    vectors : Segments
        Galaxies.
    queries : numpy.ndarray of float32, shape (m, k)
        In the same space.
    candidates : numpy.ndarray of int64, shape (m, c)
        Places of the candidates of each query, without repetition; -1 for none.
    n : int
        How many of them to keep.
    metric : {"cosine", "euclidean"}
        How vectors are compared.

    Returns
    -------
    places : numpy.ndarray of int64, shape (m, n)
        Best first; ties in order of place.
    similarity : numpy.ndarray of float64, shape (m, n)
        Minus infinity where there was no candidate.
    """
    places = np.empty((len(queries), n), dtype=np.int64)
    similarity = np.empty((len(queries), n))
    step = max(1, 2**22 // max(1, candidates.shape[1] * vectors.dim))
    for begin in range(0, len(queries), step):
        some = candidates[begin : begin + step]
        gathered = vectors.take("vectors", some.ravel()).astype(np.float64)
        gathered = gathered.reshape(*some.shape, vectors.dim)
        asked = queries[begin : begin + step].astype(np.float64)
        if metric == "cosine":
            scores = np.clip(np.matmul(gathered, asked[:, :, None])[:, :, 0], -1, 1)
        else:
            scores = -np.linalg.norm(gathered - asked[:, None, :], axis=2)
        scores[some < 0] = -np.inf
        order = np.lexsort((some, -scores))[:, :n]
        places[begin : begin + step] = np.take_along_axis(some, order, axis=1)
        similarity[begin : begin + step] = np.take_along_axis(scores, order, axis=1)
    return places, similarity
