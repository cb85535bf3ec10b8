"""Checks of the fields of an image recipe, each of which comes out in one type."""

import math
from collections.abc import Sequence

import numpy as np

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.images._stretch import STRETCH_BANDS

__all__ = ["check_names", "number", "per_channel", "whole_number"]

_FOV_RULES = ("galaxy_zoo_decals", "fixed")


def check_names(bands: str, stretch: str, fov_rule: str, fov: float | None) -> None:
    """Refuse what is no name of bands, of a stretch or of a rule, and what does not go together."""
    if not isinstance(bands, str) or not bands.isalpha() or len(set(bands)) != len(bands):
        raise ValueError(f"bands must be different letters such as 'grz', not {bands!r}")
    if stretch not in (*STRETCH_BANDS, "none"):
        hint = did_you_mean(stretch, (*STRETCH_BANDS, "none"))
        raise ValueError(f"stretch must be one of {', '.join(STRETCH_BANDS)} or none, not {stretch!r}{hint}")
    if stretch != "none" and bands != STRETCH_BANDS[stretch]:
        raise ValueError(f"stretch {stretch!r} takes bands {STRETCH_BANDS[stretch]!r}, not {bands!r}")
    if fov_rule not in _FOV_RULES:
        raise ValueError(
            f"fov_rule must be 'galaxy_zoo_decals' or 'fixed', not {fov_rule!r}{did_you_mean(fov_rule, _FOV_RULES)}"
        )
    if (fov is None) == (fov_rule == "fixed"):
        raise ValueError(f"fov, in arcsec, goes with fov_rule='fixed' alone; got fov={fov!r}, {fov_rule!r}")


def number(name: str, value: float, *, above: float = -math.inf, at_most: float = math.inf) -> float:
    """Give a finite number in a range as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not (math.isfinite(value) and above < value <= at_most):
        raise ValueError(f"{name} must be above {above} and at most {at_most}, not {value!r}")
    return float(value) + 0.0


def whole_number(name: str, value: int, low: int, high: int) -> int:
    """Give a whole number in a range as an int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")
    return int(value)


def per_channel(name: str, value: float | Sequence[float] | np.ndarray, channels: int) -> tuple[float, ...]:
    """Give a number for each channel, of one for all or of as many."""
    values = (
        tuple(value)
        if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)
        else (value,) * channels
    )
    if len(values) != channels:
        raise ValueError(f"{name} has {len(values)} values, but there are {channels} channels")
    return tuple(number(name, one) for one in values)
