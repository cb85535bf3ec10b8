"""A piece of the sky as a survey has it, and the grid of its pixels."""

from dataclasses import dataclass, replace
from typing import Protocol

from astropy.wcs import WCS
from numpy.typing import NDArray

from galzoo_repr.simulation._footprint import Footprint

__all__ = ["InCounts", "SkyImage", "SkySurvey", "tangent_wcs"]


@dataclass(frozen=True)
class SkyImage:
    """
    What the survey has of a piece of sky.

    Attributes
    ----------
    pixels : ndarray of float32, shape (nbands, height, width)
        Surface brightness in nanomaggies per native pixel of 0.262 arcsec, exactly 0 where nothing was seen.
    invvar : ndarray of float32
        Inverse variance of the sky and photon noise, 0 where nothing was observed.
    observed : ndarray of bool
        Whether there is data.

    Examples
    --------
    >>> from astropy.wcs import WCS
    >>> from galzoo_repr import SimulatedSurvey
    >>> wcs = WCS(naxis=2)
    >>> wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 50.0], [16.5, 16.5]
    >>> wcs.wcs.cd, wcs.pixel_shape = [[-1e-4, 0.0], [0.0, 1e-4]], (32, 32)
    >>> image = SimulatedSurvey(seed=1).image(wcs, bands="ri")
    >>> image.pixels.shape, image.observed.all((1, 2)).tolist()
    ((2, 32, 32), [True, False])
    """

    pixels: NDArray
    invvar: NDArray
    observed: NDArray


class SkySurvey(Protocol):
    """What the services need of a survey that they serve: `galzoo_repr.simulation.SimulatedSurvey` has it."""

    seed: int
    footprint: Footprint

    def image(self, wcs: WCS, *, bands: str = "grz", half: str = "") -> SkyImage:
        """Draw a piece of the sky on a grid of pixels."""


class InCounts:
    """
    A survey whose pixels are counts of another size.

    Parameters
    ----------
    survey : SkySurvey
        In nanomaggies per native pixel.
    count : float
        Nanomaggies per native pixel in one count.
    """

    def __init__(self, survey: SkySurvey, count: float) -> None:
        self.seed, self.footprint = survey.seed, survey.footprint
        self._survey, self._count = survey, count

    def image(self, wcs: WCS, *, bands: str = "grz", half: str = "") -> SkyImage:
        """Draw a piece of the sky on a grid of pixels."""
        image = self._survey.image(wcs, bands=bands, half=half)
        if self._count == 1:
            return image
        return replace(image, pixels=image.pixels / self._count, invvar=image.invvar * self._count**2)


def tangent_wcs(ra: float, dec: float, *, width: int, height: int, pixel_scale: float) -> WCS:
    """
    Make the grid of the viewer's cutouts: gnomonic, north up, east left, the position in the middle.

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    width, height : int
        Pixels.
    pixel_scale : float
        Arcsec per pixel.

    Returns
    -------
    astropy.wcs.WCS
        With a CD matrix, and CRPIX (width + 1) / 2, (height + 1) / 2.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
    wcs.wcs.cd = [[-pixel_scale / 3600, 0.0], [0.0, pixel_scale / 3600]]
    wcs.pixel_shape = (width, height)
    return wcs
