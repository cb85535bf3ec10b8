"""The flux scale of an image: what one unit of its pixels is, and the factor that makes nanomaggies of it."""

import hashlib
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from astropy import units as u

from galzoo_repr.exceptions import GalzooWarning

__all__ = ["REFERENCE_SCALE", "flux_factors", "scaled_key"]

REFERENCE_SCALE = 0.262
"""Arcsec: the stretches take nanomaggies per pixel of this size, the native one of the Legacy Surveys."""
_ZERO_POINT = 22.5
"""AB magnitude of a nanomaggy, which is 3631 nJy (https://www.legacysurvey.org/dr10/description)."""
_NANOMAGGY = 3631 * u.nJy
_NANOMAGGY_NAMES = re.compile(r"nano ?magg(y|ies)|nmg(g)?y", re.IGNORECASE)
# Units of detectors, which tell a flux only together with a zero point.
_COUNTS = re.compile(
    r"(counts?|cts?|dn|adu|data ?units?|electrons?|e-?|ph(otons?)?)( *(/ *|per )s(ec(ond)?)?| s-1| s\^-1)?",
    re.IGNORECASE,
)
_PREFIXES = {"nano": "n", "micro": "u", "milli": "m", "mega": "M"}
_LONG_PREFIX = re.compile(r"\b(nano|micro|milli|mega)[ -]?(?:Jy|Janskys?)\b", re.IGNORECASE)
_NO_UNIT = frozenset({"", "none", "n/a", "unknown", "dimensionless"})
# Keywords in use for the magnitude of one count: DES, CFHT, ESO and others.
_ZERO_POINT_KEYWORDS = (
    "MAGZERO",
    "MAGZPT",
    "MAGZP",
    "ZEROPNT",
    "PHOTZP",
    "PHOTZPT",
    "ZP",
    "MAG_ZERO",
    "SA_ZP",
)
# Files of the viewer at legacysurvey.org that are nanomaggies per pixel of another size (legacysurvey/imagine,
# map/views.py, populate_fits_cutout_header); they have no unit, but name their survey. Arcsec.
_VIEWER_PIXELS = {"SDSS": 0.396, "DES": 0.263, "PS1": 0.25}
# Keywords that name the system of magnitudes, or the survey; images of WISE and 2MASS say no more than that.
_MAGNITUDE_SYSTEM = ("MAGSYS", "PHOTSYS", "TELESCOP", "ORIGIN")
_PER_SECOND = re.compile(r"(/|per) *s|s *(-1|\^-1)", re.IGNORECASE)
_NO_FLUX = "which is no flux per frequency"
_SAME_FLUX = 0.01
_SAME_MAGNITUDE = 0.01

Header = Mapping[str, object]


def flux_factors(
    header: Header, declared: Sequence[float] | None = None, *, any_scale: bool = False
) -> tuple[float, ...]:
    """
    What to multiply the planes of a FITS image by to have nanomaggies per pixel of 0.262 arcsec.

    Parameters
    ----------
    header : mapping of str
        Cards of the image.
    declared : sequence of float, optional
        Factors that the survey says, one for all planes or one for each; by default what the header says: the
        unit ``BUNIT`` (a flux or a surface brightness), else a zero point such as ``MAGZERO``, taken as AB, else the
        ``SURVEY`` in files of the viewer, else nanomaggies per pixel of 0.262 arcsec, which files of the Legacy
        Surveys hold without saying so.
    any_scale : bool
        Leave an image as it is where its scale is unknown.

    Returns
    -------
    tuple of float
        One for all planes, or as many as were declared.

    Raises
    ------
    ValueError
        If the unit is none of flux and there is no zero point, or is another one than declared.

    Warns
    -----
    GalzooWarning
        Once for each case, if the header has another zero point than declared, or counts where nanomaggies are; what
        is declared then holds.

    Notes
    -----
    A flux per pixel is brought from the size of its own pixels, by the grid in the header, to that of 0.262 arcsec.

    Examples
    --------
    >>> from galzoo_repr.images._flux import flux_factors
    >>> flux_factors({"BUNIT": "nanomaggy"})
    (1.0,)
    >>> [round(one, 6) for one in flux_factors({"BUNIT": "nJy", "MAGZERO": "31.4"})]
    [0.000275]
    """
    unit = str(header.get("BUNIT", "")).strip()
    own, is_brightness, why_not = _of_unit(unit)
    zero_point = _zero_point(header)
    if _NO_FLUX in why_not:
        # A zero point is of counts.
        zero_point = None
    elif zero_point is not None and _is_vega(header):
        why_not, zero_point = "the zero point in the header is in magnitudes of Vega, not AB", None
    if declared is not None:
        factors = tuple(float(one) for one in declared)
        if own is not None and not _agrees(own, factors, header, is_brightness):
            raise ValueError(
                f"the file has BUNIT {unit!r}, but its survey is said to have {_words(factors)} in one count: say "
                "which is right by zero_point="
            )
        if why_not and zero_point is None and set(factors) == {1.0}:
            _warn_once(
                f"{why_not}, but its survey is said to have nanomaggies; give zero_point= if it has not"
            )
        _compare(zero_point, factors, header)
        return factors
    if own is None and zero_point is not None:
        own = 10 ** (0.4 * (_ZERO_POINT - zero_point))
    if own is None and not why_not and {"IMAGEW", "BANDS"} <= set(header):
        pixel = _VIEWER_PIXELS.get(str(header.get("SURVEY", "")).strip(), REFERENCE_SCALE)
        return ((REFERENCE_SCALE / pixel) ** 2,)
    if own is None and (any_scale or not why_not):
        return (1.0,)
    if own is None:
        raise ValueError(f"{why_not}, and the header has no zero point in AB that is of use, such as MAGZERO")
    return (own if is_brightness else own * _area(header),)


