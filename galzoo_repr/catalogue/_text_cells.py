"""Cells of tables of text: read by Arrow where they are plain, else by astropy; whole numbers stay as written."""

import csv
import re
from io import BytesIO, StringIO

import numpy as np
import pyarrow as pa
from astropy.io import ascii as ascii_io
from astropy.table import Column, MaskedColumn, Table
from pyarrow import compute
from pyarrow import csv as arrow_csv

from galzoo_repr.catalogue._arrow import column_of, first_cast
from galzoo_repr.catalogue._storable import replace_data

__all__ = ["cells_of_rows", "read_decimal_commas", "read_fortran"]

_FORTRAN = re.compile(r"\s*[+-]?\d*\.\d*[dD][+-]?\d+\s*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*(,\d+)?([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_ESCAPED = r"^'+[=+\-@\t\r]"
_WHOLE = r"[+-]?[0-9]+(\.0*)?"
_NUMBERS = (pa.int64(), pa.uint64(), pa.float64())


def cells_of_rows(rows: str, names: list[str], delimiter: str) -> Table:
    """
    Read the rows of a table of text.

    Parameters
    ----------
    rows : str
        One line for each.
    names : list of str
        Of the columns.
    delimiter : str
        One character; a blank stands for any number of them.

    Returns
    -------
    `~astropy.table.Table`
        Empty cells are masked. Whole numbers are exact, also where a cell beside them is NaN: unsigned if they need
        64 bits, and text if they need more or begin with a zero.
    """
    texts = None if delimiter == " " else _by_arrow(rows, names, delimiter)
    if texts is None:
        texts = _by_astropy(rows, names, delimiter)
    if "'" in rows:
        texts = [_without_apostrophes(each) for each in texts]
    names = [name[1:] if re.match(_ESCAPED, name) else name for name in names]
    if rows.count('"') % 2:
        # A mark without its partner makes all that follows one cell, if it begins one.
        last = [each[-1].as_py() or "" for each in texts if len(each)]
        if open_cell := next((cell for cell in last if "\n" in cell.strip()), None):
            raise ValueError(f"the quotation mark before {open_cell.strip()[:30]!r} is never closed")
    return Table([_column(each) for each in texts], names=names, copy=False)


def _by_arrow(rows: str, names: list[str], delimiter: str) -> list[pa.Array] | None:
    """Cut plain rows into cells, much faster than astropy does; None where only astropy knows how."""
    quoted = '"' in rows
    layout = {"delimiter": delimiter, "quote_char": '"' if quoted else False, "newlines_in_values": quoted}
    try:
        arrow = arrow_csv.read_csv(
            BytesIO(rows.encode()),
            arrow_csv.ReadOptions(column_names=names),
            arrow_csv.ParseOptions(**layout),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:  # rows of several lengths, or none
        return None
    texts = [compute.ascii_trim(column.combine_chunks(), " \t") for column in arrow.columns]
    if quoted and any(compute.any(compute.starts_with(each, '"')).as_py() for each in texts):
        return None
    return texts


def _by_astropy(rows: str, names: list[str], delimiter: str) -> list[pa.Array]:
    header = StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(names)
    if delimiter == "\t":
        # astropy takes blanks off the ends of lines, and with them the delimiter behind an empty first cell.
        rows = f"\n{rows}".replace("\n\t", '\n""\t')[1:]
    table = ascii_io.read(
        header.getvalue() + rows,
        format="basic" if delimiter == " " else "csv",
        delimiter=delimiter,
        guess=False,
        converters={name: [ascii_io.convert_numpy(str)] for name in names},
    )
    return [
        pa.array(np.ma.getdata(column).astype(str), mask=np.ma.getmaskarray(column)).cast(pa.large_string())
        for column in table.itercols()
    ]


def _without_apostrophes(texts: pa.Array) -> pa.Array:
    """Take away what `for_spreadsheets` has put before some text; not where all text is between two of them."""
    escaped = compute.match_substring_regex(texts, _ESCAPED)
    if not compute.any(escaped).as_py():
        return texts
    quoted = compute.and_(compute.starts_with(texts, "'"), compute.ends_with(texts, "'"))
    if compute.all(compute.or_(quoted, compute.equal(texts, ""))).as_py():
        return texts
    return compute.if_else(escaped, compute.utf8_slice_codeunits(texts, 1), texts)


def _column(texts: pa.Array) -> Column | MaskedColumn:
    """Read cells as the narrowest type that keeps what is written."""
    empty = compute.equal(texts, "")
    if compute.any(empty).as_py():
        texts = compute.if_else(empty, None, texts)
    if texts.null_count == len(texts):
        return MaskedColumn(np.zeros(len(texts), np.int64), mask=np.ones(len(texts), bool))
    values = _numbers(texts)
    column = column_of(values)[0]
    if values.null_count and not isinstance(column, MaskedColumn):
        column = MaskedColumn(column.data, mask=values.is_null().to_numpy(zero_copy_only=False), copy=False)
    return column


def _numbers(texts: pa.Array) -> pa.Array:
    """Turn texts into numbers, if all are such; those that begin with zeros, as ids do, are texts."""
    plain = texts
    if compute.any(compute.starts_with(texts, "+")).as_py():
        plain = compute.replace_substring_regex(texts, r"^\+([0-9.])", r"\1")
    values = first_cast(plain, _NUMBERS)
    if values is None:
        return texts
    if pa.types.is_floating(values.type):
        return _exact(texts, values)
    padded = compute.any(compute.match_substring_regex(texts, "^(0[0-9]|-?0[xX])")).as_py()
    return texts if padded else values


def _exact(texts: pa.Array, floats: pa.Array) -> pa.Array:
    """Keep whole numbers that floats would change, such as ids beside a NaN."""
    values = floats.to_numpy(zero_copy_only=False)
    gaps = np.isnan(values)
    if gaps.any() and compute.any(compute.match_substring_regex(texts, "^0[0-9]+$")).as_py():
        return texts
    large = np.flatnonzero((np.abs(values) >= 2**53) & np.isfinite(values))
    digits = [text for text in texts.take(pa.array(large)).to_pylist() if re.fullmatch(_WHOLE, text)]
    if all(int(text.partition(".")[0]) == int(float(text)) for text in digits):
        return floats
    whole = compute.replace_substring_regex(texts, r"\.0*$", "")
    whole = compute.if_else(pa.array(gaps), None, whole)
    integers = first_cast(whole, _NUMBERS[:2])
    return texts if integers is None else integers


def read_fortran(table: Table) -> None:
    """Read numbers in double precision as Fortran writes them, such as ``1.5D+02``."""
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind == "U" and column.size:
            mask = np.ma.getmaskarray(column)
            cells = np.ma.getdata(column)[~mask]
            if (
                cells.size
                and _FORTRAN.fullmatch(cells[0])
                and all(_FORTRAN.fullmatch(cell) for cell in cells.tolist())
            ):
                values = np.full(len(column), np.nan)
                values[~mask] = [float(cell.upper().replace("D", "E")) for cell in cells]
                replace_data(table, name, values, mask=mask if mask.any() else None)


def read_decimal_commas(table: Table, name: str) -> bool:
    """Read numbers with a decimal comma, if a column of text is made of such; say whether it is."""
    column = table[name]
    if column.dtype.kind != "U":
        return False
    mask = np.ma.getmaskarray(column)
    cells = np.ma.getdata(column)[~mask]
    if not cells.size or not _DECIMAL_COMMA.fullmatch(cells[0].strip()):
        return False
    cells = [cell.strip() for cell in cells.tolist()]
    if not any("," in cell for cell in cells):
        return False
    if not all(_DECIMAL_COMMA.fullmatch(cell) and any(map(str.isdigit, cell)) for cell in cells):
        return False
    if all(_THOUSANDS.fullmatch(cell) for cell in cells if "," in cell):
        return False
    values = np.full(len(column), np.nan)
    values[~mask] = [float(cell.replace(",", ".")) for cell in cells]
    replace_data(table, name, values, mask=mask if mask.any() else None)
    return True
