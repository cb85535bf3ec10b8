"""Columns of angles, in whatever form catalogues hold them, become degrees and a reason for each bad row."""

import re
import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, IllegalSecondWarning
from astropy.table import Column

from galzoo_repr._angle import angle_unit
from galzoo_repr.catalogue._cells import NUMBER, text_of, values_and_mask
from galzoo_repr.catalogue._columns import one_per_row
from galzoo_repr.catalogue._missing import means_no_value

__all__ = ["are_bare_numbers", "column_degrees", "name_and_unit"]

MASKED = "masked"
MISSING = "missing"
NOT_FINITE = "not a finite number"

# What catalogues write in place of a unit.
_NO_UNIT = {"", "-", "--", "---", "none", "null", "n/a", "unitless", "dimensionless"}

# A unit in the name of a column, as tables have it whose format knows no units: "RA (deg)", "ra_hours", "dec [rad]".
_NAME_WITH_UNIT = re.compile(
    r"(.+?)(?:[\s_]*[(\[]\s*([^)\]]+?)\s*[)\]]|[_ ](deg|degrees?|hours?|hrs?|rad|radians?))", re.IGNORECASE
)

_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d{1,3})\s*([hd:°\s])\s*(\d{1,2})(?:\s*[m:'′\s]\s*(\d{1,2}(?:\.\d*)?)\s*(?:s|\"|″|'')?|\s*[m'′]?)"
)


def column_degrees(
    column: Column | u.Quantity | np.ndarray, name: str, *, hours: bool
) -> tuple[np.ndarray, dict[int, str]]:
    """
    Convert one column of angles to degrees.

    Parameters
    ----------
    column : `~astropy.table.Column`, `~astropy.units.Quantity` or `~numpy.ndarray`
        One angle per row: numbers (degrees unless a unit, or one in the name, says otherwise) or text. Text with
        several fields is sexagesimal; text that is a single number is read like a number.
    name : str
        Name of the column, for messages.
    hours : bool
        Whether sexagesimal text counts hours (right ascension) rather than degrees (declination). An
        ``h`` or ``d`` within the text, or a unit of degrees on the column, overrides this.

    Returns
    -------
    degrees : `~numpy.ndarray`
        float64, shape (n,), NaN where there is no finite angle.
    reasons : dict
        Row number to what is wrong with it, for every row that is NaN.

    Raises
    ------
    ValueError
        If the column is not one angle per row, or its unit is not one of angle.
    """
    values, mask = values_and_mask(one_per_row(column))
    if values.ndim != 1:
        raise ValueError(
            f"column {name!r} has shape {values.shape}; a position needs one number or text per row"
        )
    unit = _angle_unit(getattr(column, "unit", None), name)
    number_unit = unit or name_and_unit(name)[1]
    if values.dtype.kind in "iuf":
        degrees = values.astype(np.float64)
        if number_unit is not None:
            degrees = (degrees * number_unit).to_value(u.deg)
        reasons = {}
    elif values.dtype.kind in "USO":
        degrees, reasons = _text_degrees(values, mask, unit, number_unit, hours=hours)
    else:
        raise ValueError(
            f"column {name!r} has dtype {values.dtype}; a position is numbers (degrees, or with a unit) or "
            "sexagesimal text"
        )
    bad = ~np.isfinite(degrees)
    degrees[bad | mask] = np.nan
    for row in np.flatnonzero(bad):
        reasons.setdefault(int(row), NOT_FINITE)
    reasons.update(dict.fromkeys(np.flatnonzero(mask).tolist(), MASKED))
    return degrees, reasons


def _angle_unit(unit: u.UnitBase | None, name: str) -> u.UnitBase | None:
    """Find the unit in which the numbers of a column are angles, None when it has no unit."""
    if unit is None:
        return None
    if (found := angle_unit(str(unit))) is None:
        if str(unit).strip("\"'[]() ").lower() in _NO_UNIT:
            return None
        raise ValueError(
            f"column {name!r} has unit {str(unit)!r}, which is not one of angle; "
            "set its unit to deg, rad or hourangle"
        )
    return found


def are_bare_numbers(column: Column | u.Quantity | np.ndarray, name: str) -> bool:
    """Whether a column holds numbers, as such or as text, and says nothing of their unit."""
    if (_angle_unit(getattr(column, "unit", None), name) or name_and_unit(name)[1]) is not None:
        return False
    if column.dtype.kind in "iuf":
        return True
    first = (text_of(value).strip() for value in np.asarray(np.ma.getdata(column)[:20]).tolist())
    told = [text for text in first if not means_no_value(text)]
    return bool(told) and all(map(NUMBER.fullmatch, told))


def name_and_unit(name: str) -> tuple[str, u.UnitBase | None]:
    """Part a name such as "RA (deg)" into itself and the unit of angle that is in it, None where there is none."""
    if match := _NAME_WITH_UNIT.fullmatch(name.strip()):
        unit = angle_unit(match[2] or match[3])
        return (match[1], unit) if unit is not None else (name, None)
    return name, None


def _text_degrees(
    values: np.ndarray,
    mask: np.ndarray,
    unit: u.UnitBase | None,
    number_unit: u.UnitBase | None,
    *,
    hours: bool,
) -> tuple[np.ndarray, dict[int, str]]:
    """Degrees of text, or of a mix of numbers and text, row by row."""
    number_factor = (1.0 * (number_unit or u.deg)).to_value(u.deg)
    colon_factor = 15.0 if hours and unit in (None, u.hourangle) else 1.0
    degrees = [np.nan] * len(values)
    reasons: dict[int, str] = {}
    for row, (value, masked) in enumerate(zip(values.tolist(), mask.tolist(), strict=True)):
        if masked:
            continue
        if type(value) in (float, int) and value == value:
            degrees[row] = value * number_factor
            continue
        text = (value if type(value) is str else text_of(value)).strip().replace("−", "-")
        try:
            if NUMBER.fullmatch(text):
                degrees[row] = float(text) * number_factor
            elif match := _SEXAGESIMAL.fullmatch(text):
                degrees[row] = _sexagesimal_degrees(match, colon_factor)
            elif means_no_value(text):  # so are Python's None and nan within a column of objects
                reasons[row] = MISSING
            else:
                degrees[row] = _degrees_by_astropy(text, u.hourangle if colon_factor == 15.0 else u.deg)
        except ValueError as error:
            reasons[row] = str(error)
    return np.array(degrees, dtype=np.float64), reasons


def _sexagesimal_degrees(match: re.Match, colon_factor: float) -> float:
    """Degrees of one sexagesimal text of the common form; astropy judges what is of another."""
    sign, whole, separator, minutes, seconds = match.groups()
    minutes, seconds = int(minutes), float(seconds or 0)
    # Rounded catalogues do write 60 seconds; astropy reads them as the next minute, and so do we.
    if minutes >= 60 or seconds > 60:
        raise ValueError(f"cannot read {match[0]!r} as an angle: minutes and seconds go to 60")
    factor = {"h": 15.0, "d": 1.0, "°": 1.0}.get(separator, colon_factor)
    degrees = factor * (int(whole) + minutes / 60 + seconds / 3600)
    return -degrees if sign == "-" else degrees


def _degrees_by_astropy(text: str, unit: u.UnitBase) -> float:
    # Without a leading number astropy's parser, slow to fail, has nothing to find.
    if re.match(r"[+-]?\s*\.?\d", text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", IllegalSecondWarning)
                return float(Angle(text, unit=unit).deg)
        except (ValueError, TypeError):
            pass
    raise ValueError(f"cannot read {text!r} as an angle")
