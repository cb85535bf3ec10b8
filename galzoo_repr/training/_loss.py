"""The Dirichlet-multinomial loss: how badly predicted concentrations explain the votes on many questions."""

from typing import Literal

import torch

from galzoo_repr.questions import Schema

__all__ = ["concentrations", "dirichlet_multinomial_loss", "expected_fractions"]


def concentrations(logits: torch.Tensor) -> torch.Tensor:
    """
    Map unbounded network outputs to Dirichlet concentrations between 1 and 101.

    ``1 + 100 sigmoid(logits)``, after Walmsley et al. 2022 (MNRAS 509, 3966, section 4): above one, so that
    the distribution of answers has a single peak.

    Parameters
    ----------
    logits : torch.Tensor
        Any shape.

    Returns
    -------
    torch.Tensor
        Same shape.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.training import concentrations
    >>> concentrations(torch.tensor([-100.0, 0.0, 100.0]))
    tensor([  1.,  51., 101.])
    """
    return 1 + 100 * torch.sigmoid(logits)


def dirichlet_multinomial_loss(
    concentrations: torch.Tensor,
    votes: torch.Tensor,
    schema: Schema,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> torch.Tensor:
    r"""
    Negative log-likelihood of vote counts, summed over the questions of a schema.

    The votes for the answers of one question are multinomial with probabilities drawn from a Dirichlet
    distribution:

    .. math:: \ln p = \ln\frac{\Gamma(\alpha)\,\Gamma(N+1)}{\Gamma(N+\alpha)}
              + \sum_i \ln\frac{\Gamma(n_i+\alpha_i)}{\Gamma(\alpha_i)\,\Gamma(n_i+1)}

    with :math:`\alpha=\sum_i\alpha_i` and :math:`N=\sum_i n_i` (Walmsley et al. 2022, MNRAS 509, 3966,
    equation 4, one term for each question). A question without votes contributes nothing, neither to the
    loss nor to its gradient.

    Parameters
    ----------
    concentrations : torch.Tensor
        Positive, shape (n, n_answers), in the order of ``schema.columns``.
    votes : torch.Tensor
        Counts of votes, not negative, shape (n, n_answers); zero, not NaN, where a question was not asked. They
        may be fractional, such as debiased fractions times the number of volunteers.
    schema : Schema
        Which answers belong together.
    reduction : {"mean", "sum", "none"}
        Mean or sum over the galaxies, or ``"none"`` for the loss of every galaxy and question.

    Returns
    -------
    torch.Tensor
        Scalar, or shape (n, n_questions). float64 where the device has it: the logarithms of the gamma
        function at 10\ :sup:`4` votes cancel to a few digits in float32.

    Raises
    ------
    ValueError
        If shapes do not match the schema, or `reduction` is unknown.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.questions import Schema
    >>> from galzoo_repr.training import dirichlet_multinomial_loss
    >>> schema = Schema.load("gz_rings")
    >>> loss = dirichlet_multinomial_loss(torch.tensor([[1.0, 1.0]]), torch.tensor([[4, 0]]), schema)
    >>> round(loss.exp().item(), 6)
    5.0
    """
    n_answers = len(schema.columns)
    if concentrations.shape != votes.shape or votes.ndim != 2 or votes.shape[1] != n_answers:
        raise ValueError(
            f"concentrations {tuple(concentrations.shape)} and votes {tuple(votes.shape)} must both have "
            f"shape (n, {n_answers}), the answers of {schema.name!r}"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    dtype = torch.float32 if concentrations.device.type == "mps" else torch.float64
    alpha, counts = concentrations.to(dtype), votes.to(dtype)
    index = torch.as_tensor(schema.question_index, device=alpha.device)
    total_alpha, total = _per_question(alpha, index), _per_question(counts, index)
    of_answers = torch.lgamma(counts + alpha) - torch.lgamma(alpha) - torch.lgamma(counts + 1)
    of_totals = torch.lgamma(total + 1) + torch.lgamma(total_alpha) - torch.lgamma(total + total_alpha)
    loss = -(of_totals + _per_question(of_answers, index))
    if reduction == "none":
        return loss
    return loss.sum() / (len(votes) if reduction == "mean" else 1)


def expected_fractions(concentrations: torch.Tensor, schema: Schema) -> torch.Tensor:
    """
    Predict the fraction of votes for each answer among those asked the question.

    Parameters
    ----------
    concentrations : torch.Tensor
        Shape (n, n_answers).
    schema : Schema
        Which answers belong together.

    Returns
    -------
    torch.Tensor
        Shape (n, n_answers); the answers of each question sum to one.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.questions import Schema
    >>> from galzoo_repr.training import expected_fractions
    >>> expected_fractions(torch.tensor([[9.0, 3.0]]), Schema.load("gz_rings"))
    tensor([[0.7500, 0.2500]])
    """
    index = torch.as_tensor(schema.question_index, device=concentrations.device)
    return concentrations / _per_question(concentrations, index)[:, index]


def _per_question(of_answers: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Sum over the answers of each question: (n, n_answers) -> (n, n_questions)."""
    # A product with a 0/1 matrix, since index_add is not deterministic on CUDA.
    membership = torch.nn.functional.one_hot(index).to(of_answers.dtype)
    return of_answers @ membership
