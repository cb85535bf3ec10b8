"""Numbers that stand for no value, told by how unlike the others they are."""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from galzoo_repr.exceptions import GalzooWarning

__all__ = ["masking", "sentinels", "warn_of_sentinels"]

_NINES = [float("9" * whole + "." + "9" * after) for whole in range(1, 10) for after in range(5)]
# The ends of integers, HEALPix's UNSEEN, the largest number of single precision, and other customary ones.
_ENDS = [2.0**bits - below for bits in (15, 31, 63) for below in (0, 1)]
_SIZES = np.array(
    [*_NINES, *_ENDS, 9.999995e8, 9.99999e8, 1e20, 1e30, 1.6375e30, 3.4028234663852886e38, 1e99]
)
# In single precision -99.9 is another number.
_SIZES = np.unique([*_SIZES, *_SIZES[_SIZES < 1e39].astype(np.float32).astype(float)])
_CUSTOMARY = np.unique([-1.0, -100.0, -1000.0, -10000.0, 9.0, *-_SIZES, *_SIZES[_SIZES > 10]])
_FEW = 3  # repetitions that are no accident among numbers that hardly repeat
_FURTHER = 2.5  # times as large as all others


def sentinels(values: ArrayLike, *, least: float = 0) -> dict[float, int]:
    """
    Find numbers that seem to stand for no value, such as -99 among magnitudes.

    Found are -1, numbers written with nines alone (-9, 99, -99.9, 9999...), the ends of integers and some
    other customary ones, where they are unlike the rest: the only negative ones; further from the rest than these are
    from each other, and if positive 2.5 times as large as any; or repeated where others hardly are.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        Those that are not finite do not count.
    least : float
        Size from which on numbers are doubted; counts may well be 9 or 99.

    Returns
    -------
    dict of float to int
        How often each is there.

    Examples
    --------
    >>> from galzoo_repr.catalogue import sentinels
    >>> sentinels([18.2, 19.1, 17.4, -99, 99.99, -99]), sentinels([-2, -1, 0, 1, 2]), sentinels([1, -1, 1])
    ({-99.0: 2, 99.99: 1}, {}, {})
    """
    values = np.asarray(values, dtype=float)
    if not _are_customary(values).any():
        return {}
    numbers, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    places = np.flatnonzero(_are_customary(numbers) & (np.abs(numbers) >= least))
    rest = np.delete(numbers, places)
    if not len(rest):
        return {}
    hardly_repeat = len(rest) > 0.5 * np.delete(counts, places).sum() and (rest != np.round(rest)).any()
    found = {}
    for number, n in zip(numbers[places].tolist(), counts[places].tolist(), strict=True):
        if _unlike(number, rest) or (hardly_repeat and n >= _FEW):
            found[number] = n
    return found


def _are_customary(numbers: np.ndarray) -> np.ndarray:
    nearest = np.searchsorted(_CUSTOMARY, numbers).clip(max=len(_CUSTOMARY) - 1)
    return _CUSTOMARY[nearest] == numbers


def _unlike(number: float, rest: np.ndarray) -> bool:
    low, high = rest[0], rest[-1]
    if len(rest) == 1 and abs(number) <= 9:  # two classes may well be called 1 and -1, or 0 and 9
        return False
    if number > 0:
        return number - high > high - low and number >= _FURTHER * high
    return number < low and (low >= 0 or low - number > high - low)


def masking(name: str | None, number: float, *, text: bool = False, quantity: bool = False) -> str:
    """
    Write the line of code that masks a number in a column.

    Parameters
    ----------
    name : str or None
        Of the column; None of an array.
    number : float
        Value to mask.
    text : bool
        Whether the column holds text.
    quantity : bool
        Whether it is a Quantity.

    Returns
    -------
    str

    Examples
    --------
    >>> from galzoo_repr.catalogue import masking
    >>> masking("z", -99.0)
    "table['z'] = np.ma.masked_equal(table['z'], -99)"
    """
    column = "values" if name is None else f"table[{name!r}]"
    if quantity:
        return f"{column}[{column}.value == {_plain(number)}] = np.nan"
    if text:
        return f"{column}[{column} == '{_plain(number)}'] = ''"
    return f"{column} = np.ma.masked_equal({column}, {_plain(number)})"


def _plain(number: float) -> str:
    return str(int(number)) if abs(number) < 1e19 and number == round(number) else f"{number:.7g}"


def warn_of_sentinels(
    values: ArrayLike,
    what: str,
    name: str | None,
    *,
    text: bool = False,
    quantity: bool = False,
    least: float = 0,
    otherwise: str = "",
    stacklevel: int = 2,
) -> None:
    """
    Warn of numbers that seem to stand for no value, and say how to mask them.

    Parameters
    ----------
    values, least
        As for `sentinels`.
    what : str
        What holds them, for the message, such as ``"label 'size'"``.
    name, text, quantity
        As for `masking`.
    otherwise : str
        What to do if they are values like others, for the message.
    stacklevel : int
        As for `warnings.warn`, counted from the caller.

    Warns
    -----
    GalzooWarning
        If there are such numbers.

    Examples
    --------
    >>> import warnings
    >>> from galzoo_repr.catalogue import warn_of_sentinels
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     warn_of_sentinels([18.2, 19.1, 17.4, -99], "label 'mag'", "mag")
    >>> str(said[0].message).partition(", unlike")[0]
    "label 'mag' is -99 in 1 row"
    """
    values = np.asarray(values, dtype=float)
    found = sentinels(values, least=least)
    if not found:
        return
    rest = values[np.isfinite(values) & ~np.isin(values, list(found))]
    said = " and ".join(f"{_plain(number)} in {n} row{'s' if n > 1 else ''}" for number, n in found.items())
    lines = "; ".join(masking(name, number, text=text, quantity=quantity) for number in found)
    warnings.warn(
        f"{what} is {said}, unlike the rest ({rest.min():.6g} to {rest.max():.6g}), and is learned from as it is. If "
        f"that stands for no value, mask it: {lines}{otherwise and f'; otherwise {otherwise}'}",
        GalzooWarning,
        stacklevel=stacklevel + 1,
    )
