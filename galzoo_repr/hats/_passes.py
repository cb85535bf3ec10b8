"""Parquet files larger than memory become partitions in two passes: rows are counted, then brought to their place."""

import os
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.table import Table
from pyarrow import parquet

from galzoo_repr.catalogue import SkyPositions, stacked
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats._cut import cut, write_pixels
from galzoo_repr.hats._folder import Pixel
from galzoo_repr.hats._places import Places

__all__ = ["ParquetRows", "write_in_passes"]

# Bytes of rows held at a time, before their compression; as many again while they are sorted.
_AT_A_TIME = 2**27
# Files open at a time.
_HEAPS = 400
# Order of HEALPix in which rows are counted: 3 million pixels of 7 arcminutes.
_COUNTED = 9


@dataclass(frozen=True)
class ParquetRows:
    """
    Rows of Parquet files, read piece by piece.

    Attributes
    ----------
    files : tuple of pathlib.Path
        Files with the same columns.
    """

    files: tuple[Path, ...]

    @classmethod
    def of(cls, path: object) -> "ParquetRows | None":
        """Give the rows of a Parquet file, or of a folder of them; None for anything else."""
        if not isinstance(path, str | os.PathLike):
            return None
        path = Path(path).expanduser()
        if path.is_dir():
            files = tuple(
                sorted(file for file in path.rglob("*.parquet") if not file.name.startswith((".", "_")))
            )
            if not files:
                raise ValueError(
                    f"there are no Parquet files in the folder {path}; give a table, or a file of one"
                )
            rows = cls(files)
            rows._check_columns()
            return rows
        try:
            with path.open("rb") as file:
                return cls((path,)) if file.read(4) == b"PAR1" else None
        except OSError:
            return None  # which whoever reads it says better

    def _check_columns(self) -> None:
        for file in self.files[1:]:
            theirs = parquet.read_schema(file)
            if not theirs.equals(self.schema):
                other = {field.name: field.type for field in theirs}
                wrong = [f.name for f in self.schema if other.get(f.name) != f.type] or [
                    name for name in other if name not in self.schema.names
                ]
                raise ValueError(
                    f"{file} and {self.files[0]} do not have the same columns ({wrong[0] if wrong else 'their order'} "
                    "differs); convert them one by one, or make them alike"
                )

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns, with the metadata of the first file."""
        return parquet.read_schema(self.files[0])

    @cached_property
    def bytes(self) -> int:
        """Size in memory, about."""
        return sum(
            meta.row_group(group).total_byte_size
            for meta in map(parquet.read_metadata, self.files)
            for group in range(meta.num_row_groups)
        )

    def __len__(self) -> int:
        return sum(parquet.read_metadata(file).num_rows for file in self.files)

    @cached_property
    def small(self) -> bool:
        """Whether they are as well held in memory."""
        return self.bytes <= 2 * _AT_A_TIME

    def read(self) -> Table:
        """Give all rows as one table."""
        return stacked([parquet.ParquetFile(file).read() for file in self.files], self.files[0])

    def pieces(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Give some rows after the others."""
        rows = max(1, min(_AT_A_TIME * len(self) // max(1, 4 * self.bytes), 2**20))
        for path in self.files:
            with parquet.ParquetFile(path) as file:
                for group in range(file.num_row_groups):  # one by one, or Arrow keeps all that it has read
                    for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
                        yield pa.Table.from_batches([batch]).replace_schema_metadata(self.schema.metadata)

    @cached_property
    def narrow(self) -> list[str]:
        """Columns of one value in a row, among which those of positions are."""
        nested = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
        return [field.name for field in self.schema if not any(kind(field.type) for kind in nested)]


def write_in_passes(rows: ParquetRows, places: Places, root: Path, max_rows: int) -> dict[Pixel, int]:
    """
    Write the partitions of a catalogue that is larger than memory.

    Parameters
    ----------
    rows : ParquetRows
    places : Places
        What finds the positions.
    root : pathlib.Path
        Folder of the catalogue, which holds all rows once more until they are in their partitions.
    max_rows : int
        Rows of a partition at most.

    Returns
    -------
    dict of Pixel to int
        Rows of each partition.
    """
    _check_room(rows, root)
    counts = np.zeros(12 * 4**_COUNTED, dtype=np.int64)
    with _said_of_all() as pieces:
        for _, _, index in _placed(rows, rows.narrow, places):
            pieces.append(len(index))
            seen, times = np.unique(index >> 2 * (29 - _COUNTED), return_counts=True)
            counts[seen] += times
    places.refuse_bad()
    before = np.concatenate([[0], np.cumsum(counts)])
    pixels = cut(lambda place: before[place >> 2 * (29 - _COUNTED)], max_rows, finest=_COUNTED)
    heaps, aside, done = _heaps(pixels, rows), root / ".heaps", {}
    aside.mkdir(parents=True)
    try:
        for heap, path in zip(heaps, _heaped(heaps, rows, places, aside), strict=True):
            with pa.OSFile(str(path)) as source:
                arrow = pa.ipc.open_stream(source).read_all()
            path.unlink()
            done |= write_pixels(arrow, root, max_rows, heap)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return done


def _placed(
    rows: ParquetRows, columns: list[str] | None, places: Places
) -> Iterator[tuple[pa.Table, SkyPositions, np.ndarray]]:
    """Give pieces with their positions and their places on the sky."""
    start = 0
    for piece in rows.pieces(columns):
        table = stacked([piece.select(rows.narrow)], rows.files[0])
        positions, index = places.look(table, piece, start)
        yield piece, positions, index
        start += len(piece)


def _heaps(pixels: dict[Pixel, slice], rows: ParquetRows) -> list[list[Pixel]]:
    """Put neighbouring pixels together, as many as are held at a time."""
    most = max(_AT_A_TIME * len(rows) // max(1, rows.bytes), len(rows) // _HEAPS, 1)
    heaps, held = [], most + 1
    for pixel, part in pixels.items():
        size = part.stop - part.start
        if held + size > most:
            heaps.append([])
            held = 0
        heaps[-1].append(pixel)
        held += size
    return heaps


def _heaped(heaps: Sequence[Sequence[Pixel]], rows: ParquetRows, places: Places, aside: Path) -> list[Path]:
    """Write every row to the file of its heap."""
    starts = np.array([heap[0].number << 2 * (29 - heap[0].order) for heap in heaps])
    paths = [aside / f"{number}.arrows" for number in range(len(heaps))]
    writers: list[pa.ipc.RecordBatchStreamWriter] = []
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", GalzooWarning)  # said when the rows were counted
        for piece, positions, index in _placed(rows, None, places):
            arrow = places.beside(piece, positions, index)
            heap = np.searchsorted(starts, index, side="right") - 1
            if (heap[1:] < heap[:-1]).any():
                order = np.argsort(heap, kind="stable")
                arrow, heap = arrow.take(pa.array(order)), heap[order]
            for path in paths[len(writers) :]:
                writers.append(opened.enter_context(pa.ipc.new_stream(str(path), arrow.schema)))
            ends = np.flatnonzero(np.diff(heap, append=-1)) + 1
            for begin, end in zip([0, *ends[:-1]], ends, strict=True):
                writers[heap[begin]].write_table(arrow.slice(begin, end - begin))
    return paths


def _check_room(rows: ParquetRows, root: Path) -> None:
    free, needed = shutil.disk_usage(root.parent).free, 2 * rows.bytes
    if free < needed:
        raise OSError(
            f"there are {free / 1e9:.1f} GB of room in {root.parent}, and this catalogue needs {needed / 1e9:.1f} GB "
            "while it is sorted; give a folder on another disk"
        )


@contextmanager
def _said_of_all() -> Iterator[list[int]]:
    """Pass on what is warned of every piece that is noted; the positions of a part may look like something else."""
    pieces: list[int] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GalzooWarning)
        yield pieces
    kinds = [re.sub(r"[-\d.]+", "", str(warning.message)) for warning in caught]
    for kind, times in Counter(kinds).items():
        if times >= len(pieces):
            first = caught[kinds.index(kind)]
            warnings.warn(str(first.message), first.category, stacklevel=5)
