"""Votes out of a table, checked before anything is trained on them."""

import warnings

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.table.column import BaseColumn
from astropy.utils.masked import Masked

from galzoo_repr._arguments import some_of
from galzoo_repr.catalogue import masking, read_cells, warn_of_sentinels
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.questions._schema import Schema

__all__ = ["check_something_to_learn", "votes_from_fractions", "votes_from_table"]

_ODD = 900  # votes that nobody has counted, such as 999 and 9999


def votes_from_table(table: Table, schema: Schema) -> np.ndarray:
    """
    Read the vote counts of the answers of a schema.

    Parameters
    ----------
    table : astropy.table.Table
        Has the columns ``schema.columns``. NaN, masked, or a word for no value: the question was not asked. Where
        only some answers of a question are so, nobody knows how many others there were, and the question counts as
        not asked.
    schema : Schema
        Questions and their columns.

    Returns
    -------
    ndarray
        float32, shape (n_rows, n_answers); zero where a question was not asked.

    Raises
    ------
    ValueError
        If columns are missing, or votes are negative or infinite, or there is nothing to learn from: no
        votes at all, or all for the same answer.
    TypeError
        If a column does not hold one number per row.

    Warns
    -----
    GalzooWarning
        If votes are left out because other answers of their question are NaN or masked, the votes look like
        fractions, a number seems to stand for no value, or all votes on one of several questions are for the same
        answer.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.questions import Schema, votes_from_table
    >>> votes_from_table(Table({"ring_yes": [3, 0], "ring_no": [1.0, float("nan")]}), Schema.load("gz_rings"))
    array([[3., 1.],
           [0., 0.]], dtype=float32)
    """
    _check_columns(table, schema)
    votes = np.zeros((len(table), len(schema.columns)), dtype=np.float32)
    for i, name in enumerate(schema.columns):
        votes[:, i] = _one_column(table, name)
    _leave_out_halves(votes, schema)
    check_something_to_learn(votes, schema)
    return votes


def votes_from_fractions(
    table: Table,
    schema: Schema,
    *,
    total: str,
    counted: str = "_weighted_fraction",
    fractions: str | None = None,
) -> Table:
    """
    Make vote columns from published vote fractions.

    Catalogues such as Galaxy Zoo 2 publish the fraction of those asked who gave each answer, and how many
    volunteers saw the galaxy. The number asked each question follows from the tree.

    Parameters
    ----------
    table : astropy.table.Table
        Has the columns ``published + suffix`` of every answer, where ``published`` are the column prefixes
        that the schema gives, or ``schema.columns`` where it gives none.
    schema : Schema
        For Galaxy Zoo 2, ``Schema.load("gz2")``.
    total : str
        Column of the number of volunteers.
    counted : str
        Suffix of the columns of the fractions that follow the volunteers down the tree.
    fractions : str, optional
        Suffix of the columns of the fractions to divide the votes by, such as ``"_debiased"``; `counted` by
        default.

    Returns
    -------
    Table
        Shallow copy of the input with the columns ``schema.columns``, float32; NaN where fewer than one
        volunteer was asked.

    Raises
    ------
    ValueError
        If columns are missing.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.questions import Schema, votes_from_fractions
    >>> published = Table({"n": [40], "ring_yes_fraction": [0.25], "ring_no_fraction": [0.75]})
    >>> made = votes_from_fractions(published, Schema.load("gz_rings"), total="n", counted="_fraction")
    >>> made["ring_yes"][0], made["ring_no"][0]
    (np.float32(10.0), np.float32(30.0))
    """
    names = [name for question in schema.questions for name in question.published or question.columns]
    needed = [total, *(name + suffix for suffix in {counted, fractions or counted} for name in names)]
    if missing := [name for name in needed if name not in table.colnames]:
        raise ValueError(
            f"the table lacks {_some(missing)}, from which the votes of {schema.name!r} are made"
        )
    down_the_tree = np.stack([_one_column(table, name + counted) for name in names], axis=-1)
    given = np.stack([_one_column(table, name + (fractions or counted)) for name in names], axis=-1)
    asked = _one_column(table, total)[:, None] * schema.probability_asked(np.nan_to_num(down_the_tree))
    shares = given / np.maximum(_sum_per_question(given, schema), 1e-6)
    votes = np.where(asked >= 1, asked, np.nan)[:, schema.question_index] * shares
    result = table.copy()
    for name, column in zip(schema.columns, votes.T.astype(np.float32), strict=True):
        result[name] = column
        result[name].description = "Votes for this answer, from published fractions; NaN where not asked"
    return result


