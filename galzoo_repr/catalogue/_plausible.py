"""Numbers without a unit that look like something else than right ascension and declination in degrees."""

import numpy as np

__all__ = ["misread_pair"]

# Of few rows nothing can be said: a single galaxy at 10, 40 may well be in degrees, or in hours.
_FEWEST_ROWS = 3
# A catalogue in degrees that lies within 0 to 24 of right ascension is a patch of sky. Patches and tiles of surveys
# are hardly higher than they are wide; what is that far from north to south is rather the whole sky in hours.
_SPREAD_OF_HOURS = 6.0
_HIGHEST_PATCH = 30.0
# The same for radians: a patch in degrees would have to lie on the equator at 0 h and be this large.
_SPREAD_OF_RADIANS = 2.0
_HIGHEST_IN_RADIANS = 0.5
# Rows off the sphere that are more than a sentinel such as 99.99.
_SHARE_OFF_THE_SPHERE = 0.1


def misread_pair(ra: np.ndarray, dec: np.ndarray, names: tuple[str, str]) -> str:
    """
    Say what two columns without a unit would rather be than degrees; empty where degrees are plausible.

    Parameters
    ----------
    ra, dec : numpy.ndarray
        float64, shape (n,), as if in degrees; NaN where a row has none.
    names : tuple of str
        Names of their columns.

    Returns
    -------
    str
        A sentence with what was found and how to say what is meant.
    """
    # The range comes first: it settles nearly every catalogue, however long, at the cost of one pass.
    most = np.fmax.reduce(dec, initial=-np.inf)
    if most > 90:
        return _off_the_sphere(ra, dec, names)
    if not np.fmax.reduce(ra, initial=-np.inf) < 24:
        return ""
    good = np.isfinite(ra) & np.isfinite(dec)
    if np.count_nonzero(good) < _FEWEST_ROWS:
        return ""
    ra, dec = ra[good], dec[good]
    west, east, south, north = ra.min(), ra.max(), dec.min(), dec.max()
    found = f"{names[0]} runs from {west:g} to {east:g} and {names[1]} from {south:g} to {north:g}"
    degrees = f"or to 'deg' if they are degrees: table[{names[0]!r}].unit = 'deg'"
    in_radians = -np.pi <= west and east <= 2 * np.pi and max(-south, north) <= np.pi / 2
    if in_radians and east - west >= _SPREAD_OF_RADIANS and north - south >= _HIGHEST_IN_RADIANS:
        return f"{found}, which rather looks like radians; set the unit of both columns to 'rad', {degrees}"
    if west >= 0 and east - west >= _SPREAD_OF_HOURS and north - south >= _HIGHEST_PATCH:
        return (
            f"{found}, which rather looks like hours of right ascension; set the unit: "
            f"table[{names[0]!r}].unit = 'hourangle', {degrees}"
        )
    return ""


def _off_the_sphere(ra: np.ndarray, dec: np.ndarray, names: tuple[str, str]) -> str:
    """Declinations beyond 90: two columns the wrong way round, or angles from a pole."""
    good = np.isfinite(ra) & np.isfinite(dec)
    ra, dec = ra[good], dec[good]
    beyond = dec[(dec > 90) & (dec <= 360)]
    if len(np.unique(beyond)) < _FEWEST_ROWS or len(beyond) < _SHARE_OFF_THE_SPHERE * len(dec):
        return ""
    found = f"{len(beyond)} of {len(dec)} values of {names[1]} lie beyond 90 degrees"
    if np.all(np.abs(ra) <= 90):
        return (
            f"{found}, as if the columns were the wrong way round; if so, give "
            f"coords=({names[1]!r}, {names[0]!r})"
        )
    if np.all((dec >= 0) & (dec <= 180)):
        return f"{found}, as if they were angles from a pole; if so, make declinations of them, 90 less the angle"
    return ""
