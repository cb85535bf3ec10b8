"""From a few labels to a model of a morphological feature, and to prediction columns."""

from galzoo_repr.finetuning._compare import compare_encoders
from galzoo_repr.finetuning._finetune import finetune
from galzoo_repr.finetuning._learning_curve import learning_curve
from galzoo_repr.finetuning._metrics import Metric, Reliability, expected_calibration_error
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._predict import add_predictions, must_embed
from galzoo_repr.finetuning._prediction import Prediction
from galzoo_repr.finetuning._prior import Balance
from galzoo_repr.finetuning._report import Report
from galzoo_repr.finetuning._which_to_label import which_to_label

__all__ = [
    "Balance",
    "Metric",
    "MorphologyModel",
    "Prediction",
    "Reliability",
    "Report",
    "add_predictions",
    "compare_encoders",
    "expected_calibration_error",
    "finetune",
    "learning_curve",
    "must_embed",
    "which_to_label",
]
