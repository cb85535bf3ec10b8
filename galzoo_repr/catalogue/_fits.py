"""Catalogues as FITS binary tables, with one header card for the meta that FITS keywords cannot hold."""

import itertools
import os
import re
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.io.fits import connect
from astropy.io.fits.connect import REMOVE_KEYWORDS, is_column_keyword
from astropy.table import MaskedColumn, QTable, Table
from astropy.table.column import BaseColumn
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from galzoo_repr.catalogue._columns import as_table
from galzoo_repr.catalogue._fits_cells import (
    Cells,
    cells_as_columns,
    fill_times,
    holds_columns_in_cells,
    meant_cells,
)
from galzoo_repr.catalogue._fits_header import add_descriptions, describes_column, take_descriptions
from galzoo_repr.catalogue._fits_parts import write_in_parts
from galzoo_repr.catalogue._fits_text import decoded, keep_true_text, true_text
from galzoo_repr.catalogue._record import recorded, to_text
from galzoo_repr.catalogue._several import listed, place_of
from galzoo_repr.catalogue._storable import replace_data, storable
from galzoo_repr.catalogue._unpacked import (
    is_packed,
    no_table,
    refuse_endless_header,
    refuse_missing_bytes,
    refuse_repeated_cells,
    whole,
)
from galzoo_repr.catalogue._yaml_size import refuse_unfolding
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_fits", "write_fits"]

_SERIALIZED = "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--"
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
    original, table = as_table(table, copy=False), as_table(table, copy=False)
    units = _take_foreign_units(table)
    for name in table.colnames:
        if isinstance(table[name], Masked) and isinstance(table[name], u.Quantity):
            # Others see what is below the mask.
            shown = table[name].copy()
            shown.unmasked[shown.mask] = np.nan
            table.replace_column(name, shown)
    table, lost = storable(
        table, "FITS", kinds="biufcSU", null=_choose_null, context="fits", retype=_to_fits_type
    )
    names = _take_foreign_names(table)
    lost += [
        f"column {true!r} is called {name!r} in the file, as FITS has no such names; read_catalogue knows the "
        "true one."
        for name, true in names.items()
    ]
    texts = keep_true_text(table)
    columns = {}
    for name in [name for name in table.colnames if name not in texts.values()]:
        true = names.get(name, name)
        columns[name] = _facts(table[name], original[true], units.get(true))
        lost += _lost(table[name], true, texts.get(name))
    cards = {key: value for key, value in table.meta.items() if _is_card(key, value)}
    record = {
        "meta": {key: value for key, value in table.meta.items() if key not in cards},
        "columns": {name: columns[name] for name in table.colnames if columns.get(name)},
        "quantities": isinstance(table, QTable),
        **({"names": names} if names else {}),
        **({"texts": texts} if texts else {}),
    }
    table.meta = {**cards, _RECORD: to_text(record)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _UNUSUAL_NAME, fits.verify.VerifyWarning)
        # Units outside the FITS standard survive in the comment cards that astropy writes for column meta.
        warnings.filterwarnings("ignore", ".*could not be saved in native FITS", AstropyUserWarning)
        _write_hdu(table, path)
    return lost


def _facts(column: object, original: object, unit: str | None) -> dict:
    """What of a column only the record can hold."""
    facts = {} if unit is None else {"unit": unit}
    if isinstance(column.info.format, str):
        facts["format"] = column.info.format
    if isinstance(column, BaseColumn):
        before, after = original.dtype, column.dtype
        if before.kind == "S" or (before.kind not in "OU" and before != after):
            facts["dtype"] = before.newbyteorder("=").str
        if after.kind == "b" and isinstance(column, MaskedColumn):
            facts["masked"] = True
    return facts


