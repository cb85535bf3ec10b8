"""The same galaxy twice in a catalogue: by its place on the sky, by what it looks like, or by both."""

import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_number
from galzoo_repr.catalogue import (
    Embeddings,
    as_table,
    coords_fact,
    read_embeddings,
    refuse_existing,
    sky_positions,
    with_columns,
)
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.similarity._pairs import Links, alike_pairs, near_pairs, pairs_alike
from galzoo_repr.similarity._sky import angle, unit_vectors

__all__ = ["find_duplicates"]

# Images within this angle are of one galaxy also where labelled galaxies are held out.
_SAME_GALAXY = 5 * u.arcsec
# Part of a catalogue that nobody expects to be one galaxy, and rows from which on that means something.
_TOO_LARGE, _FEW = 0.5, 10


def find_duplicates(
    table: Table | SkyCoord,
    *,
    separation: AngleLike | None = None,
    similarity: float | None = None,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    name: str = "duplicate",
    overwrite: bool = False,
) -> Table:
    """
    Find galaxies that are several times in a catalogue.

    Two rows are the same galaxy if they are near to each other on the sky, or look alike, or, where both are asked for,
    if both are so. Rows that are so linked, also through others (friends of friends), are one group.

    Parameters
    ----------
    table : Table, QTable or SkyCoord
        Catalogue of n rows; never changed.
    separation : Quantity or str, optional
        Largest angle between two rows of one galaxy; 5 arcsec if `similarity` is not given either.
    similarity : float, optional
        Least cosine similarity between the embeddings of two rows of one galaxy, from -1 to 1. Which one tells the same
        galaxy from one like it depends on the encoder: look at the ``similarity`` that `galzoo_repr.find_similar` gives
        for a galaxy of which you know two images. 1 finds images that are identical.
    embedding : str
        Column of embeddings; rows without one are like no other.
    coords : str, tuple of str or SkyCoord, optional
        Where the positions are, if not under their usual names; rows without one are near no other.
    name : str
        Beginning of the names of the new columns.
    overwrite : bool
        Replace columns of these names.

    Returns
    -------
    Table or QTable
        Same class and rows, with columns

        - ``duplicate_group``, int64: number of the group, from 0 in the order of the catalogue; masked where a galaxy
          is there once;
        - ``duplicate_size``, int64: rows of the group, 1 where a galaxy is there once;
        - ``duplicate_rank``, int64: 1 for the first row of each group, 2 for the next, and 1 for all that are there
          once, so that ``table[table["duplicate_rank"] == 1]`` has every galaxy once.

    Raises
    ------
    ValueError
        If there are no positions, or no embeddings, to go by, or some are named that nothing compares, the similarity
        is not from -1 to 1, or the separation joins too many pairs to hold.
    TypeError
        If an angle has no unit.

    Warns
    -----
    GalzooWarning
        If more than half of the catalogue would be one galaxy.

    Notes
    -----
    Places are compared by a tree of unit vectors. Embeddings are compared block by block: the first 64 principal axes
    of their directions and the length of what these leave out bound the cosine of every pair (Cauchy-Schwarz), and
    those that the bound does not rule out are computed in double precision. Of n rows no n by n matrix is held.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> galaxies = Table({"ra": [10.0, 20.0, 10.0001], "dec": [0.0, 0.0, 0.0]})
    >>> found = gzr.find_duplicates(galaxies, separation=1 * u.arcsec)
    >>> print(found["duplicate_group", "duplicate_size", "duplicate_rank"])
    duplicate_group duplicate_size duplicate_rank
    --------------- -------------- --------------
                  0              2              1
                 --              1              1
                  0              2              2
    """
    catalogue = as_table(table, copy=False)
    made = [f"{name}_{end}" for end in ("group", "size", "rank")]
    refuse_existing(catalogue, made, overwrite=overwrite)
    if similarity is not None:
        check_number("similarity", similarity, -1, 1)
    if separation is not None:
        angle(separation, "separation")
        separation = read_angle(separation, "separation")
    elif similarity is None:
        separation = _SAME_GALAXY
    if similarity is None and embedding != "embedding":
        raise ValueError(
            f"embedding={embedding!r} counts only where embeddings are compared: give similarity=, too"
        )
    if separation is None and coords is not None:
        raise ValueError("coords= counts only where positions are compared: give separation=, too")
    embeddings = None if similarity is None else read_embeddings(catalogue, embedding)
    links = Links(len(catalogue))
    if separation is None:
        for pairs in alike_pairs(embeddings, similarity):
            links.add(pairs)
    else:
        near = near_pairs(_points(catalogue, coords, similarity is None), separation)
        links.add(near if embeddings is None else _alike(embeddings, near, similarity))
    groups = links.groups()
    size, rank = _counted(groups)
    _warn_of_one_group(size, separation, similarity)
    single = size == 1
    number = np.cumsum((rank == 1) & ~single) - 1
    first = np.zeros(len(size), dtype=np.int64)
    first[groups[rank == 1]] = number[rank == 1]
    facts = {
        "separation": "" if separation is None else separation,
        "similarity": "" if similarity is None else float(similarity),
        "embedding": embedding if embeddings is not None else "",
        "encoder_of_embeddings": "" if embeddings is None else embeddings.encoder,
        "groups": int(((rank == 1) & ~single).sum()),
        "galaxies": int((~single).sum()),
        "largest": int(size.max(initial=0)),
        **coords_fact(coords),
    }
    columns = {
        made[0]: MaskedColumn(
            np.where(single, -1, first[groups]),
            mask=single,
            fill_value=-1,
            description="Number of the galaxy that is there several times; masked where it is there once",
        ),
        made[1]: Column(size, description="Rows of this galaxy; 1 where it is there once"),
        made[2]: Column(rank, description="1 for the first row of a galaxy, 2 for the next"),
    }
    return with_columns(catalogue, columns, overwrite=overwrite, provenance=facts, call="find_duplicates")


def _points(table: Table, coords: str | tuple[str, str] | SkyCoord | None, alone: bool) -> np.ndarray:
    """Unit vectors, shape (n, 3), NaN where there is no position."""
    try:
        found = sky_positions(table, coords=coords)
    except ValueError as error:
        if coords is not None or not alone:
            raise
        raise ValueError(
            f"the catalogue has no positions to compare; give similarity= to compare embeddings ({error})"
        ) from error
    return unit_vectors(found.ra, found.dec)


def _alike(embeddings: Embeddings, pairs: np.ndarray, similarity: float) -> np.ndarray:
    return pairs[pairs_alike(embeddings, pairs, similarity)]


def _counted(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the group of each row, and its place among them in the order of the catalogue, from 1."""
    counts = np.bincount(groups)
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else counts
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, counts) + 1
    return counts[groups].astype(np.int64), rank


def _warn_of_one_group(size: np.ndarray, separation: u.Quantity | None, similarity: float | None) -> None:
    largest = size.max(initial=0)
    if largest < max(_FEW, _TOO_LARGE * len(size)):
        return
    given = [] if separation is None else [f"separation={str(separation)!r}"]
    given += [] if similarity is None else [f"similarity={similarity:g}"]
    warnings.warn(
        f"with {' and '.join(given)}, {largest} of {len(size)} galaxies are one group; "
        f"{'a higher similarity' if similarity is not None else 'a smaller separation'} tells them apart.",
        GalzooWarning,
        stacklevel=3,
    )
