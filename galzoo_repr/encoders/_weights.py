"""Weights as plain tensors: read without running code, digested, and fitted to a network."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError

from galzoo_repr._array import Array, is_tensor
from galzoo_repr._torch_file import read_torch_file

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["fit_weights", "read_weights", "refuse_nan", "sha256_of_weights"]


def sha256_of_weights(weights: Mapping[str, Array]) -> str:
    """SHA-256 of named tensors: the same in memory, in a safetensors file and in a .bin file, of torch and of numpy."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        one = weights[name]
        shape = list(one.shape)
        if is_tensor(one):
            dtype, one = str(one.dtype), _bytes_of(one)
        else:
            dtype, one = f"torch.{one.dtype}", np.ascontiguousarray(one)
        digest.update(json.dumps([name, dtype, shape]).encode())
        digest.update(one)
    return digest.hexdigest()


def _bytes_of(tensor: "torch.Tensor") -> np.ndarray:
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def read_weights(path: Path) -> "dict[str, torch.Tensor]":
    """
    Named tensors of a weights file, on the CPU: ``.safetensors``, or ``.bin``, ``.pt`` or ``.pth``.

    Those are read by an interpreter that runs nothing. A `ValueError` if the file is not what its name says, or holds
    anything but tensors.
    """
    import torch
    from safetensors.torch import load_file

    path = Path(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path, device="cpu")
        except (SafetensorError, KeyError, AttributeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path} is not a safetensors file ({error}); it was not read") from error
    if path.suffix not in (".bin", ".pt", ".pth"):
        raise ValueError(f"{path} is no kind of weights file known here: give .safetensors or .bin")
    weights = read_torch_file(path)
    weights = weights.get("state_dict", weights) if isinstance(weights, dict) else weights
    if (
        not isinstance(weights, dict)
        or not all(isinstance(name, str) for name in weights)
        or not all(isinstance(one, torch.Tensor) for one in weights.values())
    ):
        raise ValueError(f"{path} does not hold a dictionary of tensors")
    return weights


def fit_weights(model: "nn.Module", weights: "dict[str, torch.Tensor]", *, source: str) -> None:
    """
    Put weights into a network, every one of them in its place, but those of a classifier that it does not have.

    `source` is where they come from, for the message. A `ValueError` if a tensor is missing, left over, of another
    shape, or holds NaN.
    """
    wanted = model.state_dict()
    head = getattr(model, "pretrained_cfg", {}).get("classifier") or ()
    heads = (head,) if isinstance(head, str) else tuple(head)
    weights = {
        name: tensor
        for name, tensor in weights.items()
        if name in wanted or name.rpartition(".")[0] not in heads
    }
    faults = [f"{name} is missing" for name in wanted if name not in weights]
    faults += [f"{name} has no place" for name in weights if name not in wanted]
    faults += [
        f"{name} has shape {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ValueError(f"the weights in {source} do not fit the network: {'; '.join(faults[:3])}{more}")
    refuse_nan(weights, source=source)
    model.load_state_dict(weights)


def refuse_nan(weights: Mapping[str, Array], *, source: str) -> None:
    """Refuse weights that are NaN, with which every embedding would be; infinite ones occur in masks."""
    if bad := [name for name, one in weights.items() if bool((one != one).any())]:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ValueError(f"the weights in {source} are not numbers: NaN in {bad[0]}{more}; get them again")
