"""How well a model does on galaxies that were held out: figures, reliability, confusion, in print and as a plot."""

from dataclasses import asdict, dataclass, field, fields
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr.finetuning._caveats import caveats
from galzoo_repr.finetuning._folds import bootstrap_draws
from galzoo_repr.finetuning._metrics import INTERVAL, Metric, Reliability, confusion, measure, reliability
from galzoo_repr.finetuning._training_set import Lesson
from galzoo_repr.images import CLASS_COLOURS, CLASS_MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Report", "make_report"]

__doctest_requires__ = {"Report.plot_reliability": ["matplotlib"]}

_RESAMPLED = 200


@dataclass(frozen=True)
class Report:
    """
    What a model achieves on labelled galaxies that it has not seen.

    Every galaxy is predicted by a model whose regularisation, weights and calibration were found without it
    and without other images of it. Intervals are of 95 per cent, from 200 bootstrap samples of the galaxies.

    Attributes
    ----------
    n_galaxies, n_folds : int
        Galaxies that were held out in turn, and in how many folds.
    metrics : tuple of Metric
        Figures.
    reliability : dict of str to Reliability
        For each label or class, or ``""`` where there is one: predicted probability and observed frequency.
    classes : tuple of str
        Of the rows and columns of `confusion`.
    confusion : ndarray
        Galaxies by true (row) and predicted (column) class, shape (k, k); empty where there are no classes.
    confusion_low, confusion_high : ndarray
        Ends of its intervals.
    unlabelled : dict of str to int
        How often each word stood for no label; ``""`` counts what is masked, NaN, None or blank.

    Examples
    --------
    >>> import numpy as np
    >>> import galzoo_repr as gzr
    >>> galaxies = gzr.SimulatedSurvey(seed=1).catalogue(80)
    >>> galaxies["embedding"] = np.column_stack([galaxies["true_axis_ratio"], galaxies["mag_r"]])
    >>> galaxies["thin"] = galaxies["true_axis_ratio"] < 0.4
    >>> report = gzr.finetune(galaxies, "thin", progress=False).report
    >>> report.n_galaxies, report["accuracy"] > 0.8
    (80, True)
    >>> report.table.colnames
    ['part', 'figure', 'value', 'low', 'high']
    >>> report.caveats
    []
    """

    n_galaxies: int
    n_folds: int
    metrics: tuple[Metric, ...]
    reliability: dict[str, Reliability]
    classes: tuple[str, ...]
    confusion: np.ndarray
    confusion_low: np.ndarray
    confusion_high: np.ndarray
    unlabelled: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """Value of a figure, such as ``report["accuracy"]``; its mean where there are several parts."""
        found = [metric.value for metric in self.metrics if metric.name == name]
        if not found:
            names = dict.fromkeys(metric.name for metric in self.metrics)
            raise KeyError(f"the report has no {name!r}; it has {', '.join(names)}")
        return float(np.mean(found))

    @property
    def table(self) -> Table:
        """Figures with their intervals, one row each."""
        rows = [(metric.part, metric.name, metric.value, metric.low, metric.high) for metric in self.metrics]
        return Table(
            rows=rows or None,
            names=["part", "figure", "value", "low", "high"],
            dtype=[str, str, *[float] * 3],
        )

    @property
    def caveats(self) -> list[str]:
        """What held-out galaxies do not show, a sentence each; empty where there is nothing to say."""
        return caveats(self.metrics, self.classes, self.confusion)

    def __str__(self) -> str:
        if not self.n_folds:
            return "\n".join(
                ["no figures: there are too few labelled galaxies to hold some out", *self._unlabelled_line()]
            )
        lines = [f"{self.n_galaxies} galaxies, held out in turn in {self.n_folds} folds (95% intervals)"]
        lines += [
            f"  {f'{metric.part}: ' if metric.part else ''}{metric.name}".ljust(40) + str(metric)
            for metric in self.metrics
        ]
        return "\n".join([*lines, *self._confusion_lines(), *self.caveats, *self._unlabelled_line()])

    def _unlabelled_line(self) -> list[str]:
        by_count = sorted(self.unlabelled.items(), key=lambda item: -item[1])
        said = [f"{n} {repr(word) if word else 'masked, NaN or blank'}" for word, n in by_count]
        return [f"without a label: {', '.join(said)}"] if said else []

    def _confusion_lines(self) -> list[str]:
        if not self.confusion.size:
            return []
        cells = [
            [f"{n} ({low:.0f}-{high:.0f})" for n, low, high in zip(*row, strict=True)]
            for row in zip(self.confusion, self.confusion_low, self.confusion_high, strict=True)
        ]
        width = 2 + max(len(text) for text in [*self.classes, *(cell for row in cells for cell in row)])
        head = "  true \\ predicted".ljust(22) + "".join(name.rjust(width) for name in self.classes)
        rows = [
            f"  {name}".ljust(22) + "".join(cell.rjust(width) for cell in row)
            for name, row in zip(self.classes, cells, strict=True)
        ]
        return [head, *rows]

    def plot_reliability(self, axes: "Axes | None" = None) -> "Axes":
        """
        Draw observed frequency against predicted probability.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If the model predicts no probabilities.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from matplotlib.figure import Figure
        >>> from galzoo_repr.finetuning import Metric, Reliability, Report
        >>> figures = (Metric("", "accuracy", 0.9, 0.8, 0.95),)
        >>> bins = Reliability(predicted=np.array([0.1, 0.8]), observed=np.array([0.0, 0.9]), n=np.array([40, 40]))
        >>> report = Report(80, 5, figures, {"": bins}, (), *np.zeros((3, 0, 0)))
        >>> report.plot_reliability(Figure().subplots()).get_xlabel()
        'predicted probability'
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError('drawing needs matplotlib: pip install "galzoo_repr[plot]"') from error

        if not self.reliability:
            raise ValueError("this model has no held-out probabilities to draw")
        if axes is None:
            _, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
        axes.plot([0, 1], [0, 1], color="0.5", lw=1, ls="--", zorder=0)
        looks = zip(self.reliability.items(), cycle(CLASS_COLOURS), cycle(CLASS_MARKERS))
        drawn = []
        for (_, each), colour, marker in looks:
            error = np.sqrt(np.maximum(each.observed * (1 - each.observed), 0.25 / each.n) / each.n)
            look = {"color": colour, "marker": marker, "markersize": 4, "capsize": 2, "lw": 1.2}
            drawn.append(axes.errorbar(each.predicted, each.observed, error, **look))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted probability")
        axes.set(ylabel="share of galaxies that have it", aspect="equal")
        if any(self.reliability):
            # Set afterwards, as names that begin with an underscore would be left out.
            key = axes.legend(drawn, ["-"] * len(drawn), frameon=False, fontsize="small")
            for text, name in zip(key.get_texts(), self.reliability, strict=True):
                text.set_text(name.replace("$", r"\$"))
        return axes

    def to_dict(self) -> dict:
        """
        Return plain lists, numbers and strings.

        Returns
        -------
        dict

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.finetuning import Metric, Reliability, Report
        >>> figures = (Metric("", "accuracy", 0.9, 0.8, 0.95),)
        >>> bins = Reliability(predicted=np.array([0.1, 0.8]), observed=np.array([0.0, 0.9]), n=np.array([40, 40]))
        >>> report = Report(80, 5, figures, {"": bins}, (), *np.zeros((3, 0, 0)))
        >>> report.to_dict()["reliability"][""]
        {'predicted': [0.1, 0.8], 'observed': [0.0, 0.9], 'n': [40, 40]}
        """
        return {
            "n_galaxies": self.n_galaxies,
            "n_folds": self.n_folds,
            # JSON has no NaN.
            "metrics": [
                {key: None if value != value else value for key, value in asdict(metric).items()}
                for metric in self.metrics
            ],
            "reliability": {
                name: {field.name: getattr(each, field.name).tolist() for field in fields(each)}
                for name, each in self.reliability.items()
            },
            "classes": list(self.classes),
            **{name: getattr(self, name).tolist() for name in ("confusion", *_CONFUSION_ENDS)},
            "unlabelled": self.unlabelled,
        }

    @classmethod
    def from_dict(cls, facts: dict) -> "Report":
        """
        Make a report of what `to_dict` gave.

        Parameters
        ----------
        facts : dict

        Returns
        -------
        Report

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.finetuning import Metric, Reliability, Report
        >>> figures = (Metric("", "accuracy", 0.9, 0.8, 0.95),)
        >>> bins = Reliability(predicted=np.array([0.1, 0.8]), observed=np.array([0.0, 0.9]), n=np.array([40, 40]))
        >>> report = Report(80, 5, figures, {"": bins}, (), *np.zeros((3, 0, 0)))
        >>> print(Report.from_dict(report.to_dict()))
        80 galaxies, held out in turn in 5 folds (95% intervals)
          accuracy                              0.900 (0.800 to 0.950)
        """
        k = len(facts["confusion"])
        return cls(
            n_galaxies=facts["n_galaxies"],
            n_folds=facts["n_folds"],
            metrics=tuple(
                Metric(**{key: np.nan if value is None else value for key, value in metric.items()})
                for metric in facts["metrics"]
            ),
            reliability={
                name: Reliability(**{key: np.array(value) for key, value in each.items()})
                for name, each in facts["reliability"].items()
            },
            classes=tuple(facts["classes"]),
            unlabelled=facts.get("unlabelled", {}),  # of which an earlier version kept no count
            **{
                name: np.array(facts[name], dtype).reshape(k, k)
                for name, dtype in zip(("confusion", *_CONFUSION_ENDS), (int, float, float), strict=True)
            },
        )


_CONFUSION_ENDS = ("confusion_low", "confusion_high")


def make_report(
    lesson: Lesson,
    predicted: np.ndarray,
    spread: np.ndarray,
    names: tuple[str, ...],
    folds: np.ndarray,
    *,
    unlabelled: dict[str, int] | None = None,
) -> Report:
    """
    Compare predictions for held-out galaxies, as `held_out_predictions` gives them, with their labels.

    `names` are of the k columns; `folds`, shape (n,), numbers those that were held out together, and `unlabelled`
    counts the words for no label.
    """
    held = np.isfinite(predicted).all(axis=1)
    nothing = np.zeros((3, 0, 0), int)
    if not held.any():
        return Report(0, 0, (), {}, (), *nothing, unlabelled or {})
    y, predicted, groups = lesson.y[held], predicted[held], lesson.groups[held]
    draws = bootstrap_draws(groups, _RESAMPLED + 1, seed=lesson.seed)
    metrics = measure(
        *(y, predicted, draws),
        task=lesson.task,
        names=names,
        spread=spread[held],
        schema=lesson.schema,
        folds=folds[held],
    )
    classes, counts = _confusion(y, predicted, draws, lesson.task, names)
    curves = {}
    if lesson.task in ("binary", "classes", "several"):
        for i, name in enumerate(names):
            known = np.isfinite(y[:, i])
            curves["" if lesson.task == "binary" else name] = reliability(y[known, i], predicted[known, i])
    n_folds = len(np.unique(folds[held]))
    return Report(len(np.unique(groups)), n_folds, metrics, curves, classes, *counts, unlabelled or {})


def _confusion(
    y: np.ndarray, predicted: np.ndarray, draws: list[np.ndarray], task: str, names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Counts, and the ends of their intervals, for tasks where each galaxy is of one class."""
    if task == "binary":
        names = (f"not {names[0]}", names[0])
        true, best = y[:, 0].astype(int), (predicted[:, 0] > 0.5).astype(int)
    elif task == "classes":
        true, best = y.argmax(1), predicted.argmax(1)
    else:
        return (), (*np.zeros((3, 0, 0), int),)
    counts = [confusion(true[rows], best[rows], len(names)) for rows in draws]
    low, high = np.percentile(counts[1:], INTERVAL, axis=0)
    return names, (counts[0], low, high)
