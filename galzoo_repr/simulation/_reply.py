"""What a simulated service is asked and answers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Protocol

__all__ = ["Endpoint", "Reply", "Request", "Writable", "cache_headers", "html_reply"]


@dataclass(frozen=True)
class Request:
    """
    One HTTP request as an endpoint sees it.

    Attributes
    ----------
    method : str
        ``"GET"`` or ``"HEAD"``.
    path : str
        Path of the URL, without the query.
    query : dict of str
        Parameters of the query; of a repeated parameter the last counts, and a flag (``&invvar``) is ``""``.
    number : int
        How many requests the service had received before this one.

    Examples
    --------
    >>> import requests
    >>> from galzoo_repr.simulation import Reply, SurveyService
    >>> echo = lambda request: Reply(200, "text/plain", f"{request.number} {dict(request.query)}".encode())
    >>> with SurveyService({"/": echo}) as service:
    ...     print(requests.get(service.url + "/?ra=150&invvar").text)
    0 {'ra': '150', 'invvar': ''}
    """

    method: str
    path: str
    query: Mapping[str, str]
    number: int


@dataclass(frozen=True)
class Reply:
    """
    One HTTP reply.

    Attributes
    ----------
    status : int
        HTTP status code.
    content_type : str
        Value of the ``Content-Type`` header.
    body : bytes
        What follows the headers; ``Content-Length`` is its length.
    headers : dict of str
        Further headers.

    Examples
    --------
    >>> import requests
    >>> from galzoo_repr.simulation import Reply, SurveyService
    >>> reply = Reply(503, "text/plain", b"later", {"Retry-After": "5"})
    >>> with SurveyService({"/": lambda request: reply}) as service:
    ...     answer = requests.get(service.url)
    >>> answer.status_code, answer.text, answer.headers["Retry-After"]
    (503, 'later', '5')
    """

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def write(self, handler: BaseHTTPRequestHandler) -> None:
        """
        Send the reply through an HTTP handler.

        Parameters
        ----------
        handler : http.server.BaseHTTPRequestHandler
            The handler of the request being answered.

        Examples
        --------
        >>> import requests
        >>> from galzoo_repr.simulation import Reply, SurveyService
        >>> with SurveyService({"/": lambda request: Reply(200, "image/fits", bytes(2880))}) as service:
        ...     answer = requests.head(service.url)
        >>> answer.headers["Content-Length"], answer.content
        ('2880', b'')
        """
        handler.send_response(self.status)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(self.body)))
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            # The last byte by itself: it stays in the buffer of the handler until that is flushed.
            handler.wfile.write(memoryview(self.body)[:-1])
            handler.wfile.write(self.body[-1:])


class Writable(Protocol):
    """Anything that answers a request by itself: a `Reply`, or a fault that stalls, trickles or hangs up."""

    def write(self, handler: BaseHTTPRequestHandler) -> None:
        """Send the answer through the handler."""


Endpoint = Callable[[Request], Writable]


def html_reply(status: int, title: str) -> Reply:
    """
    Make a short HTML page, as a web framework sends with its error codes.

    Parameters
    ----------
    status : int
        HTTP status code.
    title : str
        Text of the page.

    Returns
    -------
    Reply
        The page.

    Examples
    --------
    >>> from galzoo_repr.simulation import html_reply
    >>> reply = html_reply(404, "Not Found")
    >>> reply.content_type, b"<h1>Not Found</h1>" in reply.body
    ('text/html; charset=utf-8', True)
    """
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, "text/html; charset=utf-8", page.encode())


def cache_headers() -> dict[str, str]:
    """Headers of a reply that may be kept for an hour."""
    now = time.time()
    return {"Expires": formatdate(now + 3600, usegmt=True), "Last-Modified": formatdate(now, usegmt=True)}
