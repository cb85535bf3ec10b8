"""A Parquet file of which only some columns are read, or some rows after the others."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from astropy.table import Table
from pyarrow import parquet

from galzoo_repr.catalogue._parquet import table_of_arrow
from galzoo_repr.catalogue._parquet_size import read_within, room_for

__all__ = ["ParquetParts"]

_ROWS = 2**16  # read at a time
_HEAD = 1000


class ParquetParts:
    """
    Columns and rows of one Parquet file, of any size.

    Parameters
    ----------
    path : pathlib.Path

    Attributes
    ----------
    names : list of str
        Columns, in the order of the file.
    flat : list of str
        Those of one number or text per row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import ParquetParts, write_catalogue
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_catalogue(Table({"id": [1, 2], "feature": [[1.0, 2.0], [3.0, 4.0]]}), Path(folder, "a.parquet"))
    ...     file = ParquetParts(Path(folder, "a.parquet"))
    ...     file.flat, [len(part) for _, part in file.parts(["feature"])]
    (['id'], [2])
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, parquet.ParquetFile(path)
        schema = self._file.schema_arrow
        self.names = list(schema.names)
        self.flat = [field.name for field in schema if not pa.types.is_nested(field.type)]

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    def head(self) -> Table:
        """
        Give the first rows, to see what the columns are; what is said of them is said when they are read.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import ParquetParts, write_catalogue
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_catalogue(Table({"id": range(3000)}), Path(folder, "a.parquet"))
        ...     file = ParquetParts(Path(folder, "a.parquet"))
        ...     len(file), len(file.head())
        (3000, 1000)
        """
        first = next(self._file.iter_batches(batch_size=_HEAD), None)
        arrow = self._file.read() if first is None else pa.Table.from_batches([first])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return table_of_arrow(arrow.replace_schema_metadata(self._file.schema_arrow.metadata), self._path)

    def table(self, columns: Sequence[str]) -> Table:
        """
        Read some columns whole.

        Parameters
        ----------
        columns : sequence of str
            As they are called in the file.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import ParquetParts, write_catalogue
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_catalogue(Table({"id": [1, 2], "ra": [10.0, 20.0]}), Path(folder, "a.parquet"))
        ...     ParquetParts(Path(folder, "a.parquet")).table(["ra"])["ra"].tolist()
        [10.0, 20.0]
        """
        arrow = read_within(self._file, room_for(self._path), list(columns))
        return table_of_arrow(arrow, self._path)

    def parts(self, columns: Sequence[str]) -> Iterator[tuple[int, Table]]:
        """
        Give some columns in parts of 65,536 rows, each with the number of its first row.

        Parameters
        ----------
        columns : sequence of str
            As they are called in the file.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import ParquetParts, write_catalogue
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_catalogue(Table({"id": range(70_000)}), Path(folder, "a.parquet"))
        ...     [(start, len(part)) for start, part in ParquetParts(Path(folder, "a.parquet")).parts(["id"])]
        [(0, 65536), (65536, 4464)]
        """
        start = 0
        for batch in self._file.iter_batches(batch_size=_ROWS, columns=list(columns)):
            yield start, table_of_arrow(pa.Table.from_batches([batch]), self._path)
            start += len(batch)
