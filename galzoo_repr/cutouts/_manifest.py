"""The store's record of what was asked and what came of it: one SQLite file shared by processes."""

import re
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path

from galzoo_repr._database import open_database
from galzoo_repr._folder import locked
from galzoo_repr.cutouts._request import CutoutRequest, Outcome

__all__ = ["REQUEST_FIELDS", "STEM", "CutoutStoreError", "Manifest", "request_values"]

_DIGEST = re.compile("[0-9a-f]{64}")
_CHUNK = 500
"""Keys in one query; SQLite before 3.32 allows 999 variables."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outcome (
    key BLOB PRIMARY KEY, route TEXT, server TEXT, layer TEXT, image_format TEXT, bands TEXT,
    size INTEGER, pixel_scale REAL, ra REAL, dec REAL,
    status TEXT, reason TEXT, http_code INTEGER, attempts INTEGER, n_bytes INTEGER, digest TEXT,
    zero_fraction REAL, seconds REAL, time REAL, final INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (key BLOB PRIMARY KEY, owner TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owner (owner TEXT PRIMARY KEY, beat REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS body (
    digest TEXT PRIMARY KEY, used REAL, holder TEXT, held REAL DEFAULT 0, passing INTEGER DEFAULT 0,
    picture INTEGER DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outcome_digest ON outcome (digest, n_bytes);
"""
REQUEST_FIELDS = ("route", "server", "layer", "image_format", "bands", "size", "pixel_scale", "ra", "dec")
_OUTCOME_FIELDS = (
    "status", "reason", "http_code", "attempts", "n_bytes", "digest", "zero_fraction", "seconds", "time",
    "final",
)  # fmt: skip
request_values = attrgetter(*REQUEST_FIELDS)
_outcome_values = attrgetter(*_OUTCOME_FIELDS)
_INSERT = (
    f"INSERT OR REPLACE INTO outcome (key, {', '.join(REQUEST_FIELDS + _OUTCOME_FIELDS)}) "
    f"VALUES ({', '.join('?' * (1 + len(REQUEST_FIELDS) + len(_OUTCOME_FIELDS)))})"
)


STEM = 32
"""Letters of the SHA-256 that name a file."""


class CutoutStoreError(OSError):
    """
    The folder of cutouts cannot be read or written.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> from galzoo_repr.cutouts import CutoutStore, CutoutStoreError
    >>> with NamedTemporaryFile() as file:
    ...     try:
    ...         CutoutStore(file.name)
    ...     except CutoutStoreError as error:
    ...         print(error)
    the store of cutouts ... cannot be made: ...; give another folder
    """


