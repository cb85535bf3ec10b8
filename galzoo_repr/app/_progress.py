"""How far a search for interesting galaxies has come: what was found, what is left, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from galzoo_repr.anomaly import Judgement

__all__ = ["Progress", "progress_of"]

NEXT = 100  # galaxies whose yield is foretold
# From so many ratings on, a yield of less than one in the next hundred is a reason to stop.
ENOUGH_TO_STOP = 50
FOUND_LITTLE = 1.0
OF_PROCESS = 5.0  # highest rating in a `RatingProcess`, whose lowest is 0


@dataclass(frozen=True)
class Progress:
    """
    What the ratings so far say of the search.

    Attributes
    ----------
    precision : float
        Share of interesting ones among the `of` rated galaxies that all other ratings predict highest, each held out
        in turn (leave-one-out); NaN where it is not known.
    of : int
        How many these are: as many as were found to be interesting.
    expected : float
        How many of the next hundred galaxies by predicted rating would be rated interesting; NaN if not known.
    correlation : float
        Of ratings with what all others predict for them.
    raters : list of dict
        Names, ratings, galaxies shared with others and weighted kappa.
    advice : str
        What to do next, in a sentence.
    """

    precision: float = np.nan
    of: int = 0
    expected: float = np.nan
    correlation: float = np.nan
    raters: list[dict] = field(default_factory=list)
    advice: str = "Rate the first galaxies: they are as unlike each other as can be."


def progress_of(
    judgement: Judgement, seen: np.ndarray, interesting_from: float, values: Sequence[float]
) -> Progress:
    """
    Sum up a search.

    Parameters
    ----------
    judgement : Judgement
    seen : bool array of shape (n,)
        Galaxies that were shown.
    interesting_from : float
        Lowest rating of an interesting galaxy.
    values : sequence of float
        Ratings that can be given, rising.
    """
    model = judgement.model
    if model is None:
        return Progress()
    process = model.process_
    low, high = model.scale_
    interesting = process.ratings >= OF_PROCESS * (interesting_from - low) / (high - low) - 1e-9
    n_found = int(interesting.sum())
    precision = np.nan
    if 0 < n_found < len(interesting):
        order = np.argsort(-process.held_out[0], kind="stable")[:n_found]
        precision = float(interesting[order].mean())
    expected = np.nan if judgement.by_unlikeness else _yield(judgement, seen, interesting_from, values)
    raters = [
        {"rater": str(name), "n_rated": int(n), "n_shared": int(shared), "agreement": float(kappa)}
        for name, n, shared, kappa in model.raters_["rater", "n_rated", "n_shared", "agreement"].iterrows()
    ]
    n_rated = len(interesting)
    return Progress(
        precision,
        n_found,
        expected,
        process.held_out_correlation,
        raters,
        _advice(judgement, n_rated, n_found, expected),
    )


def _yield(judgement: Judgement, seen: np.ndarray, interesting_from: float, values: Sequence[float]) -> float:
    """Expected number of interesting ones among the hundred galaxies predicted to be rated highest."""
    mean = np.where(seen, -np.inf, np.nan_to_num(judgement.mean, nan=-np.inf))
    n = min(NEXT, int(np.isfinite(mean).sum()))
    if n == 0:
        return 0.0
    rows = np.argpartition(-mean, n - 1)[:n]
    # A rating of 3 stands for all that is nearer to 3 than to 2.
    below = max((value for value in values if value < interesting_from), default=interesting_from)
    edge = (interesting_from + below) / 2
    std = np.maximum(judgement.rating_std[rows], 1e-9)
    return float(ndtr((judgement.mean[rows] - edge) / std).sum())


def _advice(judgement: Judgement, n_rated: int, n_found: int, expected: float) -> str:
    if judgement.by_unlikeness:
        return "Nothing interesting so far: the next ones are unlike all that were rated."
    if n_found == 0:
        return "Nothing interesting so far. Go on."
    if n_rated < ENOUGH_TO_STOP:
        return f"Go on: after {ENOUGH_TO_STOP} ratings it can be said whether more are worth it."
    if expected < FOUND_LITTLE:
        return "You could stop: of the next hundred, less than one is expected to be interesting."
    return f"Worth going on: of the next hundred, about {expected:.0f} are expected to be interesting."
