"""Catalogues in files: the format from the name, a whole file or none, and a warning for what is not kept."""

import gzip
import lzma
import os
import re
import shutil
import warnings
import zipfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from numbers import Integral
from pathlib import Path

from astropy.io.registry import IORegistryError
from astropy.table import Table

from galzoo_repr._arguments import check_path
from galzoo_repr._folder import published
from galzoo_repr.catalogue._columns import as_table
from galzoo_repr.catalogue._files_beside import note_folder
from galzoo_repr.catalogue._unpacked import refuse_bombs, unpacked
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_catalogue", "table_format", "write_catalogue"]

_FORMATS = {
    "ecsv": (".ecsv",),
    "parquet": (".parquet", ".parq", ".pq"),
    "fits": (".fits", ".fit", ".fts"),
    "votable": (".vot", ".votable", ".xml"),
}
_TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".asc", ".ascii", ".tbl", ".mrt", ".cat")
_LONGEST_REASON = 300
_DELIMITERS = {"text": None, "csv": ",", "tsv": "\t"}
_NAMES = {
    "ecsv": "ECSV",
    "parquet": "Parquet",
    "fits": "FITS",
    "votable": "VOTable",
    "text": "a table of text",
    "csv": "CSV",
    "tsv": "TSV",
}
_OF_SEVERAL = ("fits", "votable")
_EXCEL, _TAR = "an Excel workbook", "a tar archive"
_NOT_UNPACKED = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_BEGINNINGS = {
    "fits": re.compile(rb"SIMPLE  ="),
    "parquet": re.compile(rb"PAR1"),
    "votable": re.compile(rb"\s*(<\?xml.*)?(<!--.*)?<VOTABLE\b", re.DOTALL),
    "ecsv": re.compile(rb"# %ECSV "),
    _EXCEL: re.compile(rb"PK\x03\x04.*(xl/|\[Content_Types\])|\xd0\xcf\x11\xe0", re.DOTALL),
    _TAR: re.compile(rb".{257}ustar", re.DOTALL),
    "a web page": re.compile(rb"\s*<(!DOCTYPE html|html)\b", re.IGNORECASE),
}


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
    table = as_table(table, copy=False)
    path = check_path(path, "a catalogue")
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


def read_catalogue(
    path: str | os.PathLike, *, format: str | None = None, table: str | int | None = None
) -> Table:
    r"""
    Read a catalogue from a file.

    Parameters
    ----------
    path : str or path-like
        ECSV, Parquet, FITS or VOTable by the ending of its name, or a table of text (``.csv``, ``.tsv``, ``.txt``,
        ``.dat`` and the like); ``.gz`` allowed. A file of another name, or a text file that is none, is read by what
        it begins with, and otherwise left to `astropy.table.Table.read`.
    format : str, optional
        What it is, whatever its name: ``"ecsv"``, ``"parquet"``, ``"fits"``, ``"votable"``, ``"csv"``, ``"tsv"``,
        ``"text"`` (the delimiter is found), or a name that `astropy.table.Table.read` knows.
    table : str or int, optional
        Which of the tables of a FITS or VOTable file: its name, or its number among them, from 0. Without it, a
        VOTable must hold one table that has rows, and the first table of a FITS file is read, with a warning if there
        are others.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if it was written with quantities. Values are in the byte order of this
        machine, text is `str`, and missing floats are NaN unless they were written masked. Empty cells of a table of
        text are masked. Where names of image files are not found from the current folder, but from that of the
        catalogue, the meta of their column has the latter as ``folder``, and they are read from there.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If the file is not a catalogue of the format that its name says, or there is no such format or table.
    TypeError
        If ``table`` is neither a name nor a number.

    Warns
    -----
    GalzooWarning
        If the record that the package leaves in FITS and VOTable files is damaged, a column of a Parquet
        file has no counterpart in a table, or text was read by guess.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr.catalogue import read_catalogue
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "galaxies.csv")
    ...     _ = path.write_text("\ufeffid;ra;dec\n007;150,1;2,2\n", encoding="utf-8")  # as a spreadsheet saves it
    ...     read_catalogue(path)  # doctest: +IGNORE_WARNINGS
    <Table length=1>
     id     ra     dec
    str3 float64 float64
    ---- ------- -------
     007   150.1     2.2
    """
    path = check_path(path, "a catalogue")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file; give the name of a file")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if isinstance(table, bool) or not isinstance(table, str | Integral | None):
        raise TypeError(f"table must be the name of a table or its number from 0, not {table!r}")
    found = _found_format(path)
    file_format = format or _format_of(path)[0] or found
    try:
        read = _reader(file_format)
        if table is not None:
            if file_format not in _OF_SEVERAL:
                refuse_bombs(path)  # which says it where a packed file is cut short
                raise ValueError("only FITS and VOTable files hold several tables; leave table= out")
            read = partial(read, table=table)
        return note_folder(read(path), path.parent)
    except (MemoryError, PermissionError, GalzooWarning):
        raise
    except Exception as error:
        what = _NAMES.get(file_format, "a table")
        reason = "it is empty" if _is_empty(path) else _in_short(error, file_format, found)
        raise ValueError(f"cannot read {path} as {what}: {reason}") from error


