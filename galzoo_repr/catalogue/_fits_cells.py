"""What the cells of a FITS table mean: its nulls, scaled integers, logicals and lists."""

import re
from dataclasses import dataclass
from math import isclose

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.time import TIME_SCALES

__all__ = ["Cells", "cells_as_columns", "fill_times", "holds_columns_in_cells", "meant_cells"]

_LIST_OF_BYTES = re.compile(r"([01]?[PQ])([AL])(.*)")
_TRUE, _FALSE, _NULL = ord("T"), ord("F"), 0


@dataclass
class Cells:
    """
    One column as it is meant, where that is not what astropy gives.

    Attributes
    ----------
    values : `~numpy.ndarray` or None
        Its values; None where those that astropy gives are right.
    mask : bool `~numpy.ndarray` or None
        Which cells are null; None for a column that declares none and has none.
    said : str
        What had to be guessed or left out, for a warning. Empty if nothing.
    """

    values: np.ndarray | None = None
    mask: np.ndarray | None = None
    said: str = ""


@dataclass
class _Stored:
    """How the header says that the numbers of a column are stored."""

    null: int | float | str | None
    scale: float
    zero: float
    list_of: str  # A or L for a list of text or of logicals, which is read as bytes; else empty

    def meant(self, raw: np.ndarray) -> np.ndarray:
        """Scale numbers; integers stay integers where they can."""
        if (self.scale, self.zero) == (1, 0):
            return raw
        if raw.dtype.kind in "iu" and self.scale == 1 and float(self.zero).is_integer():
            whole = _moved(raw, int(self.zero))
            if whole is not None:
                return whole
        return raw.astype(float) * self.scale + self.zero


def meant_cells(hdu: fits.BinTableHDU | fits.TableHDU) -> dict[str, Cells]:
    """
    Find what the cells of each column of a table mean.

    astropy compares the null of a column (``TNULLn``) with the scaled values, but the standard (4.0, section
    7.3.2) means the values in the file; it takes null logicals for false, all scaled integers for floats, and
    scaled lists for integers. In a table of text, nulls are texts, and blank cells of numbers are null here, too: to
    the letter of the standard they are zero, but nobody who means zero leaves a cell blank.

    Parameters
    ----------
    hdu : `~astropy.io.fits.BinTableHDU` or `~astropy.io.fits.TableHDU`
        Read from a file, its columns not yet looked at. Afterwards it declares no nulls, and a binary table no
        scales.

    Returns
    -------
    dict
        `Cells` by name of column.
    """
    if isinstance(hdu, fits.TableHDU):
        nulls = [hdu.header.get(f"TNULL{i}") for i in range(1, hdu.header["TFIELDS"] + 1)]
        cells = [_of_text(hdu, i, null) for i, null in enumerate(nulls)]
        for column in hdu.columns:
            column.null = None
    else:
        stored = [_take_stored(hdu.header, i) for i in range(1, hdu.header["TFIELDS"] + 1)]
        cells = [_of_binary(hdu, i, each) for i, each in enumerate(stored)]
    return {column.name: each for column, each in zip(hdu.columns, cells, strict=True)}


def _take_stored(header: fits.Header, number: int) -> _Stored:
    """
    Take null and scale of a column out of the header.

    Lists of text and of logicals are made lists of bytes there: astropy stops at text beyond ASCII, and knows no
    nulls.
    """
    form = str(header[f"TFORM{number}"]).strip()
    if form.lstrip("0123456789")[:1] in ("C", "M"):
        return _Stored(None, 1, 0, "")
    found = _LIST_OF_BYTES.fullmatch(form)
    if found:
        header[f"TFORM{number}"] = f"{found[1]}B{found[3]}"
    null, scale, zero = (
        header.pop(f"{keyword}{number}", usual)
        for keyword, usual in (("TNULL", None), ("TSCAL", 1), ("TZERO", 0))
    )
    if isinstance(null, str):
        # Some programs quote numbers.
        null = int(null) if re.fullmatch(r"\s*[-+]?\d+\s*", null) else None
    return _Stored(null, scale, zero, found[2] if found else "")


