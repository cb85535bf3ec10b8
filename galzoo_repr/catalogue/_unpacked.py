"""How much a packed file may unpack to, and where a FITS file must begin, which is looked at before all is read."""

import bz2
import gzip
import lzma
from pathlib import Path

from astropy.utils.data import get_readable_fileobj

__all__ = ["refuse_bombs", "refuse_endless_header", "refuse_missing_bytes"]

_OPEN = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_FACTOR, _ALWAYS = 100, 2**28
_PIECE = 2**20
_HEADER = 2**24
_END = b"END".ljust(80)


def refuse_bombs(path: Path) -> None:
    """
    Refuse a packed file that unpacks to more than a hundred times its size, and 256 MiB, with a `ValueError`.

    Real tables have a fiftieth at the least. What it unpacks to is counted and thrown away, a second for some 200 MB.
    """
    with path.open("rb") as file:
        start = file.read(8)
    opened = next((of for mark, of in _OPEN.items() if start.startswith(mark)), None)
    if opened is None:
        return
    most, came = _most(path), 0
    with opened(path, "rb") as file:
        while piece := len(file.read(_PIECE)):
            came += piece
            if came > most:
                raise ValueError(
                    f"it unpacks to more than {most >> 20} MiB, which no table of its size does; unpack it yourself if "
                    "it is one"
                )


def refuse_endless_header(path: Path) -> None:
    """Refuse what does not begin as FITS, or whose first header has no end within 16 MiB, with a `ValueError`."""
    with get_readable_fileobj(str(path), encoding="binary") as file:
        for start in range(0, _HEADER, 2880):
            block = file.read(2880)
            if start == 0 and not block.startswith(b"SIMPLE  ="):
                raise ValueError("it does not begin with SIMPLE, as FITS does; is it of another format?")
            if len(block) < 2880 or any(block[i : i + 80] == _END for i in range(0, 2880, 80)):
                return
    raise ValueError("its header has no end")


def refuse_missing_bytes(path: Path, size: int) -> None:
    """Refuse a table of more bytes than its file can have, before there is room made for them, with a `ValueError`."""
    with path.open("rb") as file:
        packed = file.read(8).startswith(tuple(_OPEN))
    if size > (_most(path) if packed else path.stat().st_size):
        raise ValueError(f"its header tells of {size} bytes, which are not there; get the file again")


def _most(path: Path) -> int:
    return max(_ALWAYS, _FACTOR * path.stat().st_size)
