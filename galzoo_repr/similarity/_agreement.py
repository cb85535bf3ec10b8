"""Whether galaxies belong to an index: by the same encoder, of the same catalogue, or new to it."""

import numpy as np

from galzoo_repr.catalogue import Embeddings
from galzoo_repr.similarity._segments import Segments
from galzoo_repr.similarity._space import Space

__all__ = ["check_new_ids", "check_same_encoder", "check_same_rows"]

_SAMPLE = 1000  # rows compared to recognise a table


def check_same_encoder(embeddings: Embeddings, facts: dict[str, object]) -> None:
    """
    Check that embeddings can be compared with those of an index.

    Parameters
    ----------
    embeddings : Embeddings
        Of other galaxies.
    facts : dict
        What the index knows of its own: ``given_dim`` and ``encoder``.

    Raises
    ------
    ValueError
        If they have other dimensions, or are by another encoder.
    """
    if embeddings.dim != facts["given_dim"]:
        raise ValueError(
            f"embeddings have {embeddings.dim} dimensions, those of the index {facts['given_dim']}; "
            "use the same encoder"
        )
    ours, theirs = facts["encoder"], embeddings.encoder
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"embeddings are by encoder {theirs[:12]}, those of the index by {ours[:12]}; "
            "use the same encoder"
        )


def check_same_rows(embeddings: Embeddings, space: Space, galaxies: Segments, source_rows: int) -> None:
    """
    Check that a catalogue is the one an index was built from, by its length and a sample of its rows.

    Parameters
    ----------
    embeddings : Embeddings
        Of the catalogue.
    space : Space
        Of the index.
    galaxies : Segments
        Of the index.
    source_rows : int
        Rows of the catalogue that the index was built from.

    Raises
    ------
    ValueError
        If it is not.
    """
    advice = "build the index again: SimilarityIndex.build(table)"
    if len(embeddings) != source_rows:
        raise ValueError(
            f"the table has {len(embeddings)} rows, but the index was built from {source_rows}; {advice}"
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


def check_new_ids(ids: np.ndarray, known: np.ndarray) -> None:
    """
    Check that galaxies can be added to an index under their ids.

    Parameters
    ----------
    ids : numpy.ndarray
        Of the galaxies to be added.
    known : numpy.ndarray
        Of those in the index.

    Raises
    ------
    ValueError
        If they are of another kind, or one is in the index already.
    """
    if known.dtype.kind != ids.dtype.kind:
        raise ValueError(f"ids of the index are {known.dtype}, those of the new galaxies {ids.dtype}")
    repeated = np.intersect1d(known, ids)
    if len(repeated):
        raise ValueError(f"{len(repeated)} ids are in the index already, such as {str(repeated[0])!r}")
