"""The bar above the galaxies to label: what is asked, and tags of the galaxy in focus or of those selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from galzoo_repr.app._component import Component, module
from galzoo_repr.app._mark_words import TAGS

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["LabelBar"]

MOST_COUNTED = 5_000  # galaxies of a selection whose tags are counted
MOST_KNOWN = 2_000  # tags that a browser completes from
MOST_CHIPS = 30


class LabelBar(Component):
    """Question and tags; whatever is given is on the disk before the browser hears of it."""

    _esm = module("label_bar.js")
    _kinds = frozenset({"ready", "ask", "only", "tag", "many", "leave"})

    def __init__(
        self,
        session: Session,
        *,
        ask: Callable[[str, str], None],
        only: Callable[[bool], None],
        leave: Callable[[], None],
    ):
        self._ask, self._only, self._leave = ask, only, leave
        self.column, self._many, self._selected = "", False, False
        super().__init__(session, sizing_mode="stretch_width")
        session.listen("current", lambda _: self._about())
        session.listen("selection", lambda _: self._about())
        session.listen("marked", lambda column: self._marked() if column == TAGS else None)

    def focus(self) -> None:
        """Let keys go to the tag."""
        self._send_msg({"kind": "focus", "what": "tag"})

    def _failed(self, message: dict, said: str) -> None:
        self._say(said, failed=True)
        self._state()

    def _on_ready(self, message: dict) -> None:
        self._state(column=self.column)
        self._about()

    def _on_ask(self, message: dict) -> None:
        self._ask(message["column"], message["answers"])
        self._state(column=self.column)
        self._say("")

    def _on_only(self, message: dict) -> None:
        self._selected = bool(message["selected"])
        try:
            self._only(self._selected)
        except ValueError:
            self._selected = False
            raise
        self._say("")

    def _on_tag(self, message: dict) -> None:
        rows = self._rows()
        tag = self._session.desk.marks.tag(rows, message["tag"], bool(message["on"]))
        n = len(rows)
        what = self._session.desk.names(rows[:1])[0] if n == 1 else f"{n:,} galaxies"
        self._say(f"{what}: {tag} {'given' if message['on'] else 'taken away'}")

    def _on_many(self, message: dict) -> None:
        self._many = bool(message["value"])
        self._about()

    def _on_leave(self, message: dict) -> None:
        self._leave()

    def _rows(self) -> list[int]:
        """Galaxies that a tag is for."""
        session = self._session
        if self._many and len(session.selection):
            return session.selection.tolist()
        return [] if session.current is None else [session.current]

    def _marked(self) -> None:
        self._state()
        self._about()

    def _state(self, column: str | None = None) -> None:
        marks = self._session.desk.marks
        known = marks.known_tags()[:MOST_KNOWN]
        state = {"kind": "state", "questions": marks.questions(), "known": known, "only": self._selected}
        self._send_msg(state if column is None else {**state, "column": column})

    def _about(self) -> None:
        """Whose tags are shown, and which they are."""
        session, rows = self._session, self._rows()
        marks = session.desk.marks
        if len(rows) == 1:
            name, tags = session.desk.names(rows)[0], [[tag, tag] for tag in marks.tags(rows[0])]
        else:
            name = f"{len(rows):,} selected" if rows else "no galaxy"
            times = Counter(tag for row in rows[:MOST_COUNTED] for tag in marks.tags(row))
            tags = [[tag, f"{tag} ({n:,})"] for tag, n in times.most_common(MOST_CHIPS)]
        many = self._many and len(session.selection) > 0
        about = {
            "kind": "about",
            "name": name,
            "tags": tags,
            "selected": len(session.selection),
            "many": many,
        }
        self._send_msg(about)

    def _say(self, text: str, *, failed: bool = False) -> None:
        self._send_msg({"kind": "said", "text": text, "failed": failed})
