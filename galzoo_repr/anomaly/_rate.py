"""The whole loop: choose galaxies, have them rated, learn, choose again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Row, Table

from galzoo_repr._arguments import check_choice, check_column, check_number, check_seed, check_whole_number
from galzoo_repr._progress import progress_bar
from galzoo_repr.anomaly._acquisition import FIRST_BATCHES
from galzoo_repr.anomaly._beginnings import say_what_begins
from galzoo_repr.anomaly._columns import rows_to_rate
from galzoo_repr.anomaly._fit import new_model
from galzoo_repr.anomaly._judge import scaled_beside
from galzoo_repr.anomaly._raters import (
    check_raters,
    own_ratings,
    ratings_by_rater,
    warn_of_disagreement,
    warn_of_lost_ratings,
    warn_of_odd_ratings,
)
from galzoo_repr.anomaly._ratings import LARGEST
from galzoo_repr.anomaly._ratings_file import RatingsFile, catalogue_facts
from galzoo_repr.catalogue import as_table, read_embeddings, with_columns

if TYPE_CHECKING:
    from tqdm import tqdm

    from galzoo_repr.anomaly._interest import InterestModel
    from galzoo_repr.anomaly._scoring import ReducedCatalogue

__all__ = ["rate"]


def rate(
    table: Table | SkyCoord,
    oracle: Callable[[Row], float | None] | str,
    *,
    path: str | Path,
    ratings: str = "interest",
    others: Sequence[str] = (),
    n: int = 10,
    max_ratings: int = 200,
    min_improvement: float = 0.0,
    model: "InterestModel | None" = None,
    first: str = "diverse",
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Table:
    """
    Have the most telling galaxies rated, batch after batch, each rating on disk before the next is asked for.

    A loop that was interrupted, by Ctrl-C, an error of the function that rates or the end of the process,
    continues when it is called again with the same catalogue and path: the galaxies it had chosen and not shown
    come first, and from there on it does what it would have done.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    oracle : callable or str
        Who rates. Called with one `~astropy.table.Row` of the catalogue, which also has the columns of
        `next_to_rate`, it returns the rating; None or NaN passes on that galaxy, which is not shown again;
        raising StopIteration ends the loop. Or the name of a column that holds the ratings, for experiments.
    path : str or pathlib.Path
        File of the ratings: ECSV with the columns ``round``, ``row``, ``rating``, ``time``, only appended to.
        Beside it a hidden ``.lock`` keeps a second loop out, and ``.next`` names the galaxies of the current
        round.
    ratings : str
        Column of the result for the ratings; ratings that `table` has there count.
    others : list of str
        Columns of other raters. They teach too, as in `add_anomaly_scores`, and what one of them has rated is not
        shown.
    n : int
        Galaxies in a batch.
    max_ratings : int
        Stop at this many ratings in this column, those of the table included.
    min_improvement : float
        Stop when no galaxy is expected to improve on the best rating by more than this, on the scale of the
        ratings.
    model : InterestModel, optional
        Options.
    first : {"diverse", "outliers", "random"}
        How the first batch is chosen, see `next_to_rate`.
    embedding : str
        Column of embeddings, shape (n, d).
    beside : mapping of str to float, optional
        As for `add_anomaly_scores`.
    seed : int
        Of the first batch.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Table or QTable
        The catalogue with the column of ratings, NaN where there is none.

    Raises
    ------
    BlockingIOError
        If another loop is using the file.
    ValueError
        If the file is of another catalogue, or the function that rates returns what is no rating.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.anomaly import rate
    >>> embedding = np.random.default_rng(1).normal(size=(300, 4))
    >>> cat = Table({"embedding": embedding})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rated = rate(cat, lambda row: 5 * (row["embedding"][0] > 1), path=f"{folder}/mine.ecsv",
    ...                  max_ratings=40, progress=False)
    >>> int(np.isfinite(rated["interest"]).sum())
    40
    """
    table = as_table(table, copy=False)
    check_choice("first", first, FIRST_BATCHES)
    check_whole_number("n", n)
    check_whole_number("max_ratings", max_ratings)
    check_number("min_improvement", min_improvement)
    check_seed(seed)
    ask = _asker(oracle, table)
    if not isinstance(ratings, str):
        raise TypeError(f"ratings must be the name of the column to make, not {type(ratings).__name__}")
    given = own_ratings(table, ratings)
    raters = check_raters("ratings and others", [ratings, *others])
    theirs = ratings_by_rater(table, others)[0] if others else np.empty((len(table), 0))
    known = np.column_stack([given, theirs])
    embeddings = read_embeddings(table, embedding)
    scaled = scaled_beside(table, beside, embedding, model)
    from galzoo_repr.anomaly._scoring import ReducedCatalogue

    seen = embeddings if scaled is None else scaled.beside_embeddings(embeddings, table)
    reduced = ReducedCatalogue(seen, new_model(model))
    warn_of_odd_ratings(table, raters, known, reduced.model.rating_scale)
    say_what_begins(table, ratings, path)
    of_catalogue = catalogue_facts(embeddings, ratings)
    warn_of_lost_ratings(known, embeddings.usable)
    with (
        RatingsFile(path, of_catalogue) as file,
        progress_bar(max_ratings, "rating", "galaxy", shown=progress) as bar,
    ):
        rules = {"n": n, "min_improvement": min_improvement, "first": first, "seed": seed}
        _loop(file, reduced, table, ask, given, theirs, raters, bar, **rules)
        values = file.ratings(given)
    column = Column(values, description="Rating, higher is more interesting; NaN where not rated")
    facts = {"path": str(path), "others": list(others), "n_rated": int(np.isfinite(values).sum()), **rules}
    if scaled is not None:
        facts["beside"] = scaled.to_dict()
    return with_columns(table, {ratings: column}, overwrite=True, provenance=facts, call="rate")


def _loop(
    file: RatingsFile,
    reduced: "ReducedCatalogue",
    table: Table,
    ask: Callable[[Row], float],
    given: np.ndarray,
    theirs: np.ndarray,
    raters: list[str],
    bar: "tqdm",
    *,
    n: int,
    min_improvement: float,
    first: str,
    seed: int,
) -> None:
    """Play rounds until one of the stopping rules holds."""
    told = False
    while True:
        number, rows = file.unfinished()
        # Of a round that was interrupted, only what was known when it began.
        known = np.column_stack([file.ratings(given, before=number), theirs])
        judgement = reduced.judge(known, raters=raters, seed=seed)
        if judgement.model is not None and not told:
            told = warn_of_disagreement(judgement.model.raters_, stacklevel=3)
        if not rows:
            shown = np.isfinite(given) | np.isfinite(theirs).any(axis=1)
            shown[file.asked()] = True
            rows = judgement.choose(n, shown, first=first, seed=seed).tolist()
            if not rows or judgement.improvement[rows].max() < min_improvement:
                return
            file.plan(number, rows)
        asked = set(file.asked())
        for row in rows_to_rate(table, np.array(rows), judgement):
            bar.n = int(np.isfinite(file.ratings(given)).sum())
            bar.refresh()
            if bar.n >= bar.total:
                return
            if row["row"] in asked:
                continue
            try:
                rating = ask(row)
            except StopIteration:
                return
            file.append(number, int(row["row"]), _checked(rating, reduced.model.rating_scale))


def _asker(oracle: Callable[[Row], float | None] | str, table: Table) -> Callable[[Row], float | None]:
    if isinstance(oracle, str):
        truth = own_ratings(table, check_column("oracle", oracle, table.colnames))
        return lambda row: truth[row["row"]]
    if not callable(oracle):
        raise TypeError(f"oracle must be a callable that takes a row, or a column's name, not {oracle!r}")
    return oracle


def _checked(rating: float | None, scale: tuple[float, float] | None) -> float:
    """Rating as a float, NaN for none."""
    if rating is None or rating is np.ma.masked:
        return float("nan")
    try:
        value = float(rating)
    except (TypeError, ValueError):
        raise TypeError(
            f"the function that rates returned {rating!r}; a rating is a number, or None to pass"
        ) from None
    low, high = (-LARGEST, LARGEST) if scale is None else scale
    if not (np.isnan(value) or low <= value <= high):
        limits = f"finite, at most {LARGEST:g} in size" if scale is None else f"between {low} and {high}"
        raise ValueError(
            f"the function that rates returned {rating!r}; a rating must be {limits}, or None to pass"
        )
    return value
