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

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from galzoo_repr.training import DecodedImages
    >>> images = DecodedImages(np.zeros((5, 3, 64, 64), np.uint8), readable=np.ones(5, bool))
    >>> images.batch(np.array([4, 0]), torch.device("cpu")).shape
    torch.Size([2, 3, 64, 64])
    """

    pixels: np.ndarray
    readable: np.ndarray

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """
        Fields of b rows, uint8 of shape (b, 3, field, field), on a device.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from galzoo_repr.training import DecodedImages
        >>> pixels = np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 3, 2, 2)
        >>> batch = DecodedImages(pixels, np.ones(5, bool)).batch(np.array([4, 0]), torch.device("cpu"))
        >>> batch[:, 0, 0, 0].tolist(), batch.dtype
        ([4, 0], torch.uint8)
        """
        return on_device([self.pixels[row] for row in rows], device)

    def near(self, device: torch.device) -> "DecodedImages | ImagesOnDevice":
        """
        Copy all images to a GPU whose free memory they fill to less than half; leave them otherwise.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from galzoo_repr.training import DecodedImages
        >>> images = DecodedImages(np.zeros((5, 3, 64, 64), np.uint8), readable=np.ones(5, bool))
        >>> images.near(torch.device("cpu")) is images
        True
        """
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

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.training import ImagesOnDevice
    >>> device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    >>> ImagesOnDevice(torch.zeros(5, 3, 64, 64, dtype=torch.uint8, device=device)).pixels.shape
    torch.Size([5, 3, 64, 64])
    """

    pixels: torch.Tensor

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """
        Fields of b rows, uint8 of shape (b, 3, field, field), on the device where they are.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from galzoo_repr.training import ImagesOnDevice
        >>> pixels = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 64, 64)
        >>> batch = ImagesOnDevice(pixels).batch(np.array([4, 0]), pixels.device)
        >>> batch.shape, batch[:, 0, 0, 0].tolist()
        (torch.Size([2, 3, 64, 64]), [4, 0])
        """
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

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from galzoo_repr.training import RenderedImages
    >>> images = RenderedImages(lambda rows, device: torch.zeros(len(rows), 3, 64, 64), n=1_000_000)
    >>> images.batch(np.array([7, 999_999]), torch.device("cpu")).shape, len(images.readable)
    (torch.Size([2, 3, 64, 64]), 1000000)
    """

    render: Callable[[np.ndarray, torch.device], torch.Tensor]
    n: int

    @property
    def readable(self) -> np.ndarray:
        """All rows."""
        return np.ones(self.n, dtype=bool)

    def batch(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """
        Fields of b rows, made on a device; a `ValueError` if they are no colours of shape (b, 3, h, w).

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from galzoo_repr.training import RenderedImages
        >>> images = RenderedImages(lambda rows, device: torch.full((len(rows), 3, 64, 64), 255.0), n=10)
        >>> images.batch(np.array([7]), torch.device("cpu"))
        Traceback (most recent call last):
        ValueError: `images` gave floating point numbers from 255 to 255, but colours are in 0 to 1
        """
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
        """
        Nothing to copy.

        Examples
        --------
        >>> import torch
        >>> from galzoo_repr.training import RenderedImages
        >>> images = RenderedImages(lambda rows, device: torch.zeros(len(rows), 3, 64, 64), n=10)
        >>> images.near(torch.device("cpu")) is images
        True
        """
        return self
