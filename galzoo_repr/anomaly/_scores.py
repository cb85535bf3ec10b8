"""Interest as columns of a catalogue: a score for every galaxy, and the rows to look at next."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._arguments import check_choice, check_seed, check_whole_number
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr.anomaly._acquisition import FIRST_BATCHES
from galzoo_repr.anomaly._columns import (
    column_of,
    facts_of,
    known_galaxies,
    rows_to_rate,
    score_columns,
    unlike_column,
)
from galzoo_repr.anomaly._raters import (
    check_raters,
    ratings_by_rater,
    warn_of_disagreement,
    warn_of_lost_ratings,
    warn_of_odd_ratings,
)
from galzoo_repr.anomaly._unsupervised import UNSUPERVISED, grown_forest
from galzoo_repr.catalogue import (
    Beside,
    Embeddings,
    as_table,
    read_embeddings,
    reduce_embeddings,
    refuse_existing,
    with_columns,
)
from galzoo_repr.exceptions import GalzooWarning

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.anomaly._interest import InterestModel
    from galzoo_repr.anomaly._scoring import Judgement

__all__ = ["add_anomaly_scores", "fit_interest", "fit_unusual", "next_to_rate", "ratings_of"]

DEFAULT_RATINGS = "interest"


def add_anomaly_scores(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] | None = DEFAULT_RATINGS,
    *,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    known_first: bool = False,
    unsupervised: str = "isolation_forest",
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
    seed: int = 0,
    name: str = "anomaly",
    overwrite: bool = False,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
) -> Table:
    """
    Add how interesting each galaxy would be to the researcher who rated some of them.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings. Or a HATS catalogue: its folder, or what LSDB made of it.
    ratings : str, list of str or None
        Column of ratings on any scale, higher is more interesting; NaN or masked where a galaxy is not rated.
        Several columns are of several raters, all on the same scale: each has a noise of her own, so that
        whoever rates with care counts for more, and the provenance of the call says how far they agree.
        Where nobody rated anything (no finite rating, None, or the default column is not there) the score
        says how unusual each galaxy is, and so does the column's description.
    model : InterestModel, optional
        One that is not fitted gives the options; one that is fitted is applied as it is, here to another
        catalogue embedded by the same encoder.
    noise : str or list of str, optional
        Column with the standard deviation of each rating; for several raters one for each, or one for all.
    known_first : bool
        Rank rated galaxies by their ratings (of several raters, the mean), a hundred times their worth, before
        the predictions: how the paper scored itself. Scores are not changed.
    unsupervised : {"isolation_forest", "local_outlier_factor"}
        Score while nothing is rated, see `galzoo_repr.anomaly.unusual_scores`.
    embedding : str
        Column of embeddings, shape (n, d); rows that are not finite get no score.
    beside : mapping of str to float, optional
        Columns that count beside the picture, and their weights, such as ``{"z": 0.5}``: each is a further feature,
        centred at its median and scaled by 1.4826 times its median absolute deviation, as far as five of these. With
        weight 1 it varies as much as the whole embedding. Missing values are the median. Of fluxes and masses take the
        logarithm first. Not with a `model` that is fitted.
    seed : int
        Of the isolation forest.
    name : str
        Start of the new columns' names, to keep several interests side by side.
    overwrite : bool
        Allow columns of these names to be replaced.
    out : str or os.PathLike, optional
        For a HATS catalogue: folder of the new one, see `galzoo_repr.hats.add_embeddings`.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.
    part : optional
        For a HATS catalogue: as for `galzoo_repr.hats.add_similarity`.

    Returns
    -------
    Table or QTable
        Same class and rows, with ``anomaly_score`` (float64, predicted rating, which may lie beyond the scale,
        and far beyond it where ``anomaly_unlike`` is near 1), ``anomaly_score_std``
        (float64, NaN for the unsupervised score), ``anomaly_rank`` (int64, 1 is the most interesting; -1
        without a score) and ``anomaly_unlike`` (float64, in 0 to 1: how far the galaxy is from all that were
        rated, the share of these that are closer to the most similar other one than it is to any of them. Of
        galaxies like the rated ones one in twenty is above 0.95; near 1 the predicted rating means little. NaN
        while fewer than two are rated, or if the model was saved by a version that did not keep them).

    Raises
    ------
    ValueError
        If a column is missing or has a wrong shape, or a rating is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(1).normal(size=(200, 4)).astype("float32")
    >>> interest = np.where(np.arange(200) < 40, np.clip(2 + 2 * embedding[:, 0], 0, 5), np.nan)
    >>> cat = Table({"embedding": embedding, "interest": interest})
    >>> cat = gzr.add_anomaly_scores(cat)
    >>> best = cat[cat["anomaly_rank"] == 1]
    >>> bool(best["embedding"][0, 0] > 1.5)
    True
    """
    if is_hats(table):
        return by_partition("add_anomaly_scores", locals())
    refuse_for_table(locals())
    table = as_table(table)
    refuse_existing(
        table, [f"{name}_{end}" for end in ("score", "score_std", "rank", "unlike")], overwrite=overwrite
    )
    check_choice("unsupervised", unsupervised, UNSUPERVISED)
    check_seed(seed)
    scaled = _scaled(table, beside, embedding, model)
    judgement, values, embeddings = _judge(
        table, ratings, model, embedding, noise=noise, unsupervised=unsupervised, seed=seed, beside=scaled
    )
    judgement.warn_of_ignorance()
    columns = score_columns(judgement, values if known_first else None, unsupervised, name)
    columns[f"{name}_unlike"] = unlike_column(judgement, embeddings, values)
    facts = {
        "ratings": ratings,
        "embedding": embedding,
        "known_first": known_first,
        **facts_of(judgement, unsupervised),
    }
    if scaled is not None:
        facts["beside"] = scaled.to_dict()
    return with_columns(table, columns, overwrite=overwrite, provenance=facts, call="add_anomaly_scores")


def next_to_rate(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] | None = DEFAULT_RATINGS,
    n: int = 10,
    *,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    first: str = "diverse",
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Table:
    """
    Choose the galaxies whose rating would teach most about the researcher's interest.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    ratings : str, list of str or None
        Column of ratings as for `add_anomaly_scores`, or one for each of several raters; a galaxy that any of
        them has rated is not chosen.
    n : int
        How many galaxies.
    model : InterestModel, optional
        Options, among them how a batch is chosen; one that is fitted is used as it is.
    noise : str or list of str, optional
        Column with the standard deviation of each rating; for several raters one for each, or one for all.
    first : {"diverse", "outliers", "random"}
        What to choose while nothing is rated: galaxies unlike each other (k-means++ seeding), the most
        unusual ones, or random ones as in the paper.
    embedding : str
        Column of embeddings, shape (n, d).
    beside : mapping of str to float, optional
        As for `add_anomaly_scores`.
    seed : int
        Of the first batch.

    Returns
    -------
    Table or QTable
        The chosen rows of `table` in order of choice, and columns ``row`` (index into `table`),
        ``predicted_rating``, ``predicted_rating_std`` and ``expected_improvement`` (NaN while nothing is
        rated).

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"embedding": np.random.default_rng(1).normal(size=(200, 4))})
    >>> len(set(gzr.next_to_rate(cat, n=5)["row"]))
    5
    """
    table = as_table(table)
    check_whole_number("n", n)
    check_choice("first", first, FIRST_BATCHES)
    check_seed(seed)
    scaled = _scaled(table, beside, embedding, model)
    judgement, values, _ = _judge(table, ratings, model, embedding, noise=noise, seed=seed, beside=scaled)
    rated = np.isfinite(values).any(axis=1)
    return rows_to_rate(table, judgement.choose(n, rated, first=first, seed=seed), judgement)


def fit_interest(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] = DEFAULT_RATINGS,
    *,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    embedding: str = "embedding",
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
    table = as_table(table)
    raters = check_raters("ratings", ratings)
    values, spread = ratings_by_rater(table, raters, noise)
    embeddings = read_embeddings(table, embedding)
    fitted = new_model(model)
    fitted._check_options()
    warn_of_odd_ratings(table, raters, values, fitted.rating_scale)
    reduced = reduce_embeddings(embeddings, fitted.n_components, **fitted._scaling)
    fitted._fit_reduced(reduced.reduction, reduced.features, values, spread, raters)
    warn_of_lost_ratings(values, embeddings.usable)
    warn_of_disagreement(fitted.raters_)
    fitted.encoder_ = _encoder_of(table, embeddings)
    fitted.known_ = known_galaxies(embeddings, values)
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
    """
    embeddings = read_embeddings(as_table(table), embedding)
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


