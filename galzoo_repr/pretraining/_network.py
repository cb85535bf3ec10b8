"""The network that is trained: a backbone that sees, and heads that are asked."""

import timm
import torch
from torch import nn

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.encoders import published_weights
from galzoo_repr.pretraining._consistency import Projector
from galzoo_repr.questions import Schema

__all__ = ["VoteNetwork", "make_backbone"]


def make_backbone(
    architecture: str, *, channels: int, size: int, pretrained: bool = False
) -> tuple[nn.Module, dict]:
    """
    Make a timm model without a classifier, from (n, channels, size, size) to (n, dim), and arguments to make it again.

    The size is for architectures whose weights depend on it; with `pretrained`, it starts from published weights.
    A `ValueError` if timm does not know the architecture.
    """
    if not timm.is_model(architecture):
        hint = did_you_mean(architecture, timm.list_models())
        raise ValueError(f"timm {timm.__version__} has no architecture {architecture!r}{hint}")
    kwargs = {"num_classes": 0, "in_chans": channels}
    start = {"pretrained": pretrained}
    if pretrained:
        start["pretrained_cfg_overlay"] = published_weights(architecture)
    try:
        sized = {**kwargs, "img_size": size}
        return timm.create_model(architecture, **start, **sized), sized
    except TypeError:
        # Convolutional networks take no image size: they see any.
        return timm.create_model(architecture, **start, **kwargs), kwargs


class VoteNetwork(nn.Module):
    """
    Backbone whose embedding is asked every question of a schema.

    Parameters
    ----------
    backbone : torch.nn.Module
        Maps images to embeddings of shape (n, dim).
    dim : int
        Dimension of the embedding.
    schema : Schema
        Questions that the head answers.
    dropout : float
        Probability that a part of the embedding is hidden from the head.
    projector : bool
        Add the head that compares two views of a galaxy.
    """

    def __init__(
        self, backbone: nn.Module, dim: int, schema: Schema, *, dropout: float = 0.0, projector: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.votes = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, len(schema.columns)))
        self.projector = Projector(dim) if projector else None

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """
        Logits of the concentrations, shape (n, n_answers), and the projection, (n, width), if there is a head for it.

        Images have shape (n, channels, size, size), in the range of the recipe.
        """
        embedding = self.backbone(images)
        projection = None if self.projector is None else self.projector(embedding)
        return self.votes(embedding), projection

    def answer_like(self, votes: torch.Tensor, schema: Schema, *, strength: float = 10.0) -> None:
        """
        Let the untrained head give the mean answers of votes, shape (n, n_answers), to every galaxy.

        Saves the epochs in which a head from random numbers learns no more than that. `strength` is the sum of the
        concentrations of a question, above those of a flat distribution.
        """
        index = torch.as_tensor(schema.question_index)
        totals = votes.double().sum(0) + 1
        of_question = torch.zeros(len(schema.questions), dtype=torch.float64).index_add(0, index, totals)
        wanted = (strength * totals / of_question[index] / 100).clamp(1e-3, 0.999)
        with torch.no_grad():
            self.votes[-1].weight.mul_(0.1)
            self.votes[-1].bias.copy_(torch.logit(wanted).float())
