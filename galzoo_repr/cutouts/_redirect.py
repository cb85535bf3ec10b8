"""Which redirects of a service are followed: few, and those that stay with the service."""

from collections.abc import Iterable
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

__all__ = ["MOST_REDIRECTS", "Redirected", "next_address"]

MOST_REDIRECTS = 3
"""Followed at most for one question."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Redirected(requests.RequestException):
    """The service sends the question elsewhere, where it is not asked."""


def next_address(first: str, seen: list[str], response: requests.Response, hosts: Iterable[str]) -> str:
    """
    Address that an answer redirects to, refusing what is not to be followed.

    Parameters
    ----------
    first : str
        Address that was asked for.
    seen : list of str
        All that were asked since, the last one among them.
    response : requests.Response
        With a ``Location``.
    hosts : iterable of str
        Names of hosts that belong to the same service.

    Returns
    -------
    str

    Raises
    ------
    Redirected
        If it leads to another host, in a circle or too far, or is no address.
    """
    location = response.headers["Location"]
    try:
        # Headers are latin-1 for `http.client`, and in fact UTF-8.
        there = urljoin(seen[-1], location.encode("latin1").decode())
        allowed = _belongs_to(urlsplit(first), urlsplit(there), hosts)
    except ValueError:
        raise Redirected(
            f"redirected to {location[:200]!r}, which is no address", response=response
        ) from None
    if not allowed:
        raise Redirected(
            f"redirected to {there[:200]!r}, another host, which is not asked", response=response
        )
    if there in seen:
        raise Redirected(f"redirected in a circle, to {there[:200]!r}", response=response)
    if len(seen) > MOST_REDIRECTS:
        raise Redirected(f"redirected more than {MOST_REDIRECTS} times", response=response)
    return there


def _belongs_to(first: SplitResult, there: SplitResult, hosts: Iterable[str]) -> bool:
    """Whether an address is one of the same service, and no less secret."""
    if there.scheme not in _DEFAULT_PORTS or not there.hostname or "@" in there.netloc:
        return False
    if first.scheme == "https" and there.scheme == "http":
        return False
    ports = [one.port or _DEFAULT_PORTS[one.scheme] for one in (first, there)]
    if there.hostname == first.hostname:
        return ports[0] == ports[1] or ports == [80, 443]
    return there.hostname in hosts and ports[1] == _DEFAULT_PORTS[there.scheme]
