"""Axes of matplotlib, imported only now: those given or new ones, and galaxies drawn on them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr.images import CLASS_COLOURS, CLASS_MARKERS
from galzoo_repr.plot._colours import Colouring
from galzoo_repr.plot._plane import Bounds, PlanePoints
from galzoo_repr.plot._words import in_lines

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.patheffects import AbstractPathEffect

__all__ = [
    "KEY_WIDTH",
    "MOST_POINTS",
    "add_key",
    "annotate_missing",
    "axes_for",
    "axis_label",
    "draw_points",
    "grey",
    "halo",
]

MOST_POINTS = 50_000
"""Points drawn one by one at most; of more, how many there are in each cell."""
_CELL = 2  # pixels of the screen along the side of a cell
_SCALE = "viridis"
KEY_WIDTH, _LABEL_WIDTH = 26, 44  # letters in a line
_KEY_MARK = 30  # square points
_WIDE = 1.5  # times as wide as high
_EXTREMES = 0.01  # of the numbers at each end, beyond the scale of colours


def axes_for(ax: "Axes | None", *, size: tuple[float, float] = (6.4, 5.2), fixed: bool = False) -> "Axes":
    """Give the axes, or new ones in a figure of their own; `ImportError` without matplotlib."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('drawing needs matplotlib: pip install "galzoo_repr[plot]"') from error
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="compressed" if fixed else "constrained")
    elif not hasattr(ax, "scatter") or not hasattr(ax, "figure"):
        raise TypeError(f"ax must be axes of matplotlib, as plt.subplots() gives, not {type(ax).__name__}")
    return ax


def grey(ax: "Axes", strength: float) -> tuple[float, float, float]:
    """Grey of a strength from 0, the colour of the ground, to 1, black on a light or white on a dark ground."""
    from matplotlib.colors import to_rgba

    ground = next(of for of in (ax.get_facecolor(), ax.figure.get_facecolor(), "w") if to_rgba(of)[3] > 0)
    ground = np.array(to_rgba(ground)[:3])
    ink = 1.0 if ground @ (0.299, 0.587, 0.114) < 0.5 else 0.0
    return tuple(((1 - strength) * ground + strength * ink).tolist())


def draw_points(
    ax: "Axes", points: PlanePoints, x: np.ndarray, y: np.ndarray, colouring: Colouring | None, bounds: Bounds
) -> None:
    """Draw galaxies one by one, or where there are very many, how many or what they are in each cell of a view."""
    aspect = ax.get_aspect()  # pictures of cells would change it
    if len(points) > MOST_POINTS:
        _draw_cells(ax, points, colouring, bounds)
    else:
        rows = np.sort(points.rows)
        _draw_each(ax, x[rows], y[rows], None if colouring is None else colouring.of(rows))
    ax.set_aspect(aspect)


def _draw_each(ax: "Axes", x: np.ndarray, y: np.ndarray, colouring: Colouring | None) -> None:
    style = {"s": float(np.clip(20_000 / max(len(x), 1), 2, 24)), "linewidths": 0}
    if colouring is None:
        ax.scatter(x, y, color=CLASS_COLOURS[0], **style)
        return
    values = colouring.values
    known = values >= 0 if colouring.classes else np.isfinite(values)
    drawn, names = [], []
    if not known.all():
        drawn.append(ax.scatter(x[~known], y[~known], color=grey(ax, 0.25), **style))
        names.append("no value")
    if colouring.classes:
        for code in np.unique(values[known]):
            of = values == code
            look = {"color": CLASS_COLOURS[code], "marker": CLASS_MARKERS[code]}
            drawn.append(ax.scatter(x[of], y[of], **look, **style))
            names.append(colouring.classes[code])
    elif known.any():
        low, high, beyond = _range(values[known])
        shown = ax.scatter(x[known], y[known], c=values[known], cmap=_SCALE, vmin=low, vmax=high, **style)
        _add_scale(ax, shown, colouring.label, extend=beyond, wide=_is_wide(ax))
    if drawn:
        # Beside the galaxies is the scale of colours, if there is one.
        place = {} if colouring.classes or not known.any() else {"loc": "upper right", "framealpha": 0.8}
        add_key(ax, drawn, names, "" if place else colouring.label, **place)


