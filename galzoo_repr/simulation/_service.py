"""A threaded HTTP service on the loopback interface: routing, request log and counters, a clean stop."""

import select
import socket
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from galzoo_repr._config import log
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.simulation._reply import Endpoint, Reply, Request, Writable, html_reply

__all__ = ["Endpoint", "LoggedRequest", "Reply", "Request", "SurveyService", "Writable", "html_reply"]


@dataclass
class LoggedRequest:
    """
    What the service remembers of one request.

    Attributes
    ----------
    path, query
        As in `Request`.
    started : float
        `time.monotonic` when the request had been read.
    seconds : float
        Time until the last byte of the reply was about to be sent; NaN while in flight.
    status : int
        HTTP status sent, 0 while in flight or where the connection was dropped without one.

    Examples
    --------
    >>> import requests
    >>> from galzoo_repr.simulation import SurveyService
    >>> with SurveyService({}) as service:
    ...     answer = requests.get(service.url + "/cutout.jpg?ra=150")
    >>> [(logged.path, logged.query, logged.status) for logged in service.requests]
    [('/cutout.jpg', {'ra': '150'}, 404)]
    """

    path: str
    query: Mapping[str, str]
    started: float
    seconds: float = float("nan")
    status: int = 0


class SurveyService:
    """
    Serve endpoints over HTTP/1.1 on the loopback interface, within a ``with`` block or from `start` to `stop`.

    Every connection has a thread of its own and is kept alive; leaving the block, also by Ctrl-C or another
    exception, closes the listening socket and all connections and waits for the threads.

    Parameters
    ----------
    routes : dict
        Endpoint for each path prefix; the longest prefix that fits a path answers it. Where an endpoint
        raises, code 500 is the answer, as in a web framework.
    port : int, optional
        Port to listen on; 0 takes a free one.
    host : str, optional
        Address to listen on; any but one of this machine alone gets a warning.
    base : str, optional
        Path that `url` ends with.
    faults : callable, optional
        Asked first about every request; what it returns, unless `None`, is sent in place of the endpoint's
        answer.

    Attributes
    ----------
    requests : list of LoggedRequest
        Every request in order of arrival.
    in_flight, max_in_flight : int
        Requests being answered now, and the most there ever were at once. A request ends before the last
        byte of its answer leaves, or when the client hangs up: a client that has N requests open at most is
        never seen with more, however busy the machine.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> from galzoo_repr.simulation import Reply, SurveyService
    >>> with SurveyService({"/hello": lambda request: Reply(200, "text/plain", b"hi")}) as service:
    ...     with urlopen(service.url + "/hello") as answer:
    ...         print(answer.read().decode())
    hi
    >>> len(service.requests), service.max_in_flight, service.in_flight
    (1, 1, 0)
    """

    def __init__(
        self,
        routes: Mapping[str, Endpoint],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        base: str = "",
        faults: Callable[[Request], Writable | None] | None = None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port={port} is not allowed; give a number up to 65535, or 0 for a free one")
        if not _is_of_this_machine(host):
            warnings.warn(
                f"The service will answer every computer that reaches {host or 'any address of this machine'}, and "
                "asks none who it is; host='127.0.0.1' serves this machine alone.",
                GalzooWarning,
                stacklevel=3,
            )
        self.routes = dict(sorted(routes.items(), key=lambda item: -len(item[0])))
        self.faults = faults
        self.requests: list[LoggedRequest] = []
        self.max_in_flight = 0
        self._address = (host, port)
        self._base = base
        self._lock = threading.Lock()
        self._open: dict[socket.socket, LoggedRequest] = {}
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL of the service, such as ``http://127.0.0.1:8000/viewer``."""
        host, port = self._address
        return f"http://{host}:{port}{self._base}"

    def start(self) -> "SurveyService":
        """
        Listen and answer until `stop`; a service that does so already goes on.

        Returns
        -------
        SurveyService
            The service itself.

        Raises
        ------
        OSError
            The port cannot be had.

        Examples
        --------
        >>> from galzoo_repr.simulation import SurveyService
        >>> service = SurveyService({}, base="/viewer").start()
        >>> service.url.endswith("/viewer"), service.start() is service
        (True, True)
        >>> service.stop()
        """
        if self._server is not None:
            return self
        try:
            self._server = _Server(self._address, self)
        except OSError as error:
            host, port = self._address
            raise OSError(error.errno, f"cannot listen on port {port} of {host}: {error.strerror}") from error
        self._address = self._server.server_address[:2]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="survey-service",
            daemon=True,
        )
        self._thread.start()
        log.info("simulated service listening at %s", self.url)
        return self

    def stop(self) -> None:
        """
        Close the listening socket and every connection, and wait for the threads.

        Examples
        --------
        >>> import requests
        >>> from galzoo_repr.simulation import SurveyService
        >>> service = SurveyService({}).start()
        >>> requests.get(service.url).status_code
        404
        >>> service.stop()
        >>> len(service.requests)
        1
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        server.hang_up()
        self._thread.join()

    def wait(self) -> None:
        """
        Block until Ctrl-C or until another thread calls `stop`; then stop.

        Examples
        --------
        >>> from threading import Timer
        >>> from galzoo_repr.simulation import SurveyService
        >>> service = SurveyService({}).start()
        >>> Timer(0.01, service.stop).start()
        >>> service.wait()
        """
        try:
            while self._thread is not None and self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            log.info("interrupted: stopping the service at %s", self.url)
        finally:
            self.stop()

    def __enter__(self) -> "SurveyService":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def most_requests_within(self, seconds: float) -> int:
        """
        Count the most requests that arrived within any interval of a given length.

        Parameters
        ----------
        seconds : float
            Length of the interval.

        Returns
        -------
        int
            Number of requests: a client that keeps to 5 per second never makes it pass 5 for 1 second.

        Examples
        --------
        >>> import requests
        >>> from galzoo_repr.simulation import SurveyService
        >>> with SurveyService({}) as service:
        ...     answers = [requests.get(service.url) for _ in range(3)]
        >>> service.most_requests_within(3600)
        3
        """
        times = sorted(entry.started for entry in self.requests)
        most = first = 0
        for last, now in enumerate(times):
            while now - times[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def in_flight(self) -> int:
        """Requests being answered now."""
        with self._lock:
            return self._count()

    def _count(self) -> int:
        """Requests whose client still waits: one that gave up has closed its side of the connection."""
        return len(self._open) - len(select.select(list(self._open), [], [], 0)[0]) if self._open else 0

    def _arrive(
        self, path: str, query: Mapping[str, str], connection: socket.socket
    ) -> tuple[int, LoggedRequest]:
        entry = LoggedRequest(path, query, time.monotonic())
        with self._lock:
            self.requests.append(entry)
            self._open[connection] = entry
            self.max_in_flight = max(self.max_in_flight, self._count())
            return len(self.requests) - 1, entry

    def _depart(self, connection: socket.socket) -> None:
        with self._lock:
            entry = self._open.pop(connection)
            entry.seconds = time.monotonic() - entry.started

    def _answer(self, request: Request) -> Writable:
        if self.faults is not None and (fault := self.faults(request)) is not None:
            return fault
        return self.true_answer(request)

    def true_answer(self, request: Request) -> Writable:
        """
        Answer as the endpoint does, whatever goes wrong on the way.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        Writable
            Usually a `Reply`; code 404 where there is no endpoint, 500 where it fails.

        Examples
        --------
        >>> from galzoo_repr.simulation import Fault, Reply, Request, SurveyService
        >>> routes = {"/hello": lambda request: Reply(200, "text/plain", b"hi")}
        >>> service = SurveyService(routes, faults=lambda request: Fault("empty", request))
        >>> service.true_answer(Request("GET", "/hello", {}, 0)).body
        b'hi'
        """
        for prefix, endpoint in self.routes.items():
            if request.path.startswith(prefix):
                try:
                    return endpoint(request)
                except Exception as error:
                    log.debug("answering 500 to %s?%s: %r", request.path, request.query, error)
                    return html_reply(500, "Server Error (500)")
        return html_reply(404, "Not Found")


def _is_of_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "galzoo_repr"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in as few packets as they can

    def do_GET(self) -> None:
        service = self.server.service
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        number, self.entry = service._arrive(parts.path, query, self.connection)
        try:
            service._answer(Request(self.command, parts.path, query, number)).write(self)
        finally:
            # Before the last byte, which the caller flushes: once the client has it, its next request may be
            # here in no time.
            service._depart(self.connection)

    do_HEAD = do_GET

    def send_response(self, code: int, message: str | None = None) -> None:
        if hasattr(self, "entry"):
            self.entry.status = int(code)
        super().send_response(code, message)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("%s %s", self.address_string(), format % args)


class _Server(ThreadingHTTPServer):
    """Knows its open connections and their threads, so that both can be ended."""

    request_queue_size = 256

    def __init__(self, address: tuple[str, int], service: SurveyService) -> None:
        self.service = service
        self.connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="survey-connection",
            daemon=True,
        )
        self.connections[request] = thread
        thread.start()

    def process_request_thread(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.pop(request, None)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        log.debug("connection from %s broke off", client_address, exc_info=True)

    def hang_up(self) -> None:
        """Close the connections that clients keep alive and wait for their threads."""
        for connection, thread in list(self.connections.items()):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("a connection was closed before the service could")
            thread.join(10)
