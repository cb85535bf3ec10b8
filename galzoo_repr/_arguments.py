"""Checks of arguments that all rooms share; their messages say what was given and what is allowed."""

import math
import operator
from collections.abc import Sequence
from numbers import Real

__all__ = ["check_choice", "check_column", "check_number", "check_seed", "check_whole_number"]


def check_choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """
    Refuse what is not one of the words that are allowed.

    Parameters
    ----------
    name : str
        Of the argument.
    value : str
        What was given.
    allowed : sequence of str
        What there is.

    Returns
    -------
    str
        The value.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, allowed))}")
    return value


def check_whole_number(name: str, value: int, least: int = 1, why: str = "") -> int:
    """
    Refuse what is not a whole number, or too small.

    Parameters
    ----------
    name : str
        Of the argument.
    value : int
        What was given; numpy's integers will do.
    least : int, optional
        Smallest that is allowed.
    why : str, optional
        End of the message.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        If it is not one.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    # numpy has booleans of its own, which are no index; Python's are.
    if number is None or isinstance(value, bool) or number < least:
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
    Refuse what is not a finite number, or out of range.

    Parameters
    ----------
    name : str
        Of the argument.
    value : float
        What was given.
    least, most : float
        Ends of the range.
    above, below : bool
        Whether it must be above the least, and below the most.
    why : str, optional
        End of the message.

    Raises
    ------
    ValueError
        If it is not one.
    """
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    within = number and least <= value <= most
    if not within or (above and value == least) or (below and value == most):
        allowed = f"{'above' if above else 'from'} {least:g}"
        if most < math.inf:
            allowed += f" and {'below' if below else 'at most'} {most:g}"
        raise ValueError(f"{name} must be a number {allowed}, not {value!r}{why}")


def check_seed(seed: int) -> int:
    """
    Refuse what no generator of random numbers takes as a seed.

    Parameters
    ----------
    seed : int
        What was given.

    Returns
    -------
    int
        The seed.

    Raises
    ------
    ValueError
        If it is no whole number from 0, or 2**32 or more.
    """
    seed = check_whole_number("seed", seed, 0)
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32, not {seed!r}")
    return seed


def check_column(name: str, value: str, columns: Sequence[str]) -> str:
    """
    Refuse what is not the name of a column.

    Parameters
    ----------
    name : str
        Of the argument.
    value : str
        What was given.
    columns : sequence of str
        Names of the columns that there are.

    Returns
    -------
    str
        The value.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If there is no such column.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be the name of a column, not {type(value).__name__}; add the values to the table"
        )
    if value not in columns:
        raise ValueError(
            f"{name}={value!r} is not a column of the table; its columns are {', '.join(columns) or 'none'}"
        )
    return value
