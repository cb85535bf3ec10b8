"""Axes of matplotlib, imported only now: those given or new ones, and galaxies drawn on them."""

from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr.plot._colours import CLASS_COLOURS, Colouring
from galzoo_repr.plot._plane import Bounds, PlanePoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

__all__ = ["MOST_POINTS", "annotate_missing", "axes_for", "draw_points"]

MOST_POINTS = 50_000
"""Points drawn one by one at most; of more, how many there are in each cell."""
_CELL = 2  # pixels of the screen along the side of a cell
_DENSITY, _SCALE, _NO_VALUE = "Blues", "viridis", "#cccccc"


def axes_for(
    ax: "Axes | None", *, size: tuple[float, float] = (6.4, 5.2), projection: str | None = None
) -> "Axes":
    """Give the axes, or new ones in a figure of their own; `ImportError` without matplotlib."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('drawing needs matplotlib: pip install "galzoo_repr[plot]"') from error
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained", subplot_kw={"projection": projection})
    elif not hasattr(ax, "scatter") or not hasattr(ax, "figure"):
        raise TypeError(f"ax must be axes of matplotlib, as plt.subplots() gives, not {type(ax).__name__}")
    return ax


def draw_points(
    ax: "Axes", points: PlanePoints, x: np.ndarray, y: np.ndarray, colouring: Colouring | None, bounds: Bounds
) -> None:
    """Draw galaxies one by one, or where there are very many, how many or what they are in each cell of a view."""
    if len(points) > MOST_POINTS:
        _draw_cells(ax, points, colouring, bounds)
        return
    rows = np.sort(points.rows)
    x, y, area = x[rows], y[rows], float(np.clip(20_000 / max(len(rows), 1), 2, 24))
    if colouring is None:
        ax.scatter(x, y, area, color=CLASS_COLOURS[0], linewidths=0)
        return
    values = colouring.values[rows]
    if colouring.classes:
        for code in range(-1, len(colouring.classes)):
            of = values == code
            if of.any():
                name = "no value" if code < 0 else colouring.classes[code]
                colour = _NO_VALUE if code < 0 else CLASS_COLOURS[code]
                ax.scatter(x[of], y[of], area, color=colour, linewidths=0, label=name)
        _add_key(ax, colouring.label)
        return
    known = np.isfinite(values)
    ax.scatter(x[~known], y[~known], area, color=_NO_VALUE, linewidths=0)
    drawn = ax.scatter(x[known], y[known], area, values[known], cmap=_SCALE, linewidths=0)
    _add_scale(ax, drawn, colouring.label)


def _draw_cells(ax: "Axes", points: PlanePoints, colouring: Colouring | None, bounds: Bounds) -> None:
    from matplotlib.colors import LogNorm

    window = ax.get_window_extent()
    shape = (max(int(window.height) // _CELL, 16), max(int(window.width) // _CELL, 16))
    counts = points.density(bounds, shape)
    placed = {"extent": bounds, "origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    if colouring is None:
        # One galaxy alone is to be seen as well.
        norm = LogNorm(0.1, max(int(counts.max()), 2))
        drawn = ax.imshow(np.ma.masked_equal(counts, 0), cmap=_DENSITY, norm=norm, **placed)
        # The scale of colours begins below one, but no cell has fewer.
        _add_scale(ax, drawn, "galaxies in a cell", least=1)
    elif colouring.classes:
        codes = points.commonest(bounds, shape, colouring.values, len(colouring.classes))
        ax.imshow(_class_colours(codes, counts), **placed)
        for name, colour in zip(colouring.classes, CLASS_COLOURS, strict=False):
            ax.scatter([], [], 24, color=colour, linewidths=0, label=name)
        _add_key(ax, f"most common\n{colouring.label}")
    else:
        means = np.ma.masked_invalid(points.average(bounds, shape, colouring.values))
        ax.imshow(np.ma.masked_where(counts == 0, np.zeros(shape)), cmap="Greys", vmin=-1, vmax=3, **placed)
        drawn = ax.imshow(means, cmap=_SCALE, **placed)
        _add_scale(ax, drawn, f"mean of {colouring.label}")


def _add_scale(ax: "Axes", drawn: "ScalarMappable", label: str, least: float | None = None) -> None:
    """Add the scale of colours, below axes that are wide."""
    wide = ax.get_aspect() != "auto"
    scale = ax.figure.colorbar(
        drawn, ax=ax, label=label, location="bottom" if wide else "right", shrink=0.6 if wide else 1
    )
    if least is not None:
        (scale.ax.set_xlim if wide else scale.ax.set_ylim)(least, None)


def _add_key(ax: "Axes", title: str) -> None:
    """Say which colour is which class, beside the galaxies where the figure makes room for it."""
    beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0, "frameon": False}
    place = beside if ax.figure.get_layout_engine() is not None else {"framealpha": 0.8}
    ax.legend(title=title, fontsize="small", title_fontsize="small", markerscale=1.3, **place)


def _class_colours(codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Colours of cells, shape (height, width, 4), fainter where there are few galaxies."""
    from matplotlib.colors import to_rgba_array

    colours = to_rgba_array([*CLASS_COLOURS, _NO_VALUE])[codes]
    most = np.log1p(counts.max())
    colours[..., 3] = np.where(counts > 0, 0.35 + 0.65 * np.log1p(counts) / most, 0)
    return colours


def annotate_missing(ax: "Axes", n_drawn: int, n: int, why: str) -> None:
    """Say in the corner how many galaxies are not there."""
    if n_drawn < n:
        ax.text(
            *(0.99, 0.01, f"{n - n_drawn:,} of {n:,} galaxies {why}"),
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize="x-small",
            color="0.4",
        )
