"""Long work: a bar that moves while it goes on, and what is left of it when it is interrupted."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["KEPT_OF_TRAINING", "closing_line", "progress_bar", "say_what_is_kept"]

KEPT_OF_TRAINING = "pictures that were decoded and epochs that were completed are kept in"

_BEAT_SECONDS = 0.5
_LINE_SECONDS = 10.0
_LINE = "{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"


@contextmanager
def progress_bar(total: int, what: str, unit: str, *, shown: bool, done: int = 0) -> "Iterator[tqdm]":
    """
    Show a bar of tqdm whose clock goes on twice a second, however long one step takes.

    In a file or a pipe it is a line every ten seconds, and one at the end.

    Parameters
    ----------
    total, done : int
        Steps in all, and those done before.
    what, unit : str
        Name of the work, and of one step.
    shown : bool
        Whether there is anything to see.
    """
    from tqdm.asyncio import tqdm as plain
    from tqdm.auto import tqdm

    # A notebook's bar is a widget, whatever its standard error is.
    in_lines = shown and tqdm is plain and not sys.stderr.isatty()
    options = {"delay": float("inf"), "bar_format": _LINE} if in_lines else {}
    with tqdm(total=total, initial=done, desc=what, unit=unit, disable=not shown, **options) as bar:
        if not shown:
            yield bar
            return
        ended = threading.Event()
        show = (lambda: print(bar, file=sys.stderr, flush=True)) if in_lines else bar.refresh
        every = _LINE_SECONDS if in_lines else _BEAT_SECONDS
        clock = threading.Thread(target=_beat, args=(show, every, ended), name="galzoo_repr-bar", daemon=True)
        clock.start()
        try:
            yield bar
        finally:
            ended.set()
            clock.join()
            if in_lines:
                show()


def _beat(show: Callable[[], object], every: float, ended: threading.Event) -> None:
    while not ended.wait(every):
        show()


@contextmanager
def say_what_is_kept(kept: Callable[[], object]) -> Iterator[None]:
    """Add to a `KeyboardInterrupt` what is kept of the work, in words that are asked for at that moment, if any."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if words := kept():
            interrupt.add_note(str(words))
        raise


def closing_line(galaxies: int, figures: Mapping[str, float | str]) -> str:
    """
    Say in one line how fast work went, and what kept it from going faster.

    Parameters
    ----------
    galaxies : int
        How many there were.
    figures : mapping
        ``seconds``, ``failed`` and ``limited_by``, and as far as there are any ``fetched`` with ``fetching_seconds``,
        ``embedded``, ``embedded_before`` and ``repeated``, those that show the same image as another.

    Examples
    --------
    >>> from galzoo_repr._progress import closing_line
    >>> closing_line(4000, {"seconds": 31.0, "embedded": 4000, "failed": 3, "limited_by": "the encoder"})
    '4,000 galaxies in 31 s: embedded 4,000 (129 per s), 3 failed; limited by the encoder'
    """
    told = []
    if fetched := figures.get("fetched"):
        told.append(f"fetched {fetched:,} ({_rate(fetched, figures['fetching_seconds'])})")
    if embedded := figures.get("embedded"):
        told.append(f"embedded {embedded:,} ({_rate(embedded, figures['seconds'])})")
    if before := figures.get("embedded_before"):
        told.append(f"{before:,} embedded before")
    if repeated := figures.get("repeated"):
        told.append(f"{repeated:,} repeated")
    told.append(f"{figures['failed']:,} failed" if figures["failed"] else "none failed")
    limit = f"; limited by {figures['limited_by']}" if figures["limited_by"] else ""
    return f"{galaxies:,} galaxies in {_duration(figures['seconds'])}: {', '.join(told)}{limit}"


def _rate(number: float, seconds: float) -> str:
    rate = number / max(seconds, 1e-3)
    return f"{rate:,.0f} per s" if rate >= 10 else f"{rate:.2g} per s"


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 120:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
