"""What ratings teach of galaxies that are reduced to components: predictions on the scale of the ratings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from galzoo_repr.anomaly._acquisition import choose_batch, expected_improvement
from galzoo_repr.anomaly._gaussian_process import SCALE, RatingProcess
from galzoo_repr.anomaly._raters import each_rater, names_of_raters, rater_table
from galzoo_repr.anomaly._ratings import check_noise, check_ratings, scale_of
from galzoo_repr.catalogue import Reduction

__all__ = ["LearnedInterest", "emphasis_of", "learn"]

# Up to here, on the scale of 0 to 5, nothing interesting was found.
LOW = 1.0
# Exact inference costs the cube of this.
MAX_RATED = 10_000


@dataclass(frozen=True)
class LearnedInterest:
    """
    A Gaussian process conditioned on ratings, and the scale on which they were given.

    Attributes
    ----------
    process : RatingProcess
        On a scale of 0 to 5.
    scale : (float, float)
        Lowest and highest rating that can be given.
    emphasis : float32 array of shape (k,) or None
        Factor on each component, while all ratings are low.
    """

    process: RatingProcess
    scale: tuple[float, float]
    emphasis: np.ndarray | None

    @property
    def unit(self) -> float:
        """A fifth of the rating scale."""
        return (self.scale[1] - self.scale[0]) / SCALE

    @property
    def nothing_found(self) -> bool:
        """Whether all ratings are about the lowest, so that nothing says what is interesting."""
        return bool(self.process.ratings.max() <= LOW)

    def predict(
        self, features: np.ndarray, *, return_std: bool, device: str | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean of each rating, and the standard deviation that guides the search."""
        features = self._emphasised(features)
        mean, std = self.process.predict(features, return_std=return_std, device=device)
        mean = self.scale[0] + mean * self.unit
        return mean, None if std is None else std * self.unit

    def rating_std(self, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
        """Standard deviation of each rating, for what `predict` gave."""
        return self.process.rating_std(self._to_process(mean), std / self.unit) * self.unit

    def unlike(self, std: np.ndarray) -> np.ndarray:
        """How unlike the rated and the usual galaxies each is, for the std of `predict`."""
        return self.process.unlike(std / self.unit)

    def improvement(self, mean: np.ndarray, std: np.ndarray, tradeoff: float) -> np.ndarray:
        """Expected improvement over the best rating, for what `predict` gave."""
        best = self.scale[0] + self.process.ratings.max() * self.unit
        return expected_improvement(mean, std, best, tradeoff * self.unit)

    def choose(
        self,
        features: np.ndarray,
        mean: np.ndarray,
        std: np.ndarray,
        n: int,
        exclude: ArrayLike | None,
        *,
        tradeoff: float,
        method: str,
    ) -> np.ndarray:
        """Rows to rate next, given what `predict` gave for `features`."""
        mean = self._to_process(mean)
        features = self._emphasised(features)
        if exclude is not None:
            exclude = np.asarray(exclude)
            if exclude.dtype != bool or exclude.shape != mean.shape:
                raise ValueError(
                    f"exclude must be {len(mean)} booleans, one for each row, "
                    f"not {exclude.dtype} of shape {exclude.shape}"
                )
            mean = np.where(exclude, np.nan, mean)
        return choose_batch(
            self.process, features, mean, std / self.unit, n, tradeoff=tradeoff, method=method
        )

    def _emphasised(self, features: np.ndarray) -> np.ndarray:
        """Components as the process sees them, shape (n, k)."""
        return features if self.emphasis is None else features * self.emphasis

    def _to_process(self, ratings: np.ndarray) -> np.ndarray:
        return (ratings - self.scale[0]) / self.unit


def learn(
    reduction: Reduction,
    features: np.ndarray,
    ratings: ArrayLike,
    noise: ArrayLike | None,
    names: Sequence[str] | None,
    *,
    method: str,
    rating_scale: tuple[float, float] | None,
) -> tuple[LearnedInterest, Table]:
    """Learn from ratings, by one or several raters, of galaxies that are reduced already; a table of the raters too."""
    ratings = each_rater(ratings, len(features), check_ratings)
    names = names_of_raters(names, ratings.shape[1])
    galaxies = np.flatnonzero(np.isfinite(ratings).any(axis=1))
    galaxies = galaxies[np.isfinite(features[galaxies]).all(axis=1)]
    # One row for each rating: a galaxy that two have rated comes twice.
    row, rater = np.nonzero(np.isfinite(ratings[galaxies]))
    if not 0 < len(row) <= MAX_RATED:
        raise ValueError(
            f"1 to {MAX_RATED} ratings of galaxies with a finite embedding are needed, not {len(row)}"
        )
    rated = galaxies[row]
    low, high = scale = scale_of(ratings[rated, rater], rating_scale)
    unit = (high - low) / SCALE
    variance = None
    if noise is not None:
        spread = np.broadcast_to(each_rater(noise, len(ratings), check_noise), ratings.shape)
        variance = np.square(spread[rated, rater] / unit)
    active, rater = np.unique(rater, return_inverse=True)
    given = (ratings[rated, active[rater]] - low) / unit
    emphasis = emphasis_of(method, reduction, given)
    if method == "paper":
        process = RatingProcess.paper(features[rated], given, variance)
        noise_of_each = process.scatter
    else:
        rows = features[rated] if emphasis is None else features[rated] * emphasis
        process, noise_of_each = RatingProcess.steady(rows, given, variance, rater)
    found = np.full(len(names), np.nan)
    found[active] = np.sqrt(noise_of_each) * unit
    return LearnedInterest(process, scale, emphasis), rater_table(names, ratings[galaxies], found)


def emphasis_of(method: str, reduction: Reduction, ratings: np.ndarray) -> np.ndarray | None:
    """
    Factor on each component while ratings on a scale of 0 to 5 found nothing interesting, float32 of shape (k,).

    What is rare may differ from the rest in components of little variance. Each is brought half way to the variance of
    the others, so that a typical galaxy stays at a distance of one. None for the paper's process, and once something
    was found.
    """
    if method == "paper" or ratings.max() > LOW:
        return None
    factor = reduction.explained**-0.25
    return (factor * np.sqrt(reduction.explained.sum() / np.sqrt(reduction.explained).sum())).astype(
        np.float32
    )
