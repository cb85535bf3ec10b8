"""What else a user could do: baselines that learn from ratings of 0 to 5, all called alike.

``BASELINES[name](embeddings)`` reduces a catalogue once. Its ``scores(ratings, seed)`` are scores of all galaxies,
higher for more interesting, from ratings that are NaN where there is none; its ``next_rows(ratings, scores, n, seed)``
are the rows to rate next, the first ones (no rating yet, scores None) included.
"""

import warnings

import numpy as np
from astronomaly_methods import HIGHEST, isolation_scores, neighbour_scores, protege_scores
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RationalQuadratic, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from galzoo_repr.anomaly import expected_improvement

# Of 0.001 to 1000 the best average precision over twelve searches and 10 to 160 ratings, .720; from .001 to .3 it is
# .718 or more, with 10 .706; with each dimension scaled to unit variance .695 at best. Ridge regression: .721.
INVERSE_STRENGTH = 0.1


class Baseline:
    """What baselines have in common: random galaxies are rated first, then those of highest score."""

    def __init__(self, embeddings: np.ndarray):
        """Centre the catalogue, and give it one common scale."""
        features = np.asarray(embeddings, dtype=float)
        features = features - features.mean(axis=0)
        self.features = features / np.sqrt(np.square(features).sum(axis=1).mean())

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Score of each galaxy, shape (n,)."""
        raise NotImplementedError

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows to rate next, best first."""
        if scores is None:
            return np.random.default_rng(seed).permutation(len(ratings))[:n]
        return _highest_unrated(scores, ratings, n)

    def unlike(self, rated: np.ndarray) -> np.ndarray:
        """Distance of each galaxy to the nearest rated one: the score while all ratings are the lowest."""
        nearest = NearestNeighbors(n_neighbors=1).fit(self.features[rated])
        return nearest.kneighbors(self.features)[0][:, 0]

    def calibration(self, given: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
        """How well the method knows how wrong it is; nothing for one that does not say."""
        return {}


def _highest_unrated(scores: np.ndarray, ratings: np.ndarray, n: int) -> np.ndarray:
    """The first n rows without a rating, by score."""
    unrated = np.flatnonzero(np.isnan(ratings))
    return unrated[np.argsort(-scores[unrated], kind="stable")[:n]]


class Logistic(Baseline):
    """
    Logistic regression on the embedding.

    A rating r counts as an interesting galaxy of weight r / 5 and a dull one of weight 1 - r / 5.
    """

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Log odds of each galaxy."""
        rated = np.flatnonzero(np.isfinite(ratings))
        weights = np.concatenate([ratings[rated], HIGHEST - ratings[rated]]) / HIGHEST
        rows, classes = np.tile(rated, 2)[weights > 0], np.repeat([1, 0], len(rated))[weights > 0]
        if not classes.any():
            return self.unlike(rated)
        if classes.all():
            return -self.unlike(rated)
        model = LogisticRegression(C=INVERSE_STRENGTH, max_iter=1000)
        model.fit(self.features[rows], classes, sample_weight=weights[weights > 0])
        return model.decision_function(self.features)


class Contrast(Baseline):
    """Cosine of the embedding with the mean interesting galaxy minus the mean dull one, weighted by ratings."""

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Cosine of each galaxy, times the length of the contrast."""
        rated = np.isfinite(ratings)
        liked = ratings[rated] / HIGHEST
        if not liked.any():
            return self.unlike(rated)
        contrast = np.average(self.features[rated], axis=0, weights=liked)
        if (liked < 1).any():
            contrast = contrast - np.average(self.features[rated], axis=0, weights=1 - liked)
        return self.features @ contrast / np.linalg.norm(self.features, axis=1)


class Protege(Baseline):
    """
    The Gaussian process of Astronomaly Protege, with the features and the start of its example for images.

    Components that hold 85 % of the variance, not whitened; the first galaxies at equal steps along the first
    component, then those of highest expected improvement. Its default trade-off finds more than the 3 of that example.
    """

    def __init__(self, embeddings: np.ndarray, tradeoff: float = 0.5):
        self.features = PCA(0.85).fit_transform(np.asarray(embeddings, dtype=float))
        self.tradeoff = tradeoff
        self.acquisition: np.ndarray | None = None

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Predicted rating of each galaxy."""
        scores, self.acquisition = protege_scores(self.features, ratings, self.tradeoff)
        return scores

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows of highest acquisition after the last call of `scores`."""
        if scores is None:
            along = np.argsort(self.features[:, 0], kind="stable")
            return along[np.linspace(0, len(along) - 1, n).astype(int)]
        return _highest_unrated(self.acquisition, ratings, n)


class Neighbour(Baseline):
    """
    The NeighbourScore of Astronomaly after its isolation forest, on components that hold 95 % of the variance.

    The first galaxies are the most unusual ones.
    """

    def __init__(self, embeddings: np.ndarray):
        self.features = PCA(0.95).fit_transform(np.asarray(embeddings, dtype=float))
        self._unusual: dict[int, np.ndarray] = {}

    def unusual(self, seed: int) -> np.ndarray:
        """Score of the isolation forest, made once for each seed."""
        if seed not in self._unusual:
            self._unusual[seed] = isolation_scores(self.features, seed)
        return self._unusual[seed]

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Score of each galaxy."""
        return neighbour_scores(self.features, self.unusual(seed), ratings, seed)

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows of highest score, to begin with that of the isolation forest."""
        return _highest_unrated(self.unusual(seed) if scores is None else scores, ratings, n)


class Earlier(Baseline):
    """
    What this package did at first: a Gaussian process on whitened components, its kernel fitted to the ratings.

    A galaxy whose rating is correlated by more than 0.7 with that of one in the batch, given all ratings, is passed
    over.
    """

    def __init__(self, embeddings: np.ndarray):
        whitened = PCA(40, whiten=True, svd_solver="covariance_eigh")
        self.features = whitened.fit_transform(np.asarray(embeddings, dtype=float))

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Predicted rating of each galaxy."""
        rated, extent = np.isfinite(ratings), np.sqrt(self.features.shape[1])
        smooth = RationalQuadratic(0.7 * extent, 1.0, (0.1 * extent, extent), (0.1, 1e3))
        process = GaussianProcessRegressor(smooth + WhiteKernel(1.0, (1e-3, 25.0)))
        if np.ptp(ratings[rated]) == 0:
            # Equal ratings say nothing about a kernel.
            process = GaussianProcessRegressor(RationalQuadratic(extent) + WhiteKernel(0.1), optimizer=None)
        with warnings.catch_warnings():
            # A parameter at the edge of its interval is common with few ratings.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.process = process.fit(self.features[rated], ratings[rated])
        mean, self.std = self.process.predict(self.features, return_std=True)
        return mean

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows of highest expected improvement that are not alike, after the last call of `scores`."""
        if scores is None:
            return super().next_rows(ratings, scores, n, seed)
        improvement = expected_improvement(scores, self.std, np.nanmax(ratings))
        for size in (50 * n, len(ratings)):
            pool = _highest_unrated(improvement, ratings, size)
            _, covariance = self.process.predict(self.features[pool], return_cov=True)
            variance = np.diag(covariance) - self.process.kernel_.k2.noise_level
            alike = covariance > 0.7 * np.sqrt(np.outer(variance, variance))
            chosen: list[int] = []
            free = np.ones(len(pool), dtype=bool)
            while len(chosen) < n and free.any():
                chosen.append(int(np.argmax(free)))
                free &= ~alike[chosen[-1]]
            if len(chosen) == n:
                break
        return pool[np.concatenate([chosen, np.setdiff1d(np.arange(len(pool)), chosen)])[:n].astype(int)]


BASELINES = {
    "logistic regression": Logistic,
    "contrast cosine": Contrast,
    "Protege": Protege,
    "NeighbourScore": Neighbour,
}
