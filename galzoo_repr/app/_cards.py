"""What the page says of one galaxy, and of the search so far: plain values, as JSON has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np

if TYPE_CHECKING:
    from galzoo_repr.app._ratings import Opinion, RatingDesk
    from galzoo_repr.app._session import Desk

__all__ = ["agreement_text", "card_of", "links_to", "progress_facts", "text_of_cell"]

LONGEST = 200  # characters of a cell that are shown
# Interesting galaxies, and ratings, from which on shares and expectations mean something.
ENOUGH, ENOUGH_RATED = 3, 10
VIEWER = "https://www.legacysurvey.org/viewer"
SIMBAD = "https://simbad.cds.unistra.fr/simbad/sim-coo"


def card_of(desk: Desk, row: int, name: str) -> dict:
    """
    What is shown of a galaxy.

    Returns
    -------
    dict
        ``row``, ``name``, ``answer`` (a rating, "skip", or None), ``predicted`` and ``std`` (None while nothing is
        rated), ``why`` it was chosen, ``facts`` (pairs of a column's name and value) and ``links`` (pairs of a text
        and an address).
    """
    ratings = desk.ratings
    answer = ratings.answer(row) if ratings is not None else None
    opinion = ratings.opinion if ratings is not None else None
    known = opinion is not None and opinion.judgement.model is not None
    mean = _finite(opinion.judgement.mean[row]) if known else None
    return {
        "row": row,
        "name": name[:LONGEST],
        "answer": "skip" if answer is not None and math.isnan(answer) else answer,
        "predicted": mean,
        "std": _finite(opinion.judgement.rating_std[row]) if known else None,
        "why": "" if opinion is None else _why(ratings, opinion, row),
        "facts": [[column, text_of_cell(desk, column, row)] for column in desk.show],
        "links": links_to(desk, row),
    }


def text_of_cell(desk: Desk, column: str, row: int) -> str:
    """Value of a cell for people, with its unit."""
    cell = desk.table[column][row]
    if cell is np.ma.masked:
        return "–"
    value, unit = getattr(cell, "value", cell), getattr(desk.table[column], "unit", None)
    text = f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
    return f"{text} {unit}"[:LONGEST] if unit else text[:LONGEST]


def links_to(desk: Desk, row: int) -> list[list[str]]:
    """Pages of others that show the sky there."""
    positions = desk.positions
    if positions is None or not positions.valid[row]:
        return []
    ra, dec = float(positions.ra[row]), float(positions.dec[row])
    seen = urlencode({"ra": f"{ra:.5f}", "dec": f"{dec:.5f}", "layer": "ls-dr10", "zoom": 15})
    asked = urlencode(
        {"Coord": f"{ra:.6f} {dec:+.6f}", "CooFrame": "ICRS", "Radius": 10, "Radius.unit": "arcsec"}
    )
    return [["Legacy Survey", f"{VIEWER}?{seen}"], ["SIMBAD", f"{SIMBAD}?{asked}"]]


def _why(ratings: RatingDesk, opinion: Opinion, row: int) -> str:
    """Why a galaxy is shown, in a sentence."""
    judgement = opinion.judgement
    if judgement.model is None:
        return "Unlike the others of the first batch"
    if any(np.isfinite(values[row]) for values in ratings.others.values()):
        return "Another rater has rated it: this tells how far you agree"
    if judgement.by_unlikeness:
        return "Unlike all that were rated so far"
    mean, std = judgement.mean[row], judgement.rating_std[row]
    if not np.isfinite(mean):
        return ""
    if mean >= ratings.interesting_from:
        return "Predicted to be interesting"
    if mean + std >= ratings.interesting_from:
        return "May well be interesting: its rating is uncertain"
    return "Its rating would teach most among those left"


def progress_facts(ratings: RatingDesk) -> dict:
    """How far the search has come, as pairs of a name and a value, and what to do next."""
    n_rated, n_found = ratings.counts()
    opinion = ratings.opinion
    facts = [["rated", str(n_rated)], [f"interesting ({ratings.interesting_from:g} or more)", str(n_found)]]
    advice = ""
    if opinion is not None:
        progress = opinion.progress
        if progress.of >= ENOUGH and math.isfinite(progress.precision):
            facts.append([f"precision at {progress.of}, held out", f"{progress.precision:.0%}"])
        if n_rated >= ENOUGH_RATED and math.isfinite(progress.expected):
            facts.append(["expected in the next 100", f"{progress.expected:.1f}"])
        if len(progress.raters) > 1:
            for one in progress.raters:
                agreed = agreement_text(one["agreement"], one["n_shared"])
                facts.append([one["rater"], f"{one['n_rated']} rated{agreed}"])
        advice = progress.advice
    if ratings.failure:
        advice = f"Learning failed: {ratings.failure}"
    return {"facts": facts, "advice": advice, "rated": n_rated}


def agreement_text(kappa: float, n: int) -> str:
    """How far a rater agrees with the others on those they share; kappa is NaN where all have one rating."""
    if not n:
        return ""
    return f", κ {kappa:.2f} on {n}" if math.isfinite(kappa) else f", all {n} shared alike"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
