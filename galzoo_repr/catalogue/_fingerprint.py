"""What embeddings hold, told by one short text: found at the speed at which memory is read, again for every call."""

import hashlib

import numpy as np

from galzoo_repr._threads import block_by_block
from galzoo_repr.catalogue._embeddings import Embeddings

__all__ = ["fingerprint"]

_BLOCK = 2**20  # bytes that, at three times their size, stay in a processor's cache while they are summed

_AT_ONCE = 64  # blocks that one thread takes


def fingerprint(embeddings: Embeddings) -> str:
    """
    Tell embeddings from all others: SHA-256 of their shape, type, usable rows and checksums of all their bytes.

    A changed value, also one that was changed in place, and values, rows or columns that changed places give another
    fingerprint. It is for recognising what one has seen, not for defending against somebody who seeks a collision.

    Parameters
    ----------
    embeddings : Embeddings

    Returns
    -------
    str
        64 hexadecimal digits. The same numbers in another type or byte order have another one.

    Examples
    --------
    >>> from galzoo_repr.catalogue import embedding_matrix, fingerprint
    >>> one, other = embedding_matrix([[1.0, 2.0], [3.0, 4.0]]), embedding_matrix([[1.0, 2.0], [3.0, -4.0]])
    >>> fingerprint(one) == fingerprint(other)
    False
    """
    vectors = embeddings.vectors
    digest = hashlib.sha256(f"{vectors.shape} {vectors.dtype.str}".encode())
    digest.update(np.packbits(embeddings.usable))
    row_bytes = vectors.itemsize * embeddings.dim
    # The stream of a bit generator is the same in all versions of numpy. No number of a row is less than two bytes.
    weights = np.random.PCG64(20).random_raw((2, row_bytes // 2)) | np.uint64(1)
    rows = max(1, _BLOCK // row_bytes)

    def checksums(start: int) -> list[np.ndarray]:
        end = min(start + _AT_ONCE * rows, len(vectors))
        return [_checksums(vectors[at : min(at + rows, end)], weights) for at in range(start, end, rows)]

    for sums in block_by_block(checksums, range(0, len(vectors), _AT_ONCE * rows)):
        for each in sums:
            digest.update(each)
    return digest.hexdigest()


def _checksums(block: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """
    Two sums over the bytes of each row, taken as whole numbers; uint64 array of shape (2, rows).

    This is multilinear hashing (Lemire & Kaser 2014, Comput. J. 57, 1624): numbers of 32 bits, weights of 64. Whatever
    changes, each sum stays the same for at most one choice of weights in 2**32; and as weights are odd, never where one
    number changes.
    """
    words = np.ascontiguousarray(block).view(f"u{min(block.itemsize, 4)}").astype(np.uint64)
    return np.stack([np.einsum("ij,j->i", words, each[: words.shape[1]]) for each in weights])
