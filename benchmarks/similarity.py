"""Search of similar galaxies: its cost beside other libraries, and how good its answers are on real galaxies.

``scale`` compares, in one run and each in a process of its own, the methods of SimilarityIndex with
scikit-learn, faiss and hnswlib (``pip install faiss-cpu hnswlib``; those that are not installed are left out).
The vectors are embeddings of real galaxies, repeated with noise, at any number of rows and dimensions; without
GALZOO_REAL_DATA they are clusters. Recall is judged by a brute force in float64. "first s" is from a saved index to
the first answer in a new process (torch imported, the package not yet), "beyond MB" how much memory 1000 queries
take there beyond the files themselves. With one thread, times are seconds of that processor, which other work on the
machine hardly changes; with more they are those of the wall.

``quality`` embeds real galaxies with labels and counts how many of the ten best answers are of the class of the
examples: for 1, 3 and 10 examples, and for 3 with 3 negative ones.

Usage: python benchmarks/similarity.py scale [--rows 10000] [--dim 64] [--queries 2000] [--threads 1] [--methods ...]
       GALZOO_REAL_DATA=FOLDER python benchmarks/similarity.py quality [--encoder bundled] [--draws 100]
"""

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

K = 10
PATIENCE = 5.0  # seconds after which nothing is timed again
SINGLE = 30  # single queries timed
FIRST = 2000  # rows of a first index, for which libraries are imported and compiled
EF = 64  # candidates that the graph libraries keep, as for the figures in their own documentation


