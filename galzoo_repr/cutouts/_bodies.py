"""Where the bodies of a store lie, and what to say when they cannot be kept."""

import errno
import os
from pathlib import Path

from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import CutoutRequest, Outcome

__all__ = ["STEM", "body_name", "is_whole", "store_error"]

STEM = 32
"""Letters of the SHA-256 that name a file."""
_SUFFIXES = {"fits": ".fits", "jpeg": ".jpg"}


def body_name(root: Path | str, request: CutoutRequest, outcome: Outcome) -> str:
    """File that answers a request, ``ab/cd/<digest>.fits`` or ``.jpg`` below the root; empty when nothing was kept."""
    digest = outcome.digest
    # A path is made of letters and digits alone, whatever a manifest or a journal says.
    if not digest or not digest.isalnum() or request.image_format not in _SUFFIXES:
        return ""
    # Text: for a million rows, making paths costs more than looking them up.
    folder = f"{root}{os.sep}{digest[:2]}{os.sep}{digest[2:4]}{os.sep}"
    return f"{folder}{digest[:STEM]}{_SUFFIXES[request.image_format]}"


def is_whole(root: Path | str, request: CutoutRequest, outcome: Outcome) -> bool:
    """Whether a body is still there, with the length that it had."""
    try:
        return os.stat(body_name(root, request, outcome)).st_size == outcome.n_bytes
    except OSError:
        return False


def store_error(root: Path, error: OSError) -> CutoutStoreError:
    """What to raise for an error of the file system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = (
            f"no space is left for cutouts in {root}; what was fetched is kept: make room, or choose another store, "
            "and call again"
        )
    else:
        message = f"the store of cutouts {root} cannot be written: {error}"
    return CutoutStoreError(error.errno or errno.EIO, message)
