"""Principal components of embeddings, streamed so that a memory-mapped matrix is never read whole."""

from dataclasses import dataclass

import numpy as np

from galzoo_repr.catalogue._embeddings import Embeddings

__all__ = ["Reduction", "mean_of"]

_ROWS = 16384  # rows at a time


@dataclass(frozen=True)
class Reduction:
    """
    A linear map from embeddings to their first principal components.

    Attributes
    ----------
    mean : numpy.ndarray of float64, shape (d,)
        Subtracted first.
    axes : numpy.ndarray of float64, shape (k, d)
        Principal axes, divided by the standard deviation along each when whitened.
    explained_variance_ratio : numpy.ndarray of float64, shape (k,)
        Share of the variance along each axis.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained_variance_ratio: np.ndarray

    @classmethod
    def fit(cls, embeddings: Embeddings, components: int, *, whiten: bool = False) -> "Reduction":
        """
        Find the principal components of the usable rows.

        Parameters
        ----------
        embeddings : Embeddings
            Galaxies.
        components : int
            How many to keep.
        whiten : bool
            Scale every component to unit variance.

        Returns
        -------
        Reduction

        Raises
        ------
        ValueError
            If there are not that many dimensions, or fewer usable rows than components.
        """
        n = int(embeddings.usable.sum())
        limit = min(embeddings.dim, n - 1)
        if not isinstance(components, int | np.integer) or not 1 <= components <= limit:
            raise ValueError(
                f"components must be a whole number from 1 to {max(limit, 0)} for {n} usable embeddings of "
                f"{embeddings.dim} dimensions, not {components!r}."
            )
        mean, covariance = _moments(embeddings, n)
        variance, axes = np.linalg.eigh(covariance)
        variance, axes = np.maximum(variance[::-1], 0), axes.T[::-1]
        # An axis has no sign of its own; fix it so that the same rows give the same components everywhere.
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        kept, ratio = variance[:components], variance[:components] / max(variance.sum(), np.finfo(float).tiny)
        axes = axes[:components]
        if whiten:
            floor = np.finfo(np.float32).eps * max(kept[0], np.finfo(np.float64).tiny)
            axes = axes / np.sqrt(np.maximum(kept, floor))[:, None]
        return cls(mean, np.ascontiguousarray(axes), ratio)

    def transform(self, vectors: np.ndarray) -> np.ndarray:
        """
        Components of each vector.

        Parameters
        ----------
        vectors : numpy.ndarray of float, shape (n, d)
            Embeddings; rows that are not finite give NaN.

        Returns
        -------
        numpy.ndarray of float32, shape (n, k)
        """
        out = np.empty((len(vectors), len(self.axes)), dtype=np.float32)
        for start in range(0, len(vectors), _ROWS):
            block = np.asarray(vectors[start : start + _ROWS], dtype=np.float64)
            with np.errstate(invalid="ignore"):
                out[start : start + _ROWS] = (block - self.mean) @ self.axes.T
        return out


def mean_of(embeddings: Embeddings) -> np.ndarray:
    """
    Mean of the usable rows.

    Parameters
    ----------
    embeddings : Embeddings
        Galaxies, at least one of them usable.

    Returns
    -------
    numpy.ndarray of float64, shape (d,)
    """
    starts = range(0, len(embeddings), _ROWS)
    total = sum(_block(embeddings, start).sum(axis=0, dtype=np.float64) for start in starts)
    return total / embeddings.usable.sum()


def _moments(embeddings: Embeddings, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the usable rows, in two passes: one pass loses digits when the mean is large."""
    mean = mean_of(embeddings)
    covariance = np.zeros((embeddings.dim, embeddings.dim))
    for start in range(0, len(embeddings), _ROWS):
        centred = (_block(embeddings, start) - mean).astype(np.float32)
        covariance += centred.T @ centred
    return mean, covariance / max(n - 1, 1)


def _block(embeddings: Embeddings, start: int) -> np.ndarray:
    return np.asarray(embeddings.vectors[start : start + _ROWS])[embeddings.usable[start : start + _ROWS]]
