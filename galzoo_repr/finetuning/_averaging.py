"""Heads of several regularisations, weighted by how well they predict held-out galaxies."""

from dataclasses import dataclass, replace

import numpy as np

from galzoo_repr.finetuning._calibration import (
    Calibration,
    base_rates,
    fit_calibration,
    held_out_losses,
)
from galzoo_repr.questions import Schema

__all__ = ["Blend", "choose"]

_UNCHOSEN = 1.0
_LEAST_WEIGHT = 0.02
_PRIOR = 0.5
"""Of each regularisation, beside the next stronger one: the simpler head, where labels do not tell."""
_NOTHING = 0.25
"""Of embeddings that tell nothing of the labels, beside the strongest regularisation."""
_MOST = 500.0  # logarithm of a ratio of likelihoods that has room


@dataclass(frozen=True)
class Blend:
    """
    Which regularisations a head is made of, and how its scores are calibrated.

    Attributes
    ----------
    weights : dict of float to float
        Weight of each inverse regularisation; they sum to one.
    calibrations : dict of float to Calibration
        Of the scores of each, which the blended model contains.
    calibration : Calibration
        Of what the blended model gives: its method and spread, and the factors of votes.
    """

    weights: dict[float, float]
    calibrations: dict[float, Calibration]
    calibration: Calibration

    @property
    def strength(self) -> float:
        """Geometric mean of the inverse regularisations."""
        return float(np.exp(sum(weight * np.log(each) for each, weight in self.weights.items())))

    @classmethod
    def side_by_side(cls, blends: list["Blend"]) -> "Blend":
        """Say of several labels, each with a blend of its own, how they are regularised on the whole."""
        each = {strength for blend in blends for strength in blend.weights}
        weights = {one: float(np.mean([blend.weights.get(one, 0) for blend in blends])) for one in each}
        none, methods = Calibration.none(len(blends)), {blend.calibration.method for blend in blends}
        method = next(name for name in ("platt", "none") if name in methods)
        return cls(weights, dict.fromkeys(each, none), replace(none, method=method))

    def mix(self, models: dict[float, tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """
        Blend linear models, given as weights (d, k) and bias (k,) for each inverse regularisation.

        Weights and bias are of the model whose scores are the weighted mean of their calibrated ones.
        """
        of = [(self.weights[each], self.calibrations[each], *model) for each, model in models.items()]
        weights = sum(share * by.slope * w for share, by, w, _ in of)
        return weights, sum(share * (by.slope * b + by.offset) for share, by, _, b in of)


def choose(
    held_out: dict[float, np.ndarray], y: np.ndarray, task: str, schema: Schema | None = None
) -> Blend:
    """
    Weigh regularisations by the likelihood of held-out labels, once their scores are calibrated.

    A few labels hardly tell which regularisation is best, and the mean of those that may be predicts better than any
    that is picked (pseudo Bayesian model averaging: Geisser & Eddy 1979; Yao et al. 2018, Bayesian Analysis 13, 917).
    The mean is of log-odds or values, so that the blend of linear heads is a linear head. Concentrations of votes
    have no such mean: of those heads the one with the strongest regularisation is taken whose loss exceeds the least
    by no more than one standard error of this difference (after Breiman et al. 1984, *Classification and Regression
    Trees*).

    `held_out` has, for each inverse regularisation, the strongest first, scores of held-out galaxies, shape (n, k),
    NaN where one was not held out; none at all if there are too few galaxies. `y` has their labels, shape (n, k).
    """
    none = Calibration.none(y.shape[1])
    seen = np.isfinite(next(iter(held_out.values()), np.empty((0, 1)))).all(axis=1)
    if not seen.any():
        return Blend({_UNCHOSEN: 1.0}, {_UNCHOSEN: none}, none)
    y, scores = y[seen], {each: of[seen].astype(float) for each, of in held_out.items()}
    fitted = {each: fit_calibration(of, y, task, schema) for each, of in scores.items()}
    if task == "votes":
        alpha = {each: fitted[each].apply(of, task) for each, of in scores.items()}
        losses = {each: held_out_losses(of, y, task, schema) for each, of in alpha.items()}
        chosen = _strongest_of_the_best(losses)
        return Blend({chosen: 1.0}, {chosen: none}, fitted[chosen])
    brought = {each: fitted[each].slope * of + fitted[each].offset for each, of in scores.items()}
    losses = {each: held_out_losses(of, y, task) for each, of in brought.items()}
    weights = _weights(losses, task)
    if task != "regression":
        fitted = _towards_frequencies(fitted, losses, y, task)
    blended = sum(weight * brought[each] for each, weight in weights.items())
    spread = np.sqrt(((blended - y) ** 2).mean(0)) if task == "regression" else none.spread
    method = fitted[max(weights, key=weights.get)].method
    return Blend(weights, fitted, replace(none, method=method, spread=spread))


def _weights(losses: dict[float, np.ndarray], task: str) -> dict[float, float]:
    """Prior times likelihood of all held-out labels, of those regularisations where it is not negligible."""
    n = len(next(iter(losses.values())))
    mean = np.array([of.mean() for of in losses.values()])
    fall = (
        n / 2 * np.log(mean / mean.min())
        if task == "regression" and mean.min() > 0
        else n * (mean - mean.min())
    )
    weights = np.exp(-fall) * _PRIOR ** np.arange(len(losses))
    weights[weights < _LEAST_WEIGHT * weights.max()] = 0
    weights /= weights.sum()
    return {each: float(weight) for each, weight in zip(losses, weights, strict=True) if weight}


def _towards_frequencies(
    fitted: dict[float, Calibration], losses: dict[float, np.ndarray], y: np.ndarray, task: str
) -> dict[float, Calibration]:
    """
    Shrink calibrated scores by the probability that embeddings tell nothing of the labels.

    That is the head of infinite regularisation, which gives everything the frequency of the labels.
    """
    if (y == y[0]).all():
        return fitted
    rate = base_rates(y, task)
    nothing = held_out_losses(np.broadcast_to(rate, y.shape), y, task).sum()
    gain = nothing - np.array([of.sum() for of in losses.values()])
    share = _NOTHING / (_NOTHING + (np.exp(np.minimum(gain, _MOST)) * _PRIOR ** np.arange(len(gain))).sum())
    return {
        each: replace(of, slope=(1 - share) * of.slope, offset=(1 - share) * of.offset + share * rate)
        for each, of in fitted.items()
    }


def _strongest_of_the_best(losses: dict[float, np.ndarray]) -> float:
    best = min(losses, key=lambda each: losses[each].mean())
    excess = {each: of - losses[best] for each, of in losses.items()}
    return min(each for each, over in excess.items() if over.mean() <= over.std() / np.sqrt(len(over)))
