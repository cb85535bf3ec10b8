"""What learning an interest costs, beside scikit-learn in the same run: ``python benchmarks/interest_model.py``.

Where others use the machine, the wall clock measures them too: processor time, in brackets, is then what counts, as
long as one thread computes. Parts: ``predict`` (mean and standard deviation of many
galaxies), ``round`` (ten more ratings: refit, rescore all, choose ten), ``outliers`` (local outlier factor
from a neighbour graph), ``components`` (principal components of a large catalogue), ``catalogue`` (rounds of
``add_anomaly_scores`` and ``next_to_rate`` on a table whose embeddings lie in a file, kept and reduced anew each time).
"""

import argparse
import resource
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from astropy.table import Column, Table
from rich.console import Console
from rich.table import Table as Grid
from scipy.stats import spearmanr
from sklearn.decomposition import IncrementalPCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, RationalQuadratic, WhiteKernel
from sklearn.neighbors import LocalOutlierFactor

from galzoo_repr import InterestModel, add_anomaly_scores, conf, next_to_rate
from galzoo_repr.anomaly import RatingProcess, unusual_scores
from galzoo_repr.catalogue import Reduction, embedding_matrix

DIMENSIONS, RATED, CHUNK = 40, 500, 10_000


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of the processor."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.processor:.2f} s)"

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall + other.wall, self.processor + other.processor)

    def beside(self, theirs: "Cost") -> str:
        """This cost, and how many times less it is than another."""
        wall, processor = theirs.wall / self.wall, theirs.processor / self.processor
        return f"{self}, {wall:.1f} times faster ({processor:.1f})"


def seconds(work: Callable[[], object], repeats: int = 1) -> tuple[Cost, object]:
    """Least cost of some repeats, and the result."""
    costs = []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        costs.append((time.perf_counter() - start, time.process_time() - busy))
    return Cost(*np.min(costs, axis=0)), result


