"""Where on the simulated sky things are drawn: cells with a random generator each, changing conditions."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cell", "SkyTiling", "cell_random", "separation", "slow_variation"]

_WAVES = 6
_WAVES_PER_RADIAN = 25.0


@dataclass(frozen=True)
class Cell:
    """
    One cell of a `SkyTiling`.

    Attributes
    ----------
    ring, column : int
        Number of the ring of equal declination, from the south, and of the cell in it, from RA 0.
    ra_limits, dec_limits : tuple of float
        Edges, degrees.
    """

    ring: int
    column: int
    ra_limits: tuple[float, float]
    dec_limits: tuple[float, float]

    @property
    def area(self) -> float:
        """Solid angle, square degrees."""
        low, high = np.sin(np.deg2rad(self.dec_limits))
        return float(np.rad2deg(high - low) * (self.ra_limits[1] - self.ra_limits[0]))

    def random_positions(self, n: int, random: np.random.Generator) -> tuple[NDArray, NDArray]:
        """RA and Dec of n positions, degrees, uniform over the solid angle of the cell."""
        low, high = np.sin(np.deg2rad(self.dec_limits))
        return random.uniform(*self.ra_limits, n), np.rad2deg(np.arcsin(random.uniform(low, high, n)))


@dataclass(frozen=True)
class SkyTiling:
    """
    The sky cut into rings of equal declination and these into cells of about equal area.

    Attributes
    ----------
    step : float
        Height of a ring and about the width of a cell, degrees; 180 is a multiple of it.

    Examples
    --------
    >>> from galzoo_repr.simulation._sky import SkyTiling
    >>> [cell] = SkyTiling(0.25).cells_near(150.1, 2.1, 0.001)
    >>> cell.dec_limits
    (2.0, 2.25)
    """

    step: float

    def cells_near(self, ra: float, dec: float, radius: float) -> list[Cell]:
        """Cells, in order of ring and column, that may hold points within a radius of a position, all in degrees."""
        rings = round(180 / self.step)
        first = max(0, math.floor((dec - radius + 90) / self.step))
        last = min(rings - 1, math.floor((dec + radius + 90) / self.step))
        if abs(dec) + radius < 90:
            reach = math.degrees(
                math.asin(min(1.0, math.sin(math.radians(radius)) / math.cos(math.radians(dec))))
            )
        else:
            reach = 180.0
        return [cell for ring in range(first, last + 1) for cell in self._cells_of_ring(ring, ra, reach)]

    def _cells_of_ring(self, ring: int, ra: float, reach: float) -> list[Cell]:
        low, high = ring * self.step - 90, (ring + 1) * self.step - 90
        widest = 0.0 if low < 0 < high else min(abs(low), abs(high))
        columns = max(1, math.floor(360 * math.cos(math.radians(widest)) / self.step))
        width = 360 / columns
        if 2 * reach + width >= 360:
            chosen = range(columns)
        else:
            start, stop = math.floor((ra - reach) / width), math.floor((ra + reach) / width)
            chosen = sorted({column % columns for column in range(start, stop + 1)})
        return [Cell(ring, column, (column * width, (column + 1) * width), (low, high)) for column in chosen]


def cell_random(seed: int, purpose: int, cell: Cell) -> np.random.Generator:
    """
    Make the random generator of one cell for one purpose, the same in every process.

    Purposes keep what is drawn, galaxies and stars, independent.
    """
    return np.random.default_rng(np.random.SeedSequence((seed, purpose, cell.ring, cell.column)))


def separation(ra: NDArray, dec: NDArray, ra0: float, dec0: float) -> NDArray:
    """Angular distance from one position, all in degrees, exact for small angles too (haversine formula)."""
    ra, dec, ra0, dec0 = (np.deg2rad(angle) for angle in (ra, dec, ra0, dec0))
    chord = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    return np.rad2deg(2 * np.arcsin(np.sqrt(np.minimum(chord, 1))))


def slow_variation(seed: int, purpose: int, ra: float | NDArray, dec: float | NDArray) -> float | NDArray:
    """
    Evaluate a smooth random function at positions, in degrees.

    It changes over degrees and has mean 0 and variance 1; seed and purpose as in `cell_random`.
    """
    random = np.random.default_rng(np.random.SeedSequence((seed, purpose)))
    direction = random.normal(size=(_WAVES, 3))
    direction *= _WAVES_PER_RADIAN / np.linalg.norm(direction, axis=1, keepdims=True)
    phase = random.uniform(0, 2 * np.pi, _WAVES)
    longitude, latitude = np.deg2rad(ra), np.deg2rad(dec)
    point = np.array(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )
    waves = np.cos(np.tensordot(direction, point, 1) + phase.reshape(-1, *[1] * np.ndim(ra)))
    values = np.sqrt(2 / _WAVES) * waves.sum(axis=0)
    return values if np.ndim(ra) else float(values)
