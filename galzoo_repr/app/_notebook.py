"""What a page in a notebook and its kernel tell each other, none of it lost."""

from __future__ import annotations

from typing import Any

import panel as pn
from bokeh.document.callbacks import invoke_with_curdoc
from panel.io.notebook import push_on_root
from panel.io.state import state

__all__ = ["NotebookColumn"]


class NotebookColumn(pn.Column):
    """
    Column that acts on every change that the browser tells of.

    The browser gathers changes, such as the new size of a plot and the tab that was clicked, into one message. Panel
    puts the document on hold when it acts on the first of them, and Bokeh then keeps the others: they were acted on
    one by one with later messages, so that a tab which was clicked stayed empty. What Python changed since the last
    message was forgotten.
    """

    def _on_msg(self, ref: str, manager: Any, msg: dict) -> None:
        push_on_root(ref)
        super()._on_msg(ref, manager, msg)
        _, _, doc, comm = state._views[ref]
        kept = doc.callbacks._held_events
        came = [event for event in kept if event.setter == comm.id]
        doc.callbacks._held_events = [event for event in kept if event.setter != comm.id]
        for event in came:
            if event.callback_invoker is not None:
                invoke_with_curdoc(doc, event.callback_invoker)
        push_on_root(ref)
