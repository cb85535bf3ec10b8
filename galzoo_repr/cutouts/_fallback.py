"""Several surveys in turn: what one has no image of is asked of the next."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from galzoo_repr.cutouts._fetch import fetch_into
from galzoo_repr.cutouts._figures import FetchFigures
from galzoo_repr.cutouts._request import CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._status import RETRYABLE, USABLE
from galzoo_repr.cutouts._store import CutoutStore

__all__ = ["FALLBACK_ON", "check_surveys", "fetch_in_turn", "survey_facts", "survey_names"]

FALLBACK_ON = RETRYABLE | {"no_coverage", "band_missing"}
"""Statuses after which the next survey is asked: there is no image, or the service is in trouble."""

Requests = Sequence[CutoutRequest | None]


def check_surveys(survey: Route, fallback: Route | Sequence[Route] | None) -> list[Route]:
    """
    Give all surveys in the order in which they are asked.

    Parameters
    ----------
    survey : Route
        First one.
    fallback : Route, sequence of Route, or None
        Others.

    Returns
    -------
    list of Route

    Raises
    ------
    TypeError
        If one is no service.
    ValueError
        If one is given twice, or some give colour pictures and others fluxes.

    Examples
    --------
    >>> from galzoo_repr.cutouts import HipsSurvey, LegacySurvey, check_surveys
    >>> [survey.route for survey in check_surveys(LegacySurvey(), HipsSurvey())]
    ['viewer', 'hips']
    """
    if fallback is None:
        fallback = ()
    if isinstance(fallback, str) or not (hasattr(fallback, "attempt") or isinstance(fallback, Sequence)):
        raise TypeError(
            f"fallback={fallback!r} is no list of services; give LegacySurvey, HipsSurvey or BrickSurvey objects, such "
            "as fallback=[HipsSurvey()]"
        )
    surveys = [survey, *([fallback] if hasattr(fallback, "attempt") else fallback)]
    for one in surveys:
        if isinstance(one, type) or not hasattr(one, "attempt"):
            example = f", such as LegacySurvey(layer={one!r})" if isinstance(one, str) else ""
            raise TypeError(
                f"{'survey' if one is survey else 'fallback'}={one!r} is no service; give a LegacySurvey, HipsSurvey "
                f"or BrickSurvey object{example}"
            )
    if len({(one.route, one.layer, one.server) for one in surveys}) < len(surveys):
        raise ValueError("fallback= names a survey twice, or survey= itself; give others")
    if len(formats := {one.image_format for one in surveys}) > 1:
        raise ValueError(
            f"survey= and fallback= have image_format {' and '.join(sorted(formats))}; fluxes and pictures cannot be "
            "in one column"
        )
    return surveys


def survey_names(surveys: Sequence[Route]) -> list[str]:
    """
    Name of each survey in a column: layer and route, and the server where these are not enough.

    Examples
    --------
    >>> from galzoo_repr.cutouts import HipsSurvey, LegacySurvey, survey_names
    >>> survey_names([LegacySurvey(layer="ls-dr10"), HipsSurvey(layer="CDS/P/SDSS9")])
    ['ls-dr10 by viewer', 'CDS/P/SDSS9 by hips']
    """
    names = [f"{one.layer} by {one.route}" for one in surveys]
    return [
        f"{name} at {one.server}" if names.count(name) > 1 else name
        for name, one in zip(names, surveys, strict=True)
    ]


def survey_facts(surveys: Sequence[Route]) -> dict[str, object]:
    """
    Where cutouts are from, for the provenance: single values, or lists in one order where surveys differ.

    Examples
    --------
    >>> from galzoo_repr.cutouts import HipsSurvey, LegacySurvey, survey_facts
    >>> facts = survey_facts([LegacySurvey(layer="ls-dr10"), LegacySurvey(layer="des-dr1")])
    >>> facts["layer"], facts["native_scale"]
    (['ls-dr10', 'des-dr1'], [0.262, 0.263])
    """
    told = [
        {
            "survey": one.server,
            "layer": one.layer,
            "route": one.route,
            "zero_point": None if one.flux_scale is None else one.flux_scale.zero_point,
            "native_scale": None if one.flux_scale is None else one.flux_scale.native_scale,
        }
        for one in surveys
    ]
    return {key: told[0][key] if len(told) == 1 else [one[key] for one in told] for key in told[0]}


def fetch_in_turn(
    store: CutoutStore,
    surveys: Sequence[Route],
    requests_of: Callable[[Route], Requests],
    *,
    workers: int | None = None,
    enough: Callable[[int], Enough] | None = None,
    figures: FetchFigures | None = None,
) -> Iterator[tuple[int, int, CutoutRequest, Outcome]]:
    """
    Look cutouts up and fetch them as `fetch_into` does, of the first survey that has them.

    Parameters
    ----------
    store : CutoutStore
        Where cutouts are kept.
    surveys : sequence of Route
        Services in the order in which they are asked.
    requests_of : callable
        Gives what to ask a survey for each row, None where nothing; called when the turn of a survey has come.
    workers : int, optional
        Requests at once at most.
    enough : callable, optional
        Gives, for the number of a survey, what `fetch_into` takes.
    figures : FetchFigures, optional
        As for `fetch_into`.

    Yields
    ------
    row : int
        Each row with a request to the first survey, once.
    turn : int
        Number of the survey that the outcome is of.
    request : CutoutRequest
        What it was asked.
    outcome : Outcome
        How it ended. Where no survey has the image, the trouble that may pass rather than what is final, so that
        the next call asks again.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import astropy.units as u
    >>> from galzoo_repr import CutoutStore, LegacySurvey, SimulatedSurvey
    >>> from galzoo_repr.cutouts import BrickSurvey, fetch_in_turn
    >>> def requests_of(survey):
    ...     return [survey.request(150.0, 2.0, 32, 0.262 * u.arcsec)]
    >>> with SimulatedSurvey().serve() as service, TemporaryDirectory() as folder:
    ...     surveys = [BrickSurvey(server=folder), LegacySurvey(server=service.url)]  # no bricks, and a service
    ...     with CutoutStore(f"{folder}/cutouts") as store:
    ...         for row, turn, _, outcome in fetch_in_turn(store, surveys, requests_of):
    ...             print(row, surveys[turn].route, outcome.status)
    0 viewer ok
    """
    names = survey_names(surveys)
    failed: dict[int, tuple[int, CutoutRequest, Outcome]] = {}
    reasons: dict[int, list[str]] = {}
    for turn, survey in enumerate(surveys):
        if turn and not failed:
            break
        requests = requests_of(survey)
        if turn:
            requests = [request if row in failed else None for row, request in enumerate(requests)]
        no_more = None if enough is None else enough(turn)
        found = fetch_into(store, survey, requests, workers=workers, enough=no_more, figures=figures)
        with closing(found) as stream:
            for row, outcome in stream:
                if outcome.status in USABLE or outcome.status not in FALLBACK_ON or len(surveys) == 1:
                    failed.pop(row, None)
                    yield row, turn, requests[row], outcome
                    continue
                reasons.setdefault(row, []).append(f"{names[turn]}: {outcome.status}, {outcome.reason}")
                if row not in failed or (
                    outcome.status in RETRYABLE and failed[row][2].status not in RETRYABLE
                ):
                    failed[row] = turn, requests[row], outcome
    for row, (turn, request, outcome) in failed.items():
        yield row, turn, request, replace(outcome, reason="; ".join(reasons[row]))
