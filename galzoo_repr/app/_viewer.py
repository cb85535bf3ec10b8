"""The viewer: fluxes of one galaxy, stretched, coloured and zoomed in the browser."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from galzoo_repr._config import log
from galzoo_repr.app._component import Component, module

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["Viewer"]

WIDER = 5  # times the field of the cutout
WIDER_PIXELS = 600
WIDTH = "clamp(300px, 27vw, 620px)"
USUAL_FIELD = 60.0  # arcsec, of a picture that does not tell its scale
LARGEST_FIELD = 1800.0  # arcsec


class Viewer(Component):
    """
    Shows the galaxy looked at, `session.current`, from its fluxes; nothing is sent while it is not visible.

    The browser gets the float32 planes of a galaxy once, and makes colours of them itself.
    """

    _esm = module("viewer.js")
    _styles = "viewer.css"
    _kinds = frozenset({"ready", "want", "wider"})

    def __init__(self, session: Session, **params: Any):
        super().__init__(session, styles={"width": WIDTH}, sizing_mode="stretch_height", **params)
        session.listen("current", lambda _: self.refresh())

    def refresh(self) -> None:
        """Show the galaxy looked at, if there is one and anybody sees it."""
        row = self._session.current
        if self.visible and row is not None:
            (name,) = self._session.desk.names([row])
            self._send_msg({"kind": "show", "row": row, "name": name})

    def _on_ready(self, message: dict) -> None:
        self.refresh()

    def _on_want(self, message: dict) -> None:
        self._in_thread(self._picture, self._row(message))

    def _on_wider(self, message: dict) -> None:
        self._in_thread(self._wider, self._row(message))

    def _row(self, message: dict) -> int:
        row = message["row"]
        if not isinstance(row, int) or not 0 <= row < len(self._session.table):
            raise ValueError(f"the catalogue has no row {row!r}")
        return row

    def _in_thread(self, make: Callable[[int], dict], row: int) -> None:
        """Read or fetch something without the page waiting for it, and send it."""

        def work() -> None:
            try:
                reply = make(row)
            except Exception as error:  # of a service or a file, in any way
                log.info("no picture of row %d: %s", row, error)
                reply = {"kind": "nothing", "text": f"There is no picture: {error}"}
            self._session.later(lambda: self._send_msg({**reply, "row": row}))

        threading.Thread(target=work, daemon=True).start()

    def _picture(self, row: int) -> dict:
        planes = self._session.desk.pictures.planes(row)
        if planes is None:
            jpeg = self._session.desk.pictures.jpeg(row)
            if jpeg is None:
                return {"kind": "nothing", "text": "There is no picture of this galaxy."}
            return {"kind": "colours", "data": jpeg, "scale": None}
        _, height, width = planes.values.shape
        scale = planes.pixel_scale if planes.pixel_scale > 0 else None
        data = planes.values.tobytes()
        return {"kind": "planes", "data": data, "height": height, "width": width, "scale": scale}

    def _wider(self, row: int) -> dict:
        """A wider field in colour, from the survey."""
        import astropy.units as u
        from PIL import Image

        from galzoo_repr.cutouts import LegacySurvey

        desk = self._session.desk
        positions = desk.positions
        if positions is None or not positions.valid[row]:
            raise ValueError("the catalogue has no position of this galaxy")
        planes = desk.pictures.planes(row)
        known = planes is not None and planes.pixel_scale > 0
        field = planes.pixel_scale * planes.values.shape[2] if known else USUAL_FIELD
        scale = min(WIDER * field, LARGEST_FIELD) / WIDER_PIXELS
        survey = LegacySurvey() if desk.survey is None else desk.survey
        (pixels,) = survey.get_images(
            positions.skycoord[row],
            size=WIDER_PIXELS,
            pixel_scale=scale * u.arcsec,
            image_format="jpeg",
        )
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "JPEG", quality=90)
        return {"kind": "wide", "data": content.getvalue(), "scale": scale}
