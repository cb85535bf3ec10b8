"""A catalogue goes in, the same catalogue with its cutouts comes out."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_choice
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr._config import log
from galzoo_repr._progress import closing_line, progress_bar, say_what_is_kept
from galzoo_repr.catalogue import as_table, coords_fact, refuse_existing, sky_positions, with_columns
from galzoo_repr.cutouts._calibration import flux_scale_column, usable_factors, warn_of_scale
from galzoo_repr.cutouts._failures import warn_of_failures
from galzoo_repr.cutouts._fallback import check_surveys, fetch_in_turn, survey_facts, survey_names
from galzoo_repr.cutouts._figures import FetchFigures
from galzoo_repr.cutouts._legacy_survey import LegacySurvey
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._status import STATUSES, USABLE
from galzoo_repr.cutouts._store import CutoutStore, opened
from galzoo_repr.images import ImageRecipe, small_jpeg

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["add_cutouts", "cutout_requests"]

_REASONS_KEPT = 100


def add_cutouts(
    table: Table | SkyCoord,
    *,
    survey: Route | None = None,
    fallback: Sequence[Route] | None = None,
    recipe: ImageRecipe | None = None,
    fov: AngleLike | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    store: CutoutStore | str | None = None,
    keep: str = "fits",
    name: str = "cutout",
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
) -> Table:
    """
    Fetch an image of every galaxy of a catalogue.

    What has been fetched before is taken from the store; a call that was interrupted or killed goes on
    where it was.

    Parameters
    ----------
    table : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        Catalogue; never changed. Or a HATS catalogue: its folder, or what LSDB made of it.
    survey : LegacySurvey, HipsSurvey or BrickSurvey, optional
        Service to ask; the Legacy Survey viewer when not given.
    fallback : sequence of LegacySurvey, HipsSurvey or BrickSurvey, optional
        Services to ask in turn for the images that the one before does not have, or cannot give.
    recipe : ImageRecipe, optional
        Which bands, field of view and pixel scale; Galaxy Zoo DECaLS' when not given.
    fov : `~astropy.units.Quantity` or str, optional
        Field of view, one angle or one per row, instead of the rule of the recipe.
    coords : str, tuple of str or `~astropy.coordinates.SkyCoord`, optional
        Where the positions are, when the columns have unusual names.
    store : CutoutStore or str, optional
        Store, or its folder; the package's cache when not given.
    keep : {"fits", "jpeg"}, optional
        ``"jpeg"`` leaves only a small colour picture of each FITS cutout that is fetched, to look at; to be encoded it
        is fetched again. To fetch and encode at once, with nothing left, there is `galzoo_repr.add_embeddings`.
    name : str, optional
        Name of the column of paths; the status is in ``<name>_status``.
    overwrite : bool, optional
        Replace columns of these names.
    workers : int, optional
        Requests at once at most, instead of the survey's own number.
    progress : bool, optional
        Show a progress bar, and log at its end (``galzoo_repr``, INFO) how fast it went and what set the pace.
    out : str or os.PathLike, optional
        For a HATS catalogue: folder of the new one, see `galzoo_repr.hats.add_embeddings`.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.
    part, max_rate : optional
        For a HATS catalogue: as for `galzoo_repr.hats.add_embeddings`.

    Returns
    -------
    `~astropy.table.Table`
        Of the same class, with the columns ``cutout`` (str, path of the file as the service sent it, empty
        where there is none) and ``cutout_status`` (str, one of `STATUSES`). With ``fallback``, also
        ``cutout_survey`` (str, layer and route that the cutout is of, empty where there is none). Where counts of a
        survey are not nanomaggies per pixel of 0.262 arcsec, also ``cutout_flux_scale`` (float, how many of them one
        count is), which is applied when the cutouts become input of an encoder.

    Raises
    ------
    TypeError
        If the catalogue is no table, an angle has no unit, or another argument is of the wrong kind.
    ValueError
        If there are no positions, no field of view can be found (give ``fov=30 * u.arcsec``, say), ``fov`` is
        wider than the service makes, or the survey lacks a band of the recipe or has an unknown flux scale.
    CutoutStoreError
        If cutouts are missing and the store is read-only or full. What was fetched before is kept.

    Warns
    -----
    GalzooWarning
        If rows have no cutout: how many with which status, and why most of them.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import Table
    >>> from galzoo_repr import add_cutouts
    >>> from galzoo_repr.cutouts import LegacySurvey
    >>> from galzoo_repr.simulation import SimulatedSurvey
    >>> sky = SimulatedSurvey()
    >>> with sky.serve() as service:
    ...     galaxies = add_cutouts(sky.catalogue(2), survey=LegacySurvey(server=service.url), progress=False)
    >>> print(galaxies["cutout_status"][1])
    ok
    """
    if is_hats(table):
        return by_partition("add_cutouts", locals())
    refuse_for_table(locals())
    _check_keep(keep)
    catalogue = as_table(table, copy=False)
    survey = LegacySurvey() if survey is None else survey
    surveys = check_surveys(survey, fallback)
    with_survey, extra = len(surveys) > 1, (f"{name}_survey", f"{name}_flux_scale")
    columns = [name, f"{name}_status", *extra[: int(with_survey)]]
    refuse_existing(catalogue, columns, overwrite=overwrite)
    with_survey |= extra[0] in catalogue.colnames and name in catalogue.colnames
    recipe = _recipe_or_default(recipe)
    fov = None if fov is None else read_angle(fov, "fov")
    factors = [_checked_factors(one, recipe, fov) for one in surveys]
    requests, reasons = cutout_requests(catalogue, survey, recipe=recipe, fov=fov, coords=coords)
    found = _Found(len(requests), reasons)

    def requests_of(one: Route) -> list[CutoutRequest | None]:
        if one is survey:
            return requests
        return cutout_requests(catalogue, one, recipe=recipe, fov=fov, coords=coords)[0]

    # Files that were asked for are no passing ones, whatever is left of those that are only encoded.
    store, own_store = opened(store, keep)
    enough = (lambda turn: partial(_have_pictures, store)) if keep == "jpeg" else None
    figures, began = FetchFigures(), time.monotonic()
    stream = fetch_in_turn(store, surveys, requests_of, workers=workers, enough=enough, figures=figures)
    try:
        with (
            say_what_is_kept(lambda: f"{figures.fetched:,} cutouts fetched now are kept in {store.root}"),
            progress_bar(len(requests) - requests.count(None), "fetching", "cutout", shown=progress) as bar,
            closing(stream),
        ):
            for row, turn, request, outcome in stream:
                path = store.name(request, outcome)
                if keep == "jpeg" and outcome.status in USABLE:
                    path = _picture_instead(store, request, outcome, path, factors[turn])
                found.paths[row], found.statuses[row] = path, outcome.status
                found.turns[row] = turn
                if outcome.reason:
                    found.reasons[row] = outcome.reason
                bar.update()
    finally:
        # What went wrong before is the error to tell.
        with suppress(CutoutStoreError):
            store.release()
        if own_store:
            store.close()
    facts = {
        **_facts(surveys, store, found, reasons),
        **_arguments(recipe, fov, coords),
        "name": name,
        "image_format": survey.image_format,
    }
    failed = [row for row, status in enumerate(found.statuses) if status not in USABLE]
    facts["figures"] = figures.facts(time.monotonic() - began, len(failed))
    if progress:
        log.info("%s.", closing_line(len(catalogue), facts["figures"]))
    warn_of_failures("cutout", found.statuses, found.reasons, failed, surveys)
    scales = flux_scale_column(
        [factors[turn] if path else (1.0,) for turn, path in zip(found.turns, found.paths, strict=True)],
        always=overwrite and extra[1] in catalogue.colnames,
    )
    return with_columns(
        catalogue,
        found.columns(name, survey_names(surveys) if with_survey else None)
        | ({} if scales is None else {extra[1]: scales}),
        overwrite=overwrite,
        provenance=facts,
        call="add_cutouts",
    )


def _check_keep(keep: str) -> None:
    if keep == "none":
        raise ValueError(
            "keep='none' would leave nothing of the cutouts; give 'fits' or 'jpeg', or call add_embeddings, which "
            "fetches and encodes at once"
        )
    check_choice("keep", keep, ("fits", "jpeg"))


def _have_pictures(store: CutoutStore, gone: Sequence[tuple[CutoutRequest, Outcome]]) -> list[bool]:
    """Which cutouts are not needed any more, because a picture of them is there."""
    return [bool(store.picture(outcome.digest)) for _, outcome in gone]


def _picture_instead(
    store: CutoutStore,
    request: CutoutRequest,
    outcome: Outcome,
    path: str,
    factors: tuple[float, ...] | None,
) -> str:
    """Picture of a cutout that is left in its place; the cutout itself where it was there before."""
    if path and request.image_format == "fits":
        store.drop({outcome.digest: small_jpeg(path, request.bands, flux=factors)})
    return store.picture(outcome.digest) or path


class _Found:
    """Path and status of the cutout of each row, why it is so, and which survey it is of."""

    def __init__(self, n: int, reasons: list[str]):
        self.reasons = {row: reason for row, reason in enumerate(reasons) if reason}
        self.paths, self.statuses, self.turns = [""] * n, ["bad_position"] * n, [0] * n

    def columns(self, name: str, surveys: list[str] | None) -> dict[str, Column]:
        columns = {
            name: Column(
                np.array(self.paths, dtype=str),
                description="File of the cutout, as the service sent it; empty if none",
            ),
            f"{name}_status": Column(
                np.array(self.statuses, dtype=str), description="How fetching the cutout ended"
            ),
        }
        if surveys is not None:
            which = [surveys[turn] if path else "" for turn, path in zip(self.turns, self.paths, strict=True)]
            columns[f"{name}_survey"] = Column(
                np.array(which, dtype=str), description="Layer and route of the cutout; empty if none"
            )
        return columns


def _checked_factors(survey: Route, recipe: ImageRecipe, fov: u.Quantity | None) -> tuple[float, ...] | None:
    """Flux scale of a survey, checked before anything is asked, as is the field of view."""
    _refuse_wide(survey, fov)
    warn_of_scale(survey)
    return usable_factors(survey, recipe)


def _refuse_wide(survey: Route, fov: u.Quantity | None) -> None:
    """Refuse one field for all rows that the service does not make."""
    if not isinstance(fov, u.Quantity) or not fov.isscalar or not fov.unit.is_equivalent(u.deg):
        return
    if fov.to_value(u.deg) > survey.max_field:
        raise ValueError(f"fov={fov} is not allowed: {_limit(survey)}; give a smaller one")


def _limit(survey: Route) -> str:
    return f"{type(survey).__name__} makes images of up to {survey.max_field:g} deg on a side"


def cutout_requests(
    catalogue: Table,
    survey: Route,
    *,
    recipe: ImageRecipe | None = None,
    fov: AngleLike | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
) -> tuple[list[CutoutRequest | None], list[str]]:
    """
    Work out what to ask a service for the rows of a catalogue.

    Parameters
    ----------
    catalogue : `~astropy.table.Table`
        Catalogue of n rows.
    survey : LegacySurvey, HipsSurvey or BrickSurvey
        Service to be asked.
    recipe, fov, coords
        As for `add_cutouts`.

    Returns
    -------
    requests : list of CutoutRequest or None
        One per row, None for rows that cannot be asked for.
    reasons : list of str
        Why not; empty for the others.

    Raises
    ------
    TypeError
        If ``survey`` is no service, or ``recipe`` no recipe.
    ValueError
        If there are no positions, no field of view can be found, or ``fov`` is wider than the service
        makes; or if the survey lacks a band of the recipe or has an unknown flux scale. Single rows that are too
        wide get a reason.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import Table
    >>> from galzoo_repr.cutouts import LegacySurvey, cutout_requests
    >>> galaxies = Table({"ra": [150.1, float("nan")], "dec": [2.2, 0.0]})
    >>> requests, reasons = cutout_requests(galaxies, LegacySurvey(), fov=30 * u.arcsec)
    >>> requests[0].size, requests[1]
    (115, None)
    """
    if isinstance(survey, type) or not hasattr(survey, "attempt"):
        raise TypeError(
            f"survey={survey!r} is no service; give a LegacySurvey, HipsSurvey or BrickSurvey object"
        )
    recipe = _recipe_or_default(recipe)
    usable_factors(survey, recipe)
    fov = None if fov is None else read_angle(fov, "fov")
    positions = sky_positions(catalogue, coords=coords)
    sizes, scales = recipe.request(recipe.fields_of_view(catalogue, fov=fov))
    sizes, scales = np.asarray(sizes), np.asarray(scales.to_value(u.arcsec))
    too_wide = sizes * scales > survey.max_field * 3600
    limit = _limit(survey)
    if too_wide.any() and fov is not None and fov.isscalar:
        raise ValueError(f"fov={fov} is not allowed: {limit}; give a smaller one")
    requests: list[CutoutRequest | None] = []
    reasons = []
    server, layer, image_format = survey.server, survey.layer, survey.image_format
    rows = zip(positions.ra.tolist(), positions.dec.tolist(), positions.valid.tolist(), sizes.tolist(),
               scales.tolist(), too_wide.tolist(), positions.reason, strict=True)  # fmt: skip
    for ra, dec, valid, size, scale, wide, reason in rows:
        usable = valid and size > 0 and not wide
        requests.append(
            CutoutRequest(ra, dec, size, scale, recipe.bands, layer, image_format, server, survey.route)
            if usable
            else None
        )
        reasons.append("" if usable else str(reason) or (limit if wide else "no field of view"))
    return requests, reasons


def _recipe_or_default(recipe: ImageRecipe | None) -> ImageRecipe:
    if recipe is None:
        return ImageRecipe()
    if not isinstance(recipe, ImageRecipe):
        raise TypeError(f"recipe={recipe!r} is no image recipe; give an ImageRecipe, such as ImageRecipe()")
    return recipe


def _arguments(
    recipe: ImageRecipe, fov: u.Quantity | None, coords: str | tuple[str, str] | SkyCoord | None
) -> dict:
    """What the caller chose, as far as it is short: one field of view, but not one for each row."""
    facts = {"recipe": recipe.to_dict()}
    if fov is not None:
        facts |= {"fov": fov} if fov.isscalar else {"fov_per_row": True}
    return facts | coords_fact(coords)


def _facts(surveys: list[Route], store: CutoutStore, found: _Found, reasons: list[str]) -> dict:
    summary = dict(sorted(Counter(found.statuses).items()))
    log.info(
        "Cutouts of %d rows: %s.",
        len(found.statuses),
        ", ".join(f"{k} {v}" for k, v in summary.items()) or "none",
    )
    for status in summary:
        if status != "ok":
            log.info("%s (%d): %s.", status, summary[status], STATUSES[status])
    turns = Counter(turn for turn, path in zip(found.turns, found.paths, strict=True) if path)
    used = [one for turn, one in enumerate(surveys) if turn in turns] or surveys[:1]
    bad = ((str(row), reason) for row, reason in enumerate(reasons) if reason)
    facts = survey_facts(used) | {
        "store": str(store.root),
        "summary": summary,
        "bad_positions": dict(islice(bad, _REASONS_KEPT)),
    }
    if len(surveys) > 1:
        names = survey_names(surveys)
        facts["surveys"] = {names[turn]: turns[turn] for turn in range(len(surveys))}
    return facts
