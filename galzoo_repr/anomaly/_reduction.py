"""Embeddings to the few whitened principal components on which distances between galaxies are measured."""

import hashlib
from dataclasses import dataclass

import numpy as np

from galzoo_repr.catalogue import Embeddings

__all__ = ["Reduction", "fingerprint"]

# Rows handled at once: a million embeddings are never copied whole.
CHUNK = 16_384


@dataclass(frozen=True)
class Reduction:
    """
    Principal components of a catalogue's embeddings, each scaled to unit variance.

    Walmsley et al. (2022, MNRAS 513, 1581) feed their Gaussian process with 40 such components. They are
    found from the covariance, summed over chunks of the catalogue, so that memory does not grow with the
    catalogue.

    Attributes
    ----------
    mean : float64 array of shape (d,)
    axes : float64 array of shape (d, k)
        Principal axes, divided by the standard deviation along each.
    explained : float64 array of shape (k,)
        Fraction of the variance along each axis, falling.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    @property
    def n_components(self) -> int:
        """Number of components kept."""
        return self.axes.shape[1]

    @classmethod
    def fit(cls, embeddings: Embeddings, n_components: int = 40) -> "Reduction":
        """
        Find the components of all usable rows.

        Parameters
        ----------
        embeddings : Embeddings
        n_components : int
            How many to keep; fewer are kept where the embeddings do not vary in so many directions.

        Raises
        ------
        ValueError
            If fewer than two rows are usable, or all of them are the same.
        """
        if n_components < 1:
            raise ValueError(f"n_components must be at least 1, not {n_components}")
        mean, covariance, n_rows = _moments(embeddings)
        if n_rows < 2:
            raise ValueError(
                f"at least two galaxies need a finite embedding, but {n_rows} of {len(embeddings)} have one"
            )
        variance, axes = np.linalg.eigh(covariance)
        variance, axes = variance[::-1], axes[:, ::-1]
        # Directions below the rounding of single precision are constant dimensions, or copies of each other.
        varies = variance > max(variance[0] * 1e-10, np.finfo(np.float32).tiny)
        kept = min(n_components, int(varies.sum()), n_rows - 1)
        if kept == 0:
            raise ValueError(
                f"all {n_rows} embeddings are the same, so galaxies cannot be told apart by them"
            )
        explained = variance[:kept] / variance[varies].sum()
        return cls(mean, axes[:, :kept] / np.sqrt(variance[:kept]), explained)

    def transform(self, embeddings: Embeddings) -> np.ndarray:
        """
        Express embeddings in the components.

        Parameters
        ----------
        embeddings : Embeddings

        Returns
        -------
        float32 array of shape (n, k)
            NaN in rows that are not usable.
        """
        if embeddings.dim != len(self.mean):
            raise ValueError(
                f"these embeddings have {embeddings.dim} dimensions, but the model was fitted on "
                f"{len(self.mean)}: use the encoder it was fitted with"
            )
        features = np.full((len(embeddings), self.n_components), np.nan, dtype=np.float32)
        axes = self.axes.astype(np.float32)
        for start in range(0, len(embeddings), CHUNK):
            usable = embeddings.usable[start : start + CHUNK]
            rows = embeddings.vectors[start : start + CHUNK][usable]
            features[start : start + CHUNK][usable] = (rows - self.mean).astype(np.float32) @ axes
        return features


def _moments(embeddings: Embeddings) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean, covariance and number of the usable rows."""
    dimensions = embeddings.dim
    total, n_rows, shift = np.zeros(dimensions), 0, None
    products = np.zeros((dimensions, dimensions))
    for start in range(0, len(embeddings), CHUNK):
        rows = embeddings.vectors[start : start + CHUNK][embeddings.usable[start : start + CHUNK]]
        if not len(rows):
            continue
        if shift is None:
            # Close to the mean, so that single precision is enough for the products.
            shift = rows.mean(axis=0, dtype=float)
        rows = (rows - shift).astype(np.float32)
        total += rows.sum(axis=0, dtype=float)
        products += rows.T @ rows
        n_rows += len(rows)
    if n_rows == 0:
        return total, products, 0
    offset = total / n_rows
    return shift + offset, products / n_rows - np.outer(offset, offset), n_rows


def fingerprint(embeddings: Embeddings) -> str:
    """
    Digest by which a catalogue's embeddings are recognised, in whatever float and byte order they are kept.

    Parameters
    ----------
    embeddings : Embeddings

    Returns
    -------
    str
        SHA-256 of their shape and their values in single precision, row by row.
    """
    digest = hashlib.sha256(repr(embeddings.vectors.shape).encode())
    for start in range(0, len(embeddings), CHUNK):
        rows = np.ascontiguousarray(embeddings.vectors[start : start + CHUNK], dtype="<f4")
        digest.update(np.where(np.isnan(rows), np.float32(np.nan), rows).astype("<f4").tobytes())
    return digest.hexdigest()
