"""Files of pictures: found, unpacked, and read as what they are."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Sequence

from galzoo_repr.images._bounds import most_unpacked
from galzoo_repr.images._fits import read_bands
from galzoo_repr.images._image_data import ImageData, refused
from galzoo_repr.images._pillow import decode_colour

__all__ = ["content_of", "read_content", "unpacked"]

_UNPACK = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
# No picture of a galaxy is larger; what claims to be is not taken into memory.
_LARGEST = 2**30
# Opening a pipe waits for who writes into it, unless told not to; Windows has none among its files.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def content_of(path: str) -> bytes | ImageData:
    """Content of a file, or why there is none."""
    try:
        facts = os.stat(path)
        if stat.S_ISREG(facts.st_mode):
            with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as file:
                # What has been opened may be another than what was looked at.
                facts = os.fstat(file.fileno())
                if stat.S_ISREG(facts.st_mode) and facts.st_size <= _LARGEST:
                    return file.read(facts.st_size)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if "://" in path:
            return refused("missing", f"{path!r} is an address, not a file; download it first")
        where = "" if os.path.isabs(path) else f" below the current folder, {os.getcwd()}"
        return refused("missing", f"there is no file {path!r}{where}")
    except OSError as error:
        return refused("corrupt", f"the file cannot be read: {error.strerror}")
    except MemoryError:
        return refused("corrupt", f"{path!r} has more bytes than there is memory")
    if stat.S_ISDIR(facts.st_mode):
        return refused("corrupt", f"{path!r} is a folder, not a file")
    if not stat.S_ISREG(facts.st_mode):
        return refused("corrupt", f"{path!r} is no regular file, but a pipe, a device or the like")
    return refused("corrupt", f"{path!r} has {facts.st_size} bytes, which no picture has")


def read_content(
    content: bytes,
    bands: str | Sequence[str],
    flux: Sequence[float] | None = None,
    *,
    any_scale: bool = False,
    gaps: bool = False,
) -> ImageData:
    """Read the content of a FITS file, also compressed, or of any file that Pillow knows, as `read_image` does."""
    try:
        content = unpacked(content)
        if isinstance(content, ImageData):
            return content
        if not content:
            return refused("truncated", "the file is empty")
        if content.startswith(b"SIMPLE  ="):
            return read_bands(content, bands, flux, any_scale=any_scale, gaps=gaps)
        return decode_colour(content)
    # Files come from everywhere, and one that a library stumbles over is the trouble of its own row.
    except Exception as error:
        return refused("corrupt", f"the file cannot be read: {type(error).__name__}: {error}")


def unpacked(content: bytes) -> bytes | ImageData:
    """Content of a file that may be compressed, of which no more is unpacked than a picture may have."""
    unpack = next((_UNPACK[packed] for packed in _UNPACK if content.startswith(packed)), None)
    if unpack is None:
        return content
    most = min(most_unpacked(len(content)), _LARGEST)
    try:
        with unpack(io.BytesIO(content)) as packed:
            found = packed.read(most + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        status = "truncated" if isinstance(error, EOFError) else "corrupt"
        return refused(status, f"the file cannot be decompressed: {error}")
    if len(found) > most:
        return refused("corrupt", f"{len(content)} bytes unpack to more than {most}, which no picture does")
    return found
