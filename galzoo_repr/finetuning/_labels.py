"""What a researcher wrote into a column: which task it is, and which rows have an answer."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from astropy.table.column import BaseColumn
from astropy.utils.masked import Masked

from galzoo_repr._arguments import check_choice, check_column
from galzoo_repr.questions import Schema, votes_from_table

__all__ = ["TASKS", "Labels", "read_labels"]

TASKS = ("binary", "classes", "regression", "several", "votes")
_YES, _NO = {"yes", "true", "y", "t", "1", "1.0"}, {"no", "false", "n", "f", "0", "0.0"}
_BLANK = ("", "nan", "--", "n/a", "<na>")
_MOST_CLASSES = 30


@dataclass(frozen=True)
class Labels:
    """
    Answers for the rows that have one.

    Attributes
    ----------
    name : str
        What is labelled; prediction columns begin with it.
    task : str
        ``"binary"``, ``"classes"``, ``"regression"``, ``"several"`` (independent yes or no labels) or
        ``"votes"``.
    values : ndarray
        float64, shape (n, k): 0 or 1 for each class or label (k = 1 if binary), or numbers, NaN where there is
        no label; or votes, zero for all answers of a question that was not answered.
    classes : tuple of str
        Names of the k columns.
    unit : str
        Unit of a regression, as text.
    schema : Schema, optional
        Of votes.
    """

    name: str
    task: str
    values: np.ndarray
    classes: tuple[str, ...]
    unit: str = ""
    schema: Schema | None = None

    @property
    def rows(self) -> np.ndarray:
        """Rows with a label, as indices."""
        if self.task == "votes":
            return np.flatnonzero(np.nansum(self.values, axis=1) > 0)
        return np.flatnonzero(np.isfinite(self.values).any(axis=1))


def read_labels(table: Table, label: str | Sequence[str] | Schema, *, task: str | None = None) -> Labels:
    """
    Read labels from a catalogue and find what kind of task they are.

    Booleans, zeros and ones, and two texts of which one is the other's opposite (yes and no, ring and not_ring) are
    ``"binary"``; other text, and up to 30 different whole numbers without a unit, are ``"classes"``; other numbers
    are a ``"regression"``. Text is compared without regard to case and stray blanks. Several columns are of yes or
    no, or with ``task="votes"`` the answers of one question; a `Schema`, or the name or file of one, stands for its
    vote columns.

    A `ValueError` if a column is not there or its values do not make sense for the task; a `TypeError` if labels are
    of no usable type.
    """
    if task is not None:
        check_choice("task", task, TASKS)
    if isinstance(label, Schema):
        return _votes(table, label)
    if isinstance(label, (str, os.PathLike)):
        if task == "votes" or label not in table.colnames:
            return _votes(table, _schema_named(table, label, task))
        return _one_column(table, str(label), task)
    names = list(label) if isinstance(label, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"label must be a column, several columns or a schema, not {label!r}")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"label names {', '.join(map(repr, twice))} more than once")
    if task == "votes":
        return _votes(table, _one_question(names))
    if task not in (None, "several"):
        raise ValueError(f"several columns are labels of yes or no, or votes, but not task={task!r}")
    columns = [_yes_or_no(*_column(table, name)[:2], name) for name in names]
    return Labels("+".join(names), "several", np.stack(columns, 1), tuple(names))


def _one_column(table: Table, name: str, task: str | None) -> Labels:
    values, missing, spelling = _column(table, name)
    task = task or _guess(values, missing, name)
    if task in ("binary", "several"):
        return Labels(name, "binary", _yes_or_no(values, missing, name)[:, None], (name,))
    if task == "regression":
        return _numbers(values, missing, name, table[name])
    return _classes(values, missing, name, spelling)


def _column(table: Table, name: str) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Values, where they are missing (masked, NaN or blank), and how each text is usually written."""
    column = table[check_column("label", name, table.colnames)]
    if not isinstance(column, BaseColumn | u.Quantity | Masked):
        raise TypeError(
            f"label {name!r} is a column of {type(column).__name__}; give booleans, text, whole or real numbers"
        )
    missing = np.array(np.broadcast_to(getattr(column, "mask", False), np.shape(column)), dtype=bool)
    unitless = getattr(column, "unit", None) in (None, "")
    column = getattr(column, "unmasked", column)
    values = np.asarray(np.ma.getdata(getattr(column, "value", column)))
    if values.ndim != 1:
        raise ValueError(f"label {name!r} must have one value for each row, not shape {values.shape}")
    if values.dtype.kind in "SUO":
        return _text(values, missing)
    if values.dtype.kind == "f":
        missing |= ~np.isfinite(values)
        known = values[~missing]
        if unitless and (known == np.round(known)).all() and (np.abs(known) < 2**53).all():
            # Whole numbers are real ones only so that some of them can be NaN.
            values = np.where(missing, 0, values).astype(np.int64)
    elif values.dtype.kind in "iu" and not unitless:
        values = values.astype(float)
    elif values.dtype.kind not in "biu":
        raise TypeError(f"label {name!r} holds {values.dtype}; give booleans, text, whole or real numbers")
    return values, missing, {}


