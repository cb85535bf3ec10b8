"""Gaussian process regression of ratings, with predictions for millions of galaxies in bounded memory."""

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

from galzoo_repr._config import log
from galzoo_repr._threads import for_each_block, one_thread

if TYPE_CHECKING:
    import torch
    from sklearn.gaussian_process.kernels import Sum

__all__ = ["KERNELS", "RatingProcess"]

KERNELS = ("rational_quadratic", "matern")
# Rows predicted at once: with 500 ratings the kernel block is 1 MB and stays in a processor's cache.
CHUNK = 512
# On a graphics card larger blocks are needed to keep it busy; 1000 ratings make this 260 MB.
CHUNK_CUDA = 65_536
# The inverse factor is triangular: multiplied in this many strips, little more than half of it is touched.
STRIPS = 5
# Below so many ratings, threads of the linear algebra wait for each other longer than they work.
ALONE = 2000
# Single precision is used while it agrees with double precision to this, in the rating's 0-5 scale.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class RatingProcess:
    """
    A Gaussian process with known hyperparameters, conditioned on ratings.

    The prior has mean zero and unit variance, as in Walmsley et al. (2022); ratings are on their scale of 0
    to 5.

    Attributes
    ----------
    features : float64 array of shape (m, k)
        Rated galaxies.
    ratings : float64 array of shape (m,)
    variance : float64 array of shape (m,)
        Variance known for each rating, beside the common `noise`.
    kernel : {"rational_quadratic", "matern"}
        Rational quadratic (Rasmussen & Williams 2006, eq. 4.19), or Matern with nu = 3/2 (eq. 4.17).
    length_scale, mixture, noise : float
        Scale of the kernel, exponent of the rational quadratic one, variance of the white noise.
    """

    features: np.ndarray
    ratings: np.ndarray
    variance: np.ndarray
    kernel: str
    length_scale: float
    mixture: float
    noise: float

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        ratings: np.ndarray,
        variance: np.ndarray | None = None,
        *,
        kernel: str = "rational_quadratic",
        max_length: float | None = 1.0,
    ) -> "RatingProcess":
        """
        Condition on ratings, with the hyperparameters of highest marginal likelihood.

        Ratings that are all equal say nothing about the hyperparameters (the likelihood then grows without
        bound towards an infinite length scale): the scale is then that of the catalogue, the square root of
        the number of whitened components, and the noise 0.1.
        """
        features = np.asarray(features, dtype=float)
        ratings = np.asarray(ratings, dtype=float)
        variance = np.zeros(len(ratings)) if variance is None else np.asarray(variance, dtype=float)
        if np.ptp(ratings) == 0:
            scales = (np.sqrt(features.shape[1]), 1.0, 0.1)
        else:
            scales = _most_likely_scales(features, ratings, variance, kernel, max_length)
        return cls(features, ratings, variance, kernel, *scales)

    @cached_property
    def whitening(self) -> np.ndarray:
        """Inverse of the lower Cholesky factor of the ratings' covariance, shape (m, m)."""
        covariance = self.covariance(self.features, self.features)
        # The same jitter as in scikit-learn, whose predictions these equal.
        covariance[np.diag_indices_from(covariance)] += self.noise + self.variance + 1e-10
        factor = cholesky(covariance, lower=True, overwrite_a=True)
        return solve_triangular(factor, np.eye(len(factor)), lower=True)

    @cached_property
    def weights(self) -> np.ndarray:
        """Weight of each rated galaxy in the predicted mean, shape (m,)."""
        return self.whitening.T @ (self.whitening @ self.ratings)

    def covariance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Prior covariance of two sets of galaxies, without noise, shape (len(first), len(second))."""
        scaled = self._stretch
        if self.kernel == "matern":
            distance = cdist(first * scaled, second * scaled)
            return (1 + distance) * np.exp(-distance)
        return (1 + cdist(first * scaled, second * scaled, "sqeuclidean")) ** -self.mixture

    @property
    def _stretch(self) -> float:
        """Factor on the features after which the kernel has no scale of its own."""
        if self.kernel == "matern":
            return np.sqrt(3) / self.length_scale
        return 1 / (self.length_scale * np.sqrt(2 * self.mixture))

    def predict(
        self, features: np.ndarray, *, return_std: bool = True, device: "torch.device | str | None" = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """
        Mean and standard deviation of the rating each galaxy would get.

        One Cholesky factor, inverted once in double precision, meets the galaxies in blocks, in single
        precision as long as that agrees with double precision on a sample; memory does not grow with the
        number of galaxies.

        Parameters
        ----------
        features : float32 array of shape (n, k)
        return_std : bool
            Without, only means are computed, some five times faster.
        device : str or torch.device, optional
            Where to compute; a graphics card if there is one.

        Returns
        -------
        mean, std : float64 arrays of shape (n,)
            The standard deviation includes the noise of a rating, as scikit-learn's does; None if not asked
            for.
        """
        import torch

        device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        mean = np.empty(len(features))
        variance = np.empty(len(features)) if return_std else None
        dtype = self._sufficient_precision(features, device)
        chunk = CHUNK if device.type == "cpu" else CHUNK_CUDA
        rated, whitening, weights = self._on_device(device, dtype)

        def predict_block(start: int) -> None:
            rows = torch.as_tensor(features[start : start + chunk], device=device)
            kernel = self._kernel_block(rated, rows.to(dtype))
            mean[start : start + chunk] = (weights @ kernel).cpu().numpy()
            if return_std:
                variance[start : start + chunk] = _explained_variance(whitening, kernel).cpu().numpy()

        for_each_block(predict_block, range(0, len(features), chunk), device)
        if not return_std:
            return mean, None
        np.subtract(1 + self.noise, variance, out=variance)
        return mean, np.sqrt(np.maximum(variance, 0, out=variance), out=variance)

    def _on_device(
        self, device: "torch.device", dtype: "torch.dtype"
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        import torch

        scaled = torch.as_tensor(self.features * self._stretch, device=device)
        # One product gives |a|^2 + |b|^2 - 2ab when each side carries its square beside a one.
        rated = torch.cat(
            [-2 * scaled, scaled.square().sum(1, keepdim=True), torch.ones_like(scaled[:, :1])], 1
        )
        whitening = torch.as_tensor(self.whitening, device=device).to(dtype)
        return rated.to(dtype), whitening, torch.as_tensor(self.weights, device=device).to(dtype)

    def _kernel_block(self, rated: "torch.Tensor", rows: "torch.Tensor") -> "torch.Tensor":
        """Covariance of the rated galaxies with some rows, shape (m, len(rows)), each step in place."""
        import torch

        rows = rows * self._stretch
        rows = torch.cat([rows, torch.ones_like(rows[:, :1]), rows.square().sum(1, keepdim=True)], 1)
        kernel = (rated @ rows.T).clamp_min_(0)
        if self.kernel == "matern":
            kernel.sqrt_()
            return torch.exp(-kernel).mul_(kernel.add_(1))
        return _log1p(kernel).mul_(-self.mixture / np.log(2)).exp2_()

    def _sufficient_precision(self, features: np.ndarray, device: "torch.device") -> "torch.dtype":
        """Single precision, unless double differs on the rated galaxies or a sample of the others."""
        import torch

        sample = features[:: max(1, len(features) // 256)]
        sample = np.concatenate([sample[np.isfinite(sample).all(axis=1)], self.features[-256:]])
        blocks = []
        for dtype in (torch.float32, torch.float64):
            rated, whitening, weights = self._on_device(device, dtype)
            kernel = self._kernel_block(rated, torch.as_tensor(sample, device=device).to(dtype))
            spread = (1 + self.noise - _explained_variance(whitening, kernel)).clamp_min_(0).sqrt_()
            blocks.append(torch.stack([weights @ kernel, spread]).double())
        differs = (blocks[0] - blocks[1]).abs().max().item()
        if differs > TOLERANCE:
            log.info("predicting in double precision: single precision would be off by %.1g", differs)
            return torch.float64
        return torch.float32


def _log1p(values: "torch.Tensor") -> "torch.Tensor":
    """Logarithm of one plus values that are not negative; torch's own takes four times as long on a CPU."""
    if values.device.type != "cpu":
        return values.log1p_()
    # What rounding takes from a small value when one is added is given back to the logarithm.
    above = values + 1
    lost = (above - 1).sub_(values).div_(above)
    return above.log_().sub_(lost)


