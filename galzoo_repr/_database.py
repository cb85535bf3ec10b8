"""SQLite files that are closed whatever happens to those who opened them."""

import sqlite3
import weakref
from pathlib import Path

__all__ = ["open_database"]

_BUSY_SECONDS = 60.0


def open_database(owner: object, path: Path, mode: str, **options: object) -> sqlite3.Connection:
    """
    Open an SQLite file for use from several threads.

    Parameters
    ----------
    owner : object
        Whose it is. The file is closed with it at the latest: after an error, or when nothing refers to it any more.
    path : pathlib.Path
        Absolute.
    mode : str
        As in SQLite's URIs: ``"ro"``, ``"rwc"``, ``"ro&immutable=1"``.
    **options
        For `sqlite3.connect`.

    Returns
    -------
    sqlite3.Connection
    """
    uri = f"{path.as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False, **options)
    weakref.finalize(owner, db.close)
    return db
