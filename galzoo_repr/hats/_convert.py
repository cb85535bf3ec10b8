"""Catalogues become HATS folders, and HATS folders catalogues, and nothing is lost on the way."""

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
import pyarrow as pa
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_path, check_whole_number
from galzoo_repr._folder import left_by_desktops
from galzoo_repr.catalogue import (
    PositionLike,
    as_table,
    parts_of,
    read_catalogue,
    read_position,
    stacked,
    to_arrow,
)
from galzoo_repr.hats._cut import write_pixels
from galzoo_repr.hats._declare import declare_complete, flat_provenance
from galzoo_repr.hats._folder import INDEX, HatsFolder, Pixel, as_writable
from galzoo_repr.hats._passes import ParquetRows, write_in_passes
from galzoo_repr.hats._places import ADDED, Places

if TYPE_CHECKING:
    from mocpy import MOC

__all__ = ["from_hats", "to_hats"]


def to_hats(
    catalogue: Table | SkyCoord | str | os.PathLike,
    folder: str | os.PathLike,
    *,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    name: str | None = None,
    max_rows: int = 50_000,
    overwrite: bool = False,
) -> Path:
    """
    Write a catalogue as a HATS folder: Parquet files of neighbouring galaxies, which LSDB and others read.

    Masks, units, descriptions and meta are kept, in the metadata of each partition; sky coordinates are split into
    columns, and joined by `from_hats`. The folder appears when it is complete.

    Parameters
    ----------
    catalogue : `~astropy.table.Table`, `~astropy.table.QTable`, `~astropy.coordinates.SkyCoord`, str or os.PathLike
        A table, or a file that `galzoo_repr.catalogue.read_catalogue` reads, which are held in memory. A Parquet file,
        or a folder of them with the same columns, may be larger than memory: it is sorted in pieces of 128 MB, and
        takes as much room again on the disk meanwhile.
    folder : str or os.PathLike
        To be made.
    coords : str, tuple of str or `~astropy.coordinates.SkyCoord`, optional
        Where the positions are, when the columns have unusual names.
    name : str, optional
        Name of the catalogue; that of the folder when not given.
    max_rows : int, optional
        Rows of a partition at most, the unit of work: 50,000 with embeddings of 1280 numbers are 256 MB.
    overwrite : bool, optional
        Replace a HATS catalogue that exists.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder exists; with `overwrite`, if it is no HATS catalogue.
    OSError
        If there is no room on the disk, or the folder cannot be written.
    ValueError
        If rows have no valid position, since HATS has no place for them, or a column cannot be held.
    ModuleNotFoundError
        If the extra ``[hats]`` is not installed.

    Notes
    -----
    The convention is the IVOA Note "HATS: a standard for the hierarchical adaptive tiling scheme in the Virtual
    Observatory". Rows come back in the order of their place on the sky; rows at one place in the order they had.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import from_hats, to_hats
    >>> galaxies = Table({"ra": [10.0, 200.0], "dec": [1.0, 2.0]})
    >>> folder = to_hats(galaxies, "survey")  # doctest: +SKIP
    >>> from_hats(folder).colnames  # doctest: +SKIP
    ['ra', 'dec']
    """
    max_rows = check_whole_number("max_rows", max_rows)
    folder = check_path(folder, "a HATS catalogue")
    if folder.exists():
        _check_replaceable(folder, overwrite)
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {folder.parent} to make {folder.name} in")
    places, draft = Places(coords), folder.with_name(f".{folder.name[:40]}.{uuid.uuid4().hex[:12]}.part")
    old = draft.with_suffix(".old")
    try:
        with as_writable(folder):
            draft.mkdir()
        rows = ParquetRows.of(catalogue)
        if rows is not None and not rows.small:
            pixels = write_in_passes(rows, places, draft, max_rows)
            meta = stacked([rows.schema.empty_table()], rows.files[0]).meta
        else:
            table = _in_memory(catalogue if rows is None else rows)
            arrow = to_arrow(table)
            positions, index = places.look(table, arrow)
            places.refuse_bad()
            pixels, meta = write_pixels(places.beside(arrow, positions, index), draft, max_rows), table.meta
        about = {
            "obs_collection": name or folder.name,
            "hats_col_ra": places.columns[0],
            "hats_col_dec": places.columns[1],
            "hats_builder": "galzoo_repr",
            **flat_provenance(meta),
        }
        declare_complete(draft, list(pixels), about)
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
    finally:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    """Nothing but a catalogue, or a folder without anything in it, is ever replaced."""
    if not overwrite:
        raise FileExistsError(f"{folder} exists; give another folder, or overwrite=True")
    if not folder.is_dir() or (
        any(not left_by_desktops(one.name) for one in folder.iterdir())
        and not (folder / "partition_info.csv").is_file()
    ):
        raise FileExistsError(
            f"{folder} exists and is no HATS catalogue, so it is not replaced; give another folder"
        )


