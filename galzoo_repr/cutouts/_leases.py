"""Who is fetching what: leases on requests, so that no two calls fetch the same cutout at once.

A lock on the store for the time of a call would be simpler, but calls would queue: of two processes that want 400 rows
each, 200 of them the same, from a service that takes 50 ms, the first is done after 1.5 s and the second after 2.9 s
with leases, after 2.9 and 4.4 s with a lock (600 requests either way); and who wants one row would wait for the end of
another's catalogue.
"""

import sqlite3
import time
from collections.abc import Mapping
from itertools import islice

from galzoo_repr.cutouts._owners import is_gone, new_owner
from galzoo_repr.cutouts._request import CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._store import CutoutStore

__all__ = ["Leases"]

_STALE_SECONDS = 10.0
"""A process that gave no sign of life for this long has lost its leases."""
_BEAT_SECONDS = 2.0


class Leases:
    """
    The leases of one call on requests that are missing in a store.

    Recording the outcome of a request ends the lease on it. A call that pauses for long loses its leases; then a
    cutout may be fetched twice, and is never lost.

    Parameters
    ----------
    store : CutoutStore
        In its manifest all calls of all processes note their leases.
    enough : callable, optional
        As for `CutoutStore.lookup`.
    """

    def __init__(self, store: CutoutStore, enough: Enough | None = None):
        self._store, self._enough = store, enough
        self._began = time.time()
        self._last_beat = 0.0
        self.owner = new_owner()

    def take(
        self, wanted: Mapping[bytes, CutoutRequest], n: int
    ) -> tuple[list[CutoutRequest], list[tuple[CutoutRequest, Outcome]]]:
        """
        Take the first n of the requests that no other living call is at.

        Returns
        -------
        mine : list of CutoutRequest
            Leased to this call.
        settled : list of tuple
            Those of the n that another call has settled since this one began, with their outcomes.
        """
        with self._store.manifest.transaction() as db:
            self._clear_the_dead(db)
            rows = db.execute("SELECT key FROM claim WHERE owner != ?", (self.owner,))
            taken = {key for (key,) in rows}
            free = list(islice((request for key, request in wanted.items() if key not in taken), n))
            mine, settled = [], []
            # Within the transaction, in which no other call records anything.
            for request, outcome in zip(free, self._store.lookup(free, enough=self._enough), strict=True):
                if outcome is not None and self._settles(outcome):
                    settled.append((request, outcome))
                else:
                    mine.append(request)
            leases = [(request.key, self.owner) for request in mine]
            db.executemany("INSERT OR REPLACE INTO claim VALUES (?, ?)", leases)
        return mine, settled

    def _settles(self, outcome: Outcome) -> bool:
        """Whether an outcome is one for this call too; that another one was interrupted is not."""
        return outcome.final or (outcome.time > self._began and outcome.status != "cancelled")

    def beat(self) -> None:
        """Give a sign of life now and then, so that the leases hold."""
        if time.time() - self._last_beat > _BEAT_SECONDS:
            with self._store.manifest.transaction() as db:
                self._note_life(db)

    def release(self) -> None:
        """Give up all leases of this call."""
        with self._store.manifest.transaction() as db:
            db.execute("DELETE FROM claim WHERE owner = ?", (self.owner,))
            db.execute("DELETE FROM owner WHERE owner = ?", (self.owner,))

    def _note_life(self, db: sqlite3.Connection) -> None:
        self._last_beat = time.time()
        db.execute("INSERT OR REPLACE INTO owner VALUES (?, ?)", (self.owner, self._last_beat))

    def _clear_the_dead(self, db: sqlite3.Connection) -> None:
        self._note_life(db)
        owners = db.execute("SELECT owner, beat FROM owner").fetchall()
        horizon = self._last_beat - _STALE_SECONDS
        gone = [(owner,) for owner, beat in owners if beat < horizon or is_gone(owner)]
        db.executemany("DELETE FROM owner WHERE owner = ?", gone)
        db.execute("DELETE FROM claim WHERE owner NOT IN (SELECT owner FROM owner)")
