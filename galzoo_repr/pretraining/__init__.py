"""From votes to an encoder: question schemas, the Dirichlet-multinomial loss, training."""

from galzoo_repr.pretraining._augmentation import Augmentation
from galzoo_repr.pretraining._loss import concentrations, dirichlet_multinomial_loss, expected_fractions
from galzoo_repr.pretraining._pretrain import pretrain
from galzoo_repr.pretraining._schema import Question, Schema, schema_names
from galzoo_repr.pretraining._votes import votes_from_fractions, votes_from_table

__all__ = [
    "Augmentation",
    "Question",
    "Schema",
    "concentrations",
    "dirichlet_multinomial_loss",
    "expected_fractions",
    "pretrain",
    "schema_names",
    "votes_from_fractions",
    "votes_from_table",
]
