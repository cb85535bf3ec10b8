"""A catalogue's galaxies in the space where interest is learned, and what is thought of each of them."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from galzoo_repr.anomaly._acquisition import choose_first_batch
from galzoo_repr.anomaly._interest import InterestModel
from galzoo_repr.anomaly._unsupervised import unusual_scores
from galzoo_repr.catalogue import Embeddings, Reduction
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["Judgement", "ReducedCatalogue"]


class ReducedCatalogue:
    """
    Galaxies of a catalogue in the space where interest is learned, reduced once however often ratings are added.

    Parameters
    ----------
    embeddings : Embeddings
    model : InterestModel, optional
        Its options are used; its components too if it is fitted.
    """

    def __init__(self, embeddings: Embeddings, model: InterestModel | None = None):
        self.model = InterestModel() if model is None else model
        self.model._check_options()
        if hasattr(self.model, "reduction_"):
            self.reduction = self.model.reduction_
            self.features = self.reduction.transform(embeddings)
        elif embeddings.usable.sum() < 2:
            # One galaxy cannot be compared with any other.
            self.reduction = None
            self.features = np.where(embeddings.usable, 0, np.nan)[:, None].astype(np.float32)
        else:
            self.reduction = Reduction.fit(embeddings, self.model.n_components)
            self.features = self.reduction.transform(embeddings)

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
        unsupervised: str = "isolation_forest",
        seed: int = 0,
    ) -> "Judgement":
        """
        Score every galaxy, by the ratings if there are any and by how unusual it is otherwise.

        Parameters
        ----------
        ratings : float64 array of shape (n,)
            NaN where not rated.
        noise : float array of shape (n,), optional
        unsupervised : {"isolation_forest", "local_outlier_factor"}
        seed : int
        """
        rated = np.isfinite(ratings)
        if (rated & ~self.usable).any():
            warnings.warn(
                f"{(rated & ~self.usable).sum()} of {rated.sum()} rated galaxies have no embedding: "
                "their ratings are kept but teach nothing",
                GalzooWarning,
                stacklevel=4,
            )
        if self.reduction is None or not (rated & self.usable).any():
            scores = unusual_scores(self.features, method=unsupervised, seed=seed)
            return Judgement(self, None, scores, np.full(len(scores), np.nan))
        model = clone(self.model)._fit_reduced(self.reduction, self.features, ratings, noise)
        return self.apply(model)

    def apply(self, model: InterestModel) -> "Judgement":
        """Score every galaxy by a fitted model."""
        return Judgement(self, model, *model._predict_reduced(self.features, True))


@dataclass(frozen=True)
class Judgement:
    """Scores of all galaxies, by a `model` or, where that is None, by how unusual each is."""

    catalogue: ReducedCatalogue
    model: InterestModel | None
    score: np.ndarray
    std: np.ndarray

    @cached_property
    def improvement(self) -> np.ndarray:
        """Expected improvement of each galaxy, NaN while nothing is rated."""
        if self.model is None:
            return np.full(len(self.score), np.nan)
        return self.model._improvement(self.score, self.std)

    def choose(self, n: int, exclude: np.ndarray, *, first: str = "diverse", seed: int = 0) -> np.ndarray:
        """Rows to rate next, none of them in `exclude`."""
        features = self.catalogue.features
        if self.model is not None:
            return self.model._choose(features, self.score, self.std, n, exclude)
        return choose_first_batch(
            np.where(exclude[:, None], np.nan, features), self.score, n, method=first, seed=seed
        )
