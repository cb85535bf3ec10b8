"""The model of one researcher's interest: from some ratings to a predicted rating for every galaxy."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from galzoo_repr._arguments import check_choice, check_number, check_path, check_whole_number
from galzoo_repr._device import choose_device
from galzoo_repr.anomaly._acquisition import BATCHES
from galzoo_repr.anomaly._gaussian_process import METHODS
from galzoo_repr.anomaly._learned import LearnedInterest, emphasis_of, learn
from galzoo_repr.anomaly._persistence import LEARNED, read_folder, write_folder
from galzoo_repr.anomaly._raters import each_rater
from galzoo_repr.anomaly._ratings import check_ratings, checked_scale
from galzoo_repr.catalogue import Embeddings, KnownGalaxies, Reduction, embedding_matrix, warn_of_sentinels

__all__ = ["InterestModel"]


class InterestModel(BaseEstimator):
    """
    Predict how a researcher would rate each galaxy from the few she rated.

    The embeddings of the whole catalogue are reduced to their leading principal components, on which a Gaussian
    process regression learns the ratings, as in Walmsley et al. (2022, MNRAS 513, 1581). All arrays;
    `galzoo_repr.add_anomaly_scores` does the same for a table.

    Parameters
    ----------
    method : {"steady", "paper"}
        ``"steady"``: components under one common scale, and a smooth kernel that is the same however few ratings
        there are. ``"paper"``: whitened components, and a rational quadratic kernel and white noise whose parameters
        are those of highest marginal likelihood; with ``batch="top"`` the paper's process in all.
    n_components : int
        Principal components kept.
    rating_scale : (float, float), optional
        Lowest and highest rating that can be given; the lowest means "not interesting" and is what is
        expected of a galaxy unlike any rated one. Where absent: from zero (or the lowest rating, if negative)
        to the highest rating; ratings that are all equal then count as the lowest.
    tradeoff : float
        Improvement over the best rating that is worth nothing yet, in fifths of the rating scale: the paper's
        0.5.
    batch : {"distinct", "top"}
        How a batch is chosen: the rows of highest expected improvement that are not alike (local
        penalisation, Gonzalez et al. 2016), or simply those of highest expected improvement, as in the
        paper, which may be many of the same galaxy.
    device : str, optional
        Where to predict; a graphics card if there is one.

    Attributes
    ----------
    reduction_ : Reduction
        The principal components.
    process_ : RatingProcess
        The Gaussian process, conditioned on the ratings on a scale of 0 to 5.
    scale_ : (float, float)
        The rating scale in use.
    raters_ : Table
        A row for each rater: ``n_rated``, ``noise``, and on the galaxies that others rated too, ``n_shared``, the
        ``offset`` of her ratings from theirs, the ``correlation`` and the ``agreement``, a quadratically weighted
        kappa.
    encoder_ : dict
        Name and digest of the encoder whose embeddings it was fitted on, where that is known.
    emphasis_ : float32 array of shape (k,) or None
        Factor on each component, while all ratings are low.
    beside_ : Beside or None
        Columns that are read beside the embeddings, where `galzoo_repr.anomaly.fit_interest` was given any.
    known_ : KnownGalaxies or None
        The rated galaxies, to tell what is unlike all of them; None in a model that an earlier version saved.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import InterestModel
    >>> embeddings = np.random.default_rng(0).normal(size=(500, 8)).astype("float32")
    >>> ratings = np.full(500, np.nan)
    >>> ratings[:60] = (embeddings[:60, 0] > 0.5) * 5
    >>> model = InterestModel(n_components=8).fit(embeddings, ratings)
    >>> scores, std = model.predict(embeddings, return_std=True)
    >>> bool(embeddings[np.argsort(-scores)[:50], 0].mean() > 1)
    True
    >>> model.next_batch(embeddings, n=3, exclude=np.isfinite(ratings)).shape
    (3,)
    >>> model.nothing_found_
    False
    """

    # Arguments that no scikit-learn pipeline passes through, hence no methods to ask for them.
    __metadata_request__fit = {"ratings": UNUSED, "noise": UNUSED, "raters": UNUSED}  # noqa: RUF012
    __metadata_request__predict = {"return_std": UNUSED}  # noqa: RUF012

    def __init__(
        self,
        *,
        method: str = "steady",
        n_components: int = 40,
        rating_scale: tuple[float, float] | None = None,
        tradeoff: float = 0.5,
        batch: str = "distinct",
        device: str | None = None,
    ):
        self.method = method
        self.n_components = n_components
        self.rating_scale = rating_scale
        self.tradeoff = tradeoff
        self.batch = batch
        self.device = device

    def fit(
        self,
        X: ArrayLike,
        ratings: ArrayLike,
        noise: ArrayLike | None = None,
        *,
        raters: Sequence[str] | None = None,
    ) -> "InterestModel":
        """
        Learn from ratings.

        Parameters
        ----------
        X : array of shape (n, d)
            Embeddings of the whole catalogue, rated or not; rows that are not finite are left out.
        ratings : float array of shape (n,) or (n, raters)
            NaN where a galaxy is not rated. Galaxies rated differently though they look the same are no
            error. Of several raters, whoever is further from what the others make expect counts less.
        noise : float array of shape (n,) or (n, raters), optional
            Standard deviation of each rating, beside the scatter that is found; NaN counts as zero.
        raters : list of str, optional
            Names of the raters, for `raters_`.

        Returns
        -------
        InterestModel
            Itself.

        Raises
        ------
        ValueError
            If no rated galaxy has a finite embedding, a rating is infinite or off the `rating_scale`, or an
            option is not allowed.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> model = InterestModel(n_components=4).fit(embeddings, ratings)
        >>> model.scale_
        (0.0, 5.0)
        """
        self._check_options()
        embeddings = embedding_matrix(X, "X")
        reduction = Reduction.fit(embeddings, self.n_components, **self._scaling)
        ratings = each_rater(ratings, len(embeddings), check_ratings)
        if self.rating_scale is None:
            warn_of_sentinels(
                ratings.ravel(), "rating", None, otherwise="give rating_scale=(lowest, highest)"
            )
        # Only rated rows are needed, and the catalogue may be large.
        rated = Embeddings(embeddings.vectors, embeddings.usable & np.isfinite(ratings).any(axis=1))
        self._fit_reduced(reduction, reduction.transform(rated), ratings, noise, raters)
        self.known_ = KnownGalaxies.of(rated.vectors[rated.usable])
        return self

    def _fit_reduced(
        self,
        reduction: Reduction,
        features: np.ndarray,
        ratings: ArrayLike,
        noise: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> "InterestModel":
        """Learn from ratings, by one or several raters, of galaxies that are reduced already."""
        options = {"method": self.method, "rating_scale": self.rating_scale}
        learned, self.raters_ = learn(reduction, features, ratings, noise, names, **options)
        self.process_, self.scale_, self.emphasis_ = learned.process, learned.scale, learned.emphasis
        self.reduction_, self.encoder_, self.known_, self.beside_ = reduction, {}, None, None
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """
        Predict the rating of each galaxy.

        Parameters
        ----------
        X : array of shape (n, d)
            Embeddings.
        return_std : bool
            Whether to return the standard deviation of the rating too.

        Returns
        -------
        mean : float64 array of shape (n,), or (mean, std)
            On the scale of the ratings; NaN where an embedding is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> model = InterestModel(n_components=4).fit(embeddings, ratings)
        >>> scores, std = model.predict(embeddings, return_std=True)
        >>> bool(np.corrcoef(scores, embeddings[:, 0])[0, 1] > 0.8)
        True
        """
        mean, std = self._predict_reduced(self._reduced(X), return_std)
        return (mean, self._learned.rating_std(mean, std)) if return_std else mean

    def expected_improvement(self, X: ArrayLike) -> np.ndarray:
        """
        Compute the expected improvement over the best rating so far.

        Parameters
        ----------
        X : array of shape (n, d)
            Embeddings.

        Returns
        -------
        float64 array of shape (n,)
            On the scale of the ratings; NaN where an embedding is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> model = InterestModel(n_components=4).fit(embeddings, ratings)
        >>> improvement = model.expected_improvement(embeddings)
        >>> improvement.shape, bool(improvement.min() >= 0)
        ((100,), True)
        """
        predicted = self._predict_reduced(self._reduced(X), True)
        return self._learned.improvement(*predicted, self.tradeoff)

    def next_batch(self, X: ArrayLike, n: int = 10, *, exclude: ArrayLike | None = None) -> np.ndarray:
        """
        Choose the rows to rate next.

        Parameters
        ----------
        X : array of shape (n_rows, d)
            Embeddings.
        n : int
            How many rows.
        exclude : bool array of shape (n_rows,), optional
            Rows not to choose, such as those rated already.

        Returns
        -------
        int array
            Rows in order of choice; fewer than `n` where no more can be chosen.

        Raises
        ------
        ValueError
            If `n` is no whole number from 1, or `exclude` does not say yes or no for each row.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> model = InterestModel(n_components=4).fit(embeddings, ratings)
        >>> rows = model.next_batch(embeddings, 5, exclude=np.isfinite(ratings))
        >>> bool((rows >= 40).all())
        True
        """
        check_whole_number("n", n)
        features = self._reduced(X)
        mean, std = self._predict_reduced(features, True)
        return self._choose(features, mean, std, n, exclude)

    def save(self, folder: str | os.PathLike, *, overwrite: bool = False) -> None:
        """
        Save a fitted model: ``interest.json`` and ``interest.safetensors``, or with a digest in the latter's name.

        Parameters
        ----------
        folder : str or os.PathLike
            Made if it does not exist.
        overwrite : bool
            Whether an interest that is there may be replaced.

        Raises
        ------
        FileExistsError
            If there is one and it may not be replaced.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> InterestModel(n_components=4).fit(embeddings, ratings).save("mergers")
        >>> InterestModel.load("mergers").predict(embeddings).shape
        (100,)
        """
        self._check_fitted()
        # Where it was computed is no part of what was learned. Numbers may be numpy's, which JSON has not.
        scale = None if self.rating_scale is None else checked_scale(self.rating_scale)
        numbers = {"n_components": int(self.n_components), "tradeoff": float(self.tradeoff)}
        write_folder(
            check_path(folder, "an interest"),
            {"method": self.method, "batch": self.batch, "rating_scale": scale, **numbers},
            {name: getattr(self, name) for name in LEARNED},
            overwrite=overwrite,
        )

    @classmethod
    def load(cls, folder: str | os.PathLike, *, device: str | None = None) -> "InterestModel":
        """
        Read a model that `save` wrote; nothing in it is executed.

        Parameters
        ----------
        folder : str or os.PathLike
        device : str, optional
            Where to predict; a graphics card if there is one.

        Returns
        -------
        InterestModel
            Predicting as the saved one did.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If the files are of a later version, or have changed.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import InterestModel
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
        >>> ratings = np.where(np.arange(100) < 40, 5.0 * (embeddings[:, 0] > 0), np.nan)
        >>> model = InterestModel(n_components=4).fit(embeddings, ratings)
        >>> model.save("mergers")
        >>> bool(np.allclose(InterestModel.load("mergers").predict(embeddings), model.predict(embeddings)))
        True
        """
        options, learned = read_folder(check_path(folder, "an interest"))
        model = cls(**options, device=device)
        vars(model).update(learned)
        model.emphasis_ = emphasis_of(model.method, model.reduction_, model.process_.ratings)
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "process_"):
            raise ValueError("this InterestModel has not been fitted: call fit(embeddings, ratings) first")

    def _reduced(self, X: ArrayLike) -> np.ndarray:
        self._check_fitted()
        embeddings, beside = embedding_matrix(X, "X"), getattr(self, "beside_", None)
        if beside is not None and embeddings.dim != len(self.reduction_.mean):
            raise ValueError(
                f"this interest reads the columns {beside} beside the embeddings, and X has {embeddings.dim} "
                f"dimensions of {len(self.reduction_.mean)}; use add_anomaly_scores or next_to_rate on a table that "
                "has them"
            )
        return self.reduction_.transform(embeddings)

    @property
    def _learned(self) -> LearnedInterest:
        self._check_fitted()
        return LearnedInterest(self.process_, self.scale_, self.emphasis_)

    @property
    def nothing_found_(self) -> bool:
        """Whether all ratings are about the lowest, so that nothing says what is interesting."""
        return self._learned.nothing_found

    def _predict_reduced(
        self, features: np.ndarray, return_std: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean of each rating, and the standard deviation that guides the search."""
        return self._learned.predict(features, return_std=return_std, device=self.device)

    def _choose(
        self, features: np.ndarray, mean: np.ndarray, std: np.ndarray, n: int, exclude: ArrayLike | None
    ) -> np.ndarray:
        """Rows to rate next, given the predictions for `features`."""
        how = {"tradeoff": self.tradeoff, "method": self.batch}
        return self._learned.choose(features, mean, std, n, exclude, **how)

    @property
    def _scaling(self) -> dict[str, bool]:
        return {"whiten": True} if self.method == "paper" else {"whiten": False, "normalise": True}

    def _check_options(self) -> None:
        """Refuse what is no option, before anything is computed."""
        check_whole_number("n_components", self.n_components)
        check_choice("method", self.method, METHODS)
        check_choice("batch", self.batch, BATCHES)
        check_number("tradeoff", self.tradeoff)
        if self.rating_scale is not None:
            checked_scale(self.rating_scale)
        if self.device is not None:
            choose_device(self.device)
