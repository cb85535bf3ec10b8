"""What the cells of ``rings.py`` say together: tables, promises kept or not, and a figure beside the paper's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable

from galzoo_repr.finetuning import expected_calibration_error

LABELS = (10, 20, 40, 80, 160)
# Mean test accuracy, read off the paper's learning curves, by number of different rings, which are half of the labels.
PAPER = {
    "all questions, fine-tuned": {2: 0.605, 5: 0.700, 13: 0.770, 33: 0.799, 79: 0.848},
    "all questions, frozen": {2: 0.565, 5: 0.675, 13: 0.734, 33: 0.808, 79: 0.838},
    "smooth or featured only, fine-tuned": {2: 0.507, 5: 0.507, 13: 0.552, 33: 0.582, 79: 0.696},
    "smooth or featured only, frozen": {2: 0.507, 5: 0.507, 13: 0.516, 33: 0.546, 79: 0.603},
    "from scratch": {33: 0.504, 79: 0.50},
}
# Of Okabe and Ito (2008), which people tell apart whatever colours they see.
COLOURS = {
    "all questions": "#0072b2",
    "one question": "#d55e00",
    "untrained": "#cc79a7",
    "from scratch": "0.45",
}
STYLES = {"head": "-", "top": "--", "all": ":"}
KINDS = {
    "head": ("this package", {"color": "#0072b2", "ls": "-", "lw": 1.5}),
    "LogisticRegressionCV": ("LogisticRegressionCV", {"color": "#d55e00", "ls": "--", "lw": 1.5}),
}

# Cells by task, model and number of labels.
Curves = dict[str, dict[str, dict[int, list[dict]]]]


def calibration_error(cells: list[dict], *, even: bool) -> tuple[float, float]:
    """
    Of the galaxies without a label, all choices of labels together, and what perfect probabilities would show.

    If labels were even, of as many galaxies of each class, in a mean over choices of them: probabilities learned where
    every second galaxy is a ring can be right only there. Perfect probabilities differ from frequencies by chance, and
    since the same galaxies are tested again and again, more than in as many different ones.
    """
    galaxies = 1 + max(max(cell["rows"]) for cell in cells)
    errors, least = [], []
    for draw_of in range(20):
        rng = np.random.default_rng(draw_of)
        luck, parts = rng.random(galaxies), []
        for cell in cells:
            truth, p, rows = (np.array(cell[each]) for each in ("truth", "probability", "rows"))
            n = np.bincount(truth, minlength=2).min()
            of = (
                [rng.permutation(np.flatnonzero(truth == c))[:n] for c in (0, 1)]
                if even
                else [np.arange(len(p))]
            )
            of = np.concatenate(of)
            parts.append((truth[of], p[of], luck[rows[of]] < p[of]))
        y, p, perfect = (np.concatenate(each) for each in zip(*parts, strict=True))
        errors.append(expected_calibration_error(y.astype(float), p))
        least.append(expected_calibration_error(perfect.astype(float), p))
    return float(np.mean(errors)), float(np.mean(least))


def std_ratio(cells: list[dict]) -> tuple[float, float]:
    """
    Median of the standard deviation that models give, over the median of how far fresh choices of labels disagree.

    The disagreement is that of the probability of a galaxy among the choices that left it without a label, where these
    are four at least. Choices of n labels among so few galaxies share many, and so disagree less than they would among
    endless ones, by ``sqrt(1 - n / galaxies)``: first the ratio as it is seen, then with this taken into account.
    """
    galaxies = 1 + max(max(cell["rows"]) for cell in cells)
    probability, std = np.full((2, len(cells), galaxies), np.nan)
    for i, cell in enumerate(cells):
        probability[i, cell["rows"]], std[i, cell["rows"]] = cell["probability"], cell["std"]
    often = np.isfinite(probability).sum(0) >= 4
    if not often.any():
        return np.nan, np.nan
    seen = np.nanmedian(std[:, often]) / np.median(np.nanstd(probability[:, often], axis=0, ddof=1))
    labelled = 1 - len(cells[0]["rows"]) / galaxies
    return float(seen), float(seen * np.sqrt(1 - labelled))


def excess_of(what: str, ours: list[dict], theirs: list[dict]) -> tuple[float, float]:
    """Mean by which our cells exceed others of the same labels, and its standard error; infinite for less than two."""
    excess = [one[what] - other[what] for one, other in zip(ours, theirs, strict=False)]
    error = np.std(excess, ddof=1) / len(excess) ** 0.5 if len(excess) > 1 else np.inf
    return float(np.mean(excess)) if excess else np.nan, float(error)


def spread(cells: list[dict], what: str) -> str:
    """Mean, standard error and number of choices of labels."""
    values = [cell[what] for cell in cells]
    error = f" ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{error} ({len(values)})"


def cost(cells: list[dict]) -> str:
    """Mean seconds and memory."""
    return ", ".join(
        f"{np.mean([cell[what] for cell in cells]):.{d}f}" for what, d in (("seconds", 1), ("MiB", 0))
    )


def show(title: str, models: dict[str, dict[int, list[dict]]], cell: Callable[[list[dict]], str]) -> None:
    """Print one table, if there is anything to print."""
    if not models:
        return
    grid = RichTable("labels", *map(str, LABELS), title=title, title_justify="left")
    for name, curve in models.items():
        grid.add_row(name, *(cell(curve[n]) if n in curve else "" for n in LABELS))
    Console(width=140).print(grid)


def verdicts(curves: Curves, spent: dict) -> list[str]:
    """Each promise, with what was found."""
    lines: list[str] = []

    def say(what: str, value: float, kept: bool) -> None:
        lines.append(
            f"{'kept' if kept else 'not measured' if np.isnan(value) else 'NOT kept'}: {what}: {value:.3f}"
        )

    for task in ("rings", "rings as judged"):
        cells = curves[task].get("all questions, head", {})
        scratch = curves[task].get("from scratch", {})
        accuracy, least = (
            {n: np.mean([cell["accuracy"] for cell in some.get(n, [])] or np.nan) for n in LABELS}
            for some in (cells, scratch)
        )
        for n, aim in ((80, 0.80), (160, 0.84)):
            say(f"{task}: accuracy with {n} labels at least {aim}", accuracy[n], accuracy[n] >= aim)
        ahead = min(accuracy[n] - least[n] for n in LABELS[:-1])
        say(f"{task}: ahead of from scratch by 0.10 below 160 labels, least", ahead, ahead >= 0.1)
        error, chance = calibration_error(cells[160], even=True) if 160 in cells else (np.nan, np.nan)
        say(
            f"{task}: calibration error with 160 labels under 0.07 ({chance:.3f} by chance)",
            error,
            error < 0.07,
        )
    for task, models in curves.items():
        for name in ("all questions", "one question", "untrained"):
            for n, cells in models.get(f"{name}, head", {}).items():
                theirs = models.get(f"{name}, LogisticRegressionCV", {}).get(n, [])
                for what, sign in (("accuracy", 1), ("average precision", 1), ("log loss", -1)):
                    excess, error = excess_of(what, cells, theirs)
                    if sign * excess < -2 * error:
                        lines.append(
                            f"NOT kept: {task}, {name}, {n} labels: behind LogisticRegressionCV by "
                            f"{abs(excess):.3f} ± {error:.3f} in {what}"
                        )
                ratio = std_ratio(cells)[1]
                if np.isfinite(ratio) and not 0.7 <= ratio <= 1.4:
                    lines.append(
                        f"NOT kept: {task}, {name}, {n} labels: std is {ratio:.2f} of what it should be"
                    )
    say("seconds, head on 500 labels, under 10", spent["seconds"], spent["seconds"] < 10)
    say("seconds, predictions of 10^6 galaxies, under 10", spent["prediction"], spent["prediction"] < 10)
    return lines


def style(model: str) -> dict:
    """Colour by encoder, line by depth."""
    name, _, how = model.partition(", ")
    how = {"fine-tuned": "all", "frozen": "head", "": "all"}.get(how, how.split()[0] if how else "all")
    name = {"smooth or featured only": "one question"}.get(name, name)
    return {"color": COLOURS[name], "ls": STYLES[how], "lw": 1.5}


def draw(curves: Curves, path: Path) -> None:
    """Learning curves with standard errors: rings beside those of the paper, mergers and odd galaxies."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 2, figsize=(8.3, 12), layout="constrained")
    judged, paper, published, mergers, odd, key = axes.flat
    panels = {
        judged: ("rings as judged", "rings, where two judges agree", "accuracy"),
        published: ("rings", "rings, published labels", "accuracy"),
        mergers: ("mergers", "mergers", "average precision"),
        odd: ("odd galaxies", "odd galaxies", "average precision"),
    }
    for panel, (task, title, what) in panels.items():
        for model, curve in curves[task].items():
            if "LogisticRegressionCV" in model:
                continue
            values = [[cell[what] for cell in cells] for cells in curve.values()]
            error = [np.std(each, ddof=1) / len(each) ** 0.5 if len(each) > 1 else 0 for each in values]
            panel.errorbar(
                list(curve), [np.mean(each) for each in values], error, marker="o", ms=3, capsize=2, label=model,
                **style(model),
            )  # fmt: skip
        panel.set(title=title, ylabel=f"{what} on the others")
    for model, curve in PAPER.items():
        labels = [2 * rings for rings in curve]
        paper.plot(labels, list(curve.values()), marker="o", ms=3, label=model, **style(model))
    paper.set(title="rings, Walmsley et al. 2022", ylabel="accuracy on the others")
    paper.legend(frameon=False, fontsize=7)
    for panel in (*panels, paper):
        panel.set(xscale="log", xlabel="galaxies with a label", xlim=(3.5, 220))
        panel.set_xticks(LABELS, [str(n) for n in LABELS])
        panel.minorticks_off()
    for panel in (judged, paper, published):
        panel.set_ylim(0.42, 0.98)
    key.axis("off")
    key.legend(*judged.get_legend_handles_labels(), frameon=False, loc="center", title="this package")
    figure.savefig(path, dpi=150)


