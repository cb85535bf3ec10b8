"""Names of galaxies become names of files that every system takes, and that stay in their folder."""

import os
import re
import unicodedata
from collections.abc import Iterator

__all__ = ["file_stem", "same_name", "stems"]

_LONGEST = 100
"""Bytes of a name, so that what is added to it still fits into the 143 of some file systems."""
_NOT_IN_NAMES = '<>:"/\\|?*'
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file; also with an ending.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)", re.IGNORECASE
)


def file_stem(name: str) -> str:
    """
    Make a name that can be that of a file, as like to the one given as may be.

    Different names may become the same; `stems` gives others to choose from.

    Examples
    --------
    >>> from galzoo_repr.cutouts._file_names import file_stem
    >>> file_stem("NGC 1/2"), file_stem("../x"), file_stem("CON"), file_stem("")
    ('NGC 1_2', '_._x', '_CON', 'cutout')
    """
    letters = (_plain(letter) for letter in unicodedata.normalize("NFC", name))
    stem = "".join(letters).strip()
    while len(stem.encode()) > _LONGEST:
        stem = stem[:-1]
    # Windows drops these at the end; at the beginning they hide a file, or look like an option.
    stem = stem.rstrip(". ")
    if stem.startswith((".", "-")) or _RESERVED.match(stem):
        stem = f"_{stem}" if _RESERVED.match(stem) else f"_{stem[1:]}"
    return stem or "cutout"


def _plain(letter: str) -> str:
    """Letter itself, or a line in place of what separates folders, controls a terminal, or cannot be seen."""
    category = unicodedata.category(letter)
    return "_" if letter in _NOT_IN_NAMES or category[0] == "C" or category in ("Zl", "Zp") else letter


def stems(name: str, digest: str) -> Iterator[str]:
    """Names for a file in the order in which they are tried: as it is called, then with what tells its content."""
    stem = file_stem(name)
    yield stem
    yield f"{stem}_{digest[:8]}"
    number = 2
    while True:
        yield f"{stem}_{digest[:8]}_{number}"
        number += 1


def same_name(file: str) -> str:
    """Give what is equal for names that some file system takes for the same one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", os.path.basename(file)).casefold())
