"""The paper's third task on real galaxies: rings from a few labels. ``python benchmarks/rings.py --figure FILE``

Learning curves on galaxies of DECaLS tagged as ring or not: balanced labels, accuracy and calibration on all others,
a mean over ten choices of labels with its standard error. Beside each head of the package stands scikit-learn's
LogisticRegressionCV on the same embeddings and galaxies, and beside the encoder an untrained network of the same
architecture, one trained from scratch on the labels, and the curve that Walmsley et al. 2022 (MNRAS 513, 1581) give
for Zoobot. Then mergers, and odd galaxies, of SDSS that no training of the bundled encoder has seen.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from ablation import accuracies_from_scratch
from astropy.table import Table
from real_galaxies import is_validation, read_set, sdss_labels
from representation import probe, untrained_like
from rich.console import Console
from rich.table import Table as RichTable
from sklearn.metrics import average_precision_score, roc_auc_score

import galzoo_repr as gzr
from galzoo_repr.finetuning import expected_calibration_error

LABELS = (10, 20, 40, 80, 160)
DEEP_LABELS = (20, 80, 160)
# Mean test accuracy, read off the paper's learning curves, by number of different rings, which are half of the labels.
PAPER = {
    "Zoobot, all questions, frozen": {2: 0.565, 5: 0.675, 13: 0.734, 33: 0.808, 79: 0.838},
    "Zoobot, all questions, fine-tuned": {2: 0.605, 5: 0.700, 13: 0.770, 33: 0.799, 79: 0.848},
    "Zoobot, smooth or featured only, frozen": {2: 0.507, 5: 0.507, 13: 0.516, 33: 0.546, 79: 0.603},
    "from scratch": {33: 0.504, 79: 0.50},
}
Curve = dict[int, list[float]]


def embedded(table: Table, encoder: gzr.Encoder) -> Table:
    """Embeddings from the images of a table."""
    return gzr.add_embeddings(
        table["file_loc", "label"],
        encoder=encoder,
        images="file_loc",
        embedding_store=False,
        overwrite=True,
        progress=False,
    )


def some_labels(truth: np.ndarray, n: int, seed: int, *, balanced: bool = True) -> np.ndarray:
    """Rows that get a label: half of each class, or as they come with at least two of each."""
    rng = np.random.default_rng(seed)
    if balanced:
        return np.concatenate([rng.permutation(np.flatnonzero(truth == each))[: n // 2] for each in (0, 1)])
    rows = rng.permutation(len(truth))[:n]
    while np.bincount(truth[rows].astype(int), minlength=2).min() < 2:
        rows = rng.permutation(len(truth))[:n]
    return rows


def with_labels(table: Table, truth: np.ndarray, rows: np.ndarray) -> Table:
    """The catalogue as a researcher would have it: labels in some rows."""
    labels = np.full(len(truth), np.nan)
    labels[rows] = truth[rows]
    table = table.copy(copy_data=False)
    table["ring"] = labels
    return table


def head_curves(table: Table, truth: np.ndarray, seeds: int) -> dict[str, dict[int, list]]:
    """Accuracy of our head and of LogisticRegressionCV, and the probabilities of the galaxies not labelled."""
    curves: dict[str, dict[int, list]] = {
        "ours": {},
        "LogisticRegressionCV": {},
        "held out": {},
        "seconds": {},
    }
    x = np.asarray(table["embedding"])
    for n in LABELS:
        for curve in curves.values():
            curve[n] = []
        for seed in range(seeds):
            rows = some_labels(truth, n, seed)
            rest = np.setdiff1d(np.arange(len(truth)), rows)
            started = time.perf_counter()
            model = gzr.finetune(with_labels(table, truth, rows), "ring", progress=False)
            curves["seconds"][n].append(time.perf_counter() - started)
            probability = model.predict(x[rest]).value[:, 0]
            theirs = probe(min(n, x.shape[1])).fit(x[rows], truth[rows])
            curves["ours"][n].append(float(np.mean((probability > 0.5) == truth[rest])))
            curves["LogisticRegressionCV"][n].append(float(theirs.score(x[rest], truth[rest])))
            # Labels are half rings, and only among galaxies that are half rings can probabilities be right.
            even = some_labels(truth[rest], 2 * np.bincount(truth[rest]).min(), seed)
            theirs_probability = theirs.predict_proba(x[rest])[:, 1]
            answers = truth[rest].astype(float)
            curves["held out"][n].append((probability[even], theirs_probability[even], answers[even]))
    return curves


def deep_curve(table: Table, truth: np.ndarray, encoder: gzr.Encoder, depth: int | str, seeds: int) -> Curve:
    """Accuracy of a model whose encoder was fine-tuned."""
    curve: Curve = {}
    for n in DEEP_LABELS:
        curve[n] = []
        for seed in range(seeds):
            rows = some_labels(truth, n, seed)
            rest = np.setdiff1d(np.arange(len(truth)), rows)
            model = gzr.finetune(
                with_labels(table, truth, rows),
                "ring",
                depth=depth,
                encoder=encoder,
                images="file_loc",
                members=2,
                progress=False,
            )
            tuned = embedded(table[rest], model.encoder)
            probability = model.predict(np.asarray(tuned["embedding"])).value[:, 0]
            curve[n].append(float(np.mean((probability > 0.5) == truth[rest])))
    return curve


def rare(table: Table, truth: np.ndarray, seeds: int, n: int = 160) -> dict[str, list[float]]:
    """Average precision and area under the ROC curve with labels as they come."""
    found: dict[str, list[float]] = {}
    x = np.asarray(table["embedding"])
    for seed in range(seeds):
        rows = some_labels(truth, n, seed, balanced=False)
        rest = np.setdiff1d(np.arange(len(truth)), rows)
        model = gzr.finetune(with_labels(table, truth, rows), "ring", progress=False)
        predictions = {
            "ours": model.predict(x[rest]).value[:, 0],
            "LogisticRegressionCV": probe(min(n, x.shape[1]))
            .fit(x[rows], truth[rows])
            .predict_proba(x[rest])[:, 1],
        }
        for name, p in predictions.items():
            found.setdefault(f"{name}, average precision", []).append(average_precision_score(truth[rest], p))
            found.setdefault(f"{name}, ROC AUC", []).append(roc_auc_score(truth[rest], p))
            error = expected_calibration_error(truth[rest].astype(float), p)
            found.setdefault(f"{name}, calibration error", []).append(error)
    return found


def costs(dim: int) -> dict[str, float]:
    """Seconds for 500 labels, and for predicting a million galaxies, and the memory that took."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, dim)).astype(np.float32)
    table = Table({"embedding": x, "ring": (x[:, 0] + rng.normal(size=500) > 0).astype(float)})
    started = time.perf_counter()
    model = gzr.finetune(table, "ring", progress=False)
    result = {"seconds, head on 500 labels": time.perf_counter() - started}
    million = Table({"embedding": np.tile(x, (2000, 1))}, copy=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    gzr.add_predictions(million, model)
    result["seconds, predictions of 10^6 galaxies"] = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result["GiB, more memory for these"] = (after - before) / 2**20
    return result


def spread(values: list[float]) -> str:
    """Mean and standard error."""
    error = f" ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{error}"


def calibration_errors(held_out: dict[int, list]) -> dict[str, dict[int, float]]:
    """Expected calibration error of the galaxies that were not labelled, all choices of labels together."""
    errors: dict[str, dict[int, float]] = {"ours": {}, "LogisticRegressionCV": {}}
    for n, choices in held_out.items():
        y = np.concatenate([each[2] for each in choices])
        for i, name in enumerate(errors):
            errors[name][n] = expected_calibration_error(y, np.concatenate([each[i] for each in choices]))
    return errors


def draw(curves: dict[str, Curve], path: Path) -> None:
    """Learning curves with standard errors, over those of the paper."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for i, (name, curve) in enumerate(PAPER.items()):
        axes.plot(
            [2 * rings for rings in curve], curve.values(), color="0.6", ls=("--", "-", ":", "-.")[i], lw=1,
            label=f"paper: {name}",
        )  # fmt: skip
    for name, curve in curves.items():
        mean = [np.mean(values) for values in curve.values()]
        error = [np.std(values, ddof=1) / len(values) ** 0.5 for values in curve.values()]
        axes.errorbar(list(curve), mean, error, marker="o", ms=4, capsize=2, label=name)
    axes.set(
        xscale="log", xlabel="galaxies with a label (half of them rings)", ylabel="accuracy on the others"
    )
    axes.set_xticks(LABELS, [str(n) for n in LABELS])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=150)


def show(title: str, rows: dict[str, dict], heads: list[str]) -> None:
    """Print one table."""
    grid = RichTable("", *heads, title=title, title_justify="left")
    for name, cells in rows.items():
        grid.add_row(name, *(str(cells.get(head, "")) for head in heads))
    Console(width=120).print(grid)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="bundled", help="name or folder")
    parser.add_argument("--one-question", type=Path, help="folder of an encoder trained on one question")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--depths", default="", help="such as 2,all: minutes for each")
    parser.add_argument("--deep-seeds", type=int, default=3)
    parser.add_argument("--no-untrained", action="store_true")
    parser.add_argument("--scratch-seeds", type=int, default=0)
    parser.add_argument("--sdss", action="store_true", help="mergers and odd galaxies too")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-real")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    encoder = gzr.Encoder.load(options.encoder)
    table = read_set("decals_rings", options.work)
    truth = np.array(table["label"] == "ring")
    encoders = {"bundled" if options.encoder == "bundled" else Path(options.encoder).name: encoder}
    if options.one_question:
        encoders["one question"] = gzr.Encoder.load(options.one_question)
    if not options.no_untrained:
        encoders["untrained"] = untrained_like(encoder, read_set("sdss_galaxy_zoo", options.work))
    curves: dict[str, Curve] = {}
    calibration: dict[str, dict[int, float]] = {}
    for name, each in encoders.items():
        found = head_curves(embedded(table, each), truth, options.seeds)
        curves[f"{name}, head"] = found["ours"]
        curves[f"{name}, LogisticRegressionCV"] = found["LogisticRegressionCV"]
        errors = calibration_errors(found["held out"])
        calibration |= {f"{name}, {which}": error for which, error in errors.items()}
    ours = embedded(table, encoder)
    for depth in filter(None, options.depths.split(",")):
        name = f"{next(iter(encoders))}, {'all' if depth == 'all' else f'top {depth}'} fine-tuned"
        depth = int(depth) if depth.isdigit() else depth
        curves[name] = deep_curve(ours, truth, encoder, depth, options.deep_seeds)
    if options.scratch_seeds:
        curves["from scratch"] = accuracies_from_scratch(options.work, options.scratch_seeds)
    heads = [str(n) for n in LABELS]
    show("Accuracy", {k: {str(n): spread(v) for n, v in c.items()} for k, c in curves.items()}, heads)
    show(
        "Expected calibration error",
        {k: {str(n): f"{v:.3f}" for n, v in c.items()} for k, c in calibration.items()},
        heads,
    )
    results = {"accuracy": curves, "calibration error": calibration, "costs": costs(encoder.dim)}
    if options.sdss:
        results |= {"sdss": sdss(options.work, encoder, options.seeds)}
        for name, found in results["sdss"].items():
            show(name, {key: {"160 labels": spread(values)} for key, values in found.items()}, ["160 labels"])
    show("Costs", {key: {"": f"{value:.2f}"} for key, value in results["costs"].items()}, [""])
    if options.figure:
        draw(curves, options.figure)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def sdss(work: Path, encoder: gzr.Encoder, seeds: int) -> dict[str, dict[str, list[float]]]:
    """Mergers, and odd galaxies, among those of SDSS that training held out."""
    table = read_set("sdss_galaxy_zoo", work)
    table = table[is_validation(table["file"])]
    labels, first = sdss_labels(table), np.array(table["source"]) == "smallGZ1_eggochi"
    odd = np.isin(labels, ["odd_yes", "odd_no"])
    sets = {"Mergers": (first, labels == "merger"), "Odd galaxies": (odd, labels == "odd_yes")}
    return {
        f"{name} ({np.mean(truth[rows]):.3f} of {rows.sum()})": rare(
            embedded(table[rows], encoder), truth[rows], seeds
        )
        for name, (rows, truth) in sets.items()
    }


if __name__ == "__main__":
    main()
