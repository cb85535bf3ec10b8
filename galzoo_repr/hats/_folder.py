"""The folder of a HATS catalogue: what its properties say, and its partitions."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from galzoo_repr._arguments import check_path
from galzoo_repr._folder import left_by_desktops, published
from galzoo_repr.hats._later import write_for_later

__all__ = [
    "INDEX",
    "HatsFolder",
    "Pixel",
    "along_sky",
    "as_writable",
    "files_of",
    "partition_path",
    "read_rows",
    "rows_in",
    "write_partition",
]

__doctest_requires__ = {("HatsFolder", "HatsFolder.open"): ["lsdb"]}

#: Column of the place on the sky, HEALPix of order 29, by the convention of HATS.
INDEX = "_healpix_29"

# Versions of HATS whose folders are laid out as this room reads them: v0.1 and 1.x.
_VERSION = re.compile(r"v?[01](\.|$)")
_KINDS = ("object", "source")
_ROW_GROUP = 65536
# Numbers encoded at a time: of columns of vectors, 1024 as usual take half as long again.
_BATCH = 16384


class Pixel(NamedTuple):
    """A partition: a pixel of HEALPix in nested order."""

    order: int
    number: int

    def __str__(self) -> str:
        return f"Norder={self.order}, Npix={self.number}"


def partition_path(root: Path, pixel: Pixel, suffix: str = ".parquet") -> Path:
    """
    Where a partition lies in its catalogue.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the catalogue.
    pixel : Pixel
    suffix : str
        Ending of the names of partitions.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> from pathlib import Path
    >>> from galzoo_repr.hats._folder import Pixel, partition_path
    >>> partition_path(Path("survey"), Pixel(7, 23456)).as_posix()
    'survey/dataset/Norder=7/Dir=20000/Npix=23456.parquet'
    """
    group = pixel.number // 10_000 * 10_000
    return (
        root
        / "dataset"
        / f"Norder={pixel.order}"
        / f"Dir={group}"
        / f"Npix={pixel.number}{suffix.strip('/')}"
    )


@contextmanager
def as_writable(out: Path) -> Iterator[None]:
    """Say of a folder that cannot be written that it is this one which was asked for."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        raise OSError(
            error.errno or errno.EIO,
            f"no catalogue can be made in {out}: {error.strerror or error}; give another folder",
        ) from error


