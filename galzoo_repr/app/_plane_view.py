"""A plot of all galaxies that is quick for a million: a picture of densities, and points where few are in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.events import MouseLeave, RangesUpdate, SelectionGeometry, Tap
from bokeh.models import (
    CategoricalColorMapper,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    LassoSelectTool,
    LinearColorMapper,
    Range1d,
)
from bokeh.palettes import Inferno256, Viridis256
from bokeh.plotting import figure

from galzoo_repr.plot import CLASS_COLOURS, MOST_POINTS, Colouring, PlanePoints, shades

__all__ = ["DARK", "PlaneView", "dark_figure"]

# Of more galaxies, so many at most are drawn one by one when zoomed in: they are sent anew for every view.
MOST_IN_VIEW = 4000
GROUND, LINE, WORDS, CHOSEN, HERE = "#101216", "#363b44", "#c3c9d3", "#ffc14d", "#ffffff"
DARK = {"background_fill_color": GROUND, "border_fill_color": GROUND, "outline_line_color": LINE}
CLEAR, NO_VALUE = "#00000000", "#5b6370ff"
# Classes are told apart on a dark ground too.
CLASSES = tuple("#f0e442" if colour == "#4c4c4c" else colour for colour in CLASS_COLOURS)
STEPS = 24  # shades of a class; the last value stands for none
SPARSE = 300_000
REACH = 12  # pixels within which the pointer finds a galaxy
# The place of the pointer is told at most this often, in milliseconds.
POINTER = """
if (!window.gzPointer) window.gzPointer = new WeakMap()
const send = () => { place.data = {x: [cb_obj.x], y: [cb_obj.y]}; window.gzPointer.delete(place) }
if (!window.gzPointer.has(place)) window.gzPointer.set(place, setTimeout(send, 60))
"""


def _ramp(colours: tuple[str, ...]) -> list[str]:
    """Palette of 256 colours, the first of them clear."""
    return [CLEAR, *(f"{colours[place * (len(colours) - 1) // 254]}ff" for place in range(255))]


def dark_figure(**options: Any) -> Any:
    """Make a figure of Bokeh that looks the same on a light and a dark page."""
    drawn = figure(sizing_mode="stretch_both", min_border=4, **DARK, **options)
    drawn.toolbar.logo = None
    drawn.toolbar.autohide = False
    drawn.grid.grid_line_color = None
    for axis in drawn.axis:
        axis.axis_line_color = axis.major_tick_line_color = LINE
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = WORDS
        axis.axis_label_text_font_style = "normal"
    return drawn


class PlaneView:
    """
    Galaxies at places of a plane.

    Parameters
    ----------
    x, y : numpy.ndarray of float, shape (n,)
        Places, NaN where there is none.
    later : callable
        Runs a function in the thread of the page, soon: views that are asked for meanwhile are drawn once.
    on_select, on_hover, on_tap : callable
        Called with the rows in a lasso, and with the row at the pointer, -1 where there is none.
    name, labels : str
        Of the plot, and of its axes.
    equal : bool
        Whether a step in x is as long as one in y.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        later: Callable[[Callable[[], None]], None],
        on_select: Callable[[np.ndarray], None],
        on_hover: Callable[[int], None],
        on_tap: Callable[[int], None],
        name: str,
        labels: tuple[str, str] = ("", ""),
        equal: bool = False,
    ):
        self._x, self._y, self.points = x, y, PlanePoints(x, y)
        self._later, self._waits = later, False
        self._colouring: Colouring | None = None
        self._rows, self._chosen = np.zeros(0, dtype=int), PlanePoints([], [])
        self._limits, self._hovered = (0.0, 1.0), -1
        # In pixels; the browser tells it.
        self._size = {"inner_width": 600, "inner_height": 400}
        self._on_hover = on_hover
        left, right, bottom, top = self.points.bounds
        self.figure = dark_figure(
            name=name,
            x_range=Range1d(left, right),
            y_range=Range1d(bottom, top),
            x_axis_label=labels[0],
            y_axis_label=labels[1],
            tools="pan,wheel_zoom,box_zoom,lasso_select,reset",
            active_scroll="wheel_zoom",
            match_aspect=equal,
        )
        self.figure.select_one(LassoSelectTool).renderers = []
        self._colours = LinearColorMapper(palette=[CLEAR] * 256, low=-0.5, high=255.5)
        self._orange = LinearColorMapper(
            palette=[CLEAR, *(f"{CHOSEN}{100 + shade * 155 // 255:02x}" for shade in range(255))],
            low=-0.5,
            high=255.5,
        )
        self._image, self._dots = self._layer(self._colours, 4)
        self._over, self._marks = self._layer(self._orange, 6)
        self._here = ColumnDataSource({"x": [], "y": []})
        self.figure.scatter(
            "x", "y", source=self._here, size=13, fill_color=None, line_color=HERE, line_width=2
        )
        self._scale: ColorBar | None = None
        place = ColumnDataSource({"x": [], "y": []})
        self.figure.js_on_event("mousemove", CustomJS(args={"place": place}, code=POINTER))
        place.on_change("data", lambda attr, old, new: self._hover(new))
        self.figure.on_event(MouseLeave, lambda _: self._hover({"x": []}))
        self.figure.on_event(Tap, lambda event: on_tap(self._at(event.x, event.y)))
        self.figure.on_event(RangesUpdate, lambda _: self._soon())
        self.figure.on_event(SelectionGeometry, lambda event: self._lasso(event, on_select))
        for size in ("inner_width", "inner_height"):
            self.figure.on_change(size, self._resize)
        self.paint(None)

    def _layer(self, colours: LinearColorMapper, size: int) -> tuple[ColumnDataSource, ColumnDataSource]:
        image = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        self.figure.image("image", "x", "y", "dw", "dh", source=image, color_mapper=colours)
        dots = ColumnDataSource({"x": [], "y": [], "shade": []})
        colour = {"field": "shade", "transform": colours}
        self.figure.scatter(
            "x", "y", source=dots, size=size, fill_color=colour, line_color=None, nonselection_fill_alpha=1
        )
        return image, dots

    def shows(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether these are the places shown."""
        return np.array_equal(x, self._x, equal_nan=True) and np.array_equal(y, self._y, equal_nan=True)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of what is shown."""
        across, up = self.figure.x_range, self.figure.y_range
        return float(across.start), float(across.end), float(up.start), float(up.end)

    def zoom(self, bounds: tuple[float, float, float, float]) -> None:
        """Show a part of the plane."""
        self.figure.x_range.update(start=bounds[0], end=bounds[1])
        self.figure.y_range.update(start=bounds[2], end=bounds[3])
        self._soon()

    def paint(self, colouring: Colouring | None) -> None:
        """Colour the galaxies, by how many there are or by a column."""
        self._colouring = colouring
        if self._scale is not None:
            self.figure.right.remove(self._scale)
            self._scale = None
        if colouring is None:
            self._colours.palette = _ramp(Inferno256[40:])
        elif colouring.classes:
            fading = [f"{70 + step * 185 // (STEPS - 1):02x}" for step in range(STEPS)]
            palette = [CLEAR, *(f"{colour}{fade}" for colour in CLASSES for fade in fading)]
            self._colours.palette = [*palette, *[NO_VALUE] * (256 - len(palette))]
            factors = [word[:24] for word in colouring.classes]
            self._add_scale(
                CategoricalColorMapper(factors=factors, palette=CLASSES[: len(factors)]), colouring
            )
        else:
            known = colouring.values[np.isfinite(colouring.values)]
            low, high = (
                np.percentile(known[:: len(known) // 100_000 + 1], (1, 99)) if len(known) else (0.0, 1.0)
            )
            self._limits = (float(low), float(high if high > low else low + 1))
            self._colours.palette = [CLEAR, *(f"{colour}ff" for colour in Viridis256[2:]), NO_VALUE]
            mapper = LinearColorMapper(palette=Viridis256, low=self._limits[0], high=self._limits[1])
            self._add_scale(mapper, colouring)
        self.draw()

    def _add_scale(self, mapper: Any, colouring: Colouring) -> None:
        self._scale = ColorBar(
            color_mapper=mapper,
            title=colouring.label,
            background_fill_color=None,
            title_text_color=WORDS,
            major_label_text_color=WORDS,
            bar_line_color=LINE,
            width=10,
        )
        self.figure.add_layout(self._scale, "right")

    def select(self, rows: np.ndarray) -> None:
        """Show which galaxies are selected."""
        self._rows, self._chosen = rows, PlanePoints(self._x[rows], self._y[rows])
        self._draw_layer(self._chosen, self._over, self._marks, None)

    def mark(self, row: int | None) -> None:
        """Draw a ring around one galaxy."""
        known = row is not None and row >= 0 and np.isfinite(self._x[row])
        self._here.data = {"x": [self._x[row]], "y": [self._y[row]]} if known else {"x": [], "y": []}

    def _resize(self, attr: str, old: int, new: int) -> None:
        if new and new > 15:
            self._size[attr] = int(new)
            self._soon()

    def _soon(self) -> None:
        if not self._waits:
            self._waits = True
            self._later(self.draw)

    def draw(self) -> None:
        """Draw what is in view."""
        self._waits = False
        self._draw_layer(self.points, self._image, self._dots, self._colouring)
        self._draw_layer(self._chosen, self._over, self._marks, None)

    def _draw_layer(
        self,
        points: PlanePoints,
        image: ColumnDataSource,
        dots: ColumnDataSource,
        colouring: Colouring | None,
    ) -> None:
        bounds, few = self.bounds, len(points) <= MOST_POINTS and len(self.points) <= MOST_POINTS
        # Cells of some pixels: of fewer galaxies the picture would be nothing but dots.
        cell = 2 if len(self.points) > SPARSE else 3
        shape = (self._size["inner_height"] // cell, self._size["inner_width"] // cell)
        rows = points.rows if few else points.within(bounds)
        if few or len(rows) <= MOST_IN_VIEW:
            drawn = [id(points), id(colouring)]
            if few and dots.tags == drawn:
                return  # they are there already, and the browser moves them
            own = rows if points is self.points else self._rows[rows]
            dots.data = {"x": self._x[own], "y": self._y[own], "shade": self._shade_of(own, colouring)}
            dots.tags = drawn
            image.data = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
            return
        left, right, bottom, top = bounds
        cells = self._cells(points, shape, colouring)
        image.data = {
            "image": [cells],
            "x": [left],
            "y": [bottom],
            "dw": [right - left],
            "dh": [top - bottom],
        }
        if len(dots.data["x"]):
            dots.data, dots.tags = {"x": [], "y": [], "shade": []}, []

    def _cells(self, points: PlanePoints, shape: tuple[int, int], colouring: Colouring | None) -> np.ndarray:
        """Colour of each cell in view, by its place in the palette."""
        bounds = self.bounds
        counts = points.density(bounds, shape)
        if colouring is None:
            return shades(counts)
        if colouring.classes:
            codes = points.commonest(bounds, shape, colouring.values, len(colouring.classes))
            steps = (shades(counts).astype(int) * (STEPS - 1)) // 255
            cells = np.where(codes < 0, 255, 1 + codes * STEPS + steps)
        else:
            cells = self._scaled(points.average(bounds, shape, colouring.values))
        return np.where(counts > 0, cells, 0).astype(np.uint8)

    def _shade_of(self, rows: np.ndarray, colouring: Colouring | None) -> np.ndarray:
        """Colour of each galaxy, by its place in the palette."""
        if colouring is None:
            return np.full(len(rows), 150, dtype=np.uint8)
        values = colouring.values[rows]
        if colouring.classes:
            return np.where(values < 0, 255, values * STEPS + STEPS).astype(np.uint8)
        return self._scaled(values).astype(np.uint8)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        low, high = self._limits
        shade = 1 + 253 * np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
        return np.where(np.isfinite(values), shade, 255)

    def _at(self, x: float, y: float) -> int:
        left, right, bottom, top = self.bounds
        pixel_x = abs(right - left) / self._size["inner_width"]
        pixel_y = abs(top - bottom) / self._size["inner_height"]
        return self.points.nearest(x, y, (REACH * pixel_x, REACH * pixel_y))

    def _hover(self, place: dict) -> None:
        row = self._at(place["x"][0], place["y"][0]) if len(place["x"]) else -1
        if row != self._hovered:
            self._hovered = row
            self._on_hover(row)

    def _lasso(self, event: SelectionGeometry, on_select: Callable[[np.ndarray], None]) -> None:
        shape = event.geometry
        if event.final and shape.get("type") == "poly" and len(shape["x"]) > 2:
            on_select(self.points.inside(np.column_stack([shape["x"], shape["y"]])))