def _write_hdu(table: Table, path: Path) -> None:
    """Write as `~astropy.table.Table.write` does, with the nulls and descriptions that it does not write."""
    # There is no public name for this step, which splits coordinates and the like into columns.
    plain = connect._encode_mixins(table)
    nulls, gaps = {}, {}
    for name in plain.colnames:
        column = plain[name]
        if isinstance(column, MaskedColumn) and column.dtype.kind in "iub":
            # Filled here, because astropy fills vectors with other numbers than what they declare as null.
            replace_data(plain, name, column.filled(column.fill_value))
            if column.dtype.kind == "b":
                gaps[name] = column.mask
            else:
                nulls[name] = int(column.fill_value)
    descriptions = _descriptions(table, plain)

    def to_hdu(part: Table) -> fits.BinTableHDU:
        hdu = fits.table_to_hdu(part, character_as_bytes=True)
        for name, null in nulls.items():
            # The null of unsigned integers counts as the file stores them.
            hdu.columns[name].null = null - int(hdu.columns[name].bzero or 0)
        add_descriptions(hdu.header, descriptions)
        return hdu

    write_in_parts(plain, to_hdu, path)
    if any(np.any(gap) for gap in gaps.values()):
        with fits.open(path, memmap=False) as hdus:
            start, dtype = hdus[1].fileinfo()["datLoc"], hdus[1].columns.dtype
        rows = np.memmap(path, dtype, "r+", offset=start, shape=len(plain))
        for name, gap in gaps.items():
            rows[name][gap] = 0
        rows.flush()


def _descriptions(table: Table, plain: Table) -> dict[str, dict]:
    """Describe each column of the file; what a column was split into is described as the whole."""
    said = {}
    for name in plain.colnames:
        whole = name if name in table.colnames else name.rpartition(".")[0]
        info = table[whole].info if whole in table.colnames else plain[name].info
        meta = info.meta if name == whole and info.meta else {}
        said[name] = {"description": info.description, "ucd": meta.get("ucd"), "utype": meta.get("utype")}
        if name == f"{whole}.mask":
            said[name]["description"] = f"Whether {whole} is missing"
    return said


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
    """FITS has no signed bytes (astropy writes logicals), and no half precision."""
    if data.dtype == np.int8:
        return data.astype(np.int16)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    return data


def _lost(column: object, name: str, true_text_in: str | None) -> list[str]:
    """Say what the file does not keep of a column."""
    if not isinstance(column, BaseColumn):
        if np.any(getattr(getattr(column, "data", None), "mask", False)):
            return [f"the masked cells of {name!r} become NaN: FITS cannot hold the mask of coordinates."]
        return []
    if true_text_in is not None:
        return [
            f"the text of column {name!r} is not all ASCII, which is all that FITS has: other programs see it "
            "without accents and with ? for other letters, and the true text as bytes in the column "
            f"{true_text_in!r}, from which read_catalogue takes it."
        ]
    if column.dtype.kind in "SU":
        data = np.ma.getdata(column)
        blanks = b" \t\n\r\v\f" if data.dtype.kind == "S" else " \t\n\r\v\f"
        if np.any(np.char.rstrip(data, blanks) != data):
            return [f"blanks at the end of text in column {name!r} are lost: FITS pads text with them."]
    return []


def _choose_null(column: MaskedColumn) -> bool:
    """Set a null that is no value of the column, if FITS has one for its kind."""
    if column.dtype.kind == "b":
        column.fill_value = False
        return True
    if column.dtype.kind not in "iu":
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
    if key in _NOT_FOR_META or is_column_keyword(key) or describes_column(key):
        return False
    if not isinstance(value, bool | int | float | str):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            back = fits.Card.fromstring(str(fits.Card(key, value))).value
    except (ValueError, TypeError, Warning):
        return False
    return type(back) is type(value) and back == value


def read_fits(path: Path, table: str | int | None = None) -> Table:
    """
    Read a table of a FITS file, the first if none is named, in the byte order of this machine.

    NaN stays NaN and empty text stays empty text; only what has a declared null comes back masked, and null
    logicals. Where each cell is a vector of one number, the column has one number per row, unless
    `write_fits` wrote it.

    Warns
    -----
    GalzooWarning
        If the file holds several tables, or cells were guessed or masked that are no values in FITS.
    """
    # astropy would unpack it to its end for the headers, and again for the data.
    with whole(path) if is_packed(path) else path.open("rb") as file:
        refuse_endless_header(file)
        there = file.seek(0, os.SEEK_END)
        file.seek(0)
        return _read_fits(file, there, path, table)


