"""Embedding columns and arrays as matrices, with the rows that can be used."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr._threads import block_by_block

__all__ = ["Embeddings", "embedding_matrix", "read_embeddings"]

_ROWS = 16_384  # rows checked at a time, so that a memory-mapped matrix is never read whole


@dataclass(frozen=True)
class Embeddings:
    """
    Embeddings of a catalogue, row by row.

    Attributes
    ----------
    vectors : numpy.ndarray of float, shape (n, d)
        As given; unusable rows may hold anything.
    usable : numpy.ndarray of bool, shape (n,)
        Rows whose vector is finite, and not zero, in single precision.
    encoder : str
        Digest of the encoder that made them, "" where unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.catalogue import Embeddings
    >>> embeddings = Embeddings(np.eye(3, 8), np.array([True, True, False]))
    >>> len(embeddings), embeddings.dim, int(embeddings.usable.sum())
    (3, 8, 2)
    """

    vectors: np.ndarray
    usable: np.ndarray
    encoder: str = ""

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return self.vectors.shape[1]


def embedding_matrix(array: np.ndarray, name: str = "embedding") -> Embeddings:
    """
    Check an array of embeddings and find the rows that can be used.

    Parameters
    ----------
    array : array-like of float, shape (n, d)
        Masked rows, and rows with NaN, infinity or nothing but zeros, are not usable; nor are numbers that
        single precision, in which galaxies are compared, takes for infinity or zero.
    name : str
        What to call it in an error message.

    Returns
    -------
    Embeddings

    Raises
    ------
    TypeError
        If it does not hold numbers.
    ValueError
        If it has not two dimensions.

    Examples
    --------
    >>> from galzoo_repr.catalogue import embedding_matrix
    >>> embedding_matrix([[1.0, 2.0], [float("nan"), 2.0], [0.0, 0.0]]).usable
    array([ True, False, False])
    """
    mask = np.ma.getmaskarray(array) if np.ma.isMaskedArray(array) else None
    values = np.asarray(getattr(array, "value", array))
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold numbers, not {values.dtype}; one vector of floats per galaxy")
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name} must have shape (galaxies, dimensions), not {values.shape}")
    usable = np.empty(len(values), dtype=bool)

    def check(start: int) -> None:
        # Any bits may be there, those of signalling NaN too.
        with np.errstate(over="ignore", invalid="ignore"):
            block = values[start : start + _ROWS].astype(np.float32, copy=False)
            usable[start : start + _ROWS] = np.isfinite(block).all(axis=1) & block.any(axis=1)

    deque(block_by_block(check, range(0, len(values), _ROWS)), maxlen=0)
    if mask is not None:
        usable &= ~mask.any(axis=1)
    if values.dtype.kind != "f":
        values = values.astype(np.float32)
    return Embeddings(values, usable)


def read_embeddings(table: Table, embedding: str = "embedding") -> Embeddings:
    """
    Read the embedding column of a catalogue.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue.
    embedding : str
        Name of the column.

    Returns
    -------
    Embeddings

    Raises
    ------
    TypeError
        If this is not the name of one column, or it does not hold numbers.
    ValueError
        If there is no such column, it is not two-dimensional, or it mixes the embeddings of two encoders.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import read_embeddings
    >>> embeddings = read_embeddings(Table({"embedding": [[1.0, 0.0], [float("nan"), 0.0]]}))
    >>> embeddings.dim, embeddings.usable
    (2, array([ True, False]))
    """
    if not isinstance(embedding, str):
        raise TypeError(
            f"embedding must be the name of one column of vectors, not {embedding!r}; make one of several columns "
            "by table['embedding'] = np.stack([table[name] for name in names], axis=1)"
        )
    if embedding not in table.colnames:
        raise ValueError(
            f"the catalogue has no column {embedding!r}; call add_embeddings first, or name its column with "
            f"embedding= (columns: {some_of(table.colnames)})"
            f"{did_you_mean(embedding, table.colnames)}"
        )
    found = embedding_matrix(table[embedding], f"column {embedding!r}")
    return Embeddings(found.vectors, found.usable, _encoder_of(table, embedding))


def _encoder_of(table: Table, embedding: str) -> str:
    """Digest of the one encoder that made a column; stacked tables keep the digests of all their encoders."""
    recorded = table[embedding].info.meta or {}
    digests = sorted({str(digest) for digest in np.atleast_1d(recorded.get("encoders", []))})
    if len(digests) > 1:
        raise ValueError(
            f"column {embedding!r} mixes embeddings of {len(digests)} encoders "
            f"({', '.join(digest[:12] for digest in digests)}), which cannot be compared; embed the whole "
            "catalogue with one encoder: add_embeddings(table, encoder=..., overwrite=True)"
        )
    return digests[0] if digests else str(table.meta.get("GZRENCD", ""))
