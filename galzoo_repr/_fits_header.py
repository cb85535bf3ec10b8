"""The one parser of FITS headers, for files that are as surveys send them."""

import math
import re

__all__ = ["read_fits_header"]

_BLOCK = 2880
_CARD = 80
_END = b"END".ljust(_CARD)
# Keyword, and its value as text between quotes, of which two stand for one within, or anything else before a comment.
_KEY_AND_VALUE = re.compile(r"(.{8})= +(?:'((?:[^']|'')*)'|([^/]*))")


def read_fits_header(content: bytes, start: int = 0) -> tuple[dict[str, str], int] | None:
    """
    Read a header of a FITS file.

    `astropy.io.fits.Header` understands far more, and takes longer than all the rest of reading a cutout.

    Parameters
    ----------
    content : bytes
        Of the file.
    start : int
        Where the header begins.

    Returns
    -------
    cards : dict of str
        Values by keyword, as they are written, without quotes and comments.
    data : int
        Where the data begin, in bytes. Instead of both, None where the header has no end.

    Examples
    --------
    >>> from galzoo_repr._fits_header import read_fits_header
    >>> header = "NAXIS   =                    2 / number of axes".ljust(80) + "END".ljust(80)
    >>> read_fits_header(header.encode())
    ({'NAXIS': '2'}, 2880)
    """
    end = content.find(_END, start)
    while (end - start) % _CARD:
        if end < 0:
            return None
        end = content.find(_END, end + 1)
    text = content[start:end].decode("latin1")
    cards = {}
    for at in range(0, end - start, _CARD):
        if card := _KEY_AND_VALUE.match(text, at, at + _CARD):
            keyword, quoted, plain = card.groups()
            value = plain if quoted is None else quoted.replace("''", "'")
            cards[keyword.rstrip()] = value.rstrip()
    return cards, start + math.ceil((end - start + _CARD) / _BLOCK) * _BLOCK