def _text(values: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    missing = missing | np.array([value is None or value is np.ma.masked for value in values], dtype=bool)
    words = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    words = [" ".join(word.split()) for word in words]
    folded = np.array([word.casefold() for word in words], dtype=object)
    missing |= np.isin(folded.astype(str), _BLANK)
    spellings = Counter(word for word, gone in zip(words, missing, strict=True) if not gone)
    # The most frequent spelling comes last and stays.
    return folded, missing, {word.casefold(): word for word, _ in reversed(spellings.most_common())}


def _known(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    return np.unique(values[~missing].astype(str) if values.dtype == object else values[~missing])


def _guess(values: np.ndarray, missing: np.ndarray, name: str) -> str:
    known = _known(values, missing)
    if values.dtype == object:
        return "binary" if len(known) == 2 and _positive(known, name) is not None else "classes"
    if values.dtype.kind == "b" or set(known.tolist()) <= {0, 1}:
        return "binary"
    return "classes" if values.dtype.kind in "iu" and len(known) <= _MOST_CLASSES else "regression"


def _positive(known: np.ndarray, name: str) -> str | None:
    """Which of two texts means yes: yes, the other one without its "not", or the column's name."""
    for one, other in (known, known[::-1]):
        plain, negated = _words(one), _words(other)
        opposite = negated[:1] in (["not"], ["no"], ["non"]) and negated[1:] == plain
        if (one in _YES and other in _NO) or opposite or one == name.casefold():
            return str(one)
    return None


def _words(text: str) -> list[str]:
    return text.replace("_", " ").replace("-", " ").split()


def _yes_or_no(values: np.ndarray, missing: np.ndarray, name: str) -> np.ndarray:
    known = _known(values, missing)
    if len(known) > 2:
        raise ValueError(
            f"label {name!r} has {len(known)} different values, not two; task='classes' takes several"
        )
    answers = np.full(len(values), np.nan)
    if values.dtype == object:
        yes = _positive(known, name) if len(known) == 2 else None
        if len(known) == 2 and yes is None:
            raise ValueError(
                f"label {name!r} is {str(known[0])!r} or {str(known[1])!r}: make it True or False to say which is yes"
            )
        answers[~missing] = values[~missing] == yes if yes else [v in _YES for v in values[~missing]]
    elif not set(known.tolist()) <= {0, 1}:
        raise ValueError(f"label {name!r} holds {known.tolist()}, where yes or no is 1 or 0, True or False")
    else:
        answers[~missing] = values[~missing].astype(float)
    return answers


def _numbers(values: np.ndarray, missing: np.ndarray, name: str, column: Column | u.Quantity) -> Labels:
    if values.dtype == object:
        raise TypeError(f"label {name!r} holds text; task='classes' takes text, a regression takes numbers")
    numbers = np.where(missing, np.nan, values.astype(float))
    unit = getattr(column, "unit", None)
    return Labels(
        name,
        "regression",
        numbers[:, None],
        (name,),
        unit="" if unit is None else u.Unit(unit).to_string(),
    )


def _classes(values: np.ndarray, missing: np.ndarray, name: str, spelling: dict[str, str]) -> Labels:
    known = _known(values, missing)
    answers = np.full((len(values), len(known)), np.nan)
    answers[~missing] = values[~missing][:, None] == known
    return Labels(name, "classes", answers, tuple(spelling.get(str(each), str(each)) for each in known))


def _votes(table: Table, schema: Schema) -> Labels:
    votes = votes_from_table(table, schema).astype(float)
    return Labels(schema.name, "votes", votes, tuple(schema.columns), schema=schema)


def _schema_named(table: Table, label: str | os.PathLike, task: str | None) -> Schema:
    try:
        return Schema.load(label)
    except ValueError as error:
        if task == "votes":
            raise
        raise ValueError(
            f"label {str(label)!r} is neither a column of the table ({', '.join(table.colnames)}) nor a "
            "schema of questions"
        ) from error


def _one_question(columns: list[str]) -> Schema:
    """Schema of one question out of the columns of its answers, ``question_answer``."""
    questions = {column.rpartition("_")[0] for column in columns}
    if len(questions) != 1 or "" in questions:
        raise ValueError(
            f"vote columns {', '.join(columns)} must be named question_answer, all with the same question; "
            "give a Schema where they are not"
        )
    (question,) = questions
    answers = [column.rpartition("_")[2] for column in columns]
    return Schema.from_dict({"name": question, "questions": [{"name": question, "answers": answers}]})
