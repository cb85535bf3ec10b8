"""Arrays of numpy and tensors of torch, by the functions that both have."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Union

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["Array", "is_tensor", "namespace_of"]

Array = Union[np.ndarray, "torch.Tensor"]
"""An array of numpy, or a tensor of torch."""


def is_tensor(value: object) -> bool:
    """Whether this is a tensor, which nothing can be before torch is imported."""
    # While another thread imports torch, it is there without its classes.
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def namespace_of(value: Array) -> ModuleType:
    """Functions of the array API for arrays of this kind."""
    if is_tensor(value):
        from array_api_compat import torch as torch_namespace

        return torch_namespace
    # From its version 2 on numpy has them under their names in the array API.
    return np
