"""Cutouts of a catalogue, from its columns, the store and the survey."""

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astroquery.exceptions import LargeQueryWarning

from galzoo_repr.catalogue import texts_of
from galzoo_repr.cutouts import USABLE, CutoutStore, LegacySurvey, cutout_requests, fetch_into
from galzoo_repr.images import KEY_BYTES, ImageRecipe, Picture

__all__ = ["SurveyPictures"]

# Rows fetched at a time: enough to keep the service's connections busy, few enough to encode while the next
# come.
_FETCHED_AT_ONCE = 64
# Above this many missing cutouts, whole bricks are the better way; see `add_cutouts`.
_LARGE = 10_000
# Statuses that asking again may mend.
_UNSETTLED = frozenset({"", "rate_limited", "server_error", "timeout", "truncated", "corrupt", "cancelled"})


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
        survey: LegacySurvey | None,
        store: CutoutStore | str | os.PathLike | None,
        fov: u.Quantity | None,
        coords: str | tuple[str, str] | SkyCoord | None,
        again: bool,
        mixed: bool = False,
    ) -> None:
        self.survey = LegacySurvey() if survey is None else survey
        self.store = store if isinstance(store, CutoutStore) else CutoutStore(store)
        self._owned = self.store is not store
        self.known: dict[int, Picture] = {}
        if not again and {"cutout", "cutout_status"} <= set(catalogue.colnames):
            self.known = _from_columns(catalogue, self.store.root)
        rows = [row for row in range(len(catalogue)) if row not in self.known]
        self.requests: dict = {}
        if rows:
            some = catalogue if len(rows) == len(catalogue) else catalogue[rows]
            # Anything but one angle per row is for the recipe to check.
            per_row = np.shape(fov) == (len(catalogue),)
            angles = fov[rows] if per_row and isinstance(fov, u.Quantity) else fov
            asked, reasons = cutout_requests(some, self.survey, recipe=recipe, fov=angles, coords=coords)
            for row, request, reason in zip(rows, asked, reasons, strict=True):
                if request is None:
                    self.known[row] = Picture(None, "bad_position", reason)
                else:
                    self.requests[row] = request
        self.origins = self._origins()
        kinds = sorted({f"{layer} by {route}" for route, layer, _ in self.origins})
        if len(kinds) > 1 and not mixed:
            self.close()
            raise ValueError(
                f"the cutouts are of {', '.join(kinds)}, whose pixels differ, and so would the embeddings; fetch "
                "them all in one way with overwrite=True, or pass mixed_routes=True to take them together"
            )

    def _origins(self) -> list[tuple[str, str, str]]:
        found = set()
        # Only files of the store have an origin that is known.
        if paths := [picture.path for picture in self.known.values() if picture.path and picture.key]:
            told = self.store.describe(paths)
            found = set(zip(*(told[name].tolist() for name in ("route", "layer", "server")), strict=True))
            found.discard(("", "", ""))
        if self.requests or not found:
            found.add((self.survey.route, self.survey.layer, self.survey.server))
        return sorted(found)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned:
            self.store.close()

    def batches(self, size: int) -> Iterator[list[tuple[int, Picture]]]:
        """Rows with their pictures, those at hand first; going on fetches what is missing."""
        known = sorted(self.known.items())
        rows = list(self.requests)
        settled = self.store.lookup(list(self.requests.values()))
        missing = []
        for row, outcome in zip(rows, settled, strict=True):
            if outcome is not None and outcome.final:
                known.append((row, self._picture(row, outcome)))
            else:
                missing.append(row)
        yield from (known[start : start + size] for start in range(0, len(known), size))
        # Neighbours that the service can answer together come together.
        asked = self.survey.arrange([self.requests[row] for row in missing])
        place = {request.key: number for number, request in enumerate(asked)}
        missing.sort(key=lambda row: place[self.requests[row].key])
        if len(missing) > _LARGE and isinstance(self.survey, LegacySurvey):
            warnings.warn(
                f"{len(missing)} cutouts are to be fetched one by one from a service that all share; for "
                "so many, fetch whole bricks first: see add_cutouts.",
                LargeQueryWarning,
                stacklevel=4,
            )
        for start in range(0, len(missing), _FETCHED_AT_ONCE):
            some = missing[start : start + _FETCHED_AT_ONCE]
            outcomes = fetch_into(self.store, self.survey, [self.requests[row] for row in some])
            yield [(row, self._picture(row, outcome)) for row, outcome in zip(some, outcomes, strict=True)]

    def _picture(self, row: int, outcome: object) -> Picture:
        path = self.store.path(self.requests[row], outcome) if outcome.status in USABLE else None
        if path is None:
            return Picture(None, outcome.status, outcome.reason)
        key = bytes.fromhex(outcome.digest)[:KEY_BYTES]
        return Picture(str(path), outcome.status, outcome.reason, key)


def _from_columns(catalogue: Table, root: Path) -> dict[int, Picture]:
    """Rows that need not be fetched, by what `add_cutouts` wrote."""
    paths, statuses = texts_of(catalogue["cutout"]), texts_of(catalogue["cutout_status"])
    known = {}
    for row, (path, status) in enumerate(zip(paths, statuses, strict=True)):
        if status in USABLE and os.path.isfile(path):
            known[row] = Picture(path, status, key=_key_in_name(path, root))
        elif status not in USABLE and status not in _UNSETTLED:
            known[row] = Picture(None, status)
    return known


def _key_in_name(path: str, root: Path) -> bytes:
    """Key of a body in the store of cutouts, which names its files by half of their SHA-256."""
    stem, _ = os.path.splitext(os.path.basename(path))
    if re.fullmatch("[0-9a-f]{32}", stem) and os.path.dirname(path) == str(root / stem[:2] / stem[2:4]):
        return bytes.fromhex(stem)
    return b""
