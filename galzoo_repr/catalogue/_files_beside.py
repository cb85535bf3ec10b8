"""Names of image files that are meant from the folder of their catalogue, so that both can be moved together."""

import re
from pathlib import Path

import numpy as np
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr.catalogue._cells import texts_of

__all__ = ["files_in", "note_folder"]

FOLDER = "folder"  # key in the meta of a column
_IMAGE = re.compile(r"[^/\\:][^:]*\.(jpe?g|png|tiff?|webp|gif|bmp|fits?|fts|npy)(\.(gz|fz))?", re.IGNORECASE)


def note_folder(table: Table, folder: Path) -> Table:
    """
    Note the folder of a catalogue in the meta of its columns of image files that stand there, and give the table.

    Those are meant whose first name is that of no file from the current folder, as names otherwise are, but of one from
    the folder of the catalogue. The names stay as they are, so that they are the same wherever both are moved.
    """
    for name in table.colnames:
        column = table[name]
        if not isinstance(column, Column) or column.dtype.kind not in "UO" or column.ndim != 1:
            continue
        first = next((cell for cell in column if not _is_blank(cell)), None)
        if not isinstance(first, str) or not _IMAGE.fullmatch(first.strip()):
            continue
        first = Path(first.strip())
        if not _is_file(first) and _is_file(folder / first):
            column.meta[FOLDER] = str(folder.absolute())
    return table


def _is_blank(cell: object) -> bool:
    return cell is None or cell is np.ma.masked or (isinstance(cell, str) and not cell.strip())


def files_in(column: ArrayLike) -> ArrayLike | list:
    r"""
    Give a column of image files with names by which they are found.

    Parameters
    ----------
    column : `~astropy.table.Column` or array-like
        Of texts, or of pictures in another form, which come back as they are.

    Returns
    -------
    array-like or list of str
        Names that are not found from the current folder have the folder before them of which `read_catalogue` noted
        that such files stand there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr.catalogue import files_in, read_catalogue
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = Path(folder, "a.jpg").write_bytes(b""), Path(folder, "galaxies.csv").write_text("name,file_loc\nA,a.jpg\n")
    >>> galaxies = read_catalogue(folder / "galaxies.csv")
    >>> galaxies["file_loc"].tolist(), files_in(galaxies["file_loc"]) == [str(folder / "a.jpg")]
    (['a.jpg'], True)
    """
    meta = getattr(getattr(column, "info", None), "meta", None) or {}
    if not isinstance(folder := meta.get(FOLDER), str):
        return column
    return [_found(text.strip(), Path(folder)) for text in texts_of(column)]


def _found(text: str, folder: Path) -> str:
    there = not text or Path(text).is_absolute() or "://" in text or _is_file(Path(text))
    return text if there else str(folder / text)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False
