"""What a table and its options say about a training run, checked before any time is spent."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from galzoo_repr.catalogue import texts_of
from galzoo_repr.images import ImageRecipe
from galzoo_repr.training import DecodedImages, RenderedImages, decode_images

__all__ = ["decoded_images", "held_out_rows", "identity_of_images", "image_source", "sampling_weights"]

_SAMPLED = 64


def image_source(
    table: Table, images: str | np.ndarray | torch.Tensor | Callable
) -> np.ndarray | list | Callable:
    """
    Find the images of a table.

    Parameters
    ----------
    table : astropy.table.Table
        One row for each image.
    images : str, ndarray, torch.Tensor or callable
        As for `galzoo_repr.pretrain`.

    Returns
    -------
    list of str, ndarray or callable
        Paths, an array of images, or a function of row numbers and device.

    Raises
    ------
    ValueError
        If there is no such column, or the array does not fit the table.
    TypeError
        If `images` is of another type.
    """
    if isinstance(images, str):
        return _paths(table, images)
    if isinstance(images, torch.Tensor):
        images = images.cpu().numpy()
    if isinstance(images, np.ndarray):
        _check_array(images, len(table))
        return images
    if callable(images):
        return images
    raise TypeError(
        f"images is the name of a column, an array, a tensor or a function, not {type(images).__name__}."
    )


def _paths(table: Table, name: str) -> list[str]:
    if name not in table.colnames:
        candidates = [each for each in ("file_loc", "cutout") if each in table.colnames]
        hint = (
            f"did you mean images={candidates[0]!r}?"
            if candidates
            else f"its columns are {', '.join(table.colnames)}; name the right one with images="
        )
        raise ValueError(f"The table has no column {name!r} with paths of images; {hint}")
    column = table[name]
    if getattr(column, "dtype", np.dtype(float)).kind not in "USO" or column.ndim != 1:
        raise TypeError(
            f"Column {name!r} holds {getattr(column, 'dtype', type(column).__name__)} of shape {column.shape}, "
            "not paths of images."
        )
    return texts_of(column)


def _check_array(images: np.ndarray, n: int) -> None:
    if len(images) != n:
        raise ValueError(
            f"There are {len(images)} images for {n} rows; there must be one for each row, in their order."
        )
    if images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]):
        raise ValueError(f"Images have shape {images.shape}; they must be (n, 3, h, w) or (n, h, w, 3).")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(f"Images are uint8 or floating point in 0 to 1, not {images.dtype}.")
    sample = images[:_SAMPLED]
    if images.dtype.kind == "f" and sample.size and (np.nanmin(sample) < -1e-3 or np.nanmax(sample) > 1.001):
        raise ValueError(
            f"Images in floating point must be in 0 to 1, but these reach from {np.nanmin(sample):.3g} to "
            f"{np.nanmax(sample):.3g}."
        )


def decoded_images(
    source: np.ndarray | list | Callable,
    n: int,
    recipe: ImageRecipe,
    folder: Path,
    *,
    workers: int | None,
    progress: bool,
) -> DecodedImages | RenderedImages:
    """
    Images by row number, decoded if need be.

    Parameters
    ----------
    source : list of str, ndarray or callable
        As `image_source` gives it.
    n : int
        Number of rows.
    recipe : ImageRecipe
        What the network will see.
    folder : Path
        Where decoded images are kept.
    workers, progress
        As for `decode_images`.

    Returns
    -------
    DecodedImages or RenderedImages
    """
    if callable(source):
        return RenderedImages(source, n)
    return decode_images(source, recipe, folder, workers=workers, progress=progress)


def identity_of_images(source: np.ndarray | list | Callable) -> str:
    """
    Tell the images of one run from those of another, without reading them all.

    Parameters
    ----------
    source : list of str, ndarray or callable
        As `image_source` gives it.

    Returns
    -------
    str
    """
    if callable(source):
        kind = source if hasattr(source, "__qualname__") else type(source)
        return f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(source, np.ndarray):
        some = source[:: max(1, len(source) // _SAMPLED)]
        digest = hashlib.sha256(np.ascontiguousarray(some).tobytes()).hexdigest()
        return f"array {source.shape} {source.dtype} {digest}"
    return f"{len(source)} files {hashlib.sha256(chr(0).join(source).encode()).hexdigest()}"


def held_out_rows(
    table: Table, voted: np.ndarray, *, column: str | None, fraction: float, seed: int
) -> np.ndarray:
    """
    Rows to validate on.

    Parameters
    ----------
    table : astropy.table.Table
        One row for each galaxy.
    voted : ndarray
        bool, shape (n,): rows with votes.
    column : str, optional
        Boolean column that says which rows.
    fraction : float
        Otherwise, the fraction of the rows with votes to choose at random.
    seed : int
        Source of the choice.

    Returns
    -------
    ndarray
        bool, shape (n,).

    Raises
    ------
    ValueError
        If there is no such column, or the fraction is out of range, or takes all rows.
    TypeError
        If the column is not boolean.
    """
    if column is not None:
        values = _column(table, column, "validation")
        if values.dtype != bool:
            raise TypeError(
                f"Column {column!r} says which rows to validate on and must be boolean, not {values.dtype}."
            )
        return values & voted
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_fraction is at least 0 and below 1, not {fraction!r}.")
    rows = np.random.default_rng([seed, len(table)]).permutation(np.flatnonzero(voted))
    wanted = min(max(1, round(fraction * len(rows))), len(rows) - 1) if fraction else 0
    chosen = np.zeros(len(table), dtype=bool)
    chosen[rows[:wanted]] = True
    return chosen


def sampling_weights(table: Table, column: str | None) -> np.ndarray | None:
    """
    How often to show each row.

    Parameters
    ----------
    table : astropy.table.Table
        One row for each galaxy.
    column : str, optional
        Its column of weights.

    Returns
    -------
    ndarray or None
        float64, shape (n,); None for all alike.

    Raises
    ------
    ValueError
        If there is no such column, or weights are negative or not finite or all zero.
    """
    if column is None:
        return None
    weights = _column(table, column, "sampling_weight").astype(float)
    if not np.isfinite(weights).all() or weights.min(initial=0) < 0 or not weights.any():
        raise ValueError(
            f"Column {column!r} of sampling weights must be finite, not negative and not all zero."
        )
    return weights


def _column(table: Table, name: str, option: str) -> np.ndarray:
    if name not in table.colnames:
        raise ValueError(
            f"The table has no column {name!r}, which {option} names; it has {', '.join(table.colnames)}."
        )
    return np.ma.asarray(table[name]).filled(0)
