"""What the demonstration asks of a simulated catalogue; each question leaves columns in it."""

import warnings

import numpy as np
from astropy.table import Column, Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import sky_positions
from galzoo_repr.exceptions import GalzooWarning

__all__ = [
    "LIKED",
    "OPINION",
    "QUERY_KINDS",
    "add_interest",
    "add_labels_and_predictions",
    "add_similarities",
    "embedded",
]

# Of each kind that is asked for, how marked a galaxy is, and the one most so in words.
QUERY_KINDS = {
    "merger": (
        lambda table: table["true_companion_ratio"] + table["true_tail_light"],
        "with the most light in companion and tails",
    ),
    "ring": (
        lambda table: table["true_ring_contrast"] * table["true_axis_ratio"],
        "whose ring stands out most",
    ),
    "edge_on": (lambda table: -table["true_axis_ratio"], "with the smallest axis ratio"),
    "spiral": (
        lambda table: table["true_arm_contrast"] * table["true_axis_ratio"],
        "whose arms stand out most",
    ),
}
LIKED = "merger"
OPINION = {"merger": 5.0, "irregular": 3.0}  # of the person who rates; all other kinds get 1
ROUNDS, ROUND = 4, 10  # of ratings, and how many in each


def embedded(catalogue: Table) -> np.ndarray:
    """Say which galaxies have an embedding, shape (n,)."""
    return np.isfinite(np.asarray(catalogue["embedding"])).all(axis=1)


def add_similarities(catalogue: Table, survey: gzr.LegacySurvey) -> Table:
    """
    Ask for a marked galaxy of each of four kinds by its position.

    Gives columns ``similarity_merger``, ``similarity_merger_rank``...; the survey is asked should a position
    not be in the catalogue.
    """
    positions = sky_positions(catalogue).skycoord
    for kind in QUERY_KINDS:
        if (row := _most_marked(catalogue, kind)) is not None:
            catalogue = gzr.add_similarity(
                catalogue, positions[row], name=f"similarity_{kind}", survey=survey
            )
    return catalogue


def _most_marked(catalogue: Table, kind: str) -> int | None:
    """Row of the galaxy that is most plainly of a kind, among those larger and brighter than half of it."""
    rows = np.flatnonzero(embedded(catalogue) & (catalogue["true_kind"] == kind))
    if not len(rows):
        return None
    size, magnitude = (np.asarray(catalogue[name])[rows] for name in ("petro_th50", "mag_r"))
    well_seen = (size >= np.median(size)) & (magnitude <= np.median(magnitude))
    rows = rows[well_seen] if well_seen.any() else rows
    return int(rows[np.argmax(np.asarray(QUERY_KINDS[kind][0](catalogue))[rows])])


def add_interest(catalogue: Table) -> tuple[Table, list[str]]:
    """
    Imagine a person who likes mergers, let her rate a few rounds of galaxies, and score all by her interest.

    Returns
    -------
    catalogue : astropy.table.Table
        With her ratings in ``interest``, NaN where not rated, the number of the round in ``interest_round``,
        and the columns of `galzoo_repr.add_anomaly_scores`.
    warned : list of str
        What the package warned of when it scored.
    """
    opinion = np.array([OPINION.get(str(kind), 1.0) for kind in catalogue["true_kind"]])
    ratings, rounds = np.full(len(catalogue), np.nan), np.zeros(len(catalogue), np.int16)
    catalogue = catalogue.copy(copy_data=False)

    def write_down() -> None:
        catalogue["interest"] = Column(ratings, description="Rating by an imagined person who likes mergers")

    # Rated is a quarter of a small catalogue at most.
    for number in range(1, min(ROUNDS, max(1, len(catalogue) // (4 * ROUND))) + 1):
        write_down()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GalzooWarning)  # few ratings, of which more will be known
            rows = gzr.next_to_rate(catalogue, n=ROUND)["row"]
        ratings[rows], rounds[rows] = opinion[rows], number
    write_down()
    catalogue["interest_round"] = Column(rounds, description="Round in which it was rated, 0 for not rated")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", GalzooWarning)
        catalogue = gzr.add_anomaly_scores(catalogue)
    return catalogue, [str(one.message) for one in heard if issubclass(one.category, GalzooWarning)]


def add_labels_and_predictions(catalogue: Table, *, seed: int = 0) -> Table:
    """
    Label some galaxies as spiral or not, learn from them, and predict all.

    Labels are in ``spiral`` (1, 0, or NaN where not labelled), beside the columns of
    `galzoo_repr.add_predictions`; the seed decides which.
    """
    order = np.random.default_rng(seed).permutation(len(catalogue))
    spiral = np.asarray(catalogue["true_kind"] == "spiral")
    # A fifth of the galaxies, and of a small catalogue at least five of either answer.
    rows = [*order[: len(order) // 5], *order[spiral[order]][:5], *order[~spiral[order]][:5]]
    labels = np.full(len(catalogue), np.nan)
    labels[rows] = spiral[rows]
    catalogue = catalogue.copy(copy_data=False)
    catalogue["spiral"] = Column(labels, description="Label given: 1 a spiral, 0 none, NaN not labelled")
    model = gzr.finetune(catalogue, "spiral", progress=False)
    return gzr.add_predictions(catalogue, model, progress=False)