def _in_memory(catalogue: Table | SkyCoord | str | os.PathLike | ParquetRows) -> Table:
    if isinstance(catalogue, ParquetRows):
        return catalogue.read()
    if isinstance(catalogue, str | os.PathLike):
        return read_catalogue(catalogue)
    return as_table(catalogue, copy=False)


def from_hats(
    folder: str | os.PathLike,
    *,
    columns: Sequence[str] | None = None,
    region: Union[tuple[PositionLike, AngleLike], "MOC", None] = None,
) -> Table:
    """
    Read a HATS folder, or a part of it, as a table.

    Parameters
    ----------
    folder : str or os.PathLike
        Written by `to_hats`, LSDB or another program.
    columns : sequence of str, optional
        Which columns; all when not given.
    region : tuple or mocpy.MOC, optional
        Only galaxies in it: ``(centre, radius)`` or a MOC. Partitions outside are not read.

    Returns
    -------
    `~astropy.table.Table` or `~astropy.table.QTable`
        As it was before `to_hats`, in the order of the sky.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no catalogue there, it is half-written or of another version, or a column is not there.

    Warns
    -----
    GalzooWarning
        For columns of others that a table cannot hold, such as nested light curves.

    Examples
    --------
    >>> from galzoo_repr.hats import from_hats
    >>> near = from_hats("survey", region=("150.1 2.2", "1 deg"))  # doctest: +SKIP
    """
    catalogue = HatsFolder.open(folder)
    wanted = _wanted(catalogue, columns)
    region = _circle(region) if isinstance(region, tuple) else region
    moc = None if region is None else _moc(region)
    pieces = []
    for pixel in catalogue.pixels:
        if moc is not None and not _overlaps(pixel, moc):
            continue
        piece = catalogue.read(pixel, wanted)
        if region is not None:
            piece = piece.filter(_inside(catalogue, pixel, region, moc))
        pieces.append(_without_additions(piece, columns))
    if not pieces:
        pieces = [_without_additions(catalogue.read(catalogue.pixels[0], wanted).slice(0, 0), columns)]
    return stacked(pieces, catalogue.root)


def _wanted(catalogue: HatsFolder, columns: Sequence[str] | None) -> list[str] | None:
    if columns is None:
        return None
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names, such as columns=[{columns!r}]")
    if not len(columns):
        raise ValueError("columns= has no names; leave it out for all columns")
    return parts_of(catalogue.schema, list(columns))


def _without_additions(arrow: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """Take off what `to_hats` added, unless it is asked for."""
    return arrow.drop_columns(
        [
            name
            for name in (INDEX, *ADDED)
            if name in arrow.column_names and (columns is None or name not in columns)
        ]
    )


def _moc(region: Union[tuple[PositionLike, AngleLike], "MOC"]) -> "MOC":
    """Region as a MOC, for a circle one that contains it."""
    from mocpy import MOC

    if isinstance(region, MOC):
        return region
    if not isinstance(region, tuple):
        raise TypeError(f"region must be (centre, radius) or a mocpy.MOC, not {region!r}")
    centre, radius = region
    # Pixels of a quarter of the radius, or finer, and at most some thousands of them.
    depth = int(np.clip(np.ceil(np.log2(60 / max(radius.to_value(u.deg), 1e-9))) + 2, 3, 20))
    return MOC.from_cone(lon=centre.ra, lat=centre.dec, radius=radius, max_depth=depth)


def _circle(region: tuple[PositionLike, AngleLike]) -> tuple[SkyCoord, u.Quantity]:
    """Read centre and radius, once: a name is looked up in the network."""
    if len(region) != 2:
        raise TypeError(f"region must be (centre, radius) or a mocpy.MOC, not {region!r}")
    centre, radius = read_position(region[0]).icrs, read_angle(region[1], "the radius of a region")
    if centre.size != 1 or not 0 <= radius.to_value(u.deg) < 180:
        raise ValueError(
            f"region must be one circle of less than 180 degrees, or a mocpy.MOC, not {region!r}"
        )
    return centre.reshape(()), radius


def _overlaps(pixel: Pixel, moc: "MOC") -> bool:
    from mocpy import MOC

    own = MOC.from_healpix_cells(
        np.array([pixel.number], dtype=np.uint64), np.array([pixel.order], dtype=np.uint8), pixel.order
    )
    return not own.intersection(moc).empty()


def _inside(
    catalogue: HatsFolder, pixel: Pixel, region: Union[tuple[PositionLike, AngleLike], "MOC"], moc: "MOC"
) -> pa.Array:
    ra, dec = (
        column.to_numpy(zero_copy_only=False)
        for column in catalogue.read(pixel, list(catalogue.positions)).columns
    )
    places = SkyCoord(ra, dec, unit="deg")
    if isinstance(region, tuple):
        centre, radius = region
        inside = places.separation(centre) <= radius
    else:
        inside = moc.contains_skycoords(places)
    return pa.array(np.asarray(inside))
