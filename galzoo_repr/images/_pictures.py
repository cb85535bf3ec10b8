"""Image files as small colour pictures for people to look at."""

import os
from collections.abc import Iterable

import numpy as np

from galzoo_repr.images._read import read_image
from galzoo_repr.images._recipe import ImageRecipe

__all__ = ["read_pictures"]


def read_pictures(
    files: Iterable[str | os.PathLike | None], *, size: int = 384, crop: float = 1.0
) -> list[np.ndarray | None]:
    """
    Read image files as colour pictures, in the stretch of Galaxy Zoo.

    Parameters
    ----------
    files : iterable of str or path-like
        FITS cutouts, JPEG or PNG files. Empty, masked or None where there is none.
    size : int, optional
        Pixels of each side of a picture.
    crop : float, optional
        Central part of each side of the image that is shown, up to 1.

    Returns
    -------
    list of numpy.ndarray or None
        Shape (size, size, 3), uint8, north up as the file has it; None where there is no file that can be read.

    Examples
    --------
    >>> from galzoo_repr.images import read_pictures
    >>> read_pictures(["", "gone.fits"])
    [None, None]
    """
    recipe = ImageRecipe(size=size, crop=crop)
    return [_picture(file, recipe) for file in files]


def _picture(file: str | os.PathLike | None, recipe: ImageRecipe) -> np.ndarray | None:
    if file is None or file is np.ma.masked or not str(file):
        return None
    try:
        image = read_image(str(file))
    except OSError:
        return None
    if image.pixels is None:
        return None
    return (recipe.prepare([image])[0].permute(1, 2, 0) * 255).round().byte().numpy()
