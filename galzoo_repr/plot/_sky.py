"""The galaxies of a catalogue on the sky: all of it, or the part where they are."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.catalogue import as_table, sky_positions
from galzoo_repr.images import typeset
from galzoo_repr.plot._axes import annotate_missing, axes_for, draw_points, grey, halo
from galzoo_repr.plot._colours import read_colouring
from galzoo_repr.plot._mollweide import HALF_WIDTH, mollweide, right_ascensions
from galzoo_repr.plot._plane import Bounds, PlanePoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["sky"]

_WHOLE = 60.0  # degrees; galaxies that are further apart are shown on the whole sky
_UNEQUAL = 2.0  # times that a degree of right ascension may be longer in one place of a map than in another
_POLAR = 85.0  # degrees of declination from which on right ascension is no measure of length
_LEAST = 1 / 60  # degrees around galaxies all of which are in one place
_ROOM = 0.04  # of the extent of the galaxies, around them
_TICKS, _INCHES = 5, 0.8  # ticks at most, and what each takes at least
_ROOM_FOR_DEGREES = 24  # points
_NARROWEST = 1 / 3  # of the longer side of a map


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
    column or the class that most are of. Around a pole, where right ascension is no measure of length, axes are offsets
    to the east and the north of the middle of the galaxies, at their true distance from it.

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
    centre = None if whole else _middle_near_a_pole(ra[positions.valid], dec[positions.valid])
    if whole:
        x, y = mollweide(ra, dec)
    else:
        x, y = (ra, dec) if centre is None else _offsets(ra, dec, centre)
    points = PlanePoints(x, y)
    ax = axes_for(ax, size=(8, 4.4) if whole else (6.4, 5.2), fixed=True)
    ax.set_aspect(1.0)
    bounds = _whole_sky(ax) if whole else _part_of_sky(ax, x[points.rows], y[points.rows], centre)
    draw_points(ax, points, x, y, colouring, bounds)
    ax.set(xlim=bounds[:2] if whole else (bounds[1], bounds[0]), ylim=bounds[2:])
    annotate_missing(ax, len(points), len(table), "have no position")
    return ax


def _middle_near_a_pole(ra: np.ndarray, dec: np.ndarray) -> SkyCoord | None:
    """Middle of galaxies so close to a pole that right ascension and declination make no map; else None."""
    lengths = np.cos(np.radians([dec.min(), dec.max()]))
    if lengths.max() <= _UNEQUAL * lengths.min() and np.abs(dec).max() < _POLAR:
        return None
    middle = SkyCoord(ra, dec, unit="deg").cartesian.mean()
    middle = SkyCoord(middle, frame="icrs", representation_type="cartesian").spherical
    return SkyCoord(middle.lon, middle.lat)


def _offsets(ra: np.ndarray, dec: np.ndarray, centre: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
    """Degrees to the east and north of a centre, at the true distance from it (zenithal equidistant)."""
    places = SkyCoord(ra, dec, unit="deg")
    angle, distance = centre.position_angle(places), centre.separation(places).deg
    return distance * np.sin(angle).value, distance * np.cos(angle).value


def _part_of_sky(ax: "Axes", x: np.ndarray, y: np.ndarray, centre: SkyCoord | None) -> Bounds:
    """Label the axes of a map, on which degrees are as long in both directions, and which is no narrow strip."""
    middles = np.array([(of.min() + of.max()) / 2 for of in (x, y)])
    if centre is None:
        shrunk = np.array([np.cos(np.radians(middles[1])), 1.0])
        ax.set(xlabel="right ascension [deg]", ylabel="declination [deg]")
    else:
        shrunk = np.ones(2)
        ax.set(
            xlabel=f"east of {typeset(centre.to_string('hmsdms', precision=0))} [deg]",
            ylabel="north of it [deg]",
        )
    halves = np.array([np.ptp(x), np.ptp(y)]) / 2 * shrunk
    longest = halves.max() or _LEAST / 2
    halves = (1 + _ROOM) * np.maximum(halves, _NARROWEST * longest) / shrunk
    (left, bottom), (right, top) = (middles - halves).tolist(), (middles + halves).tolist()
    ax.set(aspect=1 / shrunk[0], xlim=(right, left), ylim=(bottom, top))
    _write_degrees(ax.xaxis, turns=centre is None)
    _write_degrees(ax.yaxis)
    return left, right, bottom, top


def _write_degrees(axis: "Axis", *, turns: bool = False) -> None:
    """Write the ticks of an axis with as many decimals as tell them apart; right ascensions from 0 to 360."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def text(value: float, _: object = None) -> str:
        steps = np.diff(axis.get_majorticklocs())
        step = abs(steps[0]) if len(steps) else 1.0
        decimals = next((d for d in range(9) if abs(round(step, d) - step) < 1e-3 * step), 9)
        # Across 0 h they are negative on one side.
        value = round(value % 360.0, decimals) % 360.0 if turns else value
        return axis.get_major_formatter().fix_minus(f"{value:z.{decimals}f}")

    inches = axis.axes.get_window_extent().size.min() / axis.axes.figure.dpi
    axis.set_major_locator(MaxNLocator(int(np.clip(inches / _INCHES, 2, _TICKS)), steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(text))


def _whole_sky(ax: "Axes") -> Bounds:
    """Draw the outline and the lines of the sky, and name them."""
    width, height = 1.04 * HALF_WIDTH, 1.04 * HALF_WIDTH / 2
    ax.set(xlim=(-width, width), ylim=(-height, height), xticks=[], yticks=[])
    ax.set(xlabel="right ascension", ylabel="declination", frame_on=False)
    ax.yaxis.labelpad = _ROOM_FOR_DEGREES
    along = np.linspace(-90, 90, 181)
    # Right ascension 360 would be wrapped to 0.
    for ra in (0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 359.999999):
        edge = ra in (0.0, 359.999999)
        x, y = mollweide(np.full(len(along), ra), along)
        ax.plot(x, y, color=grey(ax, 0.5 if edge else 0.2), lw=1 if edge else 0.6, zorder=0)
        if not edge:
            _write(ax, f"{ra / 15:g}h", mollweide(ra, 0), va="center", ha="center")
    for dec in (-60.0, -30.0, 0.0, 30.0, 60.0):
        x, y = mollweide(np.array([0.0, 359.999999]), np.full(2, dec))
        ax.plot(x, y, color=grey(ax, 0.2), lw=0.6, zorder=0)
        _write(ax, typeset(f"{dec:+g}°" if dec else "0°"), (x.min() - 0.1, y[0]), ha="right", va="center")
    return -width, width, -height, height


def _write(ax: "Axes", text: str, place: tuple[float, float], **options: str) -> None:
    """Write small text that can be read where galaxies lie below it."""
    ground = {"boxstyle": "round,pad=0.15", "facecolor": grey(ax, 0), "alpha": 0.85, "linewidth": 0}
    ax.annotate(
        *(text, place),
        fontsize="small",
        color=grey(ax, 0.9),
        zorder=5,
        path_effects=[halo(ax)],
        bbox=ground,
        **options,
    )
