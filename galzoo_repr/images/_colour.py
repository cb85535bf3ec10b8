"""Numbers of every type and layout become red, green and blue: arrays, tensors, and what Pillow decodes."""

from typing import Any

import numpy as np
from astropy import units as u

from galzoo_repr._array import Array, is_tensor
from galzoo_repr.images._image_data import ImageData, refused

__all__ = [
    "NOT_FINITE",
    "PixelArray",
    "beyond_range",
    "colour_last",
    "masked_part",
    "read_pixels",
    "refuse_unit",
]

PixelArray = Array

# Resampled pictures reach a little beyond 0 to 1; recipes clip what they make of them.
_ROUNDING = 1e-3
_LARGEST_UINT16 = 65535
NOT_FINITE = "the picture has pixels that are not finite"


def colour_last(image: Any) -> np.ndarray:
    """
    View pixels of any layout as ``(H, W, 3)``, or ``(H, W, 4)`` where they have transparency.

    Where both the first and the last axis could be colour, the last is. A `TypeError` says that these are no
    pixels, a `ValueError` that they are no colours.
    """
    pixels = _as_array(image)
    if pixels.ndim not in (2, 3):
        raise TypeError(
            "a picture is a file, its content as bytes, an image of Pillow, or an array or tensor of 2 or 3 axes, "
            f"not {type(image).__name__} of shape {pixels.shape}"
        )
    if pixels.dtype.kind != "f" and pixels.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.bool_):
        raise TypeError(
            "pixels must be uint8 in 0 to 255, uint16 in 0 to 65535 or floating in 0 to 1, not "
            f"{pixels.dtype}, whose range nobody knows; numbers from 0 to 255 become so by pixels.astype('uint8')"
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
        f"shape {pixels.shape} has no axis of 3 colours; give (H, W, 3), (3, H, W) or (H, W), or 4 colours with "
        "transparency"
    )


def _as_array(image: Any) -> np.ndarray:
    """Numbers as an array of numpy, out of a tensor wherever and of whatever precision it is."""
    if is_tensor(image):
        image = image.detach().cpu()
        return (image.float() if image.is_floating_point() and image.itemsize == 2 else image).numpy()
    refuse_unit(image)
    return np.asarray(getattr(image, "unmasked", image))


def refuse_unit(pixels: Any) -> None:
    """Raise a `ValueError` for a quantity or column with a unit: those are fluxes, and no colours."""
    unit = getattr(pixels, "unit", None)
    if unit is not None and unit != u.dimensionless_unscaled:
        raise ValueError(
            f"pixels in {unit} are no colours; give fluxes as FITS files, colours without a unit"
        )


def masked_part(image: Any) -> float:
    """Fraction of the pixels that are masked, by numpy or by astropy."""
    mask = getattr(image, "mask", None) if isinstance(image, np.ndarray) else None
    return 0.0 if mask is None or mask is np.ma.nomask or not np.size(mask) else float(np.mean(mask))


def beyond_range(pixels: np.ndarray) -> str:
    """Say where floating point numbers reach that are not in 0 to 1; nothing of all others."""
    if pixels.dtype.kind != "f" or not pixels.size:
        return ""
    low, high = pixels.min(), pixels.max()
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return ""
    if not (np.isfinite(low) and np.isfinite(high)):
        return NOT_FINITE
    return (
        f"pixels that are floating point numbers are in 0 to 1, but those of a picture reach from {low:g} to "
        f"{high:g}; divide by 255, or give fluxes as FITS files"
    )


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Bring numbers to uint8 in 0 to 255, or float32 in 0 to 1, by nothing but their type."""
    if pixels.dtype == np.bool_:
        return pixels * np.uint8(255)
    if pixels.dtype.kind == "u" and pixels.dtype != np.uint8:
        return pixels.astype(np.float32) / _LARGEST_UINT16
    return pixels.astype(np.float32, copy=False) if pixels.dtype.kind == "f" else pixels


def read_pixels(pixels: np.ndarray) -> ImageData:
    """Read what `colour_last` gives; transparency shows black."""
    if not pixels.size:
        return refused("corrupt", "the picture has no pixels")
    if fault := beyond_range(pixels):
        return refused("corrupt", fault)
    pixels = np.ascontiguousarray(_without_transparency(_scaled(pixels)))
    # What services send where they have nothing is all of one colour. Two pixels tell it of most pictures.
    if pixels.flat[0] == pixels.flat[-3] and (pixels == pixels[0, 0]).all():
        return ImageData(pixels, "rgb", "partial", "every pixel of the image is the same")
    return ImageData(pixels, "rgb")


def _without_transparency(pixels: np.ndarray) -> np.ndarray:
    """Lay pixels of shape (H, W, 4) on black."""
    if pixels.shape[-1] != 4:
        return pixels
    if pixels.dtype != np.uint8:
        return pixels[..., :3] * pixels[..., 3:]
    # Half of 255 is added to round, as Pillow does.
    return ((pixels[..., :3].astype(np.uint16) * pixels[..., 3:] + 127) // 255).astype(np.uint8)
