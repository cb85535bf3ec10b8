"""One question to a service, and what its answer means."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from urllib3.exceptions import NameResolutionError, NewConnectionError

from galzoo_repr.cutouts._http import Interrupted, ThreadedRequests, current_stop
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._status import USABLE
from galzoo_repr.cutouts._throttle import throttle_of
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["NOT_ASKED", "ask"]

NOT_ASKED = "not asked: the service does not answer"
"""Reason of requests that were not sent, as those before them failed."""

Validate = Callable[[CutoutRequest, bytes], Outcome]


def ask(
    query: ThreadedRequests,
    request: CutoutRequest,
    url: str,
    payload: dict[str, str | int],
    *,
    validate: Validate = validate_body,
) -> Attempt:
    """Send one GET when its turn has come, and judge the answer; nothing is raised for what services do."""
    stop = current_stop()
    throttle = throttle_of(url, query.rate, query.workers)
    refusal = throttle.enter(stop)
    if refusal:
        reason = "interrupted" if refusal == "cancelled" else NOT_ASKED
        return Attempt(Outcome(refusal, reason, time=time.time()), asked=False)
    started = time.monotonic()
    outcome, retry_after = Outcome("cancelled", "interrupted"), 0.0
    try:
        outcome, body, retry_after = _send(query, request, url, payload, validate)
    finally:
        throttle.leave(outcome, retry_after, started)
    outcome.seconds = time.monotonic() - started
    outcome.time = time.time()
    keep = outcome.status in USABLE or outcome.status == "band_missing"
    return Attempt(outcome, body if keep else b"")


def _send(
    query: ThreadedRequests,
    request: CutoutRequest,
    url: str,
    payload: dict[str, str | int],
    validate: Validate,
) -> tuple[Outcome, bytes, float]:
    """Outcome, body and pause asked for."""
    try:
        response = query._request("GET", url, params=payload, timeout=query.timeout, cache=False)
    except QueryTimeoutError as error:
        return Outcome("timeout", str(error)), b"", 0.0
    except Interrupted:
        return Outcome("cancelled", "interrupted"), b"", 0.0
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
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
    code = response.status_code
    body = response.content
    announced = response.headers.get("Content-Length")
    if (
        code == 200
        and announced
        and "Content-Encoding" not in response.headers
        and len(body) < int(announced)
    ):
        return Outcome("truncated", f"{len(body)} of {announced} bytes came"), 0.0
    if code == 200:
        return validate(request, body), 0.0
    words = f"HTTP {code} {response.reason}: {body[:120].decode(errors='replace').strip()!r}"
    wait = _retry_after(response.headers.get("Retry-After", ""))
    if code == 429:
        return Outcome("rate_limited", words), wait
    if code == 408:
        return Outcome("timeout", words), wait
    if code >= 500:
        return Outcome("server_error", words), wait
    # Only 400 speaks of this request; 403 or 404 may be of the address, and are asked again by the next call.
    return Outcome("bad_request", words, final=code == 400), wait


def _retry_after(value: str) -> float:
    """Seconds from now of a Retry-After header, which holds seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isdigit():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return 0.0
