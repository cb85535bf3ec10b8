"""Names of processes that lease or hold something, by which others can tell whether they still live."""

import os
import socket
import uuid

__all__ = ["is_gone", "new_owner"]


def new_owner() -> str:
    """Name of one call or object of this process."""
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"


def is_gone(owner: str) -> bool:
    """Whether a process of this machine has surely ended; if not, its last sign of life decides."""
    host, _, pid = str(owner).rpartition(" ")[0].rpartition(" ")
    # On Windows signal 0 is not a question but ends the process.
    if os.name != "posix" or host != socket.gethostname() or not pid.isdecimal() or len(pid) > 10:
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False
