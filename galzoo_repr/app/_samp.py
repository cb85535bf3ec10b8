"""Tables to other programs of astronomers, by SAMP: the hub and the file are on this machine."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from astropy.samp import SAMPHubError, SAMPIntegratedClient
from astropy.samp.errors import SAMPProxyError
from astropy.table import Table

from galzoo_repr.catalogue import write_catalogue

__all__ = ["send_to_samp"]

MTYPE = "table.load.votable"
KEPT_FOR = 600  # seconds that a file is left for programs which read it
WIDEST = 8  # numbers in a cell that other programs show


def send_to_samp(table: Table, *, name: str = "galaxies", clients: str = "") -> list[str]:
    """
    Send a table to the programs that are joined to a SAMP hub, such as TOPCAT and Aladin.

    Embeddings, which they could not show, are left out.

    Parameters
    ----------
    table : Table
    name : str
        What to call it there.
    clients : str, optional
        Part of the name of the programs meant; all by default.

    Returns
    -------
    list of str
        Names of the programs that it was sent to.

    Raises
    ------
    ConnectionError
        If there is no hub, or no program at it that takes tables.
    """
    client = SAMPIntegratedClient(name="galzoo_repr", description="Galaxies from a page of galzoo_repr")
    try:
        client.connect()
    except (SAMPHubError, SAMPProxyError, OSError) as error:
        raise ConnectionError(
            "there is no SAMP hub on this machine; start TOPCAT or Aladin, which bring one along, and send again"
        ) from error
    try:
        found = {
            key: client.get_metadata(key).get("samp.name", key)
            for key in client.get_subscribed_clients(MTYPE)
        }
        found = {key: called for key, called in found.items() if clients.lower() in called.lower()}
        if not found:
            raise ConnectionError(
                "no program at the SAMP hub takes tables; start TOPCAT or Aladin, and send again"
            )
        path = _written(table)
        message = {"samp.mtype": MTYPE, "samp.params": {"url": path.as_uri(), "table-id": name, "name": name}}
        for key in found:
            client.notify(key, message)
    finally:
        client.disconnect()
    return sorted(found.values())


def _written(table: Table) -> Path:
    """File of the columns that programs show, taken away after a while."""
    narrow = [name for name in table.colnames if int(np.prod(table[name].shape[1:])) <= WIDEST]
    handle, path = tempfile.mkstemp(suffix=".vot", prefix="galzoo-")
    os.close(handle)
    write_catalogue(table[narrow], path, overwrite=True)
    timer = threading.Timer(KEPT_FOR, Path(path).unlink, kwargs={"missing_ok": True})
    timer.daemon = True
    timer.start()
    return Path(path)
