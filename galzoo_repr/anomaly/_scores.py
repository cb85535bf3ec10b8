"""Interest as columns of a catalogue: a score for every galaxy, and the rows to look at next."""

import warnings
from collections.abc import Sequence

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from sklearn.base import clone

from galzoo_repr._arguments import check_choice, check_column, check_seed, check_whole_number
from galzoo_repr.anomaly._acquisition import FIRST_BATCHES
from galzoo_repr.anomaly._interest import InterestModel
from galzoo_repr.anomaly._raters import (
    check_raters,
    raters_as_rows,
    ratings_by_rater,
    warn_of_disagreement,
    warn_of_lost_ratings,
)
from galzoo_repr.anomaly._scoring import Judgement, ReducedCatalogue
from galzoo_repr.anomaly._unsupervised import UNSUPERVISED
from galzoo_repr.catalogue import (
    Embeddings,
    KnownGalaxies,
    as_table,
    read_embeddings,
    reduce_embeddings,
    refuse_existing,
    with_columns,
)
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["add_anomaly_scores", "fit_interest", "next_to_rate"]

DEFAULT_RATINGS = "interest"
# A rated galaxy's place counts this much more than a prediction, as in the paper's scoring.
KNOWN_WEIGHT = 100.0


def add_anomaly_scores(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] | None = DEFAULT_RATINGS,
    *,
    model: InterestModel | None = None,
    noise: str | Sequence[str] | None = None,
    known_first: bool = False,
    unsupervised: str = "isolation_forest",
    embedding: str = "embedding",
    seed: int = 0,
    name: str = "anomaly",
    overwrite: bool = False,
) -> Table:
    """
    Add how interesting each galaxy would be to the researcher who rated some of them.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
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
    seed : int
        Of the isolation forest.
    name : str
        Start of the new columns' names, to keep several interests side by side.
    overwrite : bool
        Allow columns of these names to be replaced.

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
    table = as_table(table)
    refuse_existing(
        table, [f"{name}_{end}" for end in ("score", "score_std", "rank", "unlike")], overwrite=overwrite
    )
    check_choice("unsupervised", unsupervised, UNSUPERVISED)
    check_seed(seed)
    judgement, values, embeddings = _judge(
        table, ratings, model, embedding, noise=noise, unsupervised=unsupervised, seed=seed
    )
    judgement.warn_of_ignorance()
    columns = _score_columns(judgement, values if known_first else None, unsupervised, name)
    columns[f"{name}_unlike"] = _unlike_column(judgement, embeddings, values)
    facts = {
        "ratings": ratings,
        "embedding": embedding,
        "known_first": known_first,
        **_facts_of(judgement, unsupervised),
    }
    return with_columns(table, columns, overwrite=overwrite, provenance=facts, call="add_anomaly_scores")


def next_to_rate(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] | None = DEFAULT_RATINGS,
    n: int = 10,
    *,
    model: InterestModel | None = None,
    noise: str | Sequence[str] | None = None,
    first: str = "diverse",
    embedding: str = "embedding",
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
    judgement, values, _ = _judge(table, ratings, model, embedding, noise=noise, seed=seed)
    rated = np.isfinite(values).any(axis=1)
    return rows_to_rate(table, judgement.choose(n, rated, first=first, seed=seed), judgement)


def fit_interest(
    table: Table | SkyCoord,
    ratings: str | Sequence[str] = DEFAULT_RATINGS,
    *,
    model: InterestModel | None = None,
    noise: str | Sequence[str] | None = None,
    embedding: str = "embedding",
) -> InterestModel:
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
    fitted = new_model(model)
    fitted._check_options()
    raters = check_raters("ratings", ratings)
    values, spread = ratings_by_rater(table, raters, noise)
    embeddings = read_embeddings(table, embedding)
    reduced = reduce_embeddings(embeddings, fitted.n_components, **fitted._scaling)
    fitted._fit_reduced(reduced.reduction, reduced.features, values, spread, raters)
    warn_of_lost_ratings(values, embeddings.usable)
    warn_of_disagreement(fitted.raters_)
    fitted.encoder_ = _encoder_of(table, embeddings)
    fitted.known_ = _known(embeddings, values)
    return fitted


def rows_to_rate(table: Table, rows: np.ndarray, judgement: Judgement) -> Table:
    """Take the chosen rows of a catalogue, with their predictions."""
    known = judgement.model is not None
    nothing = np.full(len(rows), np.nan)
    columns = {
        "row": Column(rows.astype(np.int64), description="Row of the catalogue, counted from 0"),
        "predicted_rating": Column(
            judgement.mean[rows] if known else nothing,
            description="Predicted rating, higher is more interesting",
        ),
        "predicted_rating_std": Column(
            judgement.rating_std[rows] if known else nothing,
            description="Standard deviation of the predicted rating",
        ),
        "expected_improvement": Column(
            judgement.improvement[rows],
            description="Expected improvement over the best rating, higher is sooner",
        ),
    }
    return with_columns(table[rows], columns, overwrite=True, call="next_to_rate")


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
    model: InterestModel | None,
    embedding: str,
    *,
    noise: str | Sequence[str] | None = None,
    unsupervised: str = "isolation_forest",
    seed: int = 0,
) -> tuple[Judgement, np.ndarray, Embeddings]:
    """Score all rows, by a fitted model or by the ratings of the table; give these ratings and the embeddings too."""
    _check_model(model)
    raters, values, spread = ratings_of(table, ratings, noise)
    embeddings = read_embeddings(table, embedding)
    if model is not None and hasattr(model, "process_"):
        _check_encoder(model, _encoder_of(table, embeddings))
    catalogue = ReducedCatalogue(embeddings, model)
    if len(table) and not catalogue.usable.any():
        warnings.warn(
            f"no galaxy has a finite embedding in column {embedding!r}", GalzooWarning, stacklevel=3
        )
    if model is not None and hasattr(model, "process_"):
        return catalogue.apply(model), values, embeddings
    judgement = catalogue.judge(values, spread, raters=raters, unsupervised=unsupervised, seed=seed)
    warn_of_lost_ratings(values, catalogue.usable, stacklevel=3)
    if judgement.model is not None:
        warn_of_disagreement(judgement.model.raters_, stacklevel=3)
    return judgement, values, embeddings


def _score_columns(
    judgement: Judgement,
    ratings: np.ndarray | None,
    unsupervised: str,
    name: str,
) -> dict[str, Column]:
    if judgement.model is None:
        method = unsupervised.replace("_", " ")
        meaning = f"How unusual the galaxy is ({method}; nothing was rated), higher is more unusual"
    elif judgement.by_unlikeness:
        meaning = "How unusual the galaxy is and how unlike those rated (all ratings are low or equal)"
    else:
        # A model that is applied to another catalogue learned from columns of its own.
        columns = ", ".join(repr(str(name)) for name in judgement.model.raters_["rater"])
        meaning = f"Predicted rating{columns and f' in {columns}'}, higher is more interesting"
    order = judgement.score.copy()
    if ratings is not None and judgement.model is not None:
        known = np.isfinite(ratings).any(axis=1) & np.isfinite(order)
        low = judgement.model.scale_[0]
        order[known] = low + KNOWN_WEIGHT * (np.nanmean(ratings[known], axis=1) - low)
    rank = np.full(len(order), -1, dtype=np.int64)
    scored = np.flatnonzero(np.isfinite(order))
    rank[scored[np.argsort(-order[scored], kind="stable")]] = np.arange(1, len(scored) + 1)
    first = "; rated galaxies first" if ratings is not None else ""
    return {
        f"{name}_score": Column(judgement.score, description=meaning),
        f"{name}_score_std": Column(
            np.full(len(order), np.nan) if judgement.by_unlikeness else judgement.rating_std,
            description=f"Standard deviation of {name}_score; NaN if not known",
        ),
        f"{name}_rank": Column(
            rank, description=f"Place by {name}_score, 1 is the most interesting, -1 has no score{first}"
        ),
    }


def _unlike_column(judgement: Judgement, embeddings: Embeddings, values: np.ndarray) -> Column:
    """How far galaxies are from those rated, here or for the fitted model that was given."""
    known = None
    if judgement.model is not None:
        applied = judgement.model is judgement.catalogue.model
        known = judgement.model.known_ if applied else _known(embeddings, values)
    if known is None:
        nothing = np.full(len(embeddings), np.nan)
        return Column(
            nothing, description="How far from all rated galaxies; not known: none are, or were kept"
        )
    unlike = np.where(embeddings.usable, known.unlike(embeddings.vectors), np.nan)
    meaning = (
        "How far from all rated galaxies: share of these that are closer to the most similar other one; usual is "
        "anything up to 0.95, near 1 is unlike them"
    )
    return Column(unlike, description=meaning)


def _known(embeddings: Embeddings, values: np.ndarray) -> KnownGalaxies:
    """The galaxies that anybody has rated."""
    return KnownGalaxies.of(embeddings.vectors[np.isfinite(values).any(axis=1) & embeddings.usable])


def _facts_of(judgement: Judgement, unsupervised: str) -> dict:
    if judgement.model is None:
        return {"method": unsupervised}
    process = judgement.model.process_
    return {
        "method": "unlike_rated" if judgement.by_unlikeness else f"gaussian_process_{judgement.model.method}",
        "n_rated": len(process.ratings),
        "n_components": judgement.model.reduction_.n_components,
        "length_scale": process.length_scale,
        "noise": float(process.noise.min()),
        "stretch": process.stretch,
        "held_out_correlation": _number(process.held_out_correlation),
        "held_out_within_std": process.held_out_within_std,
        "rating_scale": list(judgement.model.scale_),
        "raters": raters_as_rows(judgement.model.raters_),
    }


def _number(value: float) -> float | None:
    """A number as JSON has it, None where it is not known."""
    return None if np.isnan(value) else value


def _encoder_of(table: Table, embeddings: Embeddings) -> dict[str, str]:
    """Name and digest of the encoder that made the embeddings, as far as that is recorded."""
    return {"name": str(table.meta.get("GZRENC", "")), "digest": embeddings.encoder}


def _check_encoder(model: InterestModel, theirs: dict[str, str]) -> None:
    """Refuse to apply a model to embeddings of another encoder."""
    ours = model.encoder_
    if ours.get("digest") and theirs.get("digest") and ours["digest"] != theirs["digest"]:
        raise ValueError(
            f"this interest was learned on embeddings of {ours.get('name')!r} ({ours['digest'][:12]}), "
            f"but the table's are of {theirs.get('name')!r} ({theirs['digest'][:12]}): "
            "embed the table with the same encoder"
        )


def new_model(model: InterestModel | None) -> InterestModel:
    """Make a model that is not fitted, with the options of the one given."""
    _check_model(model)
    return InterestModel() if model is None else clone(model)


def _check_model(model: InterestModel | None) -> None:
    if model is not None and not isinstance(model, InterestModel):
        raise TypeError(f"model={model!r} is no InterestModel; give InterestModel(), with or without options")


def column_of(table: Table, name: str, argument: str) -> Column:
    """Column that an argument names."""
    return table[check_column(argument, name, table.colnames)]
