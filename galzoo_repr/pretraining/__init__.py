"""From votes to an encoder: question schemas, the Dirichlet-multinomial loss, training."""

from importlib import import_module

from galzoo_repr.pretraining._question import Question
from galzoo_repr.pretraining._schema import Schema
from galzoo_repr.pretraining._schema_files import schema_names
from galzoo_repr.pretraining._votes import votes_from_fractions, votes_from_table

# Schemas and votes are wanted without torch; what trains is imported when it is first used.
_MODULE_OF = {
    "Augmentation": "_augmentation",
    "concentrations": "_loss",
    "dirichlet_multinomial_loss": "_loss",
    "expected_fractions": "_loss",
    "pretrain": "_pretrain",
}

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


def __getattr__(name: str):
    """Import what needs torch when it is first used."""
    if name in _MODULE_OF:
        return getattr(import_module(f"galzoo_repr.pretraining.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
