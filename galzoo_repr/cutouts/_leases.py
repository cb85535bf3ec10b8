"""Who is fetching what: claims on requests, so that no two calls fetch the same cutout at once."""

import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Sequence

from galzoo_repr.cutouts._manifest import Manifest

__all__ = ["Claims"]

_STALE_SECONDS = 10.0
"""A process that gave no sign of life for this long has lost its claims."""
_BEAT_SECONDS = 2.0
_CHUNK = 500


class Claims:
    """
    The claims of one call on requests that are missing in a store.

    Parameters
    ----------
    manifest : Manifest
        Manifest of the store, where all calls of all processes note their claims. Recording the outcome of
        a request ends the claim on it.
    """

    def __init__(self, manifest: Manifest):
        self._manifest = manifest
        self.owner = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
        self._last_beat = 0.0

    def take(self, keys: Sequence[bytes]) -> set[bytes]:
        """Take the keys that no living call has, and return those that are now this one's."""
        with self._manifest.transaction() as db:
            self._clear_the_dead(db)
            db.executemany("INSERT OR IGNORE INTO claim VALUES (?, ?)", [(key, self.owner) for key in keys])
            rows = db.execute("SELECT key FROM claim WHERE owner = ?", (self.owner,)).fetchall()
        return {key for (key,) in rows}.intersection(keys)

    def any_free(self, keys: Sequence[bytes]) -> bool:
        """Whether some key is claimed by no living call."""
        with self._manifest.transaction() as db:
            self._clear_the_dead(db)
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                (n,) = db.execute(f"SELECT COUNT(*) FROM claim WHERE key IN ({marks})", chunk).fetchone()
                if n < len(chunk):
                    return True
        return False

    def beat(self) -> None:
        """Give a sign of life now and then, so that the claims hold."""
        if time.time() - self._last_beat > _BEAT_SECONDS:
            with self._manifest.transaction() as db:
                self._note_life(db)

    def release(self) -> None:
        """Give up all claims of this call."""
        with self._manifest.transaction() as db:
            db.execute("DELETE FROM claim WHERE owner = ?", (self.owner,))
            db.execute("DELETE FROM owner WHERE owner = ?", (self.owner,))

    def _note_life(self, db: sqlite3.Connection) -> None:
        self._last_beat = time.time()
        db.execute("INSERT OR REPLACE INTO owner VALUES (?, ?)", (self.owner, self._last_beat))

    def _clear_the_dead(self, db: sqlite3.Connection) -> None:
        self._note_life(db)
        owners = db.execute("SELECT owner, beat FROM owner").fetchall()
        horizon = self._last_beat - _STALE_SECONDS
        gone = [(owner,) for owner, beat in owners if beat < horizon or _is_gone(owner)]
        db.executemany("DELETE FROM owner WHERE owner = ?", gone)
        db.execute("DELETE FROM claim WHERE owner NOT IN (SELECT owner FROM owner)")


def _is_gone(owner: str) -> bool:
    """Whether a process of this machine has surely ended; if not, its last sign of life decides."""
    host, pid, _ = owner.split(" ")
    # On Windows signal 0 is not a question but ends the process.
    if os.name != "posix" or host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
