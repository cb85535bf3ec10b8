"""How many of the rare galaxies are found with 200 ratings? The protocol of Walmsley et al. (2022).

10 random galaxies are rated, then tens by expected improvement up to 200 ratings; a rating is 5 for an
interesting galaxy and 0 for any other. Baselines have their first 200 galaxies rated. Each figure is a mean
over runs, with its standard deviation, and there are two tables for each search: in one all galaxies stand by
prediction, in the other rated galaxies stand before all predictions in the order of their ratings, as the paper
scored itself. "AP, unrated" leaves rated galaxies out: what was learned, without what was told.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/anomaly_protocol.py [--encoder bundled] [--simulated 100000]

With ``--curves`` it measures something else: what this package finds and learns from 10 to 500 ratings beside what
else a user could do, on the searches of ``anomaly_tasks.py``, from the same first ten galaxies; see
``anomaly_curves.py``.

An encoder that learned from Galaxy Zoo labels of these very galaxies has an advantage on them; the searches
"held out" are among those galaxies alone that training left out. Embeddings stay in the folder ``--work``.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from anomaly_curves import all_curves
from anomaly_data import Task, real_tasks, simulated_tasks
from anomaly_verdicts import draw, report
from astronomaly_methods import isolation_scores, neighbour_scores
from rich.console import Console
from rich.table import Table as RichTable
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from galzoo_repr import Encoder, InterestModel
from galzoo_repr.anomaly import ReducedCatalogue, unusual_scores
from galzoo_repr.catalogue import embedding_matrix

RATINGS, BATCH, SCALE = 200, 10, (0, 5)
METHODS = {
    "paper": {"method": "paper", "batch": "top"},
    "paper, distinct ten": {"method": "paper"},
    "this package, top ten": {"batch": "top"},
    "this package": {},
    "the same, 10 components": {"n_components": 10},
    "the same, 20 components": {"n_components": 20},
    "the same, 80 components": {"n_components": 80},
}
FIGURES = ("P@50", "P@100", "P@200", "RWS@200", "AP", "AP, unrated", "found")


def search(catalogue: ReducedCatalogue, truth: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all galaxies after the whole loop, and the ratings given."""
    ratings = np.full(len(truth), np.nan)
    rows = np.random.default_rng(seed).permutation(len(truth))[:BATCH]
    while True:
        ratings[rows] = truth[rows]
        judgement = catalogue.judge(ratings)
        rated = np.isfinite(ratings)
        if rated.sum() >= RATINGS:
            return judgement.score, ratings
        rows = judgement.choose(BATCH, rated)