def _read_fits(file: BinaryIO, there: int, path: Path, table: str | int | None) -> Table:
    with fits.open(file, character_as_bytes=True, memmap=False) as hdus:
        hdu, said = _chosen_table(hdus, table, there)
        refuse_missing_bytes(hdu.size, there)
        refuse_repeated_cells(file, hdu.header, hdu.fileinfo()["datLoc"], there)
        record = recorded(hdu.header.get(_RECORD), path)
        # What astropy noted of mixed columns; a line that goes on ends with a backslash.
        comments = "\n".join(str(line) for line in hdu.header.get("COMMENT", []))
        refuse_unfolding(comments.rpartition(_SERIALIZED)[2].partition("\n--")[0].replace("\\\n", ""))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)
            warnings.filterwarnings("ignore", _UNUSUAL_NAME, fits.verify.VerifyWarning)
            cells = meant_cells(hdu)
            missing_times = fill_times(hdu) if record else {}
            warnings.filterwarnings("ignore", ".* contains NULL", AstropyUserWarning)
            table = Table.read(hdu, format="fits", mask_invalid=False, astropy_native=bool(record))
        header = hdu.header
    for name, gap in missing_times.items():
        table[name][gap] = np.ma.masked
    table.meta.pop(_RECORD, None)
    take_descriptions(header, table)
    for name in table.colnames:
        facts = record.get("columns", {}).get(name, {})
        if isinstance(table[name], BaseColumn):
            said.append(cells[name].said if name in cells else "")
            said.append(_mend(table, name, cells.get(name, Cells()), facts, ours=bool(record)))
        if record:
            table[name].info.format = facts.get("format")
        if "unit" in facts:
            table[name].unit = u.Unit(facts["unit"], parse_strict="silent")
    if not record and holds_columns_in_cells(table):
        said.append(
            f"its only row has {table.columns[0].shape[1]} values in each cell; they were read as rows."
        )
        table = cells_as_columns(table)
    for sentence in filter(None, said):
        warnings.warn(f"{path}: {sentence}", GalzooWarning, stacklevel=3)
    if record:
        _restore(table, record)
    return QTable(table, copy=False) if record.get("quantities") else table


def _chosen_table(
    hdus: fits.HDUList, table: str | int | None, there: int
) -> tuple[fits.BinTableHDU | fits.TableHDU, list[str]]:
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
    # SExtractor's LDAC files begin with a table that holds nothing but the header of the image.
    tables = [hdu for hdu in tables if hdu.name != "LDAC_IMHEAD"] or tables
    if not tables:
        raise no_table(hdus, there)
    names = [hdu.name for hdu in tables]
    chosen = tables[0 if table is None else place_of(table, names)]
    if chosen.header.get("ZTABLE"):
        raise ValueError("its table is compressed in tiles; write it uncompressed first, with funpack")
    if len(tables) == 1 or table is not None:
        return chosen, []
    return chosen, [
        f"it holds {len(tables)} tables ({listed(names)}); the first was read. "
        "Pass table= with a name or number to read_catalogue."
    ]


def _restore(table: Table, record: dict) -> None:
    """Give a table what the record knows of it beyond the types of its columns."""
    for key in _OF_TIME_COLUMNS:
        table.meta.pop(key, None)
    table.meta.update(record["meta"])
    for name, beside in record.get("texts", {}).items():
        if {name, beside} <= set(table.colnames):
            true_text(table, name, beside)
    for name, true in record.get("names", {}).items():
        if name in table.colnames:
            table.rename_column(name, true)


def _mend(table: Table, name: str, cells: Cells, facts: dict, *, ours: bool) -> str:
    """Bring a column to what is meant: its nulls, its type, text, this machine's byte order."""
    data = np.ma.getdata(table[name]) if cells.values is None else cells.values
    mask, dtype, said = getattr(table[name], "mask", None), facts.get("dtype"), ""
    if cells.mask is not None:
        mask = cells.mask.reshape(data.shape)
    elif facts.get("masked") and mask is None:
        mask = np.zeros(data.shape, bool)
    if data.dtype.kind == "S" and (dtype is None or np.dtype(dtype).kind == "U"):
        data, said = decoded(data, name)
    elif dtype is not None and data.dtype.kind != "S":
        data = data.astype(dtype)
    elif not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if not ours and data.ndim > 1 and set(data.shape[1:]) == {1}:
        data, mask = data.reshape(len(data)), None if mask is None else mask.reshape(len(data))
    if data is not np.ma.getdata(table[name]) or mask is not getattr(table[name], "mask", None):
        replace_data(table, name, data, mask=mask)
    return said