def draw_probabilities(curves: Curves, path: Path) -> None:
    """Log loss, calibration error and ratio of standard deviations by number of labels, with those of scikit-learn."""
    import matplotlib.pyplot as plt

    names = [task for task in curves if {f"all questions, {each}" for each in KINDS} <= set(curves[task])]
    # Two blocks, one above the other, so that they can be read at the width of a page of text.
    half = -(-len(names) // 2)
    figure = plt.figure(figsize=(2.6 * half, 15), layout="constrained")
    for block, tasks in zip(figure.subfigures(2, 1), (names[:half], names[half:]), strict=True):
        axes = block.subplots(3, half, sharex=True)
        for unused in axes[:, len(tasks) :].flat:
            unused.remove()
        for task, panels in zip(tasks, axes.T, strict=False):
            _draw_task(task, curves[task], panels)
        for panel, what in zip(
            axes[:, 0], ("log loss", "calibration error", "std / spread over labels"), strict=True
        ):
            panel.set_ylabel(what)
    for panel in figure.subfigs[0].axes[::half]:
        panel.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=150)


def _draw_task(task: str, of_task: dict, panels: np.ndarray) -> None:
    """Draw the three panels of one feature."""
    loss, calibration, ratio = panels
    loss.set_title(task.replace(" as they come", ",\nlabelled as they come"), fontsize=9)
    for kind, (label, look) in KINDS.items():
        curve = of_task[f"all questions, {kind}"]
        values = [[cell["log loss"] for cell in cells] for cells in curve.values()]
        errors = [np.std(each, ddof=1) / len(each) ** 0.5 if len(each) > 1 else 0 for each in values]
        loss.errorbar(
            list(curve),
            [np.mean(each) for each in values],
            errors,
            marker="o",
            ms=3,
            capsize=2,
            label=label,
            **look,
        )
        of = [calibration_error(cells, even=task.startswith("rings")) for cells in curve.values()]
        calibration.plot(list(curve), [each for each, _ in of], marker="o", ms=3, label=label, **look)
        if kind == "head":
            calibration.plot(list(curve), [chance for _, chance in of], ":", color="0.5", label="by chance")
    curve = of_task["all questions, head"]
    seen, endless = zip(*map(std_ratio, curve.values()), strict=True)
    ratio.axhspan(0.7, 1.4, color="0.92")
    ratio.axhline(1, color="0.7", lw=1)
    ratio.plot(list(curve), endless, marker="o", ms=3, label="among endless galaxies", **KINDS["head"][1])
    ratio.plot(list(curve), seen, ":", color="0.5", label="among these few")
    ratio.set(xscale="log", yscale="log", ylim=(0.15, 6), xlabel="galaxies with a label")
    ratio.set_xticks(LABELS, [str(n) for n in LABELS])
    ratio.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    ratio.minorticks_off()
    for panel in (loss, calibration):
        panel.set_ylim(bottom=0)
