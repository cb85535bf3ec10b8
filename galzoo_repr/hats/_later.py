"""A column whose values are known only when all partitions are: its place is left in the file, and filled in later."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from galzoo_repr._folder import published

__all__ = ["fill_in", "keep", "write_for_later"]

# What stands in place of the values: their numbers, after letters by which they are found in the file.
_NOT_YET = int.from_bytes(b"not yet.", "little") >> 32 << 32


def write_for_later(arrow: pa.Table, path: Path, name: str, **how: object) -> None:
    """
    Write a Parquet file, such that the values of one column can be filled in without writing it again.

    They are kept as they are in memory, without compression or statistics; all else as in any other file.

    Parameters
    ----------
    arrow : pyarrow.Table
    path : pathlib.Path
        Appears complete, after a file beside it that says where the values are, with ``.places`` in its name.
    name : str
        A column of int64; what it holds is not kept.
    **how
        For `pyarrow.parquet.write_table`.
    """
    number = arrow.column_names.index(name)
    values = _NOT_YET + np.arange(len(arrow))
    arrow = arrow.set_column(number, arrow.schema.field(name), pa.array(values))
    others = [leaf for leaf in _leaves(arrow.schema.remove_metadata()) if leaf != name]
    compression = dict.fromkeys(others, "snappy") | {name: "none"}
    with published(path) as draft:
        parquet.write_table(arrow, draft, compression=compression, write_statistics=others, **how)
        keep(_places_of(path), _places(draft, name, values))


def keep(path: Path, values: np.ndarray) -> None:
    """Write what belongs to a file that is published in the same folder thereafter, and is of no use without it."""
    with path.open("wb") as file:
        np.save(file, values)
        file.flush()
        os.fsync(file.fileno())


def fill_in(path: Path, values: np.ndarray, done: Path) -> None:
    """
    Give the column its values, int64 of shape (n,), and bring the file to its place.

    Nobody takes it for done until it is there: when a process is killed before, all values are filled in again.
    """
    content, begun = memoryview(np.ascontiguousarray(values, dtype="<i8")), 0
    with path.open("r+b") as file:
        for place, number in np.load(_places_of(path)).tolist():
            file.seek(place)
            file.write(content[begun : begun + number])
            begun += number
        file.flush()
        os.fsync(file.fileno())
    done.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, done)


def _places_of(path: Path) -> Path:
    """File of the places in a file of Parquet."""
    return path.with_suffix(".places.npy")


@lru_cache(maxsize=8)
def _leaves(schema: pa.Schema) -> list[str]:
    """Columns as Parquet has them, such as ``embedding.list.element``."""
    sink = pa.BufferOutputStream()
    parquet.write_table(schema.empty_table(), sink)
    with parquet.ParquetFile(pa.BufferReader(sink.getvalue())) as file:
        return [file.schema.column(i).path for i in range(len(file.schema))]


def _places(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    """Where in a file each run of values begins, and how many there are: one for every page."""
    found, done = [], 0
    with parquet.ParquetFile(path) as file, path.open("rb") as content:
        column = [file.schema.column(i).path for i in range(len(file.schema))].index(name)
        for group in range(file.num_row_groups):
            chunk = file.metadata.row_group(group).column(column)
            content.seek(chunk.data_page_offset)
            piece, end, at = content.read(chunk.total_compressed_size), done + chunk.num_values, 0
            while done < end:
                at = piece.index(values[done : done + 1].astype("<i8").tobytes(), at)
                here = np.frombuffer(piece, "<i8", min(end - done, (len(piece) - at) // 8), at)
                run = int(np.append(here != values[done : done + len(here)], True).argmax())
                found.append((chunk.data_page_offset + at, run))
                done, at = done + run, at + 8 * run
    return np.array(found, dtype=np.int64).reshape(-1, 2)
