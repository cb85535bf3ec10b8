"""Embeddings on disk, so that no galaxy is encoded twice."""

import os
import sqlite3
import threading
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from galzoo_repr._config import cache_path, log
from galzoo_repr._database import open_database
from galzoo_repr._folder import locked
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["EmbeddingStore"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS embedding (image BLOB PRIMARY KEY, vector BLOB NOT NULL)"
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

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from galzoo_repr.encoders import EmbeddingStore
    >>> with TemporaryDirectory() as folder:
    ...     shelf = EmbeddingStore(folder).shelf("0" * 64, dim=2)
    ...     shelf.write([b"an image"], np.array([[1.0, 2.0]]))
    ...     shelf.read([b"an image", b"another"])
    ...     shelf.close()
    {b'an image': array([1., 2.], dtype=float32)}
    """

    def __init__(self, root: str | os.PathLike | None = None) -> None:
        self.root = Path(cache_path("embeddings") if root is None else root).expanduser().absolute()

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
        """
        return Shelf(self.root / f"{encoder_digest[:32]}.sqlite", dim)


class Shelf:
    """Embeddings of one encoder, for use from several threads."""

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim = path, dim
        self._lock = threading.Lock()
        self._writable = True
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
        self._writable = False
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
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def read(self, images: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """
        Embeddings of those images that have one, float32 of shape ``(dim,)``.

        What is damaged, of another length or not finite, is left out: it is computed and written again.
        """
        found: dict[bytes, bytes] = {}
        try:
            with self._lock:
                for start in range(0, len(images) if self._db is not None else 0, _CHUNK):
                    chunk = list(images[start : start + _CHUNK])
                    marks = ",".join("?" * len(chunk))
                    query = f"SELECT image, vector FROM embedding WHERE image IN ({marks})"
                    with closing(self._db.execute(query, chunk)) as rows:
                        found.update(rows)
        except sqlite3.Error as error:
            log.warning("The embeddings in %s cannot be read: %s.", self.path, error)
        whole = {
            key: np.frombuffer(value, "<f4")
            for key, value in found.items()
            if isinstance(value, bytes) and len(value) == 4 * self.dim
        }
        return {key: vector for key, vector in whole.items() if np.isfinite(vector).all()}

    def write(self, images: Sequence[bytes], vectors: np.ndarray) -> None:
        """Keep a batch of embeddings, shape ``(len(images), dim)``; all of them or none."""
        if not self._writable:
            return
        finite = np.isfinite(vectors).all(axis=1)
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in zip(images, vectors, strict=True)]
        rows = [row for row, good in zip(rows, finite, strict=True) if good]
        try:
            with self._lock:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._db.executemany("INSERT OR REPLACE INTO embedding VALUES (?, ?)", rows)
                    self._db.execute("COMMIT")
                except sqlite3.Error:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            self._only_read(error)
