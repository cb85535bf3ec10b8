"""Cutouts into a store: look up, share the work with other processes, fetch what is missing."""

import time
import warnings
from collections.abc import Iterator, Sequence

from astroquery.exceptions import LargeQueryWarning

from galzoo_repr.cutouts._checks import check_number
from galzoo_repr.cutouts._fetch import Route, fetch
from galzoo_repr.cutouts._leases import Claims
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._store import CutoutStore

__all__ = ["fetch_into"]

_LARGE = 10_000
_CLAIMED_AT_ONCE = 32
_POLL_SECONDS = 0.5


def fetch_into(
    store: CutoutStore,
    survey: Route,
    requests: Sequence[CutoutRequest],
    *,
    workers: int | None = None,
    progress: bool = False,
) -> list[Outcome]:
    """
    Look cutouts up, and fetch those that are missing into a store.

    Parameters
    ----------
    store : CutoutStore
        Where cutouts are kept.
    survey : LegacySurvey
        Service that the requests are for.
    requests : sequence of CutoutRequest
        What is wanted; repeated requests are fetched once.
    workers : int, optional
        Requests at once at most, instead of the survey's own number.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    list of Outcome
        One per request, in order.

    Raises
    ------
    TypeError, ValueError
        If ``workers`` is no such number.
    CutoutStoreError
        If cutouts are missing and cannot be stored.
    """
    check_number("workers", workers)
    known = dict(zip((request.key for request in requests), store.lookup(requests), strict=True))
    missing = {r.key: r for r in survey.arrange(list(requests)) if not _is_settled(known[r.key])}
    if survey.coverage is not None:
        for request, outcome in survey.coverage.outside(list(missing.values())):
            known[request.key] = outcome
            del missing[request.key]
    if missing:
        if store.read_only:
            raise CutoutStoreError(
                f"{len(missing)} of {len(known)} cutouts are missing, and the store {store.root} is "
                "read-only. Give another one with store=."
            )
        if len(missing) > _LARGE and survey.route != "bricks":
            _warn_large(len(missing))
        known.update(_fetch_missing(store, survey, missing, workers, progress))
    return [known[request.key] for request in requests]


def _is_settled(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.final


def _warn_large(n: int) -> None:
    warnings.warn(
        f"{n} cutouts are to be fetched one by one from a service that everybody shares. Above {_LARGE} "
        "positions, or some 20 per square of 0.25 degrees, whole coadds are kinder and "
        "quicker: survey=galzoo_repr.cutouts.BrickSurvey().",
        LargeQueryWarning,
        stacklevel=4,
    )


def _fetch_missing(
    store: CutoutStore,
    survey: Route,
    missing: dict[bytes, CutoutRequest],
    workers: int | None,
    progress: bool,
) -> dict[bytes, Outcome]:
    """Fetch what no other call is fetching, then wait for those, taking over what they leave."""
    began = time.time()
    claims = Claims(store.manifest)
    outcomes: dict[bytes, Outcome] = {}

    def record(rows: list[tuple[CutoutRequest, Outcome]]) -> None:
        store.record(rows)
        outcomes.update((request.key, outcome) for request, outcome in rows)
        claims.beat()

    def take_settled(keys: Sequence[bytes]) -> None:
        """Take over what has been settled meanwhile, by this or another call."""
        found = store.lookup([missing[key] for key in keys])
        for key, outcome in zip(keys, found, strict=True):
            if outcome is not None and (outcome.final or outcome.time > began):
                outcomes[key] = outcome

    def claimed(keys: list[bytes]) -> Iterator[CutoutRequest]:
        for start in range(0, len(keys), _CLAIMED_AT_ONCE):
            chunk = keys[start : start + _CLAIMED_AT_ONCE]
            mine = claims.take(chunk)
            take_settled(list(mine))
            yield from (missing[key] for key in chunk if key in mine and key not in outcomes)

    try:
        while left := [key for key in missing if key not in outcomes]:
            if claims.any_free(left):
                fetch(
                    survey,
                    claimed(left),
                    publish=store.publish,
                    record=record,
                    workers=workers,
                    progress=progress,
                    total=len(left),
                )
            else:
                time.sleep(_POLL_SECONDS)
            take_settled([key for key in left if key not in outcomes])
    finally:
        claims.release()
    return outcomes
