"""What goes into an index, from a table or an array: the one place where it meets the columns of a catalogue."""

from dataclasses import dataclass, replace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike

from galzoo_repr.catalogue import Embeddings, as_table, embedding_matrix, read_embeddings, sky_positions
from galzoo_repr.index._ids import read_ids
from galzoo_repr.index._segments import Facts, Segment, Segments
from galzoo_repr.index._space import Space

__all__ = [
    "check_same_encoder",
    "check_same_rows",
    "read_galaxies",
    "read_queries",
    "to_segment",
]

_ROWS = 16384  # rows projected at a time
_SAMPLE = 1000  # rows compared to recognise a table


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
        """Give row numbers from `first` as ids."""
        return replace(self, ids=np.arange(first, first + len(self)))


def read_galaxies(
    galaxies: Table | ArrayLike,
    ids: str | ArrayLike | None,
    embedding: str,
    coords: str | tuple[str, str] | SkyCoord | None,
) -> Galaxies:
    """Read a table, or an array of embeddings; ids are a column, values, or the row numbers."""
    if not isinstance(galaxies, Table) and np.asarray(galaxies).dtype.kind not in "fiu":
        galaxies = as_table(galaxies, copy=False)  # which knows what people take for a catalogue
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
    return Galaxies(embeddings, read_ids(ids, len(embeddings)), positions)


def read_queries(query: Table | ArrayLike, facts: Facts) -> np.ndarray:
    """Embeddings of queries, shape (m, d): those of a table, or vectors, all of them usable and by the same encoder."""
    if isinstance(query, Table):
        found = read_embeddings(query, facts.embedding)
    else:
        found = embedding_matrix(np.atleast_2d(query), "query")
    check_same_encoder(found, facts)
    if not found.usable.all():
        bad = np.flatnonzero(~found.usable)
        raise ValueError(
            f"{len(bad)} of {len(found)} queries have no embedding, such as {bad[0]}; leave them out"
        )
    return found.vectors


def to_segment(read: Galaxies, space: Space, facts: Facts, offset: int = 0) -> Segment:
    """
    Project the usable galaxies, some at a time, so that only one copy of the vectors is made.

    `offset` is the row of the first of them in the catalogue. Numbers too large for half precision, or for the
    squares of distances in single precision, are refused.
    """
    usable = np.flatnonzero(read.embeddings.usable)
    vectors = np.empty((len(usable), space.dim(read.embeddings.dim)), dtype=facts.dtype)
    largest = np.sqrt(np.finfo(np.float32).max / vectors.shape[1]) / 2
    for start in range(0, len(usable), _ROWS):
        block = space.project(read.embeddings.vectors[usable[start : start + _ROWS]])
        if facts.dtype == "float16" and np.abs(block).max() > np.finfo(np.float16).max:
            raise ValueError("embeddings are too large for half precision; use dtype='float32'")
        if space.metric == "euclidean" and np.abs(block).max() > largest:
            raise ValueError(
                f"embeddings with numbers beyond {largest:.0e} are too large for Euclidean distances; use "
                "metric='cosine', or divide them all by the same number"
            )
        vectors[start : start + _ROWS] = block
    return Segment(vectors, read.ids[usable], usable + offset, read.positions[usable])


def check_same_encoder(embeddings: Embeddings, facts: Facts) -> None:
    """Refuse embeddings that cannot be compared with those of an index."""
    if embeddings.dim != facts.given_dim:
        raise ValueError(
            f"embeddings have {embeddings.dim} dimensions, those of the index {facts.given_dim}; "
            "use the same encoder"
        )
    ours, theirs = facts.encoder, embeddings.encoder
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"embeddings are by encoder {theirs[:12]}, those of the index by {ours[:12]}; "
            "use the same encoder"
        )


def check_same_rows(embeddings: Embeddings, space: Space, galaxies: Segments, facts: Facts) -> None:
    """Refuse a catalogue that an index was not built from, by its length and a sample of its rows."""
    check_same_encoder(embeddings, facts)
    advice = "build the index again: SimilarityIndex.build(table)"
    if len(embeddings) != facts.source_rows:
        raise ValueError(
            f"the table has {len(embeddings)} rows, but the index was built from {facts.source_rows}; {advice}"
        )
    places = np.unique(np.linspace(0, len(galaxies) - 1, min(_SAMPLE, len(galaxies))).astype(np.int64))
    rows, stored = galaxies.take("rows", places), galaxies.take("vectors", places)
    changed = ~embeddings.usable[rows]
    now = space.project(np.where(changed[:, None], 0, embeddings.vectors[rows]))
    rounding = 1e-5 if stored.dtype == np.float32 else 2e-3
    changed |= np.abs(stored - now).max(axis=1) > rounding * np.abs(stored).max()
    if changed.any() or int(embeddings.usable.sum()) != len(galaxies):
        where = f", such as in row {rows[changed][0]}" if changed.any() else ""
        raise ValueError(f"the embeddings of the table are not those of the index{where}; {advice}")
