"""What part of the sky the simulated survey has observed, in which bands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galzoo_repr.simulation._sky import separation

__all__ = ["BandGap", "Footprint"]

# J2000 direction of the north galactic pole (Hipparcos catalogue, ESA SP-1200, vol. 1, eq. 1.5.10)
_GALACTIC_POLE = (192.85948, 27.12825)


@dataclass(frozen=True)
class BandGap:
    """
    A disc on the sky without data in one band.

    Attributes
    ----------
    band : str
        The band that is missing.
    ra, dec, radius : float
        Centre and radius, degrees.
    """

    band: str
    ra: float
    dec: float
    radius: float


@dataclass(frozen=True)
class Footprint:
    """
    Sky coverage like that of the Legacy Surveys: both galactic caps, two telescopes' regions, some gaps.

    Attributes
    ----------
    dec_limits : tuple of float
        Southern and northern end, degrees.
    galactic_gap : float
        Nothing is observed closer to the galactic plane than this, degrees.
    north_edge : float
        North of this declination, in the northern galactic cap, another telescope observed, which has no i
        band; the Legacy Surveys join their two halves at 32.375 degrees.
    gaps : tuple of BandGap
        Discs without one band.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.simulation import Footprint
    >>> footprint = Footprint()
    >>> footprint.covers(np.array([150.0, 150.0, 266.0]), np.array([2.0, 50.0, -29.0]), "i").tolist()
    [True, False, False]
    """

    dec_limits: tuple[float, float] = (-68.0, 84.0)
    galactic_gap: float = 15.0
    north_edge: float = 32.375
    gaps: tuple[BandGap, ...] = (BandGap("z", 160.0, 10.0, 0.5), BandGap("g", 30.0, -5.0, 0.5))

    @classmethod
    def everywhere(cls) -> "Footprint":
        """
        Cover the whole sky in every band.

        Returns
        -------
        Footprint
            Without an edge or a gap.
        """
        return cls(dec_limits=(-90.0, 90.0), galactic_gap=-1.0, north_edge=91.0, gaps=())

    def covers(self, ra: NDArray, dec: NDArray, band: str, *, half: str = "") -> NDArray:
        """
        Whether there is data at positions.

        Parameters
        ----------
        ra, dec : ndarray
            Positions, degrees.
        band : str
            One of g, r, i, z.
        half : str
            ``"north"`` or ``"south"`` for one half of the survey alone.

        Returns
        -------
        ndarray of bool
            Of the shape of `ra`.
        """
        ra, dec = np.asarray(ra, float), np.asarray(dec, float)
        pole = separation(ra, dec, *_GALACTIC_POLE)
        north = (dec > self.north_edge) & (pole < 90)
        covered = (dec >= self.dec_limits[0]) & (dec <= self.dec_limits[1])
        covered &= np.abs(90 - pole) >= self.galactic_gap
        if half:
            covered &= north if half == "north" else ~north
        if band == "i":
            covered &= ~north
        for gap in self.gaps:
            if gap.band == band:
                covered &= separation(ra, dec, gap.ra, gap.dec) > gap.radius
        return covered
