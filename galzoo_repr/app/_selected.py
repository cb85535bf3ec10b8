"""What can be done with the galaxies that are selected: see them, tag, rate, label and export them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn

from galzoo_repr.app._marks import label_rows, tag_rows
from galzoo_repr.app._text import text_of

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["Picture", "Selected", "Words", "dressed", "plain"]

SIDE, AT_ONCE = 112, 40  # pixels of a picture in the grid, and pictures on one page of it
MOST_RATED = 500  # galaxies that get one rating at once, each of which is written to the disk
LABELS = ("yes", "no", "unsure")
# A name for those who do not see where a control stands.
UNSEEN = "label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }"

SHORTENED = (
    ".bk-btn { min-width: 0; padding: 3px 4px; font-size: 11px; overflow: hidden; text-overflow: ellipsis; }"
)


class Selected:
    """A bar of actions below a plot, and the grid of the galaxies selected, opened by a button."""

    def __init__(self, session: Session):
        self._session, self._first = session, 0
        self.said = Words("", margin=(12, 8), width=190)
        named = {"stylesheets": [UNSEEN]}
        self.tag = pn.widgets.TextInput(label="Tag", placeholder="tag", width=110, **named)
        self.label = pn.widgets.TextInput(
            label="Label column", placeholder="label column", width=110, stylesheets=[UNSEEN]
        )
        self.value = pn.widgets.Select(label="Answer", options=list(LABELS), width=80, **named)
        self.grid = pn.Row(
            sizing_mode="stretch_width", styles={"flex-wrap": "wrap", "overflow-y": "auto"}, visible=False
        )
        self.grid.max_height = 3 * (SIDE + 28)
        ratings = session.desk.ratings
        values = [] if ratings is None else ratings.values
        self.rating = pn.widgets.Select(label="Rating", options=values, width=60, **named)
        self._bar = pn.FlexBox(
            self.said,
            _button("Grid", self._toggle),
            _button("More", self._more),
            self.tag,
            _button("Tag", lambda: self._do("tagged", tag_rows, self.tag.value)),
            self.label,
            self.value,
            _button("Label", lambda: self._do("labelled", label_rows, self.label.value, self.value.value)),
            *([self.rating, _button("Rate", self._rate)] if values else []),
            _button("Clear", lambda: session.set("selection", [])),
            margin=0,
        )

    @property
    def layout(self) -> Any:
        """Actions, and the grid when it is open."""
        return pn.Column(self._bar, self.grid, sizing_mode="stretch_width", margin=0)

    @property
    def _rows(self) -> np.ndarray:
        return self._session.selection

    def show(self, rows: np.ndarray) -> None:
        """Tell how many are selected, and show them if the grid is open."""
        self._first = 0
        self.said.object = f"{len(rows):,} selected"
        self._fill()

    def _do(self, done: str, action: Any, *arguments: str) -> None:
        """Do something with all that are selected, and say so, or why not."""
        if not len(self._rows):
            self.said.object = "nothing is selected"
            return
        try:
            action(self._session.desk, self._rows, *arguments)
            self.said.object = f"{len(self._rows):,} {done}"
        except (OSError, ValueError) as error:
            self.said.object = plain(str(error))

    def _rate(self) -> None:
        if len(self._rows) > MOST_RATED:
            self.said.object = f"rate {MOST_RATED} at once at most"
            return
        self._do("rated", _rate_rows, self.rating.value)
        self._session.desk.tell("rated")

    def _toggle(self) -> None:
        self.grid.visible = not self.grid.visible
        self._fill()

    def _more(self) -> None:
        self._first = self._first + AT_ONCE if self._first + AT_ONCE < len(self._rows) else 0
        self.grid.visible = True
        self._fill()

    def _fill(self) -> None:
        if not self.grid.visible:
            return
        rows = self._rows[self._first : self._first + AT_ONCE].tolist()
        names = self._session.desk.names(rows)
        self.grid.objects = [self._picture(row, name) for row, name in zip(rows, names, strict=True)]

    def _picture(self, row: int, name: str) -> Any:
        jpeg = self._session.desk.pictures.jpeg(row, SIDE)
        if jpeg is None:
            shown = pn.pane.Str("no picture", width=SIDE, height=SIDE)
        else:
            shown = pn.pane.JPG(jpeg, width=SIDE, height=SIDE, alt_text=plain(name), margin=0)
        look = _button(name, lambda: self._session.set("current", row), width=SIDE)
        look.stylesheets = [SHORTENED]
        return dressed(pn.Column(shown, look, margin=3))


class _KeepsStyles:
    """A pane that changes what it shows alone: styles sent anew are asked for from another host in a notebook."""

    def _update(self, ref: str, model: Any) -> None:
        properties = self._get_properties(model.document)
        properties.pop("stylesheets", None)
        model.update(**properties)


class Words(_KeepsStyles, pn.pane.Str):
    """Text that changes."""


class Picture(_KeepsStyles, pn.pane.JPG):
    """A picture that changes."""


def plain(text: str) -> str:
    """Give text so that Panel shows it as it is: its panes of text and pictures take what they get for HTML."""
    return escape(text, quote=True)


def dressed(layout: Any) -> Any:
    """Give the controls of a layout the colours of the page, light or dark."""
    css = text_of("controls.css")
    for each in layout.select():
        each.stylesheets = [*each.stylesheets, css]
    return layout


def _rate_rows(desk: Any, rows: np.ndarray, value: float) -> None:
    for row in rows.tolist():
        desk.ratings.rate(row, value)


def _button(name: str, action: Any, width: int | None = None) -> Any:
    button = pn.widgets.Button(label=name, width=width, margin=(5, 3))
    button.on_click(lambda _: action())
    return button
