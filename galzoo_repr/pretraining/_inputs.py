"""What a table and its options say about a training run, checked before any time is spent."""

import hashlib
from collections.abc import Callable

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_column, check_number
from galzoo_repr._array import is_tensor
from galzoo_repr.images import Picture, Pictures

__all__ = ["held_out_rows", "identity_of_images", "sampling_weights"]

_SAMPLED = 64


def identity_of_images(images: Pictures | Callable, source: list[Picture] | Callable) -> str:
    """Tell the images of one run from those of another, as they were given and found, without reading them all."""
    if callable(source):
        kind = source if hasattr(source, "__qualname__") else type(source)
        return f"{kind.__module__}.{kind.__qualname__}"
    if is_tensor(images) and str(images.dtype) != "torch.bfloat16":
        images = images.detach().cpu().numpy()
    if isinstance(images, np.ndarray) and images.dtype.kind not in "SUO":
        some = np.ascontiguousarray(images[:: max(1, len(images) // _SAMPLED)])
        return f"array {images.shape} {images.dtype} {hashlib.sha256(some.tobytes()).hexdigest()}"
    digest = hashlib.sha256("\0".join(picture.path for picture in source).encode())
    in_memory = [picture for picture in source if picture.source is not None and not picture.path]
    for picture in in_memory[:: max(1, len(in_memory) // _SAMPLED)]:
        picture.read()
        digest.update(picture.key)
    return f"{len(source)} {'pictures' if in_memory else 'files'} {digest.hexdigest()}"


def held_out_rows(
    table: Table, voted: np.ndarray, *, column: str | None, fraction: float, seed: int
) -> np.ndarray:
    """
    Rows to validate on, bool of shape (n,): those of a boolean column, or by chance some of those with votes.

    A column that is not there and an impossible fraction are a `ValueError`, a column of anything but booleans
    a `TypeError`.
    """
    if column is not None:
        values = _column(table, column, "validation")
        if values.dtype != bool:
            raise TypeError(
                f"column {column!r} says which rows to validate on and must be boolean, not {values.dtype}"
            )
        return values & voted
    check_number("validation_fraction", fraction, 0, 1, below=True)
    rows = np.random.default_rng([seed, len(table)]).permutation(np.flatnonzero(voted))
    wanted = min(max(1, round(fraction * len(rows))), len(rows) - 1) if fraction else 0
    chosen = np.zeros(len(table), dtype=bool)
    chosen[rows[:wanted]] = True
    return chosen


def sampling_weights(table: Table, column: str | None) -> np.ndarray | None:
    """How often to show each row, float64 of shape (n,), not negative and not all zero; None for all alike."""
    if column is None:
        return None
    weights = _column(table, column, "sampling_weight").astype(float)
    if not np.isfinite(weights).all() or weights.min(initial=0) < 0 or not weights.any():
        raise ValueError(
            f"column {column!r} of sampling weights must be finite, not negative and not all zero"
        )
    return weights


def _column(table: Table, name: str, option: str) -> np.ndarray:
    return np.ma.asarray(table[check_column(option, name, table.colnames)]).filled(0)
