"""One partition after the other: here, in some of many processes, or through a client of Dask."""

import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from galzoo_repr._config import log
from galzoo_repr._folder import publish
from galzoo_repr._progress import progress_bar
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats._folder import Pixel
from galzoo_repr.hats._job import Job

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Outcome", "part_of", "run_parts"]

# Partitions in the hands of each process, and waiting there: none is ever idle, and the scheduler stays small.
_AHEAD = 2
# Seconds after which a partition in the hands of another process is given up, if nothing else was done meanwhile.
_PATIENCE = 3600.0


@dataclass(frozen=True)
class Outcome:
    """
    What became of a partition.

    Attributes
    ----------
    pixel : Pixel
    rows : int
    reason : str
        Why it failed; empty if it is done.
    said : list of str
        Warnings.
    error : Exception or None
        What was raised.
    result : object
        What was asked for besides.
    """

    pixel: Pixel
    rows: int = 0
    reason: str = ""
    said: list[str] = field(default_factory=list)
    error: Exception | None = None
    result: object = None


def part_of(pixels: Sequence[Pixel], part: tuple[int, int] | None) -> list[Pixel]:
    """
    Give one of several parts of the partitions, neighbours together, so that a brick is read by one process.

    Parameters
    ----------
    pixels : sequence of Pixel
        Along the sky.
    part : (int, int) or None
        Which, from 1, of how many; all when not given.

    Returns
    -------
    list of Pixel

    Examples
    --------
    >>> from galzoo_repr.hats._engine import part_of
    >>> [part_of("abcdefg", (i, 3)) for i in (1, 2, 3)]
    [['a', 'b'], ['c', 'd'], ['e', 'f', 'g']]
    """
    if part is None:
        return list(pixels)
    if not isinstance(part, tuple | list) or [type(each) for each in part] != [int, int]:
        raise TypeError(
            f"part must be two whole numbers, which and of how many, such as (17, 200), not {part!r}"
        )
    which, of = part
    if of < 1:
        raise ValueError(f"part must be one of at least one, such as 17/200, not {which}/{of}")
    if not 1 <= which <= of:
        raise ValueError(f"part must be one from 1 to {of}, such as 17/200, not {which}/{of}")
    return list(pixels[len(pixels) * (which - 1) // of : len(pixels) * which // of])


def run_parts(
    work: Callable[[Pixel], object],
    pixels: Sequence[Pixel],
    *,
    job: Job | None = None,
    client: "Client | None" = None,
    progress: bool = True,
    what: str = "Partitions",
) -> list[Outcome]:
    """
    Do the work for each partition, and note those that failed.

    If the first one fails for its arguments, so would all, and its error is raised.

    Parameters
    ----------
    work : callable
        Given a partition, it publishes its result and returns what else is wanted; through a client it is sent to
        other processes.
    pixels : sequence of Pixel
    job : Job, optional
        Where failures are noted; without, the first one is raised.
    client : distributed.Client, optional
    progress : bool
    what : str
        Name of the progress bar.

    Returns
    -------
    list of Outcome
        As they ended.
    """
    outcomes: list[Outcome] = []
    ended = _patiently(work, pixels, client)
    with progress_bar(len(pixels), what, "part", shown=progress) as bar:
        for outcome in ended:
            bar.update(1)
            wrong = isinstance(outcome.error, TypeError | ValueError) and not outcomes
            if outcome.error is not None and (
                job is None or (wrong and len(job.missing()) == len(job.pixels))
            ):
                ended.close()
                raise outcome.error
            outcomes.append(outcome)
            if job is not None:
                _note(job, outcome)
    _say(outcomes)
    return outcomes


def attempt(work: Callable[[Pixel], object], pixel: Pixel) -> Outcome:
    """Do the work for one partition, whatever happens."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", GalzooWarning)
        try:
            rows, result = work(pixel)
            reason, error = "", None
        except MemoryError as problem:
            rows, result, error = 0, None, problem
            reason = (
                "there was not enough memory; write the catalogue with fewer rows in a partition (max_rows=)"
            )
        except Exception as problem:
            rows, result, reason = 0, None, f"{type(problem).__name__}: {problem}"
            # Not every exception can be sent from process to process.
            error = problem if type(problem) in (TypeError, ValueError) else RuntimeError(reason)
    return Outcome(pixel, rows, reason, [str(warning.message) for warning in caught], error, result)


def _patiently(
    work: Callable[[Pixel], object], pixels: Sequence[Pixel], client: "Client | None"
) -> Iterator[Outcome]:
    """Try those in the hands of another process again, when all others are done and as long as any are freed."""
    ended = time.monotonic() + _PATIENCE
    while pixels:
        busy = []
        for outcome in _here(work, pixels) if client is None else _through(client, work, pixels):
            if outcome.reason.startswith(BlockingIOError.__name__) and time.monotonic() < ended:
                busy.append(outcome.pixel)
            else:
                ended = time.monotonic() + _PATIENCE
                yield outcome
        pixels = busy


def _here(work: Callable[[Pixel], object], pixels: Iterable[Pixel]) -> Iterator[Outcome]:
    for pixel in pixels:
        yield attempt(work, pixel)


def _through(client: "Client", work: Callable[[Pixel], object], pixels: Iterable[Pixel]) -> Iterator[Outcome]:
    """
    Keep every process of a cluster busy, without handing out all partitions at once.

    When a process dies, Dask suspects all that it had in hand. These are tried again in the end, one at a time.
    """
    from distributed import as_completed

    left, suspects, tried = iter(pixels), [], set()
    futures: dict[object, Pixel] = {}
    ending = as_completed()

    def submit(pixel: Pixel) -> None:
        # Nothing is kept in the processes, which may die: what one partition needs goes with it.
        narrowed = work.narrowed(pixel) if hasattr(work, "narrowed") else work
        future = client.submit(attempt, narrowed, pixel, pure=False)
        futures[future] = pixel
        ending.add(future)

    for pixel in islice(left, _AHEAD * max(1, sum(client.nthreads().values()))):
        submit(pixel)
    try:
        while futures or suspects:
            if not futures:
                submit(suspects.pop())
            future = next(ending)
            pixel = futures.pop(future)
            if future.status == "finished":
                yield future.result()
            elif pixel not in tried:
                tried.add(pixel)
                suspects.append(pixel)
            else:
                error = future.exception() if future.status == "error" else RuntimeError("it was cancelled")
                yield Outcome(pixel, reason=_death(error), error=error)
            future.release()
            for pixel in islice(left, 1):
                submit(pixel)
    finally:
        client.cancel(list(futures))


def _death(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return (
            "its process ended again and again, most likely for want of memory; give the workers more, or write the "
            "catalogue with fewer rows in a partition (max_rows=)"
        )
    return f"{type(error).__name__}: {error}"


def _note(job: Job, outcome: Outcome) -> None:
    path = job.note_of(outcome.pixel)
    if not outcome.reason:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    publish(
        path, json.dumps({"partition": str(outcome.pixel), "reason": outcome.reason}).encode(), sync=False
    )
    log.warning("Partition %s failed: %s", outcome.pixel, outcome.reason)


def _say(outcomes: Sequence[Outcome]) -> None:
    """Say what partitions warned of: each thing once."""
    said = Counter(text for outcome in outcomes for text in set(outcome.said))
    for text, count in said.most_common(5):
        often = f" (and so in {count} partitions)" if count > 1 else ""
        warnings.warn(f"{text.rstrip('.')}{often}", GalzooWarning, stacklevel=4)
    if len(said) > 5:
        warnings.warn(
            f"partitions gave {len(said) - 5} more warnings like these", GalzooWarning, stacklevel=4
        )
