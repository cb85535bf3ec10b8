"""Exact nearest neighbours: candidates found with few bits, judged in double precision.

On a GPU the candidates are found by torch alone (`_gpu`). On a processor `_scan` finds them, which multiplies in
bfloat16 where the processor does so itself (`_products`) and keeps of each block of products only what may be among
the nearest (`_candidates`). The scan of the GPU would give the same answers there, but take longer: its time in times
that of `_scan`, on two cores with bfloat16, in batches of queries, 10 neighbours each, was

==============================  =========  ==========  =========
vectors                         10^5 x 64  10^5 x 640  10^6 x 64
==============================  =========  ==========  =========
as it is (2^25 scores a block)  2.8        3.6         6.0
blocks of 2^23 scores           3.7        3.8         6.8
blocks of 2^21 scores           4.6        4.0         7.6
products in bfloat16, 2^23      5.4        1.5         4.4
==============================  =========  ==========  =========

For a query alone it takes 1.1 to 2.2 times as long, in bfloat16 6 times.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch

from galzoo_repr.index._gpu import scan_gpu
from galzoo_repr.index._products import has_bfloat16
from galzoo_repr.index._scan import scan
from galzoo_repr.index._segments import Segments

__all__ = ["compares_in_bfloat16", "exact_search", "rescore"]

_BATCH = 16384  # queries answered at a time: the lists of the best of so many stay small
_GATHERED = 2**20  # elements of candidates in double precision at a time, 8 MB
_NARROW = 64  # queries from which it is worth turning galaxies into bfloat16
_TOO_MANY = 64  # neighbours beyond which too many galaxies are the same to bfloat16
_SPARE = 4, 256  # candidates beyond those asked for on a GPU; the more where rounding may hide a neighbour


def exact_search(
    vectors: Segments, queries: np.ndarray, n: int, *, metric: str, device: str = "cpu", start: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Nearest neighbours of each query.

    Candidates are found by products with as many bits as the processor is quick with. They are all those that
    rounding may have put behind the last neighbour; where there are too many, they are found again with more bits.

    Parameters
    ----------
    vectors : Segments
        Galaxies.
    queries : numpy.ndarray of float32, shape (m, k)
        In the same space. For the cosine metric, galaxies and queries are of unit length, or zero.
    n : int
        Neighbours wanted, at most as many as there are galaxies from `start` on.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    device : str
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
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    places = np.empty((len(queries), n), dtype=np.int64)
    similarity = np.empty((len(queries), n))
    for begin in range(0, len(queries), _BATCH):
        todo = np.arange(begin, min(begin + _BATCH, len(queries)))
        for search in _searches(metric, torch.device(device), len(todo), n):
            candidates, complete = search(vectors, queries[todo], n, metric=metric, start=start)
            places[todo], similarity[todo] = rescore(vectors, queries[todo], candidates, n, metric=metric)
            todo = todo[~complete]
            if not len(todo):
                break
    return places, similarity


def _searches(metric: str, device: torch.device, queries: int, n: int) -> list[Callable]:
    """Searches for candidates, the next one for queries of which the one before it could not give all."""
    if device.type != "cpu":
        return [partial(scan_gpu, device=device, spare=spare) for spare in _SPARE]
    single = partial(scan, threads=torch.get_num_threads())
    return [partial(single, narrow=True), single] if compares_in_bfloat16(metric, queries, n) else [single]


def compares_in_bfloat16(metric: str, queries: int, n: int) -> bool:
    """Say whether the processor is quicker with bfloat16 than with single precision."""
    return metric == "cosine" and queries >= _NARROW and n <= _TOO_MANY and has_bfloat16()


def rescore(
    vectors: Segments, queries: np.ndarray, candidates: np.ndarray, n: int, *, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """
    Order candidates by their similarity in double precision and keep the n best.

    `candidates` has shape (m, c): places for each query, without repetition, -1 for none. What is given is as of
    `exact_search`, with minus infinity where there was no candidate.
    """
    places = np.empty((len(queries), n), dtype=np.int64)
    similarity = np.empty((len(queries), n))

    def order_some(begin: int) -> None:
        part = by_count[begin : begin + step]
        width = max(n, ends[part[-1]])
        some = candidates[part, :width]
        gathered = vectors.take("vectors", some.ravel()).astype(np.float64)
        gathered = gathered.reshape(*some.shape, vectors.dim)
        asked = queries[part].astype(np.float64)
        if metric == "cosine":
            scores = np.clip(np.vecdot(gathered, asked[:, None, :]), -1, 1)
        else:
            scores = -np.linalg.norm(gathered - asked[:, None, :], axis=2)
        scores[some < 0] = -np.inf
        order = np.lexsort((some, -scores))[:, :n]
        places[part] = np.take_along_axis(some, order, axis=1)
        similarity[part] = np.take_along_axis(scores, order, axis=1)

    # Queries with about as many candidates are judged together, so that few places without one are gathered.
    ends = (np.arange(1, candidates.shape[1] + 1) * (candidates >= 0)).max(axis=1, initial=0)
    by_count = np.argsort(ends, kind="stable")
    step = max(1, _GATHERED // max(1, candidates.shape[1] * vectors.dim))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        begins = range(0, len(queries), step)
        list((pool.map if len(begins) > 1 else map)(order_some, begins))
    return places, similarity
