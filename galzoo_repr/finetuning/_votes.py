"""A linear head that says how volunteers would vote, fitted by the likelihood of their votes."""

import numpy as np
from scipy.special import betaincinv, expit, gammaln, psi

from galzoo_repr.questions import Schema

__all__ = ["concentrations_of", "fit_votes", "fraction_interval", "fractions", "vote_losses"]

# Ends of an interval that holds the middle 68 per cent, as one standard deviation does.
_LOW, _HIGH = 0.16, 0.84
_STEPS = 300
_FIRST_BIAS = -3.0  # concentrations of 5.7, of an answer that some give


def concentrations_of(scores: np.ndarray) -> np.ndarray:
    """Concentrations from scores of any shape, ``1 + 100 sigmoid``, as `galzoo_repr.training.concentrations`."""
    return 1 + 100 * expit(scores)


def vote_losses(alpha: np.ndarray, votes: np.ndarray, question_index: np.ndarray) -> np.ndarray:
    """
    Negative log-likelihood of votes, but for what does not depend on the concentrations, shape (n, n_questions).

    Dirichlet-multinomial, question by question (Walmsley et al. 2022, MNRAS 509, 3966). Concentrations and votes,
    which are finite, have shape (n, k). A question without votes adds nothing.
    """
    of = np.eye(question_index.max() + 1)[question_index]
    total, asked = alpha @ of, votes @ of
    return gammaln(asked + total) - gammaln(total) - (gammaln(votes + alpha) - gammaln(alpha)) @ of


def fit_votes(x: np.ndarray, y: np.ndarray, strength: float, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """
    Fit concentrations of all answers by the likelihood of the votes, with a quadratic penalty on the weights.

    `x` are standardised embeddings, shape (n, d), and `y` votes, shape (n, k), NaN for none; weights have shape (d,
    k), the bias (k,).
    """
    from scipy.optimize import minimize

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
    """Mean fraction of votes for each answer among those asked, from concentrations of shape (..., n_answers)."""
    membership = np.equal.outer(schema.question_index, schema.question_index).astype(float)
    return concentrations / (concentrations @ membership)


def fraction_interval(
    fraction: np.ndarray, concentrations: np.ndarray, std: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    16th and 84th percentile of the fraction that a galaxy would get from endless volunteers, shape (n, k).

    Given the head, the fraction has the Dirichlet distribution of these concentrations; and there is an ensemble of
    heads, over which it has the standard deviation `std`. By the law of total variance the variance of the mixture is
    that of the distribution and that of the heads together. The interval is that of the beta distribution with this
    variance and the mean `fraction`, of the head fitted to all labels. All have shape (n, k).
    """
    total = concentrations / fraction
    binomial = fraction * (1 - fraction)
    variance = binomial / (total + 1) + std**2
    total = np.maximum(binomial / variance - 1, 1e-3)
    a, b = fraction * total, (1 - fraction) * total
    return betaincinv(a, b, _LOW), betaincinv(a, b, _HIGH)
