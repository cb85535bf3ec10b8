"""A network as it lies on the disk, which torch builds only where torch is needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from galzoo_repr.encoders._network import build_network
from galzoo_repr.encoders._weights import fit_weights, refuse_nan, sha256_of_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["StoredNetwork"]


@dataclass(frozen=True)
class StoredNetwork:
    """
    What a network is made of.

    Attributes
    ----------
    architecture, model_kwargs : str and dict
        As `build_network` takes them.
    weights : dict of str to numpy.ndarray
        By their names in the network; floating ones float32, as it computes with them.
    dim : int
        Length of its features.
    source : str
        Where it comes from, for messages.
    """

    architecture: str
    model_kwargs: dict
    weights: dict[str, np.ndarray]
    dim: int
    source: str

    @classmethod
    def read(cls, about: dict, path: Path, *, source: str) -> "StoredNetwork":
        """Read the weights of a saved encoder, which `about` describes."""
        weights = {
            name: one.astype(np.float32) if one.dtype.kind == "f" else one
            for name, one in load_file(path).items()
        }
        refuse_nan(weights, source=source)
        return cls(about["architecture"], about["model_kwargs"], weights, about["feature_dim"], source)

    def sha256(self) -> str:
        """Digest of the weights, as `sha256_of_weights` finds it in the network."""
        return sha256_of_weights(self.weights)

    def build(self) -> "nn.Module":
        """Build the network, with torch."""
        import torch

        # Tensors of their own, as training changes them.
        weights = {name: torch.tensor(one) for name, one in self.weights.items()}
        model = build_network(self.architecture, self.model_kwargs, weights=weights, source=self.source)
        fit_weights(model, weights, source=self.source)
        return model
