"""Names of galaxies, kept exactly as they were given, or refused."""

import operator
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from astropy.utils.masked import Masked
from numpy.typing import ArrayLike

from galzoo_repr.catalogue import means_no_value, text_of

__all__ = ["check_new_ids", "common_type", "read_ids"]

_INT64, _UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def read_ids(ids: ArrayLike | None, n: int) -> np.ndarray:
    """
    Read ids, one for each of n galaxies, each once: int64, uint64 or text; the row numbers where there are none.

    A `TypeError` if they are anything else, also real numbers, of which many ids have no exact one; a `ValueError` if
    one is missing or twice.
    """
    if ids is None:
        return np.arange(n)
    values, mask = _plain(ids)
    if values.ndim == 2 and values.shape[1] == 1:
        values, mask = values[:, 0], mask[:, 0]
    if values.shape != (n,):
        raise ValueError(f"ids have shape {values.shape}; give one for each of the {n} galaxies")
    kind = values.dtype.kind
    if kind in "SUTO":
        texts = kind in "SUT" or (n > 0 and all(isinstance(one, str | bytes) for one in _there(values, mask)))
        values = _texts(values, mask) if texts else _whole_numbers(values, mask)
    elif kind in "iu":
        _refuse_missing(mask)
        values = values.astype(np.uint64 if kind == "u" and values.dtype.itemsize == 8 else np.int64)
    else:
        raise TypeError(_not_an_id(str(values.dtype), kind))
    _refuse_repeated(values)
    return values


def _plain(ids: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Ids and their mask. Python's own numbers stay as they are: numpy makes real ones of large and negative ones."""
    if isinstance(ids, Masked):
        return np.asarray(ids.unmasked), np.array(ids.mask)
    if isinstance(ids, list | tuple | range):
        values = np.empty(len(ids), dtype=object)
        values[:] = list(ids)
        return values, np.array([one is np.ma.masked for one in ids], dtype=bool)
    ids = ids if isinstance(ids, np.ndarray) else np.asarray(ids)
    return np.asarray(np.ma.getdata(ids)), np.ma.getmaskarray(ids)


def _there(values: np.ndarray, mask: np.ndarray) -> list:
    """Values that are none of the kinds of missing ones; NaN is one, but a real number too, and stays."""
    return [one for one in values[~mask].tolist() if one is not None]


def _texts(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    texts = values.tolist() if values.dtype.kind == "U" else [text_of(one) for one in values.tolist()]
    _refuse_missing(mask | np.array([means_no_value(text) for text in texts], dtype=bool))
    kept = values if values.dtype.kind == "U" else np.array(texts, dtype=str)
    if kept is not values and kept.tolist() != texts:
        raise ValueError("some ids end in NUL characters, which arrays of text do not keep; strip them")
    return kept


def _whole_numbers(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Whole numbers among objects, exactly; what they are else is named."""
    _refuse_missing(mask | np.array([_is_missing(one) for one in values.tolist()], dtype=bool))
    numbers = [_index(one) for one in values.tolist()]
    low, high = min(numbers, default=0), max(numbers, default=0)
    if _INT64.min <= low and high <= _INT64.max:
        return np.array(numbers, dtype=np.int64)
    if low >= 0 and high <= _UINT64.max:
        return np.array(numbers, dtype=np.uint64)
    raise ValueError(
        f"ids from {low} to {high} are more than whole numbers of 64 bits hold; give them as text: "
        "ids=[str(one) for one in ids]"
    )


def _is_missing(one: object) -> bool:
    if isinstance(one, str | bytes):
        return means_no_value(text_of(one))
    nan = isinstance(one, float | np.floating | Decimal) and one != one
    return nan or one is None or one is np.ma.masked or type(one).__name__ in ("NAType", "NaTType")


def _index(one: object) -> int:
    if isinstance(one, Decimal) and one == one.to_integral_value():
        return int(one)
    try:
        if not isinstance(one, bool | np.bool_):
            return operator.index(one)
    except TypeError:
        pass
    if isinstance(one, str | bytes):
        raise TypeError(f"ids must all be whole numbers, or all text; only some are text, such as {one!r}")
    kind = "f" if isinstance(one, float | np.floating | Decimal) else ""
    raise TypeError(_not_an_id(f"{type(one).__name__} such as {one!r}", kind))


def _not_an_id(given: str, kind: str) -> str:
    advice = (
        ", whose digits beyond the 15th may be lost: read them as whole numbers or text"
        if kind == "f"
        else ""
    )
    return f"ids must all be whole numbers, or all text, not {given}{advice}"


def _refuse_missing(missing: np.ndarray) -> None:
    if missing.any():
        rows = np.flatnonzero(missing)
        which = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
        raise ValueError(f"{len(rows)} ids are masked or missing, in row {which}; every galaxy needs one")


def _refuse_repeated(ids: np.ndarray) -> None:
    if ids.dtype.kind == "U" and len(set(map(str.rstrip, ids.tolist()))) == len(ids):
        return  # sooner than by sorting them
    values, counts = np.unique(_compared(ids), return_counts=True)
    if (counts > 1).any():
        what = ", or differ only by blanks at their end" if ids.dtype.kind == "U" else ""
        raise ValueError(
            f"{(counts > 1).sum()} ids are there more than once{what}, such as {str(values[counts > 1][0])!r}"
        )


def _compared(ids: np.ndarray) -> np.ndarray:
    """FITS does not keep blanks at the end of text."""
    return np.char.rstrip(ids) if ids.dtype.kind == "U" else ids


def check_new_ids(ids: np.ndarray, known: np.ndarray) -> None:
    """Refuse ids of another kind than those that an index has, or that it has already."""
    if (known.dtype.kind == "U") != (ids.dtype.kind == "U"):
        raise ValueError(f"ids of the index are {known.dtype}, those of the new galaxies {ids.dtype}")
    dtype = common_type([known, ids])
    repeated = np.intersect1d(*(_compared(each.astype(dtype, copy=False)) for each in (known, ids)))
    if len(repeated):
        raise ValueError(f"{len(repeated)} ids are in the index already, such as {str(repeated[0])!r}")


def common_type(parts: Sequence[np.ndarray]) -> np.dtype:
    """
    Find the type that holds all ids exactly; of signed and unsigned whole numbers numpy would make real ones.

    A `ValueError` if some are negative and others beyond the largest signed one.
    """
    if {part.dtype.kind for part in parts} != {"i", "u"}:
        return np.result_type(*parts)
    filled = [part for part in parts if len(part)]
    if all(part.min() >= 0 for part in filled):
        return np.dtype(np.uint64)
    if all(part.max() <= _INT64.max for part in filled):
        return np.dtype(np.int64)
    raise ValueError(
        f"no whole numbers of 64 bits hold both negative ids and ids beyond {_INT64.max}; give all of them as text"
    )
