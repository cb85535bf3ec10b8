"""Galaxies put where they belong in an image of the sky, and what the defects around some of them destroy."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from galzoo_repr.simulation._instrument import NATIVE_PIXEL_SCALE
from galzoo_repr.simulation._render import render_galaxies

__all__ = ["LARGEST_REACH", "PlacedGalaxies"]

LARGEST_REACH = 200.0
"""Arcseconds from its centre beyond which no galaxy has light or defects."""

_TRAIL, _CORNER = 2, 3  # artifacts as `draw_galaxies` numbers them; 4 is a missing band
_DEFECT_REACH = 35.0
_TRAIL_LIGHT, _TRAIL_WIDTH = 0.3, 1.2  # nanomaggies per native pixel, arcsec


class PlacedGalaxies:
    """
    Galaxies and the pixels that they are centred on.

    Parameters
    ----------
    galaxies : mapping of str to torch.Tensor
        Parameters as `draw_galaxies` gives them, and ``reach``, the radius in arcsec where light is cut off.
    x, y : ndarray
        Columns and rows, from 0.
    """

    def __init__(self, galaxies: Mapping[str, Tensor], x: NDArray, y: NDArray) -> None:
        self.galaxies, self.x, self.y = galaxies, x, y

    def add_to(self, canvas: NDArray, corner: tuple[int, int], pixel_scale: float) -> None:
        """
        Draw each galaxy into the part of an image that its light reaches.

        Parameters
        ----------
        canvas : ndarray, shape (3, side, side)
            Bands g, r, z, nanomaggies per pixel; changed in place.
        corner : tuple of int
            Column and row of the first pixel of the canvas.
        pixel_scale : float
            Arcsec per pixel.
        """
        side = canvas.shape[-1]
        for i, reach in enumerate((self.galaxies["reach"] / pixel_scale).tolist()):
            center = self.x[i] - corner[0], self.y[i] - corner[1]
            low = [max(0, math.floor(c - reach)) for c in center]
            high = [min(side, math.ceil(c + reach) + 1) for c in center]
            size = max(high[0] - low[0], high[1] - low[1])
            if high[0] <= low[0] or high[1] <= low[1]:
                continue
            x0, y0 = (min(start, side - size) for start in low)
            image = render_galaxies(
                {name: values[i : i + 1] for name, values in self.galaxies.items()},
                size=size,
                pixel_scale=pixel_scale,
                x_offset=(center[0] - x0 - (size - 1) / 2) * pixel_scale,
                y_offset=(center[1] - y0 - (size - 1) / 2) * pixel_scale,
            )
            canvas[:, y0 : y0 + size, x0 : x0 + size] += image[0].numpy()
        self._add_trails(canvas, corner, pixel_scale)

    def dead_pixels(self, x: NDArray, y: NDArray, bands: str, pixel_scale: float) -> NDArray:
        """
        Pixels lost to defects: half of the field of a galaxy, or all of it in one band.

        Parameters
        ----------
        x, y : ndarray, shape (height, width)
            Columns and rows, counted as those of the galaxies.
        bands : str
            Bands asked for.
        pixel_scale : float
            Arcsec per pixel.

        Returns
        -------
        ndarray of bool, shape (len(bands), height, width)
            Whether a pixel is lost.
        """
        dead = np.zeros((len(bands), *x.shape), bool)
        artifact = self.galaxies["artifact"]
        for i in torch.nonzero(artifact > _TRAIL).flatten().tolist():
            across, near = self._from_line(i, x, y, pixel_scale)
            if int(artifact[i]) == _CORNER:
                dead |= near & (across >= 0.5 * float(self.galaxies["r50"][i]))
            else:
                lost = "grz"[int(self.galaxies["artifact_band"][i])]
                dead |= near & np.array([band == lost for band in bands])[:, None, None]
        return dead

    def _add_trails(self, canvas: NDArray, corner: tuple[int, int], pixel_scale: float) -> None:
        """Satellites that crossed the sky in one band."""
        crossed = torch.nonzero(self.galaxies["artifact"] == _TRAIL).flatten().tolist()
        if not crossed:
            return
        y, x = np.mgrid[: canvas.shape[1], : canvas.shape[2]] + np.array(corner[::-1])[:, None, None]
        for i in crossed:
            across, near = self._from_line(i, x, y, pixel_scale)
            light = _TRAIL_LIGHT * (pixel_scale / NATIVE_PIXEL_SCALE) ** 2
            profile = light * np.exp(-0.5 * (across / _TRAIL_WIDTH) ** 2)
            canvas[int(self.galaxies["artifact_band"][i])] += profile * near

    def _from_line(self, i: int, x: NDArray, y: NDArray, pixel_scale: float) -> tuple[NDArray, NDArray]:
        """Measure distances from the line of a defect, arcsec; whether pixels are near enough to be hit."""
        angle, offset = float(self.galaxies["artifact_angle"][i]), float(self.galaxies["artifact_offset"][i])
        dx, dy = (x - self.x[i]) * pixel_scale, (y - self.y[i]) * pixel_scale
        across = dx * math.sin(angle) - dy * math.cos(angle)
        along = dx * math.cos(angle) + dy * math.sin(angle)
        half = max(_DEFECT_REACH, 10 * float(self.galaxies["r50"][i]))  # a square, like a part of a detector
        return across - offset, (np.abs(across) < half) & (np.abs(along) < half)
