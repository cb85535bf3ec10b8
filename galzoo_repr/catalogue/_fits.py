"""Catalogues as FITS binary tables, with one header card for the meta that FITS keywords cannot hold."""

import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.io.fits.connect import REMOVE_KEYWORDS, is_column_keyword
from astropy.table import MaskedColumn, QTable, Table
from astropy.table.column import BaseColumn
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from galzoo_repr.catalogue._columns import as_table
from galzoo_repr.catalogue._record import recorded, to_text
from galzoo_repr.catalogue._storable import code_points, replace_data, storable

__all__ = ["read_fits", "write_fits"]

_RECORD = "GZRMETA"
_UNUSUAL_NAME = "It is strongly recommended that column names"
_CARD = 68  # characters of text in one
_LONGEST_NAME = 55  # to which astropy appends the name of a part, of coordinates and of masks
_KEYWORD = re.compile(r"(?!NAXIS\d+$)[A-Z0-9_-]{1,8}")

# What astropy adds to the header for columns of times.
_OF_TIME_COLUMNS = {"TIMESYS", "JDREF", "TREFPOS"}
_NOT_FOR_META = {
    *(*REMOVE_KEYWORDS, *_OF_TIME_COLUMNS, _RECORD),
    *("COMMENT", "HISTORY", "CONTINUE", "END", "SIMPLE", "EXTEND", "HIERARCH"),
}


