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
    """
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, "text/html; charset=utf-8", page.encode())


def cache_headers() -> dict[str, str]:
    """Headers of a reply that may be kept for an hour."""
    now = time.time()
    return {"Expires": formatdate(now + 3600, usegmt=True), "Last-Modified": formatdate(now, usegmt=True)}
