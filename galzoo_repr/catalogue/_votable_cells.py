"""Cells of a VOTable as columns: each as it is meant, whatever its field declares, or a remark."""

import re

import numpy as np
import pyarrow as pa
from astropy.table import Column, MaskedColumn
from pyarrow import compute

from galzoo_repr.catalogue._arrow import column_of, first_cast
from galzoo_repr.catalogue._cells import text_of
from galzoo_repr.catalogue._votable_document import Declared

__all__ = ["column_of_binary", "column_of_texts"]

_TYPES = {
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "floatComplex": pa.float32(),
    "doubleComplex": pa.float64(),
    # Not of the standard, but of files.
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "unsignedShort": pa.uint16(),
    "unsignedInt": pa.uint32(),
    "unsignedLong": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}
_TEXTS = ("char", "unicodeChar", "string", "unicodeString")
_LOGICALS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False, "?": None}
_SIZE = r"([0-9]+x)*([0-9]+\*?|\*)"
_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"(?i)^([+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([ed][+-]?[0-9]+)?|inf(inity)?|nan)|0x[0-9a-f]+)$"


def column_of_texts(texts: pa.ChunkedArray, declared: Declared) -> tuple[Column, list[str]]:
    """
    Turn the texts of the cells of a field into a column.

    Parameters
    ----------
    texts : `pyarrow.ChunkedArray` of large_string
        One per row, without blanks around it.
    declared : Declared
        Of the field. Cells that do not fit get the narrowest type that holds all of them.

    Returns
    -------
    column : `~astropy.table.Column`
        Masked where integers or logicals are missing; missing floats are NaN, missing text is empty.
    remarks : list of str
        What is to be said of cells that are not what the field declares.
    """
    cells, kind, size = texts.combine_chunks(), declared.datatype, declared.arraysize
    if size is not None and not re.fullmatch(_SIZE, size):
        return column_of(cells)[0], [f"is text: {size!r} is no size of arrays"]
    if kind in ("boolean", "bit") or kind in _TYPES:
        if size in (None, "1") and "Complex" not in kind:
            values, remarks = _values(cells, declared)
            return column_of(values)[0], remarks
        return _arrays(cells, declared, size or "1")
    if declared.null:
        cells = compute.if_else(compute.equal(cells, declared.null), "", cells)
    return column_of(cells)[0], [] if kind in _TEXTS else [f"is text: VOTable has no type {kind!r}"]


def _arrays(cells: pa.Array, declared: Declared, size: str) -> tuple[Column, list[str]]:
    """Turn cells of several values into a column of arrays, or of objects where these have several lengths."""
    open_ended, axes = size.endswith("*"), size.split("x")
    shape = tuple(int(axis) for axis in reversed(axes[:-1] if open_ended else axes))
    pair = 2 if "Complex" in declared.datatype else 1
    unit = pair * int(np.prod(shape, dtype=int))
    parts = _parts(cells, declared)
    lengths = parts.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    remarks, wrong = [], lengths % unit > 0 if open_ended else (lengths != unit) & (lengths > 0)
    if wrong.any():
        first = cells[int(np.argmax(wrong))].as_py()
        many = f"{wrong.sum()} cell(s) of another length than {size!r}, such as {first[:30]!r}"
        remarks.append(f"has {many}; they are missing")
        cells = compute.if_else(pa.array(wrong), "", cells)
        parts = _parts(cells, declared)
        lengths = np.where(wrong, 0, lengths)
    values, more = _values(parts.flatten(), declared)
    column = _stacked(values, lengths, 0 if open_ended else unit)
    if pair == 2:
        column = _complex(column, declared.datatype == "floatComplex")
    if column.dtype.kind == "O":
        rows = [each.reshape(-1, *shape) if shape else each for each in column]
        column[:] = [*rows, None][:-1]
    elif len(axes) > 1:
        column = column.reshape(len(column), *([-1] if open_ended and len(column) else []), *shape)
    elif size == "1":
        column = column.reshape(len(column))
    return column, [*remarks, *more]


