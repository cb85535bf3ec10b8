"""What an image layer shows of the simulated sky: the image, its model or what is left of it, turned or not."""

import math
from dataclasses import replace

import numpy as np
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

from galzoo_repr.simulation._noise import sky_noise
from galzoo_repr.simulation._sky_image import SkyImage, SkySurvey, tangent_wcs
from galzoo_repr.simulation._viewer_request import NATIVE_SCALE, ViewerRequest

__all__ = ["layer_grid", "layer_image"]

_MARGIN = 4


def layer_grid(asked: ViewerRequest) -> WCS:
    """Make the gnomonic grid of a cutout about its position; up is north, or ``rotate`` degrees east of it."""
    wcs = _north_up(asked, asked.width, asked.height)
    turn, scale = math.radians(asked.rotate), asked.pixel_scale / 3600
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    wcs.wcs.cd = [[-cos, sin], [sin, cos]]
    return wcs


def layer_image(survey: SkySurvey, asked: ViewerRequest, bands: str) -> "SkyImage":
    """
    Draw what the layer of a cutout shows.

    Parameters
    ----------
    survey : SkySurvey
        The sky.
    asked : ViewerRequest
        The cutout.
    bands : str
        Bands, in the order wanted.

    Returns
    -------
    SkyImage
        On the grid of `layer_grid`. The model is the image without its noise, the residual the noise alone.
    """
    if not asked.rotate:
        return _content(survey, asked, bands, layer_grid(asked))
    side = math.ceil(math.hypot(asked.width, asked.height)) + 2 * _MARGIN
    return _turned(_content(survey, asked, bands, _north_up(asked, side, side)), asked)


def _north_up(asked: ViewerRequest, width: int, height: int) -> WCS:
    return tangent_wcs(asked.ra, asked.dec, width=width, height=height, pixel_scale=asked.pixel_scale)


def _content(survey: SkySurvey, asked: ViewerRequest, bands: str, wcs: WCS) -> "SkyImage":
    image = survey.image(wcs, bands=bands, half=asked.layer.half)
    if asked.layer.content == "image":
        return image
    noise = _noise(survey, image, wcs, bands, asked.pixel_scale)
    return replace(image, pixels=noise if asked.layer.content == "resid" else image.pixels - noise)


def _noise(survey: SkySurvey, image: "SkyImage", wcs: WCS, bands: str, scale: float) -> np.ndarray:
    """Noise that the survey has put into an image."""
    width, height = wcs.pixel_shape
    y, x = np.mgrid[:height, :width]
    ra, dec = (angle.reshape(x.shape) for angle in wcs.wcs_pix2world(x.ravel(), y.ravel(), 0))
    pitch = NATIVE_SCALE * 2 ** max(0, math.floor(math.log2(scale / NATIVE_SCALE) + 1e-6))
    sigma = 1 / np.sqrt(np.where(image.observed, image.invvar, 1))
    noise = sky_noise(ra, dec, pitch=pitch, seed=survey.seed, bands=bands)
    return np.where(image.observed, noise * sigma, 0).astype(np.float32)


def _turned(image: "SkyImage", asked: ViewerRequest) -> "SkyImage":
    """Resample a square image about its middle onto the turned grid."""
    turn = math.radians(asked.rotate)
    y, x = np.mgrid[: asked.height, : asked.width].astype(float)
    x -= (asked.width - 1) / 2
    y -= (asked.height - 1) / 2
    middle = (image.pixels.shape[-1] - 1) / 2
    where = [
        middle + math.sin(turn) * x + math.cos(turn) * y,
        middle + math.cos(turn) * x - math.sin(turn) * y,
    ]

    def nearest(planes: np.ndarray) -> np.ndarray:
        return np.stack([map_coordinates(plane, where, order=0, mode="nearest") for plane in planes])

    observed = nearest(image.observed.astype(np.uint8)).astype(bool)
    pixels = np.stack([map_coordinates(plane, where, order=3, mode="nearest") for plane in image.pixels])
    return replace(
        image, pixels=np.where(observed, pixels, 0), invvar=nearest(image.invvar), observed=observed
    )