def peak_memory() -> float:
    """Most memory this process has held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def galaxies(n: int, dimensions: int = DIMENSIONS) -> tuple[np.ndarray, np.ndarray]:
    """Features that fall off like principal components do, and ratings of a tenth of the first."""
    generator = np.random.default_rng(0)
    features = generator.standard_normal((n, dimensions), dtype=np.float32)
    ratings = np.round(5 * np.clip(features[:, 0] + 0.3 * features[:, 1] - 0.8, 0, 1)).astype(float)
    return features, ratings


def scikit_learn(process: RatingProcess) -> GaussianProcessRegressor:
    """The same process in scikit-learn, hyperparameters included; its mean is not stretched."""
    smooth = RationalQuadratic(process.length_scale, process.mixture) + DotProduct(1e-6)
    kernel = ConstantKernel(process.amplitude) * smooth + WhiteKernel(process.noise.min())
    return GaussianProcessRegressor(kernel, optimizer=None).fit(process.features, process.ratings)


def plain_torch(process: RatingProcess, features: np.ndarray) -> None:
    """The same in the shortest way in torch, single precision."""
    rated, whitening, weights = (
        torch.tensor(each, dtype=torch.float32)
        for each in (process.features, process.whitening, process.stretch * process.weights)
    )
    parts = []
    for rows in torch.from_numpy(features).split(CHUNK):
        smooth = 1 / (1 + torch.cdist(rated, rows).square() / (2 * process.length_scale**2))
        covariance = process.amplitude * (smooth + process.linear * rated @ rows.T)
        prior = process.amplitude * (1 + process.linear * rows.square().sum(1))
        parts.append((weights @ covariance, prior - (whitening @ covariance).square().sum(0)))


def measure_predict(n: int, repeats: int) -> list[tuple[str, str]]:
    """Mean and standard deviation for n galaxies."""
    features, ratings = galaxies(n)
    features /= np.sqrt(DIMENSIONS)
    process, _ = RatingProcess.steady(features[:RATED], ratings[:RATED])
    regressor = scikit_learn(process)

    def reference() -> list[np.ndarray]:
        parts = [
            np.stack(regressor.predict(features[start : start + CHUNK].astype(float), return_std=True))
            for start in range(0, n, CHUNK)
        ]
        return np.concatenate(parts, axis=1)

    process.predict(features[:CHUNK])
    before = peak_memory()
    ours, (mean, std) = seconds(lambda: process.predict(features), repeats)
    extra = peak_memory() - before
    mean_only, _ = seconds(lambda: process.predict(features, return_std=False), repeats)
    shortest, _ = seconds(lambda: plain_torch(process, features), repeats)
    theirs, expected = seconds(reference)
    expected[0] *= process.stretch
    rows = [
        ("scikit-learn, mean and std", str(theirs)),
        ("ours, mean and std", ours.beside(theirs)),
        ("plain torch, mean and std", shortest.beside(theirs)),
        ("ours, mean alone", str(mean_only)),
        (
            "difference of means, of stds",
            f"{abs(mean - expected[0]).max():.1e}, {abs(std - expected[1]).max():.1e}",
        ),
        ("memory beyond the input", f"{extra:.2f} GB"),
    ]
    if torch.cuda.is_available():
        process.predict(features[:CHUNK], device="cuda")
        cuda, _ = seconds(lambda: process.predict(features, device="cuda"), repeats)
        cpu, _ = seconds(lambda: process.predict(features, device="cpu"))
        rows.append(("on the graphics card", f"{cuda.beside(theirs)}; on the CPU {cpu}"))
    return rows


def costs_of_a_round(n: int, repeats: int) -> dict[str, Cost]:
    """What ten more ratings cost: refit, rescore n galaxies, choose ten."""
    features, ratings = galaxies(n)
    model = InterestModel(n_components=DIMENSIONS, rating_scale=(0, 5))
    reduction = Reduction.fit(embedding_matrix(features), DIMENSIONS, normalise=True)
    reduced = reduction.transform(embedding_matrix(features))
    known = np.where(np.arange(n) < RATED + 10, ratings, np.nan)
    times = {}
    times["refit"], _ = seconds(lambda: model._fit_reduced(reduction, reduced, known), repeats)
    times["rescore"], (mean, std) = seconds(lambda: model._predict_reduced(reduced, True), repeats)
    times["choose"], _ = seconds(lambda: model._choose(reduced, mean, std, 10, np.isfinite(known)), repeats)
    return {**times, "one round": sum(times.values(), Cost(0, 0))}


def measure_round(n: int, repeats: int) -> list[tuple[str, str]]:
    """Ten more ratings: refit, rescore n galaxies, choose ten."""
    return [(name, str(value)) for name, value in costs_of_a_round(n, repeats).items()]


def measure_outliers(n: int, repeats: int) -> list[tuple[str, str]]:
    """Local outlier factor of n galaxies in clusters."""
    generator = np.random.default_rng(0)
    centres = 3 * generator.standard_normal((30, DIMENSIONS))
    features = centres[generator.integers(0, 30, n)] + generator.standard_normal((n, DIMENSIONS))
    features = features.astype(np.float32)
    compile_time, _ = seconds(lambda: unusual_scores(features[:21_000], method="local_outlier_factor"))
    ours, scores = seconds(lambda: unusual_scores(features, method="local_outlier_factor"), repeats)
    theirs, exact = seconds(
        lambda: -LocalOutlierFactor(n_neighbors=20).fit(features).negative_outlier_factor_
    )
    top = n // 100
    overlap = len(np.intersect1d(np.argsort(-scores)[:top], np.argsort(-exact)[:top])) / top
    return [
        ("scikit-learn, exact", str(theirs)),
        ("from a neighbour graph", ours.beside(theirs)),
        ("first call, compiling", str(compile_time)),
        ("Spearman, top 1 % in common", f"{spearmanr(scores, exact).statistic:.5f}, {overlap:.3f}"),
    ]


def measure_components(n: int, repeats: int) -> list[tuple[str, str]]:
    """40 principal components of 1280 dimensions."""
    features, _ = galaxies(n, 1280)
    features *= np.linspace(1, 0.05, 1280, dtype=np.float32)
    ours, reduction = seconds(lambda: Reduction.fit(embedding_matrix(features), DIMENSIONS), repeats)
    applied, _ = seconds(lambda: reduction.transform(embedding_matrix(features)), repeats)
    theirs, pca = seconds(lambda: IncrementalPCA(DIMENSIONS, batch_size=20_000).fit(features))
    return [
        ("IncrementalPCA, fit", str(theirs)),
        ("streamed covariance, fit", ours.beside(theirs)),
        ("transform", str(applied)),
        (
            "variance explained, theirs and ours",
            f"{pca.explained_variance_ratio_.sum():.5f}, {reduction.explained.sum():.5f}",
        ),
    ]


@contextmanager
def memory_beyond(peak: list[float]) -> Iterator[None]:
    """Append to `peak` the most memory in GB that is held meanwhile beyond what is held now, without mapped files."""
    held, done = [], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            held.append(anonymous_memory())

    before = anonymous_memory()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        peak.append(max([*held, before]) - before)


def anonymous_memory() -> float:
    """Memory of this process in GB, without the pages of files (on Linux; with them elsewhere)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory()
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1e6


