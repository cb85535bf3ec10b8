"""A large table into a FITS file, some rows at a time: astropy makes three copies of what it writes."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

__all__ = ["write_in_parts"]

_BYTES_AT_ONCE = 2**24
_BLOCK = 2880


def write_in_parts(table: Table, to_hdu: Callable[[Table], fits.BinTableHDU], path: Path) -> None:
    """
    Write a table as ``to_hdu(table).writeto(path)`` does, in the memory of some rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With plain columns.
    to_hdu : callable
        Makes the HDU of a part of the rows; all parts must have columns of one format.
    path : pathlib.Path
        New file.
    """
    # A time has no dtype, and becomes two numbers.
    sizes = {
        column.info.name: getattr(column, "dtype", np.dtype("c16")).itemsize for column in table.itercols()
    }
    width = sum(size * int(np.prod(table[name].shape[1:])) for name, size in sizes.items())
    rows = max(1, _BYTES_AT_ONCE // max(1, width))
    if len(table) <= rows:
        to_hdu(table).writeto(path)
        return
    with path.open("wb") as file:
        for start in range(0, len(table), rows):
            part = table[start : start + rows]
            if start:
                # The header is that of the first part.
                part.meta.clear()
            buffer = io.BytesIO()
            to_hdu(part).writeto(buffer)
            content = buffer.getvalue()
            with fits.open(io.BytesIO(content)) as hdus:
                header, places = hdus[1].header, hdus[1].fileinfo()
            if not start:
                header["NAXIS2"] = len(table)
                file.write(content[: places["hdrLoc"]])
                file.write(header.tostring().encode("ascii"))
            file.write(content[places["datLoc"] :][: header["NAXIS1"] * len(part)])
        file.write(bytes(-file.tell() % _BLOCK))
