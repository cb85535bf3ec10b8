"""Searches of every method for every seed, from the same first galaxies: the cells of which curves are made.

A search has ten galaxies rated, then tens up to 200 ratings and fifties up to 500, but never more than half of the
catalogue. What it found is a cell, a small JSON file under the digest of the task, of the method's code and of the
galaxies it began with, so that whatever was interrupted goes on where it was. Beside each search of this package
stands what every other method learns from the same ratings: scores alone, whoever finds more.
"""

import hashlib
import inspect
import json
from collections import defaultdict
from functools import cache
from pathlib import Path

import anomaly_baselines
import astronomaly_methods
import numpy as np
from anomaly_baselines import BASELINES, Baseline, Earlier
from anomaly_data import Task
from anomaly_tasks import HIGHEST, curve_tasks
from joblib import Parallel, delayed, parallel_config
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from galzoo_repr import Encoder, InterestModel, anomaly
from galzoo_repr.anomaly import ReducedCatalogue
from galzoo_repr.catalogue import Reduction, embedding_matrix

NUMBERS = (10, 20, 40, 80, 200, 500)
SCHEDULE = (*range(10, 200, 10), *range(200, 501, 50))
FIRST = 10
OURS = "this package"
FIGURES = ("found", "AP, rated first", "AP, unrated", "AP, same ratings")
CALIBRATION = ("within std", "error / std", "held out within std")
# With fewer interesting galaxies left, average precision of the unrated is a matter of luck.
LEFT = 5
# Modules of the package that decide what a search finds, beside the components.
DECIDE = ("_gaussian_process", "_acquisition", "_interest", "_learned", "_scoring")

# Values by seed, for each figure, (task, number of ratings) and method.
Curves = dict[str, dict[tuple[str, int], dict[str, dict[int, float]]]]


