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
from galzoo_repr.anomaly._raters import warn_of_disagreement
from galzoo_repr.anomaly._unsupervised import unusual_scores
from galzoo_repr.catalogue import Embeddings, reduce_embeddings
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
        if not hasattr(self.model, "reduction_") and embeddings.usable.sum() < 2:
            # One galaxy cannot be compared with any other.
            self.reduction = None
            self.features = np.where(embeddings.usable, 0, np.nan)[:, None].astype(np.float32)
            self._latest = {}
        else:
            components = getattr(self.model, "reduction_", self.model.n_components)
            reduced = reduce_embeddings(embeddings, components)
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
        """
        rated = np.atleast_2d(np.isfinite(ratings).T).any(axis=0)
        if (rated & ~self.usable).any():
            warnings.warn(
                f"{(rated & ~self.usable).sum()} of {rated.sum()} rated galaxies have no embedding: "
                "their ratings are kept but teach nothing",
                GalzooWarning,
                stacklevel=4,
            )
        if self.reduction is None or not (rated & self.usable).any():
            (scores,) = self._recalled(
                f"unusual {unsupervised} {seed}",
                lambda: (unusual_scores(self.features, method=unsupervised, seed=seed),),
            )
            return Judgement(self, None, scores, np.full(len(scores), np.nan))
        model = clone(self.model)._fit_reduced(self.reduction, self.features, ratings, noise, raters)
        warn_of_disagreement(model.raters_, stacklevel=4)
        return self.apply(model)

    def apply(self, model: InterestModel) -> "Judgement":
        """Score every galaxy by a fitted model."""
        scores = self._recalled(_told_apart(model), lambda: model._predict_reduced(self.features, True))
        return Judgement(self, model, *scores)

    def _recalled(self, by: str, compute: Callable[[], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """Arrays for all galaxies; the last ones computed are kept with the catalogue, for the next verb to ask."""
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
