"""Which galaxies to rate next: expected improvement, and batches that are not ten of the same galaxy."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from sklearn.cluster import kmeans_plusplus

from galzoo_repr.anomaly._process import RatingProcess

__all__ = ["BATCHES", "FIRST_BATCHES", "choose_batch", "choose_first_batch", "expected_improvement"]

BATCHES = ("believer", "top")
FIRST_BATCHES = ("diverse", "outliers", "random")


def expected_improvement(mean: ArrayLike, std: ArrayLike, best: float, tradeoff: float = 0.5) -> np.ndarray:
    """
    Compute how much better than the best rating so far each galaxy is expected to be.

    With g = mean - best - tradeoff and z = g / std, this is g Phi(z) + std phi(z) (Mockus 1975; Jones et al.
    1998; the form with a trade-off is that of modAL, used with 0.5 on ratings of 0 to 5 by Walmsley et al.
    2022).

    Parameters
    ----------
    mean, std : arrays of shape (n,)
        Prediction for each galaxy.
    best : float
        Highest rating given so far.
    tradeoff : float
        Improvement that is worth nothing yet; larger explores more.

    Returns
    -------
    float64 array of shape (n,)

    Examples
    --------
    >>> expected_improvement([1.0, 1.0], [0.5, 2.0], best=2.0).round(3)
    array([0.   , 0.262])
    """
    gain = np.asarray(mean, dtype=float) - best - tradeoff
    std = np.asarray(std, dtype=float)
    z = np.divide(gain, std, out=np.full_like(gain, -np.inf), where=std > 0)
    density = np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi)
    return np.where(std > 0, gain * ndtr(z) + std * density, np.maximum(gain, 0.0))


def choose_batch(
    process: RatingProcess,
    features: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    n: int,
    *,
    tradeoff: float = 0.5,
    method: str = "believer",
) -> np.ndarray:
    """
    Choose the rows to rate next, in order.

    ``"top"`` takes the n rows of highest expected improvement, as the paper did. ``"believer"`` is the
    Kriging believer of Ginsbourger, Le Riche & Carraro (2010, doi:10.1007/978-3-642-10701-6_6): each galaxy
    chosen is believed to get its predicted rating, which narrows the predictions around it, before the next
    is chosen.

    Parameters
    ----------
    process : RatingProcess
    features : array of shape (n_rows, k)
    mean, std : arrays of shape (n_rows,)
        Predictions of `process` for the features; rows where they are NaN are never chosen.
    n : int
    tradeoff : float
    method : {"believer", "top"}

    Returns
    -------
    int array of shape (min(n, rows with a prediction),)
    """
    best = process.ratings.max()
    improvement = expected_improvement(mean, std, best, tradeoff)
    improvement[~np.isfinite(improvement)] = -np.inf
    n = min(n, int(np.isfinite(improvement).sum()))
    if method == "top":
        return np.argsort(-improvement, kind="stable")[:n]
    pool_size = max(2000, 100 * n)
    while True:
        pool, outside = _best_rows(improvement, pool_size)
        chosen, sure = _believe(process, features[pool], mean[pool], n, best, tradeoff, outside)
        if sure:
            return pool[chosen]
        pool_size *= 8


def _best_rows(improvement: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Find the `size` rows of highest improvement, and the highest improvement among the others."""
    if size >= np.isfinite(improvement).sum():
        return np.flatnonzero(np.isfinite(improvement)), -np.inf
    order = np.argpartition(-improvement, size)
    return np.sort(order[:size]), improvement[order[size]]


def _believe(
    process: RatingProcess,
    features: np.ndarray,
    mean: np.ndarray,
    n: int,
    best: float,
    tradeoff: float,
    outside: float,
) -> tuple[list[int], bool]:
    """
    Choose within a pool of candidates, believing each prediction in turn.

    Believing a prediction changes no mean and lowers every spread, so an expected improvement can only fall:
    the choice is that of the whole catalogue as long as it beats `outside`, the best improvement out of the
    pool.
    """
    features = np.asarray(features, dtype=float)
    rated = process.whitening @ process.covariance(process.features, features)
    latent = 1 - np.einsum("ij,ij->j", rated, rated)
    believed: list[np.ndarray] = []
    chosen: list[int] = []
    for _ in range(n):
        std = np.sqrt(np.maximum(latent, 0) + process.noise)
        improvement = expected_improvement(mean, std, best, tradeoff)
        improvement[chosen] = -np.inf
        row = int(np.argmax(improvement))
        if improvement[row] < outside:
            return chosen, False
        covariance = process.covariance(features, features[row : row + 1])[:, 0] - rated[:, row] @ rated
        for step in believed:
            covariance -= step[row] * step
        believed.append(covariance / np.sqrt(max(latent[row], 0) + process.noise + 1e-10))
        latent = latent - np.square(believed[-1])
        best = max(best, mean[row])
        chosen.append(row)
    return chosen, True


def choose_first_batch(
    features: np.ndarray, scores: np.ndarray | None, n: int, *, method: str = "diverse", seed: int = 0
) -> np.ndarray:
    """
    Choose the rows to rate while nothing is rated yet.

    ``"random"`` is what the paper did; ``"outliers"`` takes the highest unsupervised scores; ``"diverse"``
    draws galaxies far from each other by the seeding of k-means++ (Arthur & Vassilvitskii 2007), which covers
    the kinds of galaxies that the catalogue has many of as well as its outskirts.

    Parameters
    ----------
    features : array of shape (n_rows, k)
        Rows that are not finite are never chosen.
    scores : array of shape (n_rows,) or None
        Unsupervised scores, needed by ``"outliers"`` only.
    n : int
    method : {"diverse", "outliers", "random"}
    seed : int

    Returns
    -------
    int array of shape (min(n, finite rows),)
    """
    usable = np.flatnonzero(np.isfinite(features).all(axis=1))
    n = min(n, len(usable))
    generator = np.random.default_rng(seed)
    if n == 0:
        return usable[:0]
    if method == "outliers":
        return usable[np.argsort(-scores[usable], kind="stable")[:n]]
    if method == "random":
        return usable[generator.permutation(len(usable))[:n]]
    # A sample is as diverse, and the seeding costs n passes over it.
    sample = usable if len(usable) <= 50_000 else np.sort(generator.choice(usable, 50_000, replace=False))
    _, rows = kmeans_plusplus(features[sample], n, random_state=seed)
    return _without_repeats(sample[rows], usable, generator)


def _without_repeats(rows: np.ndarray, usable: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace rows drawn twice, which happens where there are fewer different galaxies than asked for."""
    unique, first = np.unique(rows, return_index=True)
    rows_once = rows[np.sort(first)]
    spare = np.setdiff1d(usable, unique)
    return np.concatenate([rows_once, generator.permutation(spare)[: len(rows) - len(unique)]])
