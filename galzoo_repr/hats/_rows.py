"""Rows of a catalogue of partitions: tables of some of them, samples, and the ones that a query means."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Column, Row, Table

from galzoo_repr._config import log
from galzoo_repr.catalogue import (
    Embeddings,
    name_resolution,
    parts_of,
    read_cells,
    read_embeddings,
    read_position,
    rows_named,
    sky_positions,
    stacked,
    text_of,
)
from galzoo_repr.hats._folder import INDEX, HatsFolder, Pixel
from galzoo_repr.similarity import is_tags, most_tagged

# Partitions that a sample of a larger catalogue is taken from.
_SAMPLED = 400

__all__ = [
    "as_part",
    "candidates",
    "check_encoders",
    "embeddings_of",
    "in_degrees",
    "rows_of",
    "sample_of",
    "tagged",
]


def as_part(folder: HatsFolder, pixel: Pixel, columns: list[str] | None = None) -> Table:
    """Read a partition, or some columns of Arrow of it, as a table; with no columns, all of them and no rows."""
    if columns == []:
        return stacked([folder.schema_of(pixel).empty_table()], folder.path_of(pixel))
    return in_degrees(folder, stacked([folder.read(pixel, columns)], folder.path_of(pixel)))


def in_degrees(folder: HatsFolder, table: Table) -> Table:
    """Say the unit that HATS has for positions, of which some in one corner of the sky might be taken for hours."""
    for name in set(folder.positions) & set(table.colnames):
        if isinstance(table[name], Column) and table[name].unit is None:
            table[name].unit = u.deg
    return table


def embeddings_of(folder: HatsFolder, embedding: str) -> Iterator[Embeddings]:
    """Give the embeddings of one partition after the other."""
    columns = parts_of(folder.schema, [embedding])
    for pixel in folder.pixels:
        yield read_embeddings(as_part(folder, pixel, columns), embedding)


def check_encoders(folder: HatsFolder, embedding: str) -> str:
    """
    Give the digest of the one encoder of all partitions, of which only what they say of themselves is read.

    A `ValueError` if there are several, or vectors of several lengths.
    """
    known: dict[str, object] = {}
    for pixel in folder.pixels:
        schema = folder.schema_of(pixel)
        try:
            nothing = schema.empty_table().select(parts_of(schema, [embedding]))
            found = read_embeddings(stacked([nothing], folder.path_of(pixel)), embedding)
        except ValueError as error:
            raise ValueError(f"partition {pixel} of {folder.root}: {error}") from error
        told = {"encoder": found.encoder[:12], "vectors of length": found.dim}
        for what, value in told.items():
            if value and known.setdefault(what, value) != value:
                raise ValueError(
                    f"partition {pixel} of {folder.root} has {what} {value}, others have {known[what]}, and such "
                    "embeddings cannot be compared; embed the whole catalogue with one encoder"
                )
    return str(known.get("encoder", ""))


def rows_of(folder: HatsFolder, rows: np.ndarray, columns: list[str] | None = None) -> Table:
    """Give some rows of the catalogue, sorted, as a table; of no rows, a table without any."""
    pieces = []
    for number, pixel in enumerate(folder.pixels):
        start, stop = folder.starts[number : number + 2]
        local = rows[slice(*np.searchsorted(rows, [start, stop]))] - start
        if len(local):
            pieces.append(folder.read(pixel, columns).take(local))
    if not pieces:
        nothing = folder.schema.empty_table()
        pieces = [nothing if columns is None else nothing.select(columns)]
    return in_degrees(folder, stacked(pieces, folder.root))


def sample_of(folder: HatsFolder, size: int, columns: Sequence[str], keep: np.ndarray | None = None) -> Table:
    """
    Give rows at even steps through the catalogue, and all that are to be kept, as a table in the order of the sky.

    Parameters
    ----------
    folder : HatsFolder
    size : int
        How many at most; where there are no more, all of them.
    columns : sequence of str
        Which columns.
    keep : numpy.ndarray of int64, optional
        Rows that must be among them.

    Returns
    -------
    `~astropy.table.Table`
    """
    total = int(folder.starts[-1])
    rows = np.arange(total) if total <= size else _even_steps(folder, size)
    if keep is not None:
        rows = np.union1d(rows, keep)
    if len(rows) < total:
        log.info("Fitted on %d of %d galaxies, at even steps through the catalogue.", len(rows), total)
    return rows_of(folder, rows, parts_of(folder.schema, list(columns)))


def _even_steps(folder: HatsFolder, size: int) -> np.ndarray:
    """Rows at even steps through the catalogue, or through partitions at even steps where these are many."""
    number = len(folder.pixels)
    chosen = np.unique(np.arange(_SAMPLED) * number // _SAMPLED) if number > _SAMPLED else np.arange(number)
    lengths = folder.lengths[chosen]
    places = (
        np.arange(size) * int(lengths.sum()) // size if lengths.sum() > size else np.arange(lengths.sum())
    )
    begins = np.concatenate([[0], np.cumsum(lengths)])
    part = np.searchsorted(begins, places, side="right") - 1
    return folder.starts[chosen[part]] + places - begins[part]


def tagged(
    folder: HatsFolder, query: object, tags: Sequence[str] | None, embedding: str
) -> dict[str, int] | None:
    """
    Find the galaxy with most uses of each tag: its row in the catalogue; None if the query is no column of tags.

    Only galaxies that have a tag and an embedding are kept in memory.
    """
    if isinstance(query, str) and query in folder.schema.names:
        rows, entries = [], []
        for number, pixel in enumerate(folder.pixels):
            part = as_part(folder, pixel, parts_of(folder.schema, [query, embedding]))
            if len(part) and not is_tags(part[query]):
                break
            words = [text_of(entry) for entry in np.ma.filled(np.ma.asarray(part[query], dtype=object), "")]
            here = np.flatnonzero(
                [bool(word.strip()) for word in words] & read_embeddings(part, embedding).usable
            )
            rows.append(here + folder.starts[number])
            entries += [words[row] for row in here]
        else:
            found = most_tagged(Column(entries or [""]), np.ones(max(1, len(entries)), dtype=bool), tags)
            rows = np.concatenate(rows)
            return {tag: int(rows[row]) for tag, row in found.items()}
    if tags is not None:
        raise ValueError(f"tags= needs the name of a column of tags as the query, not {query!r}")
    return None


def candidates(
    folder: HatsFolder,
    query: object,
    radius: u.Quantity,
    embedding: str,
    coords: str | tuple[str, str] | None = None,
) -> tuple[object, np.ndarray]:
    """
    Find the galaxies of a catalogue that a query can mean.

    Parameters
    ----------
    folder : HatsFolder
    query : Query
        As for `galzoo_repr.find_similar`; row numbers count through all partitions.
    radius : `~astropy.units.Quantity`
        How far from a position a galaxy may be to be the one that is meant.
    embedding : str
        Column of embeddings, which are not looked at.
    coords : str or tuple of str, optional
        Where the positions are.

    Returns
    -------
    query : Query or callable
        The same, or a function that gives the query for a table of these, and perhaps more, rows of the catalogue.
    rows : numpy.ndarray of int64
        Sorted; empty where the query brings its own embeddings.
    """
    numbers = _numbers(folder, query)
    if numbers is not None:
        return (lambda rows: np.searchsorted(rows, numbers)), np.unique(numbers)
    if isinstance(query, str) and query in folder.schema.names:
        return query, _each(folder, parts_of(folder.schema, [query]), lambda table: _marked(table, query))
    texts, places = _meant(query)
    if not texts and places is None:
        return query, np.zeros(0, dtype=np.int64)
    names = [name for name in folder.schema.names if name not in parts_of(folder.schema, [embedding])]
    radius = max([radius, *(r for text in texts if (r := name_resolution(text)) is not None)])

    def matching(table: Table) -> np.ndarray:
        found = [rows_named(table, text)[0] for text in texts]
        if places is not None:
            positions = sky_positions(table, coords=coords)
            for place in places:
                apart = positions.skycoord.separation(place)
                found.append(np.flatnonzero(positions.valid & (apart <= radius)))
        return np.unique(np.concatenate(found).astype(np.int64))

    return query, _each(folder, names, matching)


def _numbers(folder: HatsFolder, query: object) -> np.ndarray | None:
    """Row numbers that a query consists of."""
    if isinstance(query, Row | Table | SkyCoord | u.Quantity | str | bytes) or hasattr(query, "__fspath__"):
        return None
    try:
        values = np.asarray(query)
    except (ValueError, TypeError):
        return None
    total = int(folder.starts[-1])
    if values.dtype.kind == "b" and values.shape == (total,):
        values = np.flatnonzero(values)
    if values.dtype.kind not in "iu" or values.ndim > 1:
        return None
    numbers = np.atleast_1d(values).astype(np.int64)
    if not len(numbers) or (numbers < -total).any() or (numbers >= total).any():
        raise ValueError(f"row {numbers.tolist()} asked for, but the catalogue has {total} rows")
    return numbers % total


def _meant(query: object) -> tuple[list[str], SkyCoord | None]:
    """Texts and positions that a query may mean."""
    if isinstance(query, Row):
        query = Table(query)
    if isinstance(query, SkyCoord | BaseCoordinateFrame):
        return [], SkyCoord(query).icrs.reshape(-1)
    if isinstance(query, Table):
        found = sky_positions(query) if _placed(query) else None
        return [], None if found is None else found.skycoord[found.valid]
    several = (
        [query] if isinstance(query, str) else query if isinstance(query, list | tuple | np.ndarray) else []
    )
    texts = [str(one) for one in several if isinstance(one, str)]
    places = []
    for one in ([tuple(query)] if len(several) == 2 and not isinstance(query, str) else []) + texts:
        try:
            places.append(read_position(one).icrs)
        except (ValueError, TypeError):
            continue
    return texts, SkyCoord([place.reshape(()) for place in places]) if places else None


def _placed(table: Table) -> bool:
    try:
        sky_positions(table[:0])
    except ValueError:
        return False
    return True


def _marked(table: Table, name: str) -> np.ndarray:
    cells = read_cells(table[name])
    if cells.values.dtype.kind != "b":
        raise TypeError(f"column {name!r} holds {table[name].dtype}; a column of examples must be boolean")
    return np.flatnonzero(cells.values & ~cells.missing)


def _each(folder: HatsFolder, columns: list[str], found: Callable[[Table], np.ndarray]) -> np.ndarray:
    """Rows that are found in each partition, by their numbers in the catalogue."""
    columns = [name for name in columns if name != INDEX]
    rows = [
        found(as_part(folder, pixel, columns)) + folder.starts[number]
        for number, pixel in enumerate(folder.pixels)
    ]
    return np.concatenate(rows).astype(np.int64)
