"""Answers in a column of labels: which of them are alike, and which of two means yes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.table.column import BaseColumn
from astropy.utils.masked import Masked

from galzoo_repr._arguments import check_column
from galzoo_repr.catalogue import Cells, read_cells

__all__ = ["affirmative", "read_answers", "yes_or_no"]

_YES, _NO = {"yes", "true", "y", "t", "1", "1.0"}, {"no", "false", "n", "f", "0", "0.0"}
_NEGATIONS = ("not", "non", "no", "un", "without")
_FILLERS = {"a", "an", "the", "is", "has", "with"}


def read_answers(table: Table, name: str) -> Cells:
    """
    Read a column of labels; texts that differ in case or blanks alone are one, spelled as most of them are, and sorted.

    Whole numbers without a unit are integers, whatever their type. A `ValueError` or `TypeError` if there is no such
    column, or it does not hold one label per row.
    """
    column = table[check_column("label", name, table.colnames)]
    if not isinstance(column, BaseColumn | u.Quantity | Masked):
        raise TypeError(
            f"label {name!r} is a column of {type(column).__name__}; give booleans, text, whole or real numbers"
        )
    cells = read_cells(column)
    if cells.values.ndim != 1:
        raise ValueError(f"label {name!r} must have one value for each row, not shape {cells.values.shape}")
    if cells.texts:
        return _folded(cells)
    kind = cells.values.dtype.kind
    if kind not in "biuf":
        raise TypeError(
            f"label {name!r} holds {cells.values.dtype}; give booleans, text, whole or real numbers"
        )
    unitless = getattr(column, "unit", None) in (None, "")
    if kind == "f":
        missing = cells.missing | ~np.isfinite(cells.values)
        known = cells.values[~missing]
        words = cells.words
        if infinite := int(missing.sum() - cells.missing.sum()):
            words = {**words, "inf": infinite}
        cells = replace(cells, missing=missing, words=words)
        if unitless and (known == np.round(known)).all() and (np.abs(known) < 2**53).all():
            # Whole numbers are real ones only so that some of them can be NaN.
            return replace(cells, values=np.where(missing, 0, cells.values).astype(np.int64))
    elif kind in "iu" and not unitless:
        return replace(cells, values=cells.values.astype(float))
    return cells


def _folded(cells: Cells) -> Cells:
    folded = [text.casefold() for text in cells.texts]
    classes, of = np.unique(folded, return_inverse=True)
    times = np.bincount(cells.values[~cells.missing], minlength=len(folded))
    spelling: dict[str, str] = {}
    # The most frequent one, or the first of several, comes last and stays.
    for place in np.argsort(-times, kind="stable")[::-1].tolist():
        spelling[folded[place]] = cells.texts[place]
    return replace(cells, values=of[cells.values], texts=tuple(spelling[each] for each in classes.tolist()))


def affirmative(texts: Sequence[str], name: str) -> tuple[str, set[str]] | None:
    """
    Find which of the texts in a column mean yes: what a yes is called, and these texts; None where no text does.

    They do if all are customary words for yes or no; or if one of two is the other's opposite, as ring and not_ring,
    or the name of the column.
    """
    folded = [text.casefold() for text in texts]
    yes = {text for text, word in zip(texts, folded, strict=True) if word in _YES}
    if set(folded) <= _YES | _NO and (0 < len(yes) < len(texts) or len(texts) == 1):
        return name, yes
    if len(texts) != 2:
        return None
    for one, other in (texts, texts[::-1]):
        if _negates(_words(other), _words(one)) or _words(one) == _words(name):
            return (name if _words(one) == _words(name) else one), {one}
    return None


def _negates(words: list[str], plain: list[str]) -> bool:
    """Whether words deny other ones: not ring, non-ring, noring, without a ring."""
    if not plain or not words:
        return False
    fused = "".join(words)
    return any(fused == negation + "".join(plain) for negation in _NEGATIONS)


def _words(text: str) -> list[str]:
    words = text.casefold().replace("_", " ").replace("-", " ").split()
    return [word for word in words if word not in _FILLERS] or words


def yes_or_no(cells: Cells, name: str) -> tuple[np.ndarray, str]:
    """Give 1 for yes, 0 for no and NaN for no label, float64 of shape (n,), and what a yes is called."""
    answers = np.full(len(cells), np.nan)
    here = ~cells.missing
    if cells.texts:
        found = affirmative(cells.texts, name)
        if found is None and len(cells.texts) == 2:
            one, other = cells.texts
            raise ValueError(
                f"label {name!r} is {one!r} or {other!r}: make it True or False to say which is yes"
            )
        if found is None:
            raise ValueError(_too_many(name, len(cells.texts)))
        called, yes = found
        answers[here] = np.array([text in yes for text in cells.texts])[cells.values[here]]
        return answers, called
    known = np.unique(cells.values[here])
    if len(known) > 2:
        raise ValueError(_too_many(name, len(known)))
    if not set(known.tolist()) <= {0, 1}:
        raise ValueError(f"label {name!r} holds {known.tolist()}, where yes or no is 1 or 0, True or False")
    answers[here] = cells.values[here].astype(float)
    return answers, name


def _too_many(name: str, n: int) -> str:
    return (
        f"label {name!r} has {n} different values, not two; task='classes' takes several, and what stands for no "
        "label can be masked"
    )
