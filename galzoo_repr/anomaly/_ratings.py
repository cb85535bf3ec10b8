"""Ratings and their uncertainties, as given in any kind of array or column, checked."""

import numpy as np
from astropy import units as u
from numpy.typing import ArrayLike

__all__ = ["LARGEST", "check_noise", "check_ratings", "checked_scale", "scale_of"]

# Beyond this, numbers that differ by one are no longer told apart with certainty.
LARGEST = 1e15


def check_ratings(ratings: ArrayLike, n_rows: int) -> np.ndarray:
    """Ratings as a float64 array of shape (n_rows,), NaN where not rated; infinite or huge ones are refused."""
    ratings = _without_unit(ratings, "ratings")
    if ratings.dtype.kind not in "fiub":
        raise TypeError(f"ratings must be numbers, NaN or masked where not rated, not {ratings.dtype}")
    ratings = ratings.astype(float).filled(np.nan)
    if ratings.shape != (n_rows,):
        raise ValueError(
            f"one rating per galaxy is needed: {n_rows} galaxies, but ratings of shape {ratings.shape}"
        )
    if (wrong := np.abs(ratings) > LARGEST).any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"ratings must be finite and at most {LARGEST:g} in size, or NaN where not rated; row {row} has "
            f"{ratings[row]}"
        )
    return ratings


def _without_unit(values: ArrayLike, name: str) -> np.ma.MaskedArray:
    """Give numbers of any of numpy's and astropy's kinds as a masked array; a unit would be lost in the scores."""
    unit = getattr(values, "unit", None)
    if unit is not None and unit != u.dimensionless_unscaled:
        raise TypeError(f"{name} must be plain numbers, but have the unit {unit}; take .value of them")
    mask = getattr(values, "mask", False)
    values = getattr(values, "unmasked", values)
    return np.ma.array(np.ma.getdata(getattr(values, "value", values)), mask=mask)


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
    noise = _without_unit(noise, "noise")
    if noise.dtype.kind not in "fiu":
        raise TypeError(f"noise must be numbers, NaN or masked where not known, not {noise.dtype}")
    noise = noise.astype(float).filled(np.nan)
    noise = np.where(np.isnan(noise), 0.0, noise)
    if noise.shape != (n_rows,) or (noise < 0).any() or (noise > LARGEST).any():
        raise ValueError(f"noise must be {n_rows} standard deviations, none negative or above {LARGEST:g}")
    return noise
