"""What the page and the browser tell each other on a busy machine: nothing is lost, nothing overtakes another."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

import galzoo_repr as gzr

from .conftest import galaxies, until
from .test_map import mapped

# How many galaxies are in the rings that mark the one looked at.
MARKED = """() => [...Bokeh.documents[0].all_models].filter(
  (model) => model.type === "ColumnDataSource" && !("shade" in model.data) && model.data.x?.length === 1).length"""


class Wire:
    """
    The websocket of a page, in which messages can be held up.

    Those from the page that hold `swallowed` never arrive, those to it wait while `held`.
    """

    def __init__(self, page):
        self.swallowed, self.held, self._waiting = "", False, []
        page.route_web_socket("**/ws*", self._opened)

    def _opened(self, page_side):
        server_side, parts = page_side.connect_to_server(), []

        def send(part):
            parts.append(part)
            if len(parts) == 3:  # header, facts about it, content
                if not self.swallowed or self.swallowed not in parts[2]:
                    for one in parts:
                        server_side.send(one)
                parts.clear()

        page_side.on_message(send)
        server_side.on_message(lambda part: self._waiting.append(part) if self.held else page_side.send(part))
        self._page_side = page_side

    def release(self):
        self.held = False
        for part in self._waiting:
            self._page_side.send(part)
        self._waiting.clear()


@pytest.fixture
def wire(page):
    return Wire(page)


@pytest.fixture
def slow_server(monkeypatch, tmp_path):
    """Serve a catalogue from a thread of this process, to a network that takes a while for each part of a message."""
    from tornado.websocket import WebSocketHandler

    from galzoo_repr.app._serve import Server

    at_once, running = WebSocketHandler.write_message, []

    def write_message(self, *arguments, **named):
        written = at_once(self, *arguments, **named)

        async def settle():
            await written
            await asyncio.sleep(0.06)

        return asyncio.ensure_future(settle())

    def start(table) -> SimpleNamespace:
        looked = gzr.look(table, folder=tmp_path / "look", serve=False)
        made, started = [], threading.Event()

        def run():
            asyncio.set_event_loop(asyncio.new_event_loop())
            made.append(Server(looked._desk))
            started.set()
            made[0].run()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(60)
        running.append((made[0], thread, looked))
        return SimpleNamespace(url=made[0].url, desk=looked._desk)

    monkeypatch.setattr(WebSocketHandler, "write_message", write_message)
    yield start
    for server, thread, looked in running:
        server.stop()
        thread.join(60)
        looked.close()


def tab(page, title: str):
    return page.locator(".bk-tab", has_text=title)


def signs(page) -> dict:
    """What is seen of each view once it is there."""
    return {
        "Rate": page.locator(".rate >> visible=true"),
        "Label": page.locator("input[name=column]"),
        "Find": page.locator("input[name=query]"),
        "Map": page.get_by_role("button", name="Make UMAP"),
        "Out": page.get_by_role("button", name="Save", exact=True),
    }


# Bokeh remarks on a model that both sides know, and goes on.
@pytest.mark.filterwarnings("ignore:reference already known")
def test_a_change_does_not_overtake_the_view_that_it_changes(slow_server, page, tmp_path):
    server = slow_server(mapped(folder=tmp_path))
    page.goto(server.url)
    page.locator("figure.here").wait_for()
    (session,) = server.desk.sessions
    session.listen("view", lambda title: session.set("current", 7) if title == "Map" else None)
    tab(page, "Map").click()
    page.locator(".bk-Figure").first.wait_for()
    until(lambda: page.evaluate(MARKED) == 2)  # on the map and on the sky


def test_what_is_clicked_before_all_is_drawn_is_shown(served, page, wire, tmp_path):
    wire.swallowed = "document_ready"
    page.goto(served(mapped(folder=tmp_path)).url)
    for title, sign in reversed(signs(page).items()):
        tab(page, title).click()
        sign.first.wait_for()


def test_a_view_that_comes_late_leaves_the_keys_where_they_go(served, page, wire):
    page.goto(served(galaxies(20)).url)
    page.locator("figure.here").wait_for()
    wire.held = True
    tab(page, "Label").click()
    tab(page, "Out").focus()
    page.wait_for_timeout(500)
    wire.release()
    page.locator("figure.here >> visible=true").wait_for()
    page.keyboard.press("Enter")
    signs(page)["Out"].wait_for()


def test_what_is_typed_goes_nowhere_else(served, page, wire):
    page.goto(served(galaxies(20)).url)
    tab(page, "Label").click()
    page.locator("figure.here >> visible=true").wait_for()
    tab(page, "Out").click()
    signs(page)["Out"].wait_for()
    wire.held = True
    tab(page, "Label").click()
    page.locator("input[name=column]").click()
    page.keyboard.type("spi")
    page.wait_for_timeout(500)
    wire.release()
    page.wait_for_timeout(1000)
    page.keyboard.type("ral")
    assert page.locator("input[name=column]").input_value() == "spiral"
    page.keyboard.press("Enter")
    page.get_by_role("application", name="Label spiral").wait_for()
    until(lambda: page.locator(".rate:focus").count() == 1)
