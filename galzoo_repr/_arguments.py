"""Checks of arguments that all rooms share; their messages say what was given and what is allowed."""

import operator
from collections.abc import Sequence

__all__ = ["check_choice", "check_whole_number"]


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
