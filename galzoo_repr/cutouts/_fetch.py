"""Many requests to one service at once: threads, retries, interruption."""

import heapq
import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from tqdm.auto import tqdm

from galzoo_repr.cutouts._http import abort_when
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._status import RETRYABLE
from galzoo_repr.cutouts._throttle import backoff_seconds, pace_of

__all__ = ["Route", "fetch"]

_ATTEMPTS = 8
"""Times a request is sent at most: if one in five fails at random, one row in 400,000 fails them all."""
_SAME_FAILURES = 4
"""Equal failures after which a request is taken to fail for a reason of its own."""
_KEEPERS = 2
"""Threads that write what has come."""
_BEAT_SECONDS = 0.5
"""Longest time without a word to the caller."""

Publish = Callable[[CutoutRequest, Attempt], None]
Record = Callable[[list[tuple[CutoutRequest, Outcome]]], None]


class Route(Protocol):
    """What a service must offer to be fetched from; see `~galzoo_repr.cutouts.LegacySurvey`."""

    route: str
    rate: float
    workers: int
    layer: str
    image_format: str
    coverage: object | None
    max_field: float

    @property
    def server(self) -> str:
        """Address of the service."""

    def arrange(self, requests: list[CutoutRequest]) -> list[CutoutRequest]:
        """Put requests into the order in which they are best asked."""

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """Ask once, raising nothing for what services and networks do."""


def fetch(
    route: Route,
    requests: Iterable[CutoutRequest],
    *,
    publish: Publish,
    record: Record | None = None,
    workers: int | None = None,
    progress: bool = False,
    total: int | None = None,
) -> list[Outcome]:
    """
    Ask a service for many cutouts, each as often as it may help.

    Parameters
    ----------
    route : Route
        The service.
    requests : iterable of CutoutRequest
        What to ask, taken as the work goes on. Equal requests are sent once.
    publish : callable
        Called in a worker thread with a request and the attempt that brought a body. What it raises ends
        the call.
    record : callable, optional
        Called in the calling thread with lists of requests and their outcomes, as they come, and with an
        empty list while none comes.
    workers : int, optional
        Requests at once at most, instead of the number of the route.
    progress : bool, optional
        Show a progress bar.
    total : int, optional
        Number of requests, for the bar.

    Returns
    -------
    list of Outcome
        One per request, in order.

    Raises
    ------
    KeyboardInterrupt
        After the requests in flight were broken off and what had been fetched was recorded.
    """
    asked: list[bytes] = []
    outcomes: dict[bytes, Outcome] = {}
    unrecorded: list[tuple[CutoutRequest, Outcome]] = []

    def take(finished: list[tuple[CutoutRequest, Outcome]]) -> None:
        unrecorded.extend(finished)
        if record is not None:
            record(unrecorded)
        outcomes.update((request.key, outcome) for request, outcome in unrecorded)
        bar.update(len(unrecorded))
        unrecorded.clear()

    def once() -> Iterator[CutoutRequest]:
        seen: set[bytes] = set()
        for request in requests:
            asked.append(request.key)
            if request.key not in seen:
                seen.add(request.key)
                yield request

    pool = _Pool(route, publish, workers or route.workers)
    with tqdm(total=total, disable=not progress, unit="cutout") as bar:
        try:
            for finished in pool.run(once()):
                take(finished)
        finally:
            # Also after an interrupt or an error: what has been fetched is kept.
            take(pool.close())
    return [outcomes[key] for key in asked]


@dataclass(slots=True)
class _Task:
    """A request on its way, with what its attempts have brought so far."""

    request: CutoutRequest
    attempts: int = 0
    probed: bool = False
    abandoned: bool = False
    outcome: Outcome | None = None
    failures: Counter[tuple[str, int]] = field(default_factory=Counter)
    error: Exception | None = None

    def take(self, attempt: Attempt) -> None:
        """Keep the outcome that says most: the last one, or the failure seen most often."""
        if not attempt.asked:
            # The service is down or wants to be left alone: what it said before is worth more than that.
            self.abandoned = True
            self.outcome = self.outcome or attempt.outcome
            return
        self.attempts += 1
        self.probed |= attempt.probed
        outcome = attempt.outcome
        kind = (outcome.status, outcome.http_code)
        if outcome.status in RETRYABLE:
            self.failures[kind] += 1
        if outcome.status not in RETRYABLE or self.failures[kind] >= max(self.failures.values()):
            self.outcome = outcome
        self.outcome.attempts = self.attempts

    @property
    def worth_repeating(self) -> bool:
        if self.abandoned or self.outcome.final or self.outcome.status not in RETRYABLE:
            return False
        lasting = any(
            n >= _SAME_FAILURES for (status, _), n in self.failures.items() if status != "rate_limited"
        )
        return self.attempts < _ATTEMPTS and not lasting


