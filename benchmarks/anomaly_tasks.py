"""Searches for interesting galaxies of which curves are drawn: rare, common, graded, of two kinds, contradictory.

All real galaxies are ones that no training of an encoder of this package saw; none of the catalogues has more
than 3,000, so that many searches take minutes.
"""

from pathlib import Path

import numpy as np
from anomaly_data import Task, embedded_set, simulated_tasks
from astropy.table import Table
from real_galaxies import is_validation, judged_rings, read_set, sdss_labels

from galzoo_repr import Encoder

HIGHEST = 5.0
SIMULATED = 3000
MISTAKEN = 0.15
GZ1 = "smallGZ1_eggochi"


def curve_tasks(encoder: Encoder, work: Path) -> list[Task]:
    """Make all searches."""
    return (
        sdss_tasks(encoder, work)
        + ring_tasks(encoder, work)
        + vote_tasks(encoder, work)
        + simulated(encoder, work)
    )


def sdss_tasks(encoder: Encoder, work: Path) -> list[Task]:
    """
    Searches among SDSS galaxies that training left out.

    Mergers, edge-on galaxies and spirals among those of Galaxy Zoo 1; odd against not odd among those of Galaxy
    Zoo 2, also thinned until one in fifty is odd.
    """
    table = read_set("sdss_galaxy_zoo", work)
    embeddings = embedded_set(encoder, "sdss_galaxy_zoo", table, work)
    labels, sources = sdss_labels(table), np.array(table["source"]).astype(str)
    held_out = is_validation(table["file"])
    first = held_out & (sources == GZ1)
    second = held_out & (sources != GZ1) & np.isin(labels, ["odd_yes", "odd_no"])
    odd, edge_on, merger = labels == "odd_yes", labels == "edge_on", labels == "merger"
    few_odd = thinned(second, odd, 0.02)
    # As many edge-on galaxies as mergers, so that neither kind is found by looking for the other.
    few_edge_on = thinned(first, edge_on, merger[first].mean())

    def task(name: str, rows: np.ndarray, interesting: np.ndarray) -> Task:
        return Task(name, embeddings[rows], interesting[rows])

    return [
        task("odd", second, odd),
        task("rare odd", few_odd, odd),
        task("mergers", first, merger),
        task("edge-on", first, edge_on),
        task("spirals", first, np.char.startswith(labels, "spiral")),
        task("mergers or edge-on", few_edge_on, merger | edge_on),
        mistaken(task("odd, contradictory", second, odd)),
        mistaken(task("edge-on, contradictory", first, edge_on)),
    ]


def ring_tasks(encoder: Encoder, work: Path) -> list[Task]:
    """Rings of DECaLS, by the published labels and where two judges agree."""
    table = read_set("decals_rings", work)
    embeddings = embedded_set(encoder, "decals_rings", table, work)
    rows, ring = judged_rings(table)
    return [
        Task("rings, published", embeddings, np.array(table["label"]) == "ring"),
        Task("rings, judged", embeddings[rows], ring),
    ]


def vote_tasks(encoder: Encoder, work: Path) -> list[Task]:
    """Searches among galaxies with volunteers' votes: graded by a fraction, and of two kinds."""
    table = read_set("gz2_votes", work)
    embeddings = embedded_set(encoder, "gz2_votes", table, work)
    spiral, odd, edge_on = (
        _fraction(table, column)
        for column in ("t04_spiral_a08_spiral", "t06_odd_a14_yes", "t02_edgeon_a04_yes")
    )
    # The hierarchy of questions: whether there are spiral arms is asked only of galaxies with features, not edge-on.
    spiral = spiral * _fraction(table, "t01_smooth_or_features_a02_features_or_disk") * (1 - edge_on)
    tasks = [
        Task(f"{name}, graded", embeddings, fraction > 0.5, ratings=HIGHEST * fraction)
        for name, fraction in (("spiral", spiral), ("odd", odd), ("edge-on", edge_on))
    ]
    either = np.maximum(odd, edge_on)
    return [*tasks, Task("odd or edge-on, graded", embeddings, either > 0.5, ratings=HIGHEST * either)]


def _fraction(table: Table, answer: str) -> np.ndarray:
    """Debiased vote fraction of an answer, zero where nobody was asked."""
    return np.clip(np.nan_to_num(np.ma.filled(table[f"{answer}_debiased"].astype(float), 0.0)), 0.0, 1.0)


def simulated(encoder: Encoder, work: Path) -> list[Task]:
    """One in a hundred of a rare kind among simulated galaxies, and two rare kinds at once."""
    tasks = simulated_tasks(encoder, work, SIMULATED)
    ring, merger = tasks[:2]
    rows = merger.interesting
    both = Task(
        "simulated ring or merger",
        np.concatenate([ring.embeddings, merger.embeddings[rows]]),
        np.concatenate([ring.interesting, merger.interesting[rows]]),
    )
    return [*tasks, both]


def thinned(rows: np.ndarray, interesting: np.ndarray, share: float) -> np.ndarray:
    """Rows without so many of the interesting ones, chosen at random, that `share` of what is left is interesting."""
    among = np.flatnonzero(rows & interesting)
    keep = round(share / (1 - share) * (rows.sum() - len(among)))
    rows = rows.copy()
    rows[np.random.default_rng(0).permutation(among)[keep:]] = False
    return rows


def mistaken(task: Task) -> Task:
    """Let a rater turn 15 % of all ratings round, always the same ones."""
    wrong = np.random.default_rng(1).random(len(task.ratings)) < MISTAKEN
    task.given = np.where(wrong, HIGHEST - task.ratings, task.ratings)
    return task
