"""The bricks of the Legacy Surveys: which piece of sky has which name."""

import math
from typing import NamedTuple

__all__ = ["Brick", "brick_at"]

_STEP = 0.25


class Brick(NamedTuple):
    """
    Name of a brick, such as ``"1901p012"``, and its centre in degrees.

    The name is made of tenths of a degree of the centre, cut off, and the sign of the declination.
    """

    name: str
    ra: float
    dec: float


def brick_at(ra: float, dec: float) -> Brick:
    """
    Find the brick of a position, ICRS degrees.

    Rows of 0.25 degrees are centred on the multiples of 0.25 degrees of declination; each is cut into the
    smallest even number of columns that are no wider (https://www.legacysurvey.org/dr10/files/,
    "survey-bricks").

    Examples
    --------
    >>> from galzoo_repr.cutouts._brick_grid import brick_at
    >>> brick_at(190.1086, 1.2005)
    Brick(name='1901p012', ra=190.125, dec=1.25)
    """
    row = math.floor((dec + 90 + _STEP / 2) / _STEP)
    centre_dec = row * _STEP - 90
    if abs(centre_dec) == 90:
        columns = 1
    else:
        lowest = math.radians(abs(centre_dec) - _STEP / 2)
        columns = 2 * math.ceil(360 / _STEP * math.cos(lowest) / 2)
    column = min(int(ra % 360 * columns / 360), columns - 1)
    centre_ra = (column + 0.5) * 360 / columns
    sign = "p" if centre_dec >= 0 else "m"
    return Brick(f"{int(centre_ra * 10):04d}{sign}{int(abs(centre_dec) * 10):03d}", centre_ra, centre_dec)
