"""Linear heads on embeddings: one fitted to all labels, and an ensemble for its uncertainty."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr.finetuning._votes import fit_votes
from galzoo_repr.questions import Schema

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = ["Head", "HeadSpace", "fit_one", "strengths"]

_ROWS = 2048  # multiplied at a time


@dataclass(frozen=True)
class Head:
    """
    Linear maps from embeddings to scores, all on the same standardisation.

    Attributes
    ----------
    mean : ndarray
        float32, shape (d,): taken off embeddings.
    scale : ndarray
        float32, shape (): they are then divided by.
    weights : ndarray
        Shape (members, d, k); the first member is fitted to all labels, the others to bootstrap samples. float64
        of a regression, whose labels may be dates or luminosities that float32 rounds or cannot hold; else
        float32.
    bias : ndarray
        Of the same type, shape (members, k).
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """
        Scores of every member for embeddings of shape (n, d), of the type of the weights, shape (n, members, k).

        They are log-odds, values of a regression, or logits of concentrations.
        """
        import torch

        members, d, k = self.weights.shape
        flat = self.weights.transpose(1, 0, 2).reshape(d, members * k) / self.scale
        offset = self.bias.reshape(-1) - self.mean @ flat
        scores = np.empty((len(embeddings), members, k), self.weights.dtype)
        with torch.inference_mode():  # numpy's product is as fast, but torch has a thread for each core
            maps, shift, out = (
                torch.from_numpy(each) for each in (flat, offset, scores.reshape(-1, members * k))
            )
            for start in range(0, len(embeddings), _ROWS):
                rows = slice(start, start + _ROWS)
                x = torch.from_numpy(np.ascontiguousarray(embeddings[rows], scores.dtype))
                torch.addmm(shift, x, maps, out=out[rows])
        return scores

    def standardise(self, embeddings: np.ndarray) -> np.ndarray:
        """Bring embeddings, shape (n, d), to where the head is linear in them, as float32."""
        return (np.asarray(embeddings, np.float32) - self.mean) / self.scale


def strengths(task: str) -> tuple[float, ...]:
    """Inverse regularisations to choose from by cross-validation, the strongest first."""
    usual = (1e-2, 1e-1, 1.0, 10.0, 100.0)
    # Numbers may be free of noise, answers are not.
    return (*usual, 1e3, 1e4, 1e5) if task == "regression" else usual


@dataclass(frozen=True)
class HeadSpace:
    """
    Where heads are fitted: centred embeddings, turned into the span of the labelled galaxies.

    In that span the problem has no more dimensions than labels, and the same answer. Labelled galaxies have a
    mean square length of one there, so that a regularisation means the same for every encoder. Features are not
    standardised one by one: those that hardly vary would outweigh all else.

    Attributes
    ----------
    mean : ndarray
        Shape (d,).
    scale : float
    rotation : ndarray
        Shape (d, r), orthonormal columns.
    """

    mean: np.ndarray
    scale: float
    rotation: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> "HeadSpace":
        """Find the space of labelled galaxies by their embeddings, shape (n, d)."""
        x = np.asarray(x, float)
        mean = x.mean(0)
        scale = np.sqrt(x.var(0).sum()) or 1.0
        if len(x) >= len(mean):
            return cls(mean, scale, np.eye(len(mean)))
        # From the inner products of n galaxies, which takes a tenth of the time of a singular value decomposition.
        standard = (x - mean) / scale
        squares, left = np.linalg.eigh(standard @ standard.T)
        kept = squares > 1e-10 * max(squares[-1], 1e-10)
        return cls(mean, scale, standard.T @ (left[:, kept] / np.sqrt(squares[kept])))

    def reduce(self, x: np.ndarray) -> np.ndarray:
        """Bring embeddings, shape (n, d), into the space: float64, shape (n, r)."""
        return (np.asarray(x, float) - self.mean) / self.scale @ self.rotation

    def head(self, members: list[tuple[np.ndarray, np.ndarray]], task: str) -> Head:
        """Head of members that were fitted in the space, given as weights (r, k) and bias (k,)."""
        weights = np.stack([self.rotation @ weight for weight, _ in members])
        bias = np.stack([bias for _, bias in members])
        precision = np.float64 if task == "regression" else np.float32
        standard = (np.asarray(each, np.float32) for each in (self.mean, self.scale))
        return Head(*standard, *(np.asarray(each, precision) for each in (weights, bias)))


def fit_one(
    x: np.ndarray, y: np.ndarray, task: str, strength: float, schema: Schema | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (d, k) and bias (k,) of one linear model with a quadratic penalty on its weights."""
    fit: Callable = {"regression": _ridge, "votes": fit_votes, "classes": _multinomial}.get(task, _logistic)
    return fit(x, y, strength, schema)


def _logistic(
    x: np.ndarray, y: np.ndarray, strength: float, _: Schema | None
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression for each yes or no label, on the rows that have it."""
    weights, bias = np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])
    for i, answers in enumerate(y.T):
        known = np.isfinite(answers)
        yes = answers[known].sum()
        if yes in (0, known.sum()):  # a bootstrap sample of one class: as sure as Laplace's rule allows
            bias[i] = np.log((yes + 1) / (known.sum() - yes + 1))
            continue
        model = _sklearn_logistic(x[known], answers[known], strength)
        weights[:, i], bias[i] = model.coef_[0], model.intercept_[0]
    return weights, bias


def _multinomial(
    x: np.ndarray, y: np.ndarray, strength: float, _: Schema | None
) -> tuple[np.ndarray, np.ndarray]:
    k = y.shape[1]
    answers = y.argmax(1)
    present = np.unique(answers)
    weights, bias = np.zeros((x.shape[1], k)), np.full(k, np.log(1 / (len(y) + k)))
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    model = _sklearn_logistic(x, answers, strength)
    if len(present) == 2:
        weights[:, present[1]], bias[present] = model.coef_[0], [0.0, model.intercept_[0]]
        return weights, bias
    weights[:, present], bias[present] = model.coef_.T, model.intercept_
    return weights, bias


def _sklearn_logistic(x: np.ndarray, answers: np.ndarray, strength: float) -> "LogisticRegression":
    # Checking finite arrays again takes as long as fitting a small head.
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly there is near enough for a probability
        return LogisticRegression(C=strength, max_iter=1000).fit(x, answers)


def _ridge(x: np.ndarray, y: np.ndarray, strength: float, _: Schema | None) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1 / strength).fit(x, y[:, 0])
    return model.coef_[:, None], np.array([model.intercept_])
