"""How large a picture may be, so that a small file cannot fill the memory."""

__all__ = ["LARGEST_FLUX", "MOST_PIXELS", "most_unpacked", "too_large"]

LARGEST_FLUX = 1e15
"""Nothing in the sky has pixels of so many nanomaggies, and squares of larger ones overflow."""
MOST_PIXELS = 2**26
"""Pixels of a colour picture; 8192 on a side."""
_ALWAYS = 2**26
_FACTOR = 20


def most_unpacked(n_bytes: int) -> int:
    """
    Bytes that a compressed file may unpack to: twenty times as many as it has, and 64 MiB in any case.

    Examples
    --------
    >>> from galzoo_repr.images._bounds import most_unpacked
    >>> most_unpacked(1000), most_unpacked(10**7)
    (67108864, 200000000)
    """
    return max(_ALWAYS, _FACTOR * n_bytes)


def too_large(n_unpacked: int, n_bytes: int) -> bool:
    """Whether a file claims to unpack to more than `most_unpacked`."""
    return n_unpacked > most_unpacked(n_bytes)
