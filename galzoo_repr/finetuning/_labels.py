"""What a researcher wrote into a column: which task it is, and which rows have an answer."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from astropy.table.column import BaseColumn

from galzoo_repr._arguments import check_choice, did_you_mean, some_of
from galzoo_repr.catalogue import Cells, warn_of_sentinels
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._answers import affirmative, read_answers, yes_or_no
from galzoo_repr.questions import Schema, schema_names, votes_from_table

__all__ = ["TASKS", "Labels", "read_labels"]

TASKS = ("binary", "classes", "regression", "several", "votes")
_ALSO_CLASSES = {"none", "unknown", "undefined", "unsure"}  # words for no value that could be answers
_MOST_CLASSES = 30
_MOST_NAMED = 1000  # different values, beyond which they are names of galaxies rather than classes


@dataclass(frozen=True)
class Labels:
    """
    Answers for the rows that have one.

    Attributes
    ----------
    name : str
        Column, or columns, of the labels, or name of a schema.
    task : str
        ``"binary"``, ``"classes"``, ``"regression"``, ``"several"`` (independent yes or no labels) or
        ``"votes"``.
    values : ndarray
        float64, shape (n, k): 0 or 1 for each class or label (k = 1 if binary), or numbers, NaN where there is
        no label; or votes, zero for all answers of a question that was not answered.
    classes : tuple of str
        Names of the k columns; of one label, what a yes is called: the value that means yes where the other is its
        opposite, such as ring and not_ring, and the column otherwise.
    unit : str
        Unit of a regression, as text.
    schema : Schema, optional
        Of votes.
    words : dict of str to int
        How often each word stood for no label; ``""`` counts what is masked, NaN, None or blank.
    """

    name: str
    task: str
    values: np.ndarray
    classes: tuple[str, ...]
    unit: str = ""
    schema: Schema | None = None
    words: dict[str, int] = field(default_factory=dict)

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
    are a ``"regression"``. Text is compared without regard to case and stray blanks, and text all of which is numbers
    is read as numbers. Several columns are of yes or no, or with ``task="votes"`` the answers of one question; a
    `Schema`, or the name or file of one, stands for its vote columns.

    Numbers and words that may stand for no label, or not, raise a `GalzooWarning`.

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
        raise ValueError(
            f"several columns are learned as task='several' (yes or no) or 'votes', not task={task!r}"
        )
    answers = [read_answers(table, name) for name in names]
    columns = [yes_or_no(each, name)[0] for each, name in zip(answers, names, strict=True)]
    words = sum((Counter(each.words) for each in answers), Counter())
    return Labels("+".join(names), "several", np.stack(columns, 1), tuple(names), words=dict(words))


def _one_column(table: Table, name: str, task: str | None) -> Labels:
    answers = read_answers(table, name)
    task = task or _guess(answers, name)
    if task in ("binary", "several"):
        values, called = yes_or_no(answers, name)
        return Labels(name, "binary", values[:, None], (called,), words=answers.words)
    if task == "regression":
        labels = _numbers(answers, name, getattr(table[name], "unit", None))
    else:
        labels = _classes(answers, name)
    if answers.texts:
        _warn_of_classes_left_out(answers, name)
    else:
        _warn_of_sentinels(answers, table[name], name)
    return labels


def _guess(answers: Cells, name: str) -> str:
    if answers.texts:
        return "binary" if affirmative(answers.texts, name) else "classes"
    known = answers.values[~answers.missing]
    if known.dtype.kind == "b" or ((known == 0) | (known == 1)).all():
        return "binary"
    return "classes" if known.dtype.kind in "iu" and len(np.unique(known)) <= _MOST_CLASSES else "regression"


def _numbers(answers: Cells, name: str, unit: u.UnitBase | None) -> Labels:
    if answers.texts:
        raise TypeError(f"label {name!r} holds text; task='classes' takes text, a regression takes numbers")
    unit = "" if unit is None else u.Unit(unit).to_string()
    return Labels(name, "regression", answers.numbers()[:, None], (name,), unit=unit, words=answers.words)


def _classes(answers: Cells, name: str) -> Labels:
    here = ~answers.missing
    known, of = np.unique(answers.values[here], return_inverse=True)
    if len(known) > _MOST_NAMED:
        raise ValueError(
            f"label {name!r} has {len(known)} different values; classes are at most {_MOST_NAMED}. Numbers are learned "
            "with task='regression'"
        )
    values = np.full((len(answers), len(known)), np.nan)
    values[here] = of[:, None] == np.arange(len(known))
    names = [answers.texts[each] for each in known] if answers.texts else map(str, known)
    return Labels(name, "classes", values, tuple(names), words=answers.words)


def _warn_of_classes_left_out(answers: Cells, name: str) -> None:
    """Some words for no value could be a class too."""
    for word, n in answers.words.items():
        if word.casefold() in _ALSO_CLASSES:
            warnings.warn(
                f"{word!r}, in {n} row(s) of label {name!r}, stands for no label. If it is a class, give it a name "
                f"that says so, such as 'no {name}'.",
                GalzooWarning,
                stacklevel=5,
            )


def _warn_of_sentinels(answers: Cells, column: Column | u.Quantity, name: str) -> None:
    written = column.dtype.kind in "SU" or (
        column.dtype == object and any(isinstance(each, str | bytes) for each in column)
    )
    warn_of_sentinels(
        answers.numbers(),
        f"label {name!r}",
        name,
        text=written,
        quantity=not isinstance(column, BaseColumn),
        stacklevel=5,
    )


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
            f"label {str(label)!r} is neither a column of the table ({some_of(table.colnames)}) nor a "
            f"schema of questions{did_you_mean(label, [*table.colnames, *schema_names()])}"
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