def _parts(cells: pa.Array, declared: Declared) -> pa.Array:
    """Split cells of several values; empty ones are nulls."""
    cells = compute.if_else(compute.equal(cells, ""), None, cells)
    if declared.datatype == "bit":
        # Bits need nothing between them.
        cells = compute.utf8_trim_whitespace(compute.replace_substring_regex(cells, r"[\s,]*(\S)", r"\1 "))
    return compute.split_pattern_regex(cells, r"[\s,]+")


def _stacked(values: pa.Array, lengths: np.ndarray, length: int) -> Column:
    """Lay values in rows of a length, which is that of the longest one where it is not given."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if lengths.any():
        return column_of(pa.LargeListArray.from_arrays(pa.array(offsets), values))[0]
    shape = (len(lengths), length) if length else (len(lengths),)
    missing = column_of(pa.nulls(len(lengths) * max(length, 1), values.type))[0]
    return missing.reshape(shape)


def _complex(column: Column, single: bool) -> Column:
    """Join numbers in twos."""
    if column.dtype.kind == "O":
        joined = np.empty(len(column), dtype=object)
        joined[:] = [*(each[0::2] + 1j * each[1::2] for each in column), None][:-1]
        return Column(joined)
    pairs = np.ma.getdata(column).reshape(len(column), -1)
    if not pairs.shape[1] % 2:
        pairs = pairs[:, 0::2] + 1j * pairs[:, 1::2]
    return Column(pairs.astype(np.complex64 if single else np.complex128))


def _values(texts: pa.Array, declared: Declared) -> tuple[pa.Array, list[str]]:
    """Read texts as what is declared, or else as the narrowest type that holds them."""
    kind = _TYPES.get(declared.datatype, pa.bool_())
    nulls = [
        "",
        *([declared.null] if declared.null else []),
        *(["NaN", "nan"] if pa.types.is_integer(kind) else []),
    ]
    texts = compute.if_else(compute.is_in(texts, pa.array(nulls, pa.large_string())), None, texts)
    if pa.types.is_boolean(kind):
        return _logicals(texts)
    values, remarks = _numbers(texts, kind, declared.datatype)
    if declared.null and (null := first_cast(pa.array([declared.null]), [values.type])) is not None:
        # A null may be written in two ways, as -99 and -99.0.
        values = compute.if_else(compute.equal(values, null[0]), None, values)
    return values, remarks


def _logicals(texts: pa.Array) -> tuple[pa.Array, list[str]]:
    found = compute.index_in(compute.utf8_lower(texts), pa.array(list(_LOGICALS), pa.large_string()))
    strange = compute.drop_null(texts.filter(compute.and_(compute.is_null(found), compute.is_valid(texts))))
    return pa.array(list(_LOGICALS.values()), pa.bool_()).take(found), _remark(
        strange, "neither true nor false"
    )


def _remark(strange: pa.Array, what: str) -> list[str]:
    if not len(strange):
        return []
    return [
        f"has {len(strange)} cell(s) that are {what}, such as {strange[0].as_py()[:30]!r}; they are missing"
    ]


def _numbers(texts: pa.Array, kind: pa.DataType, datatype: str) -> tuple[pa.Array, list[str]]:
    """Read numbers; integers and floats of another type than declared are what they are."""
    integers = [kind, pa.int64(), pa.uint64()]
    kinds, remarks = integers if pa.types.is_integer(kind) else [pa.float64()], []
    values = first_cast(texts, kinds)
    if values is None:
        good = compute.match_substring_regex(texts, _NUMBER)
        strange = texts.filter(compute.invert(good))
        if 0 < len(strange) == len(texts) - texts.null_count:
            return texts, [f"is text, such as {strange[0].as_py()[:30]!r}, though it is declared {datatype}"]
        remarks = _remark(strange, "no numbers")
        texts = compute.if_else(good, texts, None)
        texts = compute.replace_substring_regex(texts, r"^\+", "")
        values = first_cast(texts, kinds)
    if values is None and compute.all(compute.match_substring_regex(texts, _WHOLE)).as_py():
        return texts, [*remarks, "is text, because no number of 64 bits has its digits"]
    if values is None:
        # As Fortran has it.
        texts = compute.replace_substring_regex(texts, r"^([^xX]*)[dD]", r"\1e")
        values = first_cast(texts, [pa.float64()])
        if kinds is integers:
            remarks.append(f"is of floats, though it is declared {datatype}")
    if values is None:
        # Whole numbers in hexadecimal among others.
        values = pa.array(
            [None if each is None else _float(each) for each in texts.to_pylist()], pa.float64()
        )
    if pa.types.is_floating(values.type):
        values, more = _exact(texts, values, kind, datatype)
        remarks += more
    return values, remarks


def _float(text: str) -> float:
    return float(int(text, 16)) if text.lower().startswith("0x") else float(text)


def _exact(texts: pa.Array, values: pa.Array, kind: pa.DataType, datatype: str) -> tuple[pa.Array, list[str]]:
    """Keep whole numbers, such as ids, that the declared type of float would change."""
    doubles = values.to_numpy(zero_copy_only=False)
    large = np.flatnonzero((np.abs(doubles) >= 2**53) & np.isfinite(doubles))
    digits = [text for text in texts.take(pa.array(large)).to_pylist() if re.match(_WHOLE, text)]
    changed = [text for text in digits if int(text) != int(float(text))]
    whole = compute.if_else(pa.array(np.isnan(doubles)), None, texts)
    if changed and (integers := first_cast(whole, [pa.int64(), pa.uint64()])) is not None:
        return integers, [f"is of integers, which a {datatype} would change, such as {changed[0]!r}"]
    if kind == pa.float32():
        with np.errstate(over="ignore"):
            singles = doubles.astype(np.float32)
        if not np.any((singles != doubles) & (np.floor(doubles) == doubles)):
            values = values.cast(pa.float32())
    if not changed:
        return values, []
    return values, [
        f"has {len(changed)} cell(s) whose digits a {datatype} does not hold, such as {changed[0]!r}"
    ]


def column_of_binary(column: Column, declared: Declared) -> Column:
    """
    Make a column that astropy read from binary data what was meant.

    Parameters
    ----------
    column : `~astropy.table.Column`
        As astropy gives it.
    declared : Declared
        Of the field, before it was declared in another way for astropy.
    """
    if declared.datatype == "char" and (column.dtype == np.uint8 or column.dtype.kind == "O"):
        cells = [_decoded(cell) for cell in np.ma.getdata(column)]
        return Column(np.array(cells, dtype=str))
    if declared.datatype == "bit" and column.dtype == np.uint8:
        return MaskedColumn(np.ma.getdata(column) != 0, mask=np.ma.getmaskarray(column))
    if column.dtype.kind == "O" and declared.datatype not in _TEXTS:
        column = _of_equal_lengths(column)
    if column.ndim == 2 and column.shape[1] == 1 and "x" not in (declared.arraysize or ""):
        column = column.reshape(len(column))
    return column


def _decoded(cell: object) -> str:
    """Read text that may be in either of the encodings that are in use."""
    if isinstance(cell, str):
        return cell
    return text_of(np.ma.getdata(cell).astype(np.uint8).tobytes().partition(b"\0")[0])


def _of_equal_lengths(column: Column) -> Column:
    """Stack arrays that could have had several lengths but do not; an empty one is missing."""
    rows = [np.ma.asarray(row) for row in np.ma.getdata(column)]
    shapes = {row.shape for row in rows if len(row)}
    if len(shapes) != 1:
        return column
    (shape,) = shapes
    kind = next(row.dtype for row in rows if len(row)).newbyteorder("=")
    stacked = np.ma.masked_all((len(rows), *shape), dtype=kind)
    for i, row in enumerate(rows):
        if len(row):
            stacked[i] = row
    return MaskedColumn(stacked)
