"""From a few labels to a model of a morphological feature, and to prediction columns."""

from galzoo_repr.finetuning._finetune import finetune
from galzoo_repr.finetuning._learning_curve import learning_curve
from galzoo_repr.finetuning._metrics import Metric, Reliability, expected_calibration_error
from galzoo_repr.finetuning._model import MorphologyModel, Outcome
from galzoo_repr.finetuning._next import which_to_label
from galzoo_repr.finetuning._predict import add_predictions
from galzoo_repr.finetuning._report import Report

__all__ = [
    "Metric",
    "MorphologyModel",
    "Outcome",
    "Reliability",
    "Report",
    "add_predictions",
    "expected_calibration_error",
    "finetune",
    "learning_curve",
    "which_to_label",
]
