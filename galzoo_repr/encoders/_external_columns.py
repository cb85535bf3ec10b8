"""Which columns of a published table are the features of an embedding, and in which order."""

import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from galzoo_repr.exceptions import GalzooWarning

__all__ = ["features_of", "named_columns"]


def named_columns(table: Table, columns: str | Sequence[str]) -> list[str]:
    """
    Columns of features in order, from their names or from one name in which ``*`` stands for their numbers.

    A `ValueError` if there are none, or some do not fit; a `TypeError` if they hold no numbers.
    """
    if isinstance(columns, str):
        names = _numbered(table, columns) if "*" in columns else [columns]
    elif isinstance(columns, Sequence) and all(isinstance(one, str) for one in columns):
        names = list(columns)
    else:
        raise TypeError(f"columns must be a name such as 'feat_*', or several names, not {columns!r}")
    if not names:
        raise ValueError("columns names no feature; give a name such as 'feat_*', or several names")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"columns names {', '.join(map(repr, twice))} more than once")
    if missing := [name for name in names if name not in table.colnames]:
        raise ValueError(f"the file has no column {missing[0]!r}{_families(table)}")
    for name in names:
        column = table[name]
        dimensions = 2 if len(names) == 1 else 1
        if getattr(getattr(column, "dtype", None), "kind", "") not in "fiu":
            raise TypeError(f"column {name!r} of the file holds no numbers, but features are numbers")
        if np.ndim(column) not in (1, dimensions):
            raise ValueError(
                f"column {name!r} of the file has shape {np.shape(column)}; a feature is one number per row, unless "
                "one column of vectors is all of them"
            )
    return names


def features_of(table: Table, names: list[str], rows: np.ndarray) -> np.ndarray:
    """Features of some rows, float32 of shape (len(rows), number of features), NaN where they are missing."""
    parts = []
    for name in names:
        column = table[name]
        mask = np.asarray(getattr(column, "mask", False))
        data = getattr(column, "unmasked", column)
        data = np.ma.getdata(getattr(data, "value", data))[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.array(data, dtype=np.float32)
        if mask.shape and mask.any():
            values[mask[rows]] = np.nan
        parts.append(values.reshape(len(rows), -1) if len(rows) else values.reshape(0, _width(column)))
    return np.concatenate(parts, axis=1)


def _width(column: np.ndarray) -> int:
    return 1 if np.ndim(column) == 1 else np.shape(column)[1]


def _numbered(table: Table, pattern: str) -> list[str]:
    if pattern.count("*") > 1:
        raise ValueError(f"columns={pattern!r} has several *; one may stand for the number of a feature")
    before, after = map(re.escape, pattern.split("*"))
    found = {name: re.fullmatch(f"{before}(.*){after}", name) for name in table.colnames}
    numbers = {name: hit[1] for name, hit in found.items() if hit}
    if not numbers:
        raise ValueError(f"the file has no column {pattern!r}{_families(table)}")
    if odd := [name for name, number in numbers.items() if not re.fullmatch("[0-9]+", number)]:
        raise ValueError(
            f"{', '.join(odd[:5])} of the file fit{'s' * (len(odd) == 1)} columns={pattern!r}, but not with a "
            "number; name the features one by one, such as columns=[f'feat_{i}' for i in range(40)]"
        )
    by_number: dict[int, str] = {}
    for name, number in numbers.items():
        if int(number) in by_number:
            raise ValueError(
                f"{by_number[int(number)]!r} and {name!r} of the file are both feature {int(number)}"
            )
        by_number[int(number)] = name
    ordered = sorted(by_number)
    gaps = sorted(set(range(ordered[0], ordered[-1])) - set(ordered)) if ordered[-1] < 10**6 else []
    if gaps:
        said = ", ".join(pattern.replace("*", str(i)) for i in gaps[:5])
        warnings.warn(
            f"the file has no column {said}{', ...' * (len(gaps) > 5)} between {by_number[ordered[0]]} and "
            f"{by_number[ordered[-1]]}; the other {len(ordered)} features are taken.",
            GalzooWarning,
            stacklevel=4,
        )
    return [by_number[number] for number in ordered]


def _families(table: Table) -> str:
    """End of a message: what numbered columns there are, or else which columns."""
    families = Counter(re.sub(r"\d+(?=\D*$)", "*", name) for name in table.colnames)
    many = [f"{family} ({n})" for family, n in families.most_common(3) if n > 1]
    vectors = [name for name in table.colnames if np.ndim(table[name]) == 2]
    if many or vectors:
        return f"; it has {', '.join([*many, *vectors])}: give columns="
    return f" (columns: {', '.join(table.colnames[:20])})"
