"""HTTP for astroquery classes used from many threads: a session per thread, and limits that hold."""

import io
import threading
import zlib
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from galzoo_repr.cutouts._connection import AnswerTooLarge, Exchange, WatchedAdapter, watch
from galzoo_repr.cutouts._redirect import next_address

__all__ = ["Interrupted", "ThreadedRequests", "whole_number"]

_CONNECT_SECONDS = 10.0
_LARGEST = 2**24
"""Bytes of an answer of which nothing is known beforehand, such as a coverage map; those of the surveys have 1 MB."""
_PIECE = 2**16
_GZIP = ("gzip", "x-gzip")


class Interrupted(Exception):
    """The exchange was given up because its caller was interrupted."""


class _NoCookies(DefaultCookiePolicy):
    """Cookies that the user has set are sent, those that services set are not kept."""

    def set_ok(self, *_) -> bool:
        return False


class _Session(requests.Session):
    """Session that follows no redirect itself, which would take in the whole body of each, whatever it unpacks to."""

    def resolve_redirects(self, *_, **__) -> Iterator[requests.Response]:
        return iter(())


class ThreadedRequests:
    """
    Mixin that makes `astroquery.query.BaseQuery._request` safe and quick from many threads.

    Compared with the method it replaces it keeps one session per thread, never turns every body into text
    for the log, never touches astroquery's process-wide cache switch, honours ``timeout`` as a limit on
    the whole exchange, takes in no more than it was told to expect, and follows redirects only within the service. It
    does not cache: the callers keep what they fetch themselves.
    """

    redirect_hosts: tuple[str, ...] = ()
    """Hosts, besides the one that is asked, that redirects may lead to."""

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
        *,
        most: int = _LARGEST,
        before_redirect: Callable[[], None] = lambda: None,
        **options,
    ) -> requests.Response:
        """
        Send one request and receive the whole answer.

        Parameters
        ----------
        method, url, params, data, headers, files, **options
            As for `requests.Session.request`.
        timeout : float, optional
            Seconds for the whole exchange, from looking up the host to the last byte.
        cache, stream : bool, optional
            Accepted for astroquery's sake; nothing is cached, and the body is always received.
        most : int
            Bytes that the body may have at most, as it comes and unpacked.
        before_redirect : callable
            Called before the question is sent once more, to another address of the service.

        Returns
        -------
        requests.Response
            With its body loaded.

        Raises
        ------
        astroquery.exceptions.TimeoutError
            If the whole answer has not arrived in time.
        AnswerTooLarge
            If it has more bytes.
        requests.RequestException
            If the exchange fails in another way.
        """
        seconds = float(timeout) if timeout else 3600.0
        # Only what can be unpacked piece by piece.
        headers = {"Accept-Encoding": "gzip", **(headers or {})}
        options |= {"headers": headers, "timeout": (min(seconds, _CONNECT_SECONDS), seconds)}
        sent = {"params": params, "data": data, "files": files}
        with watch(seconds, most) as exchange:
            try:
                response = self._send(method, url, sent, options, before_redirect)
                response._content = _receive(response, most)
            except requests.Timeout as error:
                _raise_cause(exchange, url, seconds, error)
                raise QueryTimeoutError(f"no complete answer from {url} within {seconds:g} s") from error
            except AnswerTooLarge:
                raise
            except Exception as error:
                _raise_cause(exchange, url, seconds, error)
                raise
            # A connection that is shut down in the middle of a body of unknown length looks like its end.
            _raise_cause(exchange, url, seconds, None)
        response._content_consumed = True
        return response

    def _send(
        self, method: str, url: str, sent: dict, options: dict, before_redirect: Callable[[], None]
    ) -> requests.Response:
        """Give the answer without its body, after redirects."""
        session, seen = self._thread_session(), [url]
        while True:
            response = session.request(
                method, seen[-1], stream=True, allow_redirects=False, **sent, **options
            )
            if not response.is_redirect:
                return response
            response.close()
            seen.append(next_address(url, seen, response, self.redirect_hosts))
            # The query is part of the new address; what is posted is only sent again where the code says so.
            sent = {**sent, "params": None}
            if response.status_code in (301, 302, 303):
                method, sent = "GET", {}
            before_redirect()

    def __getstate__(self) -> dict:
        """Sent to another process, it opens sessions of its own there."""
        return {name: value for name, value in self.__dict__.items() if name != "_sessions"}

    def _thread_session(self) -> requests.Session:
        """Session of the calling thread, with the headers, proxies and credentials of ``self._session``."""
        if "_sessions" not in self.__dict__:
            self.__dict__.setdefault("_sessions", threading.local())
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = _Session()
            for name in ("headers", "auth", "proxies", "verify", "cert", "trust_env"):
                setattr(session, name, getattr(self._session, name))
            session.cookies.update(self._session.cookies)
            session.cookies.set_policy(_NoCookies())
            session.mount("http://", WatchedAdapter())
            session.mount("https://", WatchedAdapter())
            self._sessions.session = session
        return session


def whole_number(text: str) -> int | None:
    """Value of a header that holds a number of plain digits; None if it holds anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    # Python refuses to read numbers of thousands of digits.
    return int(text) if len(text) <= 18 else 10**18


def _receive(response: requests.Response, most: int) -> bytes:
    """Body of an answer, unpacked while it arrives; an `AnswerTooLarge` as soon as it is more than it may be."""
    body, unpack = io.BytesIO(), _unpacker(response)
    try:
        if (announced := whole_number(response.headers.get("Content-Length", "")) or 0) > most:
            raise AnswerTooLarge(f"{announced} bytes are announced, where {most} are enough")
        while piece := response.raw.read(_PIECE, decode_content=False):
            body.write(piece if unpack is None else unpack.decompress(piece, most + 1 - body.tell()))
            if body.tell() > most:
                raise AnswerTooLarge(f"more than {most} bytes came")
    except zlib.error as error:
        response.raw.close()
        raise ContentDecodingError(f"the answer cannot be unpacked: {error}", response=response) from error
    except urllib3.exceptions.ProtocolError as error:
        raise ChunkedEncodingError(error, response=response) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error, response=response) from error
    except BaseException:
        response.raw.close()
        raise
    if unpack is not None and body.tell() and not unpack.eof:
        raise ChunkedEncodingError("the packed answer has no end", response=response)
    # Without a copy.
    return body.getvalue()


def _unpacker(response: requests.Response) -> "zlib._Decompress | None":
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in _GZIP:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if encoding not in ("", "identity"):
        response.close()
        raise ContentDecodingError(
            f"the answer is packed as {encoding[:40]!r}, which was not asked for", response=response
        )
    return None


def _raise_cause(exchange: Exchange, url: str, seconds: float, error: Exception | None) -> None:
    if exchange.cause == "interrupted":
        raise Interrupted(f"the request to {url} was interrupted") from error
    if exchange.cause == "deadline":
        raise QueryTimeoutError(f"no complete answer from {url} within {seconds:g} s") from error
