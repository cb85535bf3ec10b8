"""What goes wrong with services and networks, on demand and the same in every run."""

import hashlib
import select
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from galzoo_repr.simulation._reply import Reply, Request, html_reply

__all__ = ["FAULTS", "Fault", "Faults"]

FAULTS = {
    "rate_limited": "code 429 with Retry-After",
    "unavailable": "code 503 and an HTML page",
    "failure": "code 500 and an HTML page",
    "page": "code 200 and an HTML page instead of the image",
    "empty": "code 200 and nothing",
    "short": "the connection closed before the announced length",
    "short_unannounced": "the connection closed before the end, without a length announced",
    "stall": "nothing for longer than a client waits",
    "trickle": "the image, a few bytes at a time",
    "reset": "the connection closed without an answer",
}
"""Names of the faults, with what each does."""

_TRICKLE_BYTES = 64
_TRICKLE_SECONDS = 0.05


@dataclass(frozen=True)
class Fault:
    """
    One thing that goes wrong with one request.

    Attributes
    ----------
    kind : str
        One of `FAULTS`.
    request : Request
        The request that it befalls.
    retry_after : float
        Seconds asked for by ``"rate_limited"``.
    stall : float
        Seconds that ``"stall"`` waits before it answers after all.

    Examples
    --------
    >>> import requests
    >>> from galzoo_repr.simulation import Fault, SurveyService
    >>> with SurveyService({}, faults=lambda request: Fault("rate_limited", request, retry_after=2)) as service:
    ...     answer = requests.get(service.url)
    >>> answer.status_code, answer.headers["Retry-After"]
    (429, '2')
    """

    kind: str
    request: Request
    retry_after: float = 1.0
    stall: float = 60.0

    def write(self, handler: BaseHTTPRequestHandler) -> None:
        """
        Answer wrongly.

        Parameters
        ----------
        handler : http.server.BaseHTTPRequestHandler
            The handler of the request being answered.

        Examples
        --------
        >>> import requests
        >>> from galzoo_repr.simulation import Fault, Reply, SurveyService
        >>> routes = {"/image": lambda request: Reply(200, "image/fits", bytes(1000))}
        >>> with SurveyService(routes, faults=lambda request: Fault("short_unannounced", request)) as service:
        ...     len(requests.get(service.url + "/image").content)
        500
        """
        if self.kind == "rate_limited":
            page = html_reply(429, "Too Many Requests")
            headers = {"Retry-After": f"{self.retry_after:g}"}
            Reply(429, page.content_type, page.body, headers).write(handler)
        elif self.kind == "unavailable":
            html_reply(503, "Service Unavailable").write(handler)
        elif self.kind == "failure":
            html_reply(500, "Server Error (500)").write(handler)
        elif self.kind == "page":
            html_reply(200, "Down for maintenance").write(handler)
        elif self.kind == "empty":
            Reply(200, "image/fits", b"").write(handler)
        elif self.kind == "reset":
            handler.close_connection = True
        elif self.kind == "stall":
            if not _hung_up(handler, self.stall):
                handler.server.service.true_answer(self.request).write(handler)
        else:
            self._write_part(handler)

    def _write_part(self, handler: BaseHTTPRequestHandler) -> None:
        answer = handler.server.service.true_answer(self.request)
        handler.close_connection = True
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        if self.kind == "short":
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if self.kind != "trickle":
            handler.wfile.write(answer.body[: len(answer.body) // 2])
            return
        for start in range(0, len(answer.body), _TRICKLE_BYTES):
            handler.wfile.write(answer.body[start : start + _TRICKLE_BYTES])
            handler.wfile.flush()
            if _hung_up(handler, _TRICKLE_SECONDS):
                return


class Faults:
    """
    Faults for a service, decided by a seed and by what is asked, so that they are the same in every run.

    Parameters
    ----------
    fraction : float, optional
        Part of the requests that are hit.
    kinds : sequence of str, optional
        Which of `FAULTS`, all equally often.
    tries : int or None, optional
        How often a request that is hit fails before it is answered; None draws anew at each try, so that a
        patient client always succeeds, and a large number stands for always.
    seed : int, optional
        Another seed hits other requests.
    retry_after, stall : float, optional
        As for `Fault`.
    only : callable, optional
        Which requests may be hit, all when not given.

    Attributes
    ----------
    counts : collections.Counter
        How often each kind has struck.

    Raises
    ------
    ValueError
        A fraction outside 0 to 1, a kind that does not exist, or a negative number.

    Examples
    --------
    >>> from galzoo_repr.simulation import Faults, Reply, Request, SurveyService
    >>> faults = Faults(1.0, kinds=["unavailable"], tries=1)
    >>> request = Request("GET", "/viewer/fits-cutout", {"ra": "150", "dec": "2"}, 0)
    >>> faults(request).kind
    'unavailable'
    >>> faults(request) is None
    True
    """

    def __init__(
        self,
        fraction: float = 0.2,
        *,
        kinds: Sequence[str] = tuple(FAULTS),
        tries: int | None = None,
        seed: int = 0,
        retry_after: float = 1.0,
        stall: float = 60.0,
        only: Callable[[Request], bool] | None = None,
    ) -> None:
        unknown = sorted(set(kinds) - set(FAULTS))
        if unknown or not kinds:
            raise ValueError(f"kinds of faults are some of {', '.join(FAULTS)}, not {list(kinds)}")
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction is a part of the requests, 0 to 1, not {fraction}")
        for name, value in (("tries", tries), ("retry_after", retry_after), ("stall", stall)):
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is a number from 0 on, not {value}")
        self.fraction = fraction
        self.kinds = tuple(kinds)
        self.tries = tries
        self.seed = seed
        self.retry_after = retry_after
        self.stall = stall
        self.only = only
        self.counts: Counter[str] = Counter()
        self._seen: Counter[tuple] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Fault | None:
        """
        Decide about one request.

        Parameters
        ----------
        request : Request
            What is asked.

        Returns
        -------
        Fault or None
            None when nothing goes wrong.
        """
        if self.only is not None and not self.only(request):
            return None
        key = (request.path, *sorted(request.query.items()))
        with self._lock:
            earlier = self._seen[key]
            self._seen[key] += 1
        if self.tries is not None and earlier >= self.tries:
            return None
        hit, kind = self._draw(key, earlier if self.tries is None else 0)
        if hit >= self.fraction:
            return None
        with self._lock:
            self.counts[kind] += 1
        return Fault(kind, request, self.retry_after, self.stall)

    def _draw(self, key: tuple, earlier: int) -> tuple[float, str]:
        digest = hashlib.sha256(repr((self.seed, key, earlier)).encode()).digest()
        hit = int.from_bytes(digest[:8], "big") / 2**64
        return hit, self.kinds[int.from_bytes(digest[8:12], "big") % len(self.kinds)]


def _hung_up(handler: BaseHTTPRequestHandler, seconds: float) -> bool:
    """Wait, but no longer than the other side, or the service itself, keeps the connection open."""
    readable, _, _ = select.select([handler.connection], [], [], seconds)
    return bool(readable)
