"""The view to take the catalogue out: saved in any format, sent to other programs, or shown on the sky."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn

from galzoo_repr.app._samp import send_to_samp
from galzoo_repr.catalogue import write_catalogue

if TYPE_CHECKING:
    from astropy.table import Table

    from galzoo_repr.app._session import Session

__all__ = ["view"]

FORMATS = {"Parquet": ".parquet", "ECSV": ".ecsv", "FITS": ".fits", "VOTable": ".vot"}
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
        self.which = pn.widgets.RadioButtonGroup(name="Galaxies", options=[ALL, OWN], value=ALL)
        self.form = pn.widgets.Select(name="Format", options=list(FORMATS), width=140)
        self.path = pn.widgets.TextInput(name="File", value=self._usual_path(), width=460)
        self.replace = pn.widgets.Checkbox(name="Replace a file that is there")
        self.save = pn.widgets.Button(name="Save", button_type="primary", width=110)
        self.send = pn.widgets.Button(name="Send by SAMP", width=140)
        self.said = pn.pane.Str("", name="said", margin=(10, 5))
        self._count = pn.pane.Str("")
        self._sky = pn.Column(sizing_mode="stretch_width")
        self.form.param.watch(lambda _: setattr(self.path, "value", self._usual_path()), "value")
        self.save.on_click(lambda _: self._work(self.save, self._save))
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
            self.save,
            pn.pane.Str(TELL["samp"], margin=(18, 5, 0, 5)),
            self.send,
        ]
        if find_spec("ipyaladin") is not None and find_spec("ipywidgets_bokeh") is not None:
            show = pn.widgets.Button(name="Show in Aladin", width=140)
            show.on_click(lambda _: self._show_sky())
            parts += [show, self._sky]
        return pn.Column(*parts, self.said, sizing_mode="stretch_both", margin=14)

    def _usual_path(self) -> str:
        return str(Path(self._session.desk.folder).resolve() / f"catalogue{FORMATS[self.form.value]}")

    def _counted(self, rows: np.ndarray) -> None:
        self._count.object = f"{len(self._session.table):,} galaxies, {len(rows):,} of them selected"

    def _chosen(self) -> Table:
        table = self._session.desk.result()
        if self.which.value == OWN:
            if not len(self._session.selection):
                raise ValueError("nothing is selected; select galaxies on the map, or choose all")
            table = table[self._session.selection]
        return table

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
        button.disabled, self.said.object = False, said

    def _save(self) -> str:
        path, table = Path(self.path.value).expanduser(), self._chosen()
        write_catalogue(table, path, overwrite=self.replace.value)
        return f"{len(table):,} galaxies saved to {path}"

    def _send(self) -> str:
        table = self._chosen()
        clients = send_to_samp(table, name="galzoo_repr")
        return f"{len(table):,} galaxies sent to {', '.join(clients)}"

    def _show_sky(self) -> None:
        from ipyaladin import Aladin

        positions = self._session.desk.positions
        aladin = Aladin(survey="CDS/P/DESI-Legacy-Surveys/DR10/color", fov=1.0)
        if positions is not None and len(self._session.selection):
            first = positions.skycoord[self._session.selection[0]]
            aladin.target = first
        self._sky.objects = [pn.pane.IPyWidget(aladin, height=420, sizing_mode="stretch_width")]
