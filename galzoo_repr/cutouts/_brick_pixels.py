"""Pixels of a coadded brick: whether its file is whole, and its values at positions on the sky."""

import io
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from galzoo_repr.cutouts._assemble import said_of_flux
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.images import sound_part

__all__ = ["MOST_BRICK_BYTES", "sample", "validate_brick"]

BRICK_PIXELS = 3600
"""On a side (https://www.legacysurvey.org/dr10/files)."""
MOST_BRICK_BYTES = 4 * BRICK_PIXELS**2 + 2**20
"""A file may be as large as the pixels of a brick without compression; real ones have a fifth of that."""

_NATIVE_SCALE = 0.262
_MARGIN = 8
"""Pixels around a stamp that the interpolation may look at."""


def validate_brick(request: CutoutRequest, body: bytes) -> Outcome:
    if not body.startswith(b"SIMPLE  ="):
        return Outcome("truncated" if not body else "server_error", "the answer is not a FITS file")
    sound, fault = sound_part(body)
    if sound < len(body) or fault:
        return Outcome("corrupt", f"the file cannot be read: {fault}")
    # Faulty files make astropy stumble in many ways.
    try:
        with fits.open(io.BytesIO(body), lazy_load_hdus=False) as hdus:
            last = hdus.fileinfo(len(hdus) - 1)
            shapes = [hdu.shape for hdu in hdus if len(hdu.shape or ()) == 2]
    except Exception as error:
        return Outcome("truncated", f"the file cannot be read to its end: {error}")
    if last["datLoc"] + last["datSpan"] > len(body):
        return Outcome("truncated", f"{len(body)} of {last['datLoc'] + last['datSpan']} bytes came")
    if not shapes or max(shapes[0]) > 2 * BRICK_PIXELS:
        return Outcome("corrupt", "the file holds no image of a brick")
    return Outcome("ok", final=True)


def sample(
    path: Path, ra: np.ndarray, dec: np.ndarray, pixel_scale: float
) -> tuple[np.ndarray, dict[str, str | float]]:
    """Values of a brick at positions, NaN beyond its edges, and what its header says of their flux."""
    with fits.open(path) as hdus:
        hdu = next((hdu for hdu in hdus if len(hdu.shape or ()) == 2), None)
        if hdu is None:
            raise ValueError("there is no image in it")
        said = said_of_flux(hdu.header)
        x, y = WCS(hdu.header).wcs_world2pix(ra, dec, 0)
        height, width = hdu.shape
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        values = np.full(ra.shape, np.nan, np.float32)
        if not inside.any():
            return values, said
        levels = max(0, int(np.log2(pixel_scale / _NATIVE_SCALE) + 1e-6))
        margin = _MARGIN * 2**levels
        # Whole blocks of the averaging, counted from the corner of the brick.
        block = 2**levels
        x0, y0 = (max(int(c[inside].min()) - margin, 0) // block * block for c in (x, y))
        x1, y1 = int(x[inside].max()) + margin + 1, int(y[inside].max()) + margin + 1
        pixels = np.asarray(hdu.section[y0 : min(y1, height), x0 : min(x1, width)], np.float32)
    where = [(y[inside] - y0 + 0.5) / block - 0.5, (x[inside] - x0 + 0.5) / block - 0.5]
    values[inside] = _interpolate(_coarser(pixels, levels), where)
    return values, said


def _coarser(pixels: np.ndarray, levels: int) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    for _ in range(levels):
        height, width = (n // 2 * 2 for n in pixels.shape)
        smooth = gaussian_filter(pixels, 1.0, mode="nearest")[:height, :width]
        pixels = smooth.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return pixels


def _interpolate(pixels: np.ndarray, where: list[np.ndarray]) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    values = map_coordinates(pixels, where, order=3, mode="nearest")
    # No data is an exact zero, which a spline would blur.
    no_data = map_coordinates((pixels == 0).astype(np.uint8), where, order=0, mode="nearest")
    values[no_data == 1] = 0
    return values