def write_fits(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new FITS file, and give a sentence for each thing that the file does not keep.

    Meta that a header card holds exactly becomes one; the rest, and the types that FITS does not have, go as
    one line of YAML into the card ``GZRMETA``. Mixin columns are written as astropy writes them.
    """
    original, table = table, as_table(table)
    units = _take_foreign_units(table)
    table, lost = storable(
        table, "FITS", kinds="biufcSU", null=_choose_null, context="fits", retype=_to_fits_type
    )
    columns = {}
    for name in table.colnames:
        columns[name] = {"unit": units[name]} if name in units else {}
        if isinstance(table[name].info.format, str):
            columns[name]["format"] = table[name].info.format
        if isinstance(table[name], BaseColumn):
            before, after = original[name].dtype, table[name].dtype
            if before.kind == "S" or (before.kind != "O" and before != after):
                columns[name]["dtype"] = before.newbyteorder("=").str
            lost += _lost_text(name, before, table[name])
        elif np.any(getattr(getattr(table[name], "data", None), "mask", False)):
            lost.append(f"the masked cells of {name!r} become NaN: FITS cannot hold the mask of coordinates.")
    cards = {key: value for key, value in table.meta.items() if _is_card(key, value)}
    record = {key: value for key, value in table.meta.items() if key not in cards}
    quantities = isinstance(table, QTable)
    names = _take_foreign_names(table)
    lost += [
        f"column {true!r} is called {name!r} in the file, as FITS has no such names; read_catalogue knows the "
        "true one."
        for name, true in names.items()
    ]
    in_file = {true: name for name, true in names.items()}
    columns = {in_file.get(name, name): facts for name, facts in columns.items() if facts}
    record = {
        "meta": record,
        "columns": columns,
        "quantities": quantities,
        **({"names": names} if names else {}),
    }
    table.meta = {**cards, _RECORD: to_text(record)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _UNUSUAL_NAME, fits.verify.VerifyWarning)
        # Units outside the FITS standard survive in the comment cards that astropy writes for column meta.
        warnings.filterwarnings("ignore", ".*could not be saved in native FITS", AstropyUserWarning)
        table.write(path, format="fits")
    return lost


def _take_foreign_names(table: Table) -> dict[str, str]:
    """Rename the columns whose names no header card holds, and give the true name of each."""
    names = {}
    for true in table.colnames:
        whole = isinstance(table[true], BaseColumn) and not isinstance(table[true], MaskedColumn)
        fits_in = len(true) <= (_CARD if whole else _LONGEST_NAME)
        if fits_in and true.isascii() and true.isprintable() and true.strip() == true:
            continue
        plain = unicodedata.normalize("NFKD", true).encode("ascii", "ignore").decode()
        plain = re.sub(r"\W+", "_", plain)[:_LONGEST_NAME].strip("_") or "column"
        taken = {name.lower() for name in table.colnames}
        name = next(each for each in _numbered(plain) if each.lower() not in taken)
        table.rename_column(true, name)
        names[name] = true
    return names


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{i}" for i in itertools.count(2))


def _take_foreign_units(table: Table) -> dict[str, str]:
    """Remove the units that the FITS standard does not have from a table, and name them."""
    units = {}
    for name in table.colnames:
        unit = table[name].unit if isinstance(table[name], BaseColumn | u.Quantity) else None
        if unit is not None and not _is_fits_unit(unit):
            units[name] = unit.to_string()
            column, mask = table[name], getattr(table[name], "mask", None)
            values = column.unmasked if isinstance(column, Masked) else column
            values = values.value if isinstance(values, u.Quantity) else np.ma.getdata(values)
            replace_data(table, name, np.asarray(values), mask=mask, keep_unit=False)
    return units


def _is_fits_unit(unit: u.UnitBase) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return u.Unit(unit.to_string(format="fits"), format="fits") == unit
    except (ValueError, TypeError, Warning):
        return False


def _to_fits_type(data: np.ndarray) -> np.ndarray:
    """FITS has no signed bytes (astropy writes logicals), no half precision, and no text beyond ASCII."""
    if data.dtype == np.int8:
        return data.astype(np.int16)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    if data.dtype.kind == "U" and np.any(code_points(data) > 127):
        return np.char.encode(data, "utf-8")
    return data


def _lost_text(name: str, before: np.dtype, column: BaseColumn) -> list[str]:
    if column.dtype.kind not in "SU":
        return []
    lost, data = [], np.ma.getdata(column)
    if before.kind != column.dtype.kind and before.kind == "U":
        lost.append(
            f"the text of column {name!r} is not all ASCII; it is kept as UTF-8, "
            "which FITS does not provide for and other programs may show wrongly."
        )
    blanks = b" \t\n\r\v\f" if data.dtype.kind == "S" else " \t\n\r\v\f"
    if np.any(np.char.rstrip(data, blanks) != data):
        lost.append(f"blanks at the end of text in column {name!r} are lost: FITS pads text with them.")
    return lost


def _choose_null(column: MaskedColumn) -> bool:
    """Set a TNULL that is no value of the column, if its integers are of a kind that FITS has."""
    if column.dtype.newbyteorder("=") not in (np.uint8, np.int16, np.int32, np.int64):
        return False
    limits = np.iinfo(column.dtype)
    candidates = (limits.min, *range(limits.max, limits.max - 255, -1))
    null = next((value for value in candidates if not np.any(column.data.data == value)), None)
    if null is not None:
        column.fill_value = null
    return null is not None


def _is_card(key: object, value: object) -> bool:
    """Whether one keyword card gives exactly this key and value back."""
    if key == "comments":
        return isinstance(value, list) and all(
            isinstance(line, str)
            and line.isascii()
            and line.isprintable()
            and 0 < len(line.rstrip()) == len(line) <= 72
            for line in value
        )
    if not isinstance(key, str) or not _KEYWORD.fullmatch(key):
        return False
    if key in _NOT_FOR_META or is_column_keyword(key) or not isinstance(value, bool | int | float | str):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            back = fits.Card.fromstring(str(fits.Card(key, value))).value
    except (ValueError, TypeError, Warning):
        return False
    return type(back) is type(value) and back == value


def read_fits(path: Path) -> Table:
    """
    Read the first table of a FITS file, in the byte order of this machine.

    NaN stays NaN and empty text stays empty text; only integers with a declared null come back masked.
    """
    with fits.open(path, character_as_bytes=True, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        ours = bool(tables) and _RECORD in tables[0].header
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)
            warnings.filterwarnings("ignore", _UNUSUAL_NAME, fits.verify.VerifyWarning)
            table = Table.read(hdus, format="fits", mask_invalid=False, astropy_native=ours)
    record = recorded(table.meta.pop(_RECORD, None), path)
    for name in table.colnames:
        facts = record.get("columns", {}).get(name, {})
        if isinstance(table[name], BaseColumn):
            _to_native(table, name, facts.get("dtype"))
        if record:
            table[name].info.format = facts.get("format")
        if "unit" in facts:
            table[name].unit = u.Unit(facts["unit"], parse_strict="silent")
    if record:
        for key in _OF_TIME_COLUMNS:
            table.meta.pop(key, None)
        table.meta.update(record["meta"])
        for name, true in record.get("names", {}).items():
            if name in table.colnames:
                table.rename_column(name, true)
    return QTable(table, copy=False) if record.get("quantities") else table


def _to_native(table: Table, name: str, dtype: str | None) -> None:
    """Bring a column to the type it was written with, or to text and this machine's byte order."""
    data, mask = np.ma.getdata(table[name]), getattr(table[name], "mask", None)
    if data.dtype.kind == "S" and (dtype is None or np.dtype(dtype).kind == "U"):
        data = np.char.decode(data, "utf-8", "replace")
    elif dtype is not None and data.dtype.kind != "S":
        data = data.astype(dtype)
    elif not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.dtype != table[name].dtype:
        replace_data(table, name, data, mask=mask)
