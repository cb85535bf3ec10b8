"""The faint galaxies and stars that fill the simulated sky between the galaxies of the catalogue."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from galzoo_repr.simulation._sky import Cell, cell_random

__all__ = ["FieldSources", "draw_field"]

_PURPOSE = 2
_DENSITY = 14.0 * 3600  # per square degree, to r = 23.2, as the pretraining images have it
_STAR_SHARE = 0.35
_STAR_SIGMA = 0.12
_REACH = 5.0


@dataclass(frozen=True)
class FieldSources:
    """
    Faint sources, one per element of equally long arrays.

    Attributes
    ----------
    ra, dec : ndarray
        Positions, degrees.
    flux : ndarray, shape (n, 3)
        Fluxes in g, r, z, nanomaggies.
    radius : ndarray
        Exponential scale length, arcsec; 0 for a star.
    axis_ratio, angle : ndarray
        Shape; the angle in radians from increasing column to increasing row of an image with north up.
    """

    ra: NDArray
    dec: NDArray
    flux: NDArray
    radius: NDArray
    axis_ratio: NDArray
    angle: NDArray

    @classmethod
    def joined(cls, parts: list["FieldSources"]) -> "FieldSources":
        """Join the sources of several cells, at least one."""
        return cls(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)))

    def add_to(
        self, canvas: NDArray, column: NDArray, row: NDArray, *, pixel_scale: float, chunk: int = 4096
    ) -> None:
        """
        Add the light of the sources to an image in place.

        The image is (3, height, width) of g, r, z nanomaggies per pixel; sources at columns and rows (from 0)
        outside it are left out, and so many at once are drawn, to bound the memory.
        """
        _, height, width = canvas.shape
        half = max(3, math.ceil(_REACH / pixel_scale))
        near = (column > -half) & (column < width + half) & (row > -half) & (row < height + half)
        chosen = np.flatnonzero(near)
        for start in range(0, len(chosen), chunk):
            self._add_some(canvas, column, row, chosen[start : start + chunk], half, pixel_scale)

    def _add_some(
        self, canvas: NDArray, column: NDArray, row: NDArray, chosen: NDArray, half: int, pixel_scale: float
    ) -> None:
        _, height, width = canvas.shape
        steps = np.arange(-half, half + 1)
        columns = np.rint(column[chosen]).astype(int)[:, None] + steps
        rows = np.rint(row[chosen]).astype(int)[:, None] + steps
        dx = (columns - column[chosen, None])[:, None, :] * pixel_scale
        dy = (rows - row[chosen, None])[:, :, None] * pixel_scale
        cosine, sine = np.cos(self.angle[chosen])[:, None, None], np.sin(self.angle[chosen])[:, None, None]
        u, v = dx * cosine + dy * sine, (dy * cosine - dx * sine) / self.axis_ratio[chosen, None, None]
        star = self.radius[chosen] == 0
        # a source narrower than this falls between the pixels
        radius = np.maximum(np.where(star, _STAR_SIGMA, self.radius[chosen]), 0.45 * pixel_scale)[
            :, None, None
        ]
        r = np.sqrt(u**2 + v**2) / radius
        light = np.where(star[:, None, None], np.exp(-0.5 * r**2), np.exp(-np.sqrt(r**2 + 0.05)))
        light *= (
            np.clip(1 - (dx**2 + dy**2) / (half * pixel_scale) ** 2, 0, None) ** 2
        )  # ends where its box ends
        light /= light.sum((1, 2), keepdims=True)
        inside = ((columns >= 0) & (columns < width))[:, None, :] & ((rows >= 0) & (rows < height))[
            :, :, None
        ]
        place = np.clip(rows, 0, height - 1)[:, :, None] * width + np.clip(columns, 0, width - 1)[:, None, :]
        for band in range(3):
            weights = (light * inside * self.flux[chosen, band, None, None]).ravel()
            canvas[band] += np.bincount(place.ravel(), weights, height * width).reshape(height, width)


def draw_field(seed: int, cell: Cell) -> FieldSources:
    """
    Draw the faint sources of one cell of the sky, the same for the same seed.

    Number counts are a power law in flux, as those of galaxies and stars are over a few magnitudes.
    """
    random = cell_random(seed, _PURPOSE, cell)
    n = random.poisson(_DENSITY * cell.area)
    ra, dec = cell.random_positions(n, random)
    magnitude = np.maximum(23.2 - random.exponential(1.45, n), 15.0)
    gr = random.uniform(0.1, 1.4, n)
    rz = 0.65 * gr + random.normal(0.0, 0.12, n)  # colours go together, for galaxies and most stars alike
    relative = np.stack([10 ** (-0.4 * gr), np.ones(n), 10 ** (0.4 * rz)], 1)
    star = random.random(n) < _STAR_SHARE
    radius = 10 ** random.normal(-0.3, 0.2, n) * 10 ** (0.08 * (22.5 - magnitude))
    return FieldSources(
        ra=ra,
        dec=dec,
        flux=relative * 10 ** (-0.4 * (magnitude[:, None] - 22.5)),
        radius=np.where(star, 0.0, np.minimum(radius, 1.3)),
        axis_ratio=np.where(star, 1.0, random.uniform(0.35, 1.0, n)),
        angle=random.uniform(0.0, np.pi, n),
    )
