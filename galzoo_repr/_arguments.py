"""Checks of arguments that all modules share; their messages say what was given and what is allowed."""

import difflib
import math
import operator
import os
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np

__all__ = [
    "check_choice",
    "check_column",
    "check_number",
    "check_path",
    "check_seed",
    "check_whole_number",
    "did_you_mean",
    "some_of",
]


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """
    End of a message about a name that is unknown: the known ones that are spelt much like it, if there are any.

    Examples
    --------
    >>> from galzoo_repr._arguments import did_you_mean
    >>> "there is no encoder 'bundle'" + did_you_mean("bundle", ["bundled", "resnet50"])
    "there is no encoder 'bundle'; did you mean 'bundled'?"
    """
    if not isinstance(given, str):
        return ""
    by_letters = {name.lower(): str(name) for name in known}
    letters = given.strip().lower()
    near = (
        [letters]
        if letters in by_letters
        else difflib.get_close_matches(letters, by_letters, n=2, cutoff=0.7)
    )
    return f"; did you mean {' or '.join(repr(by_letters[name]) for name in near)}?" if near else ""


def some_of(names: Sequence[str], most: int = 20) -> str:
    """
    Names for a message, no more than can be read.

    Examples
    --------
    >>> from galzoo_repr._arguments import some_of
    >>> some_of(["ra", "dec", "ring", "bar"], most=2)
    'ra, dec and 2 more'
    """
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "") or "none"


def check_choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """Give a word, refusing with a `ValueError` what is not one of those that are allowed."""
    if not isinstance(value, str) or value not in allowed:
        hint = did_you_mean(value, allowed)
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, allowed))}{hint}")
    return value


def check_whole_number(name: str, value: int, least: int = 1, why: str = "") -> int:
    """
    Give a whole number as an int, of numpy's kinds too, refusing what is none, or less than the least.

    `why` ends the message of the `ValueError`.
    """
    try:
        # Booleans are an index, those of numpy with a warning or not at all.
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name} must be a whole number from {least}, not {value!r}{why}")
    return number


def check_number(
    name: str,
    value: float,
    least: float = 0.0,
    most: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    why: str = "",
) -> None:
    """
    Refuse with a `ValueError` what is not a finite number, or not in the range.

    The ends of the range belong to it, unless the number must be `above` the least or `below` the most. `why` ends
    the message.
    """
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    within = number and least <= value <= most
    if not within or (above and value == least) or (below and value == most):
        allowed = f"{'above' if above else 'from'} {least:g}"
        if most < math.inf:
            allowed += f" and {'below' if below else 'at most'} {most:g}"
        raise ValueError(f"{name} must be a number {allowed}, not {value!r}{why}")


def check_seed(seed: int) -> int:
    """Give a seed as an int, refusing with a `ValueError` what no generator of random numbers takes."""
    seed = check_whole_number("seed", seed, 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32, not {seed!r}")
    return seed


def check_column(name: str, value: str, columns: Sequence[str]) -> str:
    """Give a name, refusing what is no text (`TypeError`) or none of the columns that there are (`ValueError`)."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be the name of a column, not {type(value).__name__}; add the values to the table"
        )
    if value not in columns:
        raise ValueError(
            f"{name}={value!r} is not a column of the table; its columns are {some_of(columns)}"
            f"{did_you_mean(value, columns)}"
        )
    return value


def check_path(path: str | os.PathLike, what: str) -> Path:
    """Give a path, with ``~`` as the home it stands for, refusing with a `ValueError` what no file system can name."""
    text = os.fspath(path)
    try:
        fault = "a NUL character" if b"\0" in os.fsencode(text) else ""
    except UnicodeEncodeError:
        fault = "half of a letter (a lone surrogate)"
    if fault:
        raise ValueError(f"{text!r} cannot be the path of {what}: it holds {fault}; give another one")
    return Path(os.fsdecode(text)).expanduser()
