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

from galzoo_repr._progress import progress_bar
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import ImageRecipe, Picture
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
    >>> from galzoo_repr.training import field_pixels
    >>> field_pixels(ImageRecipe(size=96, crop=0.75))
    128
    """
    nearest = round(recipe.size / recipe.crop)
    for side in (nearest, nearest + 1, nearest - 1, nearest + 2, nearest - 2):
        if side - 2 * round(side * (1 - recipe.crop) / 2) == recipe.size:
            return side
    return nearest


def decode_images(
    pictures: Sequence[Picture],
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
    pictures : sequence of Picture
        As `galzoo_repr.images.pictures_of` gives them.
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
        If no picture can be read, or the recipe takes fluxes.

    Warns
    -----
    GalzooWarning
        How many pictures cannot be read, and why the first one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from galzoo_repr.images import ImageRecipe, Picture
    >>> from galzoo_repr.training import decode_images
    >>> pictures = [Picture(np.full((100, 100, 3), 255, np.uint8)) for _ in range(2)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     decoded = decode_images(
    ...         pictures, ImageRecipe(size=48, crop=0.75), Path(folder), workers=1, progress=False
    ...     )
    >>> decoded.pixels.shape, decoded.readable.tolist()
    ((2, 3, 64, 64), [True, True])
    """
    if recipe.takes_fluxes:
        raise ValueError(
            f"networks are trained on colours in 0 to 1, but this recipe takes fluxes (stretch={recipe.stretch!r}); "
            "take one with stretch='galaxy_zoo_decals' or a viewer's"
        )
    side = field_pixels(recipe)
    whole_field = replace(recipe, crop=1.0, size=side, channels=3, mean=0.0, std=1.0)
    stem = Path(folder) / _digest_of_pictures(pictures, whole_field)[:20]
    stem.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(pictures), 3, side, side)
    pixels = _open_map(stem.with_suffix(".pixels"), shape)
    state = _open_map(stem.with_suffix(".state"), shape[:1])
    todo = np.flatnonzero(state == _UNSEEN)
    chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
    with (
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        progress_bar(
            len(pictures), "decoding", "picture", shown=progress, done=len(pictures) - len(todo)
        ) as bar,
    ):
        for rows in chunks:
            decoded = list(pool.map(lambda row: _one_field(pictures[row], whole_field), rows))
            for row, field in zip(rows, decoded, strict=True):
                pixels[row] = field if isinstance(field, np.ndarray) else 0
            pixels.flush()
            # Only now: after a crash, what is marked as read must be on disk.
            state[rows] = [_READABLE if isinstance(field, np.ndarray) else _UNREADABLE for field in decoded]
            state.flush()
            bar.update(len(rows))
    readable = np.asarray(state == _READABLE)
    _warn_of_unreadable(pictures, readable, whole_field)
    return DecodedImages(np.asarray(pixels), readable)


def _one_field(picture: Picture, recipe: ImageRecipe) -> np.ndarray | str:
    """Field as uint8 of shape (3, side, side), or the reason why there is none."""
    data = picture.read(recipe.bands, keyed=False, fluxes=recipe.takes_fluxes)
    if data.pixels is None or data.status not in ("ok", "partial"):
        return data.reason or data.status
    field = torch.from_numpy(recipe.prepare([data])[0])
    return field.mul_(255).round_().to(torch.uint8).numpy()


def _open_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    if not path.exists() or path.stat().st_size != np.prod(shape):
        with path.open("wb") as file:
            file.truncate(int(np.prod(shape)))
    return np.memmap(path, dtype=np.uint8, mode="r+", shape=shape)


def _digest_of_pictures(pictures: Sequence[Picture], recipe: ImageRecipe) -> str:
    digest = hashlib.sha256(recipe.digest.encode())
    for picture in pictures:
        if isinstance(picture.source, np.ndarray):
            # As they lie in memory, so that they need not be brought into another order first.
            digest.update(f"{picture.source.shape}{picture.source.strides}{picture.source.dtype}".encode())
            digest.update(picture.source.ravel("K"))
        elif picture.path or picture.source is None:
            digest.update(
                _state_of_file(picture.path) + (repr(picture.flux).encode() if picture.flux else b"")
            )
        else:
            picture.read()
            digest.update(picture.key + b"\0")
    return digest.hexdigest()


def _state_of_file(path: str) -> bytes:
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return f"{path}\0absent\0".encode()
    return f"{os.path.abspath(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode()


def _warn_of_unreadable(pictures: Sequence[Picture], readable: np.ndarray, recipe: ImageRecipe) -> None:
    if readable.all():
        return
    first = int(np.argmin(readable))
    path = pictures[first].path
    found = (
        f"{(~readable).sum()} of {len(pictures)} images cannot be read; the first is row {first}"
        f"{path and f', {path!r}'}: {_one_field(pictures[first], recipe)}"
    )
    if not readable.any():
        raise ValueError(f"{found}; there is nothing to train on")
    warnings.warn(f"{found}. They are left out of the training.", GalzooWarning, stacklevel=3)
