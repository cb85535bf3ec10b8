"""What the headers of a FITS file claim, looked at before anything is allocated for it."""

import math
from collections.abc import Mapping

from galzoo_repr._fits_header import read_fits_header
from galzoo_repr.images._bounds import too_large

__all__ = ["sound_part"]

_BLOCK = 2880
_DEPTHS = frozenset({8, 16, 32, 64, -32, -64})
_MOST_AXES = 999
"""And most fields of a table (FITS 4.0, 4.4.1.1 and 7.2.1). Programs look for cards of each."""
_MOST_UNITS = 10_000


def sound_part(content: bytes) -> tuple[int, str]:
    """
    Bytes of a FITS file up to the first unit whose header cannot be true, and what is wrong with that one.

    Units that end beyond the file are let through, as what is there may be read.

    Examples
    --------
    >>> from galzoo_repr.images._fits_structure import sound_part
    >>> cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =            987654321"]
    >>> sound_part("".join(card.ljust(80) for card in [*cards, "END"]).encode())
    (0, 'its header has NAXIS = 987654321')
    """
    start = 0
    for _ in range(_MOST_UNITS):
        if content[start : start + 8] not in (b"SIMPLE  ", b"XTENSION"):
            break
        header = read_fits_header(content, start)
        if header is None:
            return start, "its header has no end"
        cards, data = header
        try:
            size = _data_bytes(cards, len(content))
        except ValueError as error:
            return start, f"its header has {error}"
        start = data + math.ceil(size / _BLOCK) * _BLOCK
        if start >= len(content):
            break
    return len(content), ""


def _data_bytes(cards: Mapping[str, str], n_content: int) -> int:
    """Bytes of the data of a unit; a `ValueError` names the card that cannot be true."""
    depth = _whole(cards, "BITPIX", -64, 64)
    if depth not in _DEPTHS:
        raise ValueError(f"the unknown depth BITPIX = {depth}")
    axes = [_whole(cards, f"NAXIS{axis}", 0) for axis in range(1, 1 + _whole(cards, "NAXIS", 0, _MOST_AXES))]
    heap = _whole(cards, "PCOUNT", 0) if "PCOUNT" in cards else 0
    groups = _whole(cards, "GCOUNT", 1) if "GCOUNT" in cards else 1
    if "TFIELDS" in cards:
        _whole(cards, "TFIELDS", 0, _MOST_AXES)
    if cards.get("ZIMAGE") == "T":
        _refuse_claims(cards, n_content)
    # An axis of length zero is that of random groups.
    count = math.prod(axes[1:] if axes[:1] == [0] and cards.get("GROUPS") == "T" else axes) if axes else 0
    return abs(depth) // 8 * groups * (heap + count)


def _refuse_claims(cards: Mapping[str, str], n_content: int) -> None:
    """Refuse a compressed image that claims to be far more than its file can hold, as a whole or in one tile."""
    width = abs(_whole(cards, "ZBITPIX", -64, 64)) // 8
    n_axes = _whole(cards, "ZNAXIS", 1, _MOST_AXES)
    for name in ("ZNAXIS", "ZTILE"):
        keys = [f"{name}{axis}" for axis in range(1, 1 + n_axes)]
        claimed = width * math.prod(_whole(cards, key, 1) for key in keys if name == "ZNAXIS" or key in cards)
        if too_large(claimed, n_content):
            raise ValueError(f"{name}n for {claimed} bytes, more than {n_content} can hold")


def _whole(cards: Mapping[str, str], keyword: str, lowest: int, highest: int = 2**40) -> int:
    value = cards.get(keyword, "nothing")
    try:
        number = int(value) if value.isascii() and "_" not in value else None
    except ValueError:
        number = None
    if number is None or not lowest <= number <= highest:
        raise ValueError(f"{keyword} = {value[:30]}")
    return number
