"""FITS cutouts become calibrated bands: the plain ones at once, all others by way of astropy."""

import io
import math
import threading
import warnings
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from astropy.io import fits

from galzoo_repr._fits_header import read_fits_header
from galzoo_repr.images._flux import flux_factors
from galzoo_repr.images._image_data import ImageData, refused

__all__ = ["MISSING_FRACTION", "read_bands"]

# Galaxy Zoo DECaLS dropped cutouts in which a band had this fraction of its pixels at zero or NaN.
MISSING_FRACTION = 0.2

_FILTERS = threading.Lock()
_PLAIN_TYPES = {"-32": ">f4", "-64": ">f8"}
# Keywords that change what the stored numbers mean; astropy applies them.
_SCALING = ("BSCALE", "BZERO", "BLANK", "ZSCALE", "ZIMAGE", "GROUPS", "PCOUNT")


def read_bands(
    content: bytes, bands: str, flux: Sequence[float] | None = None, *, any_scale: bool = False
) -> ImageData:
    """
    Bands of a FITS file in the order asked for, zero where they have no data, or the status of the file.

    In nanomaggies per pixel of 0.262 arcsec, by `flux_factors`.
    """
    found = _plain_planes(content)
    if found is None:
        found = _planes_by_astropy(content)
    if isinstance(found, ImageData):
        return found
    planes, names, header = found
    try:
        factors = flux_factors(header, flux, any_scale=any_scale)
    except ValueError as error:
        return refused("corrupt", str(error))
    if len(factors) not in (1, len(planes)):
        return refused(
            "corrupt", f"the file has {len(planes)} planes, but flux scales are for {len(factors)}"
        )
    if not names and len(planes) == len(bands):
        names = bands
    missing = [band for band in bands if band not in names]
    if missing:
        held = f"bands {names}" if names else f"{len(planes)} unnamed planes"
        return refused("band_missing", f"the file holds {held}, without {', '.join(missing)}")
    order = [names.index(band) for band in bands]
    if max(order) >= len(planes):
        return refused("corrupt", f"the header names bands {names}, but the file has {len(planes)} planes")
    picked = planes if order == list(range(len(planes))) else planes[order]
    pixels = picked.astype(np.float32)
    if any(one != 1 for one in factors):
        factors = factors * len(planes) if len(factors) == 1 else factors
        pixels *= np.array([factors[plane] for plane in order], np.float32)[:, None, None]
    return _finite_bands(pixels, bands)


def _finite_bands(pixels: np.ndarray, bands: str) -> ImageData:
    """Zero in place of NaN, and the status that the missing fraction of each band earns."""
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        np.nan_to_num(pixels, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    # numpy counts truths five times as fast as floats.
    filled = np.array([np.count_nonzero(plane != 0) for plane in pixels]) / pixels[0].size
    worst = int(filled.argmin())
    if filled[worst] <= 1 - MISSING_FRACTION:
        return ImageData(
            pixels, "bands", "partial", f"{1 - filled[worst]:.1%} of band {bands[worst]} has no data"
        )
    return ImageData(pixels, "bands")


def _plain_planes(content: bytes) -> tuple[np.ndarray, str, Mapping] | ImageData | None:
    """View the planes of an unscaled floating point image without astropy; None if it is anything else."""
    header = read_fits_header(content)
    if header is None:
        return refused("truncated", "the FITS header has no end")
    cards, start = header
    kind = _PLAIN_TYPES.get(cards.get("BITPIX", ""))
    axes = cards.get("NAXIS", "")
    if kind is None or axes not in ("2", "3") or any(key in cards for key in _SCALING):
        return None
    try:
        shape = tuple(int(cards[f"NAXIS{axis}"]) for axis in range(int(axes), 0, -1))
    except (KeyError, ValueError):
        return refused("corrupt", "the FITS header does not give the size of the image")
    if min(shape) < 1:
        return refused("corrupt", f"the FITS header gives the size {shape}")
    count = math.prod(shape)
    needed = start + count * np.dtype(kind).itemsize
    if len(content) < needed:
        return refused("truncated", f"the file has {len(content)} of {needed} bytes")
    planes = np.frombuffer(content, dtype=kind, count=count, offset=start)
    return planes.reshape((-1, *shape[-2:])), cards.get("BANDS", "").strip(), cards


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out astropy's warnings of faulty files, whose status tells the same."""
    # Files are read in several threads, but the filters of warnings belong to the whole process.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _planes_by_astropy(content: bytes) -> tuple[np.ndarray, str, Mapping] | ImageData:
    """Read the first image of any other FITS file: compressed, scaled, integer, or in an extension."""
    try:
        with _quietly(), fits.open(io.BytesIO(content), memmap=False) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim in (2, 3):
                    planes = np.array(unit.data)
                    names = str(unit.header.get("BANDS", units[0].header.get("BANDS", ""))).strip()
                    return (
                        planes.reshape((-1, *planes.shape[-2:])),
                        names,
                        ChainMap(unit.header, units[0].header),
                    )
    except (OSError, EOFError, TypeError, ValueError, IndexError, KeyError, fits.VerifyError) as error:
        text = str(error)
        short = isinstance(error, EOFError) or "truncated" in text or "too small" in text
        return refused("truncated" if short else "corrupt", f"not a readable FITS file: {text}")
    return refused("corrupt", "the FITS file holds no image")