def ratings_of(
    table: Table, ratings: str | Sequence[str] | None, noise: str | Sequence[str] | None = None
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """
    Names of the raters, their ratings and the standard deviations, float64 arrays of shape (n, raters).

    NaN where not rated, as everywhere if nobody rated yet.
    """
    raters = [] if ratings is None else check_raters("ratings", ratings)
    if not raters or (raters == [DEFAULT_RATINGS] and DEFAULT_RATINGS not in table.colnames):
        if isinstance(noise, str):
            column_of(table, noise, "noise")
        return [DEFAULT_RATINGS], np.full((len(table), 1), np.nan), None
    return raters, *ratings_by_rater(table, raters, noise)


def _judge(
    table: Table,
    ratings: str | Sequence[str] | None,
    model: "InterestModel | None",
    embedding: str,
    *,
    noise: str | Sequence[str] | None = None,
    unsupervised: str = "isolation_forest",
    seed: int = 0,
    beside: Beside | None = None,
) -> "tuple[Judgement, np.ndarray, Embeddings]":
    """Score all rows, by a fitted model or by the ratings of the table; give these ratings and the embeddings too."""
    _check_model(model)
    raters, values, spread = ratings_of(table, ratings, noise)
    embeddings = read_embeddings(table, embedding)
    if beside is not None:
        embeddings = beside.beside_embeddings(embeddings, table)
    if model is not None and hasattr(model, "process_"):
        _check_encoder(model, _encoder_of(table, embeddings))
    from galzoo_repr.anomaly._scoring import ReducedCatalogue

    catalogue = ReducedCatalogue(embeddings, model)
    if len(table) and not catalogue.usable.any():
        warnings.warn(
            f"no galaxy has a finite embedding in column {embedding!r}; see why in the column cutout_status",
            GalzooWarning,
            stacklevel=3,
        )
    if model is not None and hasattr(model, "process_"):
        return catalogue.apply(model), values, embeddings
    warn_of_odd_ratings(table, raters, values, model and model.rating_scale, stacklevel=3)
    judgement = catalogue.judge(values, spread, raters=raters, unsupervised=unsupervised, seed=seed)
    warn_of_lost_ratings(values, catalogue.usable, stacklevel=3)
    if judgement.model is not None:
        warn_of_disagreement(judgement.model.raters_, stacklevel=3)
    return judgement, values, embeddings


def _scaled(
    table: Table, beside: Mapping[str, float] | None, embedding: str, model: "InterestModel | None"
) -> Beside | None:
    """Columns beside the embeddings, scaled by this catalogue; a `ValueError` where a model cannot read them."""
    if beside is None:
        return None
    if model is not None and hasattr(model, "process_"):
        raise ValueError(
            "a model that is fitted has learned from embeddings alone; leave out model= or beside="
        )
    return Beside.of(table, beside, read_embeddings(table, embedding))


def _encoder_of(table: Table, embeddings: Embeddings) -> dict[str, str]:
    """Name and digest of the encoder that made the embeddings, as far as that is recorded."""
    return {"name": str(table.meta.get("GZRENC", "")), "digest": embeddings.encoder}


def _check_encoder(model: "InterestModel", theirs: dict[str, str]) -> None:
    """Refuse to apply a model to embeddings of another encoder."""
    ours = model.encoder_
    if ours.get("digest") and theirs.get("digest") and ours["digest"] != theirs["digest"]:
        raise ValueError(
            f"this interest was learned on embeddings of {ours.get('name')!r} ({ours['digest'][:12]}), "
            f"but the table's are of {theirs.get('name')!r} ({theirs['digest'][:12]}): "
            "embed the table with the same encoder"
        )


def new_model(model: "InterestModel | None") -> "InterestModel":
    """Make a model that is not fitted, with the options of the one given."""
    from sklearn.base import clone

    from galzoo_repr.anomaly._interest import InterestModel

    _check_model(model)
    return InterestModel() if model is None else clone(model)


def _check_model(model: "InterestModel | None") -> None:
    if model is None:
        return
    from galzoo_repr.anomaly._interest import InterestModel

    if not isinstance(model, InterestModel):
        raise TypeError(f"model={model!r} is no InterestModel; give InterestModel(), with or without options")
