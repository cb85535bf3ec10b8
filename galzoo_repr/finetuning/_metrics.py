"""How good predictions for held-out galaxies are, in the field's usual figures, with their uncertainty."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from galzoo_repr.questions import Schema

__all__ = [
    "CHANCE",
    "GAIN",
    "INTERVAL",
    "Metric",
    "Reliability",
    "confusion",
    "expected_calibration_error",
    "measure",
    "reliability",
]

INTERVAL = (2.5, 97.5)
CHANCE = 0.5
"""Area under the ROC curve of galaxies in random order."""
GAIN = "gain over one answer"
"""Accuracy, less what it would be if the answer that is the commonest among the labels were given to every galaxy."""
_WIDE = 1.96  # standard deviations of a normal distribution within which 95 per cent are
_MOST_BINS, _LEAST_IN_BIN = 10, 10


@dataclass(frozen=True)
class Metric:
    """
    One figure with its 95 per cent bootstrap interval (galaxies drawn with replacement; Efron 1979).

    Attributes
    ----------
    part : str
        Label, class or question it is about; empty for all together.
    name : str
    value, low, high : float

    Examples
    --------
    >>> from galzoo_repr.finetuning import Metric
    >>> print(Metric(part="", name="accuracy", value=0.883, low=0.8, high=0.95))
    0.883 (0.800 to 0.950)
    """

    part: str
    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        # Errors of a regression have the size of its labels, whatever that is.
        digits = ".3f" if 1e-2 <= abs(self.value) < 1e4 or self.value == 0 else ".3g"
        return f"{self.value:{digits}} ({self.low:{digits}} to {self.high:{digits}})"


@dataclass(frozen=True)
class Reliability:
    """
    Predicted probability and observed frequency in bins of equal numbers.

    Attributes
    ----------
    predicted, observed : ndarray
        Means in each bin.
    n : ndarray
        Galaxies in each bin.

    Examples
    --------
    >>> import numpy as np
    >>> import galzoo_repr as gzr
    >>> galaxies = gzr.SimulatedSurvey(seed=1).catalogue(80)
    >>> galaxies["embedding"] = np.column_stack([galaxies["true_axis_ratio"], galaxies["mag_r"]])
    >>> galaxies["thin"] = galaxies["true_axis_ratio"] < 0.4
    >>> bins = gzr.finetune(galaxies, "thin", progress=False).report.reliability[""]
    >>> int(bins.n.sum())
    80
    """

    predicted: np.ndarray
    observed: np.ndarray
    n: np.ndarray


def measure(
    y: np.ndarray,
    predicted: np.ndarray,
    draws: list[np.ndarray],
    *,
    task: str,
    names: tuple[str, ...],
    spread: np.ndarray | None = None,
    schema: Schema | None = None,
    folds: np.ndarray | None = None,
) -> tuple[Metric, ...]:
    """
    Measure predictions, shape (n, k), by labels of the same shape, and again in every bootstrap sample.

    `draws` has the rows of each sample, the first all rows; `spread` has standard deviations of a regression, shape
    (n, k); `names` are of the k columns; `folds`, shape (n,), says which galaxies one and the same head predicted, and
    is None where that is all.
    """
    if folds is None:
        folds = np.zeros(len(y), int)
    if task in ("binary", "several"):
        parts = names if task == "several" else ("",)
        found = []
        for i, part in enumerate(parts):
            known = np.isfinite(y[:, i])
            answers = np.where(known, y[:, i], -1).astype(int)
            found += _with_intervals(
                part, _yes_or_no, draws, answers, predicted[:, i], folds, _is_commonest(answers)
            )
        return tuple(found)
    if task == "classes":
        of = y.argmax(1)
        return tuple(_with_intervals("", _classes, draws, of, predicted, folds, _is_commonest(of)))
    if task == "regression":
        return tuple(_with_intervals("", _regression, draws, y[:, 0], predicted[:, 0], spread[:, 0]))
    found = []
    for question in schema.questions:
        columns = [schema.columns.index(column) for column in question.columns]
        found += _with_intervals(
            question.label, _fractions, draws, np.nan_to_num(y[:, columns]), predicted[:, columns]
        )
    return tuple(found)


def _is_commonest(answers: np.ndarray) -> np.ndarray:
    """Whether a galaxy is of the class that is the commonest of all, bool of shape (n,); -1 stands for no answer."""
    known = answers[answers >= 0]
    return answers == (np.bincount(known).argmax() if len(known) else 0)


def _with_intervals(
    part: str, figures: Callable, draws: list[np.ndarray], *arrays: np.ndarray
) -> list[Metric]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample without a class has no such figure, which NaN says
        samples = [figures(*(array[rows] for array in arrays)) for rows in draws]
        intervals = {
            name: np.nanpercentile([sample.get(name, np.nan) for sample in samples[1:]], INTERVAL)
            for name in samples[0]
        }
    found = [
        Metric(part, name, float(value), *map(float, intervals[name])) for name, value in samples[0].items()
    ]
    if figures not in (_yes_or_no, _classes):
        return found
    counts = np.bincount(arrays[0][arrays[0] >= 0])
    trials = {"accuracy": counts.sum(), "ROC AUC": counts.min(), "average precision": counts.min()}
    return [
        _not_narrower(metric, trials[metric.name]) if metric.name in trials else metric for metric in found
    ]


def _not_narrower(metric: Metric, n: int) -> Metric:
    """
    Widen an interval that has no width, since no galaxy happened to be told wrongly, to that of a share of n.

    Wilson (1927, *Journal of the American Statistical Association* 22, 209). The area under the ROC curve and the
    average precision are means over the galaxies of the rarer class, which scatter no more than shares do.
    """
    if metric.low < metric.high or not n:
        return metric
    centre, width = metric.value + _WIDE**2 / (2 * n), metric.value * (1 - metric.value) / n
    half = _WIDE * np.sqrt(width + (_WIDE / (2 * n)) ** 2)
    low, high = (centre - half) / (1 + _WIDE**2 / n), (centre + half) / (1 + _WIDE**2 / n)
    return replace(metric, low=float(min(low, metric.low)), high=float(max(min(high, 1), metric.high)))


def _yes_or_no(y: np.ndarray, p: np.ndarray, folds: np.ndarray, common: np.ndarray) -> dict[str, float]:
    y, p, folds, common = (array[y >= 0] for array in (y, p, folds, common))
    return {
        **_accuracy((p > 0.5) == y, common),
        "ROC AUC": _area_of_folds(y, p, folds),
        "average precision": _ranking(y, p)[1],
        "Brier score": np.mean((p - y) ** 2),
        "calibration error": expected_calibration_error(y, p),
    }


def _accuracy(right: np.ndarray, common: np.ndarray) -> dict[str, float]:
    """Share that is told rightly, and what that is beside one answer for all galaxies."""
    return {
        "accuracy": np.mean(right),
        "one answer for all": np.mean(common),
        GAIN: np.mean(right) - np.mean(common),
    }


def _classes(y: np.ndarray, p: np.ndarray, folds: np.ndarray, common: np.ndarray) -> dict[str, float]:
    one_hot = np.eye(p.shape[1])[y]
    each_class = list(zip(one_hot.T, p.T, strict=True))
    best = p.argmax(1)
    return {
        **_accuracy(best == y, common),
        "balanced accuracy": np.mean([np.mean(best[y == each] == each) for each in np.unique(y)]),
        "ROC AUC": np.nanmean([_area_of_folds(*each, folds) for each in each_class]),
        "average precision": np.nanmean([_ranking(*each)[1] for each in each_class]),
        "Brier score": np.mean(((p - one_hot) ** 2).sum(1)),
        "calibration error": expected_calibration_error(best == y, p.max(1)),
    }


def _area_of_folds(y: np.ndarray, p: np.ndarray, folds: np.ndarray) -> float:
    """
    Area under the ROC curve, of all pairs of galaxies that one head predicted.

    Heads of other folds have seen other shares of the classes, the fewer of one the more of it are held out, so that
    across folds few labels seem to be told apart less well than they are (Forman & Scholz 2010, SIGKDD Explorations
    12, 49).
    """
    right = pairs = 0.0
    for fold in np.unique(folds):
        of = folds == fold
        of_fold = y[of].sum() * (of.sum() - y[of].sum())
        if of_fold:
            right, pairs = right + of_fold * _ranking(y[of], p[of])[0], pairs + of_fold
    return right / pairs if pairs else np.nan


def _ranking(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve, and average precision, of galaxies ranked by probability; NaN for one class."""
    # As scikit-learn has them, whose checks of arguments would take most of the time of a bootstrap.
    order = np.argsort(-p, kind="stable")
    last_of_tie = np.append(np.diff(p[order]) != 0, True)
    found = np.cumsum(y[order])[last_of_tie].astype(float)
    false = np.arange(1, len(p) + 1)[last_of_tie] - found
    if found[-1] == 0 or false[-1] == 0:
        return np.nan, np.nan
    area = np.trapezoid(np.append(0, found), np.append(0, false)) / (found[-1] * false[-1])
    precision = found / (found + false)
    return float(area), float(np.sum(np.diff(found, prepend=0) * precision) / found[-1])


