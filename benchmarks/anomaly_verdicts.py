"""What the cells of ``anomaly_curves.py`` say together: tables, where this package is behind, and a picture."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anomaly_baselines import BASELINES
from anomaly_curves import CALIBRATION, FIGURES, METHODS, NUMBERS, OURS, Curves
from astronomaly_methods import RUN_BY
from rich.console import Console
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of Okabe and Ito (2008) and beyond, which people tell apart whatever colours they see.
COLOURS = {
    OURS: "#0072b2",
    "paper": "#e69f00",
    "earlier": "#d55e00",
    "logistic regression": "#009e73",
    "contrast cosine": "#56b4e9",
    "Protege": "#6a00d9",
    "NeighbourScore": "0.6",
}
DRAWN = ("odd", "mergers", "edge-on, contradictory", "spiral, graded", "simulated ring")
PANELS = {
    "found": "found",
    "AP, rated first": "AP, rated galaxies first",
    "AP, same ratings": "AP of the unrated, same ratings",
}
# What is taken for a difference, in standard errors of the paired difference, and of how many pairs at least.
ERRORS, PAIRS = 2.0, 3


def mean_and_error(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and its standard error; NaN where it is not known."""
    values = list(values)
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5) if len(
        values
    ) > 1 else np.nan


def best_of(methods: dict[str, dict[int, float]], rivals: tuple[str, ...]) -> str:
    """Which of some methods has the highest mean."""
    return max(rivals, key=lambda name: np.mean(list(methods[name].values()) or -np.inf))


@cache
def by_chance(seeds: int, rivals: int) -> float:
    """Probability that one of equally good methods seems to be behind the best of its rivals."""
    values = np.random.default_rng(0).normal(size=(20_000, rivals + 1, seeds))
    best = values[:, 1:].mean(axis=2).argmax(axis=1)
    excess = values[:, 0] - values[np.arange(len(values)), 1 + best]
    error = excess.std(axis=1, ddof=1) / seeds**0.5
    return float((excess.mean(axis=1) < -ERRORS * error).mean())


def verdicts(curves: Curves, figure: str, rivals: tuple[str, ...]) -> Iterator[str]:
    """Say in how many comparisons this package is behind the best of some methods, and in which."""
    behind, ahead, expected = [], 0, []
    for (task, number), methods in curves[figure].items():
        rival = best_of(methods, rivals)
        seeds = sorted(methods[OURS].keys() & methods[rival].keys())
        # The first galaxies are the same for all.
        if len(seeds) < PAIRS or (figure == "found" and number == NUMBERS[0]):
            continue
        excess, error = mean_and_error(methods[OURS][seed] - methods[rival][seed] for seed in seeds)
        expected.append((by_chance(len(seeds), 1), by_chance(len(seeds), len(rivals))))
        ahead += excess > ERRORS * error
        if excess < -ERRORS * error:
            behind.append(f"    {task}, {number} ratings: {excess:.3f} ± {error:.3f}, {rival}")
    level = " to ".join(f"{number:.0f}" for number in sorted(set(np.sum(expected, axis=0))))
    yield (
        f"{figure}: behind {rivals[0] if len(rivals) == 1 else 'the best baseline'} in {len(behind)} of "
        f"{len(expected)}, by chance {level} if {'level' if len(rivals) == 1 else 'level with one to all of them'}; "
        f"ahead in {ahead}"
    )
    yield from behind


def show(title: str, rows: dict[str, dict[int, str]]) -> None:
    """Print one table, a column for each number of ratings."""
    grid = RichTable("ratings", *map(str, NUMBERS), title=title, title_justify="left")
    for name, cells in rows.items():
        grid.add_row(name, *(cells.get(number, "") for number in NUMBERS))
    Console(width=140).print(grid)


def spread(values: dict[int, float], figure: str) -> str:
    """Mean and standard error over seeds, empty where there are none."""
    digits = 1 if figure == "found" else 3
    return "{:.{d}f} ± {:.{d}f}".format(*mean_and_error(values.values()), d=digits) if values else ""


def of_task(curves: Curves, figure: str, task: str) -> dict[int, dict[str, dict[int, float]]]:
    """Methods by number of ratings."""
    return {number: methods for (name, number), methods in curves[figure].items() if name == task}


