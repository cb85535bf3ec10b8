"""How much memory a Parquet file may take: repeated values pack without bound, and a footer may claim anything."""

import os
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

__all__ = ["read_within", "refuse_claims", "room_for"]

# Times the size of a file. Positions hardly pack, so that 16 of some thousand bytes of each row stay as they are.
_FACTOR = 1000
_SHARE_OF_MEMORY = 0.5
_UNKNOWN_MEMORY = 2**34
_ROWS = 2**16  # read at a time


def room_for(path: Path) -> int:
    """Bytes that the columns of a file may take: half of the memory there is, or a thousand times its size if more."""
    return max(int(_SHARE_OF_MEMORY * _memory()), _FACTOR * path.stat().st_size)


def _memory() -> int:
    """Bytes of memory that are available, as far as the system tells."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY


def refuse_claims(file: parquet.ParquetFile, room: int) -> None:
    """Refuse more rows of numbers than there is room for, before any is read, with a `ValueError`."""
    width = sum(_width(kind) for kind in file.schema_arrow.types)
    _refuse(file.metadata.num_rows * width, room)


def _width(kind: pa.DataType) -> int:
    """Bytes of a cell, 0 where they are not all of one size."""
    if pa.types.is_fixed_size_list(kind):
        return kind.list_size * _width(kind.value_type)
    try:
        return -(-kind.bit_width // 8)
    except ValueError:
        return 0


def read_within(file: parquet.ParquetFile, room: int, columns: list[str] | None = None) -> pa.Table:
    """Read a file, or some columns, rows by rows, until it takes more than there is room for: then a `ValueError`."""
    batches, came = [], 0
    for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
        batch, size = _of_same_words(batch, batches[-1] if batches else None)
        came += size
        _refuse(came, room)
        batches.append(batch)
    schema = file.schema_arrow if columns is None else None
    if not batches:
        return file.read(columns=columns)
    return pa.Table.from_batches(batches, schema=schema)


def _of_same_words(batch: pa.RecordBatch, before: pa.RecordBatch | None) -> tuple[pa.RecordBatch, int]:
    """Give a batch with the dictionaries of the one before, where they are equal, and the bytes that it adds."""
    columns, size = batch.columns, batch.nbytes
    if before is None or not any(pa.types.is_dictionary(column.type) for column in columns):
        return batch, size
    for number, column in enumerate(columns):
        if not pa.types.is_dictionary(column.type):
            continue
        # Each batch comes with one of its own, as large as it is for all rows together.
        words = before.column(number).dictionary
        if column.dictionary.equals(words):
            columns[number] = pa.DictionaryArray.from_arrays(
                column.indices, words, ordered=column.type.ordered
            )
            size -= words.nbytes
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema), size


def _refuse(size: int, room: int) -> None:
    if size > room:
        raise ValueError(
            f"it takes {size >> 20} MiB of memory or more, over {_FACTOR} times its size and half of what there is; if "
            "it is a table all the same, read some of its columns with pyarrow"
        )