def _regression(y: np.ndarray, value: np.ndarray, spread: np.ndarray) -> dict[str, float]:
    residual = value - y
    variance = np.mean((y - y.mean()) ** 2)
    return {
        "root mean square error": np.sqrt(np.mean(residual**2)),
        "mean absolute error": np.mean(np.abs(residual)),
        "R squared": 1 - np.mean(residual**2) / variance if variance > 0 else np.nan,
        "within one sigma": np.mean(np.abs(residual) < spread),
    }


def _fractions(votes: np.ndarray, alpha: np.ndarray) -> dict[str, float]:
    asked = votes.sum(1) > 0
    if not asked.any():
        return {"error of fractions": np.nan, "error of the mean answer": np.nan}
    observed = votes[asked] / votes[asked].sum(1, keepdims=True)
    predicted = alpha[asked] / alpha[asked].sum(1, keepdims=True)
    return {
        "error of fractions": np.mean(np.abs(predicted - observed)),
        "error of the mean answer": np.mean(np.abs(observed.mean(0) - observed)),
    }


def reliability(y: np.ndarray, p: np.ndarray) -> Reliability:
    """
    Compare probabilities with frequencies, in at most ten bins of equal numbers of galaxies.

    Bins of equal numbers, at least ten galaxies in each, since empty bins of equal width say nothing (Nguyen &
    O'Connor 2015, arXiv:1508.05154). Both are of shape (n,), `y` 0 or 1.
    """
    bins = np.array_split(np.argsort(p, kind="stable"), int(np.clip(len(p) // _LEAST_IN_BIN, 1, _MOST_BINS)))
    bins = [rows for rows in bins if len(rows)]
    return Reliability(
        np.array([p[rows].mean() for rows in bins]),
        np.array([y[rows].mean() for rows in bins]),
        np.array([len(rows) for rows in bins]),
    )


def expected_calibration_error(y: np.ndarray, p: np.ndarray) -> float:
    """
    Mean difference of predicted probability and observed frequency over the bins of `reliability`.

    The expected calibration error of Naeini et al. (2015, AAAI). With n galaxies in a bin even perfect
    probabilities differ from frequencies by about ``0.4 / sqrt(n)``.

    Parameters
    ----------
    y : ndarray
        0 or 1, shape (n,).
    p : ndarray
        Probability of 1, shape (n,).

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.finetuning import expected_calibration_error
    >>> round(expected_calibration_error(np.array([0, 0, 0, 1]), np.full(4, 0.75)), 3)
    0.5
    """
    if not len(p):
        return np.nan
    found = reliability(np.asarray(y, float), np.asarray(p, float))
    return float(np.average(np.abs(found.predicted - found.observed), weights=found.n))


def confusion(y: np.ndarray, best: np.ndarray, k: int) -> np.ndarray:
    """Count galaxies by true (row) and predicted (column) class number: int64, shape (k, k)."""
    return np.bincount(y * k + best, minlength=k * k).reshape(k, k)
