"""Where the bodies of a store lie, and what to say when they cannot be kept."""

import errno
import os
import re
from pathlib import Path

from galzoo_repr.cutouts._manifest import STEM, CutoutStoreError
from galzoo_repr.cutouts._request import CutoutRequest, Outcome

__all__ = ["PICTURE", "SUFFIXES", "body_name", "body_path", "is_whole", "picture_path", "store_error"]

PICTURE = "-picture.jpg"
"""End of the name of a small picture that was kept instead of a body."""
SUFFIXES = {"fits": ".fits", "jpeg": ".jpg"}
_DIGEST = re.compile("[0-9a-f]{64}")


def body_name(root: Path | str, request: CutoutRequest, outcome: Outcome) -> str:
    """File that answers a request, ``ab/cd/<digest>.fits`` or ``.jpg`` below the root; empty when nothing is kept."""
    digest = outcome.digest
    # A length of 0 says that the body was there and has been dropped. A path is made of letters and digits alone,
    # whatever a manifest or a journal says.
    if not digest or not outcome.n_bytes or not digest.isalnum() or request.image_format not in SUFFIXES:
        return ""
    # Text: for a million rows, making paths costs more than looking them up.
    folder = f"{root}{os.sep}{digest[:2]}{os.sep}{digest[2:4]}{os.sep}"
    return f"{folder}{digest[:STEM]}{SUFFIXES[request.image_format]}"


def body_path(root: Path, digest: str, image_format: str) -> Path:
    """File of a body by its SHA-256, checked since the manifest may have been tampered with."""
    if not _DIGEST.fullmatch(digest):
        raise CutoutStoreError(f"the manifest in {root} is damaged: {digest!r} is no SHA-256")
    return root / digest[:2] / digest[2:4] / f"{digest[:STEM]}{SUFFIXES[image_format]}"


def picture_path(root: Path, digest: str) -> Path:
    """File of the small picture that was made of a body."""
    return body_path(root, digest, "jpeg").with_name(f"{digest[:STEM]}{PICTURE}")


def is_whole(root: Path | str, request: CutoutRequest, outcome: Outcome) -> bool:
    """Whether a body is still there, with the length that it had."""
    try:
        return bool(outcome.n_bytes) and os.stat(body_name(root, request, outcome)).st_size == outcome.n_bytes
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
