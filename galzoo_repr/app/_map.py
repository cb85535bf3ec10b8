"""The view of all galaxies at once: their map, the sky, and how a column is distributed, linked by what is selected."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
from bokeh.events import SelectionGeometry
from bokeh.models import ColumnDataSource, Range1d

from galzoo_repr._folder import publish
from galzoo_repr.app._cards import text_of_cell
from galzoo_repr.app._plane_view import CHOSEN, PlaneView, dark_figure
from galzoo_repr.app._selected import Picture, Selected, Words, dressed, plain
from galzoo_repr.plot import (
    add_map,
    column_label,
    map_label,
    map_points,
    mollweide,
    read_colouring,
    right_ascensions,
)

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["view"]

NO_PLACES = "The catalogue has neither columns map_x and map_y nor embeddings, of which a map could be made."
COLUMNS, KEPT = ("map_x", "map_y"), "map.npy"
DENSITY = "how many there are"
BINS = 60
FIRST = ("score", "similarity", "probability", "unlike")  # ends of names of columns that are offered first
CARD = 150  # pixels of the picture at the pointer
ORANGE, BLUE = CHOSEN, "#5b86c9"


def view(session: Session) -> Any:
    """Map, sky, histogram and what can be done with the galaxies selected."""
    if not _has_map(session) and session.desk.ratings is None:
        return pn.pane.Str(NO_PLACES, sizing_mode="stretch_both", margin=20)
    if not _has_map(session) and not _restored(session):
        _add(session, "pca")
    return MapView(session).layout


def _has_map(session: Session) -> bool:
    return set(COLUMNS) <= set(session.table.colnames)


def _add(session: Session, method: str) -> None:
    """Make a map, and keep it with the catalogue."""
    desk = session.desk
    mapped = add_map(
        desk.table, method=method, embedding=desk.ratings.embedding, progress=False, overwrite=True
    )
    places = np.column_stack([np.asarray(mapped[name]) for name in COLUMNS])
    if method != "pca":
        content = io.BytesIO()
        np.save(content, places)
        publish(desk.folder / KEPT, content.getvalue())
    for name, own in zip(COLUMNS, places.T, strict=True):
        desk.add_column(name, own, mapped[name].description)


def _restored(session: Session) -> bool:
    """Put the map of an earlier run back onto the catalogue, if there is one of it."""
    try:
        places = np.load(session.desk.folder / KEPT, allow_pickle=False)
    except (OSError, ValueError):
        return False
    if places.shape != (len(session.table), 2):
        return False
    for name, own in zip(COLUMNS, places.T, strict=True):
        session.desk.add_column(name, own, "Place on a map of the embeddings by UMAP")
    return True


class MapView:
    """The plots and controls of one page."""

    def __init__(self, session: Session):
        self.session = session
        self._card = Picture(None, width=CARD, height=CARD, alt_text="Galaxy at the pointer", margin=4)
        self._words = Words("", margin=4, sizing_mode="stretch_width")
        self.colour = pn.widgets.Select(label="Colour by", options=[DENSITY], width=190)
        self._umap = pn.widgets.Button(
            label="Make UMAP", width=110, align="end", visible=session.desk.ratings is not None
        )
        self._said = Words("", align="end", margin=8)
        self.histogram = Histogram(session)
        self._holder = pn.pane.Bokeh(sizing_mode="stretch_both", margin=0, min_height=260)
        self.sky = self._make_sky()
        self.map = self._make_map()
        self.selected = Selected(session)
        self._offer_columns()
        # What is told may come from where the models of Bokeh must not be changed.
        self.colour.param.watch(lambda _: session.later(self._paint), "value")
        self._umap.on_click(lambda _: self._make_umap())
        session.listen("selection", lambda rows: session.later(lambda: self._show_selection(rows)))
        session.listen("current", lambda row: session.later(lambda: self._show_current(row)))
        session.listen("columns", lambda name: session.later(lambda: self._on_column(name)))
        self._show_selection(session.selection)
        self._show_current(session.current)

    @property
    def layout(self) -> Any:
        """All of it: the map to the left, the others to the right."""
        bar = pn.Row(self.colour, self._umap, self._said, sizing_mode="stretch_width", margin=0)
        left = pn.Column(bar, self._holder, self.selected.layout, sizing_mode="stretch_both", margin=0)
        card = pn.Row(self._card, self._words, height=CARD + 8, sizing_mode="stretch_width", margin=0)
        parts = [card]
        if self.sky is not None:
            parts.append(pn.pane.Bokeh(self.sky.figure, sizing_mode="stretch_both", margin=0, min_height=170))
        parts.append(self.histogram.layout)
        right = pn.Column(*parts, sizing_mode="stretch_height", width=430, margin=(0, 0, 0, 8))
        return dressed(pn.Row(left, right, sizing_mode="stretch_both", margin=6))

    def _plane(self, x: np.ndarray, y: np.ndarray, **options: Any) -> PlaneView:
        return PlaneView(
            *(x, y),
            later=self.session.later,
            on_select=lambda rows: self.session.set("selection", rows),
            on_hover=self._show_card,
            on_tap=self._tap,
            **options,
        )

    def _make_map(self) -> PlaneView:
        table = self.session.table
        x, y = map_points(table)
        made = self._plane(x, y, name="map", labels=tuple(map_label(table, column) for column in COLUMNS))
        self._holder.object = made.figure
        return made

    def _make_sky(self) -> PlaneView | None:
        positions = self.session.desk.positions
        if positions is None or not positions.valid.any():
            return None
        ra, valid = positions.ra.copy(), positions.valid
        ra[valid] = right_ascensions(ra[valid])
        if max(np.ptp(ra[valid]), np.ptp(positions.dec[valid])) > 60:
            x, y = mollweide(ra, positions.dec)
            made = self._plane(x, y, name="sky", equal=True)
            made.figure.axis.visible = False
            _draw_lines(made)
            return made
        made = self._plane(
            ra, positions.dec, name="sky", labels=("right ascension [deg]", "declination [deg]")
        )
        left, right, _, _ = made.points.bounds
        made.figure.x_range.update(start=right, end=left)
        return made

    def _offer_columns(self) -> None:
        names = [DENSITY, *coloured(self.session.table)]
        if names != self.colour.options:
            self.colour.options = names
        self.histogram.offer(names[1:])

    def _paint(self) -> None:
        name = self.colour.value
        colouring = None if name == DENSITY else read_colouring(self.session.table, name)
        for plane in filter(None, (self.map, self.sky)):
            plane.paint(colouring)
        if colouring is not None and not colouring.classes:
            self.histogram.show(name)

    def _show_selection(self, rows: np.ndarray) -> None:
        for plane in filter(None, (self.map, self.sky)):
            plane.select(rows)
        self.histogram.select(rows)
        self.selected.show(rows)

    def _show_current(self, row: int | None) -> None:
        for plane in filter(None, (self.map, self.sky)):
            plane.mark(row)
        if row is not None:
            self._show_card(row)

    def _show_card(self, row: int) -> None:
        """Show the galaxy at the pointer, or else the one looked at."""
        desk, row = self.session.desk, row if row >= 0 else self.session.current
        if row is None:
            self._card.object, self._words.object = None, ""
            return
        self._card.object = desk.pictures.jpeg(row, 2 * CARD)
        lines = [desk.names([row])[0], f"row {row}"]
        for name in dict.fromkeys([*desk.show, self.colour.value, self.histogram.column.value]):
            if name in self.session.table.colnames:
                lines.append(f"{name} {text_of_cell(desk, name, row)}")
        self._words.object = plain("\n".join(lines))

    def _tap(self, row: int) -> None:
        if row >= 0:
            self.session.set("current", row)

    def _on_column(self, name: str) -> None:
        self._offer_columns()
        if name == COLUMNS[1] and not self.map.shows(*map_points(self.session.table)):
            self.map = self._make_map()
            self.map.select(self.session.selection)
            self._paint()
        elif name == self.colour.value:
            self._paint()

    def _make_umap(self) -> None:
        """Make another map in a thread, while the page is used."""
        self._umap.disabled, self._said.object = (
            True,
            "UMAP is being computed; minutes for a large catalogue ...",
        )

        def work() -> None:
            try:
                _add(self.session, "umap")
                said = "UMAP, kept with the catalogue"
            except (ImportError, ValueError) as error:
                said = str(error)
            self.session.later(lambda: self._told(said))

        threading.Thread(target=work, name="galzoo_repr map", daemon=True).start()

    def _told(self, said: str) -> None:
        self._umap.disabled, self._said.object = False, plain(said)


class Histogram:
    """How a column is distributed, of all galaxies and of those selected; a part of it can be selected."""

    def __init__(self, session: Session):
        self._session, self._values, self._edges = session, np.zeros(0), np.linspace(0, 1, BINS + 1)
        self.column = pn.widgets.Select(label="Distribution of", width=140, margin=(5, 4))
        self.low = pn.widgets.FloatInput(label="From", width=92, margin=(5, 4))
        self.high = pn.widgets.FloatInput(label="To", width=92, margin=(5, 4))
        self._choose = pn.widgets.Button(label="Select", width=64, align="end", margin=(5, 4))
        self.figure = dark_figure(
            name="histogram", tools="xbox_select,reset", x_range=Range1d(0, 1), min_height=130
        )
        self.figure.yaxis.visible = False
        self.figure.y_range.start = 0
        empty = {"left": [], "right": [], "top": []}
        self._all, self._own = ColumnDataSource(empty), ColumnDataSource(empty)
        for source, colour in ((self._all, BLUE), (self._own, ORANGE)):
            self.figure.quad("left", "right", "top", 0, source=source, color=colour, nonselection_alpha=1)
        self.figure.on_event(SelectionGeometry, self._boxed)
        self._choose.on_click(lambda _: self._select(self.low.value, self.high.value))

    @property
    def layout(self) -> Any:
        """The plot, below what it shows and the ends of a range to select."""
        bar = pn.Row(self.column, self.low, self.high, self._choose, margin=0)
        plot = pn.pane.Bokeh(self.figure, sizing_mode="stretch_both", margin=0, min_height=130)
        return pn.Column(bar, plot, sizing_mode="stretch_both", margin=0)

    def offer(self, names: list[str]) -> None:
        """Offer the columns of numbers."""
        names = [name for name in names if self._session.table[name].dtype.kind in "fiu"]
        if names == self.column.options:
            return
        value = self.column.value if self.column.value in names else next(iter(names), None)
        first = not self.column.options
        self.column.param.update(options=names, value=value)
        if first:  # at once: what is sent later might arrive in the browser before the plot itself
            self.show(value)
            self.column.param.watch(lambda event: self._session.later(lambda: self.show(event.new)), "value")

    def show(self, name: str | None) -> None:
        """Show a column."""
        if name not in self.column.options:
            return
        self.column.value = name
        self._values = read_colouring(self._session.table, name).values
        known = self._values[np.isfinite(self._values)]
        if not len(known):
            return
        low, high = float(known.min()), float(known.max())
        high = high if high > low else low + 1
        self._edges = np.linspace(low, high, BINS + 1)
        self.figure.x_range.update(start=low, end=high)
        self.figure.xaxis.axis_label = column_label(self._session.table, name)
        self.low.value, self.high.value = _short(low, np.floor), _short(high, np.ceil)
        self._all.data = self._bars(known)
        self.select(self._session.selection)

    def _bars(self, values: np.ndarray) -> dict:
        low, high = self._edges[0], self._edges[-1]
        bins = ((values - low) * (BINS / (high - low))).astype(int).clip(0, BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        # By the square root, so that a few galaxies are seen beside very many.
        return {"left": self._edges[:-1], "right": self._edges[1:], "top": np.sqrt(counts)}

    def select(self, rows: np.ndarray) -> None:
        """Show how the galaxies selected are distributed."""
        if len(self._values):
            own = self._values[rows]
            self._own.data = self._bars(own[np.isfinite(own)])

    def _boxed(self, event: SelectionGeometry) -> None:
        if event.final and "x0" in event.geometry:
            self._select(event.geometry["x0"], event.geometry["x1"])

    def _select(self, low: float, high: float) -> None:
        inside = (self._values >= min(low, high)) & (self._values <= max(low, high))
        self._session.set("selection", np.flatnonzero(inside))


def _short(value: float, towards: np.ufunc) -> float:
    """A number of a few digits at or beyond another."""
    step = 10.0 ** np.floor(np.log10(max(abs(value), 1e-300)) - 4)
    return float(f"{towards(value / step) * step:.8g}")


def coloured(table: Any) -> list[str]:
    """Columns by which galaxies can be coloured, those of this package first."""
    kinds = "biufSUO"
    names = [name for name in table.colnames if getattr(table[name], "dtype", np.dtype("V")).kind in kinds]
    names = [name for name in names if getattr(table[name], "ndim", 0) == 1]
    return sorted(names, key=lambda name: not name.endswith(FIRST))


def _draw_lines(plane: PlaneView) -> None:
    """Draw lines of equal right ascension and declination."""
    along = np.linspace(-90, 90, 91)
    lines = [mollweide(np.full(91, ra), along) for ra in (0, 60, 120, 180, 240, 300, 359.999999)]
    lines += [mollweide(np.array([0, 359.999999]), np.full(2, dec)) for dec in (-60, -30, 0, 30, 60)]
    plane.figure.multi_line([x for x, _ in lines], [y for _, y in lines], color="#363b44", level="underlay")
