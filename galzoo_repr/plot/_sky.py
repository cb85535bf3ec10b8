"""The galaxies of a catalogue on the sky: all of it, or the part where they are."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.catalogue import as_table, sky_positions
from galzoo_repr.plot._axes import annotate_missing, axes_for, draw_points
from galzoo_repr.plot._colours import read_colouring
from galzoo_repr.plot._mollweide import HALF_WIDTH, mollweide, right_ascensions
from galzoo_repr.plot._plane import PlanePoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["sky"]

_WHOLE = 60.0  # degrees; galaxies that are further apart are shown on the whole sky


def sky(
    table: Table | SkyCoord,
    *,
    colour: str | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    whole: bool | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """
    Draw where galaxies are on the sky, north up and east left, in ICRS.

    Up to 50,000 galaxies are points. Of more, each cell shows how many there are, or with ``colour`` the mean of the
    column or the class that most are of.

    Parameters
    ----------
    table : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        Catalogue with positions.
    colour : str, optional
        Column to colour by, of numbers, booleans or words. Galaxies without a value are grey.
    coords : str, tuple of str or `~astropy.coordinates.SkyCoord`, optional
        Where the positions are, when the columns have unusual names.
    whole : bool, optional
        Draw the whole sky in Mollweide's projection, or the part where the galaxies are; by default the whole sky if
        they are more than 60 degrees apart.
    ax : matplotlib.axes.Axes, optional
        Where to draw, on plain axes; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        In degrees, or of the whole sky, as `galzoo_repr.plot.mollweide` gives it.

    Raises
    ------
    TypeError, ValueError
        If there are no positions or no such column, or ``ax`` is something else.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> axes = gzr.plot.sky(Table({"ra": [359.9, 0.2], "dec": [1.0, 1.1]}))
    >>> axes.get_xlabel(), bool(axes.xaxis_inverted())
    ('right ascension [deg]', True)
    """
    table = as_table(table, copy=False)
    colouring = None if colour is None else read_colouring(table, colour)
    positions = sky_positions(table, coords=coords)
    if not positions.valid.any():
        raise ValueError(
            f"there is nothing to draw: no galaxy has a usable position ({next(iter(positions.reason), 'no rows')})"
        )
    ra, dec = positions.ra.copy(), positions.dec
    ra[positions.valid] = right_ascensions(ra[positions.valid])
    if whole is None:
        width = np.ptp(ra[positions.valid]) * np.cos(np.radians(np.abs(dec[positions.valid]).min()))
        whole = bool(max(width, np.ptp(dec[positions.valid])) > _WHOLE)
    if getattr(ax, "name", "rectilinear") != "rectilinear":
        raise ValueError(
            f"ax has the projection {ax.name!r}; give plain axes, on which the sky is projected here"
        )
    x, y = mollweide(ra, dec) if whole else (ra, dec)
    points = PlanePoints(x, y)
    ax = axes_for(ax, size=(8, 4.4) if whole else (6.4, 5.2))
    bounds = _whole_sky(ax) if whole else _part_of_sky(ax, points)
    aspect = 1.0 if whole else 1 / np.cos(np.radians(_middle(bounds)))
    ax.set_aspect(aspect)
    draw_points(ax, points, x, y, colouring, bounds)
    ax.set(aspect=aspect, xlim=bounds[:2] if whole else (bounds[1], bounds[0]), ylim=bounds[2:])
    annotate_missing(ax, len(points), len(table), "have no position")
    return ax


def _middle(bounds: tuple[float, float, float, float]) -> float:
    """Declination of the middle of a view, away from the poles, where right ascension has no length."""
    return float(np.clip((bounds[2] + bounds[3]) / 2, -85, 85))


def _part_of_sky(ax: "Axes", points: PlanePoints) -> tuple[float, float, float, float]:
    bounds = points.bounds
    ax.set(xlabel="right ascension [deg]", ylabel="declination [deg]")
    # Across 0 h they are negative on one side.
    ax.xaxis.set_major_formatter(lambda value, _: f"{round(value % 360.0, 6):g}")
    return bounds


def _whole_sky(ax: "Axes") -> tuple[float, float, float, float]:
    """Draw the outline and the lines of the sky, and name them."""
    width, height = 1.04 * HALF_WIDTH, 1.04 * HALF_WIDTH / 2
    ax.set(xlim=(-width, width), ylim=(-height, height))
    ax.set_axis_off()
    along = np.linspace(-90, 90, 181)
    # Right ascension 360 would be wrapped to 0.
    for ra in (0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 359.999999):
        edge = ra in (0.0, 359.999999)
        x, y = mollweide(np.full(len(along), ra), along)
        ax.plot(x, y, color="0.5" if edge else "0.85", lw=1 if edge else 0.6, zorder=0)
        if not edge:
            ax.annotate(f"{ra / 15:g}h", mollweide(ra, 0), ha="center", va="bottom", **_on_top())
    for dec in (-60.0, -30.0, 0.0, 30.0, 60.0):
        x, y = mollweide(np.array([0.0, 359.999999]), np.full(2, dec))
        ax.plot(x, y, color="0.85", lw=0.6, zorder=0)
        ax.annotate(
            f"{dec:+g}°" if dec else "0°", (x.min() - 0.1, y[0]), ha="right", va="center", **_on_top()
        )
    return -width, width, -height, height


def _on_top() -> dict[str, object]:
    """Small text that can be read where galaxies lie below it."""
    from matplotlib.patheffects import withStroke

    edge = withStroke(linewidth=2.5, foreground="white")
    return {"fontsize": "small", "color": "0.25", "zorder": 5, "path_effects": [edge]}
