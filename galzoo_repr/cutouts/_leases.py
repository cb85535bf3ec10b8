"""Who is fetching what: leases on requests, so that no two calls fetch the same cutout at once.

A lock on the store for the time of a call would be simpler, but calls would queue: of two processes that want 400 rows
each, 200 of them the same, from a service that takes 50 ms, the first is done after 1.5 s and the second after 2.9 s
with leases, after 2.9 and 4.4 s with a lock (600 requests either way); and who wants one row would wait for the end of
another's catalogue.
"""

import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._owners import is_gone, new_owner
from galzoo_repr.cutouts._request import CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._store import CutoutStore

__all__ = ["Leases"]

_STALE_SECONDS = 10.0
"""A process that was seen to give no sign of life for this long has lost its leases."""
_BEAT_SECONDS = 2.0
_PATIENCE_SECONDS = 600.0
"""So long a call that pauses between its rows keeps its leases."""


class Leases:
    """
    The leases of one call on requests that are missing in a store.

    Recording the outcome of a request ends the lease on it. A call that pauses for very long, or whose process is
    halted, loses its leases; then a cutout may be fetched twice, and is never lost.

    Parameters
    ----------
    store : CutoutStore
        In its manifest all calls of all processes note their leases.
    before : mapping of bytes to float, optional
        When the outcomes that are known as the call begins were noted, by the keys of their requests.
    enough : callable, optional
        As for `CutoutStore.lookup`.

    Notes
    -----
    Clocks of machines differ, and are set. Signs of life, and the times of outcomes, are therefore only compared for
    being the same as before; how long they stay the same is told by the monotonic clock of who looks.
    """

    def __init__(
        self, store: CutoutStore, before: Mapping[bytes, float] | None = None, enough: Enough | None = None
    ):
        self._store, self._enough = store, enough
        self._before = before or {}
        self._last_beat = self._last_word = -float("inf")
        self._seen: dict[str, tuple[float, float]] = {}
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None
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
                if outcome is not None and self._settles(request, outcome):
                    settled.append((request, outcome))
                else:
                    mine.append(request)
            leases = [(request.key, self.owner) for request in mine]
            db.executemany("INSERT OR REPLACE INTO claim VALUES (?, ?)", leases)
        return mine, settled

    def _settles(self, request: CutoutRequest, outcome: Outcome) -> bool:
        """Whether an outcome is one for this call too; that another one was interrupted is not."""
        is_new = outcome.time != self._before.get(request.key)
        return outcome.final or (is_new and outcome.status != "cancelled")

    def beat(self) -> None:
        """Give a sign of life now and then, so that the leases hold, also while the caller pauses until the next."""
        now = self._last_word = time.monotonic()
        if now - self._last_beat > _BEAT_SECONDS:
            with self._store.manifest.transaction() as db:
                self._note_life(db)
        if self._heart is None or not self._heart.is_alive():
            self._heart = threading.Thread(target=self._live_on, name="galzoo_repr-leases", daemon=True)
            self._heart.start()

    def _live_on(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS) and time.monotonic() - self._last_word < _PATIENCE_SECONDS:
            if time.monotonic() - self._last_beat > _BEAT_SECONDS:
                # The calling thread will meet the same trouble, and say so.
                with suppress(CutoutStoreError), self._store.manifest.transaction() as db:
                    self._note_life(db)

    def release(self) -> None:
        """Give up all leases of this call."""
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
        with self._store.manifest.transaction() as db:
            db.execute("DELETE FROM claim WHERE owner = ?", (self.owner,))
            db.execute("DELETE FROM owner WHERE owner = ?", (self.owner,))

    def _note_life(self, db: sqlite3.Connection) -> None:
        self._last_beat = time.monotonic()
        db.execute("INSERT OR REPLACE INTO owner VALUES (?, ?)", (self.owner, time.time()))

    def _clear_the_dead(self, db: sqlite3.Connection) -> None:
        self._note_life(db)
        now = time.monotonic()
        owners = db.execute("SELECT owner, beat FROM owner").fetchall()
        # When each sign of life was first seen.
        self._seen = {
            owner: self._seen[owner] if self._seen.get(owner, (None,))[0] == beat else (beat, now)
            for owner, beat in owners
        }
        gone = [
            (owner,)
            for owner, (_, since) in self._seen.items()
            if owner != self.owner and (now - since > _STALE_SECONDS or is_gone(owner))
        ]
        db.executemany("DELETE FROM owner WHERE owner = ?", gone)
        db.execute("DELETE FROM claim WHERE owner NOT IN (SELECT owner FROM owner)")
