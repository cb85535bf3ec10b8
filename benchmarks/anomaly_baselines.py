"""What else a user could do: baselines that learn from ratings of 0 to 5, all called alike.

``BASELINES[name](embeddings)`` reduces a catalogue once. Its ``scores(ratings, seed)`` are scores of all galaxies,
higher for more interesting, from ratings that are NaN where there is none; its ``next_rows(ratings, scores, n, seed)``
are the rows to rate next, the first ones (no rating yet, scores None) included.
"""

import warnings

import numpy as np
from anomaly_baseline import HIGHEST
from scipy.special import ndtr
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors


class Baseline:
    """Random galaxies are rated first, then those of highest score."""

    def __init__(self, embeddings: np.ndarray):
        self.features = np.asarray(embeddings, dtype=float)

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Score of each galaxy, shape (n,)."""
        raise NotImplementedError

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows to rate next, best first."""
        if scores is None:
            return np.random.default_rng(seed).permutation(len(ratings))[:n]
        return _highest_unrated(scores, ratings, n)


def _highest_unrated(scores: np.ndarray, ratings: np.ndarray, n: int) -> np.ndarray:
    unrated = np.flatnonzero(np.isnan(ratings))
    return unrated[np.argsort(-scores[unrated], kind="stable")[:n]]


class Logistic(Baseline):
    """
    Logistic regression on the embedding, centred and under one common scale.

    A rating r counts as an interesting galaxy of weight r / 5 and a dull one of weight 1 - r / 5. While all are
    dull, the galaxies least like them come first.
    """

    def __init__(self, embeddings: np.ndarray):
        features = np.asarray(embeddings, dtype=float) - embeddings.mean(axis=0, dtype=float)
        self.features = features / np.sqrt(np.square(features).sum(axis=1).mean())

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Log odds of each galaxy."""
        rated = np.isfinite(ratings)
        weights = np.concatenate([ratings[rated], HIGHEST - ratings[rated]]) / HIGHEST
        classes = np.repeat([1, 0], rated.sum())
        if len(np.unique(classes[weights > 0])) == 1:
            distance = (
                NearestNeighbors(n_neighbors=1).fit(self.features[rated]).kneighbors(self.features)[0][:, 0]
            )
            return -distance if weights[0] > 0 else distance
        twice = np.concatenate([self.features[rated]] * 2)[weights > 0]
        model = LogisticRegression(C=C, max_iter=1000)
        model.fit(twice, classes[weights > 0], sample_weight=weights[weights > 0])
        return model.decision_function(self.features)


# Of 0.01 to 1000 the best in the mean over all searches.
C = 10.0


class Contrast(Baseline):
    """Cosine of the centred embedding with the mean interesting galaxy minus the mean dull one, by ratings."""

    def __init__(self, embeddings: np.ndarray):
        features = np.asarray(embeddings, dtype=float) - embeddings.mean(axis=0, dtype=float)
        self.features = features / np.linalg.norm(features, axis=1, keepdims=True)

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Cosine of each galaxy."""
        rated = np.isfinite(ratings)
        liked = ratings[rated] / HIGHEST
        contrast = self._mean(rated, liked) - self._mean(rated, 1 - liked)
        return self.features @ contrast / np.linalg.norm(contrast)

    def _mean(self, rated: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weighted mean of rated galaxies, or of the catalogue where there is no weight."""
        if weights.sum() == 0:
            return self.features.mean(axis=0)
        return np.average(self.features[rated], axis=0, weights=weights)


class Protege(Baseline):
    """
    The Gaussian process of Astronomaly Protege (Lochner & Rudnick 2025), as its example for images sets it up.

    Components that hold 85 % of the variance; the first galaxies at equal steps along the first component; then by
    expected improvement.
    """

    def __init__(self, embeddings: np.ndarray, tradeoff: float = 3.0):
        self.features = PCA(0.85).fit_transform(np.asarray(embeddings, dtype=float))
        self.tradeoff = tradeoff
        self.acquisition: np.ndarray | None = None

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Predicted rating of each galaxy."""
        scores, self.acquisition = self._process(ratings)
        return scores

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows of highest acquisition after the last call of `scores`."""
        if scores is None:
            along = np.argsort(self.features[:, 0], kind="stable")
            return along[np.linspace(0, len(along) - 1, n).astype(int)]
        return _highest_unrated(self.acquisition, ratings, n)

    def _process(self, ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicted ratings and expected improvement, by the same scikit-learn calls as Astronomaly's."""
        rated = np.isfinite(ratings)
        with warnings.catch_warnings():
            # A parameter at the edge of its interval is common with few ratings.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = GaussianProcessRegressor(Matern() + WhiteKernel()).fit(
                self.features[rated], ratings[rated]
            )
        mean, std = model.predict(self.features, return_std=True)
        gain = mean - ratings[rated].max() - self.tradeoff
        z = gain / std
        return mean, gain * ndtr(z) + std * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


BASELINES = {"logistic regression": Logistic, "contrast cosine": Contrast, "Protege": Protege}
