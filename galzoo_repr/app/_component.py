"""Parts of views that are made in the browser, and what they and Python send each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import param
from panel.custom import JSComponent

from galzoo_repr.app._text import text_of

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["Alive", "Component", "module"]

CLOSED = "this page was closed, or opened anew: go on there, or run its cell again"


def module(name: str) -> str:
    """JavaScript of a component: what all have in common, and its own file of this folder."""
    return text_of("common.js") + text_of(name)


class Component(JSComponent):
    """
    Part of a view in the browser.

    A subclass has a `module` as ``_esm``, a file of styles, and for each kind of message that it takes a method
    ``_on_<kind>``. What fails while a message is answered goes to ``_failed``.
    """

    css = param.String()

    _esm = "export function render() {}"
    _styles = "bars.css"
    _kinds = frozenset({"ready"})

    def __init__(self, session: Session, **params: Any):
        self._session = session
        super().__init__(css=text_of(self._styles), margin=0, **params)
        self.on_msg(self._answer)

    def _answer(self, event: Any) -> None:
        """Do what the browser asks, and tell a person if that failed."""
        self._session.answers_here()
        message = event.data
        if self._session.desk.closed:
            self._failed(message, CLOSED)
            return
        try:
            if (kind := message["kind"]) in self._kinds:
                getattr(self, f"_on_{kind}")(message)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            self._failed(message, str(error))

    def _failed(self, message: dict, said: str) -> None:
        """Say what could not be done."""


class Alive(Component):
    """Nothing to see: tells a page in a notebook at once that it is answered, and the session by which thread."""

    _esm = text_of("tab_keys.js") + module("alive.js")

    def __init__(self, session: Session):
        super().__init__(session, width=0, height=0)

    def _on_ready(self, message: dict) -> None:
        self._send_msg({"kind": "alive"})
