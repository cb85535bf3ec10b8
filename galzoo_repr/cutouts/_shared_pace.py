"""One pace for all processes of a job, on one host or many: whose turn it is stands in a file that all of them see."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from galzoo_repr._folder import locked

__all__ = ["SharedPace", "pace_shared_by", "shared_pace"]

# Nobody waits as long for a turn: the clock of who wrote this is wrong.
_LONGEST = 24 * 3600.0

_current: "SharedPace | None" = None


@dataclass(frozen=True)
class SharedPace:
    """
    Gives the turns of all processes that have this folder.

    Attributes
    ----------
    folder : pathlib.Path
        Made where it is not; of a file for each service, with the time of the next turn. The clocks of several hosts
        may differ: then turns are rather too far apart.
    """

    folder: Path

    def claim(self, host: str, spacing: float, paused: float = 0.0) -> float:
        """
        Take the next turn.

        Parameters
        ----------
        host : str
            Which service.
        spacing : float
            Seconds from this turn to the next one.
        paused : float
            Seconds that the service wants to be left alone, by all.

        Returns
        -------
        float
            Seconds until this turn.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / quote(host, safe="")
        try:
            with locked(path):
                now = time.time()
                try:
                    due = float(path.read_text())
                except (FileNotFoundError, ValueError):
                    due = now
                due = max(due if abs(due - now) < _LONGEST else now, now, now + paused)
                path.write_text(repr(due + spacing))
        except BlockingIOError:  # one that hangs holds it; a minute was waited for
            return 0.0
        return due - now


@contextmanager
def shared_pace(folder: Path) -> Iterator[None]:
    """
    Ask services, from all threads of this process, at a pace that is shared with whoever has the same folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from galzoo_repr.cutouts import shared_pace
    >>> from galzoo_repr.cutouts._shared_pace import pace_shared_by
    >>> with TemporaryDirectory() as folder, shared_pace(Path(folder)):
    ...     [round(pace_shared_by().claim("example.org", spacing=30.0), -1) for _ in range(2)]
    [0.0, 30.0]
    """
    global _current
    before, _current = _current, SharedPace(folder)
    try:
        yield
    finally:
        _current = before


def pace_shared_by() -> SharedPace | None:
    """Give the pace that this process shares with others, if it does."""
    return _current
