"""Columns of angles, in whatever form catalogues hold them, become degrees and a reason for each bad row."""

import re
import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, IllegalSecondWarning
from astropy.table import Column
from astropy.utils.masked import Masked

from galzoo_repr._angle import angle_unit
from galzoo_repr.catalogue._cells import text_of
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

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
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
    values, mask = _split_mask(one_per_row(column))
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


def _split_mask(column: Column | u.Quantity | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask as plain arrays, of any of numpy's and astropy's masked kinds."""
    if isinstance(column, Masked):
        values, mask = np.asarray(column.unmasked), np.asarray(column.mask)
    else:
        values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
        values = np.asarray(values.value if isinstance(values, u.Quantity) else values)
    return values, np.array(mask)


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
    return bool(told) and all(map(_NUMBER.fullmatch, told))


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
    degrees = np.full(len(values), np.nan)
    reasons: dict[int, str] = {}
    for row, value in enumerate(values.tolist()):
        if mask[row]:
            continue
        text = text_of(value).strip().replace("−", "-")
        # Python's None and nan within a column of objects are missing as well.
        if means_no_value(text):
            reasons[row] = MISSING
            continue
        try:
            if _NUMBER.fullmatch(text):
                degrees[row] = float(text) * number_factor
            else:
                degrees[row] = _sexagesimal_degrees(text, colon_factor)
        except ValueError as error:
            reasons[row] = str(error)
    return degrees, reasons


def _sexagesimal_degrees(text: str, colon_factor: float) -> float:
    """Degrees of one sexagesimal text; astropy judges whatever is not of the common form."""
    match = _SEXAGESIMAL.fullmatch(text)
    if match is None:
        return _degrees_by_astropy(text, u.hourangle if colon_factor == 15.0 else u.deg)
    sign, whole, separator, minutes, seconds = match.groups()
    minutes, seconds = int(minutes), float(seconds or 0)
    # Rounded catalogues do write 60 seconds; astropy reads them as the next minute, and so do we.
    if minutes >= 60 or seconds > 60:
        raise ValueError(f"cannot read {text!r} as an angle: minutes and seconds go to 60")
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
