"""From a researcher's ratings to a score for every galaxy, and to the galaxies to look at next."""

from galzoo_repr.anomaly._acquisition import expected_improvement
from galzoo_repr.anomaly._interest import InterestModel
from galzoo_repr.anomaly._loop import rate
from galzoo_repr.anomaly._ratings_file import read_ratings
from galzoo_repr.anomaly._scores import add_anomaly_scores, fit_interest, next_to_rate
from galzoo_repr.anomaly._unsupervised import unusual_scores

__all__ = [
    "InterestModel",
    "add_anomaly_scores",
    "expected_improvement",
    "fit_interest",
    "next_to_rate",
    "rate",
    "read_ratings",
    "unusual_scores",
]
