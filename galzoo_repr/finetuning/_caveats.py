"""What a report does not show: said under its figures, and in a warning where that is all there is to say."""

import warnings
from collections.abc import Sequence

import numpy as np

from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._metrics import CHANCE, GAIN, Metric

__all__ = ["caveats", "warn_of_chance"]


def caveats(metrics: Sequence[Metric], classes: Sequence[str], confusion: np.ndarray) -> list[str]:
    """
    Sentences on what held-out galaxies do not show, by the figures of a report.

    An area of 0.5 under the ROC curve is that of galaxies in random order; an accuracy that is no higher than the share
    of the commonest class needs no model.
    """
    said = []
    for metric in metrics:
        part = f"{metric.part}: " if metric.part else ""
        if _by_chance(metric):
            said.append(
                f"{part}not shown to be better than chance: the interval of the ROC AUC reaches {CHANCE}; label more"
            )
        elif metric.name == GAIN and metric.low <= 0 and not any(_by_chance(m) for m in _of(metrics, metric)):
            said.append(
                f"{part}the order of probabilities tells something, but a cut at 0.5 is not shown to be right more "
                "often than one answer for all: rank by probability, choose a cut of your own, or label more"
            )
    if confusion.size and len(never := _never(classes, confusion)):
        said.append(f"no galaxy is predicted to be {' or '.join(never)}")
    return said


def warn_of_chance(metrics: Sequence[Metric], name: str) -> None:
    """Warn where labels do not show that what they say can be learned, and of which of several that is so."""
    doubtful = [metric for metric in metrics if _by_chance(metric)]
    if doubtful:
        which = ", ".join(
            f"{f'{m.part}: ' if m.part else ''}{m.value:.2f} ({m.low:.2f} to {m.high:.2f})" for m in doubtful
        )
        warnings.warn(
            f"the labels in {name!r} do not show that galaxies are told apart better than by chance: ROC AUC {which}, "
            f"where {CHANCE} is chance. Probabilities may all lie near the shares among the labels. Label more "
            "galaxies, and look again at the labels you have.",
            GalzooWarning,
            stacklevel=3,
        )


def _by_chance(metric: Metric) -> bool:
    return metric.name == "ROC AUC" and not metric.low > CHANCE  # which NaN is not either


def _of(metrics: Sequence[Metric], same: Metric) -> list[Metric]:
    return [metric for metric in metrics if metric.part == same.part]


def _never(classes: Sequence[str], confusion: np.ndarray) -> list[str]:
    """Classes that some galaxies are of, and none is predicted to be."""
    seen, predicted = confusion.sum(1), confusion.sum(0)
    return [name for name, n, m in zip(classes, seen, predicted, strict=True) if n and not m]
