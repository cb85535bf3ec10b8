"""Packed files, unpacked once and not without bound, and where a FITS file must begin, looked at before all is read."""

import bz2
import gzip
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from galzoo_repr._arguments import some_of
from galzoo_repr._folder import left_by_desktops

__all__ = [
    "is_packed",
    "no_table",
    "refuse_bombs",
    "refuse_endless_header",
    "refuse_missing_bytes",
    "refuse_repeated_cells",
    "unpacked",
    "whole",
]

_FACTOR, _ALWAYS = 100, 2**28
_PIECE = 2**20
_HEADER = 2**24
_END = b"END".ljust(80)
# Format of a column: how many, the letter, and of cells of several lengths that of their values; and bytes by letter.
_FORM = re.compile("([0-9]*)([A-Z])([A-Z])?")
_BYTES = {"I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}


class _Counted:
    """What a file unpacks to, which is refused when more comes than is allowed."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most, self._came = file, most, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size if 0 <= size < _PIECE else _PIECE)
        self._came += len(piece)
        if self._came > self._most:
            raise ValueError(
                f"it unpacks to more than {self._most >> 20} MiB, which no table of its size does; unpack it yourself "
                "if it is one"
            )
        return piece


@contextmanager
def _only_file(path: Path) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(path) as archive:
        names = [one for one in archive.namelist() if not one.endswith("/") and not left_by_desktops(one)]
        if len(names) != 1:
            raise ValueError(
                f"it is an archive of {len(names)} files; unpack it, and read one of them: {some_of(names, 5)}"
            )
        with archive.open(names[0]) as file:
            yield file


def _lzw(path: Path) -> BinaryIO:
    try:
        from uncompresspy import LZWFile
    except ImportError:
        raise ValueError("it is packed by compress; unpack it first, with gunzip") from None
    return LZWFile(path)


_OPEN: dict[bytes, Callable] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"PK\x03\x04": _only_file,
    b"\x1f\x9d": _lzw,
}


def _opener(path: Path) -> Callable | None:
    with path.open("rb") as file:
        start = file.read(8)
    return next((of for mark, of in _OPEN.items() if start.startswith(mark)), None)


def is_packed(path: Path) -> bool:
    """Whether a file is packed by gzip, bzip2, xz, zip or compress."""
    return _opener(path) is not None


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """
    Open a file to be read from its beginning to its end, a packed one as what it unpacks to.

    Each `read` gives a MiB at most, and nothing at the end. A packed file that unpacks to more than a hundred times its
    size, and 256 MiB, is refused with a `ValueError` when that has come: real tables have a fiftieth at the least.
    """
    opener = _opener(path)
    if opener is None:
        with path.open("rb") as file:
            yield file
    else:
        with opener(path) as file:
            yield _Counted(file, max(_ALWAYS, _FACTOR * path.stat().st_size))


def whole(path: Path) -> BytesIO:
    """Unpack a file into memory, within the bounds of `unpacked`."""
    content = BytesIO()
    with unpacked(path) as file:
        while piece := file.read(_PIECE):
            content.write(piece)
    content.seek(0)
    return content


def refuse_bombs(path: Path) -> None:
    """Refuse a packed file that unpacks without bound, before a reader unpacks it that does not count."""
    if is_packed(path):
        with unpacked(path) as file:
            while file.read(_PIECE):
                pass


def refuse_endless_header(file: BinaryIO) -> None:
    """Refuse what does not begin as FITS, or whose first header has no end within 16 MiB, with a `ValueError`."""
    for start in range(0, _HEADER, 2880):
        block = file.read(2880)
        if start == 0 and not block.startswith(b"SIMPLE  ="):
            raise ValueError("it does not begin with SIMPLE, as FITS does; is it of another format?")
        if len(block) < 2880 or any(block[i : i + 80] == _END for i in range(0, 2880, 80)):
            return
    raise ValueError("its header has no end")


def refuse_missing_bytes(size: int, there: int) -> None:
    """Refuse a table of more bytes than are there, before there is room made for them, with a `ValueError`."""
    if size > there:
        raise ValueError(f"its header tells of {size} bytes, which are not there; get the file again")


def no_table(hdus: fits.HDUList, there: int) -> ValueError:
    """Say that a file has no table, or that it breaks off within a header, which astropy leaves out of its list."""
    last = hdus[-1].fileinfo()
    broken = last["datLoc"] + last["datSpan"] < there
    return ValueError(
        "it breaks off within the header of a table; get the file again" if broken else "it holds no table"
    )


def refuse_repeated_cells(file: BinaryIO, header: fits.Header, start: int, there: int) -> None:
    """
    Refuse a FITS table whose cells of several lengths lie on one another, by the measure of packed files.

    Each row says where its cell is, so that a million rows can have the same megabyte. The rows are read from `start`,
    as what astropy made of them has been given its types for good.
    """
    forms = [_FORM.match(str(header[f"TFORM{i}"]).strip()) for i in range(1, header["TFIELDS"] + 1)]
    if not all(forms) or not any(form[2] in "PQ" for form in forms) or header["XTENSION"] != "BINTABLE":
        return
    before = file.tell()
    file.seek(start)
    rows = np.frombuffer(file.read(header["NAXIS1"] * header["NAXIS2"]), np.uint8)
    file.seek(before)
    rows, place, size = rows.reshape(-1, header["NAXIS1"]), 0, 0.0
    for repeat, letter, of in (form.groups() for form in forms):
        count, width = int(repeat or 1), _BYTES.get(letter, 1)
        if letter in "PQ" and count:
            lengths = np.ascontiguousarray(rows[:, place : place + width // 2]).view(f">i{width // 2}")
            size += lengths.clip(0).sum(dtype=np.float64) * _BYTES.get(of, 1)
        place += -(-count // 8) if letter == "X" else count * width
    if size > max(_ALWAYS, _FACTOR * there):
        raise ValueError(
            f"its cells hold {int(size) >> 20} MiB by what they say, and lie on one another in the file"
        )
