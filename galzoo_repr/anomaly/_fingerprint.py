"""A digest by which a catalogue's embeddings are recognised."""

import hashlib

import numpy as np

from galzoo_repr.catalogue import Embeddings

__all__ = ["fingerprint"]

_ROWS = 16_384  # rows digested at once


def fingerprint(embeddings: Embeddings) -> str:
    """
    Digest by which a catalogue's embeddings are recognised, in whatever float and byte order they are kept.

    Parameters
    ----------
    embeddings : Embeddings

    Returns
    -------
    str
        SHA-256 of their shape and their values in single precision, row by row.
    """
    digest = hashlib.sha256(repr(embeddings.vectors.shape).encode())
    for start in range(0, len(embeddings), _ROWS):
        rows = np.ascontiguousarray(embeddings.vectors[start : start + _ROWS], dtype="<f4")
        digest.update(np.where(np.isnan(rows), np.float32(np.nan), rows).astype("<f4").tobytes())
    return digest.hexdigest()