class Package(Baseline):
    """This package's search, called like a baseline."""

    def __init__(self, embeddings: np.ndarray, **options: str):
        model = InterestModel(rating_scale=(0, HIGHEST), **options)
        self.catalogue = ReducedCatalogue(embedding_matrix(embeddings), model)

    def scores(self, ratings: np.ndarray, seed: int) -> np.ndarray:
        """Score of each galaxy; what else is thought of it is kept until the next call."""
        self.judgement = self.catalogue.judge(ratings, seed=seed)
        return self.judgement.score

    def next_rows(self, ratings: np.ndarray, scores: np.ndarray | None, n: int, seed: int) -> np.ndarray:
        """Rows to rate next, after the last call of `scores`."""
        judgement = self.catalogue.judge(ratings, seed=seed) if scores is None else self.judgement
        return judgement.choose(n, np.isfinite(ratings), seed=seed)

    def calibration(self, given: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
        """How far the ratings of unrated galaxies are from the predicted ones, in standard deviations."""
        unrated, judgement = np.isnan(ratings), self.judgement
        error = (given - judgement.mean)[unrated] / judgement.rating_std[unrated]
        process = judgement.model.process_
        values = (np.abs(error) <= 1).mean(), np.sqrt(np.square(error).mean()), process.held_out_within_std
        return dict(zip(CALIBRATION, map(float, values), strict=True))


METHODS = {
    OURS: Package,
    "paper": lambda embeddings: Package(embeddings, method="paper", batch="top"),
    "earlier": Earlier,
    **BASELINES,
}


def figures(task: Task, scores: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
    """
    Number found, and average precision of all galaxies and, where enough are left to find, of the unrated ones.

    For all galaxies, those rated above the middle stand first and the others that were rated last.
    """
    rated = np.isfinite(ratings)
    place = np.argsort(np.argsort(scores, kind="stable"), kind="stable") / len(scores)
    place = np.where(rated, np.sign(ratings - HIGHEST / 2) * (2 + ratings), place)
    result = {
        "found": float(task.interesting[rated].sum()),
        "AP, rated first": average_precision_score(task.interesting, place),
    }
    if task.interesting[~rated].sum() >= LEFT:
        result["AP, unrated"] = average_precision_score(task.interesting[~rated], scores[~rated])
    return result


def numbers_for(task: Task) -> list[int]:
    """Numbers of ratings after which there are figures."""
    return [number for number in NUMBERS if number <= len(task.interesting) / 2]


def search(method: Baseline, task: Task, rows: list[int], seed: int) -> dict:
    """
    Figures of a method that is told the ratings of some rows in their order, and chooses further ones itself.

    Given as many rows as a whole search has, it chooses none.
    """
    wanted, rows, result = numbers_for(task), list(rows), {}
    ratings, scores = np.full(len(task.interesting), np.nan), None
    for number in SCHEDULE[: SCHEDULE.index(wanted[-1]) + 1]:
        if number > len(rows):
            rows += method.next_rows(ratings, scores, number - len(rows), seed).tolist()
        ratings[rows[:number]] = task.given[rows[:number]]
        if number in wanted or number == len(rows):
            scores = method.scores(ratings, seed)
        if number in wanted:
            result[number] = figures(task, scores, ratings) | method.calibration(task.given, ratings)
    return {"rows": rows, "figures": result}


class Searches:
    """All methods on one task; what does not depend on the seed is done once."""

    def __init__(self, task: Task, folder: Path):
        self.task, self.folder = task, folder
        self.prepared = cache(lambda name: METHODS[name](task.embeddings))
        arrays = task.embeddings, task.interesting, task.ratings, task.given
        self.digest = hashlib.sha256(b"".join(each.tobytes() for each in arrays)).hexdigest()

    def cell(self, name: str, rows: list[int], seed: int) -> dict:
        """One search from its file, made first if there is none."""
        key = [self.digest, name, seed, rows, NUMBERS, SCHEDULE, code_of(name)]
        about = f"{self.task.name}-{name}-{seed}".replace(" ", "_").replace(",", "")
        path = self.folder / f"{about}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            made = search(self.prepared(name), self.task, rows, seed)
            path.with_suffix(".part").write_text(json.dumps(made))
            path.with_suffix(".part").rename(path)
        return json.loads(path.read_text())

    def run(self, seed: int) -> list[tuple[str, int, str, float]]:
        """Method, number of ratings, figure and value, of every search for one seed and of the same ratings."""
        nothing = np.full(len(self.task.interesting), np.nan)
        first = self.prepared(OURS).next_rows(nothing, None, FIRST, seed).tolist()
        ours = self.cell(OURS, first, seed)
        found = []
        for name in METHODS:
            chosen = self.cell(name, first, seed)
            # These are all the rows of a search, so that nothing is left to choose.
            same = ours if name == OURS else self.cell(name, ours["rows"], seed)
            for number in map(str, numbers_for(self.task)):
                values = chosen["figures"][number]
                if "AP, unrated" in same["figures"][number]:
                    values = values | {"AP, same ratings": same["figures"][number]["AP, unrated"]}
                found += [(name, int(number), figure, value) for figure, value in values.items()]
        return found


@cache
def code_of(name: str) -> str:
    """Digest of the code that a method's figures depend on."""
    if name in (OURS, "paper"):
        folder = Path(anomaly.__file__).parent
        sources = [(folder / f"{module}.py").read_text() for module in DECIDE]
        sources.append(inspect.getsource(inspect.getmodule(Reduction)))
    else:
        sources = [inspect.getsource(module) for module in (anomaly_baselines, astronomaly_methods)]
    return hashlib.sha256("".join(sources).encode()).hexdigest()


@cache
def searches_for(encoder: str, work: Path) -> dict[str, Searches]:
    """Searches by the name of their task, prepared once in each process."""
    tasks = curve_tasks(Encoder.load(encoder), work)
    return {task.name: Searches(task, work / "curves") for task in tasks}


def _run(encoder: str, work: Path, task: str, seed: int) -> list[tuple[str, int, str, float]]:
    return searches_for(encoder, work)[task].run(seed)


def all_curves(encoder: str, work: Path, *, seeds: int, processes: int) -> Curves:
    """Make all cells, those of the first seeds first, in some processes of one thread each."""
    plan = [(task, seed) for seed in range(seeds) for task in searches_for(encoder, work)]
    with parallel_config("loky", n_jobs=processes, inner_max_num_threads=1):
        results = Parallel(return_as="generator")(delayed(_run)(encoder, work, *each) for each in plan)
        results = list(tqdm(results, total=len(plan), desc="searches"))
    curves: Curves = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for (task, seed), found in zip(plan, results, strict=True):
        for name, number, figure, value in found:
            curves[figure][task, number][name][seed] = value
    return curves