def scaled_key(key: bytes, factors: Sequence[float] | None) -> bytes:
    """Key of a picture that is read with a flux scale of its own: other factors, other key."""
    if not key or factors is None or all(one == 1 for one in factors):
        return key
    return hashlib.sha256(key + np.asarray(factors, "<f8").tobytes()).digest()[: len(key)]


@cache
def _of_unit(unit: str) -> tuple[float | None, bool, str]:
    """Nanomaggies in one unit, whether it is of surface brightness, and why it tells nothing."""
    bare = re.sub(r"\s*(/|per )\s*pix(el)?$", "", unit, flags=re.IGNORECASE).strip()
    if bare.lower() in _NO_UNIT:
        return None, False, ""
    if _NANOMAGGY_NAMES.fullmatch(bare):
        return 1.0, False, ""
    if _COUNTS.fullmatch(bare):
        return None, False, f"the file has BUNIT {unit!r}, counts whose flux is unknown"
    try:
        one = u.Quantity(1, u.Unit(_LONG_PREFIX.sub(lambda found: _PREFIXES[found[1].lower()] + "Jy", bare)))
    except (ValueError, TypeError, u.UnitsWarning):
        return None, False, f"the file has BUNIT {unit!r}, which is no known unit"
    if one.unit.is_equivalent(u.mgy):
        return one.to_value(u.nmgy), False, ""
    if one.unit.is_equivalent(u.Jy):
        return float((one / _NANOMAGGY).to_value(u.dimensionless_unscaled)), False, ""
    if one.unit.is_equivalent(u.Jy / u.sr):
        square = (REFERENCE_SCALE * u.arcsec) ** 2
        return float((one * square / _NANOMAGGY).to_value(u.dimensionless_unscaled)), True, ""
    return None, False, f"the file has BUNIT {unit!r}, {_NO_FLUX}"


def _zero_point(header: Header) -> float | None:
    for keyword in _ZERO_POINT_KEYWORDS:
        value = _number(header.get(keyword))
        if value is not None and 0 < value < 60:
            return value
    sensitivity, pivot = (_number(header.get(keyword)) for keyword in ("PHOTFLAM", "PHOTPLAM"))
    if sensitivity and pivot and sensitivity > 0 and pivot > 0:
        # Hubble's, https://www.stsci.edu/hst/instrumentation/acs/data-analysis/zeropoints, of counts per second.
        seconds = (
            1.0 if _PER_SECOND.search(str(header.get("BUNIT") or "/s")) else _number(header.get("EXPTIME"))
        )
        if seconds and seconds > 0:
            return 2.5 * math.log10(seconds / sensitivity) - 5 * math.log10(pivot) - 2.408
    return None


def _is_vega(header: Header) -> bool:
    """Whether magnitudes are said to be of Vega, or are of a survey whose are."""
    said = (str(header.get(keyword, "")).strip().upper() for keyword in _MAGNITUDE_SYSTEM)
    return any(one.startswith(("VEGA", "WISE", "2MASS")) for one in said)


def _number(value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(str(value).replace("D", "E"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _area(header: Header) -> float:
    """Area of a pixel of 0.262 arcsec over that of a pixel of the image; 1 where the header has no grid."""
    cd = [_number(header.get(f"CD{i}_{j}")) or 0.0 for i, j in ((1, 1), (1, 2), (2, 1), (2, 2))]
    square = abs(cd[0] * cd[3] - cd[1] * cd[2])
    if not square:
        square = abs((_number(header.get("CDELT1")) or 0.0) * (_number(header.get("CDELT2")) or 0.0))
    if not square or not str(header.get("CTYPE1", "")).startswith(("RA", "DEC", "GLON", "GLAT", "ELON")):
        return 1.0
    area = (REFERENCE_SCALE / 3600) ** 2 / square
    # Grids of 0.262 arcsec are written with few digits.
    return 1.0 if math.isclose(area, 1, rel_tol=2e-3) else area


def _agrees(own: float, factors: tuple[float, ...], header: Header, is_brightness: bool) -> bool:
    """Whether the unit of a file allows what is declared: as it is, or per pixel of the file."""
    allowed = (own,) if is_brightness else (own, own * _area(header))
    return any(all(math.isclose(one, other, rel_tol=_SAME_FLUX) for one in factors) for other in allowed)


def _compare(zero_point: float | None, factors: tuple[float, ...], header: Header) -> None:
    """Say where the zero point in a header is another one than declared."""
    if zero_point is None:
        return
    area = _area(header)
    said = [_ZERO_POINT - 2.5 * math.log10(one) for one in factors if one > 0]
    shift = 2.5 * math.log10(area)
    if not any(abs(one - zero_point) <= _SAME_MAGNITUDE for own in said for one in (own, own + shift)):
        taken = round(said[0], 3) if said else math.nan
        _warn_once(
            f"images of a survey whose zero point is taken as {taken:g} have {zero_point:g} in their headers; give "
            f"zero_point={zero_point:g} to the survey if that is right"
        )


@cache
def _warn_once(words: str) -> None:
    warnings.warn(words, GalzooWarning, stacklevel=2)


def _words(factors: tuple[float, ...]) -> str:
    return ", ".join(f"{one:.4g}" for one in dict.fromkeys(factors)) + " nanomaggies"
