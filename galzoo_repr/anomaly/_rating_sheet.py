"""Ratings that a person filled into a table of galaxies to rate."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import some_of
from galzoo_repr.anomaly._beginnings import say_what_begins
from galzoo_repr.anomaly._names_in_answers import refuse_other_names, rows_by_name
from galzoo_repr.anomaly._raters import own_ratings
from galzoo_repr.anomaly._ratings import LARGEST
from galzoo_repr.anomaly._ratings_file import RatingsFile, catalogue_facts
from galzoo_repr.catalogue import means_no_value, names_in, read_embeddings, text_of, warn_of_sentinels

__all__ = ["record_answers"]


def record_answers(
    table: Table,
    answers: list[Table],
    path: str | Path,
    *,
    ratings: str = "interest",
    embedding: str = "embedding",
) -> tuple[np.ndarray, int]:
    """
    Add filled-in ratings to a file of ratings, and give all ratings so far.

    Parameters
    ----------
    table : Table
        Catalogue with embeddings.
    answers : list of Table
        Each with the column ``rating`` (or that of the name of the interest), masked, NaN or a word for no value where
        left blank; and with ``row`` (index into `table`), or else with the names or ids of the galaxies, in a column
        such as ``name``, ``galaxy`` or ``objid`` or one that `table` has, too.
        An answer that the file knows already is not added again; another one for the same galaxy replaces
        it.
    path : str or pathlib.Path
        File of the ratings, as for `galzoo_repr.anomaly.rate`.
    ratings : str
        Column of the catalogue whose ratings count too.
    embedding : str
        Column of embeddings.

    Returns
    -------
    values : float64 array of shape (n,)
        Ratings of all rows, NaN where there is none.
    added : int
        How many were new.

    Raises
    ------
    ValueError
        If an answer has no row or name of the catalogue or no number, a name is that of several galaxies, or there
        are two different answers for one. Nothing is recorded then.

    Examples
    --------
    >>> import tempfile
    >>> from astropy.table import Table
    >>> from galzoo_repr.anomaly import record_answers
    >>> cat = Table({"embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> answers = Table({"row": [2, 0], "rating": ["5", ""]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record_answers(cat, [answers], f"{folder}/mine.ecsv")
    (array([nan, nan,  5.]), 1)
    >>> cat["name"] = ["NGC 628", "NGC 1300", "M 51"]
    >>> answers = Table({"name": ["M 51", "NGC 628"], "rating": [5, 2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record_answers(cat, [answers], f"{folder}/mine.ecsv")
    (array([ 2., nan,  5.]), 2)
    """
    given = own_ratings(table, ratings)
    pairs = [pair for one in answers for pair in _pairs(one, table, ratings)]
    say_what_begins(table, ratings, path)
    catalogue = catalogue_facts(read_embeddings(table, embedding), ratings)
    with RatingsFile(path, catalogue) as file:
        known = file.ratings(given)
        new = [(row, rating) for row, rating in pairs if known[row] != rating]
        number = file.last_round + 1
        for row, rating in new:
            file.append(number, row, rating)
        return file.ratings(given), len(new)


def _pairs(answers: Table, table: Table, ratings: str) -> list[tuple[int, float]]:
    """Row and rating of each answer that is not blank, or a word for no value."""
    heads = {name.strip().lower(): name for name in reversed(answers.colnames)}
    said = heads.get("rating") or heads.get(ratings.lower())
    by_row, names = heads.get("row"), _names_of(answers, table, {said, heads.get("row")})
    missing = [what for what, there in (("row or name", by_row or names), ("rating", said)) if not there]
    if missing:
        raise ValueError(
            f"answers have no column {' and no column '.join(missing)}: they need rating, and row, counted from 0, or "
            f"the name of each galaxy, as in next_to_rate.csv; these have {some_of(answers.colnames)}"
        )
    values = [text_of(value) for value in answers[said]]
    given = [row for row, value in enumerate(values) if not means_no_value(value)]
    galaxies = [
        f"row {text_of(cell)}" if by_row else repr(text_of(cell)) for cell in answers[by_row or names][given]
    ]
    ratings_given = [_rating(values[at], galaxy) for at, galaxy in zip(given, galaxies, strict=True)]
    if by_row:
        rows = [_row(text_of(answers[by_row][at]), len(table)) for at in given]
        refuse_other_names(rows, answers[given], table)
    else:
        rows = rows_by_name(answers[names][given], table, names, ratings_given)
    _refuse_contradictions(rows, ratings_given, galaxies)
    warn_of_sentinels(ratings_given, "rating", "rating", stacklevel=4)
    return list(zip(rows, ratings_given, strict=True))


def _names_of(answers: Table, table: Table, others: set[str | None]) -> str:
    """Column of the galaxies' names: under a usual name, or one that the catalogue has too; empty without."""
    usual = [name for name in names_in(answers) if name not in others]
    return next(iter([*usual, *(n for n in answers.colnames if n in table.colnames and n not in others)]), "")


def _rating(text: str, galaxy: str) -> float:
    rating = _number(text)
    if rating is None:
        raise ValueError(f"the answer for {galaxy} is {text!r}, which is no number; leave it empty to pass")
    if abs(rating) > LARGEST:
        raise ValueError(
            f"the answer for {galaxy} is {rating}; a rating must be finite and at most {LARGEST:g} in size"
        )
    return rating


def _row(text: str, n_rows: int) -> int:
    index = _number(text)
    if index is None or not 0 <= index < n_rows or index != round(index):
        raise ValueError(
            f"there is an answer for row {text or 'unknown'}, but the catalogue's rows are 0 to {n_rows - 1}"
        )
    return int(index)


def _refuse_contradictions(rows: list[int], ratings: list[float], galaxies: list[str]) -> None:
    """Refuse two answers for one galaxy of which nobody knows which is meant; the same twice does no harm."""
    first: dict[int, float] = {}
    for row, rating, galaxy in zip(rows, ratings, galaxies, strict=True):
        if first.setdefault(row, rating) != rating:
            raise ValueError(
                f"there are two answers for {galaxy}, {first[row]:g} and {rating:g}; leave the one that is meant"
            )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
