"""What the demonstration finds in a simulated catalogue, each with a picture and a figure beside chance."""

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.catalogue import sky_positions
from galzoo_repr.images import comparison

__all__ = [
    "QUERY_KINDS",
    "Finding",
    "add_interest",
    "add_labels_and_predictions",
    "add_similarities",
    "interesting",
    "look_alikes",
    "predicted",
    "purity",
    "summary_of",
]

QUERY_KINDS = ("ring", "edge_on", "spiral", "merger")
BEST = 10
ROUNDS = 4
OPINION = {"merger": 5.0, "irregular": 3.0}  # of the person who rates; all other kinds get 1


@dataclass(frozen=True)
class Finding:
    """
    One thing that the demonstration shows.

    Attributes
    ----------
    name : str
        Stem of the picture's file.
    heading, text : str
        Words for the page.
    picture : `PIL.Image.Image`
        Galaxies side by side.
    row : tuple
        Row of the summary: what was asked for, the true kind wanted, its share among the best, and by chance.
    """

    name: str
    heading: str
    text: str
    picture: Image.Image
    row: tuple[str, str, float, float]


def add_similarities(catalogue: Table, survey: gzr.LegacySurvey) -> Table:
    """
    Ask for the brightest galaxy of each of four kinds by its position.

    Gives columns ``similarity_ring``, ``similarity_ring_rank``...; the survey is asked should a position not
    be in the catalogue.
    """
    positions = sky_positions(catalogue).skycoord
    for kind in QUERY_KINDS:
        rows = np.flatnonzero(_embedded(catalogue) & (catalogue["true_kind"] == kind))
        if len(rows):
            row = rows[np.argmin(catalogue["mag_r"][rows])]
            catalogue = gzr.add_similarity(
                catalogue, positions[row], name=f"similarity_{kind}", survey=survey
            )
    return catalogue


def look_alikes(catalogue: Table, kind: str) -> Finding:
    """Show the galaxies most like the one of a kind that `add_similarities` asked for."""
    ranks = np.asarray(catalogue[f"similarity_{kind}_rank"])
    order = np.argsort(ranks, kind="stable")
    row, best = order[ranks[order] == 0][0], order[ranks[order] > 0][:BEST]
    name = catalogue["name"][row]
    same = catalogue["true_kind"] == kind
    others = _embedded(catalogue) & (np.arange(len(catalogue)) != row)
    words = kind.replace("_", "-")
    return Finding(
        f"similar_{kind}",
        f"{words.capitalize()}: {name}",
        f"Of the {len(best)} galaxies most like this one, {same[best].sum()} are of the same kind.",
        comparison(
            catalogue,
            best,
            row,
            column=f"similarity_{kind}",
            kind="true_kind",
            fov=_fields(catalogue),
            title=f"{len(best)} galaxies that look most like {name}",
        ),
        (f"like {name}", kind, same[best].mean(), same[others].mean()),
    )


