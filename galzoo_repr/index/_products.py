"""Products of galaxies and queries, and how far rounding may have taken them from the truth."""

from functools import cache

import numpy as np
import torch

__all__ = ["WIDTH", "Products", "decode", "encode", "has_bfloat16", "in_order", "rounding"]

WIDTH = 16  # scores of which only the largest is compared at first; blocks are filled up to a multiple of it


@cache
def has_bfloat16() -> bool:
    """Say whether this processor multiplies bfloat16 numbers itself, twice as fast as those of single precision."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def encode(values: np.ndarray) -> np.ndarray:
    """
    Turn float32 numbers into int16 in the same order.

    They are the bits of the bfloat16 number next to each on the side of zero, all but the sign turned over below
    zero: no bfloat16 number that is larger than another number becomes a smaller integer than that one.
    """
    return (in_order(values.view(np.int32)) >> 16).astype(np.int16)


def decode(keys: np.ndarray) -> np.ndarray:
    """Turn what `encode` gives into float32 numbers."""
    return (in_order(keys).astype(np.int32) << 16).view(np.float32)


def in_order(bits: np.ndarray) -> np.ndarray:
    """
    Put the bits of numbers into the order of the numbers, or back.

    All but the sign are turned over where the number is negative; int16 for bfloat16, int32 for single precision.
    """
    limits = np.iinfo(bits.dtype)
    return bits ^ (bits >> (limits.bits - 1) & limits.max)


def rounding(length: np.ndarray, floor: np.ndarray, dim: int, metric: str) -> np.ndarray:
    """
    Bound the error of scores in single precision, of galaxies that are as near as a score says or nearer.

    `length` is that of each query and `floor` the score, shape (m,): the product of query and galaxy, for the Euclidean
    metric less half the square of the galaxy's length.
    """
    longest = np.ones(len(length))
    if metric == "euclidean":
        longest = length + np.sqrt(np.maximum(length**2 - 2.0 * floor, 0))
    # A sum of k products in any order errs by less than k roundings of the sum of their sizes.
    return (dim + 4) * 2.0**-24 * longest * (length + longest)


class Products:
    """
    Products of queries with one block of galaxies after the other.

    Parameters
    ----------
    queries : numpy.ndarray of float32, shape (m, k)
        All of them.
    rows : int
        Galaxies of a block at most.
    each : int
        Queries of a product at most.
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    narrow : bool
        Multiply in bfloat16, which has but eight significant bits; for the cosine of vectors of unit length only.

    Attributes
    ----------
    lost : float
        The length of what rounding to bfloat16 has taken from a galaxy's vector, at most, in the blocks so far.
    """

    def __init__(self, queries: np.ndarray, *, rows: int, each: int, metric: str, narrow: bool) -> None:
        self._queries, self._metric, self._narrow = queries, metric, narrow
        self._length = np.linalg.norm(queries.astype(np.float64), axis=1)
        self.lost = 0.0
        # Memory is taken once: if it were for every product, it would be faulted in page by page.
        padded, dim = -(-rows // WIDTH) * WIDTH, queries.shape[1]
        self._scores = np.empty(padded * each, np.int16 if narrow else np.float32)
        self._single = torch.empty((rows, dim))
        if narrow:
            self._galaxies = torch.empty((rows, dim), dtype=torch.bfloat16)
            self._wide = torch.empty((rows, dim))
            asked = torch.from_numpy(queries)
            self._asked = asked.bfloat16()
            self._asked_lost = np.linalg.norm((asked - self._asked.float()).numpy(), axis=1)

    def load(self, block: np.ndarray) -> None:
        """Take the next block, float32 or float16 of shape (rows, k)."""
        if block.dtype != np.float32:
            block = self._single[: len(block)].copy_(torch.from_numpy(block)).numpy()
        self._block = block
        if self._metric == "euclidean":
            self._half_square = np.einsum("ij,ij->i", block, block)[:, None] / 2
        if self._narrow:
            rounded = self._galaxies[: len(block)].copy_(torch.from_numpy(block))
            lost = self._wide[: len(block)].copy_(rounded).numpy()
            lost -= block
            self.lost = max(self.lost, float(np.sqrt(np.vecdot(lost, lost).max())))

    def scores(self, part: slice, threshold: np.ndarray) -> np.ndarray:
        """
        Score the block for some of the queries, shape (rows, p).

        A score is the product of query and galaxy, for the Euclidean metric less half the square of the galaxy's
        length; in bfloat16 that product as `encode` gives it. Scores below the threshold, shape (p,), are not needed
        and need not be right; rows without a galaxy, up to a multiple of `WIDTH`, are less than any other.
        """
        rows, queries = len(self._block), self._queries[part]
        padded = -(-rows // WIDTH) * WIDTH
        scores = self._scores[: padded * len(queries)].reshape(padded, len(queries))
        if self._narrow:
            scores[rows:] = -1
            bfloat16 = torch.from_numpy(scores[:rows]).view(torch.bfloat16)
            torch.mm(self._galaxies[:rows], self._asked[part].T, out=bfloat16)
            # Among integers, numbers below zero stand in the wrong order, but below those that are not.
            return in_order(scores) if threshold.min() < 0 else scores
        scores[rows:] = -np.inf
        if len(queries) == 1:
            # Row after row, as the memory holds them: quicker than a product of matrix and vector.
            np.vecdot(self._block, queries[0], out=scores[:rows, 0])
        else:
            np.matmul(self._block, queries.T, out=scores[:rows])
        if self._metric == "euclidean":
            # |q - x|^2 = |q|^2 - 2 (q.x - |x|^2 / 2), and |q|^2 is the same for all.
            scores[:rows] -= self._half_square
        return scores

    def error(self, part: slice, floor: np.ndarray) -> np.ndarray:
        """Bound the error of scores of some queries, as `rounding` does."""
        error = rounding(self._length[part], floor, self._queries.shape[1], self._metric)
        if self._narrow:
            # The vectors multiplied differ from the true ones by what these have lost; the product is then rounded
            # by half the spacing of bfloat16 below 1. (Above 1 that is twice as wide, but no cosine is there.)
            error += 1.005 * (self._asked_lost[part] + self.lost) + 2.0**-9
        return error
