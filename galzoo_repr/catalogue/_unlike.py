"""How far galaxies are from all that somebody has labelled or rated, as a calibrated rank."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from galzoo_repr._threads import for_each_block

__all__ = ["KnownGalaxies"]

MOST = 512
"""Known galaxies that are kept; of more, so many at even steps."""
JUDGED = 1000
"""Known galaxies whose own distances are kept."""
AXES = 40
"""Components in which known galaxies are told apart; lengths of vectors are those of all dimensions."""
CHUNK = 4096
# The tail beyond the farthest known galaxy is that of a tenth of them, five at least.
TAIL, TAIL_LEAST = 0.1, 5


@dataclass(frozen=True)
class KnownGalaxies:
    """
    Galaxies that somebody has labelled or rated, against which others are held.

    Measured is the Euclidean distance of a galaxy's embedding from that of the most similar known galaxy, and the
    rank of that among the distances of the known galaxies from each other (each from the most similar other one): a
    conformal rank (Laxhammar & Falkman 2010, arXiv:1003.0206), turned such that 1 is unlike. Galaxies chosen as
    the known ones were are spread evenly over 0 to 1: one in twenty is above 0.95. Beyond the farthest of n known
    galaxies, at n / (n + 1), the rank approaches 1 along a power law, fitted to the tail of the known distances (Hill
    1975, *Annals of Statistics* 3, 1163).

    Attributes
    ----------
    mean : numpy.ndarray of float32, shape (d,)
        Of the known galaxies.
    scale : numpy.ndarray of float32, shape ()
        Root of the mean square of their distances from it; distances are in units of this.
    axes : numpy.ndarray of float32, shape (d, r)
        Principal axes of the known galaxies, at most 40.
    coordinates : numpy.ndarray of float32, shape (m, r)
        Known galaxies along these, at most 512.
    squares : numpy.ndarray of float32, shape (m,)
        Their squared distances from the mean, in all dimensions.
    distances : numpy.ndarray of float32, shape (q,)
        Of at most 1000 known galaxies from the most similar other one, ascending; fewer than two where too few are
        known to tell what is usual.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.catalogue import KnownGalaxies
    >>> known = KnownGalaxies.of(np.random.default_rng(0).normal(size=(600, 64)))
    >>> known.axes.shape, known.coordinates.shape
    ((64, 40), (512, 40))
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    coordinates: np.ndarray
    squares: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(
        cls, vectors: np.ndarray, *, groups: ArrayLike | None = None, unseen: ArrayLike | None = None
    ) -> "KnownGalaxies":
        """
        Keep known galaxies.

        Parameters
        ----------
        vectors : numpy.ndarray of float, shape (n, d)
            Their embeddings, finite, at least one.
        groups : int array of shape (n,), optional
            Which of them are images of the same galaxy, and not compared.
        unseen : int array, optional
            Rows that the encoder was not trained on, if it was on the others, which it then places better: what is
            usual is the distance of these from the others.

        Returns
        -------
        KnownGalaxies

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.catalogue import KnownGalaxies
        >>> galaxies = np.random.default_rng(0).normal(size=(300, 4))
        >>> known = KnownGalaxies.of(galaxies[:200])
        >>> bool(0.3 < known.unlike(galaxies[200:]).mean() < 0.7)
        True
        >>> bool(known.unlike(galaxies[200:] + 9).min() > 0.99)
        True
        """
        groups = np.arange(len(vectors)) if groups is None else np.asarray(groups)
        rows = _distinct(vectors)
        kept, judged = (
            (rows, rows) if unseen is None else (np.setdiff1d(rows, unseen), np.intersect1d(rows, unseen))
        )
        kept, judged = _at_even_steps(kept, MOST), _at_even_steps(judged, JUDGED)
        double = np.asarray(vectors[kept], float)
        mean = double.mean(axis=0).astype(np.float32)
        centred = double - mean
        scale = np.sqrt((centred**2).sum(axis=1).mean()) or 1.0
        centred /= scale
        axes = _leading_axes(centred)
        known = cls(
            mean,
            np.array(scale, np.float32),
            axes.astype(np.float32),
            (centred @ axes).astype(np.float32),
            (centred**2).sum(axis=1).astype(np.float32),
            np.empty(0, np.float32),
        )
        nearest = known._nearest(vectors[judged], groups[judged], groups[kept])
        return cls(**{**vars(known), "distances": np.sort(nearest[np.isfinite(nearest)])})

    def unlike(self, vectors: np.ndarray) -> np.ndarray:
        """
        Rank how far galaxies are from all known ones.

        Parameters
        ----------
        vectors : numpy.ndarray of float, shape (n, d)
            Embeddings of the same encoder; rows that are not finite get NaN.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            In 0 to 1: for a galaxy like the known ones anything is as usual, near 1 it is unlike all of them. NaN
            where too few galaxies are known.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.catalogue import KnownGalaxies
        >>> known = KnownGalaxies.of(np.arange(10.0)[:, None] ** 2)
        >>> known.unlike(np.array([[16.0], [1000.0], [np.nan]])).round(2).tolist()
        [0.0, 1.0, nan]
        """
        if len(self.distances) < 2:
            return np.full(len(vectors), np.nan)
        usual = np.maximum(self.distances.astype(float), np.finfo(np.float32).tiny)
        farthest, n = usual[-1], len(usual)
        nearest = self._nearest(vectors).astype(float)
        rank = np.interp(nearest, np.append(0, usual), np.arange(n + 1) / (n + 1))
        tail = min(max(TAIL_LEAST, int(TAIL * n)), n - 1)
        steepness = 1 / max(np.log(farthest / usual[-1 - tail : -1]).mean(), 1e-9)
        far = nearest > farthest
        rank[far] = 1 - (farthest / nearest[far]) ** steepness / (n + 1)
        return rank

    def _nearest(
        self,
        vectors: np.ndarray,
        groups: np.ndarray | None = None,
        known_groups: np.ndarray | None = None,
    ) -> np.ndarray:
        """Distance from the most similar known galaxy, of another group where these are given, float32 (n,)."""
        import torch

        # The square of the distance of x from r is |x|^2 + |r|^2 - 2 x.r; one product gives all but the first.
        known = np.concatenate([self.squares[:, None], -2 * self.coordinates], axis=1)
        known, axes = torch.from_numpy(known), torch.from_numpy(self.axes)
        found = np.empty(len(vectors), np.float32)

        def measure(start: int) -> None:
            rows = slice(start, start + CHUNK)
            precision = np.promote_types(vectors.dtype, np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.subtract(vectors[rows], self.mean, dtype=precision)
                block /= self.scale.astype(precision)
                block = torch.from_numpy(block.astype(np.float32, copy=False))
            within = torch.cat([torch.ones(len(block), 1), block @ axes], 1)
            squares = within @ known.T
            if groups is not None:
                squares[torch.from_numpy(groups[rows, None] == known_groups)] = torch.inf
            squares = squares.min(dim=1).values + torch.linalg.vector_norm(block, dim=1).square_()
            found[rows] = squares.clamp_min_(0).sqrt_().numpy()

        for_each_block(measure, range(0, len(vectors), CHUNK), torch.device("cpu"))
        return found


def _distinct(vectors: np.ndarray) -> np.ndarray:
    """Rows without those that repeat an earlier one, which would say that no distance at all is usual."""
    first: dict[int, int] = {}
    for row, vector in enumerate(vectors):
        first.setdefault(hash(vector.tobytes()), row)
    return np.array(list(first.values()) if len(first) > 1 else range(len(vectors)))


def _at_even_steps(rows: np.ndarray, most: int) -> np.ndarray:
    """All rows, or of many so many at even steps."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _leading_axes(centred: np.ndarray) -> np.ndarray:
    """Orthonormal axes of most variance, shape (d, r), from the inner products of the rows."""
    squares, left = np.linalg.eigh(centred @ centred.T)
    squares, left = squares[::-1][:AXES], left[:, ::-1][:, :AXES]
    kept = squares > 1e-10 * max(squares[0], 1e-10)
    return centred.T @ (left[:, kept] / np.sqrt(squares[kept]))
