"""Sky noise that belongs to the sky: two images that overlap see the same noise where they do.

White noise lives in small native cells that cover the sphere, each a hash of its place; an image interpolates
it with a quadratic B-spline, which correlates neighbouring pixels about as strongly as the coadds of the real
survey are.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "sky_noise"]

BANDS = "griz"


def sky_noise(ra: NDArray, dec: NDArray, *, pitch: float, seed: int, bands: str = "grz") -> NDArray:
    """
    Noise of zero mean and unit variance at positions on the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (height, width)
        Positions of the pixels of an image, degrees.
    pitch : float
        Size of the cells that white noise lives in, arcsec; another pitch is independent noise.
    seed : int
        Another seed is independent noise.
    bands : str
        Which of ``griz``.

    Returns
    -------
    ndarray of float32, shape (len(bands), height, width)
        The noise.
    """
    shape = ra.shape
    ra, dec = ra.ravel(), dec.ravel()
    row, row_weights = _spline((dec + 90) * 3600 / pitch)
    middle = ra[ra.size // 2]
    ra = middle + (ra - middle + 180) % 360 - 180  # no jump at right ascension 0 within the image
    patch = _Patch(row.min() - 1, row.max() + 1, ra.min(), ra.max(), pitch)
    cells = patch.values(seed, bands)
    total = np.zeros((len(bands), ra.size), np.float32)
    power = np.zeros(ra.size, np.float32)
    for step, weight_across in zip((-1, 0, 1), row_weights, strict=True):
        line = row + step - patch.first_row
        column, column_weights = _spline(ra / 360 * patch.columns[line])
        place = line * patch.width + column - patch.first_column[line]
        for shift, weight_along in zip((-1, 0, 1), column_weights, strict=True):
            weight = weight_across * weight_along
            total += weight * cells[:, place + shift]
            power += weight**2
    return (total / np.sqrt(power)).reshape(len(bands), *shape)


def _spline(x: NDArray) -> tuple[NDArray, tuple[NDArray, NDArray, NDArray]]:
    """Find the cell of each coordinate, and quadratic B-spline weights of the three cells around it."""
    cell = np.floor(x)
    t = (x - cell - 0.5).astype(np.float32)
    return cell.astype(np.int64), (0.5 * (0.5 - t) ** 2, 0.75 - t**2, 0.5 * (0.5 + t) ** 2)


class _Patch:
    """The native cells under an image; every row has as many cells around the sky as fit in it."""

    def __init__(self, first_row: int, last_row: int, ra_low: float, ra_high: float, pitch: float) -> None:
        self.first_row = first_row
        self.rows = np.arange(first_row, last_row + 1)
        latitude = np.deg2rad((self.rows + 0.5) * pitch / 3600 - 90)
        self.columns = np.maximum(np.rint(360 * 3600 / pitch * np.cos(latitude)), 3).astype(np.int64)
        self.first_column = np.floor(ra_low / 360 * self.columns).astype(np.int64) - 1
        self.width = int((np.floor(ra_high / 360 * self.columns) + 2 - self.first_column).max())

    def values(self, seed: int, bands: str) -> NDArray:
        """Hash each cell to a standard normal number per band, shape (len(bands), rows * width)."""
        column = (self.first_column[:, None] + np.arange(self.width)) % self.columns[:, None]
        key = (self.rows[:, None] * 100_000_000 + column).astype(np.uint64).ravel()
        salt = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        pairs = []
        for pair in range(2):
            if set(bands) & set(BANDS[2 * pair : 2 * pair + 2]):
                pairs.extend(_normal_pair(_mix(key ^ salt[pair])))
            else:
                pairs.extend((None, None))
        return np.stack([pairs[BANDS.index(band)] for band in bands])


def _mix(key: NDArray) -> NDArray:
    """Hash of 64-bit integers (the finaliser of SplitMix64, Steele, Lea & Flood 2014, OOPSLA)."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def _normal_pair(bits: NDArray) -> tuple[NDArray, NDArray]:
    """Two independent standard normal numbers from 64 random bits (Box & Muller 1958)."""
    scale = np.float32(2.0**-32)
    first = ((bits >> np.uint64(32)).astype(np.float32) + np.float32(0.5)) * scale
    second = (bits & np.uint64(0xFFFFFFFF)).astype(np.float32) * scale
    radius = np.sqrt(-2 * np.log(np.minimum(first, np.float32(1 - 2.0**-24))))
    angle = np.float32(2 * np.pi) * second
    return radius * np.cos(angle), radius * np.sin(angle)