def _draw_cells(ax: "Axes", points: PlanePoints, colouring: Colouring | None, bounds: Bounds) -> None:
    from matplotlib.colors import ListedColormap, LogNorm

    window = ax.get_window_extent()
    shape = (max(int(window.height) // _CELL, 16), max(int(window.width) // _CELL, 16))
    counts = points.density(bounds, shape)
    placed = {"extent": bounds, "origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    wide = _is_wide(ax)
    if colouring is None:
        # One galaxy alone is to be seen as well.
        norm = LogNorm(0.1, max(int(counts.max()), 2))
        # Most galaxies are furthest from the colour of the ground.
        scale = "Blues_r" if grey(ax, 1)[0] else "Blues"
        drawn = ax.imshow(np.ma.masked_equal(counts, 0), cmap=scale, norm=norm, **placed)
        # The scale of colours begins below one, but no cell has fewer.
        _add_scale(ax, drawn, "galaxies in a cell", least=1, wide=wide)
    elif colouring.classes:
        codes = points.commonest(bounds, shape, colouring.values, len(colouring.classes))
        ax.imshow(_class_colours(codes, counts, grey(ax, 0.25)), **placed)
        keys = [ax.scatter([], [], 24, color=colour, linewidths=0) for colour in CLASS_COLOURS]
        add_key(ax, keys[: len(colouring.classes)], colouring.classes, f"most common {colouring.label}")
    else:
        means = points.average(bounds, shape, colouring.values)
        nothing = ListedColormap([grey(ax, 0.25)])
        ax.imshow(np.ma.masked_where(counts == 0, np.zeros(shape)), cmap=nothing, **placed)
        low, high, beyond = _range(means[np.isfinite(means)])
        drawn = ax.imshow(np.ma.masked_invalid(means), cmap=_SCALE, vmin=low, vmax=high, **placed)
        _add_scale(ax, drawn, f"mean of {colouring.label}", extend=beyond, wide=wide)


def _range(values: np.ndarray) -> tuple[float | None, float | None, str]:
    """Ends of a scale of colours for most of the numbers, and at which of them there are more beyond."""
    if not len(values):
        return None, None, "neither"
    low, high = np.quantile(values, [_EXTREMES, 1 - _EXTREMES], method="inverted_cdf").tolist()
    if not low < high:
        return float(values.min()), float(values.max()), "neither"
    below, above = bool((values < low).any()), bool((values > high).any())
    return low, high, {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]


def _is_wide(ax: "Axes") -> bool:
    """Whether axes have a shape of their own that what stands beside them would make small."""
    if ax.get_aspect() == "auto" or ax.get_adjustable() != "box":
        return False
    return abs(np.diff(ax.get_xlim()) / np.diff(ax.get_ylim()))[0] > _WIDE * ax.get_aspect()


def _add_scale(
    ax: "Axes",
    drawn: "ScalarMappable",
    label: str,
    *,
    least: float | None = None,
    extend: str = "neither",
    wide: bool,
) -> None:
    """Add the scale of colours, below axes that are wide."""
    place = {"location": "bottom", "shrink": 0.6} if wide else {"location": "right"}
    if wide and ax.figure.get_layout_engine() is None:
        place["pad"] = 0.2  # below the label of the axis
    scale = ax.figure.colorbar(drawn, ax=ax, label=axis_label(label), extend=extend, **place)
    if least is not None:
        (scale.ax.set_xlim if wide else scale.ax.set_ylim)(least, None)


def add_key(
    ax: "Axes", drawn: Sequence["Artist"], names: Sequence[str], title: str = "", **options: object
) -> None:
    """Say what is what, beside the galaxies where the figure makes room for it."""
    beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0, "frameon": False}
    options = options or (beside if ax.figure.get_layout_engine() is not None else {"framealpha": 0.8})
    options = {"fontsize": "small", "title_fontsize": "small", "alignment": "left"} | options
    # Names that begin with an underscore would be left out, so that they are set only afterwards.
    key = ax.legend(drawn, ["-"] * len(names), title=in_lines(title, KEY_WIDTH) or None, **options)
    for text, mark, name in zip(key.get_texts(), key.legend_handles, names, strict=True):
        text.set_text(in_lines(name, KEY_WIDTH))
        if hasattr(mark, "set_sizes"):
            mark.set_sizes([_KEY_MARK])


def _class_colours(codes: np.ndarray, counts: np.ndarray, nothing: tuple[float, float, float]) -> np.ndarray:
    """Colours of cells, shape (height, width, 4), fainter where there are few galaxies."""
    from matplotlib.colors import to_rgba_array

    colours = to_rgba_array([*CLASS_COLOURS, nothing])[codes]
    most = np.log1p(counts.max())
    colours[..., 3] = np.where(counts > 0, 0.35 + 0.65 * np.log1p(counts) / most, 0)
    return colours


def axis_label(text: str) -> str:
    """Give the label of an axis: a name from a catalogue as it is, in lines that fit."""
    return in_lines(text, _LABEL_WIDTH)


def annotate_missing(ax: "Axes", n_drawn: int, n: int, why: str) -> None:
    """Say in the corner how many galaxies are not there."""
    if n_drawn < n:
        ax.text(
            *(0.99, 0.01, f"{n - n_drawn:,} of {n:,} galaxies {why}"),
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize="x-small",
            color=grey(ax, 0.7),
            path_effects=[halo(ax)],
        )


def halo(ax: "Axes", width: float = 2.5) -> "AbstractPathEffect":
    """Edge in the colour of the ground, in which text can be read where galaxies lie below it."""
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=width, foreground=grey(ax, 0))
