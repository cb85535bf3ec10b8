"""A position on the sky as people write it: text, a pair of angles, or the name that a survey made of it."""

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr.catalogue._angles import column_degrees
from galzoo_repr.catalogue._cells import text_of
from galzoo_repr.catalogue._positions import sky_positions

__all__ = ["PositionLike", "name_resolution", "read_position"]

#: What is taken for a position.
PositionLike: TypeAlias = SkyCoord | BaseCoordinateFrame | str | Sequence[AngleLike]

# Names that are positions, behind that of a survey or not: J100000.00+020000.0, of 1950 B100000+020000, with implied
# points as in 2MASX (J10000000+0200000), and in degrees as in DESI (J150.0000+02.0000).
_NAME = re.compile(
    r"[\w -]*?([JB])(\d{2})(\d{2})(\d{2})\.?(\d*)\s*([+−-])(\d{2})(\d{2})(\d{2})\.?(\d*)", re.IGNORECASE
)
_NAME_IN_DEGREES = re.compile(r"[\w -]*?J(\d{3}\.(\d+))([+−-]\d{2}\.\d+)", re.IGNORECASE)
_EQUINOX = re.compile(r"\s*\(?\b(J2000|ICRS|FK5|B1950|FK4)(?:\.0)?\)?\s*", re.IGNORECASE)


def read_position(position: PositionLike) -> SkyCoord:
    """
    Sky position out of text or a pair of angles.

    Parameters
    ----------
    position : str, pair of angles or `~astropy.coordinates.SkyCoord`
        Text with right ascension and declination, ICRS: degrees (``"150.1 2.2"``) or sexagesimal hours and degrees
        (``"10h00m24s +2d12m"``, ``"10:00:24, +2:12"``); a name that is a position (``"SDSS J100024.00+021200.0"``); or
        a pair, ``(150.1 * u.deg, "2d12m")``. ``B1950`` before or behind the text is obeyed.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`

    Raises
    ------
    ValueError
        If it is no position.
    TypeError
        If it is something else, such as numbers without a unit.

    Examples
    --------
    >>> from galzoo_repr.catalogue import read_position
    >>> read_position("150.1, 2.2").to_string()
    '150.1 2.2'
    >>> read_position(("10h00m24s", "+2d12m")).to_string()
    '150.1 2.2'
    """
    if isinstance(position, SkyCoord | BaseCoordinateFrame):
        return SkyCoord(position)
    if isinstance(position, bytes):
        position = text_of(position)
    if not isinstance(position, str):
        return _of_pair(position)
    text, frame = position.strip(), "icrs"
    if match := _NAME.fullmatch(text):
        letter, hour, minute, second, decimals, sign, degree, arcmin, arcsec, more = match.groups()
        frame = "fk4" if letter.upper() == "B" else "icrs"
        pair = f"{hour}:{minute}:{second}.{decimals}", f"{sign}{degree}:{arcmin}:{arcsec}.{more}"
    elif match := _NAME_IN_DEGREES.fullmatch(text):
        pair = match[1], match[3]
    else:
        if equinox := _EQUINOX.search(text):
            frame = "fk4" if equinox[1].upper() in ("B1950", "FK4") else "icrs"
            text = _EQUINOX.sub(" ", text).strip()
        pair = _split(text)
    found = pair and sky_positions(Table({"ra": [pair[0]], "dec": [pair[1]]}))
    if not found or not found.valid[0]:
        why = found.reason[0].partition(": ")[2] if found else ""
        beyond = ValueError(why) if "is outside" in why else None  # of names, too, angles are no news
        raise ValueError(
            f"{position!r} is no sky position{f': {beyond}' if beyond else ''}; give right ascension and declination "
            "such as '150.1 2.2' or '10h00m24s +2d12m00s'"
        ) from beyond
    return SkyCoord(found.ra[0], found.dec[0], unit="deg", frame=frame).icrs


def name_resolution(text: str) -> u.Quantity | None:
    """
    Give the size of the last digit of a name that is a position; None for other text.

    Examples
    --------
    >>> from galzoo_repr.catalogue import name_resolution
    >>> name_resolution("SDSS J100024.00+021200.0"), name_resolution("NGC 628")
    (<Quantity 0.15 arcsec>, None)
    """
    if match := _NAME.fullmatch(text.strip()):
        return 15 * 10.0 ** -len(match[5]) * u.arcsec
    if match := _NAME_IN_DEGREES.fullmatch(text.strip()):
        return 3600 * 10.0 ** -len(match[2]) * u.arcsec
    return None


def _split(text: str) -> tuple[str, str] | None:
    """Right ascension and declination, between which is a comma, a sign or the middle one of several blanks."""
    parts = [part.strip() for part in re.split("[,;]", text) if part.strip()]
    if len(parts) == 1:
        parts = re.split(r"(?<=[\dhmsd.°'\"])\s*(?=[+−-])", text)
        parts = parts if len(parts) == 2 else text.split()
    if len(parts) in (4, 6):
        half = len(parts) // 2
        parts = [" ".join(parts[:half]), " ".join(parts[half:])]
    return (parts[0].strip(), parts[1].strip()) if len(parts) == 2 else None


def _of_pair(pair: Sequence[AngleLike]) -> SkyCoord:
    """Position, or several, of a right ascension and a declination that have units or are text."""
    given = f"{pair!r} is no position; give a SkyCoord, text such as '150.1 2.2', or two angles with units"
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise TypeError(given)
    degrees = []
    for name, value in zip(("right ascension", "declination"), pair, strict=True):
        if isinstance(value, str):
            angle, reasons = column_degrees(np.array([value]), name, hours=name == "right ascension")
            if reasons:
                raise ValueError(f"{name}: {reasons[0]}")
            degrees.append(angle[0])
        elif isinstance(value, u.Quantity | Column):
            degrees.append(read_angle(value, name, example="150 deg").to_value(u.deg))
        else:
            raise TypeError(f"{given}, such as (150.1 * u.deg, 2.2 * u.deg)")
    try:
        return SkyCoord(*degrees, unit="deg")
    except ValueError as error:
        raise ValueError(f"{pair!r} is no sky position: {error}") from error
