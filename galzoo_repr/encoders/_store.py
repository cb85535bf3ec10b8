"""Embeddings on disk, so that no galaxy is encoded twice."""

import os
import sqlite3
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from galzoo_repr._arguments import check_path
from galzoo_repr._config import cache_path, log
from galzoo_repr._database import open_database
from galzoo_repr._folder import locked
from galzoo_repr.encoders._file_keys import FileKeys
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["EmbeddingStore"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS embedding (image BLOB PRIMARY KEY, vector BLOB NOT NULL)"
# Another process may have been as quick; what has another length was damaged.
_INSERT = (
    "INSERT INTO embedding VALUES (?, ?) ON CONFLICT (image) DO UPDATE SET vector = excluded.vector "
    "WHERE length(vector) != length(excluded.vector)"
)
# Keys in one query: SQLite before 3.32 allows 999 variables.
_CHUNK = 500


class EmbeddingStore:
    """
    Folder of embeddings that several processes can share and that survives being killed.

    There is one SQLite file for each encoder, named by the encoder's digest, which covers network, weights,
    recipe and views. In it, the SHA-256 of an image (its first 16 bytes) leads to the embedding. A batch is
    written as a whole or not at all.

    Parameters
    ----------
    root : str or os.PathLike, optional
        Folder, made when missing; the package's cache when not given.
    read_again : bool, optional
        Read every file of pictures again to find out what is in it. By default a file whose size, times and inode
        have not changed since it was read is taken to be the same, which for many files is much quicker.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from galzoo_repr.encoders import EmbeddingStore
    >>> with TemporaryDirectory() as folder:
    ...     shelf = EmbeddingStore(folder).shelf("0" * 64, dim=2)
    ...     kept = shelf.write([b"an image"], np.array([[1.0, 2.0]]))
    ...     shelf.read([b"an image", b"another"])
    ...     shelf.close()
    {b'an image': array([1., 2.], dtype=float32)}
    """

    def __init__(self, root: str | os.PathLike | None = None, *, read_again: bool = False) -> None:
        self.read_again = read_again
        self.root = check_path(
            cache_path("embeddings") if root is None else root, "a store of embeddings"
        ).absolute()

    def __repr__(self) -> str:
        return f"EmbeddingStore({str(self.root)!r})"

    def shelf(self, encoder_digest: str, *, dim: int) -> "Shelf":
        """
        Open the embeddings of one encoder.

        Parameters
        ----------
        encoder_digest : str
            `Encoder.digest`.
        dim : int
            Length of its embeddings.

        Returns
        -------
        Shelf
            With ``read``, ``write`` and ``close``. Where the folder cannot be used, a `GalzooWarning` says so
            once, and the shelf stays empty: embeddings can always be computed again.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from galzoo_repr.encoders import EmbeddingStore
        >>> with TemporaryDirectory() as folder:
        ...     shelf = EmbeddingStore(folder).shelf("0" * 64, dim=2)
        ...     kept = shelf.write([b"a galaxy"], np.array([[1.0, 2.0]]))
        ...     shelf.has([b"a galaxy", b"another"])
        ...     shelf.close()
        {b'a galaxy'}
        """
        shelf = Shelf(self.root / f"{encoder_digest[:32]}.sqlite", dim)
        if shelf.writable and not self.read_again:
            shelf.files = FileKeys(self.root / "files.sqlite")
        return shelf


class Shelf:
    """Embeddings of one encoder, for use from several threads."""

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim = path, dim
        self.files: FileKeys | None = None
        self._lock = threading.Lock()
        self.writable = True
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open("rwc")
            if self._db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                # Two processes may make a store at once, and here SQLite does not wait.
                with locked(path):
                    self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            self._only_read(error)

    def _open(self, mode: str) -> sqlite3.Connection:
        return open_database(self, self.path, mode, isolation_level=None)

    def _only_read(self, error: Exception) -> None:
        """Use what is there, if anything is, and say that nothing will be kept."""
        with self._lock:
            if not self.writable:
                # Another thread has met with the same, and said so.
                return
            self.writable = False
        self.close()
        warnings.warn(
            f"Embeddings are computed but not kept, because {self.path.parent} cannot be written: {error}. "
            "Give another folder with embedding_store=, or embedding_store=False to do without.",
            GalzooWarning,
            stacklevel=2,
        )
        for mode in ("ro", "ro&immutable=1"):
            try:
                self._db = self._open(mode)
                self._db.execute("SELECT 1 FROM embedding LIMIT 1")
                return
            except sqlite3.Error:
                self.close()

    def close(self) -> None:
        """Close the file."""
        if self.files is not None:
            self.files.close()
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def read(self, images: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """
        Embeddings of those images that have one, float32 of shape ``(dim,)``.

        What is damaged, of another length or not finite, is left out: it is computed and written again.
        """
        keys, vectors = self.read_many(images)
        return dict(zip(keys, vectors, strict=True))

    def read_many(self, images: Sequence[bytes]) -> tuple[list[bytes], np.ndarray]:
        """Those images that have an embedding, and their embeddings, float32 of shape ``(n, dim)``."""
        found: list[tuple[bytes, bytes]] = []
        for chunk in self._chunks(images, "image, vector"):
            found.extend(chunk)
        keys = [key for key, _ in found]
        vectors = np.frombuffer(b"".join([vector for _, vector in found]), "<f4").reshape(-1, self.dim)
        damaged = ~np.isfinite(vectors).all(axis=1)
        if damaged.any():
            self._drop([key for key, bad in zip(keys, damaged, strict=True) if bad])
            keys = [key for key, bad in zip(keys, damaged, strict=True) if not bad]
            vectors = vectors[~damaged]
        return keys, vectors

    def _drop(self, images: Sequence[bytes]) -> None:
        with self._lock, suppress(sqlite3.Error):
            if self.writable:
                self._db.executemany("DELETE FROM embedding WHERE image = ?", [(key,) for key in images])

    def _chunks(self, images: Sequence[bytes], columns: str) -> Iterator[list[tuple]]:
        """Columns of the images that have an embedding of the right length."""
        ordered = sorted(images)
        try:
            with self._lock:
                for start in range(0, len(ordered) if self._db is not None else 0, _CHUNK):
                    chunk = ordered[start : start + _CHUNK]
                    marks = ",".join("?" * len(chunk))
                    query = f"SELECT {columns} FROM embedding WHERE image IN ({marks})"
                    whole = f" AND typeof(vector) = 'blob' AND length(vector) = {4 * self.dim}"
                    with closing(self._db.execute(query + whole, chunk)) as rows:
                        yield rows.fetchall()
        except sqlite3.Error as error:
            log.warning("The embeddings in %s cannot be read: %s.", self.path, error)

    def has(self, images: Sequence[bytes]) -> set[bytes]:
        """Those images that have an embedding."""
        return {key for chunk in self._chunks(images, "image") for (key,) in chunk}

    def write(self, images: Sequence[bytes], vectors: np.ndarray) -> bool:
        """Keep a batch of embeddings, shape ``(len(images), dim)``; all of them or none. Whether they are kept."""
        finite = np.isfinite(vectors).all(axis=1)
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in zip(images, vectors, strict=True)]
        rows = [row for row, good in zip(rows, finite, strict=True) if good]
        try:
            with self._lock:
                # Another thread may just have met with trouble.
                if not self.writable:
                    return False
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._db.executemany(_INSERT, rows)
                    self._db.execute("COMMIT")
                except sqlite3.Error:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            self._only_read(error)
            return False
        return True
