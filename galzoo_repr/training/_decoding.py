"""Images decoded once, at the resolution of training, so that epochs do not decode them again."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import ImageData, ImageRecipe, read_image
from galzoo_repr.training._image_sources import DecodedImages

__all__ = ["decode_images", "field_pixels"]

_CHUNK = 512
_UNSEEN, _READABLE, _UNREADABLE = 0, 1, 2


def field_pixels(recipe: ImageRecipe) -> int:
    """
    Pixels on each side of a whole field whose central crop has exactly the size of the recipe.

    Parameters
    ----------
    recipe : ImageRecipe
        The recipe that the encoder will carry.

    Returns
    -------
    int

    Examples
    --------
    >>> from galzoo_repr.images import ImageRecipe
    >>> from galzoo_repr.training._decoding import field_pixels
    >>> field_pixels(ImageRecipe(size=96, crop=0.75))
    128
    """
    nearest = round(recipe.size / recipe.crop)
    for side in (nearest, nearest + 1, nearest - 1, nearest + 2, nearest - 2):
        if side - 2 * round(side * (1 - recipe.crop) / 2) == recipe.size:
            return side
    return nearest


def decode_images(
    images: Sequence[str] | np.ndarray,
    recipe: ImageRecipe,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> DecodedImages:
    """
    Decode whole fields to 8 bits at the resolution of training, into files that a later run finds again.

    An interrupted run goes on where it stopped.

    Parameters
    ----------
    images : sequence of str or ndarray
        Paths of FITS, JPEG or PNG files, or colour images of shape (n, 3, h, w) or (n, h, w, 3), uint8 or
        floating point in 0 to 1.
    recipe : ImageRecipe
        Its stretch and field of view make the colours of FITS files; its crop and size decide the resolution.
    folder : Path
        Where the decoded images are kept.
    workers : int, optional
        Threads that decode, by default one for each core.
    progress : bool
        Show a progress bar.

    Returns
    -------
    DecodedImages

    Raises
    ------
    ValueError
        If no image can be read.

    Warns
    -----
    GalzooWarning
        How many images cannot be read, and why the first one.
    """
    side = field_pixels(recipe)
    whole_field = replace(recipe, crop=1.0, size=side, channels=3, mean=0.0, std=1.0)
    stem = Path(folder) / _digest_of_images(images, whole_field)[:20]
    stem.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(images), 3, side, side)
    pixels = _open_map(stem.with_suffix(".pixels"), shape)
    state = _open_map(stem.with_suffix(".state"), shape[:1])
    todo = np.flatnonzero(state == _UNSEEN)
    chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
    with (
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        tqdm(total=len(images), initial=len(images) - len(todo), desc="decode", disable=not progress) as bar,
    ):
        for rows in chunks:
            decoded = list(pool.map(lambda row: _one_field(images[row], whole_field), rows))
            for row, field in zip(rows, decoded, strict=True):
                pixels[row] = field if isinstance(field, np.ndarray) else 0
            pixels.flush()
            # Only now: after a crash, what is marked as read must be on disk.
            state[rows] = [_READABLE if isinstance(field, np.ndarray) else _UNREADABLE for field in decoded]
            state.flush()
            bar.update(len(rows))
    readable = np.asarray(state == _READABLE)
    _warn_of_unreadable(images, readable, whole_field)
    return DecodedImages(np.asarray(pixels), readable)


def _one_field(image: str | np.ndarray, recipe: ImageRecipe) -> np.ndarray | str:
    """Field as uint8 of shape (3, side, side), or the reason why there is none."""
    if isinstance(image, str) and not image:
        return "no file is named"
    try:
        data = _from_array(image) if isinstance(image, np.ndarray) else read_image(str(image), recipe.bands)
    except OSError as error:
        return error.strerror or str(error)
    if data.pixels is None or data.status not in ("ok", "partial"):
        return data.reason or data.status
    field = recipe.prepare([data])[0]
    return field.mul_(255).round_().to(torch.uint8).numpy()


def _from_array(image: np.ndarray) -> ImageData:
    pixels = image if image.shape[-1] == 3 else np.moveaxis(image, 0, -1)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        return ImageData(None, "", "corrupt", "it has pixels that are not finite")
    return ImageData(np.ascontiguousarray(pixels), "rgb")


def _open_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    if not path.exists() or path.stat().st_size != np.prod(shape):
        with path.open("wb") as file:
            file.truncate(int(np.prod(shape)))
    return np.memmap(path, dtype=np.uint8, mode="r+", shape=shape)


def _digest_of_images(images: Sequence[str] | np.ndarray, recipe: ImageRecipe) -> str:
    digest = hashlib.sha256(recipe.digest.encode())
    if isinstance(images, np.ndarray):
        digest.update(f"{images.shape}{images.dtype}".encode())
        for start in range(0, len(images), _CHUNK):
            digest.update(np.ascontiguousarray(images[start : start + _CHUNK]).tobytes())
        return digest.hexdigest()
    for path in images:
        try:
            facts = os.stat(path)
            digest.update(f"{os.path.abspath(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
        except OSError:
            digest.update(f"{path}\0absent\0".encode())
    return digest.hexdigest()


def _warn_of_unreadable(
    images: Sequence[str] | np.ndarray, readable: np.ndarray, recipe: ImageRecipe
) -> None:
    if readable.all():
        return
    first = int(np.argmin(readable))
    name = f"row {first}" if isinstance(images, np.ndarray) else f"row {first}, {str(images[first])!r}"
    found = f"{(~readable).sum()} of {len(images)} images cannot be read; the first is {name}: "
    found += str(_one_field(images[first], recipe))
    if not readable.any():
        raise ValueError(f"{found}. There is nothing to train on.")
    warnings.warn(f"{found}. They are left out of the training.", GalzooWarning, stacklevel=3)