def write_partition(arrow: pa.Table, path: Path, later: str = "") -> None:
    """Write the rows of one partition, such that nobody ever sees half of them; one column may be filled in later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Vectors, positions and fluxes hardly repeat themselves: to look for that costs a quarter of the time.
    often = [
        field.name
        for field in arrow.schema
        if not (pa.types.is_nested(field.type) or pa.types.is_floating(field.type))
        and field.name not in (INDEX, later)
    ]
    how = {"row_group_size": _ROW_GROUP, "write_batch_size": _BATCH, "use_dictionary": often}
    if later:
        write_for_later(arrow, path, later, **how)
        return
    with published(path) as draft:
        parquet.write_table(arrow, draft, **how)


@dataclass(frozen=True)
class HatsFolder:
    """
    A HATS catalogue, here or where fsspec finds it.

    Attributes
    ----------
    root : pathlib.Path
        Its folder; of a collection, that of its main catalogue.
    properties : dict of str to str
        What ``hats.properties`` says.
    pixels : list of Pixel
        Its partitions, along the sky. This order is that of its rows.
    metadata : dict of bytes to bytes
        Of partitions that have none of their own, as another program wrote them.

    Examples
    --------
    >>> import tempfile
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import HatsFolder, to_hats
    >>> with tempfile.TemporaryDirectory() as place:
    ...     cat = Table({"ra": [10.0, 200.0, 200.1], "dec": [1.0, 2.0, 2.0]})
    ...     folder = HatsFolder.open(to_hats(cat, f"{place}/survey"))
    ...     folder.size, folder.positions, folder.lengths.tolist(), folder.starts.tolist(), folder.schema.names
    ...     folder.path_of(folder.pixels[0]).name, folder.read(folder.pixels[0], ["ra"]).to_pydict()
    ...     folder.schema_of(folder.pixels[0]) == folder.schema, len(folder.digest)
    (3, ('ra', 'dec'), [1, 2], [0, 1, 3], ['_healpix_29', 'ra', 'dec'])
    ('Npix=4.parquet', {'ra': [10.0]})
    (True, 64)
    """

    root: Path
    properties: Mapping[str, str]
    pixels: list[Pixel]
    metadata: Mapping[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | os.PathLike) -> "HatsFolder":
        """
        Read what there is.

        Parameters
        ----------
        path : str or os.PathLike
            A folder, or an address that fsspec reads, such as ``s3://bucket/survey``.

        Returns
        -------
        HatsFolder

        Raises
        ------
        FileNotFoundError
            If there is no such folder, it is no catalogue, or partitions are missing.
        ValueError
            If it is of another version, half-written, or no catalogue of objects.

        Examples
        --------
        >>> import tempfile
        >>> from astropy.table import Table
        >>> from galzoo_repr.hats import HatsFolder, to_hats
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path = to_hats(Table({"ra": [10.0, 200.0], "dec": [1.0, 2.0]}), f"{place}/survey")
        ...     [str(pixel) for pixel in HatsFolder.open(path).pixels]
        ['Norder=0, Npix=4', 'Norder=0, Npix=6']
        """
        remote = "://" in str(path)
        root = _remote(str(path)) if remote else check_path(path, "a HATS catalogue")
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root} of a HATS catalogue")
        collection = root / "collection.properties"
        if collection.is_file():
            root = root / _properties(collection).get("hats_primary_table_url", "")
        properties = _properties_of(root)
        pixels = _pixels_of(root)
        folder = cls(root, properties, pixels)
        # Of a remote one each partition would be asked for; one that is missing is told where it is read.
        missing = [] if remote else [pixel for pixel in pixels if not folder.path_of(pixel).exists()]
        if missing:
            raise FileNotFoundError(
                f"{root} lacks {len(missing)} of {len(pixels)} partitions, such as {missing[0]}; copy the whole folder"
            )
        return folder

    def path_of(self, pixel: Pixel) -> Path:
        """File, or folder of files, of a partition."""
        return partition_path(self.root, pixel, self.properties.get("hats_npix_suffix", ".parquet"))

    @property
    def positions(self) -> tuple[str, str]:
        """Columns of right ascension and declination, in degrees."""
        return self.properties.get("hats_col_ra", ""), self.properties.get("hats_col_dec", "")

    @property
    def size(self) -> int:
        """Rows of the catalogue, as its properties say it."""
        told = self.properties.get("hats_nrows", "")
        return int(told) if told.isdigit() else int(self.starts[-1])

    @cached_property
    def digest(self) -> str:
        """
        What tells its content from another's, by counts, sizes and extremes of all columns in all partitions.

        Where it lacks the file that collects these, by the sizes of the partitions; of a remote one it is empty then.
        """
        collected = self.root / "dataset" / "_metadata"
        if collected.is_file():
            content = collected.read_bytes()
        elif "://" not in str(self.root):
            content = repr([self.path_of(pixel).stat().st_size for pixel in self.pixels]).encode()
        else:
            return ""
        return hashlib.sha256(content).hexdigest()

    @cached_property
    def lengths(self) -> np.ndarray:
        """Rows of each partition, int64 of shape (partitions,)."""
        return np.array([self._length(pixel) for pixel in self.pixels], dtype=np.int64)

    @cached_property
    def starts(self) -> np.ndarray:
        """Number of the first row of each partition, and of the row after the last, int64 (partitions + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def read(self, pixel: Pixel, columns: list[str] | None = None) -> pa.Table:
        """Read a partition, or some of its columns; a `ValueError` if it is damaged."""
        with _damage_of(pixel, self.path_of(pixel)):
            arrow = read_rows(self.path_of(pixel), columns)
            return arrow.replace_schema_metadata({**self.metadata, **(arrow.schema.metadata or {})})

    def _length(self, pixel: Pixel) -> int:
        with _damage_of(pixel, self.path_of(pixel)):
            return rows_in(self.path_of(pixel))

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns and metadata of the first partition."""
        return self.schema_of(self.pixels[0])

    def schema_of(self, pixel: Pixel) -> pa.Schema:
        """Read columns and metadata of a partition, and none of its rows."""
        path = self.path_of(pixel)
        with _damage_of(pixel, path), _parquet(files_of(path)[0]) as file:
            schema = file.schema_arrow
        return schema.with_metadata({**self.metadata, **(schema.metadata or {})})


@contextmanager
def _damage_of(pixel: Pixel, path: Path) -> Iterator[None]:
    """Say which partition it is that Arrow cannot read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise ValueError(f"partition {pixel} in {path} cannot be read: {error}") from error


def read_rows(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a file of Parquet, or a folder of them, as Arrow holds it."""
    pieces = []
    for each in files_of(path):
        with _parquet(each) as file:
            pieces.append(file.read(columns=columns))
    return pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces, promote_options="permissive")


def rows_in(path: Path) -> int:
    """Count the rows of a partition."""
    total = 0
    for each in files_of(path):
        with _parquet(each) as file:
            total += file.metadata.num_rows
    return total


def files_of(path: Path) -> list[Path]:
    """Files of a partition, which may be a folder."""
    if path.suffix == ".parquet" and not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*.parquet") if not left_by_desktops(file.name))


@contextmanager
def _parquet(path: Path) -> Iterator[parquet.ParquetFile]:
    """Open a file, here or where it is."""
    if isinstance(path, Path):
        with parquet.ParquetFile(path) as file:
            yield file
    else:
        with path.open("rb") as content, parquet.ParquetFile(content) as file:
            yield file


def _remote(address: str) -> Path:
    try:
        from upath import UPath
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"to read {address} takes the extra: pip install 'galzoo_repr[hats]' ({error})"
        ) from error
    try:
        return UPath(address)
    except (ImportError, ValueError) as error:
        raise ValueError(
            f"{address} cannot be read: {error}; install what fsspec needs for it, or copy the catalogue here"
        ) from error


def _properties(path: Path) -> dict[str, str]:
    """Entries of a file of properties: ``key=value`` in lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith(("#", "!")))
    return {key.strip(): value.strip().replace("\\:", ":").replace("\\=", "=") for key, _, value in pairs}


def _properties_of(root: Path) -> dict[str, str]:
    found = [root / name for name in ("hats.properties", "properties") if (root / name).is_file()]
    if not found:
        if (root / ".galzoo_repr" / "job.json").is_file():
            raise ValueError(
                f"{root} is not finished: some of its partitions are missing or failed. See galzoo-repr parts {root}, "
                "and give the same call again"
            )
        if (root / "dataset").is_dir() or (root / "partition_info.csv").is_file():
            raise ValueError(
                f"{root} is half-written: it has no hats.properties, which is written last; make it again"
            )
        raise FileNotFoundError(
            f"{root} is no HATS catalogue: there is no hats.properties in it. For a folder of images give a table "
            "with a column of their names, and that column as images="
        )
    properties = _properties(found[0])
    version = properties.get("hats_version", "v0.1")
    if not _VERSION.match(version):
        raise ValueError(f"{root} is of version {version} of HATS; versions up to 1 are known here")
    kind = properties.get("dataproduct_type", properties.get("catalog_type", "object"))
    if kind not in _KINDS:
        raise ValueError(f"{root} is a HATS {kind} table; a catalogue of objects is needed")
    return properties


def _pixels_of(root: Path) -> list[Pixel]:
    path = root / "partition_info.csv"
    try:
        header, *lines = path.read_text(encoding="utf-8").split()
        order, number = (header.split(",").index(name) for name in ("Norder", "Npix"))
        rows = [line.split(",") for line in lines]
        pixels = [Pixel(int(row[order]), int(row[number])) for row in rows]
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{root} has no partition_info.csv, so its partitions are not known; copy the whole folder"
        ) from None
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not pixels:
        raise ValueError(f"{root} has no partitions, so there is nothing in it")
    pixels.sort(key=along_sky)
    for one, other in pairwise(pixels):
        if along_sky(other)[0] < (one.number + 1) << 2 * (29 - one.order):
            raise ValueError(
                f"{path} has partitions {one} and {other}, of which one lies in the other, so that galaxies would be "
                "there twice; write the catalogue anew"
            )
    return pixels


def along_sky(pixel: Pixel) -> tuple[int, int]:
    """Key that sorts partitions by their place on the sky, neighbours together."""
    return pixel.number << 2 * (29 - pixel.order), pixel.order
