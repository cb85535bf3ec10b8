"""The one reader of pictures: files, their content, images of Pillow, arrays and tensors."""

import gzip
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from galzoo_repr.images._colour import PixelArray, colour_last, decode_colour, read_pillow, read_pixels
from galzoo_repr.images._fits import read_bands
from galzoo_repr.images._image_data import ImageData, refused

__all__ = ["PictureSource", "read_image"]

PictureSource = str | os.PathLike | bytes | Image.Image | PixelArray
"""One picture, in any form in which it may be given."""

_PILLOW = threading.Lock()


def read_image(
    source: PictureSource,
    bands: str = "grz",
    *,
    flux: Sequence[float] | None = None,
    any_scale: bool = False,
) -> ImageData:
    """
    Read one picture, in whichever form it is given.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
        A FITS (also compressed), JPEG or PNG file, or its content; an image of Pillow; or pixels: grey, RGB
        or RGBA with colour first or last, uint8 or floating in 0 to 1. Transparency shows black.
    bands : str
        Bands wanted from a FITS file, one letter each, in the order in which they are returned. They are
        found by the keyword BANDS; without it a file with as many planes as bands is taken to hold them in
        this order.
    flux : sequence of float, optional
        What to multiply the planes of a FITS file by to have nanomaggies per pixel of 0.262 arcsec, one number or
        one for each plane. When not given, the header tells: ``BUNIT``, if it is a flux or a surface brightness
        (nJy, MJy/sr, ...), or a zero point such as ``MAGZERO``, in AB; a file that says nothing is in nanomaggies.
    any_scale : bool
        Take fluxes as they are where their scale is unknown, instead of refusing them as ``"corrupt"``.

    Returns
    -------
    ImageData
        With finite pixels or a status: a bad picture never raises.

    Raises
    ------
    FileNotFoundError
        If there is no such file. Other errors of the operating system pass through likewise.
    TypeError
        If `source` is none of these, or has pixels of another type.
    ValueError
        If an array has no axis of colours, or floating point numbers outside 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import read_image
    >>> read_image(b"<html>no such layer</html>").status
    'corrupt'
    >>> read_image(np.eye(64)).pixels.shape
    (64, 64, 3)
    """
    if isinstance(source, (str, os.PathLike)):
        return _read_content(Path(source).read_bytes(), bands, flux, any_scale=any_scale)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), bands, flux, any_scale=any_scale)
    if isinstance(source, Image.Image):
        # Several rows may hold the same image, which Pillow cannot decode in two threads at once.
        with _PILLOW:
            return read_pillow(source)
    return read_pixels(colour_last(source))


def _read_content(content: bytes, bands: str, flux: Sequence[float] | None, *, any_scale: bool) -> ImageData:
    if not content:
        return refused("truncated", "the file is empty")
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            status = "truncated" if isinstance(error, EOFError) else "corrupt"
            return refused(status, f"the file cannot be decompressed: {error}")
    if content.startswith(b"SIMPLE  ="):
        return read_bands(content, bands, flux, any_scale=any_scale)
    return decode_colour(content)
