"""What the demonstration found: pictures, and words and numbers that are made from the catalogue alone."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from PIL import Image

from galzoo_repr.demo._columns import LIKED, OPINION, QUERY_KINDS, embedded
from galzoo_repr.demo._tally import Tally, figure, listed, one, several
from galzoo_repr.images import SAME_FRAME, comparison, montage, on_the_sky, pictures

__all__ = ["Finding", "interesting", "look_alikes", "predicted", "purity", "rated", "summary_of"]

BEST = 10


@dataclass(frozen=True)
class Finding:
    """
    One thing that the demonstration shows.

    Attributes
    ----------
    name : str
        Stem of the picture's file.
    asked_for : str
        The question, for the summary.
    heading, caption, alt : str
        Words for the page: above the picture, below it, and in its place.
    tally : Tally
        What was found, of how many, and by chance.
    picture : `PIL.Image.Image`
        Galaxies side by side.

    Examples
    --------
    >>> from PIL import Image
    >>> from galzoo_repr.demo import Finding, Tally
    >>> tally = Tally(wanted="ring", kinds={"ring": 6, "disk": 4}, pool=99, to_find=11)
    >>> finding = Finding(
    ...     name="similar_ring",
    ...     asked_for="like a ringed galaxy",
    ...     heading=f"Most like a ringed galaxy: {tally.headline}",
    ...     caption=tally.sentence,
    ...     alt=f"Pictures of {tally.listing}.",
    ...     tally=tally,
    ...     picture=Image.new("RGB", (520, 208)),
    ... )
    >>> finding.heading
    'Most like a ringed galaxy: 6 of 10 are ringed galaxies'
    """

    name: str
    asked_for: str
    heading: str
    caption: str
    alt: str
    tally: Tally
    picture: Image.Image


def look_alikes(catalogue: Table, kind: str) -> Finding:
    """Show the galaxies most like the one of a kind that `add_similarities` asked for."""
    order, ranks = _by_rank(catalogue, f"similarity_{kind}_rank")
    row, best = order[ranks == 0][0], order[ranks > 0][:BEST]
    others = embedded(catalogue) & (np.arange(len(catalogue)) != row)
    tally = Tally.of(np.asarray(catalogue["true_kind"]), best, others, kind)
    name = catalogue["name"][row]
    picture = comparison(
        catalogue,
        best,
        row,
        column=f"similarity_{kind}",
        kind="true_kind",
        title=f"{tally.shown} galaxies that look most like {name}",
    )
    return Finding(
        f"similar_{kind}",
        f"like {one(kind)}",
        f"Most like {one(kind)}: {tally.headline}",
        f"Asked for by its position: {name} (left), of the large and bright simulated {several(kind)} the one "
        f"{QUERY_KINDS[kind][1]}. Beside it, the {tally.shown} galaxies most like it, each with its similarity "
        f"and what it truly is. North is up, east is left. {tally.sentence}",
        f"A large picture of {name}, {one(kind)}, and smaller ones of the {tally.shown} galaxies most like it: "
        f"{tally.listing}.",
        tally,
        picture,
    )


def rated(catalogue: Table) -> Finding:
    """Show the galaxies that she of `add_interest` has rated, a round in each row."""
    rounds = np.asarray(catalogue["interest_round"])
    rows = np.argsort(rounds, kind="stable")[np.count_nonzero(rounds == 0) :]
    kinds = np.asarray(catalogue["true_kind"])
    tally = Tally.of(kinds, rows, embedded(catalogue), LIKED)
    each = np.bincount(rounds[rows])[1:]
    found = np.bincount(rounds[rows], kinds[rows] == LIKED)[1:]
    picture = montage(
        pictures(catalogue, rows),
        [f"rated {catalogue['interest'][row]:g}\n{kinds[row].replace('_', ' ')}" for row in rows],
        **on_the_sky(catalogue[rows]),
        title=f"{tally.shown} galaxies that were rated, a round in each row",
        columns=int(each.max()),
        panel=104,
        frames=[SAME_FRAME if kind == LIKED else None for kind in kinds[rows]],
    )
    opinion = [f"{rating:g} to {several(kind)}" for kind, rating in OPINION.items()]
    by_round = listed([f"{number:g}" for number in found])
    return Finding(
        "rated",
        "found by rating",
        f"Rated by a person who likes {several(LIKED)}: {tally.headline}",
        f"An imagined person, who gives {listed([*opinion, '1 to all others'])}, rated {tally.shown} of {tally.pool} "
        "simulated galaxies: each row is a round, chosen by the package from what she had rated before. "
        f"{several(LIKED).capitalize()} round by round: {by_round}. {tally.sentence}",
        f"Small pictures of {tally.shown} rated galaxies in rows of {each.max()}; {several(LIKED)} row by row: "
        f"{by_round}; in all {tally.listing}.",
        tally,
        picture,
    )


def interesting(catalogue: Table, warned: list[str] = ()) -> Finding:
    """Show the galaxies with the highest predicted rating that she has not rated, and what was `warned` of."""
    unrated = embedded(catalogue) & ~np.isfinite(catalogue["interest"])
    order, ranks = _by_rank(catalogue, "anomaly_rank")
    best = order[(ranks > 0) & unrated[order]][:BEST]
    tally = Tally.of(np.asarray(catalogue["true_kind"]), best, unrated, LIKED)
    ratings = np.isfinite(catalogue["interest"]).sum()
    picture = comparison(
        catalogue,
        best,
        column="anomaly_score",
        words="expected rating",
        kind="true_kind",
        wanted=LIKED,
        title=f"{tally.shown} unrated galaxies with the highest expected rating",
    )
    remarks = "".join(f" The package warned: {text.rstrip('.')}." for text in warned)
    return Finding(
        "interesting",
        f"unrated, after {ratings} ratings",
        f"Expected to interest her next: {tally.headline}",
        f"The {tally.shown} of {tally.pool} unrated simulated galaxies that the imagined person would probably rate "
        f"highest, learned from {ratings} ratings{_from_to(catalogue['anomaly_score'][best])}. {tally.sentence}"
        f"{remarks}",
        f"Pictures of the {tally.shown} unrated galaxies with the highest expected ratings: {tally.listing}.",
        tally,
        picture,
    )


def predicted(catalogue: Table) -> Finding:
    """Show the unlabelled galaxies that are most probably spirals, after `add_labels_and_predictions`."""
    unlabelled = embedded(catalogue) & ~np.isfinite(catalogue["spiral"])
    probability = np.where(unlabelled, catalogue["spiral_probability"], -1.0)
    best = np.argsort(-probability, kind="stable")[: min(BEST, unlabelled.sum())]
    tally = Tally.of(np.asarray(catalogue["true_kind"]), best, unlabelled, "spiral")
    labels = np.isfinite(catalogue["spiral"]).sum()
    picture = comparison(
        catalogue,
        best,
        column="spiral_probability",
        words="probability",
        kind="true_kind",
        wanted="spiral",
        title=f"{tally.shown} unlabelled galaxies with the highest probability of being spirals",
    )
    return Finding(
        "probably_spiral",
        f"spirals, after {labels} labels",
        f"Most probably spirals, after {labels} labels: {tally.headline}",
        f"{labels} simulated galaxies were labelled, as spiral or not. Shown are the {tally.shown} of {tally.pool} "
        f"others that are most probably spirals{_from_to(probability[best])}. {tally.sentence}",
        f"Pictures of the {tally.shown} unlabelled galaxies that are most probably spirals: {tally.listing}.",
        tally,
        picture,
    )


def summary_of(findings: list[Finding], catalogue: Table) -> Table:
    """Put the figures together, and beside them the mean of every galaxy being asked for in turn."""
    usable = embedded(catalogue)
    found, chance = purity(catalogue["embedding"][usable], np.asarray(catalogue["true_kind"])[usable])
    everyone = (f"like each of {usable.sum()}", "its own", BEST, BEST * found, BEST * chance)
    rows = [
        (
            finding.asked_for,
            tally.wanted.replace("_", "-"),
            tally.shown,
            tally.found,
            tally.by_chance,
            tally.to_find,
        )
        for finding in findings
        for tally in [finding.tally]
    ]
    rows.append((*everyone, chance * (usable.sum() - 1)))
    summary = Table(
        rows=rows,
        names=["asked_for", "true_kind", "shown", "found", "by_chance", "to_find"],
        dtype=[str, str, int, float, float, float],
    )
    for name in summary.colnames[2:]:
        summary[name].info.format = figure
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


def _by_rank(catalogue: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order of their ranks, and these ranks; -1, of galaxies without an embedding, comes first."""
    ranks = np.asarray(catalogue[column])
    order = np.argsort(ranks, kind="stable")
    return order, ranks[order]


def _from_to(values: np.ndarray) -> str:
    """Say over what the figures under the pictures range, the highest first."""
    return f", from {values[0]:.2f} to {values[-1]:.2f}" if len(values) else ""
