"""From a researcher's ratings to a score for every galaxy, and to the galaxies to look at next."""

from importlib import import_module

from galzoo_repr.anomaly._acquisition import expected_improvement
from galzoo_repr.anomaly._beginnings import say_what_begins
from galzoo_repr.anomaly._columns import known_before
from galzoo_repr.anomaly._fit import fit_interest, fit_unusual
from galzoo_repr.anomaly._gaussian_process import RatingProcess
from galzoo_repr.anomaly._judge import ratings_of
from galzoo_repr.anomaly._rate import rate
from galzoo_repr.anomaly._rating_sheet import record_answers
from galzoo_repr.anomaly._ratings_file import RatingsFile, catalogue_facts, ratings_in, read_ratings
from galzoo_repr.anomaly._scores import add_anomaly_scores, next_to_rate
from galzoo_repr.anomaly._unsupervised import unusual_scores

# What takes scikit-learn to be imported, when it is first used.
_LATER = {"InterestModel": "_interest", "Judgement": "_scoring", "ReducedCatalogue": "_scoring"}

__all__ = [
    "InterestModel",
    "Judgement",
    "RatingProcess",
    "RatingsFile",
    "ReducedCatalogue",
    "add_anomaly_scores",
    "catalogue_facts",
    "expected_improvement",
    "fit_interest",
    "fit_unusual",
    "known_before",
    "next_to_rate",
    "rate",
    "ratings_in",
    "ratings_of",
    "read_ratings",
    "record_answers",
    "say_what_begins",
    "unusual_scores",
]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
