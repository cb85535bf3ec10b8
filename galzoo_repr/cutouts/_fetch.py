"""Many cutouts in one stream: looked up, shared with other calls, fetched, and handed on as they come."""

import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing

from astroquery.exceptions import LargeQueryWarning

from galzoo_repr.cutouts._caller import level_of_the_caller
from galzoo_repr.cutouts._checks import check_setting
from galzoo_repr.cutouts._figures import FetchFigures
from galzoo_repr.cutouts._leases import Leases
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._pool import Pool, Publish
from galzoo_repr.cutouts._request import CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._store import CutoutStore

__all__ = ["fetch", "fetch_into"]

_LARGE = 10_000
_LOOKED_UP_AT_ONCE = 10_000
_LEASED_AT_ONCE = 32
_FITS_HEADER = 2880


def fetch(
    survey: Route, requests: Iterable[CutoutRequest], *, publish: Publish, workers: int | None = None
) -> Iterator[tuple[CutoutRequest, Outcome]]:
    """
    Ask a service for many cutouts, each as often as it may help.

    Parameters
    ----------
    survey : Route
        Service that the requests are for.
    requests : iterable of CutoutRequest
        What to ask, all different, taken as the work goes on.
    publish : callable
        Called in a worker thread with a request and the `Attempt` that brought a body. What it raises ends the
        call.
    workers : int, optional
        Requests at once at most, instead of the survey's own number.

    Yields
    ------
    request : CutoutRequest
        Each request once, when it has ended.
    outcome : Outcome
        How.

    Examples
    --------
    >>> import astropy.units as u
    >>> from galzoo_repr import LegacySurvey, SimulatedSurvey
    >>> from galzoo_repr.cutouts import fetch
    >>> bodies = []
    >>> with SimulatedSurvey().serve() as service:
    ...     survey = LegacySurvey(server=service.url)
    ...     request = survey.request(150.0, 2.0, 32, 0.262 * u.arcsec)
    ...     for _, outcome in fetch(survey, [request], publish=lambda _, attempt: bodies.append(attempt.body)):
    ...         print(outcome.status, bodies[0][:6])
    ok b'SIMPLE'
    """
    pool = Pool(survey, publish, workers or survey.workers)
    try:
        for finished in pool.run(requests):
            yield from finished
            finished.clear()
    finally:
        pool.close()


