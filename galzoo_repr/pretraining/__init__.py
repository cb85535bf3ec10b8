"""From volunteers' votes to an encoder."""

from galzoo_repr.pretraining._pretrain import pretrain

__all__ = ["pretrain"]
