"""Cutouts of a catalogue, from its columns, the store and the survey."""

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._config import log
from galzoo_repr._progress import progress_bar
from galzoo_repr.catalogue import files_in, texts_of
from galzoo_repr.cutouts import (
    FALLBACK_ON,
    PICTURE,
    RETRYABLE,
    USABLE,
    CutoutRequest,
    CutoutStore,
    CutoutStoreError,
    Enough,
    FetchFigures,
    LegacySurvey,
    Outcome,
    Route,
    check_surveys,
    cutout_requests,
    fetch_in_turn,
    opened,
    survey_names,
    usable_factors,
    warn_of_scale,
)
from galzoo_repr.encoders._origins import Origins
from galzoo_repr.encoders._store import Shelf
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import KEY_BYTES, ImageRecipe, Picture, flux_scales, small_jpeg

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
    keep : str or None
        What to leave of cutouts that are fetched, as for `galzoo_repr.cutouts.CutoutStore`.
    shelf : Shelf or None
        Embeddings computed before, for which no cutout is needed.

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
        keep: str | None,
        shelf: Shelf | None,
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
            self._paths = texts_of(files_in(catalogue["cutout"]))
            self._statuses = texts_of(catalogue["cutout_status"])
            scales = flux_scales(catalogue, "cutout")
            if "cutout_survey" in catalogue.colnames:
                self.survey_names = texts_of(catalogue["cutout_survey"])
        self._reasons: dict[int, str] = {}
        self._rows = [row for row in range(n) if not self._is_settled(row)]
        # None in the rows of which all is known.
        self._requests = self._requests_of(self.survey) if self._rows else [None] * n
        self._factors = self._usable_factors() if self._rows else []
        self.store, self._owned = opened(store, keep)
        self._shelf, self._told = shelf, False
        folder = re.escape(f"{self.store.root}{os.sep}")
        sep = re.escape(os.sep)
        self._body_name = re.compile(rf"{folder}(..){sep}(..){sep}(\1\2[0-9a-f]{{28}})\.(fits|jpg)")
        # Digests of the bodies that may go once they are embedded, and what small pictures are made of.
        self._passing: dict[int, tuple[str, str]] = {}
        self._may_go = not self.store.read_only and (
            self.store.keep != "fits" or self.store.max_size is not None
        )
        try:
            self._origins = self._find_origins(scales)
            self._mixed = mixed or len(self.surveys) > 1
            self._origins.refuse_mixture(mixed=self._mixed)
        except ValueError:
            self.close()
            raise

    def _usable_factors(self) -> list[tuple[float, ...] | None]:
        """Flux scale of each survey that is to be asked."""
        factors = [usable_factors(one, self._recipe) for one in self.surveys]
        for one in self.surveys:
            warn_of_scale(one)
        return factors

    def _is_settled(self, row: int) -> bool:
        """Whether the columns say all of a row: the file is there, or asking again is of no use."""
        status = self._statuses[row]
        if status in USABLE:
            path = self._paths[row]
            # Of a body of which only a picture was kept, the store may know the embedding.
            return not path.endswith(PICTURE) and os.path.isfile(path)
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
        if known:
            self.store.hold_files([self._paths[row] for row in known])
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
        """Let go what was in use, and close the store, if it was opened here."""
        # What went wrong before is the error to tell.
        with suppress(CutoutStoreError):
            self.store.release()
            self.store.shrink()
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
        yield from self._fetched(figures, progress=progress)

    def lost(
        self, paths: Sequence[str], statuses: Sequence[str], figures: FetchFigures
    ) -> Iterator[tuple[int, Picture]]:
        """Rows whose file went before it was read, to make room for others, with their pictures fetched again."""
        in_store = f"{self.store.root}{os.sep}"
        self._rows = [
            row
            for row, status in enumerate(statuses)
            if status == "missing" and (self._requests[row] is not None or paths[row].startswith(in_store))
        ]
        if self._rows:
            try:
                if not self.asked:
                    self._factors = self._usable_factors()
                    self._origins.refuse_mixture(mixed=self._mixed, also=self.survey)
                self._requests = self._requests_of(self.survey)
            except ValueError as error:
                warnings.warn(
                    f"{len(self._rows)} cutouts went before they were read, and cannot be fetched again: {error}",
                    GalzooWarning,
                    stacklevel=2,
                )
                return
            log.info("%d cutouts went before they were read, and are fetched again.", len(self._rows))
            self._told = True
            self._origins.add(self.survey)
            yield from self._fetched(figures, progress=False)

    def _fetched(self, figures: FetchFigures, *, progress: bool) -> Iterator[tuple[int, Picture]]:
        def requests_of(survey: Route) -> list[CutoutRequest | None]:
            return self._requests if survey is self.survey else self._requests_of(survey)

        wanted = len(self._requests) - self._requests.count(None)
        stream = fetch_in_turn(self.store, self.surveys, requests_of, enough=self._enough, figures=figures)
        with (
            progress_bar(wanted, "fetching", "cutout", shown=progress and wanted > 0) as bar,
            closing(stream),
        ):
            for row, turn, request, outcome in stream:
                usable = outcome.status in USABLE
                path = self.store.name(request, outcome) if usable else ""
                key = bytes.fromhex(outcome.digest)[:KEY_BYTES] if usable else b""
                self.survey_names[row] = self._names[turn] if usable else ""
                self.fluxes[row] = self._factors[turn] if usable else None
                if usable and turn:
                    self._origins.add(self.surveys[turn])
                bar.update()
                may_go = self._may_go and not (self.store.keep == "jpeg" and request.image_format == "jpeg")
                if usable and (may_go or not path):
                    self._passing[row] = outcome.digest, path
                yield row, Picture(path or None, outcome.status, outcome.reason, key, self.fluxes[row])

    def _enough(self, turn: int) -> Enough:
        """Which cutouts of a survey are not needed, because their embeddings are there."""

        def enough(gone: Sequence[tuple[CutoutRequest, Outcome]]) -> list[bool]:
            pictures = [
                Picture(None, key=bytes.fromhex(outcome.digest)[:KEY_BYTES], flux=self._factors[turn])
                for _, outcome in gone
            ]
            known = set() if self._shelf is None else self._shelf.has([one.key for one in pictures])
            answers = [
                outcome.status in USABLE and one.key in known
                for one, (_, outcome) in zip(pictures, gone, strict=True)
            ]
            if not all(answers) and not self._told:
                self._told = True
                warnings.warn(
                    "cutouts that were fetched before are not there any more, and have no embedding by this encoder: "
                    "they are fetched again. keep='fits' and a larger max_cache_size keep what is fetched from now on",
                    GalzooWarning,
                    stacklevel=2,
                )
            return answers

        return enough

    def embedded(self, rows: Sequence[int]) -> None:
        """Let the cutouts of rows go that have been embedded, as far as they are not to be kept."""
        passing = {row: self._passing[row] for row in rows if self._passing.get(row, ("", ""))[1]}
        if not passing:
            return
        if self.store.keep == "fits":
            self.store.release([digest for digest, _ in passing.values()])
            return
        jpeg = self.store.keep == "jpeg"
        self.store.drop(
            {
                digest: small_jpeg(path, self._recipe.bands, flux=self.fluxes[row]) if jpeg else b""
                for row, (digest, path) in passing.items()
            }
        )

    def files(self, paths: Sequence[str]) -> list[str]:
        """What is left of the files of all rows: themselves, or the pictures that were made of them."""
        return [self._file(row, path) if row in self._passing else path for row, path in enumerate(paths)]

    def _file(self, row: int, path: str) -> str:
        return path if path and os.path.isfile(path) else self.store.picture(self._passing[row][0])

    def _at_hand(self, row: int) -> Picture:
        path, status = self._paths[row], self._statuses[row]
        if status not in USABLE:
            return Picture(None, status, self._reasons.get(row, ""))
        return Picture(path, status, key=self._key_in_name(path), flux=self.fluxes[row])

    def _key_in_name(self, path: str) -> bytes:
        """Key of a body in the store of cutouts, which names its files by half of their SHA-256."""
        named = self._body_name.fullmatch(path)
        return bytes.fromhex(named[3]) if named else b""