class Manifest:
    """
    Outcomes by request key, and the tables of `Leases`.

    Parameters
    ----------
    path : pathlib.Path
        SQLite file; made when missing, unless ``read_only``.
    read_only : bool
        Never write.

    Raises
    ------
    CutoutStoreError
        If the file is no manifest, is damaged or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool):
        self.path = path
        self.root = path.parent
        self.read_only = read_only
        self._lock = threading.RLock()
        with self._errors():
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        if not self.read_only:
            db = open_database(self, self.path, "rwc")
            if db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                # Two processes may make a store at once, and here SQLite does not wait.
                with locked(self.path):
                    db.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing; only a power cut may lose the last rows, which are then
            # fetched again.
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
            return db
        # A folder that cannot be written has no place for the shared memory of the WAL: read it as a file
        # at rest.
        try:
            db = open_database(self, self.path, "ro")
            db.execute("SELECT 1 FROM outcome LIMIT 1")
        except sqlite3.OperationalError:
            db = open_database(self, self.path, "ro&immutable=1")
            db.execute("SELECT 1 FROM outcome LIMIT 1")
        return db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.OperationalError as error:
            full = "; make room, or choose another store, and call again" if "is full" in str(error) else ""
            raise CutoutStoreError(f"the manifest {self.path} cannot be used: {error}{full}") from error
        except sqlite3.DatabaseError as error:
            raise CutoutStoreError(
                f"the manifest {self.path} is damaged: {error}; the cutouts beside it are kept: "
                f"CutoutStore.rebuild({str(self.root)!r}) makes a new manifest of them"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):
            self._db.close()

    def lookup(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """Outcomes of the keys that are known."""
        columns = ", ".join(_OUTCOME_FIELDS)
        found = {}
        # In the order of the file, of which each page is then read once.
        keys = sorted(keys)
        with self._errors():
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._db.execute(f"SELECT key, {columns} FROM outcome WHERE key IN ({marks})", chunk)
                found.update((row[0], _outcome(row[1:])) for row in rows)
        return found

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the database to read from."""
        with self._errors():
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """
        Give the database, shut to others' changes; all changes are kept, or none if one fails.

        What is read within stays true until the end. A transaction within another is part of it.
        """
        with self._errors():
            if self._db.in_transaction:
                yield self._db
                return
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db

    def announce(self, request: CutoutRequest, outcome: Outcome) -> None:
        """Write the outcome of a request whose body is about to appear; the lease on it stays."""
        with self.transaction() as db:
            db.execute(_INSERT, (request.key, *_values(request, outcome)))

    def leased(self) -> set[bytes]:
        """Keys that some call is fetching, or was fetching when it was killed."""
        with self._errors():
            return {key for (key,) in self._db.execute("SELECT key FROM claim")}

    def record(self, rows: Iterable[tuple[CutoutRequest, Outcome]]) -> None:
        """Write outcomes and give up the leases on them, all or none."""
        rows = [(request.key, *_values(request, outcome)) for request, outcome in rows]
        if not rows:
            return
        with self.transaction() as db:
            db.executemany(_INSERT, rows)
            db.executemany("DELETE FROM claim WHERE key = ?", [row[:1] for row in rows])

    def rows(self, where: str = "1", values: Sequence = ()) -> Iterator[tuple[bytes, CutoutRequest, Outcome]]:
        """Everything recorded that meets a condition."""
        columns = ", ".join(("key", *REQUEST_FIELDS, *_OUTCOME_FIELDS))
        with self._errors():
            rows = self._db.execute(f"SELECT {columns} FROM outcome WHERE {where}", values).fetchall()
        n = 1 + len(REQUEST_FIELDS)
        for row in rows:
            request = CutoutRequest(**dict(zip(REQUEST_FIELDS, row[1:n], strict=True)))
            yield row[0], request, _outcome(row[n:])

    def digests(self, stems: Collection[str]) -> set[str]:
        """Digests of the bodies whose files have these names, without endings."""
        with self._errors():
            rows = self._db.execute("SELECT DISTINCT digest FROM outcome WHERE digest > ''")
            return {digest for (digest,) in rows if digest[:STEM] in stems}

    def described(self, stems: Collection[str]) -> dict[str, tuple]:
        """Fields of the request and the status, by the letters of the digest that name a file, of those wanted."""
        columns = ", ".join(REQUEST_FIELDS)
        with self._errors():
            # Plain tuples: for a million rows, the objects would take most of the time.
            rows = self._db.execute(f"SELECT digest, {columns}, status FROM outcome WHERE digest > ''")
            return {digest[:STEM]: row for digest, *row in rows if digest[:STEM] in stems}

    def forget(self, keys: Sequence[bytes]) -> None:
        """Drop what is recorded of some keys."""
        with self.transaction() as db:
            db.executemany("DELETE FROM outcome WHERE key = ?", [(key,) for key in keys])

    def check(self) -> None:
        """Raise if the file is damaged."""
        with self._errors():
            verdict = self._db.execute("PRAGMA quick_check").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)

    def counts(self) -> list[tuple[str, int, int]]:
        """Status, number of requests and bytes of their bodies; one that answers several requests counts for each."""
        with self._errors():
            return self._db.execute(
                "SELECT status, COUNT(*), SUM(n_bytes) FROM outcome GROUP BY status ORDER BY status"
            ).fetchall()


def _values(request: CutoutRequest, outcome: Outcome) -> tuple:
    zero = None if outcome.zero_fraction != outcome.zero_fraction else float(outcome.zero_fraction)
    values = [*request_values(request), *_outcome_values(outcome)]
    values[len(REQUEST_FIELDS) + _OUTCOME_FIELDS.index("zero_fraction")] = zero
    return tuple(values)


def _outcome(row: tuple) -> Outcome:
    outcome = Outcome(*row)
    outcome.final = bool(outcome.final)
    if outcome.digest and not (isinstance(outcome.digest, str) and _DIGEST.fullmatch(outcome.digest)):
        # It would name a file outside the store. What is not final is asked for again.
        outcome.digest, outcome.n_bytes, outcome.final = "", 0, False
        outcome.status, outcome.reason = "corrupt", "the manifest does not name a file of the store"
    if outcome.zero_fraction is None:
        outcome.zero_fraction = float("nan")
    return outcome
