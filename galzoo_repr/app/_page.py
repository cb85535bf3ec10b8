"""
The page: a row of tabs, each of them a view.

A view is a module of this folder with a function ``view(session)`` that gives a Panel object. It is listed in `VIEWS`
and called when its tab is first shown, once for each page. What views share is the `Session` (`_session`)::

    session.table                     the catalogue with all columns so far (read only)
    session.selection                 int array of row numbers; session.set("selection", rows, by=my_callback)
    session.current                   row of the galaxy looked at, or None; the viewer shows it
    session.query                     what is searched for, a dict or None: {"examples": [...], "negatives": [...]} of
                                      {"row": 3}, {"text": "150.1 2.2"} or {"file": ...}; set it, then "view" to "Find"
    session.listen(name, callback)    callback(value) on "selection", "current", "query", "view", "columns", "rated"
                                      (ratings changed), "learned" (galaxies were scored anew), or a name of your own
    session.tell(name, value)         tell the listeners of this page; session.desk.tell(...) those of all pages
    session.later(callback)           run in the page's thread, from any other

and what all pages share is ``session.desk``::

    desk.pictures.jpeg(row)           JPEG bytes or None; .planes(row) fluxes (float32) and pixel scale or None
    desk.names(rows), desk.positions  names of some galaxies; their positions, or None
    desk.add_column(name, values, description)    a new or changed column of the catalogue
    desk.keep(name, value), desk.recall(name)     JSON that is kept between runs, on the disk when keep returns
    desk.marks                        Marks: .tag(rows, "ring"), .label(rows, "bar", "yes"), .tags(row), .answers("bar")
    desk.ratings                      RatingDesk or None: .ratings(), .opinion.judgement.score, ...

Text of catalogues, names and tags is text: give it to the browser by ``textContent`` or as the value of a widget, never
inside HTML. Ask no other host. Long work goes to a thread and comes back by ``session.later``. Styles: the variables
``--gz-*`` of ``page.css``. What is made in the browser is a `Component` (`_component`) with a file of JavaScript.
"""

from __future__ import annotations

from functools import partial
from html import escape
from importlib import import_module
from types import ModuleType
from typing import Any

from galzoo_repr._config import log
from galzoo_repr.app._session import Desk, Session
from galzoo_repr.app._text import text_of

__all__ = ["VIEWS", "notebook_page", "page", "served_page"]

# Title of the tab, and module of the view.
VIEWS = (("Rate", "_rate"), ("Label", "_label"), ("Find", "_find"), ("Map", "_map"), ("Out", "_out"))
HEIGHT = 720  # pixels, in a notebook
TABS = """
:host { --gz-tab: var(--gz-text, inherit); }
.bk-header { border-bottom: 1px solid var(--gz-line, #8888) !important; }
.bk-tab { padding: 6px 14px !important; color: var(--gz-faint, inherit) !important; border: 0 !important; }
.bk-tab.bk-active { color: var(--gz-text, inherit) !important; background: none !important;
  border-bottom: 2px solid var(--gz-accent, #1f5fbf) !important; }
.bk-tab:hover { background: none !important; color: var(--gz-text, inherit) !important; }
.bk-tab:focus-visible { outline: 2px solid var(--gz-accent, #1f5fbf); outline-offset: -2px; }
"""


def served_page(desk: Desk) -> Any:
    """Whole page as the server gives it to a browser, made anew each time it is loaded."""
    import panel as pn

    session = Session(desk)
    pn.state.on_session_destroyed(lambda _: session.close())
    template = pn.Template(text_of("page.html"))
    template.add_variable("css", text_of("page.css"))
    template.add_variable("tab_keys", text_of("tab_keys.js"))
    template.add_panel("page", page(session))
    return template


def notebook_page(desk: Desk) -> Any:
    """Page inside the output of a notebook's cell."""
    import panel as pn

    pn.extension(inline=True)
    from galzoo_repr.app._component import Alive
    from galzoo_repr.app._notebook import NotebookColumn

    session = Session(desk, in_notebook=True)
    whole = NotebookColumn(
        page(session, height=HEIGHT), Alive(session), sizing_mode="stretch_width", margin=0
    )
    session.send_changes = partial(pn.io.push_notebook, whole)
    return whole


def page(session: Session, *, height: int | None = None) -> Any:
    """Tabs of all views, each made when it is first shown."""
    import panel as pn

    # A browser knows those components that there are when it is given the page.
    room = __name__.rpartition(".")[0]
    modules = [import_module(f"{room}.{name}") for _, name in VIEWS]
    size = (
        {"sizing_mode": "stretch_both"}
        if height is None
        else {"sizing_mode": "stretch_width", "height": height}
    )
    holders = [pn.Column(sizing_mode="stretch_both", margin=0) for _ in VIEWS]
    titles = [title for title, _ in VIEWS]
    tabs = pn.Tabs(*zip(titles, holders, strict=True), stylesheets=[TABS], margin=0, **size)

    def show(number: int) -> None:
        if not holders[number].objects:
            holders[number].append(_view(modules[number], session))
        session.set("view", titles[number])

    tabs.active = titles.index(session.view) if session.view in titles else 0
    show(tabs.active)
    tabs.param.watch(lambda event: show(event.new), "active")
    session.listen("view", lambda title: setattr(tabs, "active", titles.index(title)))
    return tabs


def _view(module: ModuleType, session: Session) -> Any:
    """One view, or why there is none: a catalogue may be odd in ways that concern this one alone."""
    import panel as pn

    try:
        return module.view(session)
    except Exception as error:
        log.exception("a view of the page failed")
        said = escape(f"This view cannot be shown: {error}", quote=True)
        return pn.pane.Str(said, sizing_mode="stretch_both", margin=20)