def embeddings_in_a_file(path: Path, n: int, dimensions: int = 1280) -> np.ndarray:
    """Embeddings that vary mostly in some tens of directions, as those of galaxies do, mapped from a new file."""
    generator = np.random.default_rng(0)
    axes = generator.standard_normal((60, dimensions), dtype=np.float32)
    axes *= np.geomspace(1, 0.05, 60, dtype=np.float32)[:, None]
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, dimensions))
    for start in range(0, n, CHUNK):
        rows = min(CHUNK, n - start)
        vectors[start : start + rows] = generator.standard_normal((rows, 60), dtype=np.float32) @ axes
        vectors[start : start + rows] += 0.1 * generator.standard_normal((rows, dimensions), dtype=np.float32)
    vectors.flush()
    return np.load(path, mmap_mode="r")


def measure_catalogue(n: int, repeats: int) -> list[tuple[str, str]]:
    """Rounds on n galaxies with embeddings of 1280 dimensions, ten more ratings in each."""
    rows = []
    with TemporaryDirectory() as folder, conf.set_temp("cache_dir", folder):
        vectors = embeddings_in_a_file(Path(folder, "embeddings.npy"), n)
        table = Table()
        table.add_column(Column(vectors, copy=False), name="embedding", copy=False)
        generator = np.random.default_rng(1)
        order, target = generator.permutation(n), vectors[:, :20] @ generator.standard_normal(20)
        low, high = np.quantile(target, (0.7, 0.98))
        truth = np.round(5 * np.clip((target - low) / (high - low), 0, 1))

        def rounds(what: str, names: list[str]) -> None:
            for number, name in enumerate(names):
                known = order[: RATED - 10 * (len(names) - number)]
                table["interest"] = np.nan
                table["interest"][known] = truth[known]
                peak: list[float] = []
                with memory_beyond(peak):
                    scores, scored = seconds(lambda: add_anomaly_scores(table))
                    choice, _ = seconds(lambda scored=scored: next_to_rate(scored))
                cost = f"{scores + choice}: scores {scores}, next {choice}; {peak[0]:.2f} GB"
                rows.append((f"{what}, {name} round", cost))

        with conf.set_temp("reductions_size", 0.0):
            rounds("reduced anew", ["each"])
        rounds("reduced once", ["first", *["later"] * repeats])
    return rows


PARTS = {
    "predict": (measure_predict, 1_000_000),
    "round": (measure_round, 1_000_000),
    "outliers": (measure_outliers, 100_000),
    "components": (measure_components, 200_000),
    "catalogue": (measure_catalogue, 1_000_000),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rows", type=int, help="galaxies, instead of each part's own number")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.parts:
        measure, rows = PARTS[name]
        rows = options.rows or rows
        grid = Grid(
            title=f"{name}: {rows:,} galaxies, {torch.get_num_threads()} threads", title_justify="left"
        )
        grid.add_column("what")
        grid.add_column("measured")
        for cells in measure(rows, options.repeats):
            grid.add_row(*cells)
        Console(width=120).print(grid)


if __name__ == "__main__":
    main()
