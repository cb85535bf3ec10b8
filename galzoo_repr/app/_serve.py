"""The server of the page: on this machine alone, for whoever has the address, until Ctrl-C."""

from __future__ import annotations

import hmac
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from galzoo_repr.app._session import Desk

__all__ = ["Server", "serve_page"]

HERE = "127.0.0.1"
# Names by which a browser on this machine, or at the other end of a tunnel, may call it.
OWN_NAMES = {"127.0.0.1", "localhost", "::1"}
SWITCH = 0.001  # seconds a thread may compute before another one gets its turn
UNUSED_FOR = 600_000  # milliseconds after which a page that was closed is forgotten


def serve_page(
    desk: Desk,
    *,
    browser: bool = True,
    port: int = 0,
    prefix: str = "",
    origins: Sequence[str] = (),
    announce: Callable[[str], None] = print,
) -> None:
    """Serve the page of a catalogue until Ctrl-C, as `galzoo_repr.look` says."""
    server = Server(desk, port=port, prefix=prefix, origins=origins)
    announce(f"{server.url}\nThe page is served until Ctrl-C; whoever has this address can use it.")
    if browser:
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
    server.run()


class Server:
    """
    HTTP and websocket server of one page.

    Attributes
    ----------
    url : str
        Address with the token that lets a browser in.
    """

    def __init__(self, desk: Desk, *, port: int = 0, prefix: str = "", origins: Sequence[str] = ()):
        from panel.io.server import get_server

        from galzoo_repr.app._page import served_page

        prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self.token = secrets.token_urlsafe(24)
        allowed = {origin.lower() for origin in origins}
        try:
            self._server = get_server(
                lambda: served_page(desk),
                port=port,
                address=HERE,
                prefix=prefix,
                title="galzoo_repr",
                # At any port, as a tunnel may have another; the gate is more strict.
                websocket_origin=[*sorted(OWN_NAMES - {"::1"}), *sorted(allowed)],
                auth_provider=_gate(self.token, prefix, allowed),
                secret_key=secrets.token_urlsafe(32),
                sign_sessions=True,
                # A session is begun by loading the page, which is as good as its address.
                generate_session_ids=True,
                session_token_expiration=24 * 3600,
                check_unused_sessions_milliseconds=60_000,
                unused_session_lifetime_milliseconds=UNUSED_FOR,
                websocket_max_message_size=64 * 2**20,
            )
        except OSError as error:
            raise OSError(f"port {port} cannot be used: {error.strerror}; give another, or 0") from error
        # An address with its token is written into no log.
        self._server._tornado.settings["log_function"] = lambda handler: None
        self.port = self._server.port
        # Browsers tell cookies of one machine apart by their names alone.
        self._server._tornado.settings["galzoo_repr_port"] = self.port
        self.url = f"http://{HERE}:{self.port}{prefix}/?token={self.token}"

    def run(self) -> None:
        """Serve until Ctrl-C or `stop`."""
        loop = self._server.io_loop
        before = {}
        with suppress(ValueError):  # not in the main thread, which gets the signals
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, lambda *_: loop.add_callback_from_signal(loop.stop))
        # The thread that learns gives way to a key within a millisecond, not five.
        switched = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._server.start()
        try:
            loop.start()
        finally:
            sys.setswitchinterval(switched)
            self._server.stop(wait=False)
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End `run`, from any thread."""
        loop = self._server.io_loop
        loop.add_callback(loop.stop)


def _gate(token: str, prefix: str, origins: set[str]) -> Any:
    """Who is let in: a browser that was once given the token, from the page itself."""
    from bokeh.server.auth_provider import AuthProvider
    from tornado.web import HTTPError, RequestHandler

    from galzoo_repr.app._socket import send_in_order

    class Gate(AuthProvider):
        """Asked by Bokeh's server for everything but its own scripts."""

        @property
        def get_user_async(self) -> Callable:
            return self._user

        @property
        def login_url(self) -> str:
            return "/"

        async def _user(self, handler: RequestHandler) -> str | None:
            request = handler.request
            if not _is_own(request.host, origins):
                raise HTTPError(403, reason="This name is not that of the server")
            cookie = f"galzoo_repr_{handler.application.settings.get('galzoo_repr_port', '')}"
            given = handler.get_query_argument("token", "")
            if request.headers.get("Upgrade", "").lower() == "websocket":
                self._check_websocket(request, handler)
            if hmac.compare_digest(given.encode(), token.encode()):
                handler.set_cookie(cookie, token, httponly=True, samesite="Lax", path=f"{prefix}/")
                return "user"
            known = handler.get_cookie(cookie, "")
            if not hmac.compare_digest(known.encode(), token.encode()):
                raise HTTPError(403, reason="The address needs the token that was printed with it")
            return "user"

        @staticmethod
        def _check_websocket(request: Any, handler: Any) -> None:
            """Refuse what another page opened, or no page; and let answers go at once and in order."""
            origin = request.headers.get("Origin", "")
            host = urlsplit(origin).netloc.lower()
            if not host or not (host == request.host.lower() or host in origins):
                raise HTTPError(403, reason="A websocket is for the page alone")
            send_in_order(handler)
            opened = handler.open

            def opening(*arguments: Any, **named: Any) -> Any:
                """Let answers go at once; else each waits for the browser to confirm the one before, some 40 ms."""
                result = opened(*arguments, **named)
                with suppress(Exception):
                    handler.set_nodelay(True)
                return result

            handler.open = opening

    return Gate()


def _is_own(host: str, origins: set[str]) -> bool:
    """Whether a name in the header of a request is one of this machine, or one that was allowed."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in OWN_NAMES or host.lower() in origins or name in origins
