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

    Examples
    --------
    >>> from galzoo_repr.simulation import BandGap, Footprint
    >>> footprint = Footprint(gaps=(BandGap("z", ra=150.0, dec=2.0, radius=0.5),))
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
    >>> footprint.covers(np.array([150.0, 150.0, 266.0]), np.array([2.0, 50.0, -29.0]), "ri").tolist()
    [[True, True, False], [True, False, False]]
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

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.simulation import Footprint
        >>> centre_of_galaxy = np.array([266.4]), np.array([-29.0])
        >>> [bool(each.covers(*centre_of_galaxy, "i").all()) for each in (Footprint(), Footprint.everywhere())]
        [False, True]
        """
        return cls(dec_limits=(-90.0, 90.0), galactic_gap=0.0, north_edge=90.0, gaps=())

    def covers(self, ra: NDArray, dec: NDArray, bands: str, *, half: str = "") -> NDArray:
        """
        Whether there is data at positions.

        Parameters
        ----------
        ra, dec : ndarray
            Positions, degrees.
        bands : str
            One or more of g, r, i, z.
        half : str
            ``"north"`` or ``"south"`` for one half of the survey alone.

        Returns
        -------
        ndarray of bool
            Shape ``(len(bands), *ra.shape)``.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.simulation import Footprint
        >>> Footprint().covers(np.array([150.0, 150.0]), np.array([2.0, 50.0]), "r", half="north").tolist()
        [[False, True]]
        """
        ra, dec = np.asarray(ra, float), np.asarray(dec, float)
        sin_b = _sine_of_galactic_latitude(ra, dec)
        north = (dec > self.north_edge) & (sin_b > 0)
        covered = (dec >= self.dec_limits[0]) & (dec <= self.dec_limits[1])
        covered &= np.abs(sin_b) >= np.sin(np.deg2rad(self.galactic_gap))
        if half:
            covered &= north if half == "north" else ~north
        planes = {band: covered & ~north if band == "i" else covered.copy() for band in bands}
        for gap in self.gaps:
            if gap.band in planes and dec.size and np.abs(dec - gap.dec).min() <= gap.radius:
                planes[gap.band] &= separation(ra, dec, gap.ra, gap.dec) > gap.radius
        return np.stack([planes[band] for band in bands])


def _sine_of_galactic_latitude(ra: NDArray, dec: NDArray) -> NDArray:
    ra0, dec0 = np.deg2rad(_GALACTIC_POLE)
    latitude = np.deg2rad(dec)
    along = np.cos(np.deg2rad(ra) - ra0)
    return np.sin(latitude) * np.sin(dec0) + np.cos(latitude) * np.cos(dec0) * along
