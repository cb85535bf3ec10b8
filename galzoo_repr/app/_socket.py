"""One way out of the server: what a page is sent goes at once and in the order in which it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from bokeh.events import DocumentReady
from panel.io.document import dispatch_tornado
from panel.io.state import set_curdoc
from tornado.websocket import WebSocketClosedError

__all__ = ["send_in_order"]


def send_in_order(handler: Any) -> None:
    """
    Let the websocket of a page send messages whole, at once and in order.

    Of themselves Bokeh and Panel share it in a way that loses and swaps messages on a busy machine:

    - Bokeh sends the parts of a message one by one, each when the one before is out, and holds a lock meanwhile. What
      Panel has to send then is put aside and follows some time later, while Bokeh goes on with what happened after
      it: the browser is told of a change of a plot before it was given the plot. Two messages put aside may even
      meet so that the second waits until something else is sent. Without a wait between the parts nobody needs the
      lock, and nothing is put aside.
    - Panel drops changes of layouts until the browser has told that all is drawn, as if it had not been given the page
      yet. It was, and its tabs can be clicked: the tab would stay empty.

    Parameters
    ----------
    handler : bokeh.server.views.ws.WSHandler
        A websocket that is about to be opened.
    """

    def send(message: Any) -> Awaitable[Any]:
        written: list[Any] = []
        with suppress(WebSocketClosedError):  # a page that was closed is sent nothing
            written = dispatch_tornado(handler.connection, msg=message)
            if message.msgtype == "PULL-DOC-REPLY":
                _has_page(handler.connection.session.document)
        return asyncio.gather(*written, return_exceptions=True)

    handler.send_message = send


def _has_page(document: Any) -> None:
    """From now on the browser is to hear of each change: tell Panel so, in the words of the browser."""
    with set_curdoc(document):
        document.callbacks.trigger_event(DocumentReady())
