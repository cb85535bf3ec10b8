"""Images of any size and kind as one batch of model input: by numpy one by one, or by torch on a device."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._array import Array
from galzoo_repr._device import is_out_of_memory, on_device
from galzoo_repr.images._image_data import ImageData

if TYPE_CHECKING:
    import torch

__all__ = ["prepared"]


def prepared(
    images: Sequence[ImageData],
    shape: tuple[int, int, int],
    from_stack: Callable[[str, Array], Array],
    device: "torch.device | str | None",
    failed: dict[int, str] | None = None,
) -> Array:
    """
    Model input of a shape (channels, size, size), by a function that makes it of a kind of images of one size.

    Where an error with one image shall not end the call, `failed` takes the reason under its number, and it is NaN.
    """
    if device is None:
        result = np.empty((len(images), *shape), dtype=np.float32)
        # One by one they stay in the caches of a CPU.
        for row, image in enumerate(images):
            try:
                result[row] = from_stack(image.kind, image.pixels[None])[0]
            except Exception as error:
                _note(failed, row, error)
                result[row] = np.nan
        return result
    import torch

    result = torch.empty((len(images), *shape), device=device)
    groups: dict[tuple, list[int]] = {}
    for row, image in enumerate(images):
        # Numbers of another type mean another range, and must not be stacked into one.
        groups.setdefault((image.kind, image.pixels.shape, image.pixels.dtype), []).append(row)
    for (kind, *_), rows in groups.items():
        try:
            part = from_stack(kind, on_device([images[row].pixels for row in rows], device))
        except Exception as error:
            if failed is None or is_out_of_memory(error):
                raise
            if len(rows) > 1:
                # Whose fault it is shows when they come one by one.
                for row in rows:
                    found: dict[int, str] = {}
                    result[row] = prepared([images[row]], shape, from_stack, device, found)[0]
                    if found:
                        failed[row] = found[0]
                continue
            _note(failed, rows[0], error)
            part = torch.full((1, *shape), torch.nan, device=device)
        if len(groups) == 1:
            return part
        result[rows] = part
    return result


def _note(failed: dict[int, str] | None, row: int, error: Exception) -> None:
    if failed is None:
        raise error
    failed[row] = f"the stretch of the recipe fails: {type(error).__name__}: {error}"
