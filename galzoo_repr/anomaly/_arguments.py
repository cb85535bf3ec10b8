"""Checks of arguments, whose messages say what was given and what is allowed."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

__all__ = ["check_choice", "check_number", "check_seed", "check_whole_number", "checked_scale"]


def check_choice(argument: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse what is not one of the words that are allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{argument}={value!r} is not one of {', '.join(map(repr, allowed))}")


def check_whole_number(argument: str, value: int, *, low: int = 1) -> None:
    """Refuse what is not a whole number from `low`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise ValueError(f"{argument} must be a whole number from {low}, not {value!r}")


def check_number(argument: str, value: float, meaning: str, *, positive: bool = False) -> None:
    """Refuse what is not a finite number, zero or more, or above zero if it must be `positive`."""
    number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    if not number or value < 0 or (positive and value == 0):
        raise ValueError(f"{argument} must be {meaning}, not {value!r}")


def check_seed(seed: int) -> None:
    """Refuse what no generator of random numbers takes as a seed."""
    check_whole_number("seed", seed, low=0)
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
