"""What the views of a page share: the catalogue, the galaxies selected, the one looked at, the query."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import log
from galzoo_repr._folder import publish
from galzoo_repr.catalogue import SkyPositions, as_table, galaxy_names, sky_positions, with_columns

if TYPE_CHECKING:
    from galzoo_repr.app._pictures import RowPictures
    from galzoo_repr.app._ratings import RatingDesk
    from galzoo_repr.cutouts import Route

__all__ = ["Desk", "Session"]

# Rows of a selection that are remembered for the next time; more are quickly selected again.
REMEMBERED = 100_000
SETTLED = 0.5  # seconds after the last change of a view that it is remembered


class Desk:
    """
    What all pages of one call of `look` share, whichever browser they are open in.

    Attributes
    ----------
    table : Table
        The catalogue with all columns so far. Add columns by `add_column` only, so that every view hears of it.
    folder : pathlib.Path
        Where everything that a person gave is kept.
    pictures : RowPictures
        Pictures of rows.
    ratings : RatingDesk or None
        Ratings and what is learned from them, None where the catalogue has no embeddings.
    show : list of str
        Columns that are shown with each galaxy.
    survey : Route or None
        Where a wider field is fetched from.
    marks : Marks or None
        Tags and labels.
    lessons : dict of str to Lesson
        Columns of labels that were looked at, and what was learned from them.
    rater : str
        Name of the person, empty for the only one.
    """

    def __init__(
        self,
        table: Table,
        folder: Path,
        pictures: RowPictures,
        ratings: RatingDesk | None = None,
        *,
        show: Sequence[str] = (),
        survey: Route | None = None,
        rater: str = "",
    ):
        self.table, self.folder = table, folder
        self.pictures, self.ratings = pictures, ratings
        self.show, self.survey, self.rater = list(show), survey, rater
        self.marks: Any = None  # they know of this class
        self.lessons: dict[str, Any] = {}
        self.sessions: list[Session] = []
        self.closed = False
        self._writing = threading.Lock()
        self._names: dict[int, str] = {}

    @cached_property
    def positions(self) -> SkyPositions | None:
        """Where on the sky the galaxies are, None where the catalogue does not tell."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return sky_positions(self.table)
        except (TypeError, ValueError):
            return None

    def names(self, rows: Sequence[int]) -> list[str]:
        """Names, or positions, or numbers, of some galaxies."""
        asked = [int(row) for row in rows]
        unknown = [row for row in dict.fromkeys(asked) if row not in self._names]
        if unknown:
            columns = {name: self.table[name] for name in self.table.colnames}
            flat = {name: column[unknown] for name, column in columns.items() if len(column.shape) == 1}
            # With a column of its own, as a table without any has no rows.
            some = Table({"row in the page": unknown, **flat})
            # Where there is neither name nor position it is the number in this small table.
            for at, (row, name) in enumerate(zip(unknown, galaxy_names(some), strict=True)):
                self._names[row] = f"row {row}" if name == f"row {at}" else name
        return [self._names[row] for row in asked]

    def result(self) -> Table:
        """The catalogue with all columns, those of the ratings and scores included."""
        table = self.table
        if self.marks is not None:
            self.marks.refresh()
            table = self.marks.with_people(self.table)
        if self.ratings is not None:
            return self.ratings.with_columns(table)
        return as_table(table)

    def add_column(self, name: str, values: np.ndarray, description: str) -> None:
        """Add a column to the catalogue, or replace it, and tell all views (``"columns"``)."""
        column = Column(values, description=description)
        with self._writing:
            self.table = with_columns(self.table, {name: column}, overwrite=True, copy=False)
        self.tell("columns", name)

    def keep(self, name: str, value: Any) -> None:
        """Keep what JSON can hold under a name; it is on the disk when this returns."""
        with self._writing:
            publish(self.folder / f"{name}.json", json.dumps(value).encode())

    def recall(self, name: str, otherwise: Any = None) -> Any:
        """Give what was kept under a name, in this or an earlier run."""
        try:
            return json.loads((self.folder / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return otherwise
        except ValueError:
            log.warning("%s is unreadable and not used", self.folder / f"{name}.json")
            return otherwise

    def tell(self, name: str, value: Any = None) -> None:
        """Tell the views of all pages of something, from any thread."""
        for session in list(self.sessions):
            session.later(lambda session=session: session.tell(name, value))

    def get_ready(self, rows: list[int]) -> None:
        """Find out beforehand what is shown of some galaxies, in any thread."""
        _ = self.positions, self.names(rows)
        for row in rows:
            self.pictures.jpeg(row)

    def close(self) -> None:
        """Write what is waiting to be written, and let go of the files; again it does nothing."""
        if self.closed:
            return
        self.closed = True
        for session in list(self.sessions):
            session.close()
        for lesson in self.lessons.values():
            lesson.close()
        if self.marks is not None:
            self.marks.close()
        if self.ratings is not None:
            self.ratings.close()


class Session:
    """
    State of one page, from when it is loaded until it is closed.

    Attributes
    ----------
    desk : Desk
    selection : int array
        Row numbers of the galaxies selected.
    current : int or None
        Row of the galaxy looked at.
    query : dict or None
        What is searched for, as JSON can hold it.
    view : str
        Name of the tab shown.

    Notes
    -----
    Change them by `set`, which tells whoever listens, and hear of changes by `listen`. Other news of the same kind:
    ``"columns"`` (a column was added), ``"rated"`` (ratings changed), ``"learned"`` (galaxies were scored anew).
    """

    REMEMBERED = ("selection", "current", "query", "view")

    def __init__(self, desk: Desk, *, in_notebook: bool = False):
        self.desk = desk
        self._in_notebook, self._loop = in_notebook, None
        self.send_changes: Callable[[], None] = lambda: None  # set by a page in a notebook
        self.answers_here()
        self._name = f"view_{desk.rater}" if desk.rater else "view"
        self._listeners: dict[str, list[Callable]] = defaultdict(list)
        self._document = _document()
        self._timer: threading.Timer | None = None
        self._put({"selection": [], "current": None, "query": None, "view": None})
        self._put(self._recalled())
        desk.sessions.append(self)

    @property
    def table(self) -> Table:
        """The catalogue, with all columns so far."""
        return self.desk.table

    def listen(self, name: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback(value)`` whenever something of this name changes or is told."""
        self._listeners[name].append(callback)

    def set(self, name: str, value: Any, by: Callable | None = None) -> None:
        """Change ``selection``, ``current``, ``query`` or ``view``, and tell all listeners but the one given."""
        self.answers_here()
        self._put({name: value})
        self._remember_soon()
        self.tell(name, getattr(self, name), by)

    def tell(self, name: str, value: Any = None, by: Callable | None = None) -> None:
        """Tell the listeners of this page, in its own thread, of anything."""
        for callback in self._listeners[name]:
            if callback is not by:
                callback(value)

    def later(self, callback: Callable[[], None]) -> None:
        """Call something in the thread of the page, soon; may be asked for in any thread."""
        if self._document is not None and self._document.session_context is not None:
            self._document.add_next_tick_callback(callback)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._then_send, callback)
        else:
            callback()

    def _then_send(self, callback: Callable[[], None]) -> None:
        """Call something, and send a notebook what it changed in plots, of which Panel does not hear."""
        try:
            callback()
        finally:
            self.send_changes()

    def answers_here(self) -> None:
        """
        Note that it is this thread which answers the page.

        In a notebook that is the kernel's, or one that it has for the messages of widgets. Messages with pictures go
        out in parts there, between which no other thread may send any.
        """
        if self._in_notebook:
            with suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Remember what is shown, for the next time."""
        if self in self.desk.sessions:
            self.desk.sessions.remove(self)
            if self._timer is not None:
                self._timer.cancel()
                self._remember()

    def _put(self, values: dict) -> None:
        for name, value in values.items():
            setattr(self, name, np.asarray(value, dtype=np.int64) if name == "selection" else value)

    def _recalled(self) -> dict:
        """State of the last page, as far as it fits the catalogue."""
        kept = self.desk.recall(self._name, {})
        if not isinstance(kept, dict):
            return {}
        known = {name: kept[name] for name in self.REMEMBERED if name in kept}
        n = len(self.table)
        with suppress(TypeError, ValueError):
            rows = np.asarray(known.pop("selection", []), dtype=np.int64).ravel()
            known["selection"] = rows[(rows >= 0) & (rows < n)]
        if not (isinstance(current := known.get("current"), int) and 0 <= current < n):
            known["current"] = None
        return known

    def _remember_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(SETTLED, self._remember)
        self._timer.daemon = True
        self._timer.start()

    def _remember(self) -> None:
        self._timer = None
        state = {name: getattr(self, name) for name in self.REMEMBERED}
        rows = state["selection"]
        state["selection"] = rows.tolist() if len(rows) <= REMEMBERED else []
        try:
            self.desk.keep(self._name, state)
        except OSError as error:
            log.warning("what the page shows cannot be remembered: %s", error)


def _document() -> Any:
    """Document of the page that is being made, None in a notebook or a test."""
    import panel as pn

    return pn.state.curdoc
