"""The viewer: fluxes of one galaxy, stretched, coloured and zoomed in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import param
from panel.custom import JSComponent

from galzoo_repr.app._page import HERE

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["Viewer"]


class Viewer(JSComponent):
    """Shows the fluxes of `session.current`; nothing is sent while it is not visible."""

    css = param.String()

    _esm = HERE / "viewer.js"

    def __init__(self, session: Session, **params: Any):
        self._session = session
        super().__init__(width=460, sizing_mode="stretch_height", margin=0, **params)
        session.listen("current", lambda _: self.refresh())

    def refresh(self) -> None:
        """Send the galaxy looked at."""
