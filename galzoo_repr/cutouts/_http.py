"""HTTP for astroquery classes used from many threads: a session per thread, and a deadline that holds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests
import urllib3
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from requests.adapters import HTTPAdapter

__all__ = ["Interrupted", "ThreadedRequests", "abort_when", "current_stop"]

_CONNECT_SECONDS = 10.0
_WATCH_SECONDS = 0.05

_here = threading.local()


class Interrupted(Exception):
    """The exchange was given up because its caller was interrupted."""


@contextmanager
def abort_when(stop: threading.Event) -> Iterator[None]:
    """Break off the exchanges of the calling thread as soon as an event is set."""
    previous = getattr(_here, "stop", None)
    _here.stop = stop
    try:
        yield
    finally:
        _here.stop = previous


def current_stop() -> threading.Event | None:
    """Event that breaks off the exchanges of the calling thread, as set by `abort_when`."""
    return getattr(_here, "stop", None)


class _Exchange:
    """A request in flight, as the watchdog sees it."""

    __slots__ = ("cause", "deadline", "sock", "stop")

    def __init__(self, deadline: float, stop: threading.Event | None):
        self.deadline = deadline
        self.stop = stop
        self.sock: socket.socket | None = None
        self.cause = ""

    def check(self, now: float) -> None:
        """Shut the socket down, which wakes the thread that reads from it, once there is a cause."""
        if self.stop is not None and self.stop.is_set():
            self.cause = "interrupted"
        elif now > self.deadline:
            self.cause = self.cause or "deadline"
        if self.cause and self.sock is not None:
            with suppress(OSError):
                # Not the method of an SSLSocket, which would pull the TLS state from under the reading
                # thread.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _Watchdog:
    """
    One daemon thread that ends exchanges which outlive their deadline.

    The time-outs of `requests` restart with every byte received, so a trickling answer never meets them.
    """

    def __init__(self):
        self._exchanges: set[_Exchange] = set()
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, seconds: float) -> Iterator[_Exchange]:
        exchange = _Exchange(time.monotonic() + seconds, current_stop())
        with self._lock:
            self._exchanges.add(exchange)
            # After a fork the thread of the parent is gone.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="galzoo_repr-deadlines", daemon=True)
                self._thread.start()
            self._busy.set()
        _here.exchange = exchange
        try:
            yield exchange
        finally:
            _here.exchange = None
            with self._lock:
                self._exchanges.discard(exchange)
                if not self._exchanges:
                    self._busy.clear()

    def _run(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(_WATCH_SECONDS)
            now = time.monotonic()
            with self._lock:
                # While the lock is held no exchange can end and leave its connection to the next one.
                for exchange in self._exchanges:
                    exchange.check(now)


_watchdog = _Watchdog()


def _show_socket(connection: urllib3.connection.HTTPConnection) -> None:
    exchange = getattr(_here, "exchange", None)
    if exchange is not None:
        exchange.sock = connection.sock


class _HTTPConnection(urllib3.connection.HTTPConnection):
    def getresponse(self, *args, **kwargs):
        _show_socket(self)
        return super().getresponse(*args, **kwargs)


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    def getresponse(self, *args, **kwargs):
        _show_socket(self)
        return super().getresponse(*args, **kwargs)


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _WatchedAdapter(HTTPAdapter):
    """Adapter whose connections tell the watchdog which socket they read from."""

    def init_poolmanager(self, *args, **kwargs) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class ThreadedRequests:
    """
    Mixin that makes `astroquery.query.BaseQuery._request` safe and quick from many threads.

    Compared with the method it replaces it keeps one session per thread, never turns every body into text
    for the log, never touches astroquery's process-wide cache switch, and honours ``timeout`` as a limit on
    the whole exchange. It does not cache: the callers keep what they fetch themselves.
    """

    def _request(
        self,
        method: str,
        url: str,
        params: dict | None = None,
        data: dict | bytes | None = None,
        headers: dict[str, str] | None = None,
        files: dict | None = None,
        timeout: float | None = None,
        cache: bool | None = None,
        stream: bool = False,
        **options,
    ) -> requests.Response:
        """
        Send one request and receive the whole answer.

        Parameters
        ----------
        method, url, params, data, headers, files, **options
            As for `requests.Session.request`.
        timeout : float, optional
            Seconds for the whole exchange, from connecting to the last byte.
        cache, stream : bool, optional
            Accepted for astroquery's sake; nothing is cached, and the body is always received.

        Returns
        -------
        requests.Response
            With its body loaded.

        Raises
        ------
        astroquery.exceptions.TimeoutError
            If the whole answer has not arrived in time.
        requests.RequestException
            If the exchange fails in another way.
        """
        seconds = float(timeout) if timeout else 3600.0
        with _watchdog.watch(seconds) as exchange:
            try:
                response = self._thread_session().request(
                    method,
                    url,
                    params=params,
                    data=data,
                    headers=headers,
                    files=files,
                    timeout=(min(seconds, _CONNECT_SECONDS), seconds),
                    stream=True,
                    **options,
                )
                # In one piece: `response.content` would gather the body in pieces of 10 kB.
                response._content = b"".join(response.iter_content(None))
            except requests.Timeout as error:
                raise QueryTimeoutError(f"no complete answer from {url} within {seconds:g} s") from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                _raise_cause(exchange, url, seconds, error)
                raise
            # A connection that is shut down in the middle of a body of unknown length looks like its end.
            _raise_cause(exchange, url, seconds, None)
        response._content_consumed = True
        return response

    def __getstate__(self) -> dict:
        """Sent to another process, it opens sessions of its own there."""
        return {name: value for name, value in self.__dict__.items() if name != "_sessions"}

    def _thread_session(self) -> requests.Session:
        """Session of the calling thread, with the headers, proxies and credentials of ``self._session``."""
        if "_sessions" not in self.__dict__:
            self.__dict__.setdefault("_sessions", threading.local())
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = requests.Session()
            for name in ("headers", "auth", "proxies", "verify", "cert", "cookies", "trust_env"):
                setattr(session, name, getattr(self._session, name))
            session.mount("http://", _WatchedAdapter())
            session.mount("https://", _WatchedAdapter())
            self._sessions.session = session
        return session


def _raise_cause(exchange: _Exchange, url: str, seconds: float, error: Exception | None) -> None:
    if exchange.cause == "interrupted":
        raise Interrupted(f"the request to {url} was interrupted") from error
    if exchange.cause == "deadline":
        raise QueryTimeoutError(f"no complete answer from {url} within {seconds:g} s") from error
