"""Exact nearest neighbours: candidates found in single precision, judged in double."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from galzoo_repr.similarity._scan import scan
from galzoo_repr.similarity._scan_gpu import scan_gpu
from galzoo_repr.similarity._segments import Segments

__all__ = ["exact_search", "rescore"]

_BATCH = 16384  # queries answered at a time: the lists of the best of so many stay small
_GATHERED = 2**20  # elements of candidates in double precision at a time, 8 MB
_SPARE = (4, 256)  # candidates beyond those asked for; the more where rounding could hide a neighbour


def exact_search(
    vectors: Segments, queries: np.ndarray, n: int, *, metric: str, device: str = "cpu", start: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Nearest neighbours of each query.

    Candidates are the best in single precision, and some more. Where the error of single precision could have
    hidden a better galaxy behind the last candidate, there are many more.

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
    options = {"metric": metric, "start": start}
    for begin in range(0, len(queries), _BATCH):
        todo = np.arange(begin, min(begin + _BATCH, len(queries)))
        for spare in _SPARE:
            wanted = min(n + spare, len(vectors) - start)
            if torch.device(device).type == "cpu":
                found = scan(vectors, queries[todo], wanted, threads=torch.get_num_threads(), **options)
            else:
                found = scan_gpu(vectors, queries[todo], wanted, device=device, **options)
            scores, candidates = found
            places[todo], similarity[todo] = rescore(vectors, queries[todo], candidates, n, metric=metric)
            if wanted == len(vectors) - start:
                break
            todo = todo[_unsure(queries[todo], similarity[todo, -1], scores[:, -1], metric)]
            if not len(todo):
                break
    return places, similarity


def _unsure(queries: np.ndarray, worst: np.ndarray, limit: np.ndarray, metric: str) -> np.ndarray:
    """
    Say for which queries a galaxy that is no candidate might be nearer than the worst of the neighbours found.

    Parameters
    ----------
    queries : numpy.ndarray of float32, shape (m, k)
    worst : numpy.ndarray of float64, shape (m,)
        Similarity of the last neighbour.
    limit : numpy.ndarray of float32, shape (m,)
        Score of the last candidate, which no other galaxy exceeds.
    metric : {"cosine", "euclidean"}

    Returns
    -------
    numpy.ndarray of bool, shape (m,)
    """
    length = np.linalg.norm(queries.astype(np.float64), axis=1)
    if metric == "cosine":
        score, longest = worst, np.ones(len(queries))
    else:
        # The score of a galaxy as near as the last neighbour, and the longest that such a galaxy can be.
        score, longest = (length**2 - worst**2) / 2, length - worst
    # A sum of k products in any order errs by less than k roundings of the sum of their sizes.
    error = (queries.shape[1] + 4) * 2.0**-24 * longest * (length + longest)
    return score <= limit.astype(np.float64) + error


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

    def order_some(begin: int) -> None:
        some = candidates[begin : begin + step]
        gathered = vectors.take("vectors", some.ravel()).astype(np.float64)
        gathered = gathered.reshape(*some.shape, vectors.dim)
        asked = queries[begin : begin + step].astype(np.float64)
        if metric == "cosine":
            scores = np.clip(np.vecdot(gathered, asked[:, None, :]), -1, 1)
        else:
            scores = -np.linalg.norm(gathered - asked[:, None, :], axis=2)
        scores[some < 0] = -np.inf
        order = np.lexsort((some, -scores))[:, :n]
        places[begin : begin + step] = np.take_along_axis(some, order, axis=1)
        similarity[begin : begin + step] = np.take_along_axis(scores, order, axis=1)

    step = max(1, _GATHERED // max(1, candidates.shape[1] * vectors.dim))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        begins = range(0, len(queries), step)
        list((pool.map if len(begins) > 1 else map)(order_some, begins))
    return places, similarity
