"""Letters in pictures: which font there is, and text as it is set in print."""

import io
import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

__all__ = ["font_of", "set_in", "typeset", "wrapped"]

_MINUS, _DASH, _DOTS = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{HORIZONTAL ELLIPSIS}"
_IN_PLAIN = {_MINUS: "-", _DASH: "-", _DOTS: "...", "\N{PRIME}": "'", "\N{DOUBLE PRIME}": '"'}
_BEFORE_A_NUMBER = re.compile(r"(?<!\S)-(?=\.?\d)")
_ALONE = re.compile(r"(?<!\S)-(?!\S)")


def typeset(text: str) -> str:
    """
    Set numbers as in print: a true minus before them, and a dash where there is no value.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> from galzoo_repr.images import typeset
    >>> typeset("score -1.25"), typeset("z -"), typeset("J0959-0157")
    ('score −1.25', 'z –', 'J0959-0157')
    """
    return _ALONE.sub(_DASH, _BEFORE_A_NUMBER.sub(_MINUS, text))


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Give the font of matplotlib, where that is installed, as Pillow's own lacks accents, Greek and the minus."""
    content = _font_of_matplotlib()
    return ImageFont.truetype(io.BytesIO(content), size) if content else ImageFont.load_default(size)


@cache
def _font_of_matplotlib() -> bytes:
    found = find_spec("matplotlib")  # which is not imported
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.is_file():
            return file.read_bytes()
    return b""


def set_in(font: ImageFont.FreeTypeFont, text: str) -> str:
    """Text as in print, as far as a font has the letters; plainer ones stand for those that it lacks."""
    return "".join(letter if letter.isascii() else _drawable(font, letter) for letter in typeset(text))


@cache
def _drawable(font: ImageFont.FreeTypeFont, letter: str) -> str:
    if bytes(font.getmask(letter)) != bytes(font.getmask("\uffff")):
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _IN_PLAIN.get(letter) or plain or letter


def wrapped(font: ImageFont.FreeTypeFont, text: str, width: int, most: int = 1) -> list[str]:
    """Lines of a text that are no wider than so many pixels; words and lines that are too many are cut."""
    lines: list[str] = []
    for word in set_in(font, text).split() or [""]:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == most or font.getlength(longer) <= width):
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(font, line, width) for line in lines]


def _cut(font: ImageFont.FreeTypeFont, text: str, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    dots = set_in(font, _DOTS)
    # Names of files and objects differ at their ends, of which as much is kept as of their beginnings.
    end = "" if " " in text else text[len(text) // 2 :]
    start = text[: len(text) - len(end)]
    while start and font.getlength(start + dots + end) > width:
        start, end = (start, end[1:]) if len(end) >= len(start) else (start[:-1], end)
    return start.rstrip() + dots + end
