"""The map of a catalogue: its embeddings in two dimensions, coloured by any column."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr.catalogue import as_table, read_cells
from galzoo_repr.plot._axes import annotate_missing, axes_for, axis_label, draw_points
from galzoo_repr.plot._colours import column_label, read_colouring
from galzoo_repr.plot._plane import PlanePoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["map", "map_label", "map_points"]


def map(table: Table, *, colour: str | None = None, name: str = "map", ax: "Axes | None" = None) -> "Axes":
    """
    Draw the map of a catalogue.

    Both axes have one scale. Up to 50,000 galaxies are points. Of more, each cell shows how many there are, or with
    ``colour`` the mean of the column or the class that most are of. The key of the classes stands beside the axes where
    the figure makes room for it (``plt.subplots(layout="constrained")``), else upon them. Colours of numbers run from
    their first to their 99th hundredth; arrows at the ends of the scale say that there are more beyond.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`
        Catalogue with the columns ``map_x`` and ``map_y``, as `galzoo_repr.add_map` adds.
    colour : str, optional
        Column to colour by, of numbers, booleans or words. Galaxies without a value are grey.
    name : str, optional
        What the columns of the map begin with.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If a column is missing or no galaxy has a place, or ``ax`` is something else.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"embedding": np.random.default_rng(1).normal(size=(200, 8)), "z": np.linspace(0, 1, 200)})
    >>> axes = gzr.plot.map(gzr.add_map(cat), colour="z")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('First principal component of embedding', 'Second principal component of embedding')
    """
    table = as_table(table, copy=False)
    colouring = None if colour is None else read_colouring(table, colour)
    x, y = map_points(table, name)
    points = PlanePoints(x, y)
    if not len(points):
        raise ValueError(f"there is nothing to draw: no galaxy has a place in {name}_x and {name}_y")
    ax = axes_for(ax)
    # Distances mean something where both axes have one scale, which matplotlib gives to limits that are free alone.
    shared = (ax.get_shared_x_axes(), ax.get_shared_y_axes())
    if ax.get_autoscale_on() and not all(axes.get_siblings(ax)[1:] for axes in shared):
        ax.set_aspect("equal", adjustable="datalim")
    ax.set(xlabel=axis_label(map_label(table, f"{name}_x")), ylabel=axis_label(map_label(table, f"{name}_y")))
    draw_points(ax, points, x, y, colouring, points.bounds)
    annotate_missing(ax, len(points), len(table), "have no place")
    return ax


def map_label(table: Table, column: str) -> str:
    """
    Say what an axis of the map is: what its column says of itself, or else its name.

    Parameters
    ----------
    table : `~astropy.table.Table`
    column : str

    Returns
    -------
    str

    Examples
    --------
    >>> from astropy.table import Column, Table
    >>> from galzoo_repr.plot import map_label
    >>> map_label(Table({"map_x": Column([0.5], description="First component of embedding")}), "map_x")
    'First component of embedding'
    """
    return getattr(table[column], "description", None) or column_label(table, column)


def map_points(table: Table, name: str = "map") -> tuple[np.ndarray, np.ndarray]:
    """
    Read the places of galaxies on the map.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalogue of n rows.
    name : str, optional
        What the columns of the map begin with.

    Returns
    -------
    x, y : numpy.ndarray of float64, shape (n,)
        NaN where a galaxy has no place.

    Raises
    ------
    ValueError
        If a column is missing or does not hold numbers.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.plot import map_points
    >>> map_points(Table({"map_x": [0.5, float("nan")], "map_y": [2.0, float("nan")]}))
    (array([0.5, nan]), array([ 2., nan]))
    """
    columns = [f"{name}_{axis}" for axis in "xy"]
    missing = [column for column in columns if column not in table.colnames]
    if missing:
        raise ValueError(
            f"the catalogue has no column {' and '.join(repr(column) for column in missing)}; call "
            "galzoo_repr.add_map first, or tell by name= what the columns of its map begin with"
        )
    cells = [read_cells(table[column]) for column in columns]
    if any(each.texts or each.values.ndim != 1 for each in cells):
        raise ValueError(f"{' and '.join(columns)} must hold one number for each row")
    x, y = (each.numbers() for each in cells)
    return x, y
