"""The view to find galaxies like some, and unlike others, by name, position, image file, or from other views."""

from __future__ import annotations

import base64
import binascii
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import panel as pn
import param

from galzoo_repr._config import log
from galzoo_repr.app._cards import links_to, text_of_cell
from galzoo_repr.app._component import Component, module
from galzoo_repr.app._rate import NO_EMBEDDINGS, RatingGrid
from galzoo_repr.app._search import LARGEST, Found, Search, named_example
from galzoo_repr.app._viewer import Viewer

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["view"]

PAGE = 24  # galaxies shown at once
MORE, NOT = "more like this", "not like this"
KEYS = [["m", MORE], ["n", NOT]]
SELECT = ["a", "take", "select all", "select all that were found, to tag, label or export them"]
BEGIN = "Give a name or a position, drop an image here, or press m on a galaxy of another view."
SIGNS = {1: "examples", -1: "negatives"}


def view(session: Session) -> Any:
    """Bar of the query, and below it what was found."""
    if session.desk.ratings is None:
        return pn.pane.Str(NO_EMBEDDINGS, sizing_mode="stretch_both", margin=20)
    return FindView(session).layout


class FindView:
    """Query, search in a thread, and results of one page."""

    def __init__(self, session: Session):
        self.session, self.search = session, Search(session.desk)
        self.found, self.failure, self._first, self._number = Found(), "", 0, 0
        self._viewer = Viewer(session)
        self._viewer.visible = False
        self.bar = FindBar(self)
        self.grid = FoundGrid(session, self._viewer, self)
        session.listen("query", lambda _: self.look_again())
        session.listen("view", lambda title: self._focus() if title == "Find" else None)
        if self.query["examples"]:
            self.look_again()

    @property
    def layout(self) -> Any:
        """All parts."""
        body = pn.Row(self.grid, self._viewer, sizing_mode="stretch_both", margin=0)
        return pn.Column(self.bar, body, sizing_mode="stretch_both", margin=0)

    # -- the query ----------------------------------------------------------------------------------------------

    @property
    def query(self) -> dict:
        """What is searched for, all parts of it there."""
        given = self.session.query if isinstance(self.session.query, dict) else {}
        return {"examples": [], "negatives": [], "separation": None, **given}

    def add(self, about: dict, sign: int) -> None:
        """Take one more example, of which it is known that it can be read."""
        query = self.query
        other = [one for one in query[SIGNS[-sign]] if one != about]
        same = [one for one in query[SIGNS[sign]] if one != about]
        self.change(**{SIGNS[-sign]: other, SIGNS[sign]: [*same, about]})

    def remove(self, place: int, sign: int) -> dict:
        """Leave an example out, and say which it was."""
        chosen = list(self.query[SIGNS[sign]])
        about = chosen.pop(place)
        self.change(**{SIGNS[sign]: chosen})
        return about

    def change(self, **parts: Any) -> None:
        """Change parts of the query, which all views hear of."""
        self.session.set("query", {**self.query, **parts})

    # -- searching ------------------------------------------------------------------------------------------------

    def work(self, action: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do what may take long in a thread; ``then`` gets what came of it, or the bar says why nothing did."""

        def do() -> None:
            try:
                result = action()
            # Files, services and encoders fail in ways of their own; the page goes on.
            except Exception as error:
                if not isinstance(error, ValueError | OSError):
                    log.exception("the search failed")
                said = str(error) or type(error).__name__
                self.session.later(lambda: self.bar.say(said, failed=True))
            else:
                self.session.later(lambda: then(result))

        threading.Thread(target=do, name="galzoo_repr find", daemon=True).start()

    def look_again(self) -> None:
        """Search for the query as it is now; of several searches, the last counts."""
        self._number += 1
        number, query = self._number, self.query
        if not query["examples"]:
            self.bar.show([])
            self._show(Found())
            if query["negatives"]:
                self.work(lambda: self._chips(query), lambda chips: self.bar.show(chips))
            return
        self.bar.say("Searching …")

        def search() -> Found:
            chips = self._chips(query)
            self.session.later(lambda: self.bar.show(chips) if number == self._number else None)
            return self.search.find(query)

        self.work(search, lambda found: self._show(found) if number == self._number else None)

    def _chips(self, query: dict) -> list[dict]:
        chips = []
        for sign, part in SIGNS.items():
            for place, about in enumerate(query[part]):
                try:
                    example = self.search.example(about)
                    name, jpeg = example.name, example.jpeg
                except (OSError, ValueError):  # which the search tells of; it can be removed
                    name, jpeg = "unreadable", None
                chips.append({"place": place, "name": name, "sign": sign, "data": jpeg})
        return chips

    def _show(self, found: Found) -> None:
        self.found, self._first = found, 0
        self.bar.say(f"{len(found.rows)} galaxies, the most alike first" if found.rows else "")
        self.grid.restart()

    def _focus(self) -> None:
        """Let keys go to what was found, or to the query while there is none."""
        self.grid.focus(asked=False) if self.query["examples"] else self.bar.focus()

    # -- what the grid asks for ------------------------------------------------------------------------------------

    def rate(self, row: int, value: str | None) -> None:
        """Take a galaxy found as one more example, or negative."""
        self.add({"row": row}, -1 if value == NOT else 1)

    def undo(self) -> int | None:
        """Take back the last example."""
        query = self.query
        part = next((sign for sign in (-1, 1) if query[SIGNS[sign]]), None)
        if part is None or (part == 1 and len(query["examples"]) == 1):
            return None
        return self.remove(-1, part).get("row")

    def batch(self) -> list[int]:
        """Galaxies of this page."""
        return self.found.rows[self._first : self._first + PAGE]

    def next_batch(self) -> list[int]:
        """Galaxies of the next page; after the last one those of the first."""
        self._first = self._first + PAGE if self._first + PAGE < len(self.found.rows) else 0
        return self.batch()

    def following(self) -> list[int]:
        """Galaxies of the page after this one."""
        return self.found.rows[self._first + PAGE : self._first + 2 * PAGE]

    def pass_on(self, rows: list[int]) -> None:
        """Galaxies that were seen may be seen again."""


class FoundGrid(RatingGrid):
    """The grid of the rating view, whose answers are examples and negatives."""

    _kinds = RatingGrid._kinds | {"take"}

    def __init__(self, session: Session, viewer: Viewer, search: FindView):
        self._search = search
        about = {"title": "Galaxies found", "meaning": "more, or not, like this", "without": ["s"]}
        super().__init__(session, viewer, keys=KEYS, more=[SELECT], takes_focus=False, **about)

    def _listen(self) -> None:
        """The view tells it what was found."""

    @property
    def _ratings(self) -> FindView:
        return self._search

    def restart(self) -> None:
        """Show what was found now."""
        self._batch(self._search.batch())

    def focus(self, *, asked: bool = True) -> None:
        """Let keys go to the grid; unless it was asked for, not while a person is elsewhere in the page."""
        self._send_msg({"kind": "focus", "asked": asked})

    def _tell(self, row: int | None) -> None:
        """Others hear of the query."""

    def _on_take(self, message: dict) -> None:
        self._session.set("selection", self._search.found.rows)
        self._search.bar.say(f"{len(self._search.found.rows)} galaxies are selected")

    def _nothing(self) -> str:
        return BEGIN

    def _card(self, row: int, name: str) -> dict:
        desk, found, query = self._session.desk, self._search.found, self._search.query
        likeness, apart = found.similarity.get(row), found.separation.get(row, math.nan)
        said = "" if likeness is None else f"{likeness:.3f}"
        answer = (
            MORE if {"row": row} in query["examples"] else NOT if {"row": row} in query["negatives"] else None
        )
        facts = [["similarity", said], ["separation", separation_text(apart)]]
        facts += [[column, text_of_cell(desk, column, row)] for column in desk.show]
        return {
            "row": row,
            "name": name,
            "caption": f"{said} · {separation_text(apart)}",
            "answer": answer,
            "predicted": None,
            "why": "",
            "facts": facts,
            "links": links_to(desk, row),
        }

    def _progress(self) -> dict:
        query = self._search.query
        facts = [["like", str(len(query["examples"]))], ["not like", str(len(query["negatives"]))]]
        return {"facts": [*facts, ["found", str(len(self._search.found.rows))]], "advice": "", "rated": 0}


class FindBar(Component):
    """What is searched for, in the browser."""

    largest = param.Integer(LARGEST)

    _esm = module("find_bar.js")
    _kinds = frozenset({"ready", "add", "file", "remove", "turn", "separation", "leave"})

    def __init__(self, search: FindView):
        self._search, self._chips, self._said = search, [], ("", False)
        super().__init__(search.session, sizing_mode="stretch_width")

    def say(self, text: str, *, failed: bool = False) -> None:
        """Tell a person something."""
        self._said = text, failed
        self._send_msg({"kind": "said", "text": text, "failed": failed})

    def show(self, chips: list[dict]) -> None:
        """Show these examples."""
        self._chips = chips
        self._send_msg({"kind": "chips", "chips": chips, "separation": self._search.query["separation"]})

    def focus(self) -> None:
        """Let keys go to the text, unless a person is elsewhere in the page."""
        self._send_msg({"kind": "focus"})

    def _failed(self, message: dict, said: str) -> None:
        self.say(said, failed=True)

    def _on_ready(self, message: dict) -> None:
        self.show(self._chips)
        self.say(*self._said[:1], failed=self._said[1])
        if not self._search.query["examples"]:
            self.focus()

    def _on_add(self, message: dict) -> None:
        text, sign, search = str(message["text"]), _sign(message), self._search.search
        desk = self._search.session.desk

        def read() -> dict:
            about = named_example(desk, text)
            search.example(about)
            return about

        self._search.work(read, lambda about: self._taken(about, sign))

    def _on_file(self, message: dict) -> None:
        name, search = str(message["name"]), self._search.search
        try:
            content = base64.b64decode(message["data"], validate=True)
        except binascii.Error:
            raise ValueError(f"{name} did not arrive whole; drop it again") from None

        def read() -> dict:
            about = search.keep_file(content, name)
            search.example(about)
            return about

        self._search.work(read, lambda about: self._taken(about, 1))

    def _taken(self, about: dict, sign: int) -> None:
        self._send_msg({"kind": "taken"})
        self._search.add(about, sign)

    def _on_remove(self, message: dict) -> None:
        self._search.remove(int(message["place"]), _sign(message))

    def _on_turn(self, message: dict) -> None:
        sign = _sign(message)
        about = self._search.query[SIGNS[sign]][int(message["place"])]
        self._search.add(about, -sign)

    def _on_separation(self, message: dict) -> None:
        text = str(message["value"]).strip()
        value = float(text) if text else 0.0
        if not (math.isfinite(value) and value >= 0):
            raise ValueError("the least separation is a number of arcsec, 0 or more")
        self._search.change(separation=value or None)

    def _on_leave(self, message: dict) -> None:
        self._search.grid.focus()


def _sign(message: dict) -> int:
    return -1 if message["sign"] == -1 else 1


def separation_text(arcsec: float) -> str:
    """Angle on the sky in a unit in which it is easily read."""
    if not math.isfinite(arcsec):
        return "–"
    for unit, size in (("°", 3600), ("′", 60)):
        if arcsec >= size:
            return f"{arcsec / size:.1f}{unit}"
    return f"{arcsec:.1f}″"