class Ours:
    """SimilarityIndex, in memory, with one method."""

    def __init__(self, method: str, dtype: str = "float32") -> None:
        self.method, self.dtype = method, dtype

    def build(self, data: np.ndarray) -> None:
        """Index the rows."""
        from galzoo_repr import SimilarityIndex

        self.index = SimilarityIndex.build(data, method=self.method, dtype=self.dtype)

    def search(self, queries: np.ndarray) -> np.ndarray:
        """Neighbours of each query."""
        return np.asarray(self.index.search(queries, n=K)["row"]).reshape(len(queries), K)

    def save(self, path: Path) -> None:
        """Write to a folder."""
        self.index.save(path)

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Open, memory-mapped."""
        from galzoo_repr import SimilarityIndex

        self.index = SimilarityIndex.open(path)


class ScikitLearn:
    """Brute force of scikit-learn."""

    def build(self, data: np.ndarray) -> None:
        """Keep the rows."""
        from sklearn.neighbors import NearestNeighbors

        self.index = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(data)

    def search(self, queries: np.ndarray) -> np.ndarray:
        """Neighbours of each query."""
        return self.index.kneighbors(queries, return_distance=False)


class Faiss:
    """Flat or HNSW index of faiss."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def build(self, data: np.ndarray) -> None:
        """Index the rows."""
        import faiss

        faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        if self.kind == "flat":
            self.index = faiss.IndexFlatIP(data.shape[1])
        else:
            self.index = faiss.IndexHNSWFlat(data.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
            self.index.hnsw.efConstruction, self.index.hnsw.efSearch = 200, EF
        self.index.add(data)

    def search(self, queries: np.ndarray) -> np.ndarray:
        """Neighbours of each query."""
        return self.index.search(queries, K)[1]

    def save(self, path: Path) -> None:
        """Write to a file."""
        import faiss

        faiss.write_index(self.index, str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Read the file."""
        import faiss

        faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.index = faiss.read_index(str(path))


class Hnswlib:
    """Index of hnswlib."""

    def build(self, data: np.ndarray) -> None:
        """Index the rows."""
        import hnswlib

        self.index = hnswlib.Index("ip", data.shape[1])
        self.index.init_index(len(data), ef_construction=200, M=16, random_seed=0)
        self.index.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.index.add_items(data)
        self.index.set_ef(EF)

    def search(self, queries: np.ndarray) -> np.ndarray:
        """Neighbours of each query."""
        return self.index.knn_query(queries, K)[0].astype(np.int64)

    def save(self, path: Path) -> None:
        """Write to a file."""
        self.index.save_index(str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Read the file."""
        import hnswlib

        self.index = hnswlib.Index("ip", shape[1])
        self.index.load_index(str(path), max_elements=shape[0])
        self.index.set_ef(EF)


METHODS = {
    "exact": lambda: Ours("exact"),
    "exact half": lambda: Ours("exact", "float16"),
    "pynndescent": lambda: Ours("pynndescent"),
    "scikit-learn": ScikitLearn,
    "faiss flat": lambda: Faiss("flat"),
    "faiss HNSW": lambda: Faiss("hnsw"),
    "hnswlib": Hnswlib,
}


def measure(name: str, folder: Path, answers: multiprocessing.Queue) -> None:
    """All figures of one method, in this process and no other."""
    method = METHODS[name]()
    data = np.load(folder / "data.npy", mmap_mode="c")
    queries, truth = np.load(folder / "queries.npy"), np.load(folder / "truth.npy")
    import torch  # noqa: F401  (its import is no part of any method's memory or time)

    try:
        start, _ = timed(lambda: (method.build(data[:FIRST]), method.search(queries[:10])))
    except ImportError as error:
        answers.put({"method": name, "error": str(error)})
        return
    forget_memory()
    start_memory = memory()
    build, _ = timed(lambda: method.build(data))
    single = [timed(lambda i=i: method.search(queries[i : i + 1]))[0] for i in range(SINGLE)]
    method.search(queries[:100])
    batched, found = quickest(lambda: method.search(queries))
    figures = {
        "method": name,
        "start_s": start,
        "build_s": build,
        "single_ms": 1e3 * float(np.median(single)),
    }
    figures |= {"batched_per_s": len(queries) / batched, "peak_mb": memory() - start_memory}
    hits = (found[: len(truth), :, None] == truth[:, None, :]).any(axis=2).mean(axis=1)
    figures |= {"recall": float(hits.mean()), "below_half": float((hits < 0.5).mean())}
    figures["all_right"] = float((hits == 1).mean())
    if hasattr(method, "save"):
        method.save(folder / name)
        files = [path for path in (folder / name).rglob("*") if path.is_file()] or [folder / name]
        figures["file_mb"] = sum(path.stat().st_size for path in files) / 1e6
    answers.put(figures)


def measure_saved(name: str, folder: Path, answers: multiprocessing.Queue) -> None:
    """Seconds from a saved index to the first answer in a new process, and its memory beyond the files."""
    import torch  # noqa: F401

    method = METHODS[name]()
    shape = np.load(folder / "data.npy", mmap_mode="r").shape
    queries = np.load(folder / "queries.npy")
    start_memory = memory()
    first, _ = timed(lambda: (method.open(folder / name, shape), method.search(queries[:1])))
    method.search(queries[:1000])
    answers.put({"first_s": first, "searching_mb": memory() - start_memory})


def timed(work) -> tuple[float, object]:
    """Seconds of one call, and what it returned."""
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    start = clock()
    result = work()
    return clock() - start, result


def quickest(work) -> tuple[float, object]:
    """As `timed`, the least of up to five calls: others have the processor, too."""
    seconds, result = timed(work)
    spent = seconds
    for _ in range(4):
        if spent < PATIENCE:
            again, result = timed(work)
            seconds, spent = min(seconds, again), spent + again
    return seconds, result


def memory() -> float:
    """Largest memory of this process since `forget_memory`, in MB; pages that were read of a mapped file count."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def forget_memory() -> None:
    """Begin again to look for the largest memory."""
    Path("/proc/self/clear_refs").write_text("5")


def real_embeddings(encoder: str, work: Path) -> np.ndarray | None:
    """Embeddings of real galaxies, or None without them."""
    if not os.environ.get("GALZOO_REAL_DATA"):
        return None
    return np.asarray(labelled_galaxies("decals_rings", encoder, work)["embedding"])


def like(real: np.ndarray | None, rows: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors like real embeddings (repeated, with noise of half the scatter along each axis), or clusters."""
    if real is None:
        real = rng.normal(size=(200, dim)).repeat(5, axis=0) + 0.5 * rng.normal(size=(1000, dim))
    real = real - real.mean(axis=0)
    _, scatter, axes = np.linalg.svd(real, full_matrices=False)
    kept = min(dim, len(scatter))
    real, scatter = real @ axes[:kept].T, scatter[:kept] / np.sqrt(len(real))
    if kept < dim:  # more dimensions than the real ones span: the rest holds noise alone
        real = np.hstack([real, np.zeros((len(real), dim - kept))])
        scatter = np.concatenate([scatter, np.full(dim - kept, scatter[-1])])
    out = np.empty((rows, dim), dtype=np.float32)
    for start in range(0, rows, 16384):
        block = out[start : start + 16384]
        block[:] = real[rng.integers(len(real), size=len(block))]
        block += 0.5 * scatter.astype(np.float32) * rng.normal(size=block.shape).astype(np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return out


def true_neighbours(data: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Brute force in float64."""
    asked = queries.astype(np.float64)
    best, where = np.full((len(queries), K), -np.inf), np.zeros((len(queries), K), dtype=np.int64)
    for start in range(0, len(data), 16384):
        scores = np.hstack([best, asked @ data[start : start + 16384].astype(np.float64).T])
        places = np.hstack([where, np.arange(start, start + scores.shape[1] - K)[None].repeat(len(asked), 0)])
        order = np.argpartition(-scores, K, axis=1)[:, :K]
        best, where = (np.take_along_axis(a, order, axis=1) for a in (scores, places))
    return where


def scale(options: argparse.Namespace) -> None:
    """Print a line for each method."""
    for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    folder = Path(tempfile.mkdtemp(dir=options.work))
    try:
        rng = np.random.default_rng(0)
        real = real_embeddings(options.encoder, folder)
        both = like(real, options.rows + options.queries, options.dim, rng)
        rng.shuffle(both)
        data, queries = both[options.queries :], both[: options.queries]
        np.save(folder / "data.npy", data)
        np.save(folder / "queries.npy", queries)
        np.save(folder / "truth.npy", true_neighbours(data, queries[: options.truth]))
        del both, data
        source = "clusters" if real is None else f"{len(real)} real galaxies, repeated with noise"
        print(
            f"{options.rows} x {options.dim} ({source}), {options.queries} queries, {options.threads} thread(s)"
        )
        print(
            "method         start s  build s  single ms  batched/s  recall  all right  below .5"
            "  peak MB  file MB  first s  beyond MB"
        )
        context = multiprocessing.get_context("spawn")
        for name in options.methods or METHODS:
            figures = in_new_process(context, measure, name, folder)
            if "file_mb" in figures:
                figures |= in_new_process(context, measure_saved, name, folder)
            print(line(figures), flush=True)
            if options.json:
                with open(options.json, "a") as out:
                    entry = {"rows": options.rows, "dim": options.dim, "threads": options.threads, **figures}
                    out.write(json.dumps(entry) + "\n")
    finally:
        shutil.rmtree(folder)


def in_new_process(context: multiprocessing.context.BaseContext, work, name: str, folder: Path) -> dict:
    """Figures of one method, measured in a process of its own."""
    answers = context.Queue()
    process = context.Process(target=work, args=(name, folder, answers))
    process.start()
    figures = answers.get()
    process.join()
    return figures


def line(figures: dict) -> str:
    """One method, as text."""
    if "error" in figures:
        return f"{figures['method']:<14} left out: {figures['error']}"
    text = "{method:<14}{start_s:8.2f}{build_s:9.2f}{single_ms:11.2f}{batched_per_s:11.0f}{recall:8.4f}"
    text = (text + "{all_right:11.4f}{below_half:10.4f}{peak_mb:9.0f}").format(**figures)
    if "file_mb" not in figures:
        return text
    return text + "{file_mb:9.0f}{first_s:9.2f}{beyond:11.0f}".format(
        beyond=figures["searching_mb"] - figures["file_mb"], **figures
    )


SDSS_CLASSES = ("elliptical", "edge_on", "spiral", "merger")
SETS = {"decals_rings": ("ring",), "sdss_galaxy_zoo": SDSS_CLASSES}
SPACES = {
    "cosine": {},
    "cosine, 10 components": {"components": 10},
    "cosine, 40 components": {"components": 40},
    "cosine, 40 whitened": {"components": 40, "whiten": True},
    "Euclidean, 10 components": {"components": 10, "metric": "euclidean"},
}


def labelled_galaxies(name: str, encoder: str, work: Path):
    """Embed one set of real galaxies from its files; of the SDSS set, those that no training saw."""
    from real_galaxies import is_validation, read_set, sdss_labels

    import galzoo_repr as gzr

    table = read_set(name, work)
    if name == "sdss_galaxy_zoo":
        table["label"] = [label.split("_")[0] if "spiral" in label else label for label in sdss_labels(table)]
        table = table[is_validation(table["file"]) & np.isin(table["label"], SDSS_CLASSES)]
    return gzr.add_embeddings(
        table["label", "file_loc"], encoder=encoder, images="file_loc", embedding_store=False
    )


def precision(table, index, label: str, options: dict, draws: int) -> dict[str, float]:
    """Share of a class among the ten best, for random examples of it."""
    import galzoo_repr as gzr

    rng = np.random.default_rng(0)
    usable = np.isfinite(np.asarray(table["embedding"])).all(axis=1)
    like = np.flatnonzero((table["label"] == label) & usable)
    unlike = np.flatnonzero((table["label"] != label) & usable)
    figures = {}
    for column, positive, negative in (("1", 1, 0), ("3", 3, 0), ("10", 10, 0), ("3+3", 3, 3)):
        shares = []
        for _ in range(draws):
            query = rng.choice(like, positive, replace=False)
            others = rng.choice(unlike, negative, replace=False) if negative else None
            found = gzr.find_similar(table, query, n=K, negatives=others, index=index, **options)
            shares.append(np.mean(table["label"][found["row"]] == label))
        figures[column] = float(np.mean(shares))
    return figures


def quality(options: argparse.Namespace) -> None:
    """Print precision at 10 by class, space, and number of examples."""
    import galzoo_repr as gzr

    with tempfile.TemporaryDirectory(dir=options.work) as work:
        for name in options.sets:
            table = labelled_galaxies(name, options.encoder, Path(work))
            print(f"\n{name}: {len(table)} galaxies, precision at {K} over {options.draws} draws of examples")
            print("class       chance  space                      combine        1      3     10    3+3")
            for space, settings in SPACES.items():
                index = gzr.SimilarityIndex.build(table, **settings)
                for label in SETS[name]:
                    chance = np.mean(table["label"] == label)
                    for combine in ("mean",) if "Euclidean" in space else ("contrast", "mean", "best"):
                        found = precision(table, index, label, {"combine": combine}, options.draws)
                        shown = "".join(f"{value:7.3f}" for value in found.values())
                        print(f"{label:<11}{chance:7.3f}  {space:<27}{combine:<9}{shown}", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("scale")
    one.add_argument("--rows", type=int, default=10_000)
    one.add_argument("--dim", type=int, default=64)
    one.add_argument("--queries", type=int, default=2000)
    one.add_argument("--truth", type=int, default=500, help="queries whose neighbours are checked")
    one.add_argument("--threads", type=int, default=1)
    one.add_argument("--methods", nargs="*", choices=METHODS)
    one.add_argument("--json", help="file to which the figures are appended")
    one.set_defaults(run=scale)
    two = commands.add_parser("quality")
    two.add_argument("--draws", type=int, default=100)
    two.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    two.set_defaults(run=quality)
    for command in (one, two):
        command.add_argument("--encoder", default="bundled")
        command.add_argument("--work", help="folder for temporary files")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