class _Pool:
    """Threads that ask one service, and the requests that wait to be asked again."""

    def __init__(self, route: Route, publish: Publish, workers: int):
        self._route = route
        self._workers = workers
        self._publish = publish
        self._stop = threading.Event()
        self._answers: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._waiting: list[tuple[float, int, _Task]] = []
        self._serial = itertools.count()
        self._in_hand = 0
        self._finished: list[tuple[CutoutRequest, Outcome]] = []
        pace_of(route.server, route.rate, workers, renew=True)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="galzoo_repr-fetch")
        # Disks are slow too: while they write, the threads that fetch go on.
        self._keepers = ThreadPoolExecutor(_KEEPERS, thread_name_prefix="galzoo_repr-fetch-keep")
        self._bodies: queue.SimpleQueue[tuple[_Task, Attempt] | None] = queue.SimpleQueue()
        self._room = 2 * workers + _KEEPERS

    def run(self, requests: Iterable[CutoutRequest]) -> Iterator[list[tuple[CutoutRequest, Outcome]]]:
        """Yield requests with their outcomes as they come, and an empty list while none comes."""
        for _ in range(_KEEPERS):
            self._keepers.submit(self._keep)
        fresh = (_Task(request) for request in requests)
        while self._submit(fresh) or self._in_hand or self._waiting:
            yield self._collect()

    def close(self) -> list[tuple[CutoutRequest, Outcome]]:
        """Break off what is in flight and return what had ended but was not yet taken."""
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for _ in range(_KEEPERS):
            self._bodies.put(None)
        self._keepers.shutdown(wait=True)
        while not self._answers.empty():
            task = self._answers.get()
            if task.error is None:
                self._finished.append((task.request, task.outcome))
        return self._finished

    def _submit(self, fresh: Iterator[_Task]) -> bool:
        """Hand tasks to the threads; whether any was."""
        before = self._in_hand
        # One task per thread waits in the pool, so that no thread idles while the calling thread records.
        while self._in_hand < self._room:
            if self._waiting and self._waiting[0][0] <= time.monotonic():
                task = heapq.heappop(self._waiting)[2]
            else:
                task = next(fresh, None)
                if task is None:
                    break
            self._threads.submit(self._work, task)
            self._in_hand += 1
        return self._in_hand > before

    def _collect(self) -> list[tuple[CutoutRequest, Outcome]]:
        wait = _BEAT_SECONDS
        # With all hands full, a task that is due must wait for an answer, not the other way round.
        if self._waiting and self._in_hand < self._room:
            wait = min(max(self._waiting[0][0] - time.monotonic(), 0.0), wait)
        try:
            self._sort(self._answers.get(timeout=wait))
            while True:
                self._sort(self._answers.get_nowait())
        except queue.Empty:
            finished, self._finished = self._finished, []
            return finished

    def _sort(self, task: _Task) -> None:
        self._in_hand -= 1
        if task.error is not None:
            raise task.error
        if task.worth_repeating:
            due = time.monotonic() + backoff_seconds(task.attempts)
            heapq.heappush(self._waiting, (due, next(self._serial), task))
        else:
            self._finished.append((task.request, task.outcome))

    def _work(self, task: _Task) -> None:
        try:
            with abort_when(self._stop):
                attempt = self._route.attempt(task.request, probed=task.probed)
            task.take(attempt)
        except Exception as error:
            task.error = error
        if task.error is None and attempt.body:
            self._bodies.put((task, attempt))
        else:
            self._answers.put(task)

    def _keep(self) -> None:
        """Publish what comes, until there is no more."""
        while (come := self._bodies.get()) is not None:
            task, attempt = come
            try:
                self._publish(task.request, attempt)
            except Exception as error:
                task.error = error
            self._answers.put(task)
