"""Catalogues as Parquet files, in the convention of astropy and readable by anything that reads Parquet."""

import re
import warnings
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import lru_cache
from io import BytesIO
from itertools import chain, count
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.table import Table, represent_mixins_as_columns
from astropy.table import meta as ecsv_header
from astropy.utils.data_info import serialize_context_as
from pyarrow import parquet

from galzoo_repr.catalogue._arrow import NoColumn, column_of
from galzoo_repr.catalogue._parquet_size import read_within, refuse_claims, room_for
from galzoo_repr.catalogue._record import masks_beside, of_header, rebuilt
from galzoo_repr.catalogue._storable import storable
from galzoo_repr.catalogue._unpacked import is_packed
from galzoo_repr.catalogue._votable_document import parse_document
from galzoo_repr.catalogue._yaml_size import refuse_unfolding
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["arrow_table", "header_of", "read_parquet", "table_of_arrow", "write_parquet"]

# Rows of one row group, the unit in which other programs read a part of the file.
_ROW_GROUP = 65536
# A group is encoded in memory before it is written.
_BYTES_PER_GROUP = 2**26

# By the convention of the IVOA, VOTable in Parquet 1.0.
_VOTABLE = b"IVOA.VOTable-Parquet.content"

# What Arrow raises for pages that it cannot decode.
_UNREADABLE = (pa.ArrowException, OSError)