def _raw(hdu: fits.BinTableHDU | fits.TableHDU, i: int) -> np.ndarray:
    data = hdu.data.view(np.ndarray)
    return data[data.dtype.names[i]]


def _of_binary(hdu: fits.BinTableHDU, i: int, stored: _Stored) -> Cells:
    column = hdu.columns[i]
    kind = column.format.format
    if kind in "PQ":
        return _of_lists(column.name, [np.asarray(cell) for cell in hdu.data[column.name]], stored)
    if kind == "L":
        return _of_logicals(column.name, _raw(hdu, i))
    return _of_numbers(column.name, _raw(hdu, i), stored) if kind in "BIJKED" else Cells()


def _of_numbers(name: str, raw: np.ndarray, stored: _Stored) -> Cells:
    null, said = stored.null, ""
    mask = None if null is None else raw == null
    values = stored.meant(raw)
    if mask is not None and values.dtype.kind in "iu" and not mask.any() and (after := values == null).any():
        mask = after
        said = (
            f"in column {name!r}, cells of {null} are masked ({after.sum()}): TNULL is {null} and should count "
            "before TZERO, where no cell has it; some programs write it as it is after TZERO."
        )
    if mask is not None and values.dtype.kind == "f":
        values = np.where(mask, values.dtype.type(np.nan), values)
    return Cells(None if values is raw else values, mask, said)


def _moved(raw: np.ndarray, zero: int) -> np.ndarray | None:
    """Add a whole ``TZERO`` to integers exactly; None if 64 bits do not hold the result."""
    bits = 8 * raw.dtype.itemsize
    if raw.dtype.kind == "i" and isclose(zero, 2 ** (bits - 1), rel_tol=1e-13):
        # The way in which FITS holds unsigned integers; some programs write 2^63 with 15 digits. The inverse of
        # the highest bit is the sum.
        return raw.astype(f"u{bits // 8}") ^ np.array(2 ** (bits - 1), dtype=f"u{bits // 8}")
    if raw.dtype.kind == "u" and zero == -128:
        return (raw ^ np.uint8(128)).view(np.int8)
    lowest, highest = (int(raw.min()), int(raw.max())) if raw.size else (0, 0)
    if lowest + zero < -(2**63) or highest + zero >= 2**63 or abs(zero) >= 2**63:
        return None
    return raw.astype(np.int64) + zero


def _of_logicals(name: str, raw: np.ndarray) -> Cells:
    odd = (raw != _TRUE) & (raw != _FALSE) & (raw != _NULL)
    said = ""
    if odd.any():
        said = (
            f"in column {name!r}, cells that are neither T, F nor null are masked, as nothing else is a logical "
            f"value in FITS ({np.count_nonzero(odd)}, the first is byte {int(raw[odd][0])})."
        )
    mask = odd | (raw == _NULL)
    return Cells(raw == _TRUE, mask, said) if mask.any() else Cells()


def _of_lists(name: str, cells: list[np.ndarray], stored: _Stored) -> Cells:
    """Cells of any length: text, one value or none in each, arrays of one shape, or arrays."""
    said = ""
    if stored.list_of == "A":
        text = [cell.astype(np.uint8).tobytes() for cell in cells]
        return Cells(np.array(text, dtype=bytes) if text else np.zeros(0, "S1"))
    cells = [cell.astype(cell.dtype.newbyteorder("=")) for cell in cells]
    if stored.list_of == "L":
        cells, nulls, said = _logical_lists(name, cells)
    else:
        nulls = [np.zeros(cell.shape, bool) if stored.null is None else cell == stored.null for cell in cells]
        cells = [stored.meant(cell) for cell in cells]
    shapes = {cell.shape for cell in cells}
    if shapes and shapes <= {(0,), (1,)} and (1,) in shapes:
        values = np.array([cell[0] if cell.size else np.zeros(1, cell.dtype)[0] for cell in cells])
        mask = np.array([not cell.size or gap[0] for cell, gap in zip(cells, nulls, strict=True)])
    elif len(shapes) == 1 and shapes != {(0,)}:
        values, mask = np.array(cells), np.array(nulls)
    else:
        values, mask = np.empty(len(cells), dtype=object), None
        values[:] = [
            np.ma.array(cell, mask=gaps) if gaps.any() else cell
            for cell, gaps in zip(cells, nulls, strict=True)
        ]
        return Cells(values, said=said)
    if values.dtype.kind in "fc":
        values[mask] = np.nan
        mask = mask if stored.null is not None else None
    return Cells(values, mask if mask is not None and (mask.any() or stored.null is not None) else None, said)


