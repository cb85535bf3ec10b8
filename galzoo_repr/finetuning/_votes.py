"""A linear head that says how volunteers would vote, fitted by the likelihood of their votes."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaincinv, expit, gammaln, psi

from galzoo_repr.questions import Schema

__all__ = ["concentrations_of", "fit_votes", "fraction_interval", "fractions", "vote_losses"]

# Ends of an interval that holds the middle 68 per cent, as one standard deviation does.
_LOW, _HIGH = 0.16, 0.84
_STEPS = 300
_FIRST_BIAS = -3.0  # concentrations of 5.7, of an answer that some give


def concentrations_of(scores: np.ndarray) -> np.ndarray:
    """
    Concentrations of Dirichlet distributions from scores, as `galzoo_repr.training.concentrations`.

    Parameters
    ----------
    scores : ndarray
        Of any shape.

    Returns
    -------
    ndarray
        ``1 + 100 sigmoid(scores)``.
    """
    return 1 + 100 * expit(scores)


def vote_losses(alpha: np.ndarray, votes: np.ndarray, question_index: np.ndarray) -> np.ndarray:
    """
    Negative log-likelihood of votes, but for what does not depend on the concentrations.

    Dirichlet-multinomial, question by question (Walmsley et al. 2022, MNRAS 509, 3966). A question without votes
    adds nothing.

    Parameters
    ----------
    alpha : ndarray
        Concentrations, shape (n, k).
    votes : ndarray
        Finite, shape (n, k).
    question_index : ndarray
        Question of each answer, int, shape (k,).

    Returns
    -------
    ndarray
        Shape (n, n_questions).
    """
    of = np.eye(question_index.max() + 1)[question_index]
    total, asked = alpha @ of, votes @ of
    return gammaln(asked + total) - gammaln(total) - (gammaln(votes + alpha) - gammaln(alpha)) @ of


def fit_votes(x: np.ndarray, y: np.ndarray, strength: float, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """
    Fit concentrations of all answers by the likelihood of the votes, with a quadratic penalty on the weights.

    Parameters
    ----------
    x : ndarray
        Standardised embeddings, shape (n, d).
    y : ndarray
        Votes, shape (n, k); NaN is none.
    strength : float
        Inverse regularisation.
    schema : Schema
        Of the k answers.

    Returns
    -------
    weights : ndarray
        Shape (d, k).
    bias : ndarray
        Shape (k,).
    """
    votes, index = np.nan_to_num(y), np.asarray(schema.question_index)
    of = np.eye(index.max() + 1)[index]
    asked = (votes @ of)[:, index]
    d, k = x.shape[1], y.shape[1]

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = parameters[:-k].reshape(d, k), parameters[-k:]
        share = expit(x @ weights + bias)
        alpha = 1 + 100 * share
        total = (alpha @ of)[:, index]
        slope = psi(asked + total) - psi(total) - psi(votes + alpha) + psi(alpha)
        slope *= 100 * share * (1 - share)
        penalty = weights / strength
        value = vote_losses(alpha, votes, index).sum() + 0.5 * (weights * penalty).sum()
        return value, np.concatenate([(x.T @ slope + penalty).ravel(), slope.sum(0)])

    start = np.append(np.zeros(d * k), np.full(k, _FIRST_BIAS))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return found[:-k].reshape(d, k), found[-k:]


def fractions(concentrations: np.ndarray, schema: Schema) -> np.ndarray:
    """
    Mean fraction of votes for each answer among those asked.

    Parameters
    ----------
    concentrations : ndarray
        Shape (..., n_answers).
    schema : Schema

    Returns
    -------
    ndarray
        Same shape.
    """
    membership = np.equal.outer(schema.question_index, schema.question_index).astype(float)
    return concentrations / (concentrations @ membership)


def fraction_interval(
    fraction: np.ndarray, concentrations: np.ndarray, std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Where the fraction is that a galaxy would get from endless volunteers, with a probability of 68 per cent.

    Given the head, the fraction has the Dirichlet distribution; and there is an ensemble of heads. By the law of
    total variance the variance of the mixture is that of the distribution and that of the heads together. The
    interval is that of the beta distribution with this variance and the mean of the head fitted to all labels.

    Parameters
    ----------
    fraction : ndarray
        Mean, shape (n, k).
    concentrations : ndarray
        Of the Dirichlet distributions, shape (n, k).
    std : ndarray
        Standard deviation of `fraction` over the heads, shape (n, k).

    Returns
    -------
    low, high : ndarray
        16th and 84th percentile, shape (n, k).
    """
    total = concentrations / fraction
    binomial = fraction * (1 - fraction)
    variance = binomial / (total + 1) + std**2
    total = np.maximum(binomial / variance - 1, 1e-3)
    a, b = fraction * total, (1 - fraction) * total
    return betaincinv(a, b, _LOW), betaincinv(a, b, _HIGH)
