"""What the columns of predictions are called, hold and say of themselves."""

import numpy as np
from astropy import units as u
from astropy.table import Column

from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._prediction import Prediction, chunks
from galzoo_repr.finetuning._votes import fraction_interval

__all__ = ["column_names", "prediction_columns", "unlike_column"]


def column_names(model: MorphologyModel, name: str) -> list[str]:
    """Names of the columns that a model makes, which begin with `name`."""
    unlike = f"{name}_unlike"
    if model.task == "regression":
        return [f"{name}_prediction", f"{name}_prediction_std", unlike]
    stems = _stems(model, name)
    if model.task == "votes":
        ends = ("fraction", "fraction_low", "fraction_high", "probability")
        return [*(f"{stem}_{end}" for stem in stems for end in ends), unlike]
    names = [f"{stem}_{end}" for stem in stems for end in ("probability", "probability_std")]
    return [*names, *([f"{name}_class"] if model.task == "classes" else []), unlike]


def _stems(model: MorphologyModel, name: str) -> list[str]:
    """Start of the columns of each output."""
    if model.task == "binary":
        return [name]
    words = ["_".join(each.split()) for each in model.classes]
    if len(set(words)) < len(words):  # "edge on" and "edge_on" keep columns of their own
        words = list(model.classes)
    if model.task == "classes":
        return [f"{name}_{each}" for each in words]
    # Outputs of several labels and of votes have names of their own.
    return words if name == model.label else [f"{name}_{each}" for each in words]


def prediction_columns(
    model: MorphologyModel, prediction: Prediction, usable: np.ndarray, name: str, *, quantities: bool
) -> dict[str, Column | u.Quantity]:
    """Columns of all rows, out of the predictions for the usable ones, bool of shape (n,)."""
    if model.task == "votes":
        return _vote_columns(model, prediction, usable, name)
    if model.task == "regression":
        return _regression_columns(model, prediction, usable, name, quantities)
    columns = {}
    for i, (stem, each) in enumerate(zip(_stems(model, name), model.classes, strict=True)):
        columns[f"{stem}_probability"] = _float(
            prediction.value[:, i], usable, f"Probability of {each}, higher is more probable"
        )
        columns[f"{stem}_probability_std"] = _float(
            prediction.std[:, i], usable, f"Standard deviation of {stem}_probability over resampled labels"
        )
    if model.task == "classes":
        best = np.full(len(usable), "", dtype=f"U{max(map(len, model.classes))}")
        best[usable] = np.array(model.classes)[prediction.value.argmax(1)]
        columns[f"{name}_class"] = Column(
            best, description="Most probable class; empty where there is no embedding"
        )
    return columns


def _regression_columns(
    model: MorphologyModel, prediction: Prediction, usable: np.ndarray, name: str, quantities: bool
) -> dict[str, Column | u.Quantity]:
    columns = {
        f"{name}_prediction": _float(prediction.value[:, 0], usable, f"Predicted {model.label}"),
        f"{name}_prediction_std": _float(
            prediction.std[:, 0],
            usable,
            "Standard deviation: scatter of held-out galaxies and of resampled labels",
        ),
    }
    if model.unit:
        for each in columns.values():
            each.unit = model.unit
        if quantities:
            return {each: _as_quantity(column) for each, column in columns.items()}
    return columns


def _as_quantity(column: Column) -> u.Quantity:
    quantity = column.quantity
    quantity.info.description = column.description
    return quantity


def _vote_columns(
    model: MorphologyModel, prediction: Prediction, usable: np.ndarray, name: str
) -> dict[str, Column]:
    low, high = np.empty((2, *prediction.value.shape))
    for rows in chunks(len(low)):
        given = prediction.value[rows], prediction.concentrations[rows], prediction.std[rows]
        low[rows], high[rows] = fraction_interval(*given)
    joint = model.schema.joint_probability(prediction.value)
    columns = {}
    for i, (stem, each) in enumerate(zip(_stems(model, name), model.classes, strict=True)):
        described = {
            "fraction": (prediction.value, f"Expected fraction of votes for {each} among those asked"),
            "fraction_low": (low, f"16th percentile of the fraction for {each}"),
            "fraction_high": (high, f"84th percentile of the fraction for {each}"),
            "probability": (joint, f"Probability that a volunteer is asked and answers {each}"),
        }
        for end, (values, meaning) in described.items():
            columns[f"{stem}_{end}"] = _float(values[:, i], usable, meaning)
    return columns


def unlike_column(model: MorphologyModel, vectors: np.ndarray, usable: np.ndarray) -> Column:
    """How far each of the usable rows, whose embeddings are given, is from all labelled galaxies."""
    if model.known is None:
        return _float(
            np.full(len(vectors), np.nan),
            usable,
            "Not known: the model was saved without its labelled galaxies",
        )
    meaning = (
        "How far from all labelled galaxies: share of these that are closer to the most similar other one; usual is "
        "anything up to 0.95, near 1 is unlike them"
    )
    return _float(model.known.unlike(vectors), usable, meaning)


def _float(values: np.ndarray, usable: np.ndarray, description: str) -> Column:
    column = np.full(len(usable), np.nan)
    column[usable] = values
    return Column(column, description=f"{description}; NaN where there is no embedding")
