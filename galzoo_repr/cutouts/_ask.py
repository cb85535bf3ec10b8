"""One question to a service, and what its answer means."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

import numpy as np
import requests
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from galzoo_repr._config import log
from galzoo_repr.cutouts._connection import AnswerTooLarge, current_stop
from galzoo_repr.cutouts._http import Interrupted, ThreadedRequests, whole_number
from galzoo_repr.cutouts._redirect import Redirected
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._status import USABLE
from galzoo_repr.cutouts._throttle import throttle_of
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["NOT_ASKED", "ask", "most_bytes", "plain_words"]

NOT_ASKED = "not asked: the service"
"""How reasons begin of requests that were not sent, as those before them failed."""
_REFUSALS = {
    "cancelled": "interrupted",
    "server_error": f"{NOT_ASKED} does not answer",
    "rate_limited": f"{NOT_ASKED} wants to be left alone",
}

_FACTOR = 2
"""A body may have so many times the bytes of its pixels, uncompressed; real ones have less than one."""
_ROOM = 2**20
"""Bytes on top of that, for headers and pages that say what is wrong."""
_LONGEST_REASON = 500
_LONGEST_PAUSE = 3600.0
"""Seconds. What asks for a longer pause is asked again after this one, if it is still wanted."""

Validate = Callable[[CutoutRequest, bytes], Outcome]


def ask(
    query: ThreadedRequests,
    request: CutoutRequest,
    url: str,
    payload: dict[str, str | int],
    *,
    validate: Validate = validate_body,
    most: int | None = None,
) -> Attempt:
    """
    Send one GET when its turn has come, and judge the answer; nothing is raised for what services do.

    Of the answer no more than ``most`` bytes are taken in, by default as many as `most_bytes` tells.
    """
    most = most_bytes(request) if most is None else most
    stop = current_stop()
    throttle, seconds = throttle_of(url, query.rate, query.workers), query.timeout
    refusal = throttle.enter(stop)
    if refusal:
        return Attempt(Outcome(refusal, _REFUSALS[refusal], time=time.time()), asked=False)
    started = time.monotonic()
    outcome, body, retry_after, lasting = Outcome("cancelled", "interrupted"), b"", 0.0, False
    try:
        # Pixels may be any numbers, also those that raise flags of the processor.
        with np.errstate(all="ignore"):
            outcome, body, retry_after = _send(
                query, request, url, payload, validate, most, partial(throttle.pace, started + seconds, stop)
            )
    except AnswerTooLarge as error:
        outcome, lasting = Outcome("corrupt", f"the answer is larger than what was asked for: {error}"), True
    # Whatever an answer makes the libraries that read it stumble over is the trouble of this one request.
    except Exception as error:
        log.debug("An answer of %s cannot be read.", url, exc_info=True)
        outcome = Outcome("corrupt", f"the answer cannot be read: {type(error).__name__}: {error}")
    finally:
        throttle.leave(outcome, retry_after, started)
    outcome.reason = plain_words(outcome.reason)
    outcome.seconds = time.monotonic() - started
    outcome.time = time.time()
    keep = outcome.status in USABLE or outcome.status == "band_missing"
    return Attempt(outcome, body if keep else b"", lasting=lasting)


def most_bytes(request: CutoutRequest) -> int:
    """Bytes that the answer to a request may have at most: twice those of its pixels, and 1 MiB."""
    of_a_pixel = 4 * len(request.bands) if request.image_format == "fits" else 3
    return _FACTOR * of_a_pixel * request.size**2 + _ROOM


def plain_words(reason: str) -> str:
    """Give a reason that may quote a service, without what could disturb a terminal, and not too long."""
    words = "".join(letter if letter.isprintable() else "?" for letter in reason[: _LONGEST_REASON + 1])
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."


def _send(
    query: ThreadedRequests,
    request: CutoutRequest,
    url: str,
    payload: dict[str, str | int],
    validate: Validate,
    most: int,
    pace: Callable[[], None],
) -> tuple[Outcome, bytes, float]:
    """Outcome, body and pause asked for."""
    try:
        response = query._request(
            "GET", url, params=payload, timeout=query.timeout, cache=False, most=most, before_redirect=pace
        )
    except QueryTimeoutError as error:
        return Outcome("timeout", str(error)), b"", 0.0
    except Interrupted:
        return Outcome("cancelled", "interrupted"), b"", 0.0
    except Redirected as error:
        code = error.response.status_code
        return Outcome("server_error", f"HTTP {code}: {error}", http_code=code), b"", 0.0
    except requests.exceptions.ContentDecodingError as error:
        return Outcome("corrupt", str(error)), b"", 0.0
    except requests.exceptions.ChunkedEncodingError as error:
        return Outcome("truncated", f"the answer broke off: {error}"), b"", 0.0
    except (requests.RequestException, OSError) as error:
        return Outcome("server_error", f"no answer: {_cause(url, error)}"), b"", 0.0
    outcome, retry_after = _judge(request, response, validate)
    outcome.http_code = response.status_code
    return outcome, response.content, retry_after


def _cause(url: str, error: Exception) -> str:
    """Say in a few words why there is no connection, which requests and urllib3 wrap in one another."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    host = urlsplit(url).hostname
    if isinstance(inner, NameResolutionError):
        return f"the name {host} cannot be resolved (no network? behind a proxy? then set HTTPS_PROXY)"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy gives no connection to {host} (see HTTPS_PROXY): {_last_words(inner)}"
    if isinstance(inner, NewConnectionError):
        return f"no connection to {host}: {_last_words(inner)}"
    return str(error)


def _last_words(error: Exception) -> str:
    return str(error).rpartition(": ")[2].rstrip("\"')")


def _judge(request: CutoutRequest, response: requests.Response, validate: Validate) -> tuple[Outcome, float]:
    """Outcome of an answer, and the pause asked for."""
    code, body = response.status_code, response.content
    announced = whole_number(response.headers.get("Content-Length", "")) or 0
    if code == 200 and "Content-Encoding" not in response.headers and len(body) < announced:
        return Outcome("truncated", f"{len(body)} of {announced} bytes came"), 0.0
    if code == 200:
        return validate(request, body), 0.0
    words = f"HTTP {code} {response.reason[:80]}: {body[:120].decode(errors='replace').strip()!r}"
    asked = _retry_after(response.headers)
    wait = min(asked, _LONGEST_PAUSE)
    if asked:
        words += f"; asks for a pause of {asked:.0f} s"
        words += f", of which {wait:.0f} s are kept" if wait < asked else ""
    if code == 429:
        return Outcome("rate_limited", words), wait
    if code == 408:
        return Outcome("timeout", words), wait
    if not 400 <= code < 500:
        return Outcome("server_error", words), wait
    # Only 400 speaks of this request; 403 or 404 may be of the address, and are asked again by the next call.
    return Outcome("bad_request", words, final=code == 400), wait


def _retry_after(headers: Mapping[str, str]) -> float:
    """
    Seconds of a Retry-After header, which holds seconds or an HTTP date (RFC 9110, 10.2.3).

    A date counts from the ``Date`` of the answer, where it has one, as clocks differ.
    """
    value = headers.get("Retry-After", "")
    if (seconds := whole_number(value)) is not None:
        return float(seconds)
    until = _timestamp(value)
    if until is None:
        return 0.0
    now = _timestamp(headers.get("Date", ""))
    return max(until - (time.time() if now is None else now), 0.0)


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    # The parser, and the calendar, stumble over much in ways of their own.
    except Exception:
        return None