def show_tasks(curves: Curves, names: list[str]) -> None:
    """Print every figure of every task."""
    for task in dict.fromkeys(task for task, _ in curves["found"]):
        for figure in FIGURES:
            numbers = of_task(curves, figure, task)
            rows = {name: {n: spread(numbers[n][name], figure) for n in numbers} for name in names}
            show(f"{task}: {figure}", rows)


def show_means(curves: Curves, names: list[str]) -> None:
    """Print every figure as a mean over the tasks in which all methods have it, and how many they are."""
    for figure in FIGURES:
        rows: dict[str, dict[int, str]] = {name: {} for name in names}
        for n in NUMBERS:
            tasks = [methods for (_, number), methods in curves[figure].items() if number == n]
            tasks = [methods for methods in tasks if all(methods[name] for name in names)]
            for name in names if tasks else ():
                means = [np.mean(list(methods[name].values())) for methods in tasks]
                rows[name][n] = f"{np.mean(means):.3f} ({len(means)})"
        show(f"mean over tasks: {figure}", rows)


def show_calibration(curves: Curves, name: str) -> None:
    """Print how far ratings are from what a method predicts, in its own standard deviations."""
    for figure in CALIBRATION:
        rows: dict[str, dict[int, str]] = {}
        means: dict[int, list[float]] = {}
        for (task, number), methods in curves[figure].items():
            rows.setdefault(task, {})[number] = spread(methods[name], figure)
            means.setdefault(number, []).append(np.mean(list(methods[name].values())))
        rows["mean over tasks"] = {number: f"{np.mean(each):.3f}" for number, each in means.items()}
        show(f"{name}: {figure}", rows)


def report(curves: Curves) -> None:
    """Print all tables and verdicts."""
    names = [name for name in METHODS if any(methods[name] for methods in curves["found"].values())]
    show_tasks(curves, names)
    show_means(curves, names)
    show_calibration(curves, OURS)
    print(f"Protege and NeighbourScore are run by {RUN_BY}")
    rivals = tuple(name for name in BASELINES if name in names)
    for against in (rivals, ("earlier",), ("paper",)):
        for figure in FIGURES:
            print("\n".join(verdicts(curves, figure, against)))


def draw(curves: Curves, path: Path) -> None:
    """Draw a row for each figure and a column for each of some tasks, means with standard errors."""
    import matplotlib.pyplot as plt

    # Two blocks, one above the other, so that they can be read at the width of a page of text.
    half = -(-len(DRAWN) // 2)
    picture = plt.figure(figsize=(2.8 * half, 16), layout="constrained")
    for block, tasks in zip(picture.subfigures(2, 1), (DRAWN[:half], DRAWN[half:]), strict=True):
        axes = block.subplots(len(PANELS), half, sharex=True)
        for unused in axes[:, len(tasks) :].flat:
            unused.remove()
        for row, (figure, label) in zip(axes, PANELS.items(), strict=True):
            for panel, task in zip(row, tasks, strict=False):
                _draw_panel(panel, of_task(curves, figure, task), found=figure == "found")
            row[0].set_ylabel(label)
        for panel, lowest, task in zip(axes[0], axes[-1], tasks, strict=False):
            panel.set_title(task)
            lowest.set_xlabel("ratings")
    handles, labels = picture.subfigs[0].axes[0].get_legend_handles_labels()
    picture.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=4, frameon=False)
    picture.savefig(path, dpi=150)


def _draw_panel(panel: "Axes", numbers: dict, *, found: bool) -> None:
    """Draw what each method reaches in one search, by the number of ratings."""
    for name, colour in reversed(COLOURS.items()):
        known = [n for n in numbers if numbers[n][name]]
        means, errors = np.array([mean_and_error(numbers[n][name].values()) for n in known]).reshape(-1, 2).T
        width = 2.5 if name == OURS else 1.2
        panel.errorbar(known, means, errors, color=colour, lw=width, marker="o", ms=3, capsize=2, label=name)
    panel.set(xscale="log", xlim=(9, 560), ylim=(0, None if found else 1.02))
    panel.set_xticks(NUMBERS, [str(number) for number in NUMBERS])
    panel.minorticks_off()
    panel.grid(alpha=0.2)
