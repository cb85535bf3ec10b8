"""The field of view of each galaxy, from the radii in its catalogue."""

from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike, angle_unit, read_angle
from galzoo_repr._arguments import check_column
from galzoo_repr.catalogue import one_per_row

__all__ = [
    "RADIUS_COLUMNS",
    "checked_fov",
    "fields_by_radius",
    "galaxy_zoo_fields",
    "radius_columns",
    "size_and_scale",
]

# Names, in lower case and in the order of preference, of columns with the radii that hold 50 % and 90 % of
# the light: NASA-Sloan Atlas, SDSS, common short names; then half-light radii of fitted models (Tractor and
# others).
RADIUS_COLUMNS = (
    ("petro_th50", "petro_th90"),
    ("petrotheta50", "petrotheta90"),
    ("petror50_r", "petror90_r"),
    ("petro_r50", "petro_r90"),
    ("petror50", "petror90"),
    ("r50", "r90"),
    ("sersic_th50", ""),
    ("shape_r", ""),
    ("half_light_radius", ""),
    ("halflight_radius", ""),
    ("r_half_light", ""),
    ("r_eff", ""),
    ("reff", ""),
)

# Nominal width in pixels of a Galaxy Zoo DECaLS image, and its scale in arcsec per pixel for a radius of one
# arcsec.
_NOMINAL_WIDTH = 424
_SCALE_PER_R50 = 0.04
_SCALE_PER_R90 = 0.02
_SMALLEST_SCALE = 0.1


def _angles(column: Column | u.Quantity) -> np.ndarray | None:
    """Arcsec of one radius column, NaN where it is masked or not positive; None if it holds no angles."""
    column = one_per_row(column)
    unit = getattr(column, "unit", None)
    unit = u.arcsec if unit is None or unit == u.one else angle_unit(str(unit))
    if column.dtype.kind not in "fiu" or column.ndim != 1 or unit is None:
        return None
    values = np.array(getattr(column, "unmasked", getattr(column, "value", column)), dtype=float)
    values[np.asarray(getattr(column, "mask", False)) | ~(values > 0) | np.isinf(values)] = np.nan
    return values * unit.to(u.arcsec)


def radius_columns(table: Table, names: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray] | None:
    """
    Radii of 50 % and 90 % of the light out of the columns of a catalogue.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue. Names are compared without regard to case, in the order of `RADIUS_COLUMNS`.
    names : sequence of str, optional
        Column of the half-light radius, and of the radius of 90 % where there is one, under other names.

    Returns
    -------
    tuple of numpy.ndarray or None
        Both radii in arcsec, float64 ``(n,)``, NaN where unknown; columns without a unit are arcsec. None
        where the catalogue has no such column.

    Raises
    ------
    ValueError
        If a column of these `names` is not there, or holds no angles.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import radius_columns
    >>> radius_columns(Table({"PETRO_TH50": [3.0, -1.0]}))
    (array([ 3., nan]), array([nan, nan]))
    >>> radius_columns(Table({"my_radius": [3.0, -1.0]}), ["my_radius"])
    (array([ 3., nan]), array([nan, nan]))
    """
    if names is not None:
        return _named_radii(table, names)
    names = {name.lower(): name for name in reversed(table.colnames)}
    for half, most in RADIUS_COLUMNS:
        r50 = _angles(table[names[half]]) if half in names else None
        if r50 is not None:
            r90 = _angles(table[names[most]]) if most in names else None
            return r50, np.full(len(r50), np.nan) if r90 is None else r90
    return None


