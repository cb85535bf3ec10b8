"""The paper's third task on real galaxies: a feature from a few labels, at every depth and from several encoders.

Learning curves of ring or not on DECaLS, and of mergers and odd galaxies on SDSS, which no training of the bundled
encoder has seen. A model is a head on the embeddings, or the topmost blocks or the whole encoder fine-tuned with it, of
the bundled encoder, of one trained on a single question, and of an untrained one; and a network trained from scratch on
the labels alone. Beside each head stands scikit-learn's LogisticRegressionCV on the same embeddings and galaxies, and
beside the rings the curves of Walmsley et al. 2022 (MNRAS 513, 1581). How good the probabilities of heads are, and
their standard deviations, is asked on more tasks: odd and edge-on galaxies labelled as they come, and galaxies that
most volunteers of Galaxy Zoo 2 call featured.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/rings.py --one-question FOLDER --figure rings.png

Half of the labels are of each class, as long as that leaves sixteen of the rarer one, or half of them, unless galaxies
are labelled as they come; those that are left are the test. Every result is kept below ``--cells`` under the digest of
its encoder, so that a run which was stopped goes on, and another encoder computes only what is its own. Times and
memory are those of the run that computed a cell; seconds are of the wall, or of the processor where that is less
because other programs have it too.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import timm
import torch
from astropy.table import Table
from learning_curves import (
    LABELS,
    Curves,
    calibration_error,
    cost,
    draw,
    draw_probabilities,
    show,
    spread,
    std_ratio,
    verdicts,
)
from PIL import Image
from real_galaxies import is_validation, judged_rings, read_set, sdss_labels
from representation import untrained_like
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import average_precision_score, log_loss
from tqdm import tqdm

import galzoo_repr as gzr
from galzoo_repr import finetuning
from galzoo_repr.training import Augmentation

DEEP_LABELS = (20, 80, 160)  # from which encoders other than the main one are fine-tuned
LEFT = 16  # galaxies of the rarer class to test on, or half of them
POOL = 600  # galaxies of an SDSS task, all of the rarer class among them
SCRATCH_BATCH, SCRATCH_STEPS, SCRATCH_FIELD = 16, 60, 160
MILLION = 1_000_000
FEATURED = "t01_smooth_or_features_a02_features_or_disk_weighted_fraction"

Embeddings = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Task:
    """Galaxies that have a feature or not: a table with ``file_loc``, the truth, and how they are chosen for labels."""

    name: str
    table: Table
    truth: np.ndarray
    even: bool = True
    deep: bool = True  # whether encoders are fine-tuned too

    def split(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows that get a label, and the others."""
        rng = np.random.default_rng(seed)
        if not self.even:
            while True:  # until there are two of each, without which nothing is learned
                rows = rng.permutation(len(self.truth))[:n]
                if 2 <= self.truth[rows].sum() <= n - 2:
                    return rows, np.setdiff1d(np.arange(len(self.truth)), rows)
        order = [rng.permutation(np.flatnonzero(self.truth == each)) for each in (0, 1)]
        rare = int(len(order[1]) <= len(order[0]))
        of_rare = min(n // 2, len(order[rare]) - min(len(order[rare]) // 2, LEFT))
        rows = np.concatenate([order[rare][:of_rare], order[1 - rare][: n - of_rare]])
        return rows, np.setdiff1d(np.arange(len(self.truth)), rows)

    def labelled(self, rows: np.ndarray, x: np.ndarray) -> Table:
        """The catalogue as a researcher would have it: embeddings, and labels in some rows."""
        labels = np.full(len(self.truth), np.nan)
        labels[rows] = self.truth[rows]
        return Table({"file_loc": self.table["file_loc"], "embedding": x, "feature": labels})


def tasks(work: Path) -> list[Task]:
    """Rings of DECaLS, as published and as judged; galaxies of SDSS that training held out; and those with votes."""
    rings = read_set("decals_rings", work)
    found = [Task("rings", rings, np.array(rings["label"] == "ring").astype(int))]
    table = read_set("sdss_galaxy_zoo", work)
    table = table[is_validation(table["file"])]
    labels = sdss_labels(table)
    first = np.array(table["source"]) == "smallGZ1_eggochi"
    for name, rows, rare in (
        ("mergers", np.flatnonzero(first), "merger"),
        ("odd galaxies", np.flatnonzero(np.isin(labels, ["odd_yes", "odd_no"])), "odd_yes"),
    ):
        order = np.random.default_rng(0).permutation(rows)
        order = np.concatenate([order[labels[order] == rare], order[labels[order] != rare]])[:POOL]
        found.append(Task(name, table[order], (labels[order] == rare).astype(int)))
    odd = found[-1]
    found.append(replace(odd, name="odd galaxies as they come", even=False, deep=False))
    edge_on = (labels[first] == "edge_on").astype(int)
    found.append(Task("edge-on galaxies as they come", table[first], edge_on, even=False, deep=False))
    votes = read_set("gz2_votes", work)
    featured = (np.array(votes[FEATURED]) > 0.5).astype(int)
    found.append(Task("featured galaxies as they come", votes, featured, even=False, deep=False))
    rows, judged = judged_rings(rings)
    as_judged = np.mean(found[0].truth[rows] == judged)
    print(
        f"judgements agree on {len(rows)} of {len(rings)} galaxies; {as_judged:.2f} of their labels are as judged"
    )
    return [*found, Task("rings as judged", rings[rows], judged.astype(int))]


class Watch:
    """Stands for a stopwatch."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Since it was made."""
        return min(time.perf_counter() - self.wall, time.process_time() - self.processor)


class Cells:
    """Results on disk, each computed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        sources = sorted(Path(finetuning.__file__).parent.glob("*.py"))
        self.code = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()

    def get(self, key: dict, compute: Callable[[], dict]) -> dict:
        """What was computed for a key, or is now; with its time and memory."""
        path = (
            self.folder / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]}.json"
        )
        if not path.exists():
            _forget_peak()
            before, watch = _memory("VmRSS"), Watch()
            result = compute()
            result.setdefault("seconds", watch.seconds())
            result["MiB"] = _memory("VmHWM") - before
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"key": key, **result}))
            part.replace(path)
        return json.loads(path.read_text())

    def embeddings(self, task: Task, encoder: gzr.Encoder, digest: str) -> np.ndarray:
        """Embeddings of a task."""
        path = self.folder / f"embeddings-{task.name.replace(' ', '-')}-{digest[:24]}.npy"
        if not path.exists():
            np.save(path, embed(task.table, encoder))
        return np.load(path)


def _forget_peak() -> None:
    """Have Linux count the most memory anew."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _memory(what: str) -> float:
    """MiB that the process has now (VmRSS), or had at most (VmHWM); NaN where there is no /proc."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), np.nan)


def embed(table: Table, encoder: gzr.Encoder) -> np.ndarray:
    """Embeddings from the images of a table."""
    done = gzr.add_embeddings(
        table["file_loc",], encoder=encoder, images="file_loc", embedding_store=False, progress=False
    )
    return np.asarray(done["embedding"])


def figures(task: Task, rows: np.ndarray, probability: np.ndarray) -> dict:
    """What a cell keeps of its predictions for galaxies without a label."""
    truth = task.truth[rows]
    return {
        "accuracy": float(np.mean((probability > 0.5) == truth)),
        "average precision": float(average_precision_score(truth, probability)),
        "log loss": float(log_loss(truth, probability, labels=[0, 1])),
        "probability": np.round(probability, 5).tolist(),
        "truth": truth.tolist(),
        "rows": rows.tolist(),
    }


def by_depth(
    task: Task, embeddings: Embeddings, encoder: gzr.Encoder, depth: int | str, n: int, seed: int
) -> dict:
    """A model of the package."""
    rows, rest = task.split(n, seed)
    x = embeddings()
    table = task.labelled(rows, x)
    deep = {} if depth == "head" else {"encoder": encoder, "images": "file_loc", "members": 2}
    watch = Watch()
    model = gzr.finetune(table, "feature", depth=depth, progress=False, **deep)
    seconds = watch.seconds()
    unseen = x[rest] if depth == "head" else embed(table[rest], model.encoder)
    found = model.predict(unseen)
    std = np.round(found.std[:, 0], 5).tolist()
    return {**figures(task, rest, found.value[:, 0]), "std": std, "seconds": seconds}


def by_scikit_learn(task: Task, embeddings: Embeddings, n: int, seed: int) -> dict:
    """
    LogisticRegressionCV on the same embeddings, centred and divided by one number, scored by its log loss.

    Features are not standardised one by one: some are all but constant in a few labels, and would decide everything.
    """
    rows, rest = task.split(n, seed)
    x, y = embeddings(), task.truth[rows]
    turned = PCA(min(n - 1, x.shape[1]), svd_solver="full").fit(x[rows])  # a rotation that makes it quick
    scale = np.sqrt(turned.explained_variance_.sum())
    model = LogisticRegressionCV(
        Cs=np.logspace(-4, 4, 9),
        cv=min(5, np.bincount(y).min()),
        l1_ratios=(0,),
        use_legacy_attributes=False,
        max_iter=2000,
        scoring="neg_log_loss",
    ).fit(turned.transform(x[rows]) / scale, y)
    return figures(task, rest, model.predict_proba(turned.transform(x[rest]) / scale)[:, 1])


def from_scratch(task: Task, encoder: gzr.Encoder, n: int, seed: int) -> dict:
    """The same architecture, trained end to end on the labels alone."""
    rows, rest = task.split(n, seed)
    files = [Image.open(file).convert("RGB").resize((SCRATCH_FIELD,) * 2) for file in task.table["file_loc"]]
    fields = torch.from_numpy(np.stack([np.asarray(file) for file in files])).permute(0, 3, 1, 2)
    answers = torch.from_numpy(task.truth).float()
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    watch = Watch()
    network = timm.create_model(encoder.architecture, **{**encoder.model_kwargs, "num_classes": 1})
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    steps = max(SCRATCH_STEPS, n)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    recipe, augmentation = encoder.recipe, Augmentation()
    for _ in range(steps):
        batch = rng.choice(rows, SCRATCH_BATCH)
        view = augmentation.apply(fields[batch], size=recipe.size, crop=recipe.crop, generator=generator)
        logits = network(view.contiguous(memory_format=torch.channels_last)).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, answers[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = watch.seconds()
    network.eval()
    with torch.inference_mode():
        tests = [fields[rest[start : start + 64]] for start in range(0, len(rest), 64)]
        views = [augmentation_free(each, recipe) for each in tests]
        probability = torch.cat([network(each).squeeze(1).sigmoid() for each in views]).double().numpy()
    return {**figures(task, rest, probability), "seconds": seconds}


def augmentation_free(fields: torch.Tensor, recipe: gzr.ImageRecipe) -> torch.Tensor:
    """The centre of fields as the network saw it in training: values from 0 to 1."""
    return replace(recipe, mean=(0.0,) * 3, std=(1.0,) * 3).from_rgb(fields)


def costs(dim: int) -> dict:
    """Seconds to learn from 500 labels and to predict a million galaxies; the memory is that of both."""
    rng = np.random.default_rng(0)
    x = rng.exponential(size=(500, dim)).astype(
        np.float32
    )  # averages of rectified features are never negative
    table = Table({"embedding": x, "ring": (x[:, 0] + rng.normal(size=500) > 1).astype(float)})
    watch = Watch()
    model = gzr.finetune(table, "ring", progress=False)
    learned = watch.seconds()
    million = Table({"embedding": np.tile(x, (MILLION // 500, 1))}, copy=False)
    watch = Watch()
    gzr.add_predictions(million, model)
    return {"seconds": learned, "prediction": watch.seconds()}


def deep_cells(rings: bool, main: bool, seeds: int) -> tuple[tuple[int, ...], int]:
    """Numbers of labels, and choices of them, from which encoders are fine-tuned: each takes up to a minute."""
    if main:
        return (LABELS, seeds) if rings else (LABELS[-1:], min(1, seeds))
    return (DEEP_LABELS, min(2, seeds)) if rings else ((), 0)


def measure(options: argparse.Namespace) -> tuple[Curves, dict]:
    """All cells by task, model and number of labels."""
    cells, found = Cells(options.cells), tasks(options.work)
    main = gzr.Encoder.load(options.encoder)
    encoders = {"all questions": main}
    if options.one_question:
        encoders["one question"] = gzr.Encoder.load(options.one_question)
    encoders["untrained"] = untrained_like(main, read_set("sdss_galaxy_zoo", options.work))
    digests = {name: encoder.digest for name, encoder in encoders.items()}
    plan: list[tuple[str, str, int, dict, Callable[[], dict]]] = []

    def add(task: Task, model: str, n: int, seed: int, about: dict, compute: Callable[[], dict]) -> None:
        plan.append((task.name, model, n, {"task": task.name, "n": n, "seed": seed, **about}, compute))

    for task in found:
        rings = task.name.startswith("rings")
        seeds = range(options.seeds if rings else options.sdss_seeds)
        for name, encoder in encoders.items():
            x = partial(cells.embeddings, task, encoder, digests[name])
            about = {"encoder": digests[name]}
            for n, seed in product(LABELS, seeds):
                head = partial(by_depth, task, x, encoder, "head", n, seed)
                add(task, f"{name}, head", n, seed, about | {"depth": "head", "code": cells.code}, head)
                theirs = partial(by_scikit_learn, task, x, n, seed)
                scored = {"depth": "sklearn", "scoring": "neg_log_loss"}
                add(task, f"{name}, LogisticRegressionCV", n, seed, about | scored, theirs)
            if not task.deep:
                continue
            few, deep = deep_cells(rings, encoder is main, options.deep_seeds)
            for n, seed, depth in product(few, range(deep), (options.top, "all") if rings else ("all",)):
                model = f"{name}, {'all' if depth == 'all' else f'top {depth}'}"
                tuned = partial(by_depth, task, x, encoder, depth, n, seed)
                add(task, model, n, seed, about | {"depth": depth, "code": cells.code}, tuned)
        if not task.deep:
            continue
        about = {"depth": "scratch", "architecture": main.architecture, "recipe": main.recipe.digest}
        scratch_seeds = range(options.scratch_seeds if rings else min(1, options.scratch_seeds))
        for n, seed in product(LABELS if rings else LABELS[-1:], scratch_seeds):
            add(task, "from scratch", n, seed, about, partial(from_scratch, task, main, n, seed))
    curves: Curves = {task.name: {} for task in found}
    for task, model, n, key, compute in tqdm(plan, desc="cells"):
        if options.only and not any(each in f"{task}: {model}" for each in options.only.split(";")):
            continue
        curves[task].setdefault(model, {}).setdefault(n, []).append(cells.get(key, compute))
    spent = cells.get({"costs": main.dim, "code": cells.code}, lambda: costs(main.dim))
    return curves, spent


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="bundled", help="name or folder, trained on all questions")
    parser.add_argument("--one-question", type=Path, help="folder of an encoder trained on one question")
    parser.add_argument("--seeds", type=int, default=10, help="choices of labels, of rings")
    parser.add_argument("--sdss-seeds", type=int, default=5, help="of mergers and odd galaxies")
    parser.add_argument(
        "--deep-seeds", type=int, default=2, help="of the main encoder fine-tuned, one of others"
    )
    parser.add_argument("--scratch-seeds", type=int, default=2, help="of networks from scratch")
    parser.add_argument("--top", type=int, default=2, help="blocks that are fine-tuned, where not all are")
    parser.add_argument("--only", help='models to measure now, such as "rings: all questions, head;scratch"')
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-real")
    parser.add_argument("--cells", type=Path, default=Path(gettempdir()) / "galzoo-real" / "rings-cells")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path, help="of accuracy and precision")
    parser.add_argument("--probabilities", type=Path, help="figure of log loss, calibration and spread")
    options = parser.parse_args()
    curves, spent = measure(options)
    for task, models in curves.items():
        show(f"{task}: accuracy", models, lambda cells: spread(cells, "accuracy"))
        show(f"{task}: average precision", models, lambda cells: spread(cells, "average precision"))
        show(f"{task}: log loss", models, lambda cells: spread(cells, "log loss"))
        calibration = partial(calibration_error, even=task.startswith("rings"))
        show(
            f"{task}: calibration error of all choices, and that of perfect probabilities by chance",
            models,
            lambda cells, of=calibration: "{:.3f}, {:.3f}".format(*of(cells)),
        )
        heads = {name: curve for name, curve in models.items() if name.endswith("head")}
        show(
            f"{task}: standard deviation, over that of fresh choices of labels; the same among endless galaxies",
            heads,
            lambda cells: "{:.2f}, {:.2f}".format(*std_ratio(cells)),
        )
        show(f"{task}: seconds to learn, most memory for it in MiB", models, cost)
    print("\n".join(verdicts(curves, spent)))
    print(f"memory for learning from 500 and predicting 10^6 galaxies: {spent['MiB'] / 1024:.1f} GiB")
    if options.figure:
        draw(curves, options.figure)
    if options.probabilities:
        draw_probabilities(curves, options.probabilities)
    if options.json:
        options.json.write_text(json.dumps({"curves": curves, "costs": spent}))


if __name__ == "__main__":
    main()