def _reader(file_format: str | None) -> Callable[[Path], Table]:
    if file_format in _FORMATS:
        return getattr(import_module(f"galzoo_repr.catalogue._{file_format}"), f"read_{file_format}")
    if file_format in _DELIMITERS:
        read_text = import_module("galzoo_repr.catalogue._text").read_text
        return partial(read_text, delimiter=_DELIMITERS[file_format])
    return partial(_read_by_astropy, file_format=file_format)


def _read_by_astropy(path: Path, file_format: str | None) -> Table:
    refuse_bombs(path)
    return Table.read(path, format=file_format)


def _found_format(path: Path) -> str | None:
    """Tell the format of a file by its beginning, or else whether its name is that of a text file."""
    try:
        with path.open("rb") as file:
            beginning = file.read(4096)
        if not _BEGINNINGS[_EXCEL].match(beginning):
            with unpacked(path) as file:
                beginning = file.read(4096).removeprefix(BOM_UTF8)
    except _NOT_UNPACKED:
        return None
    for key, pattern in _BEGINNINGS.items():
        if pattern.match(beginning):
            return key
    name = path.name.lower()
    for packed in (".gz", ".bz2", ".xz", ".zip", ".z"):
        name = name.removesuffix(packed)
    return "text" if name.endswith(_TEXT) or "." not in name else None


def _is_empty(path: Path) -> bool:
    try:
        with unpacked(path) as file:
            return not file.read(1)
    except _NOT_UNPACKED:
        return False


def _in_short(error: Exception, file_format: str | None, found: str | None) -> str:
    """Say in a line or two why a file was not read; readers of text give pages."""
    if found in _FORMATS and found != file_format:
        return f"by its beginning it is {_NAMES[found]}; give it that ending, or pass format={found!r}"
    if found is not None and found not in _FORMATS and found not in _DELIMITERS:
        do = "unpack it, and read one of its files" if found == _TAR else "save the table as CSV or FITS"
        return f"it is {found}; {do}"
    if isinstance(error, IORegistryError):
        known = f"pass format= ({', '.join([*_FORMATS, *_DELIMITERS])}, or a name that Table.read of astropy knows)"
        if file_format is not None:
            return f"there is no format {file_format!r}; {known}"
        return f"its name does not say what it is; give it the ending of its format, or {known}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    return said if len(said) <= _LONGEST_REASON else f"{said[:_LONGEST_REASON]} ..."


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
        plain = Path(path).name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt", ".dat"))
        why = (
            " (plain text keeps neither units nor embeddings; ECSV is text that keeps both)" if plain else ""
        )
        raise ValueError(f"cannot tell the format of {path}; its name must end in {_endings()}{why}")
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
