"""Threads that ask one service, and requests that wait to be asked again."""

import heapq
import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from galzoo_repr.cutouts._connection import abort_when
from galzoo_repr.cutouts._figures import FetchFigures
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._status import RETRYABLE, USABLE
from galzoo_repr.cutouts._throttle import backoff_seconds, throttle_of

__all__ = ["Pool", "Publish"]

_ATTEMPTS = 8
"""Times a request is sent at most: if one in five fails at random, one row in 400,000 fails them all."""
_SAME_FAILURES = 4
"""Equal failures after which a request is taken to fail for a reason of its own."""
_KEEPERS = 2
"""Threads that write what has come."""
_BEAT_SECONDS = 0.5
"""Longest time without a word to the caller."""

Publish = Callable[[CutoutRequest, Attempt], None]


@dataclass(slots=True)
class _Task:
    """A request on its way, with what its attempts have brought so far."""

    request: CutoutRequest
    attempts: int = 0
    seconds: float = 0.0
    probed: bool = False
    abandoned: bool = False
    outcome: Outcome | None = None
    failures: Counter[tuple[str, int]] = field(default_factory=Counter)

    def take(self, attempt: Attempt) -> None:
        """Keep the outcome that says most: the last one, or the failure seen most often."""
        if not attempt.asked:
            # The service is down or wants to be left alone: what it said before is worth more than that.
            self.abandoned = True
            self.outcome = self.outcome or attempt.outcome
            return
        self.attempts += 1
        self.probed |= attempt.probed
        self.abandoned |= attempt.lasting
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


class Pool:
    """
    Threads that ask one service for the requests of one call, each as often as it may help.

    Parameters
    ----------
    route : Route
        The service. If it was found down, it gets another trial.
    publish : callable
        Called in a thread with a request and the attempt that brought a body. What it raises ends the call.
    workers : int
        Requests at once at most.
    figures : FetchFigures, optional
        What this pool fetches and takes is added to it.

    Attributes
    ----------
    finished : list of tuple
        Requests that have ended, with their outcomes. The caller clears it when it has dealt with them, so that an
        interrupt at any moment loses nothing.
    """

    def __init__(self, route: Route, publish: Publish, workers: int, figures: FetchFigures | None = None):
        self.finished: list[tuple[CutoutRequest, Outcome]] = []
        self._figures = FetchFigures() if figures is None else figures
        self._route = route
        self._publish = publish
        self._stop = threading.Event()
        self._answers: queue.SimpleQueue[tuple[_Task, Exception | None]] = queue.SimpleQueue()
        self._waiting: list[tuple[float, int, _Task]] = []
        self._serial = itertools.count()
        self._in_hand = 0
        # One task per thread waits in the pool, so that no thread idles while the calling thread records.
        self._room = 2 * workers + _KEEPERS
        self._throttle = throttle_of(route.server, route.rate, workers, renew=True)
        self._began, self._waited_before = time.monotonic(), self._throttle.waited
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="galzoo_repr-fetch")
        # Disks are slow too: while they write, the threads that fetch go on.
        self._keepers = ThreadPoolExecutor(_KEEPERS, thread_name_prefix="galzoo_repr-fetch-keep")

    def run(self, requests: Iterable[CutoutRequest | None]) -> Iterator[list[tuple[CutoutRequest, Outcome]]]:
        """
        Yield `finished` as it fills, and at least twice a second.

        Parameters
        ----------
        requests : iterable of CutoutRequest or None
            What to ask, all different, taken as the work goes on; None where there is nothing to ask for now.
        """
        fresh = iter(requests)
        while self._hand_out(fresh) or self._in_hand or self._waiting:
            self._collect()
            yield self.finished

    def close(self) -> list[tuple[CutoutRequest, Outcome]]:
        """Break off what is in flight and return what has ended but was not yet taken."""
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._keepers.shutdown(wait=True)
        while not self._answers.empty():
            task, error = self._answers.get()
            if error is None:
                self._finish(task)
        self._figures.seconds += time.monotonic() - self._began
        self._figures.waiting += self._throttle.waited - self._waited_before
        return self.finished

    def _finish(self, task: _Task) -> None:
        self.finished.append((task.request, task.outcome))
        self._figures.fetched += task.outcome.status in USABLE
        self._figures.asking += task.seconds

    def _hand_out(self, fresh: Iterator[CutoutRequest | None]) -> bool:
        """Give the threads work, those that are to be asked again first; whether there may be more requests."""
        while self._in_hand < self._room:
            if self._waiting and self._waiting[0][0] <= time.monotonic():
                task = heapq.heappop(self._waiting)[2]
            else:
                try:
                    request = next(fresh)
                except StopIteration:
                    return False
                if request is None:
                    break
                task = _Task(request)
            self._threads.submit(self._ask, task)
            self._in_hand += 1
        return True

    def _collect(self) -> None:
        """Wait for an answer, and take all that have come."""
        wait = _BEAT_SECONDS
        # With all hands full, a task that is due must wait for an answer, not the other way round.
        if self._waiting and self._in_hand < self._room:
            wait = min(max(self._waiting[0][0] - time.monotonic(), 0.0), wait)
        try:
            self._sort(*self._answers.get(timeout=wait))
            while True:
                self._sort(*self._answers.get_nowait())
        except queue.Empty:
            return

    def _sort(self, task: _Task, error: Exception | None) -> None:
        self._in_hand -= 1
        if error is not None:
            raise error
        if task.worth_repeating:
            due = time.monotonic() + backoff_seconds(task.attempts)
            heapq.heappush(self._waiting, (due, next(self._serial), task))
        else:
            self._finish(task)

    def _ask(self, task: _Task) -> None:
        try:
            began = time.monotonic()
            with abort_when(self._stop):
                attempt = self._route.attempt(task.request, probed=task.probed)
            task.seconds += time.monotonic() - began
            task.take(attempt)
            if attempt.body:
                self._keepers.submit(self._keep, task, attempt)
            else:
                self._answers.put((task, None))
        except Exception as error:
            self._answers.put((task, error))

    def _keep(self, task: _Task, attempt: Attempt) -> None:
        try:
            self._publish(task.request, attempt)
            self._answers.put((task, None))
        except Exception as error:
            self._answers.put((task, error))
