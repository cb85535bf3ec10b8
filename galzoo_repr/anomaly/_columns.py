"""Columns of interest: what they are called, hold and say."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._arguments import check_column
from galzoo_repr.anomaly._raters import raters_as_rows
from galzoo_repr.catalogue import Embeddings, KnownGalaxies, with_columns

if TYPE_CHECKING:
    from galzoo_repr.anomaly._scoring import Judgement

__all__ = [
    "column_of",
    "facts_of",
    "known_before",
    "known_galaxies",
    "rows_to_rate",
    "score_columns",
    "unlike_column",
]

# A rated galaxy's place counts this much more than a prediction, as in the paper's scoring.
KNOWN_WEIGHT = 100.0


def rows_to_rate(table: Table, rows: np.ndarray, judgement: "Judgement") -> Table:
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


def score_columns(
    judgement: "Judgement",
    ratings: np.ndarray | None,
    unsupervised: str,
    name: str,
) -> dict[str, Column]:
    """Score, standard deviation and rank of every galaxy; with `ratings`, shape (n, raters), those rated come first."""
    if judgement.model is None:
        method = unsupervised.replace("_", " ")
        meaning = f"How unusual the galaxy is ({method}; nothing was rated), higher is more unusual"
    elif judgement.by_unlikeness:
        meaning = "How unusual the galaxy is and how unlike those rated (all ratings are low or equal)"
    else:
        # A model that is applied to another catalogue learned from columns of its own.
        columns = ", ".join(repr(str(name)) for name in judgement.model.raters_["rater"])
        meaning = f"Predicted rating{columns and f' in {columns}'}, higher is more interesting"
    order = judgement.score
    if ratings is not None and judgement.model is not None:
        order = known_before(order, ratings, judgement.model.scale_[0])
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


def known_before(scores: np.ndarray, ratings: np.ndarray, low: float) -> np.ndarray:
    """
    What galaxies are ranked by, if those rated come first by a hundred times their worth.

    Parameters
    ----------
    scores : float64 array of shape (n,)
    ratings : float64 array of shape (n, raters)
        NaN where not rated.
    low : float
        Lowest rating of the scale.

    Returns
    -------
    float64 array of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.anomaly import known_before
    >>> known_before(np.array([4.5, 2.0, 1.0]), np.array([[np.nan], [3.0], [np.nan]]), low=0.0).tolist()
    [4.5, 300.0, 1.0]
    """
    order = scores.copy()
    known = np.isfinite(ratings).any(axis=1) & np.isfinite(order)
    order[known] = low + KNOWN_WEIGHT * (np.nanmean(ratings[known], axis=1) - low)
    return order


def unlike_column(judgement: "Judgement", embeddings: Embeddings, values: np.ndarray) -> Column:
    """How far galaxies are from those rated, here or for the fitted model that was given."""
    known = None
    if judgement.model is not None:
        applied = judgement.model is judgement.catalogue.model
        known = judgement.model.known_ if applied else known_galaxies(embeddings, values)
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


def known_galaxies(embeddings: Embeddings, values: np.ndarray) -> KnownGalaxies:
    """The galaxies that anybody has rated."""
    return KnownGalaxies.of(embeddings.vectors[np.isfinite(values).any(axis=1) & embeddings.usable])


def facts_of(judgement: "Judgement", unsupervised: str) -> dict:
    """What the provenance says of the scores, in JSON types."""
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


def column_of(table: Table, name: str, argument: str) -> Column:
    """Column that an argument names."""
    return table[check_column(argument, name, table.colnames)]
