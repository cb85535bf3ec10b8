"""The whole way from labelled embeddings to a calibrated head, which can be walked again without some galaxies."""

from dataclasses import dataclass, replace

import numpy as np

from galzoo_repr.finetuning._calibration import Calibration, fit_calibration, held_out_losses
from galzoo_repr.finetuning._folds import bootstrap_draws, folds
from galzoo_repr.finetuning._heads import Head, Space, fit_head, fit_one, strengths
from galzoo_repr.pretraining import Schema

__all__ = ["Lesson", "choose", "held_out_predictions", "learn"]

_UNCHOSEN = 1e-3
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
        """
        Learn from some rows only.

        Parameters
        ----------
        rows : ndarray
            Indices.

        Returns
        -------
        Lesson
        """
        return replace(self, x=self.x[rows], y=self.y[rows], groups=self.groups[rows])

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """
        Split by galaxy.

        Returns
        -------
        list of (ndarray, ndarray)
            Rows to learn from, and held out; empty where there are too few galaxies.
        """
        n = 3 if len(self) > _MANY or self.task == "votes" else 5
        return folds(self.y, self.groups, self.task, n=n, seed=self.seed)


def learn(lesson: Lesson, *, members: int = 1) -> tuple[Head, Calibration, float]:
    """
    Choose the regularisation, fit the head and its ensemble, and calibrate it.

    Parameters
    ----------
    lesson : Lesson
        Labelled galaxies.
    members : int
        Heads, the first fitted to all galaxies, the others to bootstrap samples of them.

    Returns
    -------
    head : Head
    calibration : Calibration
        From galaxies that were held out in turn.
    strength : float
        Inverse regularisation.
    """
    strength, calibration = choose(
        {each: (scores, lesson.y) for each, scores in _held_out_scores(lesson).items()}, lesson
    )
    draws = bootstrap_draws(lesson.groups, members, seed=lesson.seed)
    head = fit_head(
        lesson.x, lesson.y, task=lesson.task, strength=strength, schema=lesson.schema, draws=draws
    )
    return head, calibration, strength


def held_out_predictions(lesson: Lesson) -> tuple[np.ndarray, np.ndarray, int]:
    """
    Predict every galaxy by a head that was chosen, fitted and calibrated without it.

    Parameters
    ----------
    lesson : Lesson
        Labelled galaxies.

    Returns
    -------
    predicted : ndarray
        Probabilities, values or concentrations, shape (n, k); NaN where a galaxy was never held out.
    spread : ndarray
        Standard deviation of held-out residuals, shape (n, k); of a regression.
    n_folds : int
    """
    predicted, spread = np.full((2, *lesson.y.shape), np.nan)
    splits = lesson.folds()
    for known, held in splits:
        head, calibration, _ = learn(lesson.part(known))
        predicted[held] = calibration.apply(head.scores(lesson.x[held])[:, 0], lesson.task)
        spread[held] = calibration.spread
    return predicted, spread, len(splits)


def _held_out_scores(lesson: Lesson) -> dict[float, np.ndarray]:
    """Scores of held-out galaxies for every regularisation; none where there are too few galaxies."""
    splits = lesson.folds()
    if not splits:
        return {}
    scores = {each: np.full(lesson.y.shape, np.nan) for each in strengths(lesson.task)}
    for known, held in splits:
        space = Space.of(lesson.x[known])
        learned, asked = space.reduce(lesson.x[known]), space.reduce(lesson.x[held])
        for strength, of_strength in scores.items():
            weights, bias = fit_one(learned, lesson.y[known], lesson.task, strength, lesson.schema)
            of_strength[held] = asked @ weights + bias
    return scores


def choose(held_out: dict[float, tuple[np.ndarray, np.ndarray]], lesson: Lesson) -> tuple[float, Calibration]:
    """
    Choose the regularisation by what it makes of held-out galaxies, once it is calibrated.

    It is the strongest whose loss exceeds the least by no more than one standard error of this difference (after
    Breiman et al. 1984, *Classification and Regression Trees*): few labels hardly tell more than that, and of heads
    that are as good the simpler one is the safer.

    Parameters
    ----------
    held_out : dict of float to (ndarray, ndarray)
        For each inverse regularisation, scores of held-out galaxies, NaN where one was not held out, and
        their labels, both of shape (n, k).
    lesson : Lesson
        Its task and schema.

    Returns
    -------
    strength : float
        Inverse regularisation.
    calibration : Calibration
    """
    fitted, losses = {}, {}
    for strength, (scores, y) in held_out.items():
        seen = np.isfinite(scores).all(axis=1)
        scores, y = scores[seen].astype(float), y[seen]
        fitted[strength] = fit_calibration(scores, y, lesson.task, lesson.schema)
        scores = fitted[strength].slope * scores + fitted[strength].offset
        if lesson.task == "votes":
            scores = fitted[strength].apply(held_out[strength][0][seen], "votes")
        losses[strength] = held_out_losses(scores, y, lesson.task, lesson.schema)
    if not losses:
        return _UNCHOSEN, Calibration.none(lesson.y.shape[1])
    best = min(losses, key=lambda each: losses[each].mean())
    excess = {each: losses[each] - losses[best] for each in losses}
    strength = min(each for each, over in excess.items() if over.mean() <= over.std() / np.sqrt(len(over)))
    return strength, fitted[strength]
