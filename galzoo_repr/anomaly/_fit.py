"""An interest learned from a catalogue, to be saved or applied to another one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.anomaly._columns import known_galaxies
from galzoo_repr.anomaly._judge import DEFAULT_RATINGS, check_model, encoder_of
from galzoo_repr.anomaly._raters import (
    check_raters,
    ratings_by_rater,
    warn_of_disagreement,
    warn_of_lost_ratings,
    warn_of_odd_ratings,
)
from galzoo_repr.anomaly._unsupervised import grown_forest
from galzoo_repr.catalogue import Beside, as_table, read_embeddings, reduce_embeddings

if TYPE_CHECKING:
    from galzoo_repr.anomaly._interest import InterestModel

__all__ = ["fit_interest", "fit_unusual", "new_model"]


def fit_interest(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] = DEFAULT_RATINGS,
    *,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
) -> "InterestModel":
    """
    Learn an interest from the rated rows of a catalogue, to save it or apply it to another catalogue.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    ratings : str or list of str
        Column of ratings as for `add_anomaly_scores`, or one for each of several raters.
    model : InterestModel, optional
        Options.
    noise : str or list of str, optional
        Column with the standard deviation of each rating; for several raters one for each, or one for all.
    embedding : str
        Column of embeddings, shape (n, d).
    beside : mapping of str to float, optional
        As for `add_anomaly_scores`. The model keeps the scales, and reads these columns of any table it is applied to.

    Returns
    -------
    InterestModel
        It remembers which encoder made the embeddings, if the table's provenance says so.

    Raises
    ------
    ValueError
        If a column is missing, or nothing is rated.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.anomaly import fit_interest
    >>> embedding = np.random.default_rng(1).normal(size=(200, 4)).astype("float32")
    >>> interest = np.where(np.arange(200) < 40, np.clip(2 + 2 * embedding[:, 0], 0, 5), np.nan)
    >>> model = fit_interest(Table({"embedding": embedding, "interest": interest}))
    >>> other = gzr.add_anomaly_scores(Table({"embedding": embedding[100:]}), model=model)
    >>> int((other["anomaly_rank"] > 0).sum())
    100
    """
    table = as_table(table, copy=False)
    raters = check_raters("ratings", ratings)
    values, spread = ratings_by_rater(table, raters, noise)
    embeddings = read_embeddings(table, embedding)
    fitted = new_model(model)
    fitted._check_options()
    scaled = None if beside is None else Beside.of(table, beside, embeddings)
    if scaled is not None:
        embeddings = scaled.beside_embeddings(embeddings, table)
    warn_of_odd_ratings(table, raters, values, fitted.rating_scale)
    reduced = reduce_embeddings(embeddings, fitted.n_components, **fitted._scaling)
    fitted._fit_reduced(reduced.reduction, reduced.features, values, spread, raters)
    warn_of_lost_ratings(values, embeddings.usable)
    warn_of_disagreement(fitted.raters_)
    fitted.encoder_ = encoder_of(table, embeddings)
    fitted.known_ = known_galaxies(embeddings, values)
    fitted.beside_ = scaled
    return fitted


def fit_unusual(
    table: Table, *, model: "InterestModel | None" = None, embedding: str = "embedding", seed: int = 0
) -> "InterestModel":
    """
    Learn from a sample of a catalogue what is usual in it, while nothing is rated.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    model : InterestModel, optional
        Options.
    embedding : str
        Column of embeddings, shape (n, d).
    seed : int
        Of the isolation forest.

    Returns
    -------
    InterestModel
        To be given to `add_anomaly_scores` with any part of the catalogue. It has components and an isolation forest,
        ``forest_``, but no interest.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.anomaly import fit_unusual
    >>> cat = Table({"embedding": np.random.default_rng(1).normal(size=(200, 4))})
    >>> cat["embedding"][150] = 9
    >>> scored = gzr.add_anomaly_scores(cat[100:], model=fit_unusual(cat[:100]))
    >>> int(np.argmax(scored["anomaly_score"]))
    50
    """
    embeddings = read_embeddings(as_table(table, copy=False), embedding)
    fitted = new_model(model)
    if embeddings.usable.sum() < 2:
        raise ValueError(
            f"fewer than two galaxies have an embedding in {embedding!r}: nothing is usual among them"
        )
    from galzoo_repr.anomaly._scoring import ReducedCatalogue

    catalogue = ReducedCatalogue(embeddings, fitted)
    fitted.reduction_ = catalogue.reduction
    fitted.forest_ = grown_forest(catalogue.features[catalogue.usable], seed)
    return fitted


def new_model(model: "InterestModel | None") -> "InterestModel":
    """Make a model that is not fitted, with the options of the one given."""
    from sklearn.base import clone

    from galzoo_repr.anomaly._interest import InterestModel

    check_model(model)
    return InterestModel() if model is None else clone(model)