def _explained_variance(whitening: "torch.Tensor", kernel: "torch.Tensor") -> "torch.Tensor":
    """Squared length of each column of ``whitening @ kernel``, using that `whitening` is lower triangular."""
    explained = kernel.new_zeros(kernel.shape[1])
    step = -(-len(whitening) // STRIPS)
    for start in range(0, len(whitening), step):
        strip = whitening[start : start + step, : start + step] @ kernel[: start + step]
        explained += strip.square_().sum(0)
    return explained


def _most_likely_scales(
    features: np.ndarray, ratings: np.ndarray, variance: np.ndarray, kernel: str, max_length: float | None
) -> tuple[float, float, float]:
    """Length scale, mixture and noise of highest marginal likelihood, from scikit-learn's optimiser."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor

    prior = _prior_kernel(kernel, np.sqrt(features.shape[1]), max_length)
    regressor = GaussianProcessRegressor(prior, alpha=1e-10 + variance)
    with one_thread() if len(ratings) < ALONE else nullcontext(), warnings.catch_warnings():
        # A parameter at the edge of its interval is common with few ratings and harmless.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(features, ratings)
    smooth, white = regressor.kernel_.k1, regressor.kernel_.k2
    mixture = 1.0 if kernel == "matern" else float(smooth.alpha)
    return float(smooth.length_scale), mixture, float(white.noise_level)


def _prior_kernel(kernel: str, extent: float, max_length: float | None) -> "Sum":
    """Kernel with the intervals within which its parameters are sought."""
    from sklearn.gaussian_process.kernels import Matern, RationalQuadratic, WhiteKernel

    if max_length is None:
        return (Matern(nu=1.5) if kernel == "matern" else RationalQuadratic()) + WhiteKernel()
    longest = max_length * extent
    length = {"length_scale": 0.7 * longest, "length_scale_bounds": (0.1 * longest, longest)}
    if kernel == "matern":
        smooth = Matern(nu=1.5, **length)
    else:
        smooth = RationalQuadratic(**length, alpha=1.0, alpha_bounds=(0.1, 1e3))
    # From nothing to all of the ratings' range of 0 to 5.
    return smooth + WhiteKernel(1.0, (1e-3, 25.0))
