"""Labels by which encoders are compared: yes or no, or classes, of enough galaxies, and no votes."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._folds import strata
from galzoo_repr.finetuning._labels import Labels, read_labels
from galzoo_repr.finetuning._learnable import check_learnable
from galzoo_repr.finetuning._training_set import Lesson
from galzoo_repr.questions import Question, Schema, schema_names

__all__ = ["LEAST", "check_enough", "labels_to_compare"]

LEAST = 4  # galaxies of a class: two to learn from, and two to test on
_FEW = 10
_OF_VOTES = ("_fraction", "_debiased", "_weighted_fraction", "_count", "_votes")


def labels_to_compare(table: Table, labels: str | ArrayLike, task: str | None) -> Labels:
    """Read labels from a column or an array; a `ValueError` if they are neither yes or no nor classes."""
    if isinstance(labels, str):
        _refuse_votes(table, labels)
        _refuse_other_answers(table, labels)
        found = read_labels(table, labels, task=task)
    elif isinstance(labels, Schema):
        raise ValueError("encoders are compared by one label, yes or no or classes, not by a schema of votes")
    else:
        found = read_labels(*_as_column(table, labels), task=task)
    if found.task not in ("binary", "classes"):
        raise ValueError(
            f"encoders are compared by labels of yes or no, or classes, but {found.name!r} holds "
            f"{'votes' if found.task in ('votes', 'several') else 'numbers'}; make labels of them, such as "
            "table['size'] > 5"
        )
    return found


def _as_column(table: Table, labels: ArrayLike) -> tuple[Table, str]:
    if (
        isinstance(labels, Sequence)
        and labels
        and all(isinstance(one, str) and one in table.colnames for one in labels)
    ):
        raise ValueError(f"encoders are compared by one label at a time, not by {', '.join(labels)}")
    if isinstance(labels, list | tuple):
        odd = any(one is None or one is np.ma.masked for one in labels)
        labels = (
            np.array([None if one is np.ma.masked else one for one in labels], dtype=object)
            if odd
            else np.array(labels)
        )
    values = labels if isinstance(labels, Column) else getattr(labels, "to_numpy", lambda: labels)()
    if np.shape(values)[:1] != (len(table),):
        size = np.shape(values)[0] if np.ndim(values) else 1
        raise ValueError(
            f"there are {size} labels for {len(table)} rows; give one for each, missing ones masked"
        )
    return Table({"labels": values}), "labels"


def check_enough(labels: Labels, rows: np.ndarray, groups: np.ndarray, *, what: str = "") -> dict[str, int]:
    """
    Count the galaxies of each class among some rows, and refuse too few.

    `groups` numbers the galaxy of each of these rows; `what` ends the message. Warns where a class has few.
    """
    if not len(rows):
        raise ValueError(
            f"no row has a label in {labels.name!r}{what}: all are masked, NaN, blank or words for no value"
        )
    y = labels.values[rows]
    # What matters here are the labels; any embeddings that differ will do.
    lesson = Lesson(np.arange(len(rows), dtype=float)[:, None], y, groups, labels.task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GalzooWarning)
        check_learnable(lesson, labels)
    classes = strata(y, labels.task)
    names = ("no", "yes") if labels.task == "binary" else labels.classes
    counts = {name: len(np.unique(groups[classes == i])) for i, name in enumerate(names)}
    said = ", ".join(f"{n} {name}" for name, n in counts.items())
    if min(counts.values()) < LEAST:
        raise ValueError(
            f"comparing encoders needs at least {LEAST} galaxies of each class{what}, but {labels.name!r} has {said}: "
            "label more, or mask or merge the rare ones"
        )
    if min(counts.values()) < _FEW:
        warnings.warn(
            f"a class of {labels.name!r} has {min(counts.values())} galaxies ({said}); of fewer than {_FEW} the "
            "figures depend on each one.",
            GalzooWarning,
            stacklevel=3,
        )
    return dict(reversed(counts.items())) if labels.task == "binary" else counts


def _refuse_votes(table: Table, name: str) -> None:
    """Refuse counts or fractions of votes for an answer, of which whole numbers would pass for classes."""
    if name not in table.colnames or table[name].dtype.kind not in "iuf":
        return
    values = np.ma.compressed(np.ma.masked_invalid(np.ma.asarray(table[name], dtype=float)))
    if np.isin(values, (0, 1)).all():
        return
    plain = name
    for suffix in _OF_VOTES:
        plain = plain.removesuffix(suffix)
    for schema, question in _questions():
        for columns in (question.columns, question.published):
            if plain in columns:
                raise ValueError(
                    f"column {name!r} holds votes for the answer {question.answers[columns.index(plain)]!r} to "
                    f"{question.label!r} of {schema.name}, not labels; make labels of fractions, such as "
                    "table['fraction'] > 0.5"
                )


def _refuse_other_answers(table: Table, name: str) -> None:
    """Refuse a column that is called like a question but holds answers which the question does not have."""
    asked = [each for each in _questions() if name in (each[1].label, each[1].name)]
    if not asked or name not in table.colnames or table[name].dtype.kind not in "USO":
        return
    found = read_labels(table, name)
    texts = found.classes if found.task == "classes" else ()
    other = [{one for one in texts if _plain(one) not in map(_plain, each.answers)} for _, each in asked]
    fewest = min(range(len(asked)), key=lambda i: len(other[i]))
    if other[fewest]:
        schema, question = asked[fewest]
        raise ValueError(
            f"column {name!r} is called like the question {question.label!r} of {schema.name}, whose answers are "
            f"{', '.join(question.answers)}, but holds {', '.join(sorted(other[fewest])[:5])}; give labels of your own "
            "another name"
        )


def _questions() -> Iterator[tuple[Schema, Question]]:
    for schema in map(Schema.load, schema_names()):
        for question in schema.questions:
            yield schema, question


def _plain(answer: str) -> str:
    return answer.casefold().replace("_", "-").replace(" ", "-")
