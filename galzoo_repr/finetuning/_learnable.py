"""What can be learned from, and what is refused before anything is trained."""

import warnings
from dataclasses import replace

import numpy as np

from galzoo_repr._arguments import some_of
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._folds import fewest_galaxies, strata
from galzoo_repr.finetuning._labels import Labels
from galzoo_repr.finetuning._training_set import Lesson

__all__ = ["FEW", "check_learnable"]

_LARGEST = 1e150  # numbers whose squares, summed over all galaxies, double precision holds
FEW = 5  # galaxies of a class below which held-out figures say next to nothing


def check_learnable(lesson: Lesson, labels: Labels) -> None:
    """
    Refuse labels from which nothing can be learned with a `ValueError`, and warn of those that teach little.

    Refused are fewer than two classes, a class of one galaxy, too few numbers or votes, and numbers or embeddings
    that are all the same. Warned of are classes of few galaxies, and votes that contradict the tree.
    """
    if len(lesson) == 1:
        raise ValueError(
            f"only one galaxy is labelled in {labels.name!r} and has an embedding: label a few tens"
        )
    if np.all(lesson.x == lesson.x[0]):
        raise ValueError(
            f"all {len(lesson)} galaxies labelled in {labels.name!r} have the same embedding, by which they cannot "
            "be told apart: embed them again"
        )
    if lesson.task == "several":
        for i, name in enumerate(labels.classes):
            known = np.flatnonzero(np.isfinite(lesson.y[:, i]))
            alone = replace(lesson.part(known), y=lesson.y[known, i : i + 1], task="binary")
            _check_classes(alone, name, (f"not {name}", name))
    elif lesson.task == "binary":
        _check_classes(lesson, labels.name, (f"not {labels.classes[0]}", labels.classes[0]))
    elif lesson.task == "classes":
        _check_classes(lesson, labels.name, labels.classes)
    else:
        _check_numbers(lesson, labels)


def _check_classes(lesson: Lesson, name: str, classes: tuple[str, ...]) -> None:
    of = strata(lesson.y, lesson.task)
    galaxies = {each: len(np.unique(lesson.groups[of == i])) for i, each in enumerate(classes)}
    said = some_of([f"{n} {each}" for each, n in galaxies.items()], 10)
    absent = [each for each, n in galaxies.items() if n == 0]
    if len(galaxies) - len(absent) < 2:
        raise ValueError(
            f"all labels in {name!r} that have an embedding are of one class ({said}): label some galaxies "
            "of another, to tell it from"
        )
    if absent:
        raise ValueError(
            f"no galaxy labelled {', '.join(absent)} in {name!r} has an embedding ({said}): label others, "
            "or mask these labels"
        )
    single = [each for each, n in galaxies.items() if n == 1]
    if single:
        raise ValueError(
            f"there is only one galaxy labelled {some_of(single, 5)} in {name!r} ({said}), but one to learn "
            "from and one to test on are needed: label more of them, or mask or merge these classes"
        )
    different = sum(len(np.unique(of[lesson.groups == each])) > 1 for each in _several(lesson.groups))
    if different:
        warnings.warn(
            f"{different} of {len(np.unique(lesson.groups))} galaxies have images with different labels in {name!r}: "
            "both are learned from, though one must be wrong; look at them again, or mask one of the two",
            GalzooWarning,
            stacklevel=5,
        )
    few = fewest_galaxies(lesson.y, lesson.groups, lesson.task)
    if few < FEW:
        warnings.warn(
            f"{name!r} has a class of {few} galaxies ({said}); from fewer than {FEW} neither the "
            "calibration nor the report can be trusted: label more of it",
            GalzooWarning,
            stacklevel=5,
        )


def _several(groups: np.ndarray) -> np.ndarray:
    """Galaxies that have more than one image."""
    galaxies, counts = np.unique(groups, return_counts=True)
    return galaxies[counts > 1]


def _check_numbers(lesson: Lesson, labels: Labels) -> None:
    galaxies = len(np.unique(lesson.groups))
    if galaxies < 2 * FEW:
        raise ValueError(
            f"{galaxies} labelled galaxies with an embedding are too few for a "
            f"{lesson.task.replace('votes', 'model of votes')}; label at least {2 * FEW}"
        )
    if lesson.task == "regression" and np.abs(lesson.y).max() > _LARGEST:
        raise ValueError(
            f"labels in {labels.name!r} reach {np.abs(lesson.y).max():g}, and squares of such numbers have no room: "
            "learn their logarithm"
        )
    if lesson.task == "regression" and np.ptp(lesson.y) == 0:
        raise ValueError(f"all labels in {labels.name!r} are {lesson.y[0, 0]:g}: there is nothing to learn")
    if lesson.task == "votes":
        _warn_of_contradictions(lesson)


def _warn_of_contradictions(lesson: Lesson) -> None:
    """More volunteers cannot answer a question than gave the answer that leads to it."""
    schema, votes = lesson.schema, np.nan_to_num(lesson.y)
    wrong = np.zeros(len(lesson), dtype=bool)
    for question in schema.questions:
        if question.asked_after:
            asked = votes[:, [schema.columns.index(column) for column in question.asked_after]].sum(1)
            answered = votes[:, [schema.columns.index(column) for column in question.columns]].sum(1)
            # Published votes are weighted and rounded.
            wrong |= answered > 1.05 * asked + 1
    if wrong.any():
        warnings.warn(
            f"in {wrong.sum()} of {len(lesson)} galaxies more votes answer a question than gave the answer "
            f"that leads to it in {schema.name!r}. Each question is still learned from its own votes; check "
            "that the columns are counts and that the schema is theirs.",
            GalzooWarning,
            stacklevel=5,
        )
