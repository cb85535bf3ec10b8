"""Arrays in files of their own: each is what its header and the card say, or it is refused."""

import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from galzoo_repr._folder import published

__all__ = ["check_name", "damaged", "read_array", "verify_array", "write_array"]

_NAME = re.compile(r"[A-Za-z_]\w{0,60}(\.\w{1,60}){0,2}(-[0-9a-f]{4,12})?\.npy")


def damaged(path: Path, why: object) -> ValueError:
    """Error for an index that cannot be used."""
    return ValueError(f"the index is damaged: {path} {why}; build it again")


def check_name(folder: Path, name: object, pattern: re.Pattern = _NAME) -> Path:
    """Path of a file or folder that a card names, which lies in the folder itself whatever the card says."""
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise damaged(folder, f"names a file that no index has: {str(name)[:80]!r}")
    return folder / name


def write_array(folder: Path, name: str, array: np.ndarray) -> dict:
    """Write an array, and give what a card says of it: file, type, shape, and SHA-256 of the file."""
    with published(folder / name) as draft:
        np.save(draft, array, allow_pickle=False)
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": name, "dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest}


def read_array(folder: Path, entry: Mapping[str, object] | str, *, mapped: bool = False) -> np.ndarray:
    """
    Read an array, or map it, after a look at its header and the length of its file.

    `entry` is what `write_array` gave, or the name alone, which earlier formats noted. What is read is also compared
    with its digest; what is mapped is not, which would mean to read it: see `verify_array`. A `ValueError` if it is
    not what it shall be.
    """
    entry = {"file": entry} if isinstance(entry, str) else entry
    path = check_name(folder, entry.get("file") if isinstance(entry, Mapping) else entry)
    try:
        if not path.is_file():
            raise damaged(path, "is missing, or no file")
        dtype, shape = _look(path)
        if "dtype" in entry and (dtype.str, list(shape)) != (entry["dtype"], entry["shape"]):
            raise damaged(path, f"has {dtype.str} of shape {list(shape)}, not as the card says")
        if not mapped and "sha256" in entry:
            verify_array(folder, entry)
        # Copy on write: torch wants arrays that could be written to, and the file is never touched.
        return np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except (OSError, EOFError, MemoryError, TypeError, KeyError) as error:
        raise damaged(path, f"cannot be read ({error})") from error


def _look(path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape in the header of a file that is as long as these make it."""
    with path.open("rb") as file:
        try:
            major, _ = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except ValueError as error:
            raise damaged(path, f"cannot be read ({error})") from error
        length = file.tell() + dtype.itemsize * math.prod(shape)
    if dtype.hasobject or length != path.stat().st_size:
        raise damaged(path, "is not as long as its header says")
    return dtype, shape


def verify_array(folder: Path, entry: Mapping[str, object]) -> None:
    """Read a file and compare it with its digest; a `ValueError` if it is another."""
    path = check_name(folder, entry["file"])
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
            raise damaged(path, "has changed since it was written: its SHA-256 is not the one in the card")
