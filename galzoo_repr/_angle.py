"""Angles and their units as people write them, in arguments, at the shell and in the headers of catalogues."""

import re
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column
from astropy.utils.masked import Masked

__all__ = ["AngleLike", "angle_unit", "read_angle"]

#: What is taken for an angle: with a unit, or text that has one.
AngleLike = u.Quantity | Column | str

# Spellings that astropy does not know, in lower case and without blanks, quotes and brackets.
_SPELLINGS = {
    u.deg: "d ddeg deg degr degs degree degrees degreesnorth degreeseast decimaldegree decimaldegrees "
    "degdecimal degreesdecimal ° º dms d:m:s dd:mm:ss deg:min:sec ddmmss",
    u.hourangle: "h hr hrs hour hours decimalhours hourangle hms h:m:s hh:mm:ss hour:min:sec hours:min:sec hhmmss",
    u.rad: "rad rads radian radians",
    u.arcmin: "arcmin arcmins arcminute arcminutes amin minarc minuteofarc minutesofarc ' ′ ’",
    u.arcsec: "arcsec arcsecs arcsecond arcseconds asec secarc secondofarc secondsofarc \" ″ ” '' ′′ ’’",
    u.mas: "mas marcsec milliarcsec milliarcsecs milliarcsecond milliarcseconds",
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
# What some write behind a unit: the frame or the equinox, with or without brackets. For astropy, "deg J2000" is
# "J2000 deg", an angle times an energy.
_REMARK = re.compile(
    r"(?<=\w)\s*(?:[(\[{,;].*|\b(?:[jb]?(?:2000|19\d\d)(?:\.0*)?|icrs|fk[45]|equinox|epoch)\b.*)"
)
_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\D.*?)\s*")


def angle_unit(text: str) -> u.UnitBase | None:
    """
    Find the unit of angle that a text means, however it is spelled; None where it means none.

    Examples
    --------
    >>> from galzoo_repr._angle import angle_unit
    >>> angle_unit("DEG."), angle_unit("[deg]"), angle_unit("Radians"), angle_unit("kg")
    (Unit("deg"), Unit("deg"), Unit("rad"), None)
    """
    plain = text.strip()
    if plain not in _UNITS:  # a quote by itself is a unit
        plain = plain.strip("\"'`[](){} ").lower().replace("_", " ")
        plain = re.sub(r"^(?:ang|angle|unit|[jb](?:2000|1950))[.:=\s\[(]+", "", plain)
        plain = re.sub(r"[\s-]+", "", _REMARK.sub("", plain)).strip("\"'[](){}.")
    if plain in _UNITS:
        return _UNITS[plain]
    try:
        unit = u.Unit(text)
    except (ValueError, TypeError):
        return None
    return unit if unit.is_equivalent(u.deg) else None


def read_angle(
    value: AngleLike | Sequence[AngleLike], name: str, *, example: str = "30 arcsec"
) -> u.Quantity:
    """
    Read an angle, or several, given as an argument; numbers alone are refused.

    Parameters
    ----------
    value : `~astropy.units.Quantity`, `~astropy.table.Column` with a unit, or str
        Such as ``30 * u.arcsec``, ``"30 arcsec"``, ``'30"'``, ``"0.5 arcmin"`` or ``"1d30m"``; or a list of these.
    name : str
        Name of the argument, for messages.
    example : str, optional
        What an angle might be here, for messages.

    Returns
    -------
    `~astropy.units.Quantity`

    Raises
    ------
    TypeError
        If it is a number without a unit, or something else.
    ValueError
        If it is text that is no angle.

    Examples
    --------
    >>> from galzoo_repr._angle import read_angle
    >>> read_angle("0.5'", "fov").to("arcsec")
    <Quantity 30. arcsec>
    """
    if isinstance(value, str | bytes):
        angle = _from_text(value if isinstance(value, str) else value.decode("latin1"))
        if angle is None:
            raise ValueError(f"{name} must be an angle with its unit, such as '{example}', not {value!r}")
        return angle
    if isinstance(value, list | tuple) and value:
        return u.Quantity([read_angle(one, name, example=example) for one in value])
    if isinstance(value, u.Quantity) and value.unit.is_equivalent(u.deg):
        return value
    is_column = isinstance(value, Column) and value.unit is not None and value.dtype.kind in "fiu"
    if is_column and (unit := _no_time(str(value.unit))):
        values = np.asarray(np.ma.getdata(value)) * unit
        return Masked(values, mask=np.ma.getmaskarray(value)) if np.ma.is_masked(value) else values
    number, unit = example.split()
    raise TypeError(
        f"{name} must be an angle with its unit, such as {number} * u.{unit} or '{example}', not {value!r}"
    )


def _no_time(text: str) -> u.UnitBase | None:
    """Unit of angle of an argument, where hours are of time unless they are called hourangle."""
    unit = angle_unit(text)
    return None if unit == u.hourangle and "angle" not in text.lower() else unit


def _from_text(text: str) -> u.Quantity | None:
    """Angle out of text, None where it is none."""
    if (match := _NUMBER_AND_UNIT.fullmatch(text)) and (unit := _no_time(match[2])):
        return float(match[1]) * unit
    if re.search(r"\d\s*[d°'′]\s*\d", text):  # 1d30m, 1°30′, 1'30"
        plain = text.strip().replace("′", "'").replace("″", '"')
        try:  # astropy wants degrees before minutes
            return u.Quantity(Angle(plain if re.search("[d°]", plain) else f"0°{plain}"))
        except (ValueError, TypeError):
            pass
    return None
