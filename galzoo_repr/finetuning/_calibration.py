"""From the scores of a head to probabilities that are right as often as they say, fitted on held-out galaxies."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

from galzoo_repr.finetuning._votes import concentrations_of, vote_losses
from galzoo_repr.questions import Schema

__all__ = ["Calibration", "fit_calibration", "held_out_losses"]

PLATT_FROM = 30
"""Galaxies of the rarer answer from which an offset is fitted too, not only a slope."""
_SLOPES = (0.02, 5000.0)  # scores of a strongly regularised head are small
_FACTORS = (0.02, 20.0)


@dataclass(frozen=True)
class Calibration:
    """
    How scores are brought to the scale of what was seen in held-out galaxies.

    Attributes
    ----------
    method : str
        ``"platt"``, ``"temperature"``, ``"concentration"``, ``"residual"`` or ``"none"``.
    slope, offset : ndarray
        float64, shape (k,): calibrated scores are ``slope * score + offset``; for votes the slope multiplies
        concentrations.
    spread : ndarray
        float64, shape (k,): standard deviation of held-out residuals of a regression, otherwise zero.
    """

    method: str
    slope: np.ndarray
    offset: np.ndarray
    spread: np.ndarray

    @classmethod
    def none(cls, k: int) -> "Calibration":
        """Leave k scores as they are."""
        return cls("none", np.ones(k), np.zeros(k), np.zeros(k))

    def apply(self, scores: np.ndarray, task: str) -> np.ndarray:
        """Turn scores, shape (..., k), into probabilities, values of a regression, or concentrations."""
        if task == "votes":
            return self.slope * concentrations_of(scores)
        scores = self.slope * scores + self.offset
        if task == "regression":
            return scores
        return softmax(scores, axis=-1) if task == "classes" else expit(scores)


def fit_calibration(
    scores: np.ndarray, y: np.ndarray, task: str, schema: Schema | None = None
) -> Calibration:
    """
    Fit a calibration to the scores and labels, shape (n, k), of galaxies that the head has not seen.

    Yes or no: Platt scaling (Platt 1999, *Advances in Large Margin Classifiers*, with its smoothed targets) where
    both answers have 30 galaxies; temperature scaling (Guo et al. 2017, arXiv:1706.04599) where there are fewer.
    Classes: temperature scaling. The temperature acts on what a score is above or below that of the frequencies of
    the answers, so that scores which tell nothing give these. Votes: one factor for the concentrations of each
    question; of its posterior, with a flat prior on its logarithm, the mean of the variance of a fraction is taken,
    which goes as one over the factor. Regression: the spread of the residuals.
    """
    k = scores.shape[1]
    scores = np.asarray(scores, float)
    if task == "regression":
        return Calibration("residual", np.ones(k), np.zeros(k), np.sqrt(((scores - y) ** 2).mean(0)))
    if task == "votes":
        return Calibration("concentration", _factors(scores, y, schema), np.zeros(k), np.zeros(k))
    if task == "classes":
        rate = np.log((y.sum(0) + 0.5) / (len(y) + 0.5 * k))
        slope = _one_slope(lambda each: held_out_losses(each * (scores - rate) + rate, y, task).mean())
        return Calibration("temperature", np.full(k, slope), (1 - slope) * rate, np.zeros(k))
    fitted = [_yes_or_no(scores[:, i], y[:, i]) for i in range(k)]
    slope, offset, platt = np.array(fitted).T
    return Calibration("platt" if platt.any() else "temperature", slope, offset, np.zeros(k))


def held_out_losses(scores: np.ndarray, y: np.ndarray, task: str, schema: Schema | None = None) -> np.ndarray:
    """
    Negative log-likelihood of the labels of each galaxy, or squared error of a regression, shape (n,).

    `scores` are log-odds, logits or values, shape (n, k) like the labels; for votes concentrations.
    """
    if task == "votes":
        return vote_losses(scores, np.nan_to_num(y), schema.question_index).sum(1)
    if task == "regression":
        return ((scores - y) ** 2).mean(1)
    if task == "classes":
        return -(log_softmax(scores, axis=1) * y).sum(1)
    return np.nanmean(np.logaddexp(0, scores) - y * scores, axis=1)


def _yes_or_no(scores: np.ndarray, y: np.ndarray) -> tuple[float, float, bool]:
    """Slope and offset, and whether the offset was fitted too."""
    from scipy.optimize import minimize

    known = np.isfinite(y) & np.isfinite(scores)
    scores, y = scores[known], y[known]
    yes, no = (y == 1).sum(), (y == 0).sum()
    if min(yes, no) == 0:
        return 1.0, 0.0, False
    rate = np.log((yes + 0.5) / (no + 0.5))
    targets = np.where(y == 1, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(slope: float, offset: float) -> float:
        calibrated = slope * scores + offset
        return float((np.logaddexp(0, calibrated) - targets * calibrated).mean())

    slope = _one_slope(lambda each: loss(each, (1 - each) * rate))
    start = slope, (1 - slope) * rate
    if min(yes, no) < PLATT_FROM:
        return *start, False
    bounds = [tuple(np.log(_SLOPES)), (-10, 10)]
    found = minimize(lambda p: loss(np.exp(p[0]), p[1]), (np.log(slope), start[1]), bounds=bounds)
    return float(np.exp(found.x[0])), float(found.x[1]), True


def _one_slope(loss: Callable[[float], float]) -> float:
    """Factor between the bounds that makes the loss least, found from 1."""
    from scipy.optimize import minimize

    bounds = [tuple(np.log(_SLOPES))]
    return float(np.exp(minimize(lambda p: loss(np.exp(p[0])), (0.0,), bounds=bounds).x[0]))


def _factors(scores: np.ndarray, y: np.ndarray, schema: Schema) -> np.ndarray:
    """Factor for the concentrations of each question, repeated for its answers."""
    alpha, votes, index = concentrations_of(scores), np.nan_to_num(y), schema.question_index
    logs = np.linspace(*np.log(_FACTORS), 61)
    likelihood = np.array([-vote_losses(np.exp(each) * alpha, votes, index).sum(0) for each in logs])
    posterior = np.exp(likelihood - likelihood.max(0))
    posterior /= posterior.sum(0)
    return 1 / (np.exp(-logs) @ posterior)[index]
