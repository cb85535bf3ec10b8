"""From a researcher's ratings to a score for every galaxy, and to the galaxies to look at next."""

from galzoo_repr.anomaly._acquisition import expected_improvement
from galzoo_repr.anomaly._gaussian_process import RatingProcess
from galzoo_repr.anomaly._interest import InterestModel
from galzoo_repr.anomaly._rate import rate
from galzoo_repr.anomaly._rating_sheet import record_answers
from galzoo_repr.anomaly._ratings_file import RatingsFile, catalogue_facts, ratings_in, read_ratings
from galzoo_repr.anomaly._scores import add_anomaly_scores, fit_interest, next_to_rate
from galzoo_repr.anomaly._scoring import Judgement, ReducedCatalogue
from galzoo_repr.anomaly._unsupervised import unusual_scores

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
    "next_to_rate",
    "rate",
    "ratings_in",
    "read_ratings",
    "record_answers",
    "unusual_scores",
]
