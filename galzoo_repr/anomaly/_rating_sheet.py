"""Ratings that a person filled into a table of galaxies to rate."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import some_of
from galzoo_repr.anomaly._columns import column_of
from galzoo_repr.anomaly._raters import own_ratings
from galzoo_repr.anomaly._ratings import LARGEST
from galzoo_repr.anomaly._ratings_file import RatingsFile, catalogue_facts
from galzoo_repr.catalogue import means_no_value, read_embeddings, text_of, warn_of_sentinels

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
        Each with the columns ``row`` (index into `table`) and ``rating``, masked, NaN or a word for no
        value where left blank.
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
        If an answer has no row of the catalogue or no number. Nothing is recorded then.

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
    """
    given = own_ratings(table, ratings)
    pairs = [pair for one in answers for pair in _pairs(one, len(table))]
    catalogue = catalogue_facts(read_embeddings(table, embedding), ratings)
    with RatingsFile(path, catalogue) as file:
        known = file.ratings(given)
        new = [(row, rating) for row, rating in pairs if known[row] != rating]
        number = file.last_round + 1
        for row, rating in new:
            file.append(number, row, rating)
        return file.ratings(given), len(new)


def _pairs(answers: Table, n_rows: int) -> list[tuple[int, float]]:
    """Row and rating of each answer that is not blank, or a word for no value."""
    if missing := [name for name in ("row", "rating") if name not in answers.colnames]:
        raise ValueError(
            f"answers have no column {' and no column '.join(missing)}: they need row, counted from 0, and rating, "
            f"as in next_to_rate.csv; these have {some_of(answers.colnames)}. To go by names, join the two tables first"
        )
    rows, values = column_of(answers, "row", "row"), column_of(answers, "rating", "rating")
    pairs = []
    for row, value in zip(map(text_of, rows), map(text_of, values), strict=True):
        if means_no_value(value):
            continue
        rating, index = _number(value), _number(row)
        if rating is None:
            raise ValueError(
                f"the answer for row {row} is {value!r}, which is no number; leave it empty to pass"
            )
        if abs(rating) > LARGEST:
            raise ValueError(
                f"the answer for row {row} is {rating}; a rating must be finite and at most {LARGEST:g} in size"
            )
        if index is None or not 0 <= index < n_rows or index != round(index):
            raise ValueError(
                f"there is an answer for row {row or 'unknown'}, but the catalogue's rows are 0 to {n_rows - 1}"
            )
        pairs.append((int(index), rating))
    warn_of_sentinels([rating for _, rating in pairs], "rating", "rating", stacklevel=4)
    return pairs


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
