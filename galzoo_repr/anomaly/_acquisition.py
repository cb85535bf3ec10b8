"""Which galaxies to rate next: expected improvement, and batches that are not ten of the same galaxy."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from galzoo_repr._arguments import check_number
from galzoo_repr.anomaly._gaussian_process import RatingProcess

__all__ = ["BATCHES", "FIRST_BATCHES", "choose_batch", "choose_first_batch", "expected_improvement"]

BATCHES = ("distinct", "top")
FIRST_BATCHES = ("diverse", "outliers", "random")
# Posterior correlation of two galaxies' ratings above which one of them says what the other would.
ALIKE = 0.95
# Candidates looked at, to begin with, for each galaxy to choose.
POOL = 50


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
        NaN where a prediction is.

    Raises
    ------
    ValueError
        If the shapes differ, a standard deviation is negative, or the trade-off is.

    Examples
    --------
    >>> expected_improvement([1.0, 1.0], [0.5, 2.0], best=2.0).round(3)
    array([0.   , 0.262])
    """
    check_number("tradeoff", tradeoff)
    mean, std = np.asarray(mean, dtype=float), np.asarray(std, dtype=float)
    if mean.shape != std.shape or (std < 0).any():
        raise ValueError(
            f"each of the means, of shape {mean.shape}, needs a standard deviation that is not negative; "
            f"those given have shape {std.shape}"
        )
    gain = mean - best - tradeoff
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
    method: str = "distinct",
) -> np.ndarray:
    """
    Choose the rows to rate next, in order, among those with a prediction; fewer than n where there are no more.

    ``"top"`` takes the n rows of highest expected improvement, as the paper did. ``"distinct"`` does too, but passes
    over a galaxy whose rating is correlated by more than 0.95, given all ratings so far, with that of one already in
    the batch: local penalisation (Gonzalez et al. 2016, PMLR 51, 648) with a sharp edge, its reach given by the
    process itself. `mean` and `std`, shape (n_rows,), are predictions of the process for `features`, shape (n_rows,
    k); rows where they are NaN are never chosen.
    """
    improvement = expected_improvement(mean, std, process.ratings.max(), tradeoff)
    improvement[~np.isfinite(improvement)] = -np.inf
    possible = int(np.isfinite(improvement).sum())
    n = min(n, possible)
    if method == "top":
        return np.argsort(-improvement, kind="stable")[:n]
    pool_size = min(POOL * n, possible)
    while True:
        pool = _best_rows(improvement, pool_size)
        chosen = _distinct(process, features[pool], n)
        if len(chosen) == n:
            return pool[chosen]
        if pool_size == possible:
            # Everything is like something chosen: the best of what was passed over.
            return pool[np.concatenate([chosen, np.setdiff1d(np.arange(possible), chosen)])[:n]]
        pool_size = min(8 * pool_size, possible)


def _best_rows(improvement: np.ndarray, size: int) -> np.ndarray:
    """Find the `size` rows of highest improvement, best first."""
    if size < len(improvement):
        rows = np.sort(np.argpartition(-improvement, size)[:size])
    else:
        rows = np.arange(len(improvement))
    return rows[np.argsort(-improvement[rows], kind="stable")]


def _distinct(process: RatingProcess, features: np.ndarray, n: int) -> np.ndarray:
    """Take up to n rows, the first ones that are not alike."""
    features = np.asarray(features, dtype=float)
    explained = process.whitening @ process.covariance(process.features, features)
    prior = process.amplitude * (1 + process.linear * np.square(features).sum(axis=1))
    variance = np.maximum(prior - np.einsum("ij,ij->j", explained, explained), 1e-12)
    free = np.ones(len(features), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        row = int(np.argmax(free))
        covariance = (
            process.covariance(features, features[row : row + 1])[:, 0] - explained[:, row] @ explained
        )
        free &= covariance <= ALIKE * np.sqrt(variance * variance[row])
        free[row] = False
        chosen.append(row)
    return np.array(chosen, dtype=int)


def choose_first_batch(
    features: np.ndarray, scores: np.ndarray | None, n: int, *, method: str = "diverse", seed: int = 0
) -> np.ndarray:
    """
    Choose rows to rate while nothing is rated yet, but none where `features`, shape (n_rows, k), are not finite.

    ``"random"`` is what the paper did; ``"outliers"`` takes the highest unsupervised scores, shape (n_rows,), which
    nothing else needs; ``"diverse"`` draws galaxies far from each other by the seeding of k-means++ (Arthur &
    Vassilvitskii 2007), which covers the kinds of galaxies that the catalogue has many of as well as its outskirts.
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
    from sklearn.cluster import kmeans_plusplus

    _, rows = kmeans_plusplus(features[sample], n, random_state=seed)
    return _without_repeats(sample[rows], usable, generator)


def _without_repeats(rows: np.ndarray, usable: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace rows drawn twice, which happens where there are fewer different galaxies than asked for."""
    unique, first = np.unique(rows, return_index=True)
    rows_once = rows[np.sort(first)]
    spare = np.setdiff1d(usable, unique)
    return np.concatenate([rows_once, generator.permutation(spare)[: len(rows) - len(unique)]])
