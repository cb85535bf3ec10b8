"""Files of pictures: found, unpacked, and read as what they are."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path

from galzoo_repr.images._fits import read_bands
from galzoo_repr.images._image_data import ImageData, refused
from galzoo_repr.images._pillow import decode_colour

__all__ = ["content_of", "read_content"]

_UNPACK = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
# No picture of a galaxy is larger; what claims to be is not taken into memory.
_LARGEST = 2**31


def content_of(path: str) -> bytes | ImageData:
    """Content of a file, or why there is none."""
    try:
        facts = os.stat(path)
        if stat.S_ISREG(facts.st_mode) and facts.st_size <= _LARGEST:
            return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if "://" in path:
            return refused("missing", f"{path!r} is an address, not a file; download it first")
        return refused("missing", f"there is no file {path!r}")
    except OSError as error:
        return refused("corrupt", f"the file cannot be read: {error.strerror}")
    if stat.S_ISDIR(facts.st_mode):
        return refused("corrupt", f"{path!r} is a folder, not a file")
    too_large = f"has {facts.st_size} bytes, which no picture has" if facts.st_size else "is no regular file"
    return refused("corrupt", f"{path!r} {too_large}")


def read_content(
    content: bytes, bands: str, flux: Sequence[float] | None = None, *, any_scale: bool = False
) -> ImageData:
    """Read the content of a FITS file, also compressed, or of any file that Pillow knows, as `read_image` does."""
    if not content:
        return refused("truncated", "the file is empty")
    for start, unpack in _UNPACK.items():
        if content.startswith(start):
            try:
                with unpack(io.BytesIO(content)) as packed:
                    content = packed.read(_LARGEST)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                status = "truncated" if isinstance(error, EOFError) else "corrupt"
                return refused(status, f"the file cannot be decompressed: {error}")
            break
    if content.startswith(b"SIMPLE  ="):
        return read_bands(content, bands, flux, any_scale=any_scale)
    return decode_colour(content)
