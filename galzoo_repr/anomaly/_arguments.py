"""Checks of arguments, whose messages say what was given and what is allowed."""

from numbers import Real

import numpy as np

from galzoo_repr._arguments import check_whole_number

__all__ = ["check_number", "check_seed", "checked_scale"]


def check_number(argument: str, value: float, meaning: str, *, positive: bool = False) -> None:
    """Refuse what is not a finite number, zero or more, or above zero if it must be `positive`."""
    number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    if not number or value < 0 or (positive and value == 0):
        raise ValueError(f"{argument} must be {meaning}, not {value!r}")


def check_seed(seed: int) -> None:
    """Refuse what no generator of random numbers takes as a seed."""
    check_whole_number("seed", seed, 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32, not {seed!r}")


def checked_scale(scale: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest rating as floats, refusing what is no such pair."""
    try:
        low, high = map(float, scale)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (low < high and np.isfinite([low, high]).all()):
        raise ValueError(f"rating_scale must be (lowest, highest), two finite numbers, not {scale!r}")
    return low, high