def top_rated(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Ratings of the first 200 galaxies."""
    ratings = np.full(len(truth), np.nan)
    rows = np.argsort(-scores, kind="stable")[:RATINGS]
    ratings[rows] = truth[rows]
    return ratings


def figures(interesting: np.ndarray, scores: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
    """Precision among the first 50, 100 and 200, rank-weighted score of 200, average precision, number found."""
    hits = interesting[np.argsort(-scores, kind="stable")]
    weights = np.arange(RATINGS, 0, -1)
    result = {f"P@{n}": hits[:n].mean() for n in (50, 100, 200)}
    result["RWS@200"] = (weights * hits[:RATINGS]).sum() / weights.sum()
    result["AP"] = average_precision_score(interesting, scores)
    unrated = np.isnan(ratings)
    if interesting[unrated].any():
        result["AP, unrated"] = average_precision_score(interesting[unrated], scores[unrated])
    return result | {"found": float(np.nansum(ratings > 0))}


def both(interesting: np.ndarray, scores: np.ndarray, ratings: np.ndarray) -> list[dict[str, float]]:
    """Figures by prediction, and with rated galaxies at a hundred times their ratings, as the paper scored."""
    known_first = np.where(np.isfinite(ratings), 100 * ratings, scores)
    return [figures(interesting, order, ratings) for order in (scores, known_first)]


class Searches:
    """All methods on one task; what does not depend on the run is done once."""

    def __init__(self, task: Task, methods: list[str]):
        self.task, self.truth = task, np.round(5.0 * task.interesting)
        self.catalogues = {name: self._reduced(task.embeddings, **METHODS[name]) for name in methods}
        self.features = self._reduced(task.embeddings).features
        if task.ellipses is not None:
            self.ellipses = StandardScaler().fit_transform(task.ellipses)
            self.catalogues["ellipses, distinct ten"] = self._reduced(self.ellipses)

    @staticmethod
    def _reduced(embeddings: np.ndarray, **options) -> ReducedCatalogue:
        return ReducedCatalogue(embedding_matrix(embeddings), InterestModel(rating_scale=SCALE, **options))

    def run(self, seed: int) -> dict[str, list[dict[str, float]]]:
        """Figures of every method, twice each, for one run."""
        scores = {
            "random order": np.random.default_rng(seed).random(len(self.truth)),
            "isolation forest": unusual_scores(self.features, seed=seed),
        }
        rated = {name: top_rated(values, self.truth) for name, values in scores.items()}
        if self.task.ellipses is not None:
            unusual = isolation_scores(self.ellipses, seed)
            name = "ellipses, neighbour score"
            rated[name] = top_rated(unusual, self.truth)
            scores[name] = neighbour_scores(self.ellipses, unusual, rated[name], seed)
        for name, catalogue in self.catalogues.items():
            scores[name], rated[name] = search(catalogue, self.truth, seed)
        return {name: both(self.task.interesting, scores[name], rated[name]) for name in scores}


def show(title: str, runs: list[dict[str, list[dict[str, float]]]]) -> None:
    """Print means and standard deviations over runs."""
    for number, scoring in enumerate(("by prediction", "rated galaxies first")):
        grid = RichTable("method", *FIGURES, title=f"{title}, {scoring}", title_justify="left")
        for method in runs[0]:
            cells = []
            for name in FIGURES:
                values = [run[method][number][name] for run in runs if name in run[method][number]]
                digits = 1 if name == "found" else 3
                cells.append(f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}" if values else "")
            grid.add_row(method, *cells)
        Console(width=150).print(grid)


def show_curves(options: argparse.Namespace) -> None:
    """Make curves, print what they say, draw and write them."""
    curves = all_curves(
        options.encoder,
        options.work,
        seeds=options.seeds,
        processes=options.processes,
    )
    report(curves)
    if options.figure:
        draw(curves, options.figure)
    if options.json:
        rows = [
            {"figure": figure, "task": task, "ratings": number, "method": method, "seeds": values}
            for figure, cells in curves.items()
            for (task, number), methods in cells.items()
            for method, values in methods.items()
        ]
        options.json.write_text(json.dumps(rows, indent=1))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="bundled", help="name or folder")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--methods", default=",".join(map(str, range(len(METHODS)))), help="which, by number")
    parser.add_argument("--simulated", type=int, default=0, help="simulated galaxies, one in a hundred rare")
    parser.add_argument("--only-simulated", action="store_true")
    parser.add_argument("--only-embed", action="store_true", help="and search in a later call")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-anomaly")
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    parser.add_argument("--curves", action="store_true", help="figures against the number of ratings")
    parser.add_argument("--seeds", type=int, default=8, help="searches of each method, for curves")
    parser.add_argument("--processes", type=int, default=2, help="that make curves")
    parser.add_argument("--figure", type=Path, help="picture of curves")
    options = parser.parse_args()
    if options.curves:
        show_curves(options)
        return
    encoder = Encoder.load(options.encoder)
    tasks = [] if options.only_simulated else real_tasks(encoder, options.work)
    if options.simulated:
        tasks += simulated_tasks(encoder, options.work, options.simulated)
    if options.only_embed:
        return
    methods = [list(METHODS)[int(i)] for i in options.methods.split(",")]
    everything = {}
    for task in tasks:
        began = time.process_time()
        searches = Searches(task, methods)
        runs = [searches.run(seed) for seed in range(options.runs)]
        title = f"{task.name}: {task.interesting.sum()} of {len(task.interesting)}, {options.runs} runs"
        show(f"{title}, encoder {encoder.name} {encoder.digest[:12]}", runs)
        Console().print(f"{time.process_time() - began:.0f} s of processor time")
        everything[task.name] = runs
        if options.json:
            options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
