"""The one reader of pictures: files, their content, images of Pillow, arrays and tensors."""

import gzip
import os
import threading
import zlib
from pathlib import Path

from PIL import Image

from galzoo_repr.images._colour import PixelArray, colour_last, decode_colour, read_pillow, read_pixels
from galzoo_repr.images._fits import read_bands
from galzoo_repr.images._image_data import ImageData, refused

__all__ = ["PictureSource", "read_image"]

PictureSource = str | os.PathLike | bytes | Image.Image | PixelArray
"""One picture, in any form in which it may be given."""

_PILLOW = threading.Lock()


def read_image(source: PictureSource, bands: str = "grz") -> ImageData:
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
        return _read_content(Path(source).read_bytes(), bands)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_content(bytes(source), bands)
    if isinstance(source, Image.Image):
        # Several rows may hold the same image, which Pillow cannot decode in two threads at once.
        with _PILLOW:
            return read_pillow(source)
    return read_pixels(colour_last(source))


def _read_content(content: bytes, bands: str) -> ImageData:
    if not content:
        return refused("truncated", "the file is empty")
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            status = "truncated" if isinstance(error, EOFError) else "corrupt"
            return refused(status, f"the file cannot be decompressed: {error}")
    if content.startswith(b"SIMPLE  ="):
        return read_bands(content, bands)
    return decode_colour(content)
