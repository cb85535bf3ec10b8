"""What a query points at, as a table of embeddings, which is a query again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike
from galzoo_repr.similarity._catalogue import Catalogue, Fetch
from galzoo_repr.similarity._query import Query, read_examples
from galzoo_repr.similarity._sky import angle

if TYPE_CHECKING:
    from galzoo_repr.cutouts import BrickSurvey, CutoutStore, HipsSurvey, LegacySurvey
    from galzoo_repr.encoders import Encoder

__all__ = ["query_table"]


def query_table(
    table: Table,
    query: Query,
    *,
    max_separation: AngleLike = 5 * u.arcsec,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    encoder: Encoder | str | os.PathLike | None = None,
    fov: AngleLike | None = None,
    survey: LegacySurvey | HipsSurvey | BrickSurvey | None = None,
    store: CutoutStore | str | os.PathLike | None = None,
    device: str | None = None,
) -> Table:
    """
    Read a query once, so that it can be used many times, and together with others.

    A picture is embedded and a galaxy that the catalogue does not have is fetched only here. Several such tables,
    stacked, are one query.

    Parameters
    ----------
    table : astropy.table.Table or astropy.table.QTable
        Catalogue with embeddings.
    query, max_separation, embedding, coords, encoder, fov, survey, store, device
        As for `galzoo_repr.find_similar`.

    Returns
    -------
    astropy.table.Table
        One row for each example, with its ``embedding`` (under the name of the catalogue's column), its ``row`` in the
        catalogue, -1 where it is not in it, and where the catalogue has positions ``ra`` and ``dec`` in degrees, NaN
        where they are unknown.

    Raises
    ------
    TypeError, ValueError
        As for `galzoo_repr.find_similar`.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import find_similar
    >>> from galzoo_repr.similarity import query_table
    >>> cat = Table({"name": ["a", "b", "c"], "embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> query_table(cat, "b")["row"].tolist()
    [1]
    """
    catalogue = Catalogue(table, embedding, coords)
    fetch = Fetch(encoder, fov, survey, store, device)
    examples = read_examples(catalogue, query, angle(max_separation, "max_separation"), fetch)
    vectors = Column(examples.vectors, meta=dict(catalogue.table[embedding].info.meta or {}))
    found = Table({embedding: vectors, "row": examples.rows})
    if catalogue.placed:
        x, y, z = examples.points.T
        found["ra"] = np.degrees(np.arctan2(y, x)) % 360 * u.deg
        found["dec"] = np.degrees(np.arctan2(z, np.hypot(x, y))) * u.deg
    return found
