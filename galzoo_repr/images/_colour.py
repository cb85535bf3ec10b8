"""Colour pictures of every kind become red, green and blue: files, Pillow images, arrays and tensors."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from galzoo_repr._array import Array, is_tensor
from galzoo_repr.images._image_data import ImageData, refused

__all__ = [
    "PixelArray",
    "as_array",
    "check_range",
    "colour_last",
    "decode_colour",
    "read_pillow",
    "read_pixels",
    "rgb_of_pillow",
    "without_transparency",
]

PixelArray = Array

# Resampled pictures reach a little beyond 0 to 1; recipes clip what they make of them.
_ROUNDING = 1e-3
# What Pillow raises for files that are not as they should be.
_FAULTS = (OSError, ValueError, SyntaxError, EOFError, IndexError)


def decode_colour(content: bytes) -> ImageData:
    """Read the content of a JPEG, PNG or any other file that Pillow knows."""
    try:
        return read_pillow(Image.open(io.BytesIO(content)))
    except UnidentifiedImageError:
        start = content[:40].decode("latin1").strip()
        return refused("corrupt", f"neither FITS nor an image; it begins with {start!r}")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return refused("corrupt", str(error))
    except _FAULTS as error:
        return _unreadable(error)


def read_pillow(image: Image.Image) -> ImageData:
    """Read an image of Pillow, which decodes many files only now."""
    try:
        image.load()
        return _judged(rgb_of_pillow(image))
    except _FAULTS as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> ImageData:
    text = str(error)
    short = isinstance(error, EOFError) or "truncated" in text or "Truncated" in text
    return refused("truncated" if short else "corrupt", f"not a readable image: {text}")


def rgb_of_pillow(image: Image.Image) -> np.ndarray:
    """Three 8-bit colours of any Pillow mode; transparency shows black."""
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image).astype(np.float64) / 257
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), layered)
    return np.array(image.convert("RGB"))


def as_array(image: PixelArray) -> np.ndarray:
    """Give numbers as an array of numpy, out of a tensor wherever and of whatever precision it is."""
    if is_tensor(image):
        image = image.detach().cpu()
        image = image.float() if image.dtype.itemsize == 2 else image
    return np.asarray(image)


def colour_last(image: PixelArray, where: str = "the picture") -> np.ndarray:
    """
    View pixels of any layout as ``(H, W, 3)``, or ``(H, W, 4)`` where they have transparency.

    Where both the first and the last axis could be colour, the last is. A `TypeError` says that these are no
    pixels, a `ValueError` that no axis can be colour; `where` begins their messages.
    """
    pixels = as_array(image)
    if pixels.ndim not in (2, 3):
        raise TypeError(
            f"{where}: a picture is a file, its content as bytes, an image of Pillow, or an array or tensor of 2 "
            f"or 3 axes, not {type(image).__name__} of shape {pixels.shape}"
        )
    if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
        raise TypeError(
            f"{where}: pixels must be uint8 in 0 to 255 or floating in 0 to 1, not {pixels.dtype}"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif pixels.shape[-1] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape[-1] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if pixels.shape[-1] in (3, 4):
        return pixels
    raise ValueError(
        f"{where}: shape {pixels.shape} has no axis of 3 colours; give (H, W, 3), (3, H, W) or (H, W), or 4 "
        "colours with transparency"
    )


def check_range(pixels: np.ndarray) -> bool:
    """Whether all pixels are finite; floating ones outside 0 to 1 are a `ValueError`."""
    if pixels.dtype.kind != "f" or not pixels.size:
        return True
    low, high = pixels.min(), pixels.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        return False
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(
            f"pixels that are floating point numbers are in 0 to 1, but those of a picture reach from {low:g} to "
            f"{high:g}; divide by 255, or give fluxes as FITS files"
        )
    return True


def read_pixels(pixels: np.ndarray) -> ImageData:
    """Read what `colour_last` gives; transparency shows black."""
    if not pixels.size:
        return refused("corrupt", "the picture has no pixels")
    if not check_range(pixels):
        return refused("corrupt", "the picture has pixels that are not finite")
    kind = np.uint8 if pixels.dtype == np.uint8 else np.float32
    return _judged(without_transparency(np.ascontiguousarray(pixels, dtype=kind)))


def without_transparency(pixels: np.ndarray) -> np.ndarray:
    """Lay pixels of shape (H, W, 4) on black."""
    if pixels.shape[-1] != 4 or not pixels.size:
        return pixels[..., :3]
    if pixels.dtype == np.uint8:
        return rgb_of_pillow(Image.fromarray(np.ascontiguousarray(pixels)))
    return pixels[..., :3] * pixels[..., 3:]


def _judged(pixels: np.ndarray) -> ImageData:
    """What services send where they have nothing is all of one grey."""
    # Two pixels tell it of most pictures.
    if pixels.flat[0] == pixels.flat[-1] and pixels.min() == pixels.max():
        return ImageData(pixels, "rgb", "partial", "every pixel of the image is the same")
    return ImageData(pixels, "rgb")
