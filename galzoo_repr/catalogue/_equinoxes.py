"""Names of frames and equinoxes, as FITS, VOTable and older files spell them, become frames of astropy."""

import re
from collections.abc import Callable

import numpy as np
from astropy.coordinates import (
    FK4,
    FK5,
    BarycentricMeanEcliptic,
    BaseCoordinateFrame,
    FK4NoETerms,
    Galactic,
    Supergalactic,
)

from galzoo_repr.catalogue._missing import means_no_value

__all__ = ["EQUATORIAL", "Unclear", "besselian", "equinox_of_epoch", "frame_by_words"]

#: What `frame_by_words` gives for right ascension and declination; "icrs" and None are text and nothing.
EQUATORIAL = (str, type(None), FK4, FK5, FK4NoETerms)

_ICRS = {"icrs", "icrf", "icrf2", "icrf3", "hipparcos"}
_NO_FRAME = {"equatorial", "eq", "0", "0.0"}  # zeros of headers that were never filled in
# Equinoxes that old catalogues and charts are in; FITS of that time has them under EPOCH, which is also used for
# the year of observation.
_CUSTOMARY = {1855.0, 1875.0, 1900.0, 1925.0, 1950.0}
# FITS standard 4.0, section 8.3: mean places before this year are in FK4, later ones in FK5.
_FIRST_OF_FK5 = 1984.0


class Unclear(ValueError):
    """A declaration that names no frame from which there is a way to ICRS."""


def besselian(year: str) -> str:
    """Equinox such as "B1950" out of a year, or of the FK4 whose usual one that is."""
    return "B1950" if year.lower() == "fk4" else f"B{float(year.lower().lstrip('b')):g}"


def equinox_of_epoch(epoch: object, system: object) -> object:
    """Take ``EPOCH`` for what it is in old files, the equinox; None where it is the time of observation."""
    _, year = _readable_year(epoch)
    if year in _CUSTOMARY:
        return epoch
    if year is not None and year < _FIRST_OF_FK5 and _says_nothing(system):
        raise Unclear(f"the epoch, or else the equinox, is {epoch!r}")
    return None


def _plain(value: object) -> str:
    return "" if value is None or np.ma.is_masked(value) else str(value).strip(" '\"()").lower()


def _says_nothing(value: object) -> bool:
    text = _plain(value)
    return means_no_value(text) or text in _NO_FRAME


def _year(value: object) -> tuple[str, float | None]:
    """Letter, or "" without one, and year of an equinox or epoch; None where there is none."""
    if _says_nothing(value):
        return "", None
    text = _plain(value)
    match = re.fullmatch(r"([bj]?)\s*(\d{4}(?:\.\d*)?)", text)
    if match is None:
        raise Unclear(f"the equinox is {value!r}")
    return match[1].upper(), float(match[2])


def _time(letter: str, year: float) -> str:
    return f"{letter or ('B' if year < _FIRST_OF_FK5 else 'J')}{year:g}"


def frame_by_words(
    system: object, equinox: object = None, epoch: object = None
) -> BaseCoordinateFrame | str | None:
    """Frame by its names in FITS and VOTable: "icrs" for that and J2000, None where nothing is said."""
    name = re.sub(r"[^a-z0-9]", "", _plain(system).removeprefix("eq_"))
    letter, year = _year(equinox)
    if name in ("j2000", "b1950"):
        name, letter, year = "", name[0].upper(), float(name[1:])
    if name == "" or _says_nothing(system):
        if year is None:
            return None
        name = "fk4" if letter != "J" and year < _FIRST_OF_FK5 else "fk5"
        if name == "fk5" and year < 2000:
            raise Unclear(f"the equinox is {equinox!r}")
    if name in _ICRS or name.startswith("gaia"):
        if year is not None and year < _FIRST_OF_FK5:
            raise Unclear(f"the frame is {system!r}, but the equinox {equinox!r}")
        return "icrs"
    if name == "fk5":
        # A year after 2000 is rather the epoch, as of Gaia's positions, or when a telescope was pointed.
        if year is not None and year > 2000:
            raise Unclear(f"the equinox is {equinox!r}")
        # FK5 has Julian equinoxes.
        return "icrs" if year in (None, 2000) else FK5(equinox=f"{letter or 'J'}{year:g}")
    old = {} if year is None else {"equinox": _time(letter, year)}
    if name in ("fk4", "fk4noe") and (year is None or year < _FIRST_OF_FK5):
        letter, observed = _readable_year(epoch)
        seen = {} if observed is None else {"obstime": _time(letter, observed)}
        return (FK4 if name == "fk4" else FK4NoETerms)(**{"equinox": "B1950", **old, **seen})
    if (maker := _WITHOUT_YEAR.get(name)) is not None:
        return maker(old)
    raise Unclear(f"the frame is {system!r}" + (f", the equinox {equinox!r}" if year else ""))


_WITHOUT_YEAR: dict[str, Callable[[dict], BaseCoordinateFrame]] = {
    **dict.fromkeys(("galactic", "gal", "galacticii", "genericgalactic"), lambda _: Galactic()),
    **dict.fromkeys(("supergalactic", "supergal"), lambda _: Supergalactic()),
    **dict.fromkeys(("ecliptic", "eclfk5", "ecl"), lambda old: BarycentricMeanEcliptic(**old)),
    "eclfk4": lambda old: BarycentricMeanEcliptic(**{"equinox": "B1950", **old}),
}


def _readable_year(epoch: object) -> tuple[str, float | None]:
    try:
        return _year(epoch)
    except Unclear:
        return "", None
