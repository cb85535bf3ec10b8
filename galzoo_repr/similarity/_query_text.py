"""Text that a user points at galaxies with: files of pictures, names in the catalogue, positions on the sky."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.catalogue import (
    name_column,
    name_resolution,
    one_per_row,
    read_position,
    rows_named,
    texts_of,
)
from galzoo_repr.similarity._catalogue import Catalogue
from galzoo_repr.similarity._sky import chord, unit_vectors

__all__ = ["is_pair", "read_texts", "texts_in"]

_MOST_NAMES = 10_000  # to be compared with one that is unknown, which takes a second


def texts_in(query: object) -> list[str]:
    """Text, or several, that a query consists of; none where it is something else."""
    if isinstance(query, str):
        return [query]
    if isinstance(query, np.ndarray | Column) and query.ndim == 1 and query.dtype.kind in "USOT":
        query = texts_of(query) if query.dtype.kind in "US" else query.tolist()
    several = isinstance(query, list | tuple) and all(isinstance(one, str) for one in query)
    return [str(one) for one in query] if several else []


def is_pair(query: object) -> bool:
    """Whether a query is a right ascension and a declination, of which a unit or a text says that they are angles."""
    if not isinstance(query, list | tuple) or len(query) != 2:
        return False
    angles = [isinstance(one, str | u.Quantity) or getattr(one, "unit", None) is not None for one in query]
    return any(angles) and not any(isinstance(one, SkyCoord | bytes) for one in query)


def read_texts(
    catalogue: Catalogue, texts: Sequence[str], radius: u.Quantity, *, pair: bool
) -> tuple[np.ndarray, SkyCoord | None] | None:
    """
    Find out which galaxies texts mean.

    Parameters
    ----------
    catalogue : Catalogue
        Where names are looked up.
    texts : sequence of str
        Each a name in the catalogue or a position; or all of them files.
    radius : astropy.units.Quantity
        How far from the position in a name such as J100024+021200 a galaxy may be.
    pair : bool
        Whether two texts are rather a right ascension and a declination than two positions.

    Returns
    -------
    tuple of numpy.ndarray and astropy.coordinates.SkyCoord, or None
        Rows of the catalogue, -1 where a text is a position, and those positions. None where all are files.

    Raises
    ------
    ValueError
        If a text means nothing, or several galaxies.
    """
    files = [os.path.isfile(text) for text in texts]
    rows = [_row_named(catalogue, text, is_file) for text, is_file in zip(texts, files, strict=True)]
    if all(files):
        return None
    angles = _as_pair(texts) if len(texts) == 2 and (pair or not all(map(_is_position, texts))) else None
    if angles is not None and pair and max(rows) >= 0:
        raise ValueError(
            f"the query {tuple(texts)} is a position, and names of the catalogue; give a list of names, or the "
            f"position as {' '.join(texts)!r}"
        )
    if angles is not None and max(rows) < 0:
        return np.array([-1]), angles
    places = []
    for i, text in enumerate(texts):
        if rows[i] < 0:
            if files[i]:
                raise ValueError(f"the query mixes files of pictures, such as {text!r}, with other text")
            place = _position(catalogue, text)
            rows[i] = _row_of_rounded_name(catalogue, text, place, radius)
            places += [place] if rows[i] < 0 else []
    return np.array(rows, dtype=np.int64), SkyCoord(places) if places else None


def _row_named(catalogue: Catalogue, text: str, is_file: bool) -> int:
    """Row of the galaxy of that name, -1 where there is none."""
    rows, column = rows_named(catalogue.table, text)
    if is_file and (len(rows) or _is_position(text)):
        other = f"the name of row {rows[0]}; give the row" if len(rows) else "a position; give a SkyCoord"
        raise ValueError(f"the query {text!r} is a file, and {other}, or ./{text} for the file")
    if len(rows) > 1:
        some = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
        raise ValueError(
            f"{len(rows)} galaxies are called {text!r} in column {column!r}, in rows {some}; give the row that is "
            "meant, or all of them"
        )
    return int(rows[0]) if len(rows) else -1


def _as_pair(texts: Sequence[str]) -> SkyCoord | None:
    try:
        return read_position(tuple(texts))
    except ValueError:
        return None


def _is_position(text: str) -> bool:
    try:
        return read_position(text) is not None
    except ValueError:
        return False


def _position(catalogue: Catalogue, text: str) -> SkyCoord:
    try:
        return read_position(text)
    except ValueError as error:
        beyond = f" ({error.__cause__})" if error.__cause__ else ""
        raise ValueError(
            f"the query {text!r} is neither a column of the catalogue, nor the name of a galaxy in it, nor a file, nor "
            f"a position such as '150.1 2.2' or '10h00m24s +02d12m00s'{beyond}; for a name that the Sesame service "
            f"knows, SkyCoord.from_name({text!r}) is the position{_meant(catalogue, text)}"
        ) from None


def _meant(catalogue: Catalogue, text: str) -> str:
    """Columns that are spelt nearly so, and names, where there are not too many to compare."""
    table = catalogue.table
    if text.strip().isdecimal() and int(text) < len(table):
        return f". To mean a row, give the number {int(text)}, not text; at the shell, --row {int(text)}"
    if len(table) > _MOST_NAMES:
        return did_you_mean(text, table.colnames)
    if elsewhere := _elsewhere(table, text):
        return elsewhere
    column = name_column(table)
    return did_you_mean(text, [*table.colnames, *(texts_of(one_per_row(table[column])) if column else ())])


def _elsewhere(table: Table, text: str) -> str:
    """Say where a name stands if its column is not called as columns of names are, empty if nowhere."""
    for name in table.colnames:
        column = table[name]
        if getattr(column, "dtype", np.dtype(float)).kind in "USO" and np.ndim(column) == 1:
            rows = [
                row
                for row, entry in enumerate(texts_of(one_per_row(column)))
                if entry.strip() == text.strip()
            ]
            if len(rows) == 1:
                return f". It is in column {name!r}: give its row, {rows[0]}, or call the column 'name'"
            if rows:
                return f". {len(rows)} galaxies have it in column {name!r}: give the rows that are meant"
    return ""


def _row_of_rounded_name(catalogue: Catalogue, text: str, place: SkyCoord, radius: u.Quantity) -> int:
    """Row that a name means whose digits tell the position less well than the radius; -1 for other text."""
    resolution = name_resolution(text)
    if resolution is None or resolution <= radius or not catalogue.placed:
        return -1
    point = unit_vectors(np.atleast_1d(place.ra.deg), np.atleast_1d(place.dec.deg))
    near = np.flatnonzero(np.linalg.norm(catalogue.points - point, axis=1) <= chord(resolution))
    if len(near) != 1:
        found = f"rows {', '.join(map(str, near[:5]))} are" if len(near) else "no galaxy of the catalogue is"
        raise ValueError(
            f"{found} within the {resolution:g} to which the name {text!r} tells a position; give a row, or the "
            "position itself"
        )
    return int(near[0])
