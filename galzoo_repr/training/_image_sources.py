"""Where the images of a training run are: in a file, in the memory of a GPU, or nowhere until they are rendered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from galzoo_repr._device import on_device

__all__ = ["DecodedImages", "ImagesOnDevice", "RenderedImages"]

_CHUNK = 512
# Resampled pictures reach a little beyond 0 to 1.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class DecodedImages:
    """
    Whole fields in one array, from which any rows can be had at once.

    Parameters
    ----------
    pixels : ndarray
        uint8, shape (n, 3, field, field); may be a memory map.
    readable : ndarray
        bool, shape (n,).
    """

    pixels: np.ndarray
    readable: np.ndarray

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """Fields of b rows, uint8 of shape (b, 3, field, field), on a device."""
        return on_device([self.pixels[row] for row in rows], device)

    def near(self, device: torch.device) -> "DecodedImages | ImagesOnDevice":
        """Copy all images to a GPU whose free memory they fill to less than half; leave them otherwise."""
        if device.type != "cuda" or 2 * self.pixels.nbytes > torch.cuda.mem_get_info(device)[0]:
            return self
        there = torch.empty(self.pixels.shape, dtype=torch.uint8, device=device)
        for start in range(0, len(there), _CHUNK):
            there[start : start + _CHUNK] = torch.from_numpy(np.array(self.pixels[start : start + _CHUNK]))
        return ImagesOnDevice(there)


@dataclass(frozen=True)
class ImagesOnDevice:
    """
    Whole fields in the memory of a GPU.

    Parameters
    ----------
    pixels : torch.Tensor
        uint8, shape (n, 3, field, field).
    """

    pixels: torch.Tensor

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """Fields of b rows, uint8 of shape (b, 3, field, field), on the device where they are."""
        return self.pixels[torch.from_numpy(rows).to(device)]


@dataclass(frozen=True)
class RenderedImages:
    """
    Fields made when they are needed, such as simulated galaxies of which there are too many to store.

    Parameters
    ----------
    render : callable
        Takes row numbers, int64 of shape (b,), and a device; returns colour images of shape (b, 3, h, w),
        uint8 or floating point in 0 to 1. The same rows must give the same images.
    n : int
        Number of rows.
    """

    render: Callable[[np.ndarray, torch.device], torch.Tensor]
    n: int

    @property
    def readable(self) -> np.ndarray:
        """All rows."""
        return np.ones(self.n, dtype=bool)

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """Fields of b rows, made on a device; a `ValueError` if they are no colours of shape (b, 3, h, w)."""
        images = self.render(rows, device)
        if not isinstance(images, torch.Tensor):
            raise TypeError(f"`images` gave {type(images).__name__}, not a tensor of shape (b, 3, h, w)")
        if images.ndim != 4 or images.shape[:2] != (len(rows), 3):
            raise ValueError(
                f"`images` gave shape {tuple(images.shape)} for {len(rows)} rows, not (b, 3, h, w)"
            )
        if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
            raise TypeError(f"`images` gave {images.dtype}, not uint8 in 0 to 255 or floating in 0 to 1")
        low, high = (float(end) for end in images.aminmax())
        if images.dtype != torch.uint8 and (low < -_ROUNDING or high > 1 + _ROUNDING):
            raise ValueError(
                f"`images` gave floating point numbers from {low:g} to {high:g}, but colours are in 0 to 1"
            )
        return images.to(device)

    def near(self, device: torch.device) -> "RenderedImages":
        """Nothing to copy."""
        return self
