"""The whole way from labelled embeddings to a calibrated head, which can be walked again without some galaxies."""

from dataclasses import dataclass, replace

import numpy as np

from galzoo_repr.finetuning._averaging import Blend, choose
from galzoo_repr.finetuning._folds import bootstrap_draws, folds
from galzoo_repr.finetuning._heads import Head, HeadSpace, fit_head, fit_one, strengths
from galzoo_repr.questions import Schema

__all__ = ["Lesson", "held_out_predictions", "learn"]

# Beyond so many labels folds differ little, and fewer will do; votes tell more than a label each.
_MANY = 3000


@dataclass(frozen=True)
class Lesson:
    """
    Labelled galaxies to learn from.

    Attributes
    ----------
    x : ndarray
        Embeddings, shape (n, d).
    y : ndarray
        Labels as in `Labels`, shape (n, k).
    groups : ndarray
        Galaxy of each row, int, shape (n,).
    task : str
        As in `Labels`.
    schema : Schema, optional
        Of votes.
    seed : int
        Of folds and resampling.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    task: str
    schema: Schema | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.x)

    def part(self, rows: np.ndarray) -> "Lesson":
        """Learn from some rows only, given by their indices."""
        return replace(self, x=self.x[rows], y=self.y[rows], groups=self.groups[rows])

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Split by galaxy: pairs of rows to learn from and held out; none where there are too few galaxies."""
        n = 3 if len(self) > _MANY or self.task == "votes" else 5
        return folds(self.y, self.groups, self.task, n=n, seed=self.seed)


def learn(
    lesson: Lesson, *, members: int = 1, split: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Head, Blend]:
    """
    Choose the regularisations, fit the head and its ensemble, and calibrate it by galaxies held out in turn.

    Of the members, the first is fitted to all galaxies, the others to bootstrap samples of them. With a `split` into
    rows to learn from and held out, as of a network that has seen the former, the head learns from these alone.
    """
    scores = _held_out_scores(lesson, lesson.folds() if split is None else [split])
    blend = choose(scores, lesson.y, lesson.task, lesson.schema)
    learned = lesson if split is None else lesson.part(split[0])
    draws = bootstrap_draws(learned.groups, members, seed=lesson.seed)
    head = fit_head(learned.x, learned.y, task=lesson.task, blend=blend, schema=lesson.schema, draws=draws)
    return head, blend


def held_out_predictions(lesson: Lesson) -> tuple[np.ndarray, np.ndarray, int]:
    """
    Predict every galaxy by a head that was chosen, fitted and calibrated without it.

    Gives the predictions, shape (n, k), NaN where a galaxy was never held out; the standard deviation of held-out
    residuals of a regression, shape (n, k); and the number of folds.
    """
    predicted, spread = np.full((2, *lesson.y.shape), np.nan)
    splits = lesson.folds()
    for known, held in splits:
        head, blend = learn(lesson.part(known))
        predicted[held] = blend.calibration.apply(head.scores(lesson.x[held])[:, 0], lesson.task)
        spread[held] = blend.calibration.spread
    return predicted, spread, len(splits)


def _held_out_scores(lesson: Lesson, splits: list[tuple[np.ndarray, np.ndarray]]) -> dict[float, np.ndarray]:
    """Scores of held-out galaxies for every regularisation; none where there are too few galaxies."""
    if not splits:
        return {}
    scores = {each: np.full(lesson.y.shape, np.nan) for each in strengths(lesson.task)}
    for known, held in splits:
        space = HeadSpace.of(lesson.x[known])
        learned, asked = space.reduce(lesson.x[known]), space.reduce(lesson.x[held])
        for strength, of_strength in scores.items():
            weights, bias = fit_one(learned, lesson.y[known], lesson.task, strength, lesson.schema)
            of_strength[held] = asked @ weights + bias
    return scores
