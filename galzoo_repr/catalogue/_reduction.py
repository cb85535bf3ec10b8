"""Principal components of embeddings, streamed so that a memory-mapped matrix is never read whole."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from galzoo_repr._threads import block_by_block, one_thread
from galzoo_repr.catalogue._embeddings import Embeddings

__all__ = ["CHUNK", "Reduction", "mean_embedding"]

# Rows handled at once: a million embeddings are never copied whole.
CHUNK = 8192


@dataclass(frozen=True)
class Reduction:
    """
    A linear map from embeddings to their first principal components.

    Walmsley et al. (2022, MNRAS 513, 1581) search among 10 such components, and feed their Gaussian process
    with 40. They are found from the covariance, summed over chunks of the catalogue, so that memory does not
    grow with the catalogue.

    Attributes
    ----------
    mean : numpy.ndarray of float64, shape (d,)
        Subtracted first.
    axes : numpy.ndarray of float64, shape (d, k)
        Principal axes, divided by the standard deviation along each when whitened, or by one number for all when
        normalised.
    explained : numpy.ndarray of float64, shape (k,)
        Fraction of the variance along each axis, falling.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.catalogue import Reduction, embedding_matrix
    >>> vectors = np.random.default_rng(0).normal(size=(500, 4)) * [9, 3, 1, 0.1]
    >>> reduction = Reduction.fit(embedding_matrix(vectors), 2)
    >>> reduction.axes.shape, reduction.explained.round(1).tolist()
    ((4, 2), [0.9, 0.1])
    >>> reduction.n_components
    2
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    @property
    def n_components(self) -> int:
        """Number of components kept."""
        return self.axes.shape[1]

    @classmethod
    def fit(
        cls, embeddings: Embeddings, n_components: int, *, whiten: bool = True, normalise: bool = False
    ) -> "Reduction":
        """
        Find the components of all usable rows.

        Parameters
        ----------
        embeddings : Embeddings
        n_components : int
            How many to keep; fewer are kept where the embeddings do not vary in so many directions.
        whiten : bool
            Scale every component to unit variance.
        normalise : bool
            Instead scale all by the same number, so that the median distance of a galaxy from the mean is one, in
            the components that are kept. Neither a few strange galaxies nor many that lie on the mean change that.

        Returns
        -------
        Reduction

        Raises
        ------
        ValueError
            If fewer than two rows are usable, or all of them are the same.

        Examples
        --------
        >>> from galzoo_repr.catalogue import Reduction, embedding_matrix
        >>> reduction = Reduction.fit(embedding_matrix([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]]), 2)
        >>> reduction.n_components, reduction.mean.tolist()
        (1, [4.0, 5.0])
        """
        if n_components < 1:
            raise ValueError(f"n_components must be at least 1, not {n_components}")
        mean, covariance, n_rows = _moments(embeddings)
        if n_rows < 2:
            raise ValueError(
                f"at least two galaxies need a finite embedding, but {n_rows} of {len(embeddings)} have one"
            )
        with one_thread():
            variance, axes = np.linalg.eigh(covariance)
        variance, axes = variance[::-1], axes[:, ::-1]
        # An axis has no sign of its own; fix it so that the same rows give the same components everywhere.
        axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))
        # Directions below the rounding of single precision are constant dimensions, or copies of each other;
        # where all are the same, what is left is the rounding of their mean.
        rounding = (16 * np.finfo(float).eps * np.abs(mean).max()) ** 2
        varies = variance > max(variance[0] * 1e-10, rounding)
        kept = min(n_components, int(varies.sum()), n_rows - 1)
        if kept == 0:
            raise ValueError(
                f"all {n_rows} embeddings are the same, so galaxies cannot be told apart by them"
            )
        explained, axes = variance[:kept] / variance[varies].sum(), axes[:, :kept]
        if normalise:
            rms = float(np.sqrt(variance[:kept].sum()))
            return cls(mean, axes / cls(mean, axes, explained)._typical_length(embeddings, rms), explained)
        return cls(mean, axes / np.sqrt(variance[:kept]) if whiten else axes, explained)

    def _typical_length(self, embeddings: Embeddings, rms: float) -> float:
        """Median length of the usable rows that are not at the mean, of many rows of so many at even steps."""
        rows = np.flatnonzero(embeddings.usable)
        rows = rows[:: -(-len(rows) // CHUNK)]
        lengths = np.linalg.norm(self.project(embeddings.vectors[rows]).astype(float), axis=1)
        lengths = lengths[lengths > np.finfo(np.float32).eps * rms]
        return float(np.median(lengths)) if len(lengths) else rms

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """
        Express vectors in the components.

        Parameters
        ----------
        vectors : numpy.ndarray of float, shape (n, d)
            All of them usable.

        Returns
        -------
        numpy.ndarray of float32, shape (n, k)

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.catalogue import Reduction, embedding_matrix
        >>> reduction = Reduction.fit(embedding_matrix([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]]), 1, whiten=False)
        >>> reduction.project(np.array([[4.0, 5.0], [6.0, 0.0]])).tolist()
        [[0.0], [2.0]]
        """
        components = np.empty((len(vectors), self.n_components), dtype=np.float32)
        scale = _power_of_two(np.abs(self.axes).max())
        axes = (self.axes / scale).astype(np.float32)
        for start in range(0, len(vectors), CHUNK):
            # The mean may be large beside the scatter: it is subtracted in double precision.
            centred = vectors[start : start + CHUNK] - self.mean
            centred *= scale
            np.matmul(centred.astype(np.float32), axes, out=components[start : start + CHUNK])
        return components

    def transform(self, embeddings: Embeddings) -> np.ndarray:
        """
        Express the embeddings of a catalogue in the components.

        Parameters
        ----------
        embeddings : Embeddings

        Returns
        -------
        numpy.ndarray of float32, shape (n, k)
            NaN in rows that are not usable.

        Raises
        ------
        ValueError
            If they have other dimensions than those the components are of.

        Examples
        --------
        >>> from galzoo_repr.catalogue import Reduction, embedding_matrix
        >>> embeddings = embedding_matrix([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0], [float("nan"), 5.0]])
        >>> Reduction.fit(embeddings, 1, whiten=False).transform(embeddings).ravel().tolist()
        [-3.0, -1.0, 4.0, nan]
        """
        if embeddings.dim != len(self.mean):
            raise ValueError(
                f"these embeddings have {embeddings.dim} dimensions, but the model was fitted on "
                f"{len(self.mean)}: use the encoder it was fitted with"
            )
        components = np.full((len(embeddings), self.n_components), np.nan, dtype=np.float32)

        def transform_block(start: int) -> None:
            usable = embeddings.usable[start : start + CHUNK]
            rows = embeddings.vectors[start : start + CHUNK][usable]
            components[start : start + CHUNK][usable] = self.project(rows)

        deque(block_by_block(transform_block, range(0, len(embeddings), CHUNK)), maxlen=0)
        return components


def mean_embedding(embeddings: Embeddings) -> np.ndarray:
    """
    Mean of the usable rows.

    Parameters
    ----------
    embeddings : Embeddings
        At least one of them usable.

    Returns
    -------
    numpy.ndarray of float64, shape (d,)

    Examples
    --------
    >>> from galzoo_repr.catalogue import embedding_matrix, mean_embedding
    >>> mean_embedding(embedding_matrix([[1.0, 2.0], [3.0, 4.0], [float("nan"), 0.0]]))
    array([2., 3.])
    """
    total = sum(rows.sum(axis=0, dtype=np.float64) for rows in _usable_chunks(embeddings))
    return total / embeddings.usable.sum()


def _usable_chunks(embeddings: Embeddings):
    for start in range(0, len(embeddings), CHUNK):
        rows = embeddings.vectors[start : start + CHUNK][embeddings.usable[start : start + CHUNK]]
        if len(rows):
            yield rows


def _power_of_two(largest: float) -> float:
    """
    Find a scale for numbers up to this one.

    Divided by it they lose no digit, and single precision holds their products however large or small they were.
    """
    return float(np.exp2(np.floor(np.log2(largest)))) if largest > 0 else 1.0


def _moments(embeddings: Embeddings) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean, covariance and number of the usable rows."""
    total, products = np.zeros(embeddings.dim), np.zeros((embeddings.dim, embeddings.dim))
    n_rows = int(embeddings.usable.sum())
    if n_rows == 0:
        return total, products, 0
    # Close to the mean, so that single precision is enough for the products.
    shift = next(_usable_chunks(embeddings)).mean(axis=0, dtype=float)

    def sums(start: int) -> tuple[np.ndarray, np.ndarray, float]:
        rows = embeddings.vectors[start : start + CHUNK][embeddings.usable[start : start + CHUNK]] - shift
        scale = _power_of_two(np.abs(rows).max(initial=0))
        rows /= scale
        rows = rows.astype(np.float32)
        return rows.sum(axis=0, dtype=float), rows.T @ rows, scale

    for of_block, products_of_block, scale in block_by_block(sums, range(0, len(embeddings), CHUNK)):
        total += of_block * scale
        products += products_of_block.astype(float) * scale**2
    offset = total / n_rows
    return shift + offset, products / n_rows - np.outer(offset, offset), n_rows
