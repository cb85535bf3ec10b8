"""How unusual each galaxy is, before anybody has said what is interesting."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from galzoo_repr._arguments import check_choice, check_seed

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

__all__ = ["UNSUPERVISED", "grown_forest", "unusual_scores"]

UNSUPERVISED = ("isolation_forest", "local_outlier_factor")
# Up to here exact neighbours take seconds; above, those of a neighbour graph are ten times cheaper.
EXACT_NEIGHBOURS = 20_000


def unusual_scores(
    features: ArrayLike,
    *,
    method: str = "isolation_forest",
    seed: int = 0,
    forest: "IsolationForest | None" = None,
) -> np.ndarray:
    """
    Score of how unlike the others each galaxy is, higher is more unusual.

    Parameters
    ----------
    features : array of shape (n, k)
    method : {"isolation_forest", "local_outlier_factor"}
        Isolation forest (Liu, Ting & Zhou 2008), with 100 trees: the score of their eq. 2, in 0 to 1. Or
        local outlier factor (Breunig et al. 2000) with 20 neighbours: about 1 for a galaxy in a crowd of its
        like; the neighbours are exact up to 20,000 galaxies and those of a pynndescent graph above.
    seed : int
    forest : sklearn.ensemble.IsolationForest, optional
        One that was grown in other galaxies of the same survey, to be used instead.

    Returns
    -------
    float64 array of shape (n,)
        NaN where a feature is not finite.

    Raises
    ------
    ValueError
        If `features` is no two-dimensional array of numbers, or another argument is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import unusual_scores
    >>> galaxies = np.random.default_rng(0).normal(size=(100, 3))
    >>> galaxies[7] = 9.0
    >>> int(unusual_scores(galaxies).argmax())
    7
    """
    check_choice("method", method, UNSUPERVISED)
    check_seed(seed)
    features = np.asarray(features)
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise ValueError(
            f"features must be numbers of shape (galaxies, dimensions), "
            f"not {features.dtype} of shape {features.shape}"
        )
    scores = np.full(len(features), np.nan)
    usable = np.isfinite(features).all(axis=1)
    if forest is not None:
        if usable.any():
            scores[usable] = -forest.score_samples(features[usable])
        return scores
    if usable.sum() < 2:
        scores[usable] = 0.5 if method == "isolation_forest" else 1.0
        return scores
    score = _isolation if method == "isolation_forest" else _outlier_factor
    scores[usable] = score(features[usable], seed)
    return scores


def _isolation(features: np.ndarray, seed: int) -> np.ndarray:
    return -grown_forest(features, seed).score_samples(features)


def grown_forest(features: np.ndarray, seed: int = 0) -> "IsolationForest":
    """Grow an isolation forest in galaxies whose features are finite."""
    from sklearn.ensemble import IsolationForest

    return IsolationForest(n_estimators=100, random_state=seed).fit(features)


def _outlier_factor(features: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.neighbors import LocalOutlierFactor

    neighbours = min(20, len(features) - 1)
    if len(features) <= EXACT_NEIGHBOURS:
        return -LocalOutlierFactor(neighbours).fit(features).negative_outlier_factor_
    graph = _neighbour_graph(features, neighbours, seed)
    return -LocalOutlierFactor(neighbours, metric="precomputed").fit(graph).negative_outlier_factor_


def _neighbour_graph(features: np.ndarray, neighbours: int, seed: int) -> csr_matrix:
    from pynndescent import PyNNDescentTransformer

    return PyNNDescentTransformer(n_neighbors=neighbours, random_state=seed).fit_transform(features)
