"""How well probabilities, and the classes they tell, do with few labels, uneven ones and wrong ones.

Some galaxies get a label, a share of them wrong; the others, weighted to the same balance, are the test. A label is
right for "accuracy" and "best cut" where it is the true one. Brier score, log loss and calibration error are of labels
that are wrong as often as those that were learned from, which probabilities are then of.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/few_labels.py
"""

import argparse
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from astropy.table import Table
from rich.console import Console
from rich.table import Table as RichTable
from rings import Cells, Task, tasks
from sklearn.metrics import roc_auc_score

import galzoo_repr as gzr

SIZES, SHARES = (10, 20, 40, 100), (0.1, 0.3, 0.5)
FEATURES = ("rings as judged", "odd galaxies", "edge-on galaxies as they come")
LEFT, MOST = 8, 300  # galaxies of each class to test on
BINS = 10


def draws(truth: np.ndarray, n: int, share: float, seeds: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Rows that get a label, rows to test on, and a generator, for each choice of labels that there is."""
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n, int(100 * share)])
        counts = max(2, round(share * n)), n - max(2, round(share * n))
        order = [rng.permutation(np.flatnonzero(truth == each)) for each in (1, 0)]
        if all(len(of) - count >= LEFT for of, count in zip(order, counts, strict=True)):
            parts = [np.split(of, [count]) for of, count in zip(order, counts, strict=True)]
            labelled, rest = (np.concatenate(each) for each in zip(*parts, strict=True))
            keep = np.concatenate([part[1][:MOST] for part in parts])
            yield labelled, rest[np.isin(rest, keep)], rng


def figures(p: np.ndarray, truth: np.ndarray, label: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """What is measured of one choice of labels."""
    right = [np.average((p > cut) == truth, weights=weight) for cut in (0.5, *np.unique(p))]
    sure = np.clip(p, 1e-6, 1 - 1e-6)
    commonest = np.average(truth, weights=weight)
    return {
        "one answer for all": max(commonest, 1 - commonest),
        "accuracy": right[0],
        "best cut": max(right),
        "ROC AUC": roc_auc_score(truth, p, sample_weight=weight),
        "Brier score": np.average((p - label) ** 2, weights=weight),
        "log loss": np.average(-label * np.log(sure) - (1 - label) * np.log(1 - sure), weights=weight),
    }


def calibration_error(cells: list[dict]) -> float:
    """Of all choices of labels together, in bins of equal weight."""
    p, label, weight = (np.concatenate([cell[each] for cell in cells]) for each in ("p", "label", "weight"))
    order = np.argsort(p)
    bins = (BINS * (np.cumsum(weight[order]) - weight[order]) / weight.sum()).astype(int)
    excess = np.bincount(bins, weights=(weight * (p - label))[order])
    return float(np.abs(excess).sum() / weight.sum())


def measure(task: Task, x: np.ndarray, n: int, share: float, wrong: float, seeds: int) -> list[dict]:
    """One cell for each choice of labels."""
    cells = []
    for rows, rest, rng in draws(task.truth, n, share, seeds):
        label = np.abs(task.truth[rows] - (rng.random(n) < wrong)).astype(float)
        if not 2 <= label.sum() <= n - 2:
            continue
        table = Table({"embedding": x[rows], "feature": label})
        p = gzr.finetune(table, "feature", members=2, progress=False).predict(x[rest]).value[:, 0]
        truth = task.truth[rest]
        weight = np.where(truth == 1, share / truth.sum(), (1 - share) / (1 - truth).sum())
        given = np.abs(truth - (rng.random(len(rest)) < wrong)).astype(float)
        cells.append({**figures(p, truth, given, weight), "p": p, "label": given, "weight": weight})
    return cells


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--seeds", type=int, default=6, help="choices of labels of each case")
    parser.add_argument("--wrong", type=float, nargs="+", default=(0.0, 0.1, 0.2), help="0.5: drawn by lot")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-real")
    parser.add_argument("--cells", type=Path, default=Path(gettempdir()) / "galzoo-real" / "rings-cells")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    encoder, kept = gzr.Encoder.load(options.encoder), Cells(options.cells)
    found = {}
    for task in tasks(options.work):
        if task.name in FEATURES:
            x = kept.embeddings(task, encoder, encoder.digest)
            for case in product(SIZES, SHARES, options.wrong):
                found[task.name, *case] = measure(task, x, *case, options.seeds)
    names = ("one answer for all", "accuracy", "best cut", "ROC AUC", "Brier score", "log loss")
    for i, by in ((1, "labels"), (2, "share of yes"), (3, "labels that are wrong"), (0, "feature")):
        grid = RichTable(by, *names, "calibration error", "choices")
        for value in dict.fromkeys(key[i] for key in found):
            of = [cells for key, cells in found.items() if key[i] == value and cells]
            every = [cell for cells in of for cell in cells]
            means = [f"{np.mean([cell[name] for cell in every]):.3f}" for name in names]
            error = np.mean([calibration_error(cells) for cells in of])
            grid.add_row(str(value), *means, f"{error:.3f}", str(len(every)))
        Console(width=130).print(grid)


if __name__ == "__main__":
    main()
