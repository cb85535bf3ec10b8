"""The space in which galaxies are compared: their embeddings, or principal components, and a metric."""

from dataclasses import dataclass

import numpy as np

from galzoo_repr._arguments import check_choice
from galzoo_repr.catalogue import Embeddings, Reduction, mean_embedding

__all__ = ["METRICS", "Space"]

METRICS = ("cosine", "euclidean")
_ROWS = 16384


@dataclass(frozen=True)
class Space:
    """
    A metric, after a reduction to principal components if there is one.

    Attributes
    ----------
    metric : {"cosine", "euclidean"}
        How vectors are compared.
    reduction : Reduction or None
        Applied to embeddings first.
    centre : numpy.ndarray of float64, shape (d,), or None
        Subtracted from embeddings first. It changes no distance, but a distance between vectors that are far
        from zero loses digits in single precision.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.index import Space
    >>> Space("cosine").project(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    >>> Space("cosine").explained_variance is None
    True
    """

    metric: str
    reduction: Reduction | None = None
    centre: np.ndarray | None = None

    @classmethod
    def fit(
        cls, embeddings: Embeddings, metric: str, components: int | None, *, whiten: bool = False
    ) -> "Space":
        """
        Find the space for a catalogue.

        Parameters
        ----------
        embeddings : Embeddings
            Galaxies.
        metric : {"cosine", "euclidean"}
            How vectors are compared.
        components : int or None
            Principal components to keep; None for no reduction.
        whiten : bool
            Scale every component to unit variance.

        Returns
        -------
        Space

        Raises
        ------
        ValueError
            If there are fewer dimensions than components, or not more usable rows, or if nothing is left to
            whiten.

        Examples
        --------
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> from galzoo_repr.index import Space
        >>> magnitudes = embedding_matrix([[17.0, 16.4, 16.0], [18.1, 17.6, 17.2], [16.7, 16.3, 16.0]])  # g, r, z
        >>> space = Space.fit(magnitudes, "euclidean", 1)
        >>> space.dim(3), round(space.explained_variance, 2)
        (1, 0.99)
        """
        if components is None:
            if whiten:
                raise ValueError("whiten=True needs components=, the number of principal components to keep")
            return cls(metric, centre=mean_embedding(embeddings) if metric == "euclidean" else None)
        n = int(embeddings.usable.sum())
        if n < 2:
            raise ValueError(f"principal components need at least 2 galaxies with an embedding, not {n}")
        limit = min(embeddings.dim, n - 1)
        if not isinstance(components, int | np.integer) or not 1 <= components <= limit:
            raise ValueError(
                f"components must be a whole number from 1 to {limit} for {n} usable embeddings of "
                f"{embeddings.dim} dimensions, not {components!r}"
            )
        return cls(metric, Reduction.fit(embeddings, components, whiten=whiten))

    def checked(self, given: int) -> "Space":
        """
        Check what was read from disk.

        Parameters
        ----------
        given : int
            Dimensions of the embeddings.

        Returns
        -------
        Space
            This one.

        Raises
        ------
        ValueError
            If there is no such metric, or an array has another type or shape, or is not finite.

        Examples
        --------
        >>> from galzoo_repr.index import Space
        >>> Space("cosine").checked(640).metric
        'cosine'
        >>> Space("manhattan").checked(640)
        Traceback (most recent call last):
            ...
        ValueError: metric='manhattan' is not one of 'cosine', 'euclidean'
        """
        check_choice("metric", self.metric, METRICS)
        k = self.dim(given)
        wanted = {} if self.centre is None else {"centre": (self.centre, (given,))}
        if self.reduction is not None:
            shapes = {"mean": (given,), "axes": (given, k), "explained": (k,)}
            wanted |= {name: (getattr(self.reduction, name), shape) for name, shape in shapes.items()}
        for name, (array, shape) in wanted.items():
            if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
                raise ValueError(
                    f"{name} is {array.dtype} of shape {array.shape}, not finite float64 of {shape}"
                )
        return self

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """
        Put embeddings into the space; for the cosine metric they get unit length.

        Parameters
        ----------
        vectors : numpy.ndarray of float, shape (n, d)
            Embeddings.

        Returns
        -------
        numpy.ndarray of float32, shape (n, k)

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.index import Space
        >>> Space("euclidean", centre=np.array([1.0, 1.0])).project(np.array([[3.0, 4.0]]))
        array([[2., 3.]], dtype=float32)
        """
        out = np.empty((len(vectors), self.dim(vectors.shape[1])), dtype=np.float32)
        for start in range(0, len(vectors), _ROWS):
            block = np.asarray(vectors[start : start + _ROWS], dtype=np.float64)
            if self.reduction is not None:
                block = self.reduction.project(block).astype(np.float64)
            elif self.centre is not None:
                block = block - self.centre
            if self.metric == "cosine":
                length = np.linalg.norm(block, axis=1, keepdims=True)
                # A galaxy at the very centre of the components points nowhere: alike to none.
                block = block / np.where(length == 0, 1, length)
            out[start : start + _ROWS] = block
        return out

    def dim(self, given: int) -> int:
        """
        Dimensions of the space.

        Parameters
        ----------
        given : int
            Dimensions of the embeddings.

        Returns
        -------
        int

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> from galzoo_repr.index import Space
        >>> Space("cosine").dim(3), Space.fit(embedding_matrix(np.eye(3)), "cosine", 2).dim(3)
        (3, 2)
        """
        return given if self.reduction is None else self.reduction.n_components

    @property
    def explained_variance(self) -> float | None:
        """Share of the variance that the components keep; None without reduction."""
        return None if self.reduction is None else float(self.reduction.explained.sum())
