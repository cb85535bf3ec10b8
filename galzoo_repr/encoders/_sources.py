"""Where the image of each row comes from: a survey, files, or arrays."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astroquery.exceptions import LargeQueryWarning

from galzoo_repr.catalogue import texts_of
from galzoo_repr.cutouts import USABLE, CutoutStore, LegacySurvey, cutout_requests, fetch_into
from galzoo_repr.images import ImageData, ImageRecipe, read_image

__all__ = ["KEY_BYTES", "Picture", "SurveyPictures", "pictures_of"]

KEY_BYTES = 16
# Rows fetched at a time: enough to keep the service's connections busy, few enough to encode while the next
# come.
_FETCHED_AT_ONCE = 64
# Above this many missing cutouts, whole bricks are the better way; see `add_cutouts`.
_LARGE = 10_000
# Statuses that asking again may mend.
_UNSETTLED = frozenset({"", "rate_limited", "server_error", "timeout", "truncated", "corrupt", "cancelled"})


@dataclass(slots=True)
class Picture:
    """
    The image of one row before it is read.

    Attributes
    ----------
    source : str, numpy.ndarray or None
        A file, pixels of shape (H, W, 3), or None where there is none.
    status, reason : str
        Value of ``cutout_status``, and why.
    key : bytes
        First 16 bytes of the SHA-256 of its content; empty where only reading tells.
    """

    source: str | np.ndarray | None
    status: str = "ok"
    reason: str = ""
    key: bytes = b""

    @property
    def path(self) -> str:
        """The file, or nothing."""
        return self.source if isinstance(self.source, str) else ""

    def read(self, bands: str) -> ImageData:
        """Pixels and key, or the status that tells why there are none."""
        if isinstance(self.source, np.ndarray):
            image = _checked_array(self.source)
            self.key = _key_of_array(image.pixels) if image.status == "ok" else b""
            return image
        try:
            content = Path(self.source).read_bytes()
        except OSError as error:
            return ImageData(None, "", "corrupt", f"the file cannot be read: {error}")
        self.key = self.key or hashlib.sha256(content).digest()[:KEY_BYTES]
        return read_image(content, bands)


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


def pictures_of(catalogue: Table, images: object) -> list[Picture]:
    """
    Pictures that the user gave.

    Parameters
    ----------
    catalogue : astropy.table.Table
        Catalogue of n rows.
    images : str, sequence of str, os.PathLike or array, or array
        Name of a column; n files; n arrays; or one array or tensor of shape ``(n, H, W, 3)`` or ``(n, 3, H,
        W)``.

    Returns
    -------
    list of Picture

    Raises
    ------
    TypeError, ValueError
        If `images` is none of these, or has another length.
    """
    what = "images"
    if isinstance(images, str):
        if images not in catalogue.colnames:
            raise ValueError(
                f"images={images!r} names no column; the columns are {', '.join(catalogue.colnames)}"
            )
        what = f"column {images!r}"
        images = catalogue[images]
        if images.dtype.kind in "OSU" and images.ndim == 1:
            images = texts_of(images)
    if isinstance(images, (bytes, dict)) or not hasattr(images, "__len__"):
        raise TypeError(
            f"images must name a column of files, or hold files or arrays, not {type(images).__name__}"
        )
    if len(images) != len(catalogue):
        raise ValueError(f"{what} holds {len(images)} images, but the catalogue has {len(catalogue)} rows")
    return [_picture(image, what, row) for row, image in enumerate(images)]


def _picture(image: object, what: str, row: int) -> Picture:
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        return Picture(path) if path else Picture(None, "corrupt", "no file is named")
    if hasattr(image, "convert"):
        image = image.convert("RGB")
    elif hasattr(image, "detach"):
        image = image.detach().cpu()
    pixels = np.asarray(image)
    where = f"{what}, row {row}"
    if pixels.ndim not in (2, 3):
        raise TypeError(f"{where}: an image is an array of 2 or 3 axes, not of shape {pixels.shape}")
    if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
        raise TypeError(
            f"{where}: pixels must be uint8 in 0 to 255 or floating in 0 to 1, not {pixels.dtype}"
        )
    return Picture(_colour_last(pixels, where))


def _colour_last(pixels: np.ndarray, where: str) -> np.ndarray:
    """View of shape (H, W, 3) of grey, RGB or RGBA pixels with colour first or last."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif pixels.shape[-1] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape[-1] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if pixels.shape[-1] in (3, 4):
        return pixels[..., :3]
    raise ValueError(f"{where}: shape {pixels.shape} has no axis of 3 colours; give (H, W, 3) or (3, H, W)")


def _checked_array(pixels: np.ndarray) -> ImageData:
    """Pixels of an image that the user gave as an array."""
    if pixels.dtype.kind != "f":
        return ImageData(np.ascontiguousarray(pixels), "rgb")
    if not np.isfinite(pixels).all():
        return ImageData(None, "", "corrupt", "the image has pixels that are not finite")
    if pixels.size and (pixels.min() < 0 or pixels.max() > 1):
        raise ValueError(
            f"images of floating point numbers are in 0 to 1, but one is in {pixels.min():g} to "
            f"{pixels.max():g}; divide by 255, or give fluxes as FITS files"
        )
    return ImageData(np.ascontiguousarray(pixels, dtype=np.float32), "rgb")


def _key_of_array(pixels: np.ndarray) -> bytes:
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(pixels)
    return digest.digest()[:KEY_BYTES]


def in_batches(pictures: Sequence[Picture], size: int) -> Iterator[list[tuple[int, Picture]]]:
    """Rows with their pictures, in order."""
    rows = list(enumerate(pictures))
    yield from (rows[start : start + size] for start in range(0, len(rows), size))
