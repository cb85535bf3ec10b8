"""Image files become arrays: FITS cutouts with calibrated bands, and JPEG or PNG colour images."""

import gzip
import io
import math
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from PIL import Image, UnidentifiedImageError

__all__ = ["MISSING_FRACTION", "ImageData", "read_image"]

# Galaxy Zoo DECaLS dropped cutouts in which a band had this fraction of its pixels at zero or NaN.
MISSING_FRACTION = 0.2

_FILTERS = threading.Lock()
_BLOCK = 2880
_CARD = 80
_END = b"END".ljust(_CARD)
_PLAIN_TYPES = {"-32": ">f4", "-64": ">f8"}
# Keywords that change what the stored numbers mean; astropy applies them.
_SCALING = ("BSCALE", "BZERO", "BLANK", "ZSCALE", "ZIMAGE", "GROUPS", "PCOUNT")


@dataclass(frozen=True)
class ImageData:
    """
    What a file holds, or why it cannot be used.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        For ``kind="bands"``, ``(bands, H, W)`` float32 fluxes, first row south, zero where there is no data;
        for ``kind="rgb"``, ``(H, W, 3)`` uint8, first row north. Always finite. None where nothing could be
        read.
    kind : str
        ``"bands"``, ``"rgb"``, or ``""`` where nothing could be read.
    status : str
        ``"ok"``; ``"partial"`` (a fifth or more of a band is missing); ``"truncated"``; ``"corrupt"``; or
        ``"band_missing"``.
    reason : str
        One sentence, empty where the status is ``"ok"``.
    """

    pixels: np.ndarray | None
    kind: str
    status: str = "ok"
    reason: str = ""


def _refused(status: str, reason: str) -> ImageData:
    return ImageData(None, "", status, reason)


def read_image(source: str | os.PathLike | bytes, bands: str = "grz") -> ImageData:
    """
    Read one cutout.

    Parameters
    ----------
    source : str, os.PathLike or bytes
        A FITS (also compressed), JPEG or PNG file, or its content.
    bands : str
        Bands wanted from a FITS file, one letter each, in the order in which they are returned. They are
        found by the keyword BANDS; without it a file with as many planes as bands is taken to hold them in
        this order.

    Returns
    -------
    ImageData
        With finite pixels or a status: a bad file never raises.

    Raises
    ------
    FileNotFoundError
        If there is no such file. Other errors of the operating system pass through likewise.
    TypeError
        If `source` is neither a path nor bytes.

    Examples
    --------
    >>> from galzoo_repr.images import read_image
    >>> read_image(b"<html>no such layer</html>").status
    'corrupt'
    """
    if isinstance(source, (str, os.PathLike)):
        content = Path(source).read_bytes()
    elif isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    else:
        raise TypeError(f"source must be a path or bytes, not {type(source).__name__}")
    if not content:
        return _refused("truncated", "the file is empty")
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            status = "truncated" if isinstance(error, EOFError) else "corrupt"
            return _refused(status, f"the file cannot be decompressed: {error}")
    if content.startswith(b"SIMPLE  ="):
        return _read_fits(content, bands)
    return _read_colour(content)


def _read_fits(content: bytes, bands: str) -> ImageData:
    found = _plain_planes(content)
    if found is None:
        found = _planes_by_astropy(content)
    if isinstance(found, ImageData):
        return found
    planes, names = found
    if not names and len(planes) == len(bands):
        names = bands
    missing = [band for band in bands if band not in names]
    if missing:
        held = f"bands {names}" if names else f"{len(planes)} unnamed planes"
        return _refused("band_missing", f"the file holds {held}, without {', '.join(missing)}")
    order = [names.index(band) for band in bands]
    if max(order) >= len(planes):
        return _refused("corrupt", f"the header names bands {names}, but the file has {len(planes)} planes")
    picked = planes if order == list(range(len(planes))) else planes[order]
    return _finite_bands(picked.astype(np.float32), bands)


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


