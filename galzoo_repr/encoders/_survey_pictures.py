"""Cutouts of a catalogue, from its columns, the store and the survey."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._progress import progress_bar
from galzoo_repr.catalogue import texts_of
from galzoo_repr.cutouts import (
    FALLBACK_ON,
    RETRYABLE,
    USABLE,
    CutoutRequest,
    CutoutStore,
    FetchFigures,
    LegacySurvey,
    Route,
    check_surveys,
    cutout_requests,
    fetch_in_turn,
    survey_names,
    usable_factors,
    warn_of_scale,
)
from galzoo_repr.encoders._origins import Origins
from galzoo_repr.images import KEY_BYTES, ImageRecipe, Picture, flux_scales

__all__ = ["SurveyPictures"]

# Statuses that asking again may mend, and that of a row that was never asked for.
_UNSETTLED = RETRYABLE | {"cancelled", "missing", ""}


class SurveyPictures:
    """
    Cutouts of a catalogue, taken from its columns and the store, and fetched where they are missing.

    Parameters
    ----------
    catalogue : astropy.table.Table
        May have ``cutout`` and ``cutout_status``: then only what can be mended by asking again is fetched.
    recipe : galzoo_repr.images.ImageRecipe
        Of the encoder.
    survey, fallback, store, fov, coords
        As for `galzoo_repr.add_cutouts`.
    again : bool
        Do not look at the columns ``cutout`` and ``cutout_status``.
    mixed : bool
        Take cutouts of several layers or routes together.

    Attributes
    ----------
    survey_names : list of str
        What each cutout is of, in words, as far as it was fetched here or the column ``cutout_survey`` tells.
    fluxes : list of tuple of float, or None
        Flux scale of each cutout, as `galzoo_repr.images.Picture.flux`.

    Raises
    ------
    ValueError
        If the cutouts are of several layers or routes, and there is no fallback and `mixed` is False; or the flux
        scale of some is unknown.
    """

    def __init__(
        self,
        catalogue: Table,
        recipe: ImageRecipe,
        *,
        survey: Route | None,
        fallback: Sequence[Route] | None,
        store: CutoutStore | str | os.PathLike | None,
        fov: u.Quantity | None,
        coords: str | tuple[str, str] | SkyCoord | None,
        again: bool,
        mixed: bool,
    ) -> None:
        self.survey = LegacySurvey() if survey is None else survey
        self.surveys = check_surveys(self.survey, fallback)
        self._names = survey_names(self.surveys)
        self._catalogue, self._recipe, self._fov, self._coords = catalogue, recipe, fov, coords
        n = len(catalogue)
        self._paths, self._statuses, self.survey_names = [""] * n, [""] * n, [""] * n
        self.fluxes: list[tuple[float, ...] | None] = [None] * n
        scales = None
        if not again and {"cutout", "cutout_status"} <= set(catalogue.colnames):
            self._paths = texts_of(catalogue["cutout"])
            self._statuses = texts_of(catalogue["cutout_status"])
            scales = flux_scales(catalogue, "cutout")
            if "cutout_survey" in catalogue.colnames:
                self.survey_names = texts_of(catalogue["cutout_survey"])
        self._reasons: dict[int, str] = {}
        self._rows = [row for row in range(n) if not self._is_settled(row)]
        # None in the rows of which all is known.
        self._requests = self._requests_of(self.survey) if self._rows else [None] * n
        self._factors = [None] * len(self.surveys)
        if self._rows:
            self._factors = [usable_factors(one, recipe) for one in self.surveys]
            for one in self.surveys:
                warn_of_scale(one)
        self._owned = not isinstance(store, CutoutStore)
        self.store = CutoutStore(store) if self._owned else store
        try:
            self._origins = self._find_origins(scales)
            self._origins.refuse_mixture(mixed=mixed or len(self.surveys) > 1)
        except ValueError:
            self.close()
            raise

    def _is_settled(self, row: int) -> bool:
        """Whether the columns say all of a row: the file is there, or asking again is of no use."""
        status = self._statuses[row]
        if status in USABLE:
            return os.path.isfile(self._paths[row])
        return status not in _UNSETTLED and (len(self.surveys) == 1 or status not in FALLBACK_ON)

    def _requests_of(self, survey: Route) -> list[CutoutRequest | None]:
        """What to ask a survey for the rows that are not settled."""
        rows, n = self._rows, len(self._catalogue)
        some = self._catalogue if len(rows) == n else self._catalogue[rows]
        # Anything but one angle per row is for the recipe to check.
        per_row = np.shape(self._fov) == (n,)
        angles = self._fov[rows] if per_row and isinstance(self._fov, u.Quantity) else self._fov
        asked, reasons = cutout_requests(some, survey, recipe=self._recipe, fov=angles, coords=self._coords)
        requests: list[CutoutRequest | None] = [None] * n
        for row, request, reason in zip(rows, asked, reasons, strict=True):
            requests[row] = request
            if request is None and survey is self.survey:
                self._statuses[row], self._reasons[row] = "bad_position", reason
        return requests

    def _find_origins(self, scales: list[tuple[float, ...] | None] | None) -> Origins:
        """Where the cutouts at hand are from, and their flux scales, by the column or else by where they are from."""
        at_hand = [row for row, request in enumerate(self._requests) if request is None]
        # Only files of the store have an origin that is known.
        known = [row for row in at_hand if self._key_in_name(self._paths[row])]
        origins = Origins(self.store.describe([self._paths[row] for row in known]) if known else None)
        if scales is not None:
            for row in at_hand:
                self.fluxes[row] = scales[row]
        untold = [number for number, row in enumerate(known) if self.fluxes[row] is None]
        found = origins.factors(untold, self.surveys, self._recipe)
        for number, flux in zip(untold, found, strict=True):
            self.fluxes[known[number]] = flux
        if not origins.kinds or any(self._requests):
            origins.add(self.survey)
        return origins

    @property
    def asked(self) -> list[Route]:
        """Services that were asked."""
        return self.surveys if any(self._requests) else []

    @property
    def facts(self) -> dict[str, object]:
        """Where the cutouts come from, for the provenance: several of a kind as a list."""
        return self._origins.facts

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned:
            self.store.close()

    def pictures(self, figures: FetchFigures, *, progress: bool) -> Iterator[tuple[int, Picture]]:
        """
        Rows with their pictures: those of the columns, those of the store, then what is fetched, as it comes.

        Fetching has a bar of its own, if `progress` is to be shown, and is added to the figures.
        """
        for row, request in enumerate(self._requests):
            if request is None:
                yield row, self._at_hand(row)

        def requests_of(survey: Route) -> list[CutoutRequest | None]:
            return self._requests if survey is self.survey else self._requests_of(survey)

        wanted = len(self._requests) - self._requests.count(None)
        with (
            progress_bar(wanted, "fetching", "cutout", shown=progress and wanted > 0) as bar,
            closing(fetch_in_turn(self.store, self.surveys, requests_of, figures=figures)) as stream,
        ):
            for row, turn, request, outcome in stream:
                path = self.store.name(request, outcome) if outcome.status in USABLE else ""
                key = bytes.fromhex(outcome.digest)[:KEY_BYTES] if path else b""
                self.survey_names[row] = self._names[turn] if path else ""
                self.fluxes[row] = self._factors[turn] if path else None
                if path and turn:
                    self._origins.add(self.surveys[turn])
                bar.update()
                yield row, Picture(path or None, outcome.status, outcome.reason, key, self.fluxes[row])

    def _at_hand(self, row: int) -> Picture:
        path, status = self._paths[row], self._statuses[row]
        if status not in USABLE:
            return Picture(None, status, self._reasons.get(row, ""))
        return Picture(path, status, key=self._key_in_name(path), flux=self.fluxes[row])

    def _key_in_name(self, path: str) -> bytes:
        """Key of a body in the store of cutouts, which names its files by half of their SHA-256."""
        stem, _ = os.path.splitext(os.path.basename(path))
        folder = os.path.join(self.store.root, stem[:2], stem[2:4])
        if re.fullmatch("[0-9a-f]{32}", stem) and os.path.dirname(path) == folder:
            return bytes.fromhex(stem)
        return b""