def _logical_lists(name: str, cells: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray], str]:
    """Which bytes of lists are true, which are null, and what had to be guessed."""
    found = {int(each) for cell in cells for each in np.unique(cell)}
    if found == {_NULL, 1} or found == {1}:
        said = (
            f"in column {name!r}, 1 is taken for true and 0 for false, as astropy before 8.0 wrote lists of "
            "logical values; in FITS, true is T, false is F, and 0 is null."
        )
        return [cell == 1 for cell in cells], [np.zeros(cell.shape, bool) for cell in cells], said
    said = ""
    if found == {_NULL}:
        said = f"in column {name!r}, all logical values are null; astropy before 8.0 wrote false like this."
    elif odd := found - {_TRUE, _FALSE, _NULL}:
        said = (
            f"in column {name!r}, what is neither T, F nor null in lists is masked, as nothing else is a logical "
            f"value in FITS (the first is byte {min(odd)})."
        )
    return [cell == _TRUE for cell in cells], [(cell != _TRUE) & (cell != _FALSE) for cell in cells], said


def _of_text(hdu: fits.TableHDU, i: int, null: str | int | None) -> Cells:
    """Cells of a table of text, in which a number that cannot be read is null."""
    column, raw = hdu.columns[i], np.char.strip(_raw(hdu, i))
    mask = np.zeros(len(raw), bool) if null is None else raw == str(null).strip().encode("latin-1", "replace")
    if column.format.format == "A":
        return Cells(mask=mask if mask.any() else None)
    mask |= raw == b""
    odd = [j for j in np.flatnonzero(~mask) if not _is_number(raw[j])] if not _are_numbers(raw[~mask]) else []
    said = ""
    if odd:
        said = (
            f"in column {column.name!r}, cells that are no numbers are masked "
            f"({len(odd)}, the first is {raw[odd[0]].decode('latin-1')!r})."
        )
        mask[odd] = True
        _raw(hdu, i)[odd] = b""
    values = np.array(hdu.data[column.name])
    if values.dtype.kind == "f":
        values[mask] = np.nan
    return Cells(values, mask if mask.any() or null is not None else None, said)


def _are_numbers(raw: np.ndarray) -> bool:
    try:
        np.char.replace(np.char.upper(raw), b"D", b"E").astype(float)
    except ValueError:
        return False
    return True


def _is_number(raw: bytes) -> bool:
    return _are_numbers(np.array([raw]))


def holds_columns_in_cells(table: Table) -> bool:
    """Whether a table is one row of whole columns, as IDL writes a structure, and TOPCAT as ``colfits``."""
    lengths = {column.shape[1:2] for column in table.itercols()}
    return (
        len(table) == 1 and len(table.colnames) > 1 and len(lengths) == 1 and lengths.pop() not in {(), (1,)}
    )


def cells_as_columns(table: Table) -> Table:
    """Make the cells of a table of one row its columns."""
    rows = Table(meta=table.meta)
    for column in table.itercols():
        attributes = {
            each: getattr(column, each) for each in ("name", "unit", "description", "format", "meta")
        }
        cell = column[0][:, 0] if column.shape[2:] == (1,) else column[0]
        rows.add_column(type(column)(cell, **attributes), copy=False)
    return rows


def fill_times(hdu: fits.BinTableHDU) -> dict[str, np.ndarray]:
    """Put some date where a time is missing, without which astropy makes no times of a column, and say where."""
    gaps = {}
    for column in hdu.columns:
        if column.coord_type is not None and column.coord_type.lower() in TIME_SCALES:
            days = hdu.data[column.name]
            gap = np.isnan(days).any(axis=tuple(range(1, days.ndim)))
            if gap.any():
                days[gap] = 0
                gaps[column.name] = gap
    return gaps
