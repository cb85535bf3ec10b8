"""Gaussian process regression of ratings, with predictions for millions of galaxies in bounded memory."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from galzoo_repr._device import choose_device
from galzoo_repr._threads import for_each_block, one_thread

if TYPE_CHECKING:
    import torch

__all__ = ["METHODS", "SCALE", "RatingProcess"]

METHODS = ("steady", "paper")
# Ratings are brought to the paper's scale, from zero to this.
SCALE = 5.0

# The steady process. In units of the median distance of a galaxy from the mean one, and of the variance of its
# rational quadratic part. With length scales of 1 to 5 and noise of 2.5 to 10 average precision differed by less than
# 0.005 in some searches. What they reach is in docs/explanation/interest.rst.
LENGTH_SCALE, MIXTURE, LINEAR, NOISE = 2.0, 1.0, 1.0, 5.0
# What is thought before any rating, and how many ratings that thought is worth: predictions need not be stretched,
# the variance of a rating about its prediction, its share of the largest that is possible, and equally careful raters.
STRETCH_WORTH, SPREAD_WORTH, RATER_WORTH = 5.0, 4.0, 10.0
VARIANCE, SHARE = 2.0, 0.5
# So much noise draws predictions towards zero, never away from it; and a factor below one, as few ratings may ask for,
# would have the search explore where it should take what it found.
LEAST_STRETCH = 1.0
# Ends of the scale within which a prediction is taken to be when its variance is asked for.
EDGE = 0.05 * SCALE
ROUNDS = 5

# Rows predicted at once: with 500 ratings the kernel block is 2 MB and stays in a processor's cache.
CHUNK = 1024
# The inverse factor is triangular: multiplied in so many strips, little more than half of it is touched.
STRIPS = 5
# On a graphics card larger blocks are needed to keep it busy; 1000 ratings make this 260 MB.
CHUNK_CUDA = 65_536

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


@dataclass(frozen=True)
class RatingProcess:
    """
    A Gaussian process with known hyperparameters, conditioned on ratings on a scale of 0 to 5.

    Its prior has mean zero and the covariance ``amplitude * ((1 + d^2 / (2 a l^2))^-a + linear * x.x')``, with the
    distance d, the length scale l and the mixture a of a rational quadratic kernel (Rasmussen & Williams 2006,
    eq. 4.19).

    Attributes
    ----------
    features : float64 array of shape (m, k)
        Galaxy of each rating.
    ratings, noise : float64 arrays of shape (m,)
        Ratings, and the variance of each about what is predicted for its galaxy.
    length_scale, mixture, linear, amplitude : float
    stretch : float
        Factor on the predicted mean.
    share : float
        Variance of a rating, as a share of the largest that any quantity between 0 and 5 with the predicted mean can
        have (Bhatia & Davis 2000, American Mathematical Monthly 107, 353); None where it is that of the process.
    scatter : float
        Variance of a rating of the most careful rater about what is predicted, of which nothing is known beforehand;
        None in a process that an earlier version saved, where it is the least noise.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import RatingProcess
    >>> process = RatingProcess(np.array([[0.0], [1.0]]), np.array([5.0, 1.0]), np.full(2, 0.1), length_scale=1.0)
    >>> mean, std = process.predict(np.array([[0.0], [0.5], [9.0]], np.float32), device="cpu")
    >>> mean.round(1).tolist(), std.round(1).tolist()
    ([4.4, 3.0, 0.1], [0.4, 0.5, 1.0])
    >>> process.whitening.shape, process.weights.round(1).tolist(), process.held_out[0].round(1).tolist()
    ((2, 2), [6.3, -2.9], [0.6, 3.0])
    >>> round(process.held_out_correlation, 2), process.held_out_within_std
    (-1.0, 0.0)
    """

    features: np.ndarray
    ratings: np.ndarray
    noise: np.ndarray
    length_scale: float
    mixture: float = 1.0
    linear: float = 0.0
    amplitude: float = 1.0
    stretch: float = 1.0
    share: float | None = None
    scatter: float | None = None

    @classmethod
    def steady(
        cls,
        features: np.ndarray,
        ratings: np.ndarray,
        variance: np.ndarray | None = None,
        raters: np.ndarray | None = None,
    ) -> tuple["RatingProcess", np.ndarray]:
        """
        Condition on ratings with a kernel that is the same however few there are.

        The marginal likelihood of some tens of ratings, most of them the lowest or the highest one, prefers kernels
        that follow every rating; a smooth kernel with much noise ranks other galaxies better. How far predictions
        must be stretched for that, and how far ratings scatter about them, is found from each rating as predicted by
        all others.

        Parameters
        ----------
        features : float array of shape (m, k)
            In units of the median distance of a galaxy from the mean one.
        ratings : float array of shape (m,)
        variance : float array of shape (m,), optional
            Known for each rating, beside what is found.
        raters : int array of shape (m,), optional
            Who gave each rating, counted from 0. Whoever is further from the predictions counts less.

        Returns
        -------
        process : RatingProcess
        noise : float64 array of shape (n_raters,)
            Variance of the ratings of each about the predictions, beside what is known.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process, noise = RatingProcess.steady(np.linspace(-1, 1, 20)[:, None], np.linspace(0, 5, 20))
        >>> process.length_scale, noise.shape, bool(process.stretch >= 1)
        (2.0, (1,), True)
        """
        features, ratings = np.asarray(features, float), np.asarray(ratings, float)
        shared = {"length_scale": LENGTH_SCALE, "mixture": MIXTURE, "linear": LINEAR}
        raters = np.zeros(len(ratings), int) if raters is None else raters
        scatter, of_rater = VARIANCE, np.ones(raters.max() + 1)
        for _ in range(ROUNDS if len(of_rater) > 1 or variance is not None else 1):
            relative = of_rater[raters] + (0 if variance is None else variance / scatter)
            unscaled = cls(features, ratings, NOISE * relative, **shared)
            held_out, leverage = unscaled.held_out
            # Of a galaxy unlike all others nothing is predicted with any certainty, so it counts for nothing here.
            stretch = _stretch(held_out, ratings, NOISE / leverage)
            # Squared residuals, as they would be with the least noise and nothing else unknown. What a known variance
            # can explain says nothing of the scatter: that part is expected to be as it was.
            squares = np.square(ratings - stretch * held_out) * NOISE / leverage
            unexplained = of_rater[raters] / relative
            squares = unexplained * squares + (1 - unexplained) * scatter
            scatter = (SPREAD_WORTH * VARIANCE + squares.sum()) / (SPREAD_WORTH + len(ratings))
            excess = np.bincount(raters, of_rater[raters] * squares / scatter)
            of_rater = (RATER_WORTH + excess) / (RATER_WORTH + np.bincount(raters))
            of_rater /= of_rater.min()
        largest = _largest_variance(stretch * held_out)
        share = (SPREAD_WORTH * SHARE * largest.mean() + squares.sum()) / (
            SPREAD_WORTH * largest.mean() + largest.sum()
        )
        found = {
            "amplitude": float(scatter / NOISE),
            "stretch": stretch,
            "share": float(share),
            "scatter": float(scatter),
        }
        return cls(features, ratings, scatter * relative, **shared, **found), scatter * of_rater

    @classmethod
    def paper(
        cls, features: np.ndarray, ratings: np.ndarray, variance: np.ndarray | None = None
    ) -> "RatingProcess":
        """
        Condition on ratings as Walmsley et al. (2022): whitened features, parameters of highest marginal likelihood.

        Ratings that are all equal have none; the length scale is then that of the catalogue and the noise 0.1.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process = RatingProcess.paper(np.eye(3, 4), np.full(3, 5.0))
        >>> process.length_scale, process.noise.tolist()
        (2.0, [0.1, 0.1, 0.1])
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RationalQuadratic, WhiteKernel

        features, ratings = np.asarray(features, float), np.asarray(ratings, float)
        variance = np.zeros(len(ratings)) if variance is None else variance
        if np.ptp(ratings) == 0:
            return cls(features, ratings, 0.1 + variance, float(np.sqrt(features.shape[1])), scatter=0.1)
        regressor = GaussianProcessRegressor(RationalQuadratic() + WhiteKernel(), alpha=1e-10 + variance)
        with one_thread(), warnings.catch_warnings():
            # A parameter at the edge of its interval is common with few ratings and harmless.
            warnings.simplefilter("ignore", ConvergenceWarning)
            regressor.fit(features, ratings)
        smooth, white = regressor.kernel_.k1, regressor.kernel_.k2
        scatter = float(white.noise_level) + 1e-10
        noise = scatter + variance
        return cls(features, ratings, noise, float(smooth.length_scale), float(smooth.alpha), scatter=scatter)

    @cached_property
    def whitening(self) -> np.ndarray:
        """Inverse of the lower Cholesky factor of the ratings' covariance, shape (m, m)."""
        covariance = self.covariance(self.features, self.features)
        covariance[np.diag_indices_from(covariance)] += self.noise
        factor = cholesky(covariance, lower=True, overwrite_a=True)
        return solve_triangular(factor, np.eye(len(factor)), lower=True)

    @cached_property
    def weights(self) -> np.ndarray:
        """Weight of each rated galaxy in the predicted mean, but for the stretch, shape (m,)."""
        return self.whitening.T @ (self.whitening @ self.ratings)

    @cached_property
    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """
        Each rating as predicted by all others, and the variance of its difference from that, shapes (m,).

        Rasmussen & Williams (2006), eqs. 5.10-5.12; the mean is not stretched.
        """
        variance = 1 / np.square(self.whitening).sum(axis=0)
        return self.ratings - self.weights * variance, variance

    @property
    def held_out_correlation(self) -> float:
        """Correlation of ratings with what all others predict for them; NaN where there is none."""
        # What lies far beyond the scale, as for a galaxy unlike all others, must not decide by itself.
        predicted = np.clip(self.stretch * self.held_out[0], 0, SCALE)
        if np.ptp(self.ratings) == 0 or np.ptp(predicted) == 0:
            return float("nan")
        return float(np.corrcoef(predicted, self.ratings)[0, 1])

    @property
    def held_out_within_std(self) -> float:
        """Share of ratings within one standard deviation of what all others predict for them."""
        predicted, variance = self.held_out
        mean = self.stretch * predicted
        return float((np.abs(self.ratings - mean) <= self.rating_std(mean, np.sqrt(variance))).mean())

    def covariance(self, first: Array, second: Array) -> Array:
        """
        Prior covariance of two sets of galaxies, without noise, shape (len(first), len(second)).

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process = RatingProcess(np.zeros((1, 1)), np.array([5.0]), np.array([0.1]), length_scale=1.0)
        >>> process.covariance(np.array([[0.0]]), np.array([[0.0], [1.0], [2.0]])).round(2).tolist()
        [[1.0, 0.67, 0.33]]
        """
        products = first @ second.T
        distance = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * products
        distance = distance.clip(min=0) / (2 * self.mixture * self.length_scale**2)
        # A power of -1, the usual one, is much faster as a reciprocal.
        smooth = 1 / (1 + distance) if self.mixture == 1 else (1 + distance) ** -self.mixture
        return self.amplitude * (smooth + self.linear * products)

    def predict(
        self, features: np.ndarray, *, return_std: bool = True, device: "torch.device | str | None" = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """
        Mean of the rating each galaxy would get, and the standard deviation that guides the search.

        One Cholesky factor, inverted once in double precision, meets the galaxies in blocks; memory does not grow
        with their number.

        Parameters
        ----------
        features : float32 array of shape (n, k)
        return_std : bool
        device : str or torch.device, optional
            Where to compute; a graphics card if there is one.

        Returns
        -------
        mean, std : float64 arrays of shape (n,)
            The standard deviation includes the scatter of the most careful rater; None if not asked for.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process = RatingProcess(np.array([[0.0]]), np.array([5.0]), np.array([0.1]), length_scale=1.0)
        >>> mean, _ = process.predict(np.array([[0.0], [2.0]], np.float32), return_std=False, device="cpu")
        >>> mean.round(1).tolist()
        [4.5, 1.5]
        """
        import torch

        device = torch.device(choose_device(device))
        # With little noise the inverse loses more digits than single precision has.
        dtype = torch.float32 if self.noise.min() > 0.5 * self.amplitude else torch.float64
        mean = np.empty(len(features))
        variance = np.empty(len(features)) if return_std else None
        rated, whitening, weights = (
            torch.as_tensor(each, dtype=dtype, device=device)
            for each in (self.features, self.whitening, self.stretch * self.weights)
        )
        chunk = CHUNK if device.type == "cpu" else CHUNK_CUDA

        def predict_block(start: int) -> None:
            rows = torch.as_tensor(features[start : start + chunk], device=device).to(dtype)
            covariance = self.covariance(rated, rows)
            mean[start : start + chunk] = (weights @ covariance).cpu().numpy()
            if return_std:
                prior = self.amplitude * (1 + self.linear * rows.square().sum(1))
                unknown = prior - _explained_variance(whitening, covariance)
                variance[start : start + chunk] = unknown.clamp_min_(0).cpu().numpy()

        for_each_block(predict_block, range(0, len(features), chunk), device)
        return mean, None if variance is None else np.sqrt(variance + self._scatter)

    @property
    def _scatter(self) -> float:
        return self.noise.min() if self.scatter is None else self.scatter

    def rating_std(self, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
        """
        Standard deviation of the rating about its predicted mean, for what `predict` gave, shape (n,).

        A rating cannot leave its scale, so one that is predicted near an end scatters less.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process, _ = RatingProcess.steady(np.linspace(-1, 1, 20)[:, None], np.linspace(0, 5, 20))
        >>> near_the_end, halfway = process.rating_std(np.array([0.2, 2.5]), np.array([1.0, 1.0]))
        >>> bool(near_the_end < halfway)
        True
        """
        if self.share is None:
            return std
        return std * np.sqrt(self.share * _largest_variance(mean) / self._scatter)

    def unlike(self, std: np.ndarray) -> np.ndarray:
        """
        How far each galaxy is from the rated ones and from the usual ones, for the std of `predict`, shape (n,).

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingProcess
        >>> process = RatingProcess(np.array([[0.0]]), np.array([5.0]), np.array([0.1]), length_scale=1.0)
        >>> process.unlike(process.predict(np.array([[0.0], [9.0]], np.float32), device="cpu")[1]).round(1).tolist()
        [0.3, 1.0]
        """
        return np.sqrt(np.maximum(np.square(std) - self._scatter, 0) / self.amplitude)


def _explained_variance(whitening: "torch.Tensor", covariance: "torch.Tensor") -> "torch.Tensor":
    """Squared length of each column of ``whitening @ covariance``, using that `whitening` is lower triangular."""
    step = -(-len(whitening) // STRIPS)
    strips = range(0, len(whitening), step)
    return sum(
        (whitening[i : i + step, : i + step] @ covariance[: i + step]).square_().sum(0) for i in strips
    )


def _stretch(held_out: np.ndarray, ratings: np.ndarray, weights: np.ndarray) -> float:
    """Factor on predictions that brings them nearest to the ratings, nearer to one where these say less."""
    products, squares = (weights * held_out * ratings).sum(), (weights * held_out**2).sum()
    if squares == 0:
        return 1.0
    prior = STRETCH_WORTH * squares / weights.sum()
    return max(LEAST_STRETCH, float((products + prior) / (squares + prior)))


def _largest_variance(mean: np.ndarray) -> np.ndarray:
    """Largest variance of a rating from 0 to 5 with a certain mean: that of one that is always 0 or 5."""
    mean = np.clip(mean, EDGE, SCALE - EDGE)
    return mean * (SCALE - mean)
