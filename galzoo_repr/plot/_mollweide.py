"""The sky on an ellipse of equal areas (Mollweide), and the smallest part of it that holds all galaxies."""

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["HALF_WIDTH", "from_mollweide", "mollweide", "right_ascensions"]

CENTRE = 180.0  # right ascension of the middle, in degrees: 0 h is at both ends
HALF_WIDTH = 2 * np.sqrt(2)
"""Of the ellipse; it is half as high."""

# Auxiliary angles, even in themselves, and the latitudes that they stand for.
_THETA = np.linspace(-np.pi / 2, np.pi / 2, 20_001)
_LATITUDE = np.arcsin(((2 * _THETA + np.sin(2 * _THETA)) / np.pi).clip(-1, 1))


def mollweide(ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """
    Project positions on the sky, right ascension growing to the left from 0 to 360 degrees.

    Parameters
    ----------
    ra, dec : array-like of float, shape (n,)
        Degrees.

    Returns
    -------
    x, y : numpy.ndarray of float64, shape (n,)
        On an ellipse from -2 sqrt 2 to 2 sqrt 2 and -sqrt 2 to sqrt 2; NaN for positions that are not finite.
        Formulae: Snyder (1987, USGS Professional Paper 1395, p. 251).

    Examples
    --------
    >>> from galzoo_repr.plot import mollweide
    >>> x, y = mollweide([180.0, 180.0, 0.0], [0.0, 90.0, 0.0])
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([0.0, 0.0, 2.8284], [0.0, 1.4142, 0.0])
    """
    longitude = CENTRE - np.mod(np.asarray(ra, dtype=float), 360.0)
    theta = np.interp(np.radians(np.asarray(dec, dtype=float)), _LATITUDE, _THETA)
    return HALF_WIDTH / 180 * longitude * np.cos(theta), np.sqrt(2) * np.sin(theta)


def from_mollweide(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the position on the sky that `mollweide` puts at a place.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)

    Returns
    -------
    ra, dec : numpy.ndarray of float64, shape (n,)
        Degrees; NaN outside the ellipse.

    Examples
    --------
    >>> from galzoo_repr.plot import from_mollweide, mollweide
    >>> ra, dec = from_mollweide(*mollweide([150.1], [2.2]))
    >>> ra.round(6).tolist(), dec.round(6).tolist()
    ([150.1], [2.2])
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.arcsin(y / np.sqrt(2))
        dec = np.degrees(np.arcsin((2 * theta + np.sin(2 * theta)) / np.pi))
        longitude = x * 180 / (HALF_WIDTH * np.cos(theta))
        inside = np.abs(longitude) <= 180
    return np.where(inside, CENTRE - longitude, np.nan), np.where(inside, dec, np.nan)


def right_ascensions(ra: np.ndarray) -> np.ndarray:
    """
    Right ascensions without the jump at 0 h, where all galaxies lie on one part of the circle.

    Parameters
    ----------
    ra : numpy.ndarray of float, shape (n,)
        Degrees, finite.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        Degrees that increase along the smallest arc that holds all of them; some may be negative.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.plot import right_ascensions
    >>> right_ascensions(np.array([359.0, 1.0, 2.0])).tolist()
    [-1.0, 1.0, 2.0]
    """
    ra = np.mod(np.asarray(ra, dtype=float), 360.0)
    if not len(ra):
        return ra
    inner = np.sort(ra)
    gaps = np.diff(inner, append=inner[0] + 360.0)
    widest = int(gaps.argmax())
    if widest == len(inner) - 1:  # it lies across 0 h, and the galaxies do not
        return ra
    return np.where(ra > inner[widest], ra - 360.0, ra)
