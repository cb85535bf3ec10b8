"""FITS cutouts become calibrated bands: the plain ones at once, all others by way of astropy."""

import io
import math
import re
import threading
import warnings
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from galzoo_repr._fits_header import read_fits_header
from galzoo_repr.images._bounds import LARGEST_FLUX
from galzoo_repr.images._fits_structure import sound_part
from galzoo_repr.images._flux import flux_factors
from galzoo_repr.images._image_data import ImageData, refused

__all__ = ["MISSING_FRACTION", "read_bands", "sky_wcs"]

# Galaxy Zoo DECaLS dropped cutouts in which a band had this fraction of its pixels at zero or NaN.
MISSING_FRACTION = 0.2

_MOST_BANDS = 16
_FILTERS = threading.Lock()
_WHOLE_NUMBERS = (
    "the FITS image holds whole numbers ({}) without a unit, which are neither fluxes nor colours of a known scale; "
    "give fluxes in nanomaggies (BUNIT = 'nanomaggy'), or colours as PNG or an array of uint8"
)
_PLAIN_TYPES = {"-32": ">f4", "-64": ">f8"}
# Keywords that change what the stored numbers mean; astropy applies them.
_SCALING = ("BSCALE", "BZERO", "BLANK", "ZSCALE", "ZIMAGE", "GROUPS", "PCOUNT")
# Keywords that say what an image is, and what it then is that is no image of the sky: the viewer's IMAGETYP, the
# names of extensions that surveys give (by their beginnings), and HDUCLAS2 of the HEASARC's convention.
_WHAT = ("IMAGETYP", "EXTNAME", "HDUCLAS2")
_NO_SKY = re.compile(
    "INV(ERSE)?_?VAR|IVAR|VAR|ERR|UNCERT|SIGMA|RMS|NOISE|WEIGHT|WGHT|WGT|WHT|WT|MASK|.*MASK$|DQ|QUAL|FLAG|BAD_?PIX"
    "|N?EXP|DEPTH|COVERAGE|SEG|PSF"
)


def read_bands(
    content: bytes,
    bands: str | Sequence[str],
    flux: Sequence[float] | None = None,
    *,
    any_scale: bool = False,
    gaps: bool = False,
) -> ImageData:
    """
    Bands of a FITS file in the order asked for, or the status of the file.

    In nanomaggies per pixel of 0.262 arcsec, by `flux_factors`. Where there are no data they are zero, or with `gaps`
    NaN.
    """
    found = _plain_planes(content)
    if found is None:
        found = _planes_by_astropy(content)
    if isinstance(found, ImageData):
        return found
    planes, names, header = found
    if len(names) != len(planes):
        # 'grz' is the names of three planes, but that of one.
        names = tuple("".join(names).replace("_", ""))
    try:
        factors = flux_factors(header, flux, any_scale=any_scale)
    except ValueError as error:
        return refused("corrupt", str(error))
    if len(factors) not in (1, len(planes)):
        return refused(
            "corrupt", f"the file has {len(planes)} planes, but flux scales are for {len(factors)}"
        )
    if not names and len(planes) == len(bands) == 1:
        names = tuple(bands)
    missing = [band for band in bands if band not in names]
    if missing:
        held = (
            f"bands {_listed(names)}"
            if names
            else f"{len(planes)} planes whose header does not name their bands"
        )
        hint = "" if names else f"; add the keyword BANDS, such as BANDS = {_listed(bands)!r}"
        return refused("band_missing", f"the file holds {held}, without {', '.join(missing)}{hint}")
    order = [names.index(band) for band in bands]
    if max(order) >= len(planes):
        return refused(
            "corrupt", f"the header names bands {_listed(names)}, but the file has {len(planes)} planes"
        )
    picked = planes if order == list(range(len(planes))) else planes[order]
    # What is too large becomes infinite, and is looked for afterwards.
    with np.errstate(all="ignore"):
        pixels = picked.astype(np.float32)
        if any(one != 1 for one in factors):
            factors = factors * len(planes) if len(factors) == 1 else factors
            pixels *= np.array([factors[plane] for plane in order], np.float32)[:, None, None]
        return _finite_bands(pixels, bands, gaps=gaps)


def _names_of_bands(cards: Mapping[str, str]) -> tuple[str, ...]:
    """Words of ``BANDS = 'g, r, z'`` or ``'VIS, NIR_Y'``, or BAND0, BAND1 and so on; ``'grz'`` is one word."""
    names = re.findall("[A-Za-z0-9_]+", str(cards.get("BANDS", "")))
    each = (str(cards.get(f"BAND{plane}", "")).strip() for plane in range(_MOST_BANDS))
    return tuple(names or filter(None, each))


def _listed(names: Sequence[str]) -> str:
    return ("" if all(len(name) == 1 for name in names) else ", ").join(names)


def _what_instead_of_sky(cards: Mapping[str, str]) -> str:
    """What the header calls the image, where it is weights, a variance, a mask and the like."""
    called = (str(cards.get(key, "")).strip() for key in _WHAT)
    return next((name for name in called if _NO_SKY.match(name.upper())), "")


