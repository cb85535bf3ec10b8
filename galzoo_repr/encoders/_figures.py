"""How long embedding took, and what the time went into."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from galzoo_repr.cutouts import FetchFigures

__all__ = ["EmbedFigures"]


class EmbedFigures:
    """
    Seconds that threads read and encode, added up over them.

    Attributes
    ----------
    reading, encoding : float
        Seconds of all threads.
    fetch : FetchFigures
        What was fetched for them meanwhile.
    """

    def __init__(self) -> None:
        self.reading = self.encoding = self._seconds = 0.0
        self.fetch = FetchFigures()
        self._began = time.monotonic()
        self._adding = threading.Lock()

    @contextmanager
    def spent(self, on: str) -> Iterator[None]:
        """Add the time that this takes to ``"reading"`` or ``"encoding"``."""
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            with self._adding:
                setattr(self, on, getattr(self, on) + seconds)

    def facts(self, *, workers: int, embedded: int, embedded_before: int, repeated: int, failed: int) -> dict:
        """Figures until now, of the work of so many threads that encode, as `closing_line` takes them."""
        seconds = time.monotonic() - self._began
        # What these threads had to wait for is first what others read, then what was fetched.
        spent, left = {"the encoder": self.encoding}, max(workers * seconds - self.encoding, 0.0)
        for name, most in (
            ("reading files", self.reading),
            (self.fetch.limit, workers * self.fetch.seconds),
            ("finding what is there already", left),
        ):
            spent[name] = min(left, most)
            left -= spent[name]
        return {
            "seconds": round(seconds, 3),
            "fetched": self.fetch.fetched,
            "fetching_seconds": round(self.fetch.seconds, 3),
            "embedded": embedded,
            "embedded_before": embedded_before,
            "repeated": repeated,
            "failed": failed,
            "limited_by": max(spent, key=spent.get) if embedded or self.fetch.fetched else "",
        }
