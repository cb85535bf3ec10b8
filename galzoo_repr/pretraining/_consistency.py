"""Agreement between two views of the same galaxy, which needs no votes."""

import torch
from torch import nn
from torch.nn.functional import mse_loss, relu

__all__ = ["Projector", "consistency_loss"]


class Projector(nn.Sequential):
    """
    Network between the embedding and the place where views are compared.

    It takes up what the comparison discards, so that the embedding keeps it.

    Parameters
    ----------
    dim : int
        Dimension of the embedding.
    width : int
        Dimension of the output.
    """

    def __init__(self, dim: int, width: int = 512) -> None:
        super().__init__(
            nn.Linear(dim, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
        )


def consistency_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> torch.Tensor:
    """
    Variance-invariance-covariance regularisation (VICReg).

    Bardes, Ponce and LeCun 2022 (ICLR, arXiv:2105.04906, equations 1 to 6, with the weights of their section
    4.2): projections of two views of a galaxy should be equal, each dimension should vary among galaxies by
    a standard deviation of at least one, and no two dimensions should be correlated.

    Parameters
    ----------
    first, second : torch.Tensor
        Projections of the two views, shape (n, d) with n at least 2.
    invariance, variance, covariance : float
        Weights of the three terms.

    Returns
    -------
    torch.Tensor
        Scalar, divided by the sum of the weights.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two galaxies.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.pretraining._consistency import consistency_loss
    >>> views = torch.eye(8) * 8
    >>> bool(consistency_loss(views, views) < consistency_loss(views, views.flip(0)))
    True
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise ValueError(
            f"two views of at least two galaxies are compared, not "
            f"{tuple(first.shape)} and {tuple(second.shape)}"
        )
    first, second = first.float(), second.float()
    spread, correlation = zip(_spread_and_correlation(first), _spread_and_correlation(second), strict=True)
    terms = invariance * mse_loss(first, second) + variance * sum(spread) / 2 + covariance * sum(correlation)
    return terms / (invariance + variance + covariance)


def _spread_and_correlation(projections: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    n, d = projections.shape
    centred = projections - projections.mean(0)
    deviation = torch.sqrt(centred.var(0) + 1e-4)
    covariances = centred.T @ centred / (n - 1)
    off_diagonal = covariances.square().sum() - covariances.diagonal().square().sum()
    return relu(1 - deviation).mean(), off_diagonal / d
