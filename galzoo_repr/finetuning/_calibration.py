"""From the scores of a head to probabilities that are right as often as they say, fitted on held-out galaxies."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

from galzoo_repr.finetuning._votes import concentrations_of, vote_losses
from galzoo_repr.questions import Schema

__all__ = ["Calibration", "base_rates", "fit_calibration", "held_out_losses"]

_TELLS = {"binary": 1.5, "classes": 0.75}
"""How far calibrated scores are expected to scatter among galaxies (standard deviation), before any label is seen."""
_TELLS_BY = 1.0  # standard deviation of its natural logarithm
_SHIFT = 2.0  # standard deviation of the offset, in log-odds
_LEAST = 1e-6  # scatter of scores below which they are all the same
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

    Yes or no: Platt scaling, a slope and an offset (Platt 1999, *Advances in Large Margin Classifiers*, with its
    smoothed targets). Classes: temperature scaling, a slope (Guo et al. 2017, arXiv:1706.04599). Few labels tell
    either only roughly, and what is fitted to them alone is as often far too flat as too steep. So both have a prior:
    log-odds scatter by 1.5, within a factor of e, as they do for features that can be learned, and their mean is that
    of the labels, within 2. Slopes act on what a score is above or below that of the frequencies of the answers, so
    that scores which tell nothing give these. Votes: one factor for the concentrations of each question; of its
    posterior, with a flat prior on its logarithm, the mean of the variance of a fraction is taken, which goes as one
    over the factor. Regression: the spread of the residuals.
    """
    k = scores.shape[1]
    scores = np.asarray(scores, float)
    if task == "regression":
        return Calibration("residual", np.ones(k), np.zeros(k), np.sqrt(((scores - y) ** 2).mean(0)))
    if task == "votes":
        return Calibration("concentration", _factors(scores, y, schema), np.zeros(k), np.zeros(k))
    if task == "classes":
        return Calibration("temperature", *_slope_and_offset(scores, y, task), np.zeros(k))
    fitted = []
    for i in range(k):
        known = np.isfinite(y[:, i]) & np.isfinite(scores[:, i])
        fitted.append(_slope_and_offset(scores[known, i : i + 1], y[known, i : i + 1], "binary"))
    slope, offset = np.concatenate(fitted, axis=1)
    return Calibration("platt", slope, offset, np.zeros(k))


def base_rates(y: np.ndarray, task: str) -> np.ndarray:
    """Log-odds of yes, or logarithms of the frequencies of classes, by labels of shape (n, k) alone: shape (k,)."""
    if task == "classes":
        return np.log((y.sum(0) + 0.5) / (len(y) + 0.5 * y.shape[1]))
    yes, no = np.nansum(y, axis=0), np.nansum(1 - y, axis=0)
    return np.log((yes + 0.5) / (no + 0.5))


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


def _slope_and_offset(scores: np.ndarray, y: np.ndarray, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Most probable ones, each of shape (k,), by labels of shape (n, k), and a prior for what these do not tell."""
    from scipy.optimize import minimize

    k = y.shape[1]
    if not len(y) or (y == y[0]).all():
        return np.ones(k), np.zeros(k)
    rate = base_rates(y, task)
    excess = scores - rate
    if task == "classes":
        excess -= excess.mean(1, keepdims=True)
    unit = max(excess.std(), _LEAST)
    excess, tells = excess / unit, np.log(_TELLS[task])
    targets = (
        y if task == "classes" else np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))
    )

    def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
        steep, shift = np.exp(found[0]), found[1:]
        brought = steep * excess + rate + shift.sum()
        residual = (softmax(brought, axis=1) if task == "classes" else expit(brought)) - targets
        far = (found[0] - tells) / _TELLS_BY
        prior = 0.5 * far**2 + 0.5 * ((shift / _SHIFT) ** 2).sum()
        slope = (residual * steep * excess).sum() + far / _TELLS_BY
        value = held_out_losses(brought, targets, task).sum() + prior
        return value, np.array([slope, *(residual.sum() + shift / _SHIFT**2)])

    # Classes have no offset: the largest of several probabilities hardly depends on it.
    start = [tells] if task == "classes" else [tells, 0.0]
    found = minimize(loss, start, jac=True, bounds=[(-5, 8), (-10, 10)][: len(start)]).x
    slope = np.exp(found[0]) / unit
    return np.full(k, slope), (1 - slope) * rate + found[1:].sum()


def _factors(scores: np.ndarray, y: np.ndarray, schema: Schema) -> np.ndarray:
    """Factor for the concentrations of each question, repeated for its answers."""
    alpha, votes, index = concentrations_of(scores), np.nan_to_num(y), schema.question_index
    logs = np.linspace(*np.log(_FACTORS), 61)
    likelihood = np.array([-vote_losses(np.exp(each) * alpha, votes, index).sum(0) for each in logs])
    posterior = np.exp(likelihood - likelihood.max(0))
    posterior /= posterior.sum(0)
    return 1 / (np.exp(-logs) @ posterior)[index]
