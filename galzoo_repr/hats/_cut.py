"""A catalogue is cut along the sky: pixels of few enough rows, each written as the partition it is."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from galzoo_repr.hats._folder import INDEX, Pixel, partition_path, write_partition

__all__ = ["BASE", "cut", "write_pixels"]

#: The twelve pixels of the whole sky.
BASE = tuple(Pixel(0, number) for number in range(12))

# Finer pixels are of no use: this is a third of an arcsecond.
_FINEST = 19


def cut(
    before: Callable[[int], int], max_rows: int, *, within: Sequence[Pixel] = BASE, finest: int = _FINEST
) -> dict[Pixel, slice]:
    """
    Cut the sky into pixels of few enough rows, as large as they may be.

    Parameters
    ----------
    before : callable
        How many rows lie before a place on the sky, by its HEALPix of order 29.
    max_rows : int
        Rows of a pixel at most, where it is not of the finest order.
    within : sequence of Pixel
        What is to be cut, along the sky.
    finest : int
        Order of the finest pixels.

    Returns
    -------
    dict of Pixel to slice
        Rows of each pixel that has any, along the sky.
    """
    found, left = {}, list(reversed(within))
    while left:
        pixel = left.pop()
        shift = 2 * (29 - pixel.order)
        start, stop = int(before(pixel.number << shift)), int(before((pixel.number + 1) << shift))
        if stop - start > max_rows and pixel.order < finest:
            left += [Pixel(pixel.order + 1, 4 * pixel.number + quarter) for quarter in (3, 2, 1, 0)]
        elif stop > start:
            found[pixel] = slice(start, stop)
    return found


def write_pixels(
    arrow: pa.Table, root: Path, max_rows: int, within: Sequence[Pixel] = BASE
) -> dict[Pixel, int]:
    """Sort rows, which have their places on the sky, write their partitions, and give the rows of each."""
    index = arrow[INDEX].to_numpy(zero_copy_only=False)
    if (index[1:] < index[:-1]).any():
        order = np.argsort(index, kind="stable")
        arrow, index = arrow.take(pa.array(order)), index[order]
    pixels = cut(lambda place: np.searchsorted(index, place), max_rows, within=within)
    for pixel, rows in pixels.items():
        write_partition(arrow.slice(rows.start, rows.stop - rows.start), partition_path(root, pixel))
    return {pixel: rows.stop - rows.start for pixel, rows in pixels.items()}
