"""The whole way from labelled embeddings to a calibrated head, which can be walked again without some galaxies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from galzoo_repr._threads import one_thread
from galzoo_repr.finetuning._averaging import Blend, choose
from galzoo_repr.finetuning._calibration import base_rates
from galzoo_repr.finetuning._folds import bootstrap_draws, fewest_galaxies, folds
from galzoo_repr.finetuning._heads import Head, HeadSpace, fit_one, strengths
from galzoo_repr.questions import Schema

__all__ = ["Lesson", "held_out_predictions", "learn"]

# Beyond so many labels folds differ little, and fewer will do; votes tell more than a label each.
_MANY = 3000
# Galaxies of the rarest class from which those that a bootstrap sample leaves out judge it as well as folds would, but
# in a sixth of the time; regressions are quick, and their spread comes out a tenth too small so.
_ENOUGH = 50
# The same for one of many classes that is rare: galaxies outside of the most frequent class, as classes share a
# temperature.
_ENOUGH_OF_CLASSES = 200


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


# Of the small products of a head's optimiser, threads of the linear algebra make the work many times longer.
@one_thread()
def learn(
    lesson: Lesson, *, members: int = 1, split: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Head, Blend]:
    """
    Choose the regularisations, fit the head and its ensemble, and calibrate it by galaxies held out in turn.

    Of the members, the first is learned from all galaxies. Each of the others is learned from a bootstrap sample of
    them just as the first is from all, with regularisations and a calibration of its own: what these are is as much a
    matter of which galaxies are labelled as the weights are. Several labels are learned one by one. With a `split` into
    rows to learn from and held out, as of a network that has seen the former, the head learns from these alone.
    """
    space = HeadSpace.of(lesson.x if split is None else lesson.x[split[0]])
    lesson = replace(lesson, x=space.reduce(lesson.x))
    if lesson.task != "several":
        models, blend = _ensemble(lesson, members, split)
        return space.head(models, lesson.task), blend
    alone = []
    for i in range(lesson.y.shape[1]):
        rows = np.flatnonzero(np.isfinite(lesson.y[:, i]))
        of_label = replace(lesson, y=lesson.y[:, i : i + 1], task="binary").part(rows)
        of_split = split and tuple(np.flatnonzero(np.isin(rows, each)) for each in split)
        alone.append(_ensemble(of_label, members, of_split))
    each_member = zip(*(models for models, _ in alone), strict=True)
    models = [tuple(np.concatenate(parts, axis=-1) for parts in zip(*of, strict=True)) for of in each_member]
    return space.head(models, lesson.task), Blend.side_by_side([blend for _, blend in alone])


def _ensemble(
    lesson: Lesson, members: int, split: tuple[np.ndarray, np.ndarray] | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], Blend]:
    """Weights and bias of every member, and the blend of the first."""
    scores = _held_out_scores(lesson, lesson.folds() if split is None else [split])
    blend = choose(scores, lesson.y, lesson.task, lesson.schema)
    models = [_fitted(lesson if split is None else lesson.part(split[0]), blend)]
    for bag, held in _samples(lesson, members, split):
        if (
            lesson.task == "votes"
        ):  # whose fits take long, and whose fractions do not depend on the calibration
            judged = bag if split is None else held
            of_judged = {each: of[judged] for each, of in scores.items()}
            of_bag = choose(of_judged, lesson.y[judged], lesson.task, lesson.schema)
        else:
            part = lesson.part(np.concatenate([bag, held]))
            splits = [np.split(np.arange(len(part)), [len(bag)])] if len(held) else part.folds()
            of_bag = choose(_held_out_scores(part, splits), part.y, part.task)
            if not splits and lesson.task == "classes":
                # Of one class it has too few galaxies to tell, of the others it would be far off without calibration.
                of_bag = blend
        models.append(_fitted(lesson.part(bag), of_bag))
    return models, blend


def _samples(
    lesson: Lesson, members: int, split: tuple[np.ndarray, np.ndarray] | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of bootstrap samples to learn from, and others held out; none of these where they would be too few."""
    if split is not None:
        draws = [bootstrap_draws(lesson.groups[rows], members, seed=lesson.seed)[1:] for rows in split]
        for known, held in zip(*draws, strict=True):
            yield split[0][known], split[1][held]
        return
    enough = _left_out_are_enough(lesson)
    for bag in bootstrap_draws(lesson.groups, members, seed=lesson.seed)[1:]:
        yield bag, np.setdiff1d(np.arange(len(lesson)), bag) if enough else np.zeros(0, int)


def _left_out_are_enough(lesson: Lesson) -> bool:
    """Whether galaxies that bootstrap samples leave out can choose regularisation and calibration."""
    if lesson.task == "classes":
        of_class = [len(np.unique(lesson.groups[each == 1])) for each in lesson.y.T]
        if sum(of_class) - max(of_class) >= _ENOUGH_OF_CLASSES:
            return True
    return lesson.task != "regression" and fewest_galaxies(lesson.y, lesson.groups, lesson.task) >= _ENOUGH


def _fitted(lesson: Lesson, blend: Blend) -> tuple[np.ndarray, np.ndarray]:
    """Weights (d, k) and bias (k,) of a blend of linear models."""
    return blend.mix(
        {each: fit_one(lesson.x, lesson.y, lesson.task, each, lesson.schema) for each in blend.weights}
    )


def held_out_predictions(lesson: Lesson) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Predict every galaxy by a head that was chosen, fitted and calibrated without it.

    Gives the predictions, shape (n, k), NaN where a galaxy was never held out; the standard deviation of held-out
    residuals of a regression, shape (n, k); and which were held out together, int of shape (n,).
    """
    predicted, spread = np.full((2, *lesson.y.shape), np.nan)
    folds = np.full(len(lesson), -1)
    for number, (known, held) in enumerate(lesson.folds()):
        head, blend = learn(lesson.part(known))
        predicted[held] = blend.calibration.apply(head.scores(lesson.x[held])[:, 0], lesson.task)
        spread[held], folds[held] = blend.calibration.spread, number
    return predicted, spread, folds


def _held_out_scores(lesson: Lesson, splits: list[tuple[np.ndarray, np.ndarray]]) -> dict[float, np.ndarray]:
    """
    Scores of held-out galaxies for every regularisation; none where there are too few galaxies.

    Of several folds, each has learned from other shares of yes and no, the fewer of one the more of it are held out. So
    scores of yes or no are brought to the log-odds of all labels; else they would seem to tell less than they do.
    """
    if not splits:
        return {}
    level = base_rates(lesson.y, lesson.task) if lesson.task == "binary" and len(splits) > 1 else None
    scores = {each: np.full(lesson.y.shape, np.nan) for each in strengths(lesson.task)}
    for known, held in splits:
        for strength, of_strength in scores.items():
            weights, bias = fit_one(lesson.x[known], lesson.y[known], lesson.task, strength, lesson.schema)
            of_strength[held] = lesson.x[held] @ weights + bias
            if level is not None:
                of_strength[held] += level - base_rates(lesson.y[known], lesson.task)
    return scores
