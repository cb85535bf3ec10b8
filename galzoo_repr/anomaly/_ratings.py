"""Ratings and their uncertainties, as given in any kind of array or column, checked."""

import numpy as np
from astropy import units as u
from numpy.typing import ArrayLike

from galzoo_repr.catalogue import read_cells

__all__ = ["LARGEST", "check_noise", "check_ratings", "checked_scale", "scale_of"]

# Beyond this, numbers that differ by one are no longer told apart with certainty.
LARGEST = 1e15


def check_ratings(ratings: ArrayLike, n_rows: int) -> np.ndarray:
    """Ratings as a float64 array of shape (n_rows,), NaN where not rated; infinite or huge ones are refused."""
    ratings = _numbers(ratings, n_rows, "ratings", "rating")
    if (wrong := np.abs(ratings) > LARGEST).any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"ratings must be finite and at most {LARGEST:g} in size, or NaN where not rated; row {row} has "
            f"{ratings[row]}"
        )
    return ratings


def _numbers(values: ArrayLike, n_rows: int, name: str, each: str) -> np.ndarray:
    """Numbers of any kind, also written as text, as float64, NaN where there are none; a unit would be lost."""
    unit = getattr(values, "unit", None)
    if unit is not None and unit != u.dimensionless_unscaled:
        raise TypeError(f"{name} must be plain numbers, but have the unit {unit}; take .value of them")
    cells = read_cells(values)
    what = f"{name} must be numbers, and blank, NaN or masked where there are none, not"
    if cells.texts:
        raise TypeError(f"{what} text such as {cells.texts[0]!r}")
    if cells.values.dtype.kind not in "fiub":
        raise TypeError(f"{what} {cells.values.dtype}")
    if cells.values.shape != (n_rows,):
        raise ValueError(
            f"one {each} per galaxy is needed: {n_rows} galaxies, but {name} of shape {cells.values.shape}"
        )
    return cells.numbers()


def checked_scale(scale: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest rating as floats, refusing what is no such pair."""
    try:
        low, high = map(float, scale)
    except (TypeError, ValueError):
        low = high = np.nan
    if not -LARGEST <= low < high <= LARGEST:
        raise ValueError(
            f"rating_scale must be (lowest, highest), two numbers of at most {LARGEST:g} in size, not {scale!r}"
        )
    return low, high


def scale_of(ratings: np.ndarray, scale: tuple[float, float] | None) -> tuple[float, float]:
    """Lowest and highest possible rating; ratings that are all equal count as the lowest, where it is not given."""
    if scale is None:
        low, high = float(ratings.min()), float(ratings.max())
        return (min(0.0, low), high) if high > low else (low, low + 1)
    low, high = checked_scale(scale)
    outside = (ratings < low) | (ratings > high)
    if outside.any():
        raise ValueError(f"rating {ratings[outside][0]} is outside rating_scale={scale!r}")
    return low, high


def check_noise(noise: ArrayLike, n_rows: int) -> np.ndarray:
    """Standard deviations of ratings as a float64 array of shape (n_rows,), zero where not known."""
    noise = _numbers(noise, n_rows, "noise", "standard deviation")
    noise = np.where(np.isnan(noise), 0.0, noise)
    if (noise < 0).any() or (noise > LARGEST).any():
        raise ValueError(
            f"noise must be {n_rows} standard deviations, none negative or above {LARGEST:g}, not from "
            f"{noise.min():g} to {noise.max():g}"
        )
    return noise
