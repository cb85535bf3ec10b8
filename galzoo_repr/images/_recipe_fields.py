"""Checks of the fields of an image recipe, each of which comes out in one type."""

import math
import re
from collections.abc import Sequence

import numpy as np

from galzoo_repr._arguments import did_you_mean
from galzoo_repr._array import is_tensor
from galzoo_repr.images._any_bands import FLUX_STRETCHES, Matrix, Stretch
from galzoo_repr.images._stretch import STRETCH_BANDS

__all__ = ["band_names", "channels_of", "check_names", "number", "per_channel", "whole_number"]

_FOV_RULES = ("galaxy_zoo_decals", "fixed")
_MOST_CHANNELS = 16
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")


def band_names(bands: str | Sequence[str]) -> str | tuple[str, ...]:
    """Names of bands as one text where each is a letter, and as a tuple otherwise."""
    named = isinstance(bands, (Sequence, np.ndarray)) and not isinstance(bands, (str, bytes))
    names = [str(one) if isinstance(one, str) else one for one in bands] if named else bands
    if named:
        good = bool(names) and all(isinstance(one, str) and _NAME.fullmatch(one) for one in names)
    else:
        good = isinstance(bands, str) and bands.isalpha()
    if not good or len(set(names)) != len(names):
        raise ValueError(
            f"bands must be different letters such as 'grz', or names such as ('VIS', 'NIR_Y'), not {bands!r}"
        )
    return "".join(names) if all(len(one) == 1 for one in names) else tuple(names)


def check_names(bands: str | tuple[str, ...], stretch: Stretch, fov_rule: str, fov: float | None) -> None:
    """Refuse what is no name of a stretch or of a rule, and what does not go together."""
    if isinstance(stretch, type):
        raise TypeError(
            f"stretch is the class {stretch.__name__}; give what it makes: {stretch.__name__}(...)"
        )
    known = (*STRETCH_BANDS, *FLUX_STRETCHES, "none")
    if not callable(stretch) and (not isinstance(stretch, str) or stretch not in known):
        raise ValueError(
            f"stretch must be one of {', '.join(known[:-1])} or none, or a function, not {stretch!r}"
            f"{did_you_mean(stretch, known)}"
        )
    if not callable(stretch) and bands != STRETCH_BANDS.get(stretch, bands):
        raise ValueError(
            f"stretch {stretch!r} takes bands {STRETCH_BANDS[stretch]!r}, not {bands!r}; for any bands there are "
            f"{', '.join(FLUX_STRETCHES)}, none and functions"
        )
    if fov_rule not in _FOV_RULES:
        raise ValueError(
            f"fov_rule must be 'galaxy_zoo_decals' or 'fixed', not {fov_rule!r}{did_you_mean(fov_rule, _FOV_RULES)}"
        )
    if (fov is None) == (fov_rule == "fixed"):
        raise ValueError(f"fov, in arcsec, goes with fov_rule='fixed' alone; got fov={fov!r}, {fov_rule!r}")


def channels_of(
    channels: int | Matrix, matrix: Matrix | None, bands: str | tuple[str, ...], stretch: Stretch
) -> tuple[int, Matrix | None]:
    """Give the number of channels, and the shares of the bands in each if they were given."""
    if isinstance(channels, (list, tuple)) or is_tensor(channels) or np.ndim(channels):
        matrix = _matrix(channels, bands)
        channels = len(matrix)
    elif matrix is not None:
        matrix = _matrix(matrix, bands)
    count = whole_number("channels", channels, 1, _MOST_CHANNELS)
    coloured = not callable(stretch) and stretch in STRETCH_BANDS
    if matrix is not None and coloured:
        raise ValueError(
            f"stretch {stretch!r} makes red, green and blue itself; channels as a matrix go with "
            f"{', '.join(FLUX_STRETCHES)}, none and functions"
        )
    if matrix is not None:
        allowed = {len(matrix)}
    elif coloured:
        allowed = {1, 3}
    elif callable(stretch):
        allowed = {count}
    elif stretch == "none":
        allowed = {len(bands)}
    else:
        allowed = {1, len(bands)} | ({3} if len(bands) == 1 else set())
    if count not in allowed:
        hint = (
            "" if coloured else f"; or give a matrix of shape ({count}, {len(bands)}): channels=[[...], ...]"
        )
        raise ValueError(f"channels must be {' or '.join(map(str, sorted(allowed)))} here, not {count}{hint}")
    return count, matrix


def _matrix(shares: Matrix, bands: str | tuple[str, ...]) -> Matrix:
    """Shares of the bands in each channel, as tuples of floats."""
    try:
        values = np.asarray(shares.detach().cpu() if is_tensor(shares) else shares, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"channels is a whole number or a matrix of numbers with rows of one length, not {shares!r}"
        ) from error
    if values.ndim != 2 or not values.size or values.shape[1] != len(bands):
        raise ValueError(
            f"channels as a matrix has shape {values.shape}, but must have (channels, {len(bands)}): in each row the "
            f"shares of {', '.join(bands)}"
        )
    return tuple(tuple(number("channels", one) for one in row) for row in values.tolist())


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
