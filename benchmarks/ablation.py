"""The paper's argument at the scale of the bundled encoder: does it help to answer every question?

Two networks begin with the same weights from ImageNet and learn from the same images for the same time, the first stage
of the bundled encoder: one from all questions, one from "smooth or featured" alone. Then rings are told from other
galaxies by a line through their embeddings, as many labels as it may be, beside the weights from ImageNet as they were,
and the same network trained on those labels from scratch.

``python benchmarks/ablation.py --work FOLDER --figure FILE``; the folder is that of ``bundled_encoder.py``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from bundled_encoder import (
    RECIPE,
    SCHEMAS,
    STAGES,
    Fields,
    real_galaxies,
    simulated_galaxies,
    train,
)
from imagenet import imagenet_encoder
from representation import embeddings_of, with_labels
from rings import Task, from_scratch, tasks

from galzoo_repr import Encoder, Schema

LABELS = (10, 20, 40, 80, 160)
FROM_SCRATCH = (20, 80, 160)


def smooth_or_featured(schemas: list[str]) -> Schema:
    """Only the first question of each schema that has it, as one tree."""
    asked = [question for name in schemas for question in Schema.load(name).to_dict()["questions"]]
    questions = [question for question in asked if question["name"] == "smooth-or-featured"]
    return Schema.from_dict({"name": "smooth-only", "questions": questions})


def accuracies(task: Task, encoder: Encoder) -> dict[int, list[float]]:
    """Of a line through the embeddings, for growing numbers of labels and five choices of them."""
    x, y = embeddings_of(encoder)(task.table), task.truth == 1
    result = {}
    for n in LABELS:
        trained = [with_labels(x, y, n, seed, balanced=True) for seed in range(5)]
        result[n] = [float(model.score(x[rest], y[rest])) for model, rest in trained]
    return result


def accuracies_from_scratch(task: Task, start: Encoder, seeds: int = 3) -> dict[int, list[float]]:
    """Of the whole network, trained end to end on the labels alone."""
    return {
        n: [from_scratch(task, start, n, seed)["accuracy"] for seed in range(seeds)] for n in FROM_SCRATCH
    }


def measure(
    encoders: dict[str, Encoder], start: Encoder, work: Path
) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Accuracies by task, network and number of labels."""
    titles = {"rings as judged": "where two judges agree", "rings": "published labels"}
    by_name = {task.name: task for task in tasks(work)}
    return {
        title: {name: accuracies(by_name[task], encoder) for name, encoder in encoders.items()}
        | {"from scratch": accuracies_from_scratch(by_name[task], start)}
        for task, title in titles.items()
    }


def draw(found: dict[str, dict[str, dict[int, list[float]]]], path: Path) -> None:
    """Learning curves with standard errors, by task."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(9.5, 4.4), layout="constrained", sharey=True)
    for panel, (title, curves) in zip(panels, found.items(), strict=True):
        for (name, curve), colour in zip(
            curves.items(), ("#0072b2", "#d55e00", "#56b4e9", "#6b7280"), strict=True
        ):
            n = sorted(curve)
            mean = [np.mean(curve[each]) for each in n]
            error = [np.std(curve[each], ddof=1) / len(curve[each]) ** 0.5 for each in n]
            panel.errorbar(n, mean, error, marker="o", capsize=3, label=name, color=colour)
        panel.axhline(0.5, color="0.8", lw=1, zorder=0)
        panel.set(title=title, xscale="log", xlabel="galaxies with a label (half of them rings)")
        panel.set_xticks(LABELS, [str(n) for n in LABELS])
        panel.minorticks_off()
    panels[0].set_ylabel("accuracy on the others")
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=4)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Train, measure, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--figure", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pixels, simulated = simulated_galaxies(options.work / "simulated", 30_000, workers=2)
    real_pixels, real = real_galaxies(options.work / "real")
    galaxies, start = (simulated, real, Fields(pixels, real_pixels)), imagenet_encoder(RECIPE)
    schemas = {
        "all questions": (Schema.load(list(SCHEMAS)), "run-first"),
        "smooth or featured only": (smooth_or_featured(list(SCHEMAS)), "run-smooth-only"),
    }
    encoders = {}
    for name, (schema, run) in schemas.items():
        encoders[name] = train(
            galaxies, options.work / run, stage=STAGES["first"], schema=schema, start=start
        )
        encoders[name].save(options.work / name.replace(" ", "-"), overwrite=True)
    encoders["ImageNet"] = start
    found = measure(encoders, start, options.work / "real")
    for title, curves in found.items():
        for name, curve in curves.items():
            print(
                title,
                name,
                {n: f"{np.mean(v):.3f} ± {np.std(v, ddof=1) / len(v) ** 0.5:.3f}" for n, v in curve.items()},
            )
    draw(found, options.figure)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