def fetch_into(
    store: CutoutStore,
    survey: Route,
    requests: Sequence[CutoutRequest | None],
    *,
    workers: int | None = None,
    enough: Enough | None = None,
    figures: FetchFigures | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """
    Look cutouts up, fetch those that are missing into a store, and hand all on as they come.

    What is in the store comes first. Equal requests are fetched once. A stream that is interrupted, or closed
    early, breaks off what is in flight and keeps what has come.

    Parameters
    ----------
    store : CutoutStore
        Where cutouts are kept.
    survey : Route
        Service that the requests are for.
    requests : sequence of CutoutRequest or None
        What is wanted in each row; rows with None are passed over.
    workers : int, optional
        Requests at once at most, instead of the survey's own number.
    enough : callable, optional
        Told requests that were answered before and whose file was dropped since, with their outcomes, says for
        each whether it is not needed any more. They are not fetched again, and have a length of 0.
    figures : FetchFigures, optional
        What is fetched, and what that takes, is added to it.

    Returns
    -------
    iterator of tuple
        Row and `Outcome`, each row once.

    Raises
    ------
    TypeError, ValueError
        If ``workers`` is no such number.
    CutoutStoreError
        If cutouts are missing and cannot be stored; while iterating.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import astropy.units as u
    >>> from galzoo_repr.cutouts import CutoutStore, LegacySurvey, fetch_into
    >>> from galzoo_repr.simulation import SimulatedSurvey
    >>> sky = SimulatedSurvey()
    >>> galaxy = sky.catalogue(1)[0]
    >>> with sky.serve() as service, TemporaryDirectory() as folder, CutoutStore(folder) as store:
    ...     survey = LegacySurvey(server=service.url)
    ...     request = survey.request(galaxy["ra"], galaxy["dec"], 32, 0.262 * u.arcsec)
    ...     for row, outcome in fetch_into(store, survey, [None, request, request]):
    ...         print(row, outcome.status)
    1 ok
    2 ok
    """
    check_setting("workers", workers)
    return _stream(store, survey, requests, workers or survey.workers, enough, figures)


def _stream(
    store: CutoutStore,
    survey: Route,
    requests: Sequence[CutoutRequest | None],
    workers: int,
    enough: Enough | None,
    figures: FetchFigures | None,
) -> Iterator[tuple[int, Outcome]]:
    missing: dict[bytes, list[int]] = {}
    before: dict[bytes, float] = {}
    for row, outcome in _look_up(store, requests, enough):
        if outcome is not None and outcome.final:
            yield row, outcome
        else:
            missing.setdefault(requests[row].key, []).append(row)
            if outcome is not None:
                before[requests[row].key] = outcome.time
    # In the order of the catalogue, as far as the service has no wishes of its own.
    asked = survey.arrange([requests[rows[0]] for rows in sorted(missing.values())])
    leases = Leases(store, before, enough)
    with closing(_answers(store, survey, asked, workers, leases, figures)) as answers:
        for request, outcome in answers:
            for row in missing[request.key]:
                yield row, outcome


def _look_up(
    store: CutoutStore, requests: Sequence[CutoutRequest | None], enough: Enough | None
) -> Iterator[tuple[int, Outcome | None]]:
    """What the store knows of each row, a part at a time, in the order of its manifest."""
    rows = [row for row, request in enumerate(requests) if request is not None]
    rows.sort(key=lambda row: requests[row].key)
    for start in range(0, len(rows), _LOOKED_UP_AT_ONCE):
        some = rows[start : start + _LOOKED_UP_AT_ONCE]
        yield from zip(some, store.lookup([requests[row] for row in some], enough=enough), strict=True)


def _answers(
    store: CutoutStore,
    survey: Route,
    asked: list[CutoutRequest],
    workers: int,
    leases: Leases,
    figures: FetchFigures | None,
) -> Iterator[tuple[CutoutRequest, Outcome]]:
    """What comes of requests that the store does not answer: from the footprint, other calls and the service."""
    left = {request.key: request for request in asked}
    if survey.coverage is not None:
        for request, outcome in survey.coverage.outside(asked):
            del left[request.key]
            yield request, outcome
    if not left:
        return
    if store.read_only:
        raise CutoutStoreError(
            f"cutouts are missing ({len(left)}), and the store {store.root} is read-only; give another one with "
            "store="
        )
    if len(left) > _LARGE and survey.route != "bricks":
        _warn_large(left.values(), survey, store)
    settled: list[tuple[CutoutRequest, Outcome]] = []

    def free() -> Iterator[CutoutRequest | None]:
        """What no other call is fetching, and what others leave; None while they are at it."""
        while left:
            mine, found = leases.take(left, _LEASED_AT_ONCE)
            settled.extend(found)
            for request in [*mine, *(request for request, _ in found)]:
                del left[request.key]
            if mine or found:
                yield from mine
            else:
                yield None

    pool = Pool(survey, store.publish, workers, figures)
    try:
        for finished in pool.run(free()):
            store.record(finished)
            leases.beat()
            come = finished + settled
            finished.clear()
            settled.clear()
            yield from come
        yield from settled
    finally:
        # Also when interrupted or closed early: what has been fetched is kept.
        try:
            store.record(pool.close())
        finally:
            leases.release()


def _warn_large(requests: Collection[CutoutRequest], survey: Route, store: CutoutStore) -> None:
    n, size = len(requests), sum(map(_bytes_of, requests))
    hours = n / survey.rate / 3600
    takes = f", and at least {hours:.1f} hours" if hours >= 0.1 else ""
    limit = store.max_size
    capped = f" The store has room for {_readable(limit)} (max_cache_size)." if limit is not None else ""
    warnings.warn(
        f"{n} cutouts, about {_readable(size)} in {store.root}{takes}, are to be fetched one by one from a service "
        f"that everybody shares. Above {_LARGE} positions, or some 20 per square of 0.25 degrees, whole coadds are "
        f"kinder and quicker: survey=galzoo_repr.cutouts.BrickSurvey().{capped} Another folder: store=; less room: "
        "keep='jpeg' or keep='none' of add_embeddings; for good: cache_dir, keep and max_cache_size of "
        "galzoo_repr.conf, or in galzoo_repr.cfg.",
        LargeQueryWarning,
        stacklevel=level_of_the_caller(),
    )


def _readable(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _bytes_of(request: CutoutRequest) -> int:
    """Size of the answer: exact for FITS, and as of most galaxies for JPEG."""
    pixels = request.size**2
    return _FITS_HEADER + 4 * len(request.bands) * pixels if request.image_format == "fits" else pixels // 4
