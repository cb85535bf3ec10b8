"""A network as a module of torch, as an encoder takes it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["feature_dim", "in_evaluation", "state_of"]


def in_evaluation(model: "nn.Module") -> "nn.Module":
    """Give the network in evaluation mode; a `TypeError` if it is none."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch module, not {type(model).__name__}")
    return model.eval().to(memory_format=torch.channels_last)


def feature_dim(model: "nn.Module", shape: tuple[int, int, int], device: str) -> int:
    """Length of the features, found by looking at one empty image; a `ValueError` if it makes none."""
    import torch

    blank = torch.zeros(1, *shape, device=device)
    try:
        with torch.inference_mode():
            features = model(blank)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ValueError(f"the network does not take images of shape {shape}: {error}") from error
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        found = tuple(getattr(features, "shape", ())) or type(features).__name__
        raise ValueError(f"the network makes {found} of an image; it must pool, without head, to (1, dim)")
    return features.shape[1]


def state_of(model: "nn.Module") -> tuple[tuple[int, int], ...]:
    """Where the weights of a network are, and the sum of their bits: `.data` changes them without torch's counting."""
    return tuple((one.data_ptr(), _sum_of_bits(one)) for one in model.state_dict().values())


def _sum_of_bits(tensor: "torch.Tensor") -> int:
    import torch

    # As it lies in memory, in whichever order of its axes.
    flat = tensor.detach().cpu().as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy()
    whole = len(flat) // 8 * 8
    return int(flat[:whole].view(np.int64).sum()) + int(flat[whole:].sum())
