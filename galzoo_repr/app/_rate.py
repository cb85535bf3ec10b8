"""The view to rate galaxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn
import param

from galzoo_repr.app._cards import card_of, progress_facts
from galzoo_repr.app._component import Component, module
from galzoo_repr.app._viewer import Viewer

if TYPE_CHECKING:
    from galzoo_repr.app._ratings import RatingDesk
    from galzoo_repr.app._session import Session

__all__ = ["view"]

NO_EMBEDDINGS = (
    "The catalogue has no embeddings, from which this page learns what is interesting: add them first, by "
    "galzoo_repr.add_embeddings or galzoo-repr embed."
)
NOTHING_LEFT = "All galaxies with an embedding were shown."
IN_BROWSER = 60  # pictures that are kept there
CHOOSING = "Choosing the next galaxies …"
THINKING = "Reading the catalogue …"
ALIKE = ["m", "alike", "more", "find more like this"]


def view(session: Session) -> Any:
    """Galaxies to rate, with what is known of each, and beside them the viewer of fluxes."""
    if session.desk.ratings is None:
        return pn.pane.Str(NO_EMBEDDINGS, sizing_mode="stretch_both", margin=20)
    viewer = Viewer(session)
    viewer.visible = False
    return pn.Row(RatingGrid(session, viewer), viewer, sizing_mode="stretch_both", margin=0)


class RatingGrid(Component):
    """The galaxies of a batch in the browser; answers come as messages, and are on the disk before the reply."""

    keys = param.List(
        doc="Pairs of a key and the answer that it gives; they go before keys of other meaning."
    )
    more = param.List(
        doc="Other keys: key, kind of the message it sends, text of its button, and what it does."
    )
    without = param.List(doc="Usual keys that mean nothing here.")
    takes_focus = param.Boolean(
        True, doc="Whether keys go to it at once, unless a person is elsewhere in the page."
    )
    asked = param.Boolean(
        False, doc="Whether a person asked for it just now, so that keys go to it in any case."
    )
    title = param.String("Rate galaxies")
    meaning = param.String("rate: higher is more interesting")

    _esm = module("rating_grid.js")
    _styles = "rating_grid.css"
    _kinds = frozenset({"ready", "rate", "undo", "next", "at", "viewer", "alike"})

    def __init__(self, session: Session, viewer: Viewer, **params: Any):
        self._viewer = viewer
        super().__init__(
            session,
            keys=params.pop("keys") if "keys" in params else _keys(session.desk.ratings.values),
            more=params.pop("more", [ALIKE]),
            sizing_mode="stretch_both",
            **params,
        )
        self._sent: dict[int, None] = {}
        self._rows: list[int] = []
        self._waits = False
        self._listen()

    def _listen(self) -> None:
        self._session.listen("learned", lambda _: self._learned())

    @property
    def _ratings(self) -> RatingDesk:
        return self._session.desk.ratings

    def _failed(self, message: dict, said: str) -> None:
        self._send_msg({"kind": "failed", "id": message.get("id"), "text": f"not kept: {said}"})

    def _on_ready(self, message: dict) -> None:
        self._sent.clear()
        self._batch(self._ratings.batch())

    def _on_rate(self, message: dict) -> None:
        row, value = int(message["row"]), message["value"]
        self._ratings.rate(row, value)
        answer = "skip" if value is None else value
        reply = {"kind": "done", "id": message["id"], "row": row, "answer": answer}
        self._send_msg({**reply, "progress": self._progress()})
        self._tell(row)

    def _on_undo(self, message: dict) -> None:
        row = self._ratings.undo()
        card = None
        if row is not None:
            self._send_pictures([row])
            (card,) = self._cards([row])
        reply = {"kind": "undone", "id": message["id"], "card": card}
        self._send_msg({**reply, "progress": self._progress()})
        self._tell(row)

    def _on_next(self, message: dict) -> None:
        self._ratings.pass_on(self._rows)
        self._batch(self._ratings.next_batch(), message.get("id"))

    def _on_at(self, message: dict) -> None:
        self._session.set("current", int(message["row"]))

    def _on_viewer(self, message: dict) -> None:
        self._viewer.visible = not self._viewer.visible
        self._viewer.refresh()

    def _batch(self, rows: list[int], identity: int | None = None) -> None:
        """Show these galaxies, or say why there are none."""
        self._rows = rows
        self._waits = not rows
        text = self._nothing()
        self._send_pictures(rows)
        reply: dict = {"kind": "batch", "cards": self._cards(rows), "text": "" if rows else text}
        if identity is not None:
            reply["id"] = identity
        self._send_msg({**reply, "progress": self._progress()})

    def _learned(self) -> None:
        """Galaxies were scored anew: show what is thought of them now, and send the pictures of the next."""
        if self._waits:
            self._batch(self._ratings.batch())
        facts = {"kind": "facts", "cards": self._cards(self._rows)}
        self._send_msg({**facts, "progress": self._progress()})
        self._send_one_by_one(self._ratings.following())

    def _send_one_by_one(self, rows: list[int]) -> None:
        """Send the pictures of galaxies that are not shown yet, with room for keys between them."""
        if rows:
            self._send_pictures(rows[:1])
            self._session.later(lambda: self._send_one_by_one(rows[1:]))

    def _on_alike(self, message: dict) -> None:
        """Look for galaxies like this one, on the page to find them."""
        self._session.set("query", {"examples": [{"row": int(message["row"])}], "negatives": []})
        self._session.set("view", "Find")

    def _tell(self, row: int | None) -> None:
        self._session.desk.tell("rated", row)

    def _nothing(self) -> str:
        """Why there is no galaxy to show."""
        opinion = self._ratings.opinion
        text = THINKING if opinion is None else CHOOSING if self._ratings.learning else NOTHING_LEFT
        return self._ratings.failure or text

    def _progress(self) -> dict:
        return progress_facts(self._ratings)

    def _card(self, row: int, name: str) -> dict:
        return card_of(self._session.desk, row, name)

    def _cards(self, rows: list[int]) -> list[dict]:
        names = self._session.desk.names(rows)
        return [self._card(row, name) for row, name in zip(rows, names, strict=True)]

    def _send_pictures(self, rows: list[int]) -> None:
        for row in rows:
            if row not in self._sent:
                self._send_msg({"kind": "picture", "row": row, "data": self._session.desk.pictures.jpeg(row)})
                self._sent[row] = None
                while len(self._sent) > IN_BROWSER:
                    del self._sent[next(iter(self._sent))]


def _keys(values: list[float]) -> list[list]:
    """Key of each rating: its digit, or else 1, 2, 3... and 0 for the tenth."""
    if all(value in range(10) for value in values):
        return [[str(value), value] for value in values]
    return [[str((i + 1) % 10), value] for i, value in enumerate(values)]
