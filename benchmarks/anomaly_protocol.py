"""How many of the rare galaxies are found with 200 ratings? The protocol of Walmsley et al. (2022).

10 random galaxies are rated, then tens by expected improvement up to 200 ratings; a rating is 5 for an
interesting galaxy and 0 for any other. Each figure is a mean over runs, with its standard deviation. "Known
first" puts rated galaxies in the order of their ratings before all predictions, as the paper scored itself;
without, all galaxies stand by prediction.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/anomaly_protocol.py [--encoder bundled] [--simulated 100000]

An encoder that learned from Galaxy Zoo labels of these very galaxies has an advantage on them:
``--held-out`` keeps to those that training left out.
"""

import argparse
import json
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from anomaly_baseline import neighbour_scores
from anomaly_data import Task, real_tasks, simulated_tasks
from rich.console import Console
from rich.table import Table as RichTable
from sklearn.metrics import average_precision_score

from galzoo_repr import Encoder, InterestModel
from galzoo_repr.anomaly import unusual_scores
from galzoo_repr.anomaly._judgement import Candidates
from galzoo_repr.catalogue import embedding_matrix

RATINGS, BATCH, SCALE = 200, 10, (0, 5)
METHODS = {
    "paper": {"max_length": None, "batch": "top"},
    "bounded length, top ten": {"batch": "top"},
    "bounded length, distinct ten": {},
    "the same, 10 components": {"n_components": 10},
    "the same, 20 components": {"n_components": 20},
    "the same, 80 components": {"n_components": 80},
    "the same, Matern kernel": {"kernel": "matern"},
}


def search(candidates: Candidates, truth: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all galaxies after the whole loop, and the ratings given."""
    ratings = np.full(len(truth), np.nan)
    while np.isfinite(ratings).sum() < RATINGS:
        judgement = candidates.judge(ratings, seed=seed)
        rows = judgement.choose(BATCH, np.isfinite(ratings), first="random", seed=seed)
        ratings[rows] = truth[rows]
    return candidates.judge(ratings, seed=seed).score, ratings


def figures(interesting: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Precision among the first 50, 100 and 200, rank-weighted score of 200, average precision."""
    hits = interesting[np.argsort(-scores, kind="stable")]
    weights = np.arange(RATINGS, 0, -1)
    result = {f"P@{n}": hits[:n].mean() for n in (50, 100, 200)}
    result["RWS@200"] = (weights * hits[:RATINGS]).sum() / weights.sum()
    result["AP"] = average_precision_score(interesting, scores)
    return result


def with_known_first(scores: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Rated galaxies at a hundred times their ratings, as the paper scored."""
    return np.where(np.isfinite(ratings), 100 * ratings, scores)


def run_once(task: Task, methods: dict[str, dict], seed: int) -> dict[str, dict[str, float]]:
    """Figures of every method for one run; `seed` is also the order in which galaxies stand."""
    order = np.random.default_rng(seed).permutation(len(task.interesting))
    interesting, embeddings = task.interesting[order], task.embeddings[order]
    truth = np.round(5.0 * interesting)
    results = {"random order": figures(interesting, np.random.default_rng(seed).random(len(order)))}
    for name, options in methods.items():
        candidates = Candidates(embedding_matrix(embeddings), InterestModel(rating_scale=SCALE, **options))
        if "isolation forest" not in results:
            unusual = unusual_scores(candidates.features, seed=seed)
            results["isolation forest"] = figures(interesting, unusual)
        results |= _both(name, interesting, *search(candidates, truth, seed))
    if task.ellipses is not None:
        ellipses = task.ellipses[order]
        scores = neighbour_scores(ellipses, truth, RATINGS, seed)
        results["ellipses, neighbour score"] = figures(interesting, scores)
        candidates = Candidates(embedding_matrix(ellipses), InterestModel(rating_scale=SCALE))
        results |= _both("ellipses, distinct ten", interesting, *search(candidates, truth, seed))
    return results


def _both(
    name: str, interesting: np.ndarray, scores: np.ndarray, ratings: np.ndarray
) -> dict[str, dict[str, float]]:
    found = {"found": float(np.nansum(ratings > 0))}
    return {
        name: figures(interesting, scores) | found,
        f"{name} | known first": figures(interesting, with_known_first(scores, ratings)) | found,
    }


def show(title: str, runs: list[dict[str, dict[str, float]]]) -> None:
    """Print means and standard deviations over runs."""
    names = ["P@50", "P@100", "P@200", "RWS@200", "AP", "found"]
    grid = RichTable("method", *names, title=title, title_justify="left")
    for method in runs[0]:
        cells = []
        for name in names:
            values = [run[method][name] for run in runs if name in run[method]]
            digits = 1 if name == "found" else 3
            cells.append(f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}" if values else "")
        grid.add_row(method, *cells)
    Console(width=150).print(grid)


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
    parser.add_argument("--held-out", action="store_true", help="only galaxies that training left out")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-anomaly")
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    options = parser.parse_args()
    encoder = Encoder.load(options.encoder)
    tasks = [] if options.only_simulated else real_tasks(encoder, options.work, held_out=options.held_out)
    if options.simulated:
        tasks += simulated_tasks(encoder, options.work, options.simulated)
    names = list(METHODS)
    methods = {names[int(i)]: METHODS[names[int(i)]] for i in options.methods.split(",")}
    everything = {}
    for task in tasks:
        runs = [run_once(task, methods, seed) for seed in range(options.runs)]
        title = f"{task.name}: {task.interesting.sum()} of {len(task.interesting)}, {options.runs} runs"
        show(f"{title}, encoder {encoder.name}", runs)
        everything[task.name] = runs
        if options.json:
            options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
