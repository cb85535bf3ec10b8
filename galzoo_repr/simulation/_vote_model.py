"""What people make of a galaxy: the probability of each answer, from what is there and how well it is seen.

The numbers in this module are a model of human judgement. They were chosen by hand so that the votes of
simulated volunteers are distributed as those of Galaxy Zoo 2 (Willett et al. 2013, MNRAS 435, 2835) question
by question;
``benchmarks/volunteers.py`` prints the comparison. Evidence is in natural logarithms of odds throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["JUDGEMENTS", "View"]

Judgement = Callable[["View", Sequence[str]], NDArray]


@dataclass(frozen=True)
class View:
    """
    Galaxies as they appear.

    Parameters
    ----------
    truth : mapping of str to ndarray
        What is true of each galaxy, without the prefix ``true_``; each of shape (n,).
    resolution : ndarray
        Half-light radius over the width of the point spread function, shape (n,).
    signal_to_noise : ndarray
        Of the mean surface brightness within the half-light radius, in one square arcsecond, shape (n,).
    chance : mapping of str to ndarray
        Standard normal numbers, one of each galaxy for each judgement: what no parameter describes.
    """

    truth: Mapping[str, NDArray]
    resolution: NDArray
    signal_to_noise: NDArray
    chance: Mapping[str, NDArray]

    def is_a(self, *kinds: str) -> NDArray:
        """Whether each galaxy is of one of these kinds."""
        return np.isin(self.truth["kind"], kinds)

    @property
    def clarity(self) -> NDArray:
        """How well fine structure is seen; zero at a resolution of 3 and signal-to-noise ratio of 50."""
        clarity = 1.1 * np.log(self.resolution / 3) + 0.55 * np.log(self.signal_to_noise / 50)
        return np.clip(clarity, -3.5, 1.6)

    @property
    def tilt(self) -> NDArray:
        """What inclination takes from structure in a disk: zero at an axis ratio of 0.7."""
        return 1.5 * np.log(np.clip(self.truth["axis_ratio"], 0.15, 1) / 0.7)

    @property
    def arms(self) -> NDArray:
        """Evidence of spiral arms; without arms, how easily they are imagined."""
        there = 0.55 + 1.3 * _log(self.truth["arm_contrast"]) + self.clarity + self.tilt
        there = there - 0.35 * np.maximum(self.truth["arms"] - 2, 0) ** 0.5
        imagined = np.select(
            [self.is_a("merger"), self.is_a("irregular"), self.is_a("ring"), self.is_a("disk")],
            [-0.6, -1.4, -1.3, -1.8],
            -3.0,
        )
        return (
            np.where(self.truth["arms"] > 0, np.maximum(there, imagined), imagined)
            + 0.5 * self.chance["arms"]
        )

    @property
    def bar(self) -> NDArray:
        """Evidence of a bar."""
        there = np.select([self.truth["bar"] == 1, self.truth["bar"] == 2], [-0.9, 0.9], -2.7)
        seen = there + np.where(self.truth["bar"] > 0, 0.8 * self.clarity + 1.7 * self.tilt, 0)
        return np.maximum(seen, -3.2) + 0.5 * self.chance["bar"]

    @property
    def ring(self) -> NDArray:
        """Evidence of a ring; wound-up arms look like one at times."""
        there = -0.2 + 1.1 * _log(self.truth["ring_contrast"]) + 0.8 * self.clarity + 0.6 * self.tilt
        tight = (self.truth["arms"] > 0) & (self.truth["arm_pitch"] < 12)
        return np.where(self.truth["ring"], there, np.where(tight, -2.6, -4.0)) + 0.4 * self.chance["ring"]

    @property
    def edge_on(self) -> NDArray:
        """Evidence of a disk seen from the side."""
        thin = 2.6 - 2.0 * self.truth["bulge_fraction"] + 0.4 * self.clarity
        tilted = -5.5 + 13 * np.clip(0.65 - self.truth["axis_ratio"], 0, None)
        # Nothing in a smooth galaxy shows that it is tilted.
        tilted = np.where(self.is_a("smooth"), tilted + 2.0, tilted)
        return np.where(self.is_a("edge_on"), thin + 0.6, tilted) + 0.6 * self.chance["edge_on"]

    @property
    def disturbance(self) -> NDArray:
        """Evidence of tails and lopsidedness."""
        tails = 0.9 + 0.9 * _log(self.truth["tail_light"] / 0.1) + 0.6 * self.clarity
        lopsided = -4.0 + 4.0 * self.truth["lopsidedness"]
        return (
            np.logaddexp(np.where(self.truth["tail_light"] > 0, tails, -9), lopsided)
            + 0.4 * self.chance["odd"]
        )

    @property
    def companion(self) -> NDArray:
        """Evidence of a second galaxy that belongs to it; now and then a neighbour by chance."""
        there = 1.3 + 0.8 * _log(self.truth["companion_ratio"] / 0.4) + 0.3 * self.clarity
        by_chance = -3.3 + 0.8 * self.chance["companion"]
        return np.where(self.truth["companion_ratio"] > 0, there, by_chance)

    @property
    def clumps(self) -> NDArray:
        """Evidence of clumps."""
        return 1.6 * _log(self.truth["clumpiness"] / 0.35) + 0.7 * self.clarity + 0.4 * self.chance["clumps"]

    @property
    def features(self) -> NDArray:
        """Evidence of anything that makes a galaxy more than smooth."""
        base = np.select(
            [
                self.is_a("edge_on"),
                self.is_a("smooth", "lens", "artifact"),
                self.is_a("disk", "spiral", "ring"),
            ],
            [-0.9, -3.3, -2.6],
            -2.0,
        )
        # Elongated smooth galaxies look like disks, round ones sometimes too.
        base = base + np.where(self.is_a("smooth"), 1.2 * (0.7 - self.truth["axis_ratio"]), 0)
        evidence = [
            base,
            1.4 * self.arms - 1.2,
            1.3 * self.bar - 1.7,
            1.3 * self.ring - 1.0,
            self.clumps - 2.0,
            1.2 * self.disturbance - 1.6,
        ]
        edge_on = np.where(self.is_a("edge_on"), self.edge_on - 2.9 + 0.5 * self.clarity, -9)
        dust = np.where(
            self.truth["dust"] > 0, 1.5 * _log(self.truth["dust"] / 0.5) + 0.5 * self.clarity - 0.7, -9
        )
        return np.logaddexp.reduce([*evidence, edge_on, dust]) + 0.45 * self.chance["features"]

    @property
    def odd(self) -> NDArray:
        """Evidence of something odd."""
        lens = np.where(self.truth["arc_light"] > 0, 0.5 + _log(self.truth["arc_light"] / 0.1), -9)
        dust = np.where(self.truth["dust"] > 0, -2.2 + 3 * (self.truth["dust"] - 0.5), -9)
        defect = np.where(self.truth["artifact"] > 0, -0.3, -9)
        base = -3.7 + 0.6 * self.chance["odd"]
        evidence = [base, self.ring - 0.8, 1.3 * self.companion, self.disturbance - 0.2, lens, dust, defect]
        irregular = np.where(self.is_a("irregular"), -0.9, -9)
        return np.logaddexp.reduce([*evidence, irregular])

    @property
    def apparent_axis_ratio(self) -> NDArray:
        """Axis ratio after the point spread function has made galaxies rounder."""
        spread = (0.42 / self.resolution) ** 2
        return np.sqrt((self.truth["axis_ratio"] ** 2 + spread) / (1 + spread))


def _log(values: NDArray) -> NDArray:
    return np.log(np.maximum(values, 1e-4))


def _sigmoid(evidence: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-evidence))


def _among(answers: Sequence[str], probabilities: Mapping[str, NDArray | float]) -> NDArray:
    """Probabilities of the answers that a schema offers, shape (n, n_answers), adding up to one."""
    unknown = [answer for answer in answers if answer not in probabilities]
    if unknown:
        raise ValueError(
            f"volunteers cannot answer {', '.join(unknown)}; they know {', '.join(probabilities)}"
        )
    stacked = np.stack(np.broadcast_arrays(*(probabilities[answer] for answer in answers)), axis=-1)
    stacked = np.maximum(stacked.astype(float), 1e-3)
    return stacked / stacked.sum(axis=-1, keepdims=True)


def _yes_or_no(answers: Sequence[str], evidence: NDArray) -> NDArray:
    yes = _sigmoid(evidence)
    return _among(answers, {"yes": yes, "no": 1 - yes})


def _on_a_scale(
    answers: Sequence[str], value: NDArray, scale: float, thresholds: Mapping[str, float]
) -> NDArray:
    """
    Ordered answers, chosen by a value that everybody reads off with the same uncertainty.

    Each answer reaches up to its threshold in `thresholds`, from the lowest on.
    """
    unknown = [answer for answer in answers if answer not in thresholds]
    if unknown:
        raise ValueError(f"volunteers cannot answer {', '.join(unknown)}; they know {', '.join(thresholds)}")
    ordered = sorted(answers, key=thresholds.__getitem__)
    edges = np.array([thresholds[answer] for answer in ordered[:-1]])
    below = _sigmoid((edges - value[:, None]) / scale)
    ends = np.zeros((len(value), 1)), np.ones((len(value), 1))
    shares = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
    return _among(answers, dict(zip(ordered, shares.T, strict=True)))


def _smooth_or_featured(view: View, answers: Sequence[str]) -> NDArray:
    defect = np.select([view.truth["artifact"] == i for i in (1, 2, 3, 4)], [1.8, -0.6, 0.2, -0.8], -3.7)
    problem = _sigmoid(defect + 0.5 * view.chance["problem"])
    featured = (1 - problem) * _sigmoid(view.features)
    return _among(
        answers,
        {
            "smooth": 1 - problem - featured,
            "featured-or-disk": featured,
            "artifact": problem,
            "problem": problem,
        },
    )


def _bulge_size(view: View, answers: Sequence[str]) -> NDArray:
    # Who sees features in a galaxy that is all bulge sees a disk around it.
    perceived = _log(np.clip(view.truth["bulge_fraction"], 0.01, 0.4)) + 0.35 * view.chance["bulge"]
    perceived = perceived + 0.25 * (view.truth["bar"] > 0)
    if "large" in answers:
        thresholds = {"none": 0.02, "small": 0.09, "moderate": 0.28, "large": 0.6, "dominant": 1.0}
    elif "just-noticeable" in answers:
        thresholds = {"no": 0.025, "just-noticeable": 0.17, "obvious": 0.75, "dominant": 1.0}
    else:
        thresholds = {"none": 0.05, "obvious": 0.5, "dominant": 1.0}
    return _on_a_scale(
        answers, perceived, 0.5, {answer: np.log(value) for answer, value in thresholds.items()}
    )


def _how_rounded(view: View, answers: Sequence[str]) -> NDArray:
    perceived = view.apparent_axis_ratio + 0.03 * view.chance["shape"]
    # Whoever takes an edge-on disk with its bulge for smooth sees it rounder than its disk is.
    perceived = perceived + np.where(view.is_a("edge_on"), 0.25 * view.truth["bulge_fraction"], 0)
    cigar, between, round_ = 0.42, 0.82, 1.0
    thresholds = {
        "cigar-shaped": cigar,
        "cigar": cigar,
        "in-between": between,
        "round": round_,
        "completely": round_,
    }
    return _on_a_scale(answers, perceived, 0.045, thresholds)


def _edge_on_bulge(view: View, answers: Sequence[str]) -> NDArray:
    shape = view.truth["edge_on_bulge"]
    visible = _sigmoid(1.2 + 1.3 * _log(view.truth["bulge_fraction"] / 0.2) + 0.6 * view.chance["bulge"])
    boxy = np.select([shape == 2, shape == 1], [0.42, 0.13], 0.2) * visible
    none = np.where(shape == 0, 0.72, 1 - visible)
    rounded = 1 - boxy - none
    return _among(
        answers,
        {"boxy": boxy, "none": none, "no-bulge": none, "rounded": rounded, "round": rounded},
    )


def _spiral_winding(view: View, answers: Sequence[str]) -> NDArray:
    imagined = np.where(view.is_a("merger", "irregular"), 30.0, 17.0)
    pitch = np.where(view.truth["arms"] > 0, view.truth["arm_pitch"], imagined) + 2.5 * view.chance["winding"]
    return _on_a_scale(answers, pitch, 5.5, {"tight": 12.5, "medium": 28.0, "loose": 90.0})


def _spiral_arm_count(view: View, answers: Sequence[str]) -> NDArray:
    names = ("1", "2", "3", "4", "more-than-4")
    number = np.clip(view.truth["arms"], 0, 6)
    counted = _sigmoid(0.5 + 0.9 * view.arms - 0.45 * np.maximum(number - 2, 0) - 0.3 * (number == 1))
    counted = np.where(number > 0, counted, 0.1)
    given = {}
    for i, name in enumerate(names, start=1):
        right = number == i if i < 5 else number >= 5
        near = np.exp(-np.abs(np.minimum(number, 5) - i)) * (number > 0)
        given[name] = 0.85 * counted * right + (0.15 * counted + 0.12 * (1 - counted)) * near
    # Who is not sure says two, or that it cannot be told.
    given["2"] = given["2"] + 0.12 + 0.3 * (1 - counted)
    given["cant-tell"] = 0.05 + 0.45 * (1 - counted) + 0.12 * np.maximum(number - 2, 0) * (1 - counted)
    return _among(answers, given)


def _merging(view: View, answers: Sequence[str]) -> NDArray:
    pair, debris = _sigmoid(view.companion), _sigmoid(view.disturbance)
    nothing = (1 - pair) * (1 - debris)
    # A single galaxy with tails is one after its merger: disturbed, and the more the brighter the tails.
    heavy = _sigmoid(_log(view.truth["tail_light"] / 0.12))
    return _among(
        answers,
        {
            "none": nothing,
            "neither": nothing,
            "merger": pair,
            "minor-disturbance": (1 - pair) * debris * (1 - heavy),
            "major-disturbance": (1 - pair) * debris * heavy,
            "tidal-debris": (1 - pair) * debris,
            "both": pair * debris,
        },
    )


def _odd_feature(view: View, answers: Sequence[str]) -> NDArray:
    lens = np.where(view.truth["arc_light"] > 0, 2.0 + _log(view.truth["arc_light"] / 0.1), -2.2)
    dust = np.where(view.truth["dust"] > 0, -1.2 + 3 * _log(view.truth["dust"] / 0.5) + view.clarity, -4.5)
    irregular = np.where(view.is_a("irregular"), 1.6, -2.3)
    evidence = {
        "ring": view.ring + 0.9,
        "lens-or-arc": lens,
        "disturbed": view.disturbance + 0.5,
        "irregular": irregular + 0.3 * view.chance["clumps"],
        "other": 0.0 + 0.5 * view.chance["problem"],
        "merger": view.companion + 2.6,
        "dust-lane": dust,
    }
    return _among(answers, {name: np.exp(np.clip(value, -8, 4)) for name, value in evidence.items()})


def _problem(view: View, answers: Sequence[str]) -> NDArray:
    star = view.truth["artifact"] == 1
    defect = view.truth["artifact"] > 1
    zoom = np.where(star | defect, 0.1, 0.3)
    star, defect = np.where(star, 0.75, 0.3), np.where(defect, 0.8, 0.3)
    return _among(answers, {"star": star, "artifact": defect, "zoom": zoom, "bad-zoom": zoom})


def _artifact(view: View, answers: Sequence[str]) -> NDArray:
    kind = view.truth["artifact"]
    given = {name: np.full(len(kind), 0.05) for name in ("scattered", "ray", "saturation", "ghost")}
    given["diffraction"] = np.where(kind == 1, 0.7, 0.05)
    given["satellite"] = np.where(kind == 2, 0.8, 0.05)
    given["other"] = np.where(kind > 2, 0.8, 0.3)
    return _among(answers, given)


def _galaxy_type(view: View, answers: Sequence[str]) -> NDArray:
    evidence = {
        "elliptical": 0.6 - view.features,
        "spiral": np.logaddexp(view.arms, view.bar - 1.0),
        "edge-on": view.edge_on,
        "merger": view.companion,
        "dont-know": np.where(view.truth["artifact"] > 0, 1.5, -1.8 - 0.5 * view.clarity),
    }
    return _among(answers, {name: np.exp(np.clip(value, -8, 5)) for name, value in evidence.items()})


JUDGEMENTS: Mapping[str, Judgement] = {
    "smooth-or-featured": _smooth_or_featured,
    # Asked of those who saw a disk or features, in which a side view is more often seen than among all.
    "disk-edge-on": lambda view, answers: _yes_or_no(answers, view.edge_on),
    "has-spiral-arms": lambda view, answers: _yes_or_no(answers, view.arms + 0.2),
    "bar": lambda view, answers: _bar(view, answers),
    "bulge-size": _bulge_size,
    "how-rounded": _how_rounded,
    "edge-on-bulge": _edge_on_bulge,
    "bulge-shape": _edge_on_bulge,
    "spiral-winding": _spiral_winding,
    "spiral-arm-count": _spiral_arm_count,
    "merging": _merging,
    "something-odd": lambda view, answers: _yes_or_no(answers, view.odd),
    "odd-feature": _odd_feature,
    "clumps": lambda view, answers: _yes_or_no(answers, view.clumps),
    "problem": _problem,
    "artifact": _artifact,
    "ring": lambda view, answers: _yes_or_no(answers, view.ring + 0.8),
    "galaxy-type": _galaxy_type,
}
"""How each question is judged: from view and answers to probabilities, shape (n, n_answers)."""


def _bar(view: View, answers: Sequence[str]) -> NDArray:
    barred = _sigmoid(view.bar)
    strong = barred * np.select([view.truth["bar"] == 2, view.truth["bar"] == 1], [0.6, 0.25], 0.15)
    return _among(answers, {"yes": barred, "strong": strong, "weak": barred - strong, "no": 1 - barred})
