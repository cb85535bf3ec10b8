"""What goes into an index: embeddings with an id and a sky position each."""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table

from galzoo_repr.catalogue import Embeddings, as_table, embedding_matrix, read_embeddings, sky_positions
from galzoo_repr.similarity._segments import Segment
from galzoo_repr.similarity._space import Space

__all__ = ["Galaxies", "read_galaxies", "to_segment"]

_ROWS = 16384  # rows projected at a time


@dataclass(frozen=True)
class Galaxies:
    """
    Galaxies to be indexed.

    Attributes
    ----------
    embeddings : Embeddings
        Of n galaxies.
    ids : numpy.ndarray, shape (n,)
        Whole numbers or text.
    positions : numpy.ndarray of float64, shape (n, 2)
        Right ascension and declination in degrees, NaN where unknown.
    """

    embeddings: Embeddings
    ids: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.embeddings)

    def renumbered(self, first: int) -> "Galaxies":
        """
        Give row numbers as ids.

        Parameters
        ----------
        first : int
            Number of the first.

        Returns
        -------
        Galaxies
        """
        return replace(self, ids=np.arange(first, first + len(self)))


def read_galaxies(galaxies: object, ids: object, embedding: str, coords: object) -> Galaxies:
    """
    Read a table, or an array of embeddings.

    Parameters
    ----------
    galaxies : astropy.table.Table or array-like of float, shape (n, d)
        What to read.
    ids : str or array-like or None
        Column or values that name each galaxy; row numbers when None.
    embedding : str
        Column of the embeddings.
    coords : object
        Where the sky positions are, if not under their usual names.

    Returns
    -------
    Galaxies

    Raises
    ------
    TypeError, ValueError
        If they are neither, or ids are not text or whole numbers, one for each galaxy, each once.
    """
    if not isinstance(galaxies, Table) and np.asarray(galaxies).dtype.kind not in "fiu":
        galaxies = as_table(galaxies)  # which knows what people take for a catalogue
    if isinstance(galaxies, Table):
        embeddings = read_embeddings(galaxies, embedding)
    else:
        embeddings = embedding_matrix(galaxies if hasattr(galaxies, "dtype") else np.asarray(galaxies))
    positions = np.full((len(embeddings), 2), np.nan)
    if isinstance(galaxies, Table):
        try:
            found = sky_positions(galaxies, coords=coords)
            positions = np.stack([found.ra, found.dec], axis=1)
        except ValueError:
            if coords is not None:
                raise
    if isinstance(ids, str):
        if not isinstance(galaxies, Table) or ids not in galaxies.colnames:
            raise ValueError(f"ids={ids!r} is not a column; name one, or give one id for each galaxy")
        ids = galaxies[ids]
    return Galaxies(embeddings, _checked(ids, len(embeddings)), positions)


def to_segment(read: Galaxies, space: Space, dtype: str, offset: int) -> Segment:
    """
    Project the usable galaxies, some at a time, so that only one copy of the vectors is made.

    Parameters
    ----------
    read : Galaxies
        What was read.
    space : Space
        Of the index.
    dtype : {"float32", "float16"}
        How vectors are stored.
    offset : int
        Row of the first of them in the catalogue.

    Returns
    -------
    Segment

    Raises
    ------
    ValueError
        If they are too large for half precision, or for the squares of their distances in single precision.
    """
    usable = np.flatnonzero(read.embeddings.usable)
    vectors = np.empty((len(usable), space.dim(read.embeddings.dim)), dtype=dtype)
    largest = np.sqrt(np.finfo(np.float32).max / vectors.shape[1]) / 2
    for start in range(0, len(usable), _ROWS):
        block = space.project(read.embeddings.vectors[usable[start : start + _ROWS]])
        if dtype == "float16" and np.abs(block).max() > np.finfo(np.float16).max:
            raise ValueError("embeddings are too large for half precision; use dtype='float32'")
        if space.metric == "euclidean" and np.abs(block).max() > largest:
            raise ValueError(
                f"embeddings with numbers beyond {largest:.0e} are too large for Euclidean distances; use "
                "metric='cosine', or divide them all by the same number"
            )
        vectors[start : start + _ROWS] = block
    return Segment(vectors, read.ids[usable], usable + offset, read.positions[usable])


def _checked(ids: object, n: int) -> np.ndarray:
    if ids is None:
        return np.arange(n)
    if np.ma.is_masked(ids):
        raise ValueError("some ids are masked; every galaxy needs one")
    ids = np.asarray(ids)
    if ids.dtype.kind == "O" and all(isinstance(one, str) for one in ids):
        ids = ids.astype(str)
    if ids.dtype.kind == "S":
        ids = np.char.decode(ids, "utf-8")
    if ids.dtype.kind not in "iuU":
        raise TypeError(f"ids must be whole numbers or text, not {ids.dtype}")
    if ids.shape != (n,):
        raise ValueError(f"ids have shape {ids.shape}; give one for each of the {n} galaxies")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{(counts > 1).sum()} ids are there more than once, such as {str(values[counts > 1][0])!r}"
        )
    return ids.astype(np.int64) if ids.dtype.kind in "iu" else ids
