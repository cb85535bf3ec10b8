"""Rows of a catalogue become pictures for the page: small JPEGs, and planes of fluxes."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from astropy.table import Table

from galzoo_repr.images import Picture, pictures_of, read_pictures

if TYPE_CHECKING:
    from galzoo_repr.images import Pictures

__all__ = ["RowPictures", "jpeg_of"]

SIDE = 424  # pixels of a JPEG, as many as a cutout of Galaxy Zoo has
QUALITY = 90
IN_MEMORY = 600  # JPEGs of this size, some 20 MB
PLANES_IN_MEMORY = 16
LARGEST_PLANE = 1024  # pixels on a side that are sent to a browser
T = TypeVar("T")


class RowPictures:
    """
    Pictures of the galaxies of a catalogue, read when they are asked for; the last ones are kept.

    Only what the catalogue names is ever read. All methods may be called in several threads.

    Parameters
    ----------
    table : Table
    images : str, sequence or None
        As `galzoo_repr.images.pictures_of` takes them: a column of files, or one picture for each row; by default
        the column ``cutout`` or ``file_loc`` where there is one.
    """

    def __init__(self, table: Table, images: Pictures | None = None):
        if images is None:
            images = next((name for name in ("cutout", "file_loc") if name in table.colnames), None)
        self.images = images
        if isinstance(images, str):
            beside = f"{images}_flux_scale"
            pictures_of(table[:0], images)  # refuses a name of no column
            kept = {name: table[name] for name in (images, beside) if name in table.colnames}
            self._table = Table(kept, copy=False)
        elif images is not None and len(images) != len(table):
            raise ValueError(f"images holds {len(images)} pictures, but the catalogue has {len(table)} rows")
        self._jpegs: _Latest[bytes | None] = _Latest(IN_MEMORY)
        self._planes: _Latest[Planes | None] = _Latest(PLANES_IN_MEMORY)

    def picture(self, row: int) -> Picture:
        """Picture of one row, before it is read."""
        nothing = Picture(None, "missing", "the catalogue names no pictures")
        if self.images is None:
            return nothing
        try:
            if isinstance(self.images, str):
                return pictures_of(self._table[[row]], self.images)[0]
            one: Sequence = [self.images[row]]
            return pictures_of(Table({"row": [row]}), one)[0]
        except (TypeError, ValueError) as error:
            return Picture(None, "corrupt", str(error))

    def jpeg(self, row: int, side: int = SIDE) -> bytes | None:
        """
        JPEG of one galaxy in the stretch of Galaxy Zoo, None where there is no picture or it cannot be read.

        Parameters
        ----------
        row : int
            Of the catalogue, counted from 0.
        side : int
            Pixels on a side.
        """
        return self._jpegs.get((row, side), lambda: jpeg_of(self.picture(row), side))

    def planes(self, row: int) -> Planes | None:
        """Fluxes of one galaxy, None where its picture is no FITS file of g, r and z."""
        return self._planes.get(row, lambda: _planes(self.picture(row)))


class Planes:
    """Fluxes in g, r and z, float32 of shape (3, H, W), first row north, and the side of a pixel in arcsec, or NaN."""

    def __init__(self, values: np.ndarray, pixel_scale: float):
        self.values, self.pixel_scale = values, pixel_scale


class _Latest(Generic[T]):
    """Values by key, the ones used last."""

    def __init__(self, most: int):
        self._most, self._values, self._lock = most, OrderedDict(), threading.Lock()

    def get(self, key: object, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


def jpeg_of(picture: Picture, side: int) -> bytes | None:
    """JPEG of a picture with so many pixels on a side, None if it cannot be read."""
    from PIL import Image

    (pixels,) = read_pictures([picture], size=side)
    if pixels is None:
        return None
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def _planes(picture: Picture) -> Planes | None:
    found = picture.read("grz", keyed=False)
    if found.kind != "bands" or max(found.pixels.shape) > LARGEST_PLANE:
        return None
    # Rows run from north to south on a screen.
    values = np.ascontiguousarray(found.pixels[:, ::-1], dtype="<f4")
    return Planes(values, _pixel_scale(picture))


def _pixel_scale(picture: Picture) -> float:
    """Side of a pixel in arcsec by the header of a FITS file, NaN where it does not tell."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    try:
        content = picture.source if isinstance(picture.source, bytes) else None
        with fits.open(io.BytesIO(content) if content else picture.path) as file:
            header = next(hdu.header for hdu in file if hdu.header.get("NAXIS", 0) >= 2)
            wcs = WCS(header, naxis=2)
        if not wcs.has_celestial:
            return float("nan")
        return float(np.mean(proj_plane_pixel_scales(wcs)) * 3600)
    # A header may be wrong in any way; the picture is shown without a scale bar then.
    except Exception:
        return float("nan")
