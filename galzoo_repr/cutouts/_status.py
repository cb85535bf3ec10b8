"""How the fetching of one cutout ended, and what that means for asking again and for raising."""

from astroquery.exceptions import EmptyResponseError, InvalidQueryError, RemoteServiceError
from astroquery.exceptions import TimeoutError as QueryTimeoutError

__all__ = ["RETRYABLE", "STATUSES", "USABLE", "error_for"]

STATUSES = {
    "ok": "the cutout is complete",
    "partial": "part of the field has no data",
    "band_missing": "a band that was asked for is missing or empty",
    "no_coverage": "the position lies outside the survey",
    "bad_position": "the row has no valid position or field of view",
    "bad_request": "the service cannot answer this request",
    "rate_limited": "the service asked for fewer requests",
    "server_error": "the service failed or could not be reached",
    "timeout": "the service did not answer in time",
    "truncated": "the answer broke off",
    "corrupt": "the answer is not the image that was asked for",
    "missing": "there is no image: no file is named, or it is not there",
    "cancelled": "the call was interrupted before the answer came",
}
"""Every value of the column ``cutout_status``, with its meaning."""

USABLE = frozenset({"ok", "partial"})
"""Statuses of cutouts that hold pixels of every band asked for."""

RETRYABLE = frozenset({"rate_limited", "server_error", "timeout", "truncated", "corrupt"})
"""Statuses of trouble that may pass, so that asking again may help."""

_ERRORS = {
    "no_coverage": EmptyResponseError,
    "band_missing": InvalidQueryError,
    "bad_position": InvalidQueryError,
    "bad_request": InvalidQueryError,
    "timeout": QueryTimeoutError,
}


def error_for(status: str, reason: str) -> Exception:
    """
    Give the astroquery exception that a single query raises for a status.

    Parameters
    ----------
    status : str
        One of `STATUSES` that is not usable.
    reason : str
        What happened, for the message.

    Returns
    -------
    Exception
        `~astroquery.exceptions.EmptyResponseError` outside the survey,
        `~astroquery.exceptions.InvalidQueryError` for what can never be answered,
        `~astroquery.exceptions.TimeoutError`, or `~astroquery.exceptions.RemoteServiceError`.

    Examples
    --------
    >>> from galzoo_repr.cutouts import error_for
    >>> error_for("timeout", "no answer within 5 s")
    TimeoutError('timeout: no answer within 5 s')
    """
    return _ERRORS.get(status, RemoteServiceError)(f"{status}: {reason or STATUSES[status]}")
