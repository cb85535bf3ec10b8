"""Galaxy morphology representations for astropy catalogues."""

import sys
from importlib import import_module

from galzoo_repr._config import Conf, conf
from galzoo_repr.exceptions import GalzooWarning

try:
    from galzoo_repr._version import version as __version__
except ImportError:  # a source tree that was never installed
    __version__ = ""

_ROOM_OF = {
    "add_cutouts": "cutouts",
    "LegacySurvey": "cutouts",
    "CutoutStore": "cutouts",
    "ImageRecipe": "images",
    "add_embeddings": "encoders",
    "add_external_embeddings": "encoders",
    "Encoder": "encoders",
    "add_similarity": "similarity",
    "neighbour_table": "index",
    "find_duplicates": "similarity",
    "find_similar": "similarity",
    "SimilarityIndex": "index",
    "InterestModel": "anomaly",
    "add_anomaly_scores": "anomaly",
    "next_to_rate": "anomaly",
    "rate": "anomaly",
    "MorphologyModel": "finetuning",
    "add_predictions": "finetuning",
    "compare_encoders": "finetuning",
    "finetune": "finetuning",
    "which_to_label": "finetuning",
    "SimulatedSurvey": "simulation",
    "Schema": "questions",
    "pretrain": "pretraining",
    "add_map": "plot",
    "show": "plot",
    "cite": "catalogue",
    "look": "app",
}
_ROOMS = (
    "catalogue",
    "images",
    "cutouts",
    "encoders",
    "index",
    "similarity",
    "anomaly",
    "questions",
    "training",
    "finetuning",
    "pretraining",
    "simulation",
    "plot",
    "hats",
    "demo",
    "app",
)

__all__ = ["Conf", "GalzooWarning", "__version__", "conf", *_ROOM_OF, *_ROOMS]


def __getattr__(name: str):
    """Import a module when one of its names is first used, so that importing the package does not import torch."""
    if name in _ROOM_OF:
        return getattr(import_module(f"galzoo_repr.{_ROOM_OF[name]}"), name)
    if name in _ROOMS:
        return import_module(f"galzoo_repr.{name}")
    # With the module, Python says which name may have been meant.
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
    )


def __dir__() -> list[str]:
    return sorted(__all__)
