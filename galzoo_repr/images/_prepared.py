"""Images of any size and kind as one batch of model input: by numpy one by one, or by torch on a device."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._array import Array, namespace_of
from galzoo_repr._device import on_device
from galzoo_repr.images._image_data import ImageData

if TYPE_CHECKING:
    import torch

    from galzoo_repr.images._recipe import ImageRecipe

__all__ = ["prepared"]


def prepared(
    recipe: "ImageRecipe", images: Sequence[ImageData], device: "torch.device | str | None"
) -> Array:
    """Model input as `ImageRecipe.prepare` gives it."""
    shape = (len(images), recipe.channels, recipe.size, recipe.size)
    if device is None:
        result = np.empty(shape, dtype=np.float32)
        # One by one they stay in the caches of a CPU.
        for row, image in enumerate(images):
            result[row] = _from_stack(recipe, image.kind, image.pixels[None])[0]
        return result
    import torch

    result = torch.empty(shape, device=device)
    groups: dict[tuple, list[int]] = {}
    for row, image in enumerate(images):
        # Numbers of another type mean another range, and must not be stacked into one.
        groups.setdefault((image.kind, image.pixels.shape, image.pixels.dtype), []).append(row)
    for (kind, *_), rows in groups.items():
        part = _from_stack(recipe, kind, on_device([images[row].pixels for row in rows], device))
        if len(groups) == 1:
            return part
        result[rows] = part
    return result


def _from_stack(recipe: "ImageRecipe", kind: str, stack: Array) -> Array:
    if kind == "bands":
        return recipe.from_bands(stack)
    return recipe.from_rgb(namespace_of(stack).moveaxis(stack, -1, 1))
