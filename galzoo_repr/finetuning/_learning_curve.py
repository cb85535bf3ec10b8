"""How much better a model gets with more labels, measured on the labels that there are."""

from collections.abc import Sequence

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._arguments import check_seed, check_whole_number
from galzoo_repr._progress import progress_bar
from galzoo_repr.catalogue import as_table, coords_fact, record_provenance
from galzoo_repr.finetuning._finetune import lesson_of
from galzoo_repr.finetuning._folds import fewest_galaxies
from galzoo_repr.finetuning._labels import read_labels
from galzoo_repr.finetuning._metrics import measure
from galzoo_repr.finetuning._training_set import Lesson, learn
from galzoo_repr.questions import Schema

__all__ = ["learning_curve"]


def learning_curve(
    table: Table | SkyCoord,
    label: str | Sequence[str] | Schema,
    sizes: Sequence[int] = (10, 20, 40, 80, 160),
    *,
    repeats: int = 5,
    task: str | None = None,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Table:
    """
    Learn from some of the labelled galaxies, and test on the others, for growing numbers of them.

    Tells whether more labels would help: where the curve is still rising at its end, they would.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    label, task, embedding, coords
        As for `galzoo_repr.finetune`.
    sizes : sequence of int
        Numbers of galaxies to learn from; those are left out that leave fewer than ten to test on.
    repeats : int
        Choices of galaxies for each number.
    seed : int
        Of the choices.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Table
        For each number ``n``, ``part`` (label or question, empty where there is one) and ``figure`` (accuracy,
        ROC AUC...), its mean ``value`` and standard deviation ``std`` over the choices.

    Raises
    ------
    TypeError
        If `sizes` are not several numbers.
    ValueError
        If there are too few labels for any of the sizes, or as for `galzoo_repr.finetune`.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.finetuning import learning_curve
    >>> embedding = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    >>> galaxies = Table({"embedding": embedding, "ring": embedding[:, 0] > 0})
    >>> curve = learning_curve(galaxies, "ring", [10, 80], repeats=2, progress=False)
    >>> accuracy = curve[curve["figure"] == "accuracy"]
    >>> accuracy["n"].tolist(), bool(accuracy["value"][1] > 0.9)
    ([10, 80], True)
    """
    table = as_table(table, copy=False)
    if np.ndim(sizes) != 1:
        raise TypeError(f"sizes must be several numbers of galaxies, such as (10, 20, 40), not {sizes!r}")
    sizes = [check_whole_number("a number of sizes", n) for n in sizes]
    repeats = check_whole_number("repeats", repeats)
    labels = read_labels(table, label, task=task)
    lesson, _ = lesson_of(table, labels, embedding=embedding, coords=coords, seed=check_seed(seed))
    galaxies = len(np.unique(lesson.groups))
    usable = [n for n in sizes if 4 <= n <= galaxies - 10]
    if not usable:
        allowed = f"sizes may be from 4 to {galaxies - 10}" if galaxies > 13 else "label 14 at least"
        raise ValueError(
            f"sizes {sizes} leave nothing to measure: with {galaxies} labelled galaxies, {allowed}"
        )
    rows = []
    with progress_bar(len(usable) * repeats, "learning curve", "model", shown=progress) as bar:
        for n in usable:
            found: dict[tuple[str, str], list[float]] = {}
            for repeat in range(repeats):
                for metric in _once(lesson, n, np.random.default_rng([seed, n, repeat]), labels.classes):
                    found.setdefault((metric.part, metric.name), []).append(metric.value)
                bar.update()
            rows += [(n, *what, np.nanmean(values), np.nanstd(values)) for what, values in found.items()]
    curve = Table(rows=rows, names=["n", "part", "figure", "value", "std"])
    facts = {
        "labels": labels.name,
        "task": labels.task,
        "repeats": repeats,
        "seed": seed,
        "embedding": embedding,
    }
    record_provenance(curve, "learning_curve", facts | coords_fact(coords))
    return curve


def _once(lesson: Lesson, n: int, rng: np.random.Generator, names: tuple[str, ...]) -> tuple:
    """Figures of a model that learned from n galaxies, two of each class at least."""
    for _ in range(100):
        chosen = np.isin(lesson.groups, rng.permutation(np.unique(lesson.groups))[:n])
        known = lesson.part(np.flatnonzero(chosen))
        if fewest_galaxies(known.y, known.groups, known.task) >= 2:
            break
    else:
        raise ValueError(f"{n} galaxies hardly ever hold two of each class; begin with a larger size")
    head, blend = learn(known)
    calibration = blend.calibration
    unseen = lesson.part(np.flatnonzero(~chosen))
    predicted = calibration.apply(head.scores(unseen.x)[:, 0], lesson.task)
    spread = np.broadcast_to(calibration.spread, predicted.shape)
    everything = [np.arange(len(unseen))]
    return measure(
        unseen.y,
        predicted,
        [*everything, *everything],
        task=lesson.task,
        names=names,
        spread=spread,
        schema=lesson.schema,
    )
