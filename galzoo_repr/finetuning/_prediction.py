"""What the heads of an ensemble predict for galaxies, and how far they scatter."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from galzoo_repr.finetuning._calibration import Calibration
from galzoo_repr.finetuning._heads import Head
from galzoo_repr.finetuning._prior import corrected
from galzoo_repr.finetuning._votes import fractions
from galzoo_repr.questions import Schema

__all__ = ["Prediction", "chunks", "predict_by"]

_CHUNK = 65_536


@dataclass(frozen=True)
class Prediction:
    """
    Predictions for some galaxies.

    Attributes
    ----------
    value : ndarray
        float64, shape (n, k): probabilities, values of a regression, or fractions of votes among those asked.
    std : ndarray
        float64, shape (n, k): standard deviation of `value`.
    concentrations : ndarray or None
        float64, shape (n, k): of votes, the parameters of the Dirichlet distributions of the fractions, as
        wide as held-out galaxies ask for; `std`, of the model alone, comes on top.

    Examples
    --------
    >>> import numpy as np
    >>> import galzoo_repr as gzr
    >>> galaxies = gzr.SimulatedSurvey(seed=1).catalogue(80)
    >>> galaxies["embedding"] = np.column_stack([galaxies["true_axis_ratio"], galaxies["mag_r"]])
    >>> galaxies["thin"] = galaxies["true_axis_ratio"] < 0.4
    >>> model = gzr.finetune(galaxies, "thin", members=2, progress=False)
    >>> model.predict(galaxies["embedding"]).value.shape
    (80, 1)
    """

    value: np.ndarray
    std: np.ndarray
    concentrations: np.ndarray | None = None


def predict_by(
    head: Head,
    calibration: Calibration,
    embeddings: np.ndarray,
    task: str,
    *,
    schema: Schema | None,
    shift: tuple[np.ndarray, np.ndarray] | None,
) -> Prediction:
    """
    Predict galaxies by their embeddings, shape (n, d), as `MorphologyModel.predict` says.

    `shift` are the fractions of the classes among the labels, and those to correct the probabilities for.
    """
    n, k = len(embeddings), head.weights.shape[2]
    value, std = np.empty((2, n, k))
    alpha = np.empty((n, k)) if task == "votes" else None
    for rows in chunks(n):
        predicted = calibration.apply(head.scores(embeddings[rows]), task)
        if shift is not None:
            predicted = corrected(predicted, *shift, task)
        if alpha is not None:
            alpha[rows] = predicted[:, 0]
            predicted = fractions(predicted, schema)
        value[rows] = predicted[:, 0]
        std[rows] = np.hypot(_scatter(predicted), calibration.spread)
    if task != "regression":
        # What lies between 0 and 1 has no larger standard deviation about this mean.
        np.minimum(std, np.sqrt(value * (1 - value)), out=std)
    return Prediction(value, std, alpha)


def _scatter(predicted: np.ndarray) -> np.ndarray:
    """Standard deviation, shape (n, k), of what the bootstrap heads predict, after the first of (n, members, k)."""
    first, others = predicted[:, 0], predicted[:, 1:]
    if others.shape[1] == 1:  # which has no scatter of its own
        return np.abs(others[:, 0] - first)
    return others.std(axis=1)


def chunks(n: int) -> Iterator[slice]:
    """Cut n rows into slices that fit in memory with all members of an ensemble."""
    yield from (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))
