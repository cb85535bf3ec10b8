"""Keys of files that have not changed since they were read, so that a file is read once and not at every call."""

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from galzoo_repr._config import log
from galzoo_repr._database import open_database

__all__ = ["FileKeys", "FileState", "state_of_file"]

FileState = tuple[int, int, int, int]
"""Size, times of the last change of content and of anything (ns), and inode."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS file (name TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, "
    "inode INTEGER, key BLOB) WITHOUT ROWID"
)
_CHUNK = 500
_WRITTEN_AT_ONCE = 1000
# Within the grain of the clock of a file system (2 s for FAT) a file may change and keep its times.
_SETTLED_NS = 2_000_000_000


def state_of_file(path: str) -> FileState | None:
    """What tells that a file has changed, without reading it; None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class FileKeys:
    """
    Keys of the content of files by name and state, in one SQLite file for all encoders.

    As in the index of git, a file whose size, times and inode are those noted is taken to be the same. One that was
    changed less than 2 s before it was noted is not: it may change again within the same tick of the clock. Trouble
    with the file of keys means that pictures are read again, no more.

    Parameters
    ----------
    path : pathlib.Path
        SQLite file, in a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._fresh: list[tuple] = []
        self._db: sqlite3.Connection | None = None
        try:
            self._db = open_database(self, path, "rwc")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: sqlite3.Error) -> None:
        log.info("The keys of files in %s cannot be used: %s.", self.path, error)
        if self._db is not None:
            self._db.close()
        self._db = None

    def known(self, names: Sequence[str], paths: Sequence[str]) -> list[bytes]:
        """
        Keys noted under some names, as far as the files at these paths are unchanged; empty for the others.

        Parameters
        ----------
        names : sequence of str
            Under which the keys were noted.
        paths : sequence of str
            Of the files.

        Returns
        -------
        list of bytes
        """
        noted: dict[str, tuple] = {}
        with self._lock:
            if self._db is None:
                return [b""] * len(names)
            try:
                # In the order of the file, of which each page is then read once.
                ordered = sorted(set(names))
                for start in range(0, len(ordered), _CHUNK):
                    chunk = ordered[start : start + _CHUNK]
                    query = f"SELECT * FROM file WHERE name IN ({','.join('?' * len(chunk))})"
                    with closing(self._db.execute(query, chunk)) as rows:
                        noted.update((name, row) for name, *row in rows)
            except sqlite3.Error as error:
                self._give_up(error)
        found = []
        for name, path in zip(names, paths, strict=True):
            *state, key = noted.get(name, (b"",))
            found.append(key if state and tuple(state) == state_of_file(path) else b"")
        return found

    def note(self, name: str, state: FileState | None, key: bytes) -> None:
        """Note the key of a file that was in some state before it was read."""
        if state is None or not key or time.time_ns() - max(state[1], state[2]) < _SETTLED_NS:
            return
        with self._lock:
            self._fresh.append((name, *state, key))
            if len(self._fresh) >= _WRITTEN_AT_ONCE:
                self._write()

    def close(self) -> None:
        """Write what is left to write, and close the file."""
        with self._lock:
            self._write()
            if self._db is not None:
                self._db.close()
            self._db = None

    def _write(self) -> None:
        fresh, self._fresh = self._fresh, []
        if self._db is None or not fresh:
            return
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", fresh)
        except sqlite3.Error as error:
            self._give_up(error)