def _as_planes(pixels: np.ndarray) -> np.ndarray | ImageData:
    """View an image as ``(planes, H, W)``; more axes may be there as long as they are of length one."""
    if sum(length > 1 for length in pixels.shape[:-2]) > 1:
        return refused("corrupt", f"the FITS image has {pixels.ndim} axes, {pixels.shape}, not (bands, H, W)")
    return pixels.reshape((-1, *pixels.shape[-2:]))


def _finite_bands(pixels: np.ndarray, bands: Sequence[str], *, gaps: bool) -> ImageData:
    """Zero in place of NaN, and the status that the missing fraction of each band earns."""
    low, high, missing = pixels.min(), pixels.max(), None
    if not (np.isfinite(low) and np.isfinite(high)):
        missing = ~np.isfinite(pixels) if gaps else None
        np.nan_to_num(pixels, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = pixels.min(), pixels.max()
    if (most := max(high, -low)) > LARGEST_FLUX:
        return refused("corrupt", f"pixels of up to {most:.1e} are no fluxes in nanomaggies")
    # numpy counts truths five times as fast as floats.
    filled = np.array([np.count_nonzero(plane != 0) for plane in pixels]) / pixels[0].size
    worst = int(filled.argmin())
    if filled[worst] <= 1 - MISSING_FRACTION:
        return ImageData(
            pixels, "bands", "partial", f"{1 - filled[worst]:.1%} of band {bands[worst]} has no data"
        )
    for band, plane in zip(bands, pixels, strict=True):
        if plane.flat[0] == plane.flat[-1] and plane.min() == plane.max():
            return ImageData(pixels, "bands", "partial", f"band {band} holds one value everywhere")
    if missing is not None:
        pixels[missing] = np.nan
    return ImageData(pixels, "bands")


def _plain_planes(content: bytes) -> tuple[np.ndarray, tuple[str, ...], Mapping] | ImageData | None:
    """View the planes of an unscaled floating point image without astropy; None if it is anything else."""
    header = read_fits_header(content)
    if header is None:
        return refused("truncated", "the FITS header has no end")
    cards, start = header
    kind = _PLAIN_TYPES.get(cards.get("BITPIX", ""))
    axes = cards.get("NAXIS", "")
    if kind is None or axes not in ("2", "3") or any(key in cards for key in _SCALING):
        return None
    if _what_instead_of_sky(cards):
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
    return planes.reshape((-1, *shape[-2:])), _names_of_bands(cards), cards


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out astropy's warnings of faulty files, whose status tells the same."""
    # Files are read in several threads, but the filters of warnings belong to the whole process.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _planes_by_astropy(content: bytes) -> tuple[np.ndarray, tuple[str, ...], Mapping] | ImageData:
    """Read the first image of the sky of any other FITS file: compressed, scaled, or in an extension."""
    passed_over = []
    sound, fault = sound_part(content)
    if not sound:
        return refused("corrupt", f"not a readable FITS file: {fault}")
    try:
        with _quietly(), fits.open(io.BytesIO(content[:sound]), memmap=False) as units:
            for unit in units:
                # Asking for the data reads, or unpacks, all of it.
                if not unit.is_image or len(unit.shape) < 2:
                    continue
                if other := _what_instead_of_sky(unit.header):
                    passed_over.append(other)
                    continue
                if unit.data is None:
                    continue
                header = ChainMap(unit.header, units[0].header)
                if unit.data.dtype.kind in "iu" and not header.get("BUNIT"):
                    return refused("corrupt", _WHOLE_NUMBERS.format(unit.data.dtype))
                planes = _as_planes(np.array(unit.data))
                names = _names_of_bands(unit.header) or _names_of_bands(units[0].header)
                return planes if isinstance(planes, ImageData) else (planes, names, header)
    # astropy raises whatever faulty files make it stumble over.
    except Exception as error:
        text = str(error)
        short = isinstance(error, EOFError) or "truncated" in text or "too small" in text
        return refused("truncated" if short else "corrupt", f"not a readable FITS file: {text}")
    if fault:
        return refused("corrupt", f"not a readable FITS file: {fault}")
    others = f" of the sky, but {', '.join(passed_over)}" if passed_over else ""
    return refused("corrupt", f"the FITS file holds no image{others}")


def sky_wcs(content: bytes) -> tuple[WCS, tuple[int, int]] | None:
    """Give where the first image of the sky of a FITS file is, and its height and width; None if it does not tell."""
    try:
        with _quietly(), fits.open(io.BytesIO(content), memmap=False) as units:
            for unit in units:
                if unit.is_image and len(unit.shape) >= 2 and not _what_instead_of_sky(unit.header):
                    wcs = WCS(unit.header, naxis=2)
                    return (wcs, unit.shape[-2:]) if wcs.has_celestial else None
    # astropy raises whatever faulty files make it stumble over.
    except Exception:
        return None
    return None
