"""How well embeddings tell labels apart: a head on half of the galaxies, tested on the others, again and again."""

import numpy as np

from galzoo_repr.finetuning._folds import strata
from galzoo_repr.finetuning._training_set import Lesson, learn

__all__ = ["FIGURES", "NEIGHBOURS", "corrected_error", "probe", "splits_of"]

FIGURES = ("accuracy", "average_precision", "precision_at_10")
NEIGHBOURS = 10


def splits_of(
    y: np.ndarray, groups: np.ndarray, task: str, n_train: int, *, repeats: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Split rows by galaxy into those to learn from and those to test on, with each class in proportion on both sides.

    `n_train` counts galaxies. Of each class two at least are on either side.
    """
    galaxies, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    classes = strata(y, task)[first]
    part = n_train / len(galaxies)
    splits = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        known = np.zeros(len(galaxies), dtype=bool)
        for each in np.unique(classes):
            of_class = rng.permutation(np.flatnonzero(classes == each))
            known[of_class[: int(np.clip(round(part * len(of_class)), 2, len(of_class) - 2))]] = True
        splits.append((np.flatnonzero(known[inverse]), np.flatnonzero(~known[inverse])))
    return splits


def probe(lesson: Lesson, split: tuple[np.ndarray, np.ndarray], seed: int) -> dict[str, float]:
    """Figures of one split: those of a head, and of the nearest neighbours among the galaxies tested on."""
    from sklearn.metrics import average_precision_score

    known, held = split
    head, blend = learn(lesson.part(known))
    predicted = blend.calibration.apply(head.scores(lesson.x[held])[:, 0], lesson.task)
    y, classes = lesson.y[held], strata(lesson.y[held], lesson.task)
    chosen = predicted[:, 0] > 0.5 if lesson.task == "binary" else predicted.argmax(1)
    precision = [average_precision_score(*each) for each in zip(y.T, predicted.T, strict=True)]
    return {
        "accuracy": float(np.mean(chosen == classes)),
        "average_precision": min(1.0, float(np.mean(precision))),  # which rounding may exceed
        "precision_at_10": _precision_of_nearest(lesson.x[held], classes, lesson.groups[held], seed),
    }


def corrected_error(values: np.ndarray, n_train: int, n_test: int) -> float:
    """
    Give the standard error of a mean over repeated splits, float.

    Splits share galaxies, and so are not independent: the variance of a mean of J is (1/J + n_test/n_train) times that
    of one (Nadeau & Bengio 2003, *Machine Learning* 52, 239).
    """
    return float(np.sqrt((1 / len(values) + n_test / n_train) * np.var(values, ddof=1)))


def _precision_of_nearest(x: np.ndarray, classes: np.ndarray, groups: np.ndarray, seed: int) -> float:
    """
    Mean share of the ten most alike that are of a galaxy's class, with as many galaxies of each.

    Cosines of embeddings less their mean. NaN where a class has fewer than eleven galaxies.
    """
    # One image of each galaxy: another of the same would be the most alike.
    _, one = np.unique(groups, return_index=True)
    present, counts = np.unique(classes[one], return_counts=True)
    if counts.min() <= NEIGHBOURS:
        return np.nan
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.choice(one[classes[one] == each], counts.min(), replace=False) for each in present]
    )
    centred = np.asarray(x[rows], float) - np.mean(x[rows], axis=0, dtype=float)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(length == 0, 1, length)
    share = []
    for start in range(0, len(unit), 1024):
        cosine = unit[start : start + 1024] @ unit.T
        here = np.arange(len(cosine))
        cosine[here, start + here] = -np.inf
        nearest = np.argpartition(-cosine, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        share.append((classes[rows][nearest] == classes[rows][start + here][:, None]).mean(axis=1))
    return float(np.mean(np.concatenate(share)))
