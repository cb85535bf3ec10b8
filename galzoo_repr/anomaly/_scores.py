"""Interest as columns of a catalogue: a score for every galaxy, and the rows to look at next."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._arguments import check_choice, check_seed, check_whole_number
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr.anomaly._acquisition import FIRST_BATCHES
from galzoo_repr.anomaly._columns import facts_of, rows_to_rate, score_columns, unlike_column
from galzoo_repr.anomaly._judge import DEFAULT_RATINGS, judge, scaled_beside
from galzoo_repr.anomaly._unsupervised import UNSUPERVISED
from galzoo_repr.catalogue import as_table, refuse_existing, with_columns

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.anomaly._interest import InterestModel

__all__ = ["add_anomaly_scores", "next_to_rate"]


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
    progress: bool = True,
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
        logarithm first. Not with a `model` that is fitted, which has its own (`fit_interest`).
    seed : int
        Of the isolation forest.
    name : str
        Start of the new columns' names, to keep several interests side by side.
    overwrite : bool
        Allow columns of these names to be replaced.
    progress : bool
        For a HATS catalogue: show a bar of its partitions. A table is done before one would be seen.
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
    table = as_table(table, copy=False)
    refuse_existing(
        table, [f"{name}_{end}" for end in ("score", "score_std", "rank", "unlike")], overwrite=overwrite
    )
    check_choice("unsupervised", unsupervised, UNSUPERVISED)
    check_seed(seed)
    scaled = scaled_beside(table, beside, embedding, model)
    judgement, values, embeddings = judge(
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
    table = as_table(table, copy=False)
    check_whole_number("n", n)
    check_choice("first", first, FIRST_BATCHES)
    check_seed(seed)
    scaled = scaled_beside(table, beside, embedding, model)
    judgement, values, _ = judge(table, ratings, model, embedding, noise=noise, seed=seed, beside=scaled)
    rated = np.isfinite(values).any(axis=1)
    return rows_to_rate(table, judgement.choose(n, rated, first=first, seed=seed), judgement)
