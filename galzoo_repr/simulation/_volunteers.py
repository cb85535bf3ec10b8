"""Simulated volunteers, who look at simulated galaxies and vote, as fallibly as people do."""

import math
from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from galzoo_repr.questions import Question, Schema
from galzoo_repr.simulation._instrument import NATIVE_PIXEL_SCALE, NOISE_AT_NATIVE_SCALE
from galzoo_repr.simulation._vote_model import JUDGEMENTS, View

__all__ = ["volunteer_votes"]

_CHUNK = 4096
_TRUTHS = (
    "kind", "axis_ratio", "bulge_fraction", "bar", "arms", "arm_pitch", "arm_contrast", "ring",
    "ring_contrast",
    "edge_on_bulge", "artifact", "clumpiness", "lopsidedness", "dust", "companion_ratio", "tail_light",
    "arc_light",
)  # fmt: skip
_CHANCES = (
    "arms", "bar", "ring", "edge_on", "odd", "companion", "clumps", "features", "problem", "bulge", "shape",
    "winding",
)  # fmt: skip


def volunteer_votes(
    table: Table,
    schema: str | Schema = "gz_decals_dr5",
    *,
    seed: int = 0,
    volunteers: tuple[int, int] = (5, 80),
    seeing: float | str | NDArray = 1.25,
    depth: float | str | NDArray = 1.0,
) -> Table:
    """
    Let volunteers vote on simulated galaxies.

    Each volunteer goes down the tree of questions alone. What they answer depends on what is there and on
    how well it is seen: faint arms and inclined bars are missed, and some see features in a round, smooth
    galaxy. The votes on a galaxy depend on its position (or its row, in a table without ``ra`` and ``dec``)
    and the seed alone.

    Parameters
    ----------
    table : astropy.table.Table
        Simulated galaxies, with the columns ``petro_th50`` (arcsec), ``mag_r`` and those that begin with
        ``true_``, as from `SimulatedSurvey.catalogue`.
    schema : str or Schema
        Questions, as for `galzoo_repr.questions.Schema.load`.
    seed : int
        Another seed, other volunteers.
    volunteers : tuple of int
        Smallest and largest number who look at a galaxy; in between, every factor is equally frequent.
    seeing : float, ndarray or str
        Full width at half maximum of the point spread function in arcsec, one for all or one for each row, or
        the column that has it.
    depth : float, ndarray or str
        Noise in units of the median noise of DECaLS, likewise; about 4 for SDSS.

    Returns
    -------
    astropy.table.Table
        Shallow copy with the columns ``schema.columns``: int16 counts of votes, zero where nobody came to
        the question.

    Raises
    ------
    ValueError
        If the table lacks a column, or the volunteers do not know a question or an answer of the schema.

    Examples
    --------
    >>> from galzoo_repr.simulation import SimulatedSurvey, volunteer_votes
    >>> catalogue = volunteer_votes(SimulatedSurvey().catalogue(5), "gz2")
    >>> bool((catalogue["smooth-or-featured-gz2_smooth"] <= 80).all())
    True
    """
    schema = Schema.load(schema)
    low, high = volunteers
    if not 1 <= low <= high:
        raise ValueError(f"volunteers is a smallest and a largest number of at least 1, not {volunteers!r}")
    unknown = [question.label for question in schema.questions if question.name not in JUDGEMENTS]
    if unknown:
        raise ValueError(
            f"volunteers do not know the questions {', '.join(unknown)}; they know {', '.join(JUDGEMENTS)}"
        )
    needed = ["petro_th50", "mag_r", *(f"true_{name}" for name in _TRUTHS)]
    needed += [each for each in (seeing, depth) if isinstance(each, str)]
    if missing := [name for name in needed if name not in table.colnames]:
        raise ValueError(f"the table lacks the columns {', '.join(missing)} of a simulated survey")
    keys, seeing_of_all, depth_of_all = _keys(table, seed), _values(table, seeing), _values(table, depth)
    votes = np.zeros((len(table), len(schema.columns)), dtype=np.int16)
    for start in range(0, len(table), _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = table[rows]
        view = _view(part, _Uniform(keys[rows]), seeing_of_all[rows], depth_of_all[rows])
        votes[rows] = _votes_down_the_tree(view, schema, _Uniform(keys[rows]), low, high)
    result = table.copy()
    for name, counts in zip(schema.columns, votes.T, strict=True):
        result[name] = counts
        result[name].description = "Votes of simulated volunteers for this answer"
    return result


def _view(part: Table, uniform: "_Uniform", seeing: NDArray, depth: NDArray) -> View:
    radius = _values(part, "petro_th50")
    flux = 10 ** (-0.4 * (_values(part, "mag_r") - 22.5))
    noise = NOISE_AT_NATIVE_SCALE[1] / NATIVE_PIXEL_SCALE * depth
    truth = {name: np.asarray(part[f"true_{name}"]) for name in _TRUTHS}
    return View(
        truth={**truth, "arm_pitch": np.nan_to_num(truth["arm_pitch"])},
        resolution=radius / seeing,
        signal_to_noise=np.maximum(flux / (2 * math.pi * radius**2) / noise, 1e-3),
        chance={name: uniform.normal(i) for i, name in enumerate(_CHANCES)},
    )


def _values(table: Table, value: float | str | NDArray) -> NDArray:
    if isinstance(value, str):
        return np.asarray(table[value], dtype=float)
    return np.broadcast_to(np.asarray(value, dtype=float), len(table))


def _votes_down_the_tree(view: View, schema: Schema, uniform: "_Uniform", low: int, high: int) -> NDArray:
    """Count the votes for each answer, shape (n, n_answers)."""
    share = uniform(len(_CHANCES) * 2, 1)[:, 0]
    number = np.floor(low * ((high + 1) / low) ** share).astype(int).clip(low, high)
    present = np.arange(high) < number[:, None]
    said: dict[str, NDArray] = {}  # by column: which volunteer of each galaxy gave this answer
    # The place of a question in the schema is not its number: it should draw the same chances in every
    # schema.
    numbers = {name: 100 + i for i, name in enumerate(JUDGEMENTS)}
    for question in schema.questions_in_order:
        asked = present if not question.asked_after else _any(said, question)
        chosen = uniform(numbers[question.name], high)
        limits = np.cumsum(JUDGEMENTS[question.name](view, question.answers), axis=1)
        answer = sum((chosen > limits[:, [i]]).astype(np.int8) for i in range(len(question.answers) - 1))
        said |= {column: asked & (answer == i) for i, column in enumerate(question.columns)}
    return np.stack([said[column].sum(axis=1) for column in schema.columns], axis=1)


def _any(said: Mapping[str, NDArray], question: Question) -> NDArray:
    return np.logical_or.reduce([said[column] for column in question.asked_after])


def _keys(table: Table, seed: int) -> NDArray:
    """One number for each galaxy from its position, or its row."""
    if {"ra", "dec"} <= set(table.colnames):
        # To a milliarcsecond, so that formats that round the last digits change nothing.
        parts = [np.round(np.asarray(table[name], float) * 3.6e6).astype(np.int64) for name in ("ra", "dec")]
    else:
        parts = [np.arange(len(table)), np.zeros(len(table), int)]
    keys = np.full(len(table), np.uint64(seed & (2**64 - 1)))
    for part in parts:
        keys = _mixed(keys ^ _mixed(part.astype(np.uint64)))
    return keys


def _mixed(values: NDArray) -> NDArray:
    """Scatter the bits of 64-bit numbers (SplitMix64: Steele, Lea and Flood 2014, OOPSLA, p. 453)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class _Uniform:
    """Random numbers that depend on the galaxy, whichever others are in the table."""

    def __init__(self, keys: NDArray) -> None:
        self.keys = keys

    def __call__(self, stream: int, n: int) -> NDArray:
        """Draw numbers in 0 to 1, shape (n_galaxies, n), of one stream."""
        starts = _mixed(self.keys ^ _mixed(np.array([stream], np.uint64)))
        steps = _mixed(np.arange(n, dtype=np.uint64))
        return (_mixed(starts[:, None] ^ steps) >> np.uint64(11)) * 2.0**-53

    def normal(self, stream: int) -> NDArray:
        """Draw standard normal numbers, shape (n_galaxies,), as Box and Muller (1958)."""
        first, second = self(2 * stream, 1)[:, 0], self(2 * stream + 1, 1)[:, 0]
        return np.sqrt(-2 * np.log(first + 1e-300)) * np.cos(2 * np.pi * second)
