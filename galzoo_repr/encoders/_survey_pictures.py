"""Cutouts of a catalogue, from its columns, the store and the survey."""

import os
import re
from collections.abc import Iterator
from contextlib import closing

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.catalogue import texts_of
from galzoo_repr.cutouts import (
    RETRYABLE,
    USABLE,
    CutoutRequest,
    CutoutStore,
    LegacySurvey,
    Route,
    cutout_requests,
    fetch_into,
)
from galzoo_repr.images import KEY_BYTES, ImageRecipe, Picture

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
    survey, store, fov, coords
        As for `galzoo_repr.add_cutouts`.
    again : bool
        Do not look at the columns ``cutout`` and ``cutout_status``.
    mixed : bool
        Take cutouts of several layers or routes together.

    Attributes
    ----------
    origins : list of tuple of str
        Route, layer and server of the cutouts, each once.

    Raises
    ------
    ValueError
        If the cutouts are of several layers or routes, and `mixed` is False.
    """

    def __init__(
        self,
        catalogue: Table,
        recipe: ImageRecipe,
        *,
        survey: Route | None,
        store: CutoutStore | str | os.PathLike | None,
        fov: u.Quantity | None,
        coords: str | tuple[str, str] | SkyCoord | None,
        again: bool,
        mixed: bool,
    ) -> None:
        self.survey = LegacySurvey() if survey is None else survey
        self._paths, self._statuses = [""] * len(catalogue), [""] * len(catalogue)
        if not again and {"cutout", "cutout_status"} <= set(catalogue.colnames):
            self._paths = texts_of(catalogue["cutout"])
            self._statuses = texts_of(catalogue["cutout_status"])
        self._reasons: dict[int, str] = {}
        # None in the rows of which all is known.
        self._requests: list[CutoutRequest | None] = [None] * len(catalogue)
        if rows := [row for row in range(len(catalogue)) if not self._is_settled(row)]:
            self._make_requests(catalogue, rows, recipe=recipe, fov=fov, coords=coords)
        self._owned = not isinstance(store, CutoutStore)
        self.store = CutoutStore(store) if self._owned else store
        self.origins = self._find_origins()
        kinds = sorted({f"{layer} by {route}" for route, layer, _ in self.origins})
        if len(kinds) > 1 and not mixed:
            self.close()
            raise ValueError(
                f"the cutouts are of {', '.join(kinds)}, whose pixels differ, and so would the embeddings; fetch "
                "them all in one way with overwrite=True, or pass mixed_routes=True to take them together"
            )

    def _is_settled(self, row: int) -> bool:
        """Whether the columns say all of a row: the file is there, or asking again is of no use."""
        status = self._statuses[row]
        return os.path.isfile(self._paths[row]) if status in USABLE else status not in _UNSETTLED

    def _make_requests(
        self,
        catalogue: Table,
        rows: list[int],
        *,
        recipe: ImageRecipe,
        fov: u.Quantity | None,
        coords: str | tuple[str, str] | SkyCoord | None,
    ) -> None:
        some = catalogue if len(rows) == len(catalogue) else catalogue[rows]
        # Anything but one angle per row is for the recipe to check.
        per_row = np.shape(fov) == (len(catalogue),)
        angles = fov[rows] if per_row and isinstance(fov, u.Quantity) else fov
        asked, reasons = cutout_requests(some, self.survey, recipe=recipe, fov=angles, coords=coords)
        for row, request, reason in zip(rows, asked, reasons, strict=True):
            self._requests[row] = request
            if request is None:
                self._statuses[row], self._reasons[row] = "bad_position", reason

    def _find_origins(self) -> list[tuple[str, str, str]]:
        found = set()
        at_hand = (self._paths[row] for row, request in enumerate(self._requests) if request is None)
        # Only files of the store have an origin that is known.
        if paths := [path for path in at_hand if self._key_in_name(path)]:
            told = self.store.describe(paths)
            found = set(zip(*(told[name].tolist() for name in ("route", "layer", "server")), strict=True))
            found.discard(("", "", ""))
        if not found or any(self._requests):
            found.add((self.survey.route, self.survey.layer, self.survey.server))
        return sorted(found)

    @property
    def facts(self) -> dict[str, str | list[str]]:
        """Where the cutouts come from, for the provenance: several of a kind as a list."""
        told = dict(zip(("route", "layer", "survey"), map(set, zip(*self.origins, strict=True)), strict=True))
        return {name: sorted(ones) if len(ones) > 1 else ones.pop() for name, ones in told.items()}

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned:
            self.store.close()

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """Rows with their pictures: those of the columns, those of the store, then what is fetched, as it comes."""
        for row, request in enumerate(self._requests):
            if request is None:
                yield row, self._at_hand(row)
        with closing(fetch_into(self.store, self.survey, self._requests)) as stream:
            for row, outcome in stream:
                path = self.store.name(self._requests[row], outcome) if outcome.status in USABLE else ""
                key = bytes.fromhex(outcome.digest)[:KEY_BYTES] if path else b""
                yield row, Picture(path or None, outcome.status, outcome.reason, key)

    def _at_hand(self, row: int) -> Picture:
        path, status = self._paths[row], self._statuses[row]
        if status not in USABLE:
            return Picture(None, status, self._reasons.get(row, ""))
        return Picture(path, status, key=self._key_in_name(path))

    def _key_in_name(self, path: str) -> bytes:
        """Key of a body in the store of cutouts, which names its files by half of their SHA-256."""
        stem, _ = os.path.splitext(os.path.basename(path))
        folder = os.path.join(self.store.root, stem[:2], stem[2:4])
        if re.fullmatch("[0-9a-f]{32}", stem) and os.path.dirname(path) == folder:
            return bytes.fromhex(stem)
        return b""