def _named_radii(table: Table, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(names, str) or not 1 <= len(names) <= 2:
        raise ValueError(
            f"names must be one or two columns, of the radii of 50 % and 90 % of the light, not {names!r}"
        )
    radii = [_angles(table[check_column("names", name, table.colnames)]) for name in names]
    for name, radius in zip(names, radii, strict=True):
        if radius is None:
            raise ValueError(f"column {name!r} holds no radii: they are numbers, in arcsec or another angle")
    return radii[0], radii[1] if len(radii) == 2 else np.full(len(table), np.nan)


def fields_by_radius(table: Table) -> u.Quantity:
    """Field of view of each row by the rule of Galaxy Zoo, ``(n,)`` arcsec; a `ValueError` where there are no radii."""
    radii = radius_columns(table)
    if radii is None:
        names = ", ".join("/".join(filter(None, pair)) for pair in RADIUS_COLUMNS)
        raise ValueError(
            "the catalogue has no column with the radii of galaxies, which decide how wide a field to cut "
            f"out: give fov, such as fov='30 arcsec', or rename the column that has them to one of {names}"
        )
    return galaxy_zoo_fields(*radii)


def galaxy_zoo_fields(r50: np.ndarray, r90: np.ndarray) -> u.Quantity:
    """
    Field of view of Galaxy Zoo DECaLS.

    It is 424 times the larger of 0.1 arcsec and the smaller of 0.04 r50 and 0.02 r90.

    Parameters
    ----------
    r50, r90 : numpy.ndarray
        ``(n,)`` radii in arcsec that hold 50 % and 90 % of the (petrosian) light; NaN where unknown.

    Returns
    -------
    astropy.units.Quantity
        ``(n,)`` arcsec. Where only one radius is known it decides alone; NaN where neither is.

    Notes
    -----
    Galaxy Zoo DECaLS download pipeline (https://github.com/zooniverse/decals; Walmsley et al. 2022, MNRAS
    509, 3966).

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import galaxy_zoo_fields
    >>> galaxy_zoo_fields(np.array([5.0, 1.0]), np.array([9.0, np.nan]))
    <Quantity [76.32, 42.4 ] arcsec>
    """
    scale = np.fmin(_SCALE_PER_R50 * r50, _SCALE_PER_R90 * r90)
    return _NOMINAL_WIDTH * np.maximum(scale, _SMALLEST_SCALE) * u.arcsec


def checked_fov(fov: AngleLike, rows: int) -> u.Quantity:
    """
    Check a field of view given by the user.

    Parameters
    ----------
    fov : astropy.units.Quantity or str or astropy.table.Column
        One angle for all rows, such as ``30 * u.arcsec`` or ``"30 arcsec"``, or one per row.
    rows : int
        Number of rows of the catalogue.

    Returns
    -------
    astropy.units.Quantity
        ``(rows,)`` arcsec; NaN where a row's own angle is not positive and finite.

    Raises
    ------
    TypeError
        If `fov` is not an angle.
    ValueError
        If it is text that is no angle, has the wrong length, or is a single angle that is not positive.
    """
    fov = read_angle(fov, "fov")
    mask = np.asarray(getattr(fov, "mask", False))
    angle = np.array(getattr(fov, "unmasked", fov).to_value(u.arcsec), dtype=float)
    angle[mask | ~(angle > 0) | np.isinf(angle)] = np.nan
    if angle.ndim == 0:
        if np.isnan(angle):
            raise ValueError(f"fov must be positive and finite, not {fov}")
        return np.full(rows, angle) * u.arcsec
    if angle.shape != (rows,):
        raise ValueError(
            f"fov has shape {angle.shape}, but the catalogue has {rows} rows; give one angle, or one a row"
        )
    return angle * u.arcsec


def size_and_scale(fov: AngleLike, native: float, most: int) -> tuple[np.ndarray, u.Quantity]:
    """Pixels on each side of a cutout, at most so many, and their scale; both as `ImageRecipe.request` says."""
    angle = np.asarray(read_angle(fov, "fov").to_value(u.arcsec), dtype=float)
    # The small number keeps 10 native pixels 10, whatever the rounding of the division.
    pixels = np.ceil(angle / native - 1e-9)
    wide = pixels >= most
    scale = np.where(wide, angle / most, native) * u.arcsec
    size = np.where(np.isnan(angle), 0, np.where(wide, most, pixels)).astype(int)
    return (int(size), scale) if angle.ndim == 0 else (size, scale)