def _header_cards(content: bytes) -> tuple[dict[str, str], int] | None:
    """Keywords with their raw values, and where the data begin; None where the header does not end."""
    end = content.find(_END)
    while end % _CARD:
        if end < 0:
            return None
        end = content.find(_END, end + 1)
    values = {
        content[start : start + 8]: content[start + 10 : start + _CARD]
        for start in range(0, end, _CARD)
        if content[start + 8 : start + 10] == b"= "
    }
    cards = {key.decode("latin1").rstrip(): value.decode("latin1") for key, value in values.items()}
    data = math.ceil((end + _CARD) / _BLOCK) * _BLOCK
    return {key: value.partition("/")[0].strip() for key, value in cards.items()}, data


def _plain_planes(content: bytes) -> tuple[np.ndarray, str] | ImageData | None:
    """View the planes of an unscaled floating point image without astropy; None if it is anything else."""
    if not content.startswith(b"SIMPLE"):
        return None
    header = _header_cards(content)
    if header is None:
        return _refused("truncated", "the FITS header has no end")
    cards, start = header
    kind = _PLAIN_TYPES.get(cards.get("BITPIX", ""))
    axes = cards.get("NAXIS", "")
    if kind is None or axes not in ("2", "3") or any(key in cards for key in _SCALING):
        return None
    try:
        shape = tuple(int(cards[f"NAXIS{axis}"]) for axis in range(int(axes), 0, -1))
    except (KeyError, ValueError):
        return _refused("corrupt", "the FITS header does not give the size of the image")
    if min(shape) < 1:
        return _refused("corrupt", f"the FITS header gives the size {shape}")
    count = math.prod(shape)
    needed = start + count * np.dtype(kind).itemsize
    if len(content) < needed:
        return _refused("truncated", f"the file has {len(content)} of {needed} bytes")
    planes = np.frombuffer(content, dtype=kind, count=count, offset=start)
    return planes.reshape((-1, *shape[-2:])), cards.get("BANDS", "").strip("' ")


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out astropy's warnings of faulty files, whose status tells the same."""
    # Files are read in several threads, but the filters of warnings belong to the whole process.
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _planes_by_astropy(content: bytes) -> tuple[np.ndarray, str] | ImageData:
    """Read the first image of any other FITS file: compressed, scaled, integer, or in an extension."""
    try:
        with _quietly(), fits.open(io.BytesIO(content), memmap=False) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim in (2, 3):
                    planes = np.array(unit.data)
                    names = str(unit.header.get("BANDS", units[0].header.get("BANDS", ""))).strip()
                    return planes.reshape((-1, *planes.shape[-2:])), names
    except (OSError, EOFError, TypeError, ValueError, IndexError, KeyError, fits.VerifyError) as error:
        text = str(error)
        short = isinstance(error, EOFError) or "truncated" in text or "too small" in text
        return _refused("truncated" if short else "corrupt", f"not a readable FITS file: {text}")
    return _refused("corrupt", "the FITS file holds no image")


def _read_colour(content: bytes) -> ImageData:
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
        pixels = _rgb(image)
    except UnidentifiedImageError:
        start = content[:40].decode("latin1").strip()
        return _refused("corrupt", f"neither FITS nor an image; it begins with {start!r}")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return _refused("corrupt", str(error))
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        text = str(error)
        short = isinstance(error, EOFError) or "truncated" in text or "Truncated" in text
        return _refused("truncated" if short else "corrupt", f"not a readable image: {text}")
    if pixels.min() == pixels.max():
        return ImageData(pixels, "rgb", "partial", "every pixel of the image is the same")
    return ImageData(pixels, "rgb")


def _rgb(image: Image.Image) -> np.ndarray:
    """Three 8-bit colours of any Pillow mode; transparency shows black."""
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image).astype(np.float64) / 257
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), layered)
    return np.array(image.convert("RGB"))
