"""Images of Pillow, and the files that it decodes, become numbers whose type tells their range."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from galzoo_repr.images._bounds import MOST_PIXELS, too_large
from galzoo_repr.images._colour import colour_last, read_pixels
from galzoo_repr.images._image_data import ImageData, refused

__all__ = ["decode_colour", "read_pillow"]

# Tags of TIFF: bits of each number, what zero means, and whether numbers have a sign.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2
# Pillow starts another program, such as Ghostscript, to make pixels of these.
_DRAWINGS = ("EPS", "WMF")
# Formats whose numbers of more than 8 bits Pillow brings to 0 to 65535, but may keep in its mode of 32 bits.
_SIXTEEN_BITS = ("PNG", "PPM")
_NO_RANGE = "have no known range; give uint8 in 0 to 255, uint16 in 0 to 65535 or floating ones in 0 to 1"


def decode_colour(content: bytes) -> ImageData:
    """Read the content of a JPEG, PNG or any other file that Pillow knows."""
    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        start = content[:40].decode("latin1").strip()
        return refused("corrupt", f"neither FITS nor an image; it begins with {start!r}")
    except Exception as error:
        return _unreadable(error)
    width, height = image.size
    if width * height > MOST_PIXELS or too_large(width * height * len(image.getbands()), len(content)):
        return refused(
            "corrupt", f"the header claims {width} x {height} pixels, too many for {len(content)} bytes"
        )
    return read_pillow(image)


def read_pillow(image: Image.Image) -> ImageData:
    """Read the frame at which an image of Pillow is, upright; Pillow decodes many files only now."""
    if image.format in _DRAWINGS:
        return refused("corrupt", f"a drawing ({image.format}) is not run; save it as PNG")
    # Decoders of some fifty formats meet files of every origin, and raise what they happen to.
    try:
        image.load()
        numbers = _numbers(_upright(image))
    except Exception as error:
        return _unreadable(error)
    if numbers is None:
        return refused("corrupt", f"whole numbers of mode {image.mode!r} with 32 bits or a sign {_NO_RANGE}")
    return read_pixels(colour_last(numbers))


def _unreadable(error: Exception) -> ImageData:
    text = str(error)
    short = isinstance(error, EOFError) or "truncated" in text or "Truncated" in text
    return refused("truncated" if short else "corrupt", f"not a readable image: {text}")


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says, and as every viewer shows it."""
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except Exception:
        # The picture itself may be good although what is said of it is not.
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _numbers(image: Image.Image) -> np.ndarray | None:
    """
    Numbers of an image of any mode, with transparency where it has some, or None where nobody knows their range.

    Whole ones of 8 bits, or of 16 bits in grey; floating ones as they are.
    """
    tags = getattr(image, "tag_v2", {})
    if tags and _SIGNED in np.atleast_1d(tags.get(_SAMPLE_FORMAT, 0)):
        return None
    if image.mode == "I" and image.format not in _SIXTEEN_BITS:
        return None
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        numbers, white = np.asarray(image), 1
        if image.mode != "F":
            numbers, white = numbers.astype(np.uint16), 65535
        if tags.get(_BITS) == (12,):
            numbers, white = (numbers / 4095).astype(np.float32), 1
        # Pillow turns only 8 bits over.
        return white - numbers if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else numbers
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        return np.array(image.convert("RGBA"))
    # Converting what is RGB already would copy it.
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
