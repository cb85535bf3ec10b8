"""Connections that keep to a deadline and to a number of bytes, whatever the other side does."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from http.client import HTTPResponse

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError

__all__ = ["AnswerTooLarge", "Exchange", "WatchedAdapter", "abort_when", "current_stop", "watch"]

_WATCH_SECONDS = 0.05
_HEADERS = 2**20
"""Bytes of status lines, headers, the sizes of chunks and the like that come on top of a body."""
_PIECE = 2**16

_here = threading.local()


class AnswerTooLarge(Exception):
    """More came than what was asked for can take."""


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


class Exchange:
    """A request in flight, as the watchdog and the connection see it."""

    __slots__ = ("_came", "cause", "deadline", "most", "sock", "stop")

    def __init__(self, deadline: float, most: int, stop: threading.Event | None):
        self.deadline = deadline
        self.most = most
        self.stop = stop
        self.sock: socket.socket | None = None
        self.cause = ""
        self._came = 0

    def check(self, now: float) -> None:
        """Shut the socket down, which wakes the thread that reads from it, once there is a cause."""
        if self.stop is not None and self.stop.is_set():
            self.cause = "interrupted"
        elif now > self.deadline:
            self.cause = self.cause or "deadline"
        if self.cause and self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def count(self, n: int) -> None:
        """Take note of bytes that have arrived, of whatever part of the answer."""
        self._came += n
        if self._came > self.most + _HEADERS:
            raise AnswerTooLarge(f"more than {self.most} bytes came")

    def drop(self) -> None:
        """Close the handle on the socket; the connection stays as it is."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class _Watchdog:
    """
    One daemon thread that ends exchanges which outlive their deadline.

    The time-outs of `requests` restart with every byte received, so a trickling answer never meets them.
    """

    def __init__(self):
        self._exchanges: set[Exchange] = set()
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.add(exchange)
            # After a fork the thread of the parent is gone.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="galzoo_repr-deadlines", daemon=True)
                self._thread.start()
            self._busy.set()

    def show(self, exchange: Exchange, sock: socket.socket) -> None:
        """Let an exchange know its socket, by a handle that stays valid while TLS takes the socket over."""
        with self._lock:
            exchange.drop()
            with suppress(OSError):
                exchange.sock = socket.socket(fileno=socket.dup(sock.fileno()))

    def remove(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.discard(exchange)
            exchange.drop()
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


@contextmanager
def watch(seconds: float, most: int) -> Iterator[Exchange]:
    """Watch what the calling thread sends and receives: for so long, and so many bytes of body."""
    exchange = Exchange(time.monotonic() + seconds, most, current_stop())
    _watchdog.add(exchange)
    _here.exchange = exchange
    try:
        yield exchange
    finally:
        _here.exchange = None
        _watchdog.remove(exchange)


def _current() -> Exchange | None:
    return getattr(_here, "exchange", None)


class _Meter(io.RawIOBase):
    """The bytes of a socket, counted as they arrive: also those of headers, chunks and answers thrown away."""

    def __init__(self, raw: io.RawIOBase):
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:
        n = self._raw.readinto(buffer)
        if n and (exchange := _current()) is not None:
            exchange.count(n)
        return n

    def close(self) -> None:
        self._raw.close()
        super().close()


class _MeteredResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args, **kwargs):
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Meter(self.fp.detach()), _PIECE)


class _Watched:
    """What the connections of both schemes do more than those of `urllib3`."""

    response_class = _MeteredResponse

    def _new_conn(self) -> socket.socket:
        """Connect in a thread of its own, as looking up a name, and trying all its addresses, knows no time limit."""
        exchange, connect = _current(), super()._new_conn
        if exchange is None:
            return connect()
        made: Future[socket.socket] = Future()

        def run() -> None:
            try:
                made.set_result(connect())
            except Exception as error:
                made.set_exception(error)

        threading.Thread(target=run, name="galzoo_repr-connect", daemon=True).start()
        while not exchange.cause:
            if wait([made], _WATCH_SECONDS).done:
                _watchdog.show(exchange, made.result())
                return made.result()
        # Whenever it comes, also between the last look and here.
        made.add_done_callback(_hang_up)
        raise ConnectTimeoutError(self, f"no connection to {self.host} in time")

    def getresponse(self, *args, **kwargs) -> urllib3.HTTPResponse:
        if (exchange := _current()) is not None:
            _watchdog.show(exchange, self.sock)
        return super().getresponse(*args, **kwargs)


def _hang_up(made: Future[socket.socket]) -> None:
    if made.exception() is None:
        made.result().close()


class _HTTPConnection(_Watched, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(_Watched, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class WatchedAdapter(HTTPAdapter):
    """Adapter whose connections are watched."""

    def init_poolmanager(self, *args, **kwargs) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args, **kwargs) -> urllib3.ProxyManager:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
