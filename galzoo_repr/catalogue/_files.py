"""Catalogues in files: the format from the name, a whole file or none, and a warning for what is not kept."""

import gzip
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path

from astropy.table import Table

from galzoo_repr._folder import published
from galzoo_repr.catalogue._columns import as_table
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_catalogue", "table_format", "write_catalogue"]

_FORMATS = {
    "ecsv": (".ecsv",),
    "parquet": (".parquet", ".parq", ".pq"),
    "fits": (".fits", ".fit", ".fts"),
    "votable": (".vot", ".votable", ".xml"),
}
_NAMES = {"ecsv": "ECSV", "parquet": "Parquet", "fits": "FITS", "votable": "VOTable"}


def write_catalogue(table: Table, path: str | os.PathLike, overwrite: bool = False) -> None:
    """
    Write a catalogue to a file.

    The file appears under its name when it is complete: a reader never sees half of it, and an existing file
    stays until then. Embeddings, masks, coordinates, units, descriptions and nested meta survive in each of
    the four formats, as far as the documentation's table of formats says.

    Parameters
    ----------
    table : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        Left as it is.
    path : str or path-like
        The ending gives the format: ``.ecsv``, ``.parquet`` (``.parq``, ``.pq``), ``.fits`` (``.fit``,
        ``.fts``) or ``.vot`` (``.votable``, ``.xml``); ``.gz`` behind it compresses, except Parquet, which is
        compressed by itself.
    overwrite : bool, optional
        Whether a file that exists may be replaced.

    Raises
    ------
    ValueError
        If the ending is another, or the table has no columns.
    FileExistsError
        If the file exists and ``overwrite`` is false.
    OSError
        If the file cannot be written; nothing is left behind then.

    Warns
    -----
    GalzooWarning
        For each thing that the format cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import read_catalogue, write_catalogue
    >>> galaxies = Table({"ra": [10.0], "dec": [1.0]}, meta={"origin": {"survey": "DECaLS"}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_catalogue(galaxies, Path(folder, "galaxies.fits"))
    ...     read_catalogue(Path(folder, "galaxies.fits")).meta["origin"]
    {'survey': 'DECaLS'}
    """
    table = as_table(table)
    path = Path(path).expanduser()
    file_format, compressed = table_format(path), _format_of(path)[1]
    if not table.colnames:
        raise ValueError("the catalogue has no columns, so there is nothing to write")
    write = getattr(import_module(f"galzoo_repr.catalogue._{file_format}"), f"write_{file_format}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    packed = partial(_compressed, ending=_FORMATS[file_format][0]) if compressed else nullcontext
    with published(path) as draft, packed(draft) as plain:
        for sentence in write(table, plain):
            warnings.warn(f"{path.name}: {sentence}", GalzooWarning, stacklevel=2)


def read_catalogue(path: str | os.PathLike) -> Table:
    """
    Read a catalogue from a file.

    Parameters
    ----------
    path : str or path-like
        ECSV, Parquet, FITS or VOTable by the ending of its name, ``.gz`` allowed; any other file is left to
        `astropy.table.Table.read`.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if it was written with quantities. Values are in the byte order of this
        machine, text is `str`, and missing floats are NaN unless they were written masked.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If the file is not a catalogue of the format that its name says.

    Warns
    -----
    GalzooWarning
        If the record that the package leaves in FITS and VOTable files is damaged, or a column of a Parquet
        file has no counterpart in a table.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file; give the name of a file")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    file_format, _ = _format_of(path)
    try:
        if file_format is None:
            return Table.read(path)
        read = getattr(import_module(f"galzoo_repr.catalogue._{file_format}"), f"read_{file_format}")
        return read(path)
    except (MemoryError, PermissionError, GalzooWarning):
        raise
    except Exception as error:
        raise ValueError(f"cannot read {path} as {_NAMES.get(file_format, 'a table')}: {error}") from error


def table_format(path: str | os.PathLike) -> str:
    """
    Format in which a table is written to a file of this name.

    Parameters
    ----------
    path : str or path-like
        Such as ``"galaxies.fits"``; it need not exist.

    Returns
    -------
    str
        ``"ecsv"``, ``"parquet"``, ``"fits"`` or ``"votable"``.

    Raises
    ------
    ValueError
        If `write_catalogue` cannot write a file of this name.

    Examples
    --------
    >>> from galzoo_repr.catalogue import table_format
    >>> table_format("galaxies.ecsv.gz")
    'ecsv'
    """
    file_format, compressed = _format_of(Path(path))
    if file_format is None:
        raise ValueError(f"cannot tell the format of {path}; its name must end in {_endings()}")
    if compressed and file_format == "parquet":
        raise ValueError(f"Parquet compresses by itself; leave the .gz off {path}")
    return file_format


def _format_of(path: Path) -> tuple[str | None, bool]:
    name = path.name.lower()
    compressed = name.endswith(".gz")
    name = name.removesuffix(".gz")
    found = [key for key, endings in _FORMATS.items() if name.endswith(endings)]
    return (found[0] if found else None), compressed


def _endings() -> str:
    return ", ".join(ending for endings in _FORMATS.values() for ending in endings)


@contextmanager
def _compressed(path: Path, ending: str) -> Iterator[Path]:
    """Give a file beside the path to be written, which is then compressed into it."""
    plain = path.with_suffix(ending)
    try:
        yield plain
        with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=6) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    finally:
        plain.unlink(missing_ok=True)
