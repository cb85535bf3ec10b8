"""How fast one service is asked: spacing, requests in flight, and what its answers teach."""

import random
import threading
import time
from urllib.parse import urlsplit

from galzoo_repr._config import log
from galzoo_repr.cutouts._request import Outcome
from galzoo_repr.cutouts._shared_pace import pace_shared_by

__all__ = ["Throttle", "backoff_seconds", "throttle_of"]

_SLOWEST = 32
"""A service that complains is asked at least at this fraction of the pace allowed."""
_RECOVERY_ANSWERS = 5
"""Good answers after which the pace rises by a tenth of what is allowed, and by one request in flight."""
_PATIENCE_SECONDS = 120.0
"""Longest pause asked by a service that a call waits for."""
_TRIP_FAILURES = 8
"""Failures in a row, without one answer between, after which the service counts as down."""
_PROBE_SECONDS = (1.0, 2.0)
"""Pauses before a service that is down is tried again; after the last failure it is left alone."""

_throttles: dict[str, "Throttle"] = {}
_throttles_lock = threading.Lock()


class Throttle:
    """
    Gate before one service, shared by all threads of the process that ask it.

    Parameters
    ----------
    rate : float
        Requests per second at most; ``inf`` for no limit.
    in_flight : int
        Requests at once at most.
    host : str
        Which service it is.

    Notes
    -----
    Requests start evenly spaced. A 429, a 503 or a time-out halves the rate and the number in flight, good
    answers raise both again slowly (additive increase, multiplicative decrease). ``Retry-After`` holds back
    all requests. After a row of failures without an answer the gate closes, opens for one trial after a
    pause, and in the end stays closed until the next call, so that a service that is down costs a call
    seconds, not a time-out per row.
    """

    def __init__(self, rate: float, in_flight: int, host: str = ""):
        self.host = host
        self._condition = threading.Condition()
        self._running = 0
        self._next_start = 0.0
        self._good = 0
        self._failures = 0
        self._probes = 0
        self._last_slowdown = 0.0
        self._paused_until = 0.0
        self._closed_at = 0.0
        self._down = False
        self.waited = 0.0  # seconds, of all requests
        self.rate = self.allowed_rate = rate
        self.in_flight = self.allowed_in_flight = in_flight

    def allow(self, rate: float, in_flight: int) -> None:
        """Change what is allowed; what was learnt counts no more when that is new."""
        with self._condition:
            if (rate, in_flight) != (self.allowed_rate, self.allowed_in_flight):
                self.rate = self.allowed_rate = rate
                self.in_flight = self.allowed_in_flight = in_flight
                self._condition.notify_all()

    def enter(self, stop: threading.Event | None = None) -> str:
        """
        Wait for the turn of one request, or until the event is set.

        Empty text means go (then call `leave`); otherwise it is the status that the row gets instead:
        ``"cancelled"``, ``"rate_limited"`` or ``"server_error"``.
        """
        began = time.monotonic()
        with self._condition:
            try:
                status = self._await_turn(stop)
                if not status and (shared := pace_shared_by()) is not None and self.rate != float("inf"):
                    paused = self._paused_until - time.monotonic()
                    due = time.monotonic() + shared.claim(self.host, 1 / self.rate, paused)
                    while (left := due - time.monotonic()) > 0 and not (stop is not None and stop.is_set()):
                        self._condition.wait(min(left, 0.1))
                return status
            finally:
                self.waited += time.monotonic() - began

    def _await_turn(self, stop: threading.Event | None) -> str:
        while True:
            now = time.monotonic()
            if stop is not None and stop.is_set():
                return "cancelled"
            if self._down:
                return "server_error"
            if self._paused_until - now > _PATIENCE_SECONDS:
                return "rate_limited"
            start = max(self._next_start, self._paused_until)
            limit = 1 if self._failures >= _TRIP_FAILURES else max(int(self.in_flight), 1)
            if self._running < limit and start <= now:
                break
            self._condition.wait(min(max(start - now, 0.001), 0.1) if self._running < limit else 0.1)
        self._running += 1
        self._next_start = max(self._next_start, now) + 1 / self.rate
        return ""

    def pace(self, until: float, stop: threading.Event | None = None) -> None:
        """Wait for the next start, or the deadline, within a request that is under way and is redirected."""
        with self._condition:
            start = min(self._next_start, until)
            self._next_start = max(self._next_start, time.monotonic()) + 1 / self.rate
            while (left := start - time.monotonic()) > 0 and not (stop is not None and stop.is_set()):
                self._condition.wait(min(left, 0.1))

    def leave(self, outcome: Outcome, retry_after: float, started: float) -> None:
        """
        Learn from an answer and let the next request in.

        ``retry_after`` is the pause in seconds that the service asks for, 0 if none; ``started`` is when the
        request went out, on the clock of `time.monotonic`.
        """
        with self._condition:
            self._running -= 1
            if retry_after:
                self._paused_until = max(self._paused_until, time.monotonic() + retry_after)
                log.info("The service asks to be left alone for %.0f s.", retry_after)
            # Requests that were under way when the pace was halved say nothing about the new pace.
            crowded = outcome.status in ("rate_limited", "timeout") or outcome.http_code == 503
            if crowded and started >= self._last_slowdown:
                self._slow_down()
            self._count_failures(outcome.status, outcome.http_code, started)
            if not crowded and outcome.final:
                self._good += 1
                if self._good >= _RECOVERY_ANSWERS:
                    self._speed_up()
            self._condition.notify_all()

    def _slow_down(self) -> None:
        self._last_slowdown = time.monotonic()
        self._good = 0
        self.in_flight = max(self.in_flight / 2, 1)
        if self.rate != float("inf"):
            self.rate = max(self.rate / 2, self.allowed_rate / _SLOWEST)

    def _speed_up(self) -> None:
        self._good = 0
        self.in_flight = min(self.in_flight + 1, self.allowed_in_flight)
        if self.rate != float("inf"):
            self.rate = min(self.rate + self.allowed_rate / 10, self.allowed_rate)

    def _count_failures(self, status: str, http_code: int, started: float) -> None:
        if status not in ("server_error", "timeout") or http_code == 200:
            self._failures = self._probes = 0
            return
        self._failures += 1
        # Requests that were under way when the gate closed are no trials.
        if self._failures < _TRIP_FAILURES or started < self._closed_at:
            return
        self._closed_at = time.monotonic()
        if self._probes < len(_PROBE_SECONDS):
            self._paused_until = max(self._paused_until, self._closed_at + _PROBE_SECONDS[self._probes])
            self._probes += 1
        else:
            log.warning("The service does not answer; the rest is not asked for.")
            self._down = True

    def reopen(self) -> None:
        """Allow one trial of a service that was found down, as a new call begins."""
        with self._condition:
            if self._down:
                self._down = False
                self._failures = _TRIP_FAILURES
                self._probes = len(_PROBE_SECONDS)


def throttle_of(server: str, rate: float, in_flight: int, *, renew: bool = False) -> Throttle:
    """
    Give the gate before a service, the same one for every call of the process and every URL of one host.

    With ``renew`` a call begins: its limits then hold for a gate that exists already, and a service that was found
    down gets another trial.
    """
    host = urlsplit(server).netloc or server
    with _throttles_lock:
        throttle = _throttles.setdefault(host, Throttle(rate, in_flight, host))
    if renew:
        throttle.allow(rate, in_flight)
        throttle.reopen()
    return throttle


def backoff_seconds(attempts: int, *, base: float = 0.5, longest: float = 30.0) -> float:
    """
    Random pause before asking again: "full jitter", uniform up to a limit that doubles with every attempt.

    References
    ----------
    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0, min(longest, base * 2 ** (attempts - 1)))
