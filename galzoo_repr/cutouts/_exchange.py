"""One question to a service, and what its answer means."""

import time
from email.utils import parsedate_to_datetime

import requests
from astroquery.exceptions import TimeoutError as QueryTimeoutError

from galzoo_repr.cutouts._http import Interrupted, ThreadedRequests
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._status import USABLE
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["exchange"]


def exchange(query: ThreadedRequests, request: CutoutRequest, url: str, payload: dict) -> Attempt:
    """
    Send one GET and judge the answer.

    Parameters
    ----------
    query : ThreadedRequests
        Query object, with a ``timeout``.
    request : CutoutRequest
        What is asked, to compare the answer with.
    url : str
        Address.
    payload : dict
        Parameters.

    Returns
    -------
    Attempt
        Whatever happened; nothing is raised for what services and networks do.
    """
    started = time.monotonic()
    response = None
    retry_after = 0.0
    try:
        response = query._request("GET", url, params=payload, timeout=query.timeout, cache=False)
        outcome, retry_after = _judge(request, response)
    except QueryTimeoutError as error:
        outcome = Outcome("timeout", str(error))
    except Interrupted:
        outcome = Outcome("cancelled", "interrupted")
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        outcome = Outcome("truncated", f"the answer broke off: {error}")
    except (requests.RequestException, OSError) as error:
        outcome = Outcome("server_error", f"no answer: {error}")
    outcome.seconds = time.monotonic() - started
    outcome.time = time.time()
    outcome.http_code = response.status_code if response is not None else 0
    keep = response is not None and (outcome.status in USABLE or outcome.status == "band_missing")
    return Attempt(outcome, response.content if keep else b"", retry_after)


def _judge(request: CutoutRequest, response: requests.Response) -> tuple[Outcome, float]:
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
        return validate_body(request, body), 0.0
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
