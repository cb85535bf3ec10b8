"""Catalogues as Parquet files, in the convention of astropy and readable by anything that reads Parquet."""

import warnings
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table, represent_mixins_as_columns
from astropy.table import meta as ecsv_header
from astropy.utils.data_info import serialize_context_as

from galzoo_repr.catalogue._record import masks_beside, of_header, rebuilt
from galzoo_repr.catalogue._storable import storable
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_parquet", "write_parquet"]

# Rows of one row group, the unit in which other programs read a part of the file.
_ROW_GROUP = 65536


def write_parquet(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new Parquet file, and give a sentence for each thing that the file does not keep.

    The file is of the convention of astropy's own Parquet writer, whose ``Table.read`` can read it. That
    writer makes one Python object per row of an embedding; this one hands Arrow the array as it lies in
    memory. Masked cells are nulls, which every program knows, and the mask is the column ``<name>.mask``
    besides, which is how astropy has it.
    """
    import pyarrow as pa
    from pyarrow import parquet

    table, lost = storable(table, "Parquet", kinds="biufSU", null=lambda _: False, context="parquet")
    with serialize_context_as("parquet"):
        plain = represent_mixins_as_columns(table)
    metadata = {"table_meta_yaml": "\n".join(ecsv_header.get_yaml_from_table(plain))}
    arrays, masks = {}, masks_beside(plain)
    for column in plain.itercols():
        data = np.ascontiguousarray(column.data, dtype=column.dtype.newbyteorder("="))
        if data.dtype.kind in "SU":
            width = data.dtype.itemsize // (4 if data.dtype.kind == "U" else 1)
            metadata[f"table::len::{column.name}"] = str(width)
        mask = np.asarray(plain[masks[column.name]]).reshape(-1) if column.name in masks else None
        values = pa.array(data.reshape(-1), mask=mask)
        if data.ndim > 1:
            values = pa.FixedSizeListArray.from_arrays(values, int(np.prod(data.shape[1:])))
        arrays[column.name] = values
    arrow = pa.table(arrays).replace_schema_metadata(metadata)
    parquet.write_table(arrow, path, row_group_size=_ROW_GROUP)
    return lost


def read_parquet(path: Path) -> Table:
    """
    Read a Parquet file, whether written by this package, astropy, pandas or LSDB.

    In files of others, nulls become NaN in floats and embeddings, and masked cells in all else; columns of
    lists of equal length become two-dimensional.
    """
    from pyarrow import parquet

    arrow = parquet.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in (arrow.schema.metadata or {}).items()}
    plain = Table()
    for name in arrow.column_names:
        column = _column(arrow[name].combine_chunks())
        if column is None:
            message = f"column {name!r} of {path} is left out: a table has no column of {arrow[name].type}."
            warnings.warn(message, GalzooWarning, stacklevel=3)
        else:
            plain[name] = column
    header = ecsv_header.get_header_from_yaml(metadata.get("table_meta_yaml", "datatype: []").split("\n"))
    columns = {f["name"]: of_header(f) for f in header["datatype"] if f["name"] in plain.colnames}
    for name, facts in columns.items():
        # Arrow knows the type, but not how wide text was.
        facts["dtype"], width = plain[name].dtype.str, metadata.get(f"table::len::{name}")
        if width is not None:
            facts["dtype"] = f"{plain[name].dtype.kind}{max(int(width), 1)}"
    return rebuilt(plain, columns, header.get("meta", {}))


def _column(array: "pyarrow.Array") -> Column | None:  # noqa: F821
    """Turn an Arrow array into a column, None for what has no counterpart."""
    import pyarrow as pa

    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_decimal(array.type) or pa.types.is_null(array.type):
        array = array.cast(pa.float64())
    if any(
        is_list(array.type)
        for is_list in (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    ):
        return _list_column(array)
    if pa.types.is_nested(array.type):
        return None
    mask = array.is_null().to_numpy(zero_copy_only=False)
    return _masked(_values(array), mask)


def _values(array: "pyarrow.Array") -> np.ndarray:  # noqa: F821
    """Give the values of a flat Arrow array, with something of the same type in place of nulls."""
    import pyarrow as pa

    kinds = (
        (("string", "large_string", "string_view"), "", str),
        (("binary", "large_binary", "binary_view"), b"", bytes),
        (("boolean",), False, bool),
        (("integer",), 0, None),
    )
    for names, missing, dtype in kinds:
        if any(getattr(pa.types, f"is_{name}")(array.type) for name in names):
            values = (array.fill_null(missing) if array.null_count else array).to_numpy(zero_copy_only=False)
            return values if dtype is None else values.astype(dtype)
    return array.to_numpy(zero_copy_only=False)


def _masked(values: np.ndarray, mask: np.ndarray) -> Column:
    """Make a column that is masked only where its type has no value for missing."""
    if values.dtype.kind in "fM" or not mask.any():
        return Column(values)
    return MaskedColumn(values, mask=mask)


def _list_column(array: "pyarrow.Array") -> Column:  # noqa: F821
    """Stack lists of equal length; a null among floats is a row of NaN."""
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    flat = array.flatten()
    values, gaps = _values(flat), flat.is_null().to_numpy(zero_copy_only=False)
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    length = int(lengths.max(initial=getattr(array.type, "list_size", 0)))
    if np.any(lengths[valid] != length):
        rows = np.empty(len(array), dtype=object)
        rows[:] = np.split(values, np.cumsum(lengths)[:-1]) if len(array) else []
        return Column(rows)
    if valid.all():
        return _masked(values.reshape(-1, length), gaps.reshape(-1, length))
    stacked = np.full((len(array), length), np.nan if values.dtype.kind == "f" else values.dtype.type(0))
    stacked = stacked.astype(values.dtype)
    mask = np.ones(stacked.shape, dtype=bool)
    stacked[valid], mask[valid] = values.reshape(-1, length), gaps.reshape(-1, length)
    return _masked(stacked, mask)