def write_parquet(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new Parquet file, and give a sentence for each thing that the file does not keep.

    The file is of the convention of astropy's own Parquet writer, whose ``Table.read`` can read it. That
    writer makes one Python object per row of an embedding; this one hands Arrow the array as it lies in
    memory. Masked cells are nulls, which every program knows, and the mask is the column ``<name>.mask``
    besides, which is how astropy has it.
    """
    arrow, lost = arrow_table(table)
    rows = max(1, _BYTES_PER_GROUP * len(arrow) // max(1, arrow.nbytes))
    parquet.write_table(arrow, path, row_group_size=min(_ROW_GROUP, rows))
    return lost


def arrow_table(table: Table) -> tuple[pa.Table, list[str]]:
    """
    Give a table as Arrow holds it in the files of `write_parquet`, and a sentence for each thing that is lost.

    Units, descriptions, masks and meta are in its metadata.
    """
    table, lost = storable(
        table, "Parquet", kinds="biufSUmM", null=lambda _: False, context="parquet", retype=_to_arrow_type
    )
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
    return pa.table(arrays).replace_schema_metadata(metadata), lost


def _to_arrow_type(data: np.ndarray) -> np.ndarray:
    """Give times in one of the units that Arrow has; the coarser ones are whole numbers of seconds."""
    if data.dtype.kind in "mM" and data.dtype.str[3:] not in ("[s]", "[ms]", "[us]", "[ns]"):
        return data if data.dtype == "M8[D]" else data.astype(f"{data.dtype.kind}8[s]")
    return data


def read_parquet(path: Path) -> Table:
    """
    Read a Parquet file, whether written by this package, astropy, pandas or LSDB.

    In files of others, nulls become NaN in floats and embeddings, and masked cells in all else; columns of
    lists of equal length become two-dimensional, of lists of one plain. What cannot be a column is left out.

    Parameters
    ----------
    path : pathlib.Path
        One file, not a folder of them.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if it was written with quantities.

    Warns
    -----
    GalzooWarning
        For each column that is left out or not what it was in the file.
    """
    if is_packed(path):
        raise ValueError(
            "it is packed, and Parquet is read where it lies (and compresses by itself); unpack it first"
        )
    file = parquet.ParquetFile(path)
    room = room_for(path)
    refuse_claims(file, room)
    return _table(_arrays(file, room), file.schema_arrow.metadata or {}, path)


def table_of_arrow(arrow: pa.Table, path: Path) -> Table:
    """Give a table of Arrow as the table that `read_parquet` would read from its file; `path` names it in warnings."""
    columns = zip(arrow.column_names, arrow.columns, strict=True)
    return _table(columns, arrow.schema.metadata or {}, path)


def _table(
    arrays: Iterable[tuple[str, pa.ChunkedArray | Exception]], metadata: dict[bytes, bytes], path: Path
) -> Table:
    plain = Table()
    for name, array in arrays:
        try:
            if isinstance(array, Exception):
                raise array
            column, remark = column_of(array.combine_chunks())
        except (NoColumn, *_UNREADABLE) as reason:
            column, remark = None, f"is left out: {reason}"
        if remark:
            warnings.warn(f"column {name!r} of {path} {remark}.", GalzooWarning, stacklevel=4)
        if column is not None:
            plain[_free(name, plain.colnames)] = column
    if not plain.colnames:
        raise ValueError("none of its columns can be a column of a table")
    _take_facts(plain, metadata.get(_VOTABLE), path)
    columns, meta = _header(plain, metadata, path)
    return rebuilt(plain, columns, meta)


def _arrays(file: parquet.ParquetFile, room: int) -> Iterator[tuple[str, pa.ChunkedArray | Exception]]:
    """Give name and values of each column, or why Arrow cannot read them."""
    try:
        arrow = read_within(file, room)
        yield from zip(arrow.column_names, arrow.columns, strict=True)
    except _UNREADABLE:
        for name in file.schema_arrow.names:
            try:
                yield name, read_within(file, room, [name])[name]
            except _UNREADABLE as error:
                yield name, error


def _free(name: str, taken: list[str]) -> str:
    """Give a name that is not taken: files of others may use one twice."""
    return next(each for each in chain([name], (f"{name}_{i}" for i in count(2))) if each not in taken)


def _take_facts(plain: Table, content: bytes | None, path: Path) -> None:
    """Take units, descriptions and UCDs from the VOTable without rows that TOPCAT keeps in a Parquet file."""
    if content is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document, _ = parse_document(BytesIO(re.sub(rb"(?s)<DATA.*</DATA>", b"", content)))
            facts = document.get_first_table().to_table(use_names_over_ids=True)
    except Exception as reason:  # of many kinds, and the data are complete without it
        message = (
            f"the VOTable in the metadata of {path} is damaged, units and descriptions are lost: {reason}"
        )
        warnings.warn(message, GalzooWarning, stacklevel=5)
        return
    for name in set(plain.colnames) & set(facts.colnames):
        plain[name].unit, plain[name].description = facts[name].unit, facts[name].description
        plain[name].meta = {k: v for k, v in facts[name].meta.items() if not k.startswith("_votable")}


def header_of(metadata: dict[bytes, bytes]) -> dict:
    """Read the header that astropy keeps in the metadata of a file: ``datatype``, a list, and perhaps ``meta``."""
    return deepcopy(_read_header(metadata.get(b"table_meta_yaml", b"datatype: []")))


@lru_cache(maxsize=8)  # the pieces of one catalogue have the same, and YAML is slow
def _read_header(text: bytes) -> dict:
    refuse_unfolding(text.decode())
    return ecsv_header.get_header_from_yaml(text.decode().split("\n"))


def _header(plain: Table, metadata: dict[bytes, bytes], path: Path) -> tuple[dict[str, dict], dict]:
    """Read what astropy or this package noted of the columns, and the meta of the table."""
    try:
        header = header_of(metadata)
        columns = {f["name"]: of_header(f) for f in header["datatype"] if f["name"] in plain.colnames}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ecsv_header.YamlParseError):
        message = (
            f"the header that astropy keeps in {path} is damaged; units, descriptions and meta are lost."
        )
        warnings.warn(message, GalzooWarning, stacklevel=5)
        return {}, {}
    for name, facts in columns.items():
        # Arrow knows the type, but not how wide text was; and others may have changed the column since.
        facts["dtype"], width = plain[name].dtype.str, metadata.get(f"table::len::{name}".encode(), b"")
        if width.isdigit() and plain[name].dtype.kind in "SU":
            size = plain[name].dtype.itemsize // (4 if plain[name].dtype.kind == "U" else 1)
            facts["dtype"] = f"{plain[name].dtype.kind}{max(int(width), size, 1)}"
        if np.size(plain[name]) != len(plain) * int(np.prod(facts.get("shape", []))):
            facts["shape"] = plain[name].shape[1:]
    return columns, header.get("meta", {})
