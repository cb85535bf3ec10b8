"""Arrow arrays as columns of a table: the same values, or the reason why there is no such column."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from astropy.table import Column, MaskedColumn
from pyarrow import compute

__all__ = ["NoColumn", "column_of", "first_cast"]

# What stands under the mask of a null, and the type in numpy; numbers keep their own.
_FLAT = (
    (("string", "large_string"), "", str),
    (("binary", "large_binary", "fixed_size_binary"), b"", bytes),
    (("boolean",), False, bool),
    (("integer",), 0, None),
)

_FEW = 1000  # cells that are tried before a million


class NoColumn(ValueError):
    """Why an array cannot be a column."""


def column_of(array: pa.Array) -> tuple[Column, str]:
    """
    Turn an Arrow array into a column.

    Nulls are NaN among floats, NaT among times, and masked in all else. Lists of equal length become an array
    of one more dimension, in which an empty list is a missing one; lists of one are plain values. Decimals
    become integers where they are whole, else floats; only where that would make different ones alike do they
    become text. Times with a zone become those of UTC.

    Parameters
    ----------
    array : `pyarrow.Array`
        Of any type.

    Returns
    -------
    column : `~astropy.table.Column`
        Masked where there is something missing that the type has no value for.
    remark : str
        What an observer should know of it; mostly empty.

    Raises
    ------
    NoColumn
        If a table has no such column.
    """
    values, mask, remark = _values(array)
    if values.ndim == 2 and values.shape[1] == 1:
        values, mask = values[:, 0], mask[:, 0]
    if values.dtype.kind in "fmMO" or not mask.any():
        return Column(values), remark
    return MaskedColumn(values, mask=mask), remark


def _values(array: pa.Array) -> tuple[np.ndarray, np.ndarray, str]:
    """Give the values of an array, something of the same type in place of nulls, where these are, a remark."""
    shape = getattr(array.type, "shape", None)  # of a tensor
    array, remark = _plain(array)
    if any(getattr(pa.types, f"is_{kind}")(array.type) for kind in ("list", "large_list", "fixed_size_list")):
        values, mask, remark = _stacked(array)
        if shape is not None:
            values, mask = (each.reshape(len(array), *shape) for each in (values, mask))
        return values, mask, remark
    if pa.types.is_nested(array.type) or pa.types.is_interval(array.type):
        raise NoColumn(f"a table has no column of {array.type}")
    mask = array.is_null().to_numpy(zero_copy_only=False)
    for kinds, missing, dtype in _FLAT:
        if any(getattr(pa.types, f"is_{kind}")(array.type) for kind in kinds):
            array = array.cast(pa.large_binary()) if dtype is bytes else array
            array = array.fill_null(missing) if array.null_count else array
            values = array.to_numpy(zero_copy_only=False)
            values = values if dtype is None else values.astype(dtype)
            if dtype is bytes and np.any(np.char.str_len(values) != compute.binary_length(array).to_numpy()):
                remark = "loses the zeros at the end of its bytes"
            return values, mask, remark
    return array.to_numpy(zero_copy_only=False), mask, remark


def _plain(array: pa.Array) -> tuple[pa.Array, str]:
    """Undo what is but another way to store the same values."""
    if isinstance(array.type, pa.BaseExtensionType):
        kind = getattr(array.type, "extension_name", "")
        if kind == "arrow.uuid":
            array = pa.array([None if cell is None else str(cell) for cell in array.to_pylist()], pa.string())
        elif getattr(array.type, "permutation", None):
            raise NoColumn("the axes of its tensors are in another order")
        else:
            array = array.storage.cast(pa.bool_()) if kind == "arrow.bool8" else array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_run_end_encoded(array.type):
        array = compute.run_end_decode(array)
    name = str(array.type)
    if name == "string_view":
        array = array.cast(pa.large_string())
    elif name == "binary_view":
        array = array.cast(pa.large_binary())
    elif name.startswith(("list_view", "large_list_view")):
        array = array.cast(pa.large_list(array.type.value_type))
    elif name.startswith("time"):
        # Times of day have no type in numpy.
        array = array if pa.types.is_timestamp(array.type) else array.cast(pa.string())
    elif pa.types.is_null(array.type):
        array = array.cast(pa.float64())
    elif pa.types.is_decimal(array.type):
        return _number(array)
    return array, ""


def _number(array: pa.Array) -> tuple[pa.Array, str]:
    """Give decimals in the type of number that keeps them apart."""
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, array.type.scale))
    for whole in (pa.int64(), pa.uint64()):
        try:
            return array.cast(whole), ""
        except pa.ArrowInvalid:
            continue
    floats = array.cast(pa.float64())
    if compute.any(compute.not_equal(compute.floor(floats), floats)).as_py() and (
        len(floats.unique()) == len(array.unique())
    ):
        return floats, ""
    digits = pa.array([None if cell is None else f"{cell:f}" for cell in array.to_pylist()], pa.string())
    return digits, "is read as text, because no number of 64 bits has its digits"


def _stacked(array: pa.Array) -> tuple[np.ndarray, np.ndarray, str]:
    """Stack lists of equal length; lists of several lengths become objects."""
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    values, gaps, remark = _values(array.flatten())
    if values.dtype.kind == "O":
        raise NoColumn("its lists of lists are of several lengths")
    there, rows = lengths > 0, len(array)
    length = int(lengths.max(initial=getattr(array.type, "list_size", 0)))
    if not length:
        return _missing((rows,), values), np.ones(rows, bool), remark
    if np.any(lengths[there] != length):
        return _ragged(values, gaps, lengths), np.zeros(rows, bool), remark
    if there.all():
        return (
            values.reshape(-1, length, *values.shape[1:]),
            gaps.reshape(-1, length, *gaps.shape[1:]),
            remark,
        )
    shape = (rows, length, *values.shape[1:])
    stacked, mask = _missing(shape, values), np.ones(shape, dtype=bool)
    stacked[there], mask[there] = values.reshape(-1, *shape[1:]), gaps.reshape(-1, *shape[1:])
    return stacked, mask, remark


def _missing(shape: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """Make an array of missing values of the type of others."""
    fill = {"f": np.nan, "M": "NaT", "m": "NaT"}.get(values.dtype.kind, values.dtype.type())
    return np.full(shape, fill, dtype=values.dtype)


def _ragged(values: np.ndarray, gaps: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Cut values into one array per row, masked where there are nulls that the type has no value for."""
    if values.ndim > 1:
        raise NoColumn("its lists of lists are of several lengths")
    if gaps.any() and values.dtype.kind not in "fmM":
        values = np.ma.array(values, mask=gaps)
    rows = np.empty(len(lengths), dtype=object)
    ends = np.cumsum(lengths)
    for i, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        rows[i] = values[end - length : end]
    return rows


def first_cast(texts: pa.Array, kinds: Iterable[pa.DataType]) -> pa.Array | None:
    """Read texts as the first type that all of them are of; None if there is none."""
    for kind in kinds:
        try:
            texts[:_FEW].cast(kind)  # because Arrow makes an error message of every text that does not fit
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return None
