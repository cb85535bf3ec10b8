"""A catalogue's galaxies in the space where interest is learned, and what is thought of each of them."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from galzoo_repr.anomaly._acquisition import choose_first_batch
from galzoo_repr.anomaly._interest import InterestModel
from galzoo_repr.anomaly._unsupervised import unusual_scores
from galzoo_repr.catalogue import Embeddings, reduce_embeddings
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["Judgement", "ReducedCatalogue"]

# Ratings from which on it is told whether they follow from the galaxies at all; of fewer nobody expects much.
ENOUGH_TO_TELL = 20
# Quantile of a normal distribution that one in twenty exceeds.
CHANCE = 1.64


class ReducedCatalogue:
    """
    Galaxies of a catalogue in the space where interest is learned, reduced once however often ratings are added.

    Parameters
    ----------
    embeddings : Embeddings
    model : InterestModel, optional
        Its options are used; its components too if it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import InterestModel, ReducedCatalogue
    >>> from galzoo_repr.catalogue import embedding_matrix
    >>> vectors = np.random.default_rng(1).normal(size=(200, 8))
    >>> vectors[7] = np.nan
    >>> catalogue = ReducedCatalogue(embedding_matrix(vectors), InterestModel(n_components=4))
    >>> catalogue.features.shape, int(catalogue.usable.sum())
    ((200, 4), 199)
    """

    def __init__(self, embeddings: Embeddings, model: InterestModel | None = None):
        self.model = InterestModel() if model is None else model
        self.model._check_options()
        if not hasattr(self.model, "reduction_") and embeddings.usable.sum() < 2:
            # One galaxy cannot be compared with any other.
            self.reduction = None
            self.features = np.where(embeddings.usable, 0, np.nan)[:, None].astype(np.float32)
            self._latest = {}
        else:
            components = getattr(self.model, "reduction_", self.model.n_components)
            reduced = reduce_embeddings(embeddings, components, **self.model._scaling)
            self.reduction, self.features, self._latest = reduced.reduction, reduced.features, reduced.latest

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def usable(self) -> np.ndarray:
        """Whether each galaxy has an embedding, bool array of shape (n,)."""
        return np.isfinite(self.features).all(axis=1)

    def judge(
        self,
        ratings: np.ndarray,
        noise: ArrayLike | None = None,
        *,
        raters: Sequence[str] | None = None,
        unsupervised: str = "isolation_forest",
        seed: int = 0,
    ) -> "Judgement":
        """
        Score every galaxy, by the ratings if there are any and by how unusual it is otherwise.

        Parameters
        ----------
        ratings : float64 array of shape (n,) or (n, raters)
            NaN where not rated.
        noise : float array of shape (n,) or (n, raters), optional
        raters : list of str, optional
            Names of the raters.
        unsupervised : {"isolation_forest", "local_outlier_factor"}
        seed : int

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import ReducedCatalogue
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> vectors = np.random.default_rng(1).normal(size=(200, 4))
        >>> ratings = np.where(np.arange(200) < 40, 5.0 * (vectors[:, 0] > 0), np.nan)
        >>> judgement = ReducedCatalogue(embedding_matrix(vectors)).judge(ratings)
        >>> bool(np.corrcoef(judgement.score, vectors[:, 0])[0, 1] > 0.8)
        True
        """
        rated = np.atleast_2d(np.isfinite(ratings).T).any(axis=0)
        if self.reduction is None or not (rated & self.usable).any():
            (scores,) = self._recalled(
                f"unusual {unsupervised} {seed}",
                lambda: (
                    unusual_scores(
                        self.features,
                        method=unsupervised,
                        seed=seed,
                        forest=getattr(self.model, "forest_", None),
                    ),
                ),
            )
            return Judgement(self, None, scores, np.full(len(scores), np.nan))
        return self.apply(
            clone(self.model)._fit_reduced(self.reduction, self.features, ratings, noise, raters)
        )

    def unjudged(self) -> "Judgement":
        """
        Think nothing of any galaxy, which is enough to choose a first batch that is diverse or random, at once.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import ReducedCatalogue
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> catalogue = ReducedCatalogue(embedding_matrix(np.random.default_rng(1).normal(size=(200, 4))))
        >>> catalogue.unjudged().choose(5, np.zeros(200, bool)).shape
        (5,)
        """
        nothing = np.full(len(self), np.nan)
        return Judgement(self, None, nothing, nothing)

    def apply(self, model: InterestModel) -> "Judgement":
        """
        Score every galaxy by a fitted model.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import InterestModel, ReducedCatalogue
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> vectors = np.random.default_rng(1).normal(size=(200, 4))
        >>> model = InterestModel().fit(vectors[:100], 5.0 * (vectors[:100, 0] > 0))
        >>> judgement = ReducedCatalogue(embedding_matrix(vectors[100:]), model).apply(model)
        >>> bool(np.corrcoef(judgement.score, vectors[100:, 0])[0, 1] > 0.8)
        True
        """
        scores = self._recalled(_told_apart(model), lambda: model._predict_reduced(self.features, True))
        return Judgement(self, model, *scores)

    def _recalled(self, by: str, compute: Callable[[], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """Arrays for all galaxies; the last ones computed are kept with the catalogue, for the next function to ask."""
        last, arrays = self._latest.get("scores", ("", ()))
        if last != by:
            arrays = compute()
            self._latest["scores"] = by, arrays
        # They become columns, which may be changed.
        return [array.copy() for array in arrays]


def _told_apart(model: InterestModel) -> str:
    """SHA-256 of what the predictions of a fitted model depend on, besides its components."""
    digest = hashlib.sha256(repr((model.scale_, model.device)).encode())
    for one in fields(model.process_):
        value = getattr(model.process_, one.name)
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Judgement:
    """
    What is thought of all galaxies, by a `model` or, where that is None, by how unusual each is.

    `mean` is the predicted rating, or how unusual a galaxy is; `spread` guides the search for the next to rate.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import ReducedCatalogue
    >>> from galzoo_repr.catalogue import embedding_matrix
    >>> catalogue = ReducedCatalogue(embedding_matrix([[1.0, 0.0], [0.6, 0.8], [0.9, 0.2], [0.0, 1.0]]))
    >>> judgement = catalogue.judge(np.array([5.0, 0.0, np.nan, np.nan]))
    >>> judgement.score.round(1).tolist(), judgement.rating_std.shape, judgement.improvement[2:].round(2).tolist()
    ([1.7, 0.1, 1.3, -0.9], (4,), [0.03, 0.0])
    >>> judgement.by_unlikeness
    False
    """

    catalogue: ReducedCatalogue
    model: InterestModel | None
    mean: np.ndarray
    spread: np.ndarray

    @property
    def by_unlikeness(self) -> bool:
        """Whether ratings are all low or equal, so that galaxies are scored by how unlike the rated ones they are."""
        return self.model is not None and self.model.nothing_found_

    @cached_property
    def score(self) -> np.ndarray:
        """Score of each galaxy: predicted rating, or how unusual it is, and unlike any that was rated."""
        return self.model._learned.unlike(self.spread) if self.by_unlikeness else self.mean

    @cached_property
    def rating_std(self) -> np.ndarray:
        """Standard deviation of the predicted rating, NaN while nothing is rated."""
        return self.spread if self.model is None else self.model._learned.rating_std(self.mean, self.spread)

    @cached_property
    def improvement(self) -> np.ndarray:
        """Expected improvement of each galaxy, NaN while nothing is rated."""
        if self.model is None:
            return np.full(len(self.mean), np.nan)
        return self.model._learned.improvement(self.mean, self.spread, self.model.tradeoff)

    def choose(self, n: int, exclude: np.ndarray, *, first: str = "diverse", seed: int = 0) -> np.ndarray:
        """
        Rows to rate next, none of them in `exclude`.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import ReducedCatalogue
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> catalogue = ReducedCatalogue(embedding_matrix([[1.0, 0.0], [0.6, 0.8], [0.9, 0.2], [0.0, 1.0]]))
        >>> ratings = np.array([5.0, 0.0, np.nan, np.nan])
        >>> catalogue.judge(ratings).choose(1, exclude=np.isfinite(ratings)).tolist()
        [2]
        """
        features = self.catalogue.features
        if self.model is not None:
            return self.model._choose(features, self.mean, self.spread, n, exclude)
        return choose_first_batch(
            np.where(exclude[:, None], np.nan, features), self.mean, n, method=first, seed=seed
        )

    def warn_of_ignorance(self, stacklevel: int = 2) -> None:
        """
        Warn where the ratings say little or nothing about other galaxies, with the reason and what to do.

        Examples
        --------
        >>> import warnings
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import ReducedCatalogue
        >>> from galzoo_repr.catalogue import embedding_matrix
        >>> judgement = ReducedCatalogue(embedding_matrix([[1.0, 0.0], [0.6, 0.8]])).judge(np.array([0.0, 0.0]))
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     judgement.warn_of_ignorance()
        >>> str(said[0].message).partition(":")[0]
        'All 2 ratings are equal'
        """
        if self.model is not None and (doubt := _doubt(self.model)):
            warnings.warn(doubt, GalzooWarning, stacklevel=stacklevel + 1)


def _doubt(model: InterestModel) -> str:
    """Say why the scores of a model are to be doubted, empty if they are not."""
    ratings = model.process_.ratings
    n = len(ratings)
    if model.nothing_found_:
        equal = "equal" if np.ptp(ratings) == 0 else "about the lowest"
        which = f"All {n} ratings are {equal}" if n > 1 else "There is one rating"
        return (
            f"{which}: nothing says yet what is interesting. The score is how unusual a galaxy "
            "is and how unlike those rated. Rate more galaxies; if those rated are of the interesting kind, give "
            "InterestModel(rating_scale=(lowest, highest))."
        )
    if np.ptp(ratings) == 0:
        which = f"All {n} ratings are equal and" if n > 1 else "There is one rating, and it is"
        return (
            f"{which} high: the score says how like what was rated a galaxy is, not what is special about it. "
            "Rate some that are not interesting."
        )
    # None of the ratings follows from the others where these predict the same for all.
    correlation = np.nan_to_num(model.process_.held_out_correlation)
    # Fisher's transformation: what one in twenty sets of ratings reach that have nothing to do with the galaxies.
    if n >= ENOUGH_TO_TELL and np.arctanh(np.clip(correlation, -0.999, 0.999)) * np.sqrt(n - 3) <= CHANCE:
        return (
            f"The {n} ratings hardly follow from what the galaxies look like: with that which all others predict for "
            f"it, a rating correlates by {correlation:.2f}. The scores may be no better than chance. Rate more "
            "galaxies; if that does not help, the encoder may not see what you look for, or ratings contradict each "
            "other."
        )
    return ""
