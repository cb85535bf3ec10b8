"""What a user points at (a position, rows, an image, a vector, another table) becomes example vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Column, Row, Table
from numpy.typing import ArrayLike

from galzoo_repr.catalogue import (
    Embeddings,
    embedding_matrix,
    one_per_row,
    read_cells,
    read_position,
    sky_positions,
)
from galzoo_repr.similarity._catalogue import Catalogue, Fetch
from galzoo_repr.similarity._embed_query import embed_images, embed_positions
from galzoo_repr.similarity._query_text import is_pair, read_texts, texts_in
from galzoo_repr.similarity._sky import matches, unit_vectors

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from galzoo_repr.images import PictureSource

__all__ = ["ExampleVectors", "Query", "read_examples"]

# Names in quotes cannot be joined by |; Pillow and torch are imported where they are used.
#: What galaxies can be pointed at with, as `galzoo_repr.add_similarity` says.
Query: TypeAlias = Union[
    SkyCoord,
    BaseCoordinateFrame,
    Row,
    Table,
    Column,
    np.ndarray,
    "Image",
    "Tensor",
    str,
    os.PathLike,
    bytes,
    int,
    Sequence[int],
    Sequence[float],
    Sequence[str],
    Sequence[u.Quantity],
    Sequence["PictureSource"],
]


@dataclass(frozen=True)
class ExampleVectors:
    """
    Galaxies to be like, or unlike.

    Attributes
    ----------
    vectors : numpy.ndarray of float, shape (m, d)
        Their embeddings, all usable.
    rows : numpy.ndarray of int64, shape (m,)
        Their rows in the catalogue, -1 for those that are not in it.
    points : numpy.ndarray of float64, shape (m, 3)
        Unit vectors of their sky positions, NaN where unknown.
    given : astropy.table.Table or None
        The rows of another table that they are, one for each.
    """

    vectors: np.ndarray
    rows: np.ndarray
    points: np.ndarray
    given: Table | None = None

    def __len__(self) -> int:
        return len(self.rows)


def read_examples(catalogue: Catalogue, query: Query, radius: u.Quantity, fetch: Fetch) -> ExampleVectors:
    """Read a query in any of its forms; a position means the row within `radius` of it, if there is one."""
    if isinstance(query, Row):
        query = query.index if query.table is catalogue.given else Table(query)
    if isinstance(query, SkyCoord | BaseCoordinateFrame):
        return _from_positions(catalogue, SkyCoord(query), radius, fetch)
    if isinstance(query, Table):
        return _from_table(catalogue, query, radius, fetch)
    if isinstance(query, np.ndarray) and query.dtype.kind in "biuUSOT" and query.shape[1:] == (1,):
        query = one_per_row(query)
    if isinstance(query, str) and query in catalogue.table.colnames:
        return _from_rows(catalogue, _marked(catalogue.table[query], query))
    if texts := texts_in(query):
        found = read_texts(catalogue, texts, radius, pair=isinstance(query, tuple))
        return (
            _from_images(catalogue, texts, fetch)
            if found is None
            else _from_found(catalogue, *found, radius, fetch)
        )
    if isinstance(query, u.Quantity) and query.unit.is_equivalent(u.deg) and query.shape[-1:] == (2,):
        query = query[..., 0], query[..., 1]
    if is_pair(query):
        return _from_positions(catalogue, read_position(query), radius, fetch)
    if images := _images_in(query):
        _check_files(images)
        return _from_images(catalogue, images, fetch)
    return _from_array(catalogue, query)


def _images_in(query: object) -> list[PictureSource]:
    """Pictures that a query consists of, one or several; none where it is something else."""
    if _is_image(query):
        return [query]
    axes, kind = getattr(query, "ndim", 0), getattr(getattr(query, "dtype", None), "kind", "")
    several = isinstance(query, Sequence) or axes == 4 or (axes == 1 and kind in "OSU" and kind)
    return list(query) if several and any(map(_is_image, query)) else []


def _is_image(query: object) -> bool:
    """Files, their content and images of Pillow; arrays and tensors unless they can be rows or embeddings."""
    if isinstance(query, str | os.PathLike | bytes) or type(query).__module__.startswith("PIL."):
        return True
    axes = getattr(query, "ndim", 0)
    return axes == 3 or (axes == 2 and str(query.dtype).endswith(("uint8", "uint16", ">u2")))


def _check_files(images: Sequence[PictureSource]) -> None:
    """Say at once that a file is not there, before an encoder is loaded."""
    for one in images:
        if isinstance(one, str | os.PathLike) and not os.path.isfile(one):
            raise ValueError(f"the query {os.fspath(one)!r} is no file of a picture")


def _marked(column: Column, name: str) -> np.ndarray:
    """Rows that a boolean column marks as examples."""
    cells = read_cells(column)
    if cells.values.dtype.kind != "b":
        raise TypeError(
            f"column {name!r} holds {column.dtype}; a column of examples must be boolean, one of tags text"
        )
    return np.flatnonzero(cells.values & ~cells.missing)


def _from_array(catalogue: Catalogue, query: ArrayLike) -> ExampleVectors:
    """Row indices, a mask, or vectors, told apart by their dtype."""
    values = query if isinstance(query, np.ma.MaskedArray) else np.asarray(getattr(query, "value", query))
    if values.ndim and values.size == 0:
        raise ValueError("the query names no galaxy: it is empty")
    if values.dtype.kind == "b":
        if values.shape != (len(catalogue),):
            raise ValueError(
                f"a mask of examples must have {len(catalogue)} elements, not shape {values.shape}"
            )
        return _from_rows(catalogue, np.flatnonzero(np.ma.filled(values, False)))
    if values.dtype.kind in "iu" and values.ndim <= 1:
        if np.ma.is_masked(values):
            raise ValueError("some row numbers of the query are masked; leave them out")
        return _from_rows(catalogue, np.atleast_1d(values))
    if values.dtype.kind == "f" and values.ndim in (1, 2):
        return _from_vectors(catalogue, values)
    raise TypeError(
        "the query must be a position such as a SkyCoord or '150.1 2.2', the name of a galaxy, row indices, a "
        "boolean mask or column, an image or its file, embeddings, or another table, "
        f"not {type(query).__name__} of shape {values.shape} and dtype {values.dtype}"
    )


def _from_rows(catalogue: Catalogue, rows: np.ndarray) -> ExampleVectors:
    if len(rows) == 0:
        raise ValueError("the query names no galaxy; mark at least one row as an example")
    if np.any(rows < -len(catalogue)) or np.any(rows >= len(catalogue)):
        raise ValueError(
            f"row {rows.tolist()} asked for, but the catalogue has {len(catalogue)} rows, from 0"
        )
    rows = rows.astype(np.int64) % len(catalogue)
    bad = rows[~catalogue.embeddings.usable[rows]]
    if len(bad):
        raise ValueError(
            f"example row {bad.tolist()} has no embedding{_status(catalogue, bad)}; "
            "leave it out, or embed it again"
        )
    points = catalogue.points[rows] if catalogue.placed else np.full((len(rows), 3), np.nan)
    return ExampleVectors(np.asarray(catalogue.embeddings.vectors[rows]), rows, points)


def _status(catalogue: Catalogue, rows: np.ndarray) -> str:
    if "cutout_status" not in catalogue.table.colnames:
        return ""
    return f" (cutout_status {', '.join(str(s) for s in catalogue.table['cutout_status'][rows])})"


def _from_found(
    catalogue: Catalogue, rows: np.ndarray, places: SkyCoord | None, radius: u.Quantity, fetch: Fetch
) -> ExampleVectors:
    """Use rows of the catalogue, and in the places of those that are -1 the positions, one after the other."""
    outside = np.flatnonzero(rows < 0)
    if len(outside) == 0:
        return _from_rows(catalogue, rows)
    placed = _from_positions(catalogue, places, radius, fetch)
    if len(outside) == len(rows):
        return placed
    named = _from_rows(catalogue, rows[rows >= 0])
    # Of the first the named, then the placed; back into the order of the query.
    order = np.argsort(np.concatenate([np.flatnonzero(rows >= 0), outside]))
    return ExampleVectors(
        *(
            np.concatenate([getattr(named, part), getattr(placed, part)])[order]
            for part in ("vectors", "rows", "points")
        )
    )


def _from_vectors(catalogue: Catalogue, values: np.ndarray) -> ExampleVectors:
    found = embedding_matrix(np.atleast_2d(values), "query")
    if found.dim == 2 != catalogue.embeddings.dim:
        raise ValueError(
            f"the query {np.asarray(values).tolist()} is taken for an embedding, but those of the catalogue have "
            f"{catalogue.embeddings.dim} dimensions; a position has units, such as (150.1 * u.deg, 2.2 * u.deg), or "
            "is text in degrees, such as '150.1 2.2', or a SkyCoord"
        )
    _check_dim(found, catalogue.embeddings)
    if len(found) == 0 or not found.usable.all():
        raise ValueError("a query vector must be finite and not zero, and one is not")
    rows = np.full(len(found), -1, dtype=np.int64)
    return ExampleVectors(found.vectors, rows, np.full((len(found), 3), np.nan))


def _check_dim(found: Embeddings, embeddings: Embeddings) -> None:
    if found.dim != embeddings.dim:
        raise ValueError(
            f"the query has {found.dim} dimensions, the catalogue's embeddings have {embeddings.dim}; "
            "embed both with the same encoder"
        )


def _from_positions(
    catalogue: Catalogue, query: SkyCoord, radius: u.Quantity, fetch: Fetch
) -> ExampleVectors:
    """Rows of the catalogue where it has the galaxy, fetched and embedded where it has not."""
    found = sky_positions(query.reshape(-1))
    if len(found) == 0:
        raise ValueError("the query names no galaxy: the SkyCoord is empty")
    if not found.valid.all():
        raise ValueError(f"the query has a position that is {found.reason[~found.valid][0]}")
    asked, points = found.skycoord, unit_vectors(found.ra, found.dec)
    rows = matches(points=catalogue.points, examples=points, radius=radius)
    inside, outside = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
    vectors = np.empty((len(rows), catalogue.embeddings.dim), dtype=np.float64)
    if len(inside):
        vectors[inside] = _from_rows(catalogue, rows[inside]).vectors
    if len(outside):
        try:
            vectors[outside] = embed_positions(catalogue, asked[outside], fetch)
        except ValueError as error:
            where = ", ".join(asked[outside].to_string("decimal"))
            raise ValueError(
                f"the catalogue has no galaxy within {radius} of {where} (see max_separation), and {error}"
            ) from error
    return ExampleVectors(vectors, rows, points)


def _from_table(catalogue: Catalogue, query: Table, radius: u.Quantity, fetch: Fetch) -> ExampleVectors:
    """Use the galaxies of another table, recognised in the catalogue by their position."""
    if catalogue.embedding not in query.colnames:
        found = sky_positions(query)
        if not found.valid.any():
            raise ValueError("the query table has neither embeddings nor valid positions")
        examples = _from_positions(catalogue, found.skycoord[found.valid], radius, fetch)
        return replace(examples, given=query[found.valid])
    other = Catalogue(query, catalogue.embedding)
    _check_dim(other.embeddings, catalogue.embeddings)
    ours, theirs = catalogue.embeddings.encoder, other.embeddings.encoder
    if ours and theirs and ours != theirs:
        raise ValueError(
            f"the query table was embedded by encoder {theirs[:12]}, the catalogue by {ours[:12]}; "
            "embed both with the same encoder"
        )
    keep = np.flatnonzero(other.embeddings.usable)
    if len(keep) == 0:
        raise ValueError("the query table has no row with an embedding")
    rows, points = np.full(len(keep), -1, dtype=np.int64), np.full((len(keep), 3), np.nan)
    if other.placed:
        points = other.points[keep]
        if catalogue.placed:
            rows = matches(points=catalogue.points, examples=points, radius=radius)
    return ExampleVectors(np.asarray(other.embeddings.vectors[keep]), rows, points, query[keep])


def _from_images(catalogue: Catalogue, images: list[PictureSource], fetch: Fetch) -> ExampleVectors:
    vectors = embed_images(catalogue, images, fetch)
    return ExampleVectors(
        vectors, np.full(len(vectors), -1, dtype=np.int64), np.full((len(vectors), 3), np.nan)
    )