def add_interest(catalogue: Table) -> Table:
    """
    Imagine a person who likes mergers, let her rate a few rounds of galaxies, and score all by her interest.

    Her ratings are in ``interest``, NaN where not rated, beside the columns of
    `galzoo_repr.add_anomaly_scores`.
    """
    opinion = np.array([OPINION.get(str(kind), 1.0) for kind in catalogue["true_kind"]])
    ratings = np.full(len(catalogue), np.nan)
    catalogue = catalogue.copy(copy_data=False)
    for _ in range(ROUNDS):
        catalogue["interest"] = Column(ratings, description="Rating by an imagined person who likes mergers")
        rows = gzr.next_to_rate(catalogue, n=max(2, len(catalogue) // 30))["row"]
        ratings[rows] = opinion[rows]
    catalogue["interest"] = Column(ratings, description="Rating by an imagined person who likes mergers")
    return gzr.add_anomaly_scores(catalogue)


def interesting(catalogue: Table) -> Finding:
    """Show the galaxies with the highest predicted rating that she of `add_interest` has not rated."""
    rated = np.isfinite(catalogue["interest"])
    ranks = np.asarray(catalogue["anomaly_rank"])
    order = np.argsort(ranks, kind="stable")
    best = order[(ranks[order] > 0) & ~rated[order]][:BEST]
    merger = catalogue["true_kind"] == "merger"
    others = _embedded(catalogue) & ~rated
    return Finding(
        "interesting",
        "Interesting to somebody",
        f"An imagined person who likes mergers rated {rated.sum()} galaxies, chosen for her in {ROUNDS} "
        f"rounds. Of the {len(best)} others with the highest rating expected of her, {merger[best].sum()} "
        "are mergers.",
        comparison(
            catalogue,
            best,
            column="anomaly_score",
            words="expected rating",
            kind="true_kind",
            wanted="merger",
            fov=_fields(catalogue),
            title=f"{len(best)} unrated galaxies with the highest expected rating",
        ),
        (f"interesting, after {rated.sum()} ratings", "merger", merger[best].mean(), merger[others].mean()),
    )


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


def predicted(catalogue: Table) -> Finding:
    """Show the unlabelled galaxies that are most probably spirals, after `add_labels_and_predictions`."""
    open_rows = ~np.isfinite(catalogue["spiral"]) & _embedded(catalogue)
    probability = np.where(open_rows, catalogue["spiral_probability"], -1.0)
    best = np.argsort(-probability, kind="stable")[: min(BEST, open_rows.sum())]
    spiral = catalogue["true_kind"] == "spiral"
    labelled = np.isfinite(catalogue["spiral"]).sum()
    return Finding(
        "probably_spiral",
        "Labelled by example",
        f"{labelled} galaxies were labelled, as spiral or not. Of the {len(best)} others that are most "
        f"probably spirals, {spiral[best].sum()} are.",
        comparison(
            catalogue,
            best,
            column="spiral_probability",
            words="probability",
            kind="true_kind",
            wanted="spiral",
            fov=_fields(catalogue),
            title=f"{len(best)} unlabelled galaxies with the highest probability of being spirals",
        ),
        (f"spirals, after {labelled} labels", "spiral", spiral[best].mean(), spiral[open_rows].mean()),
    )


def summary_of(findings: list[Finding], catalogue: Table) -> Table:
    """Put the figures together, and beside them that of every galaxy being asked for in turn."""
    usable = _embedded(catalogue)
    everyone = purity(catalogue["embedding"][usable], np.asarray(catalogue["true_kind"])[usable])
    rows = [*(finding.row for finding in findings), (f"like each of {usable.sum()}", "its own", *everyone)]
    summary = Table(rows=rows, names=["asked_for", "true_kind", f"in_best_{BEST}", "by_chance"])
    for name in summary.colnames[2:]:
        summary[name].info.format = ".2f"
    return summary


def purity(embeddings: np.ndarray, kinds: np.ndarray, n: int = BEST) -> tuple[float, float]:
    """
    Share of the same kind among the most alike, each galaxy being asked for in turn.

    Parameters
    ----------
    embeddings : numpy.ndarray
        Finite, shape (m, d).
    kinds : numpy.ndarray
        True class, shape (m,).
    n : int, optional
        How many of the most alike (by cosine) to look at.

    Returns
    -------
    found, chance : float
        Mean over galaxies, and its expectation if the order were random.

    Examples
    --------
    >>> import numpy as np
    >>> purity(np.eye(4)[[0, 0, 1, 1]], np.array(["a", "a", "b", "b"]), n=1)
    (1.0, 0.3333333333333333)
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=n, metric="cosine").fit(embeddings)
    neighbours = search.kneighbors(return_distance=False)
    _, index, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    chance = (counts[index] - 1) / (len(kinds) - 1)
    return float((kinds[neighbours] == kinds[:, None]).mean()), float(chance.mean())


def _embedded(catalogue: Table) -> np.ndarray:
    return np.isfinite(np.asarray(catalogue["embedding"])).all(axis=1)


def _fields(catalogue: Table) -> u.Quantity:
    return gzr.ImageRecipe().fields_of_view(catalogue)
