"""How to train, and on which galaxies."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._arguments import check_number, check_whole_number
from galzoo_repr.images import ImageRecipe, Picture
from galzoo_repr.questions import Schema

if TYPE_CHECKING:
    import torch

    from galzoo_repr.training import Augmentation, DecodedImages, ImagesOnDevice, RenderedImages

__all__ = ["Plan", "Sample", "Subject"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train: see `galzoo_repr.pretrain`."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    dropout: float
    ema_decay: float
    consistency: float
    patience: int
    seed: int
    epoch_size: int | None = None
    augmentation: "Augmentation | None" = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low in (("epochs", 1), ("batch_size", 2), ("patience", 1), ("seed", 0)):
            object.__setattr__(self, name, check_whole_number(name, getattr(self, name), low))
        if self.epoch_size is not None:
            object.__setattr__(self, "epoch_size", check_whole_number("epoch_size", self.epoch_size))
        for name in ("learning_rate", "weight_decay", "warmup", "dropout", "ema_decay"):
            check_number(name, getattr(self, name), 0, 1, above=name == "learning_rate", below=True)
        check_number("consistency", self.consistency)
        if self.augmentation is None:
            # Last, as torch comes with it.
            from galzoo_repr.training import Augmentation

            object.__setattr__(self, "augmentation", Augmentation())

    def to_dict(self) -> dict:
        """All values, ready for JSON."""
        return {**asdict(self), "augmentation": self.augmentation.to_dict()}


@dataclass(frozen=True)
class Subject:
    """
    What a table gives to learn, checked: see `galzoo_repr.pretrain`.

    Attributes
    ----------
    schema : Schema
    recipe : ImageRecipe
    plan : Plan
    votes : ndarray
        float32, shape (n, n_answers).
    source : list of Picture, or callable
        Images of all rows.
    held_out : ndarray
        bool, shape (n,).
    weights : ndarray, optional
        How often to show each row, shape (n,).
    images : str
        What tells these images from others.
    """

    schema: Schema
    recipe: ImageRecipe
    plan: Plan
    votes: np.ndarray
    source: list[Picture] | Callable
    held_out: np.ndarray
    weights: np.ndarray | None
    images: str


@dataclass(frozen=True)
class Sample:
    """
    The galaxies to learn from.

    Parameters
    ----------
    images : DecodedImages, ImagesOnDevice or RenderedImages
        Fields by row number.
    votes : torch.Tensor
        float32, shape (n, n_answers), row by row.
    training, validation : ndarray
        Row numbers, int64.
    weights : ndarray, optional
        How often to show each training row in relation to the others, shape of `training`.
    """

    images: "DecodedImages | ImagesOnDevice | RenderedImages"
    votes: "torch.Tensor"
    training: np.ndarray
    validation: np.ndarray
    weights: np.ndarray | None = None

    def epoch_order(self, rng: np.random.Generator, size: int | None) -> np.ndarray:
        """Row numbers of one epoch of so many images, by default as many as training rows."""
        size = size or len(self.training)
        if self.weights is not None:
            return rng.choice(self.training, size, p=self.weights / self.weights.sum())
        rounds = [rng.permutation(self.training) for _ in range(math.ceil(size / len(self.training)))]
        return np.concatenate(rounds)[:size]
