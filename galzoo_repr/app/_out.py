"""The view to take the catalogue out: saved in any format, sent to other programs, or shown on the sky."""

from __future__ import annotations

import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
from astropy.table import Table

from galzoo_repr.app._component import Component, module
from galzoo_repr.app._selected import Words, dressed, plain
from galzoo_repr.catalogue import write_catalogue

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session
    from galzoo_repr.catalogue import SkyPositions

__all__ = ["view"]

FORMATS = {"Parquet": ".parquet", "ECSV": ".ecsv", "FITS": ".fits", "VOTable": ".vot"}
LARGEST = 200 * 2**20  # bytes of a file that is sent to a browser
ALL, OWN = "all galaxies", "those selected"
TELL = {
    "title": "The catalogue with all that was given on the page",
    "samp": "TOPCAT, Aladin and others that run a SAMP hub on this machine",
}


def view(session: Session) -> Any:
    """Save, send and show."""
    return OutView(session).layout


class OutView:
    """Controls of one page."""

    def __init__(self, session: Session):
        self._session = session
        self.which = pn.widgets.RadioButtonGroup(label="Galaxies", options=[ALL, OWN], value=ALL)
        self.form = pn.widgets.Select(label="Format", options=list(FORMATS), width=140)
        self.path = pn.widgets.TextInput(label="File", value=self._usual_path(), width=460)
        self.replace = pn.widgets.Checkbox(label="Replace a file that is there")
        self.save = pn.widgets.Button(label="Save", width=110)
        self.download = pn.widgets.Button(label="Download", width=110)
        self._hand_over = HandOver(session)
        self.send = pn.widgets.Button(label="Send by SAMP", width=140)
        self.said = Words("", margin=(10, 5))
        self._count = Words("")
        self._sky = pn.Column(sizing_mode="stretch_width")
        self.form.param.watch(lambda _: setattr(self.path, "value", self._usual_path()), "value")
        self.save.on_click(lambda _: self._work(self.save, self._save))
        self.download.on_click(lambda _: self._work(self.download, self._download))
        self.send.on_click(lambda _: self._work(self.send, self._send))
        session.listen("selection", self._counted)
        self._counted(session.selection)

    @property
    def layout(self) -> Any:
        """Controls below one another."""
        parts = [
            pn.pane.Str(TELL["title"]),
            self.which,
            self._count,
            pn.Row(self.form, self.path, margin=0),
            self.replace,
            pn.Row(self.save, self.download, self._hand_over, margin=0),
            pn.pane.Str(TELL["samp"], margin=(18, 10, 0, 10)),
            self.send,
        ]
        if find_spec("ipyaladin") is not None and find_spec("ipywidgets_bokeh") is not None:
            show = pn.widgets.Button(label="Show in Aladin", width=140)
            show.on_click(lambda _: self._show_sky())
            parts += [show, self._sky]
        return dressed(pn.Column(*parts, self.said, sizing_mode="stretch_both", margin=14))

    def _usual_path(self) -> str:
        return str(Path(self._session.desk.folder).resolve() / f"catalogue{FORMATS[self.form.value]}")

    def _counted(self, rows: np.ndarray) -> None:
        self._count.object = f"{len(self._session.table):,} galaxies, {len(rows):,} of them selected"

    def _chosen(self) -> Table:
        table = self._session.desk.result()
        return table if self.which.value == ALL else table[self._rows()]

    def _rows(self) -> np.ndarray:
        """Rows that are meant."""
        if self.which.value == ALL:
            return np.arange(len(self._session.table))
        if not len(self._session.selection):
            raise ValueError("nothing is selected; select galaxies on the map, or choose all")
        return self._session.selection

    def _work(self, button: Any, action: Any) -> None:
        """Do what may take long in a thread, and say what came of it."""
        button.disabled, self.said.object = True, "..."

        def work() -> None:
            try:
                said = action()
            # Files, hubs and programs of others fail in ways of their own; the page goes on.
            except Exception as error:
                said = f"Not done: {error}"
            self._session.later(lambda: self._told(button, said))

        threading.Thread(target=work, name="galzoo_repr out", daemon=True).start()

    def _told(self, button: Any, said: str) -> None:
        button.disabled, self.said.object = False, plain(said)

    def _save(self) -> str:
        path, table = Path(self.path.value).expanduser(), self._chosen()
        write_catalogue(table, path, overwrite=self.replace.value)
        return f"{len(table):,} galaxies saved to {path}"

    def _download(self) -> str:
        """Send the file to the browser, which may be on another machine."""
        table, name = self._chosen(), f"catalogue{FORMATS[self.form.value]}"
        with tempfile.TemporaryDirectory(prefix="galzoo-") as folder:
            path = Path(folder) / name
            write_catalogue(table, path)
            if path.stat().st_size > LARGEST:
                raise ValueError(
                    f"the file has {path.stat().st_size >> 20} MiB, more than the {LARGEST >> 20} MiB that a "
                    "browser can be sent; save it instead, or choose those selected"
                )
            content = path.read_bytes()
        self._session.later(lambda: self._hand_over.give(name, content))
        return f"{len(table):,} galaxies downloaded as {name}"

    def _send(self) -> str:
        from galzoo_repr.app._samp import send_to_samp  # which takes a while to import

        table = self._chosen()
        clients = send_to_samp(table, name="galzoo_repr")
        return f"{len(table):,} galaxies sent to {', '.join(clients)}"

    def _show_sky(self) -> None:
        try:
            aladin = aladin_view(self._chosen(), self._session.desk.positions, self._rows())
        except ValueError as error:
            self.said.object = plain(f"Not done: {error}")
            return
        self._sky.objects = [pn.pane.IPyWidget(aladin, height=420, sizing_mode="stretch_width")]


class HandOver(Component):
    """Nothing to see: gives files to the browser."""

    _esm = module("hand_over.js")

    def __init__(self, session: Session):
        super().__init__(session, width=0, height=0)

    def give(self, name: str, content: bytes) -> None:
        """Let the browser save a file."""
        self._send_msg({"name": name, "data": content})


def aladin_view(table: Table, positions: SkyPositions | None, rows: np.ndarray) -> Any:
    """
    A view of Aladin with a marker for each galaxy.

    Parameters
    ----------
    table : Table
        The galaxies; columns of one number or text each are shown with a marker.
    positions : SkyPositions or None
        Of the whole catalogue, of which `table` has these `rows`.
    """
    from ipyaladin import Aladin

    if positions is None or not positions.valid[rows].any():
        raise ValueError("none of these galaxies has a position")
    known = positions.valid[rows]
    flat = [name for name in table.colnames if getattr(table[name], "shape", ()) == (len(table),)]
    flat = [name for name in flat if table[name].dtype.kind in "biufSU"]
    shown = Table(table[flat][known], copy=False, meta={})
    for name, degrees in (("page_ra", positions.ra), ("page_dec", positions.dec)):
        shown[name] = degrees[rows][known]
    aladin = Aladin(survey="CDS/P/DESI-Legacy-Surveys/DR10/color", fov=1.0)
    aladin.target = positions.skycoord[rows[known][0]]
    aladin.add_table(shown, name="galaxies", ra_field="page_ra", dec_field="page_dec")
    return aladin