def _check_columns(table: Table, schema: Schema) -> None:
    missing = [name for name in schema.columns if name not in table.colnames]
    if len(missing) == len(schema.columns):
        raise ValueError(
            f"the table has none of the vote columns of schema {schema.name!r} ({_some(missing)}); "
            f"its columns are {_some(table.colnames)}; is it another schema?"
        )
    if missing:
        raise ValueError(
            f"the table lacks the vote columns {_some(missing)} of schema {schema.name!r}; if a question was "
            "never asked, fill its columns with NaN or use schema.only(...) with the questions that were"
        )


def _one_column(table: Table, name: str) -> np.ndarray:
    """Numbers in a column of votes or of their fractions, float64 of shape (n,), NaN where there is none."""
    column = table[name]
    if not isinstance(column, BaseColumn | u.Quantity | Masked):
        raise TypeError(f"vote column {name!r} must hold one number per row, not {type(column).__name__}")
    cells = read_cells(column)
    if cells.texts:
        raise TypeError(
            f"vote column {name!r} must hold one number per row, not text such as {cells.texts[0]!r}"
        )
    if cells.values.ndim != 1 or cells.values.dtype.kind not in "iufb":
        raise TypeError(f"vote column {name!r} must hold one number per row, not {column.dtype}")
    votes = cells.numbers()
    for wrong, what in ((votes < 0, "negative"), (np.isinf(votes), "infinite")):
        if wrong.any():
            rows = np.flatnonzero(wrong)
            raise ValueError(
                f"vote column {name!r} is {what} in {len(rows)} row(s), the first {rows[:5].tolist()}; votes are "
                f"counts, NaN or masked where the question was not asked, as in {masking(name, votes[rows[0]])}"
            )
    warn_of_sentinels(votes, f"vote column {name!r}", name, least=_ODD, stacklevel=5)
    return votes


def _leave_out_halves(votes: np.ndarray, schema: Schema) -> None:
    """Set all answers of a question to zero where one of them is NaN, and warn of votes that are lost by it."""
    index = np.asarray(schema.question_index)
    lost = {}
    for i, label in enumerate(schema.labels):
        answers = votes[:, index == i]
        unknown = np.isnan(answers).any(axis=1)
        if n_rows := int((np.nansum(answers[unknown], axis=1) > 0).sum()):
            lost[label] = n_rows
        votes[np.ix_(unknown, index == i)] = 0
    if lost:
        which = _some([f"{label!r} in {n_rows} row(s)" for label, n_rows in lost.items()])
        warnings.warn(
            f"Votes on {which} are left out: other answers of the question are NaN or masked there, so that "
            "their fractions are not known. If that stands for no votes, fill these cells with 0.",
            GalzooWarning,
            stacklevel=4,
        )


def _sum_per_question(values: np.ndarray, schema: Schema) -> np.ndarray:
    """Sum over the answers of the question, repeated for each of its answers."""
    membership = np.equal.outer(schema.question_index, schema.question_index).astype(float)
    return np.nan_to_num(values) @ membership


def check_something_to_learn(votes: np.ndarray, schema: Schema) -> None:
    """
    Refuse votes that teach nothing, and warn of questions whose votes are all for one answer, or of fractions.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.questions import Schema, check_something_to_learn
    >>> check_something_to_learn(np.array([[9.0, 1.0], [0.0, 5.0]]), Schema.load("gz_rings"))
    >>> check_something_to_learn(np.zeros((2, 2)), Schema.load("gz_rings"))
    Traceback (most recent call last):
        ...
    ValueError: there is not one vote on any question of schema 'gz_rings' in 2 row(s)
    """
    of_answer = votes.sum(axis=0, dtype=float)
    if not of_answer.any():
        raise ValueError(
            f"there is not one vote on any question of schema {schema.name!r} in {len(votes)} row(s)"
        )
    answered = {label: [] for label in schema.labels}
    for column, number, index in zip(schema.columns, of_answer, schema.question_index, strict=True):
        if number:
            answered[schema.labels[index]].append(column)
    one_sided = [columns[0] for columns in answered.values() if len(columns) == 1]
    if one_sided and all(len(columns) < 2 for columns in answered.values()):
        raise ValueError(
            f"all votes on each question are for one answer ({_some(one_sided)}): there is nothing to tell "
            "apart; add galaxies of other classes"
        )
    if one_sided:
        warnings.warn(
            f"All votes on some questions are for one answer ({_some(one_sided)}); they teach nothing.",
            GalzooWarning,
            stacklevel=4,
        )
    largest = _sum_per_question(votes, schema).max()
    if largest <= 1.001 and not np.array_equal(votes, np.round(votes)):
        warnings.warn(
            "No question has more than one vote, and some have fractions of one: multiply fractions by the "
            "number of volunteers, which says how far they can be trusted.",
            GalzooWarning,
            stacklevel=4,
        )


def _some(names: list[str]) -> str:
    return some_of(names, 6)
