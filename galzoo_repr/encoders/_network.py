"""A timm network out of a name and plain arguments, no larger than the weights that go into it."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["build_network"]

# Arguments with which timm would fetch or unpickle something, or look outside the description.
_FORBIDDEN = {
    "cache_dir",
    "checkpoint_path",
    "model_name",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_strict",
}
# No network of timm has a larger number in its arguments, or longer ones.
_LARGEST_NUMBER = 100_000
_LONGEST = 20_000
# Numbers that a network makes, while it is built, for each of its weights, and in any case: initial values, masks.
_PER_WEIGHT, _BESIDES = 4, 10_000_000


def build_network(
    architecture: str, kwargs: dict, *, weights: "Mapping[str, torch.Tensor]", source: str
) -> "nn.Module":
    """
    Build a timm network with random weights, from its name and plain arguments.

    `weights` are those that shall go into it: a network that needs much more memory than these is not built. `source`
    is where all comes from, for messages. A `ValueError` if timm has no such model, or an argument is not allowed or
    not known to it.
    """
    import timm

    if not isinstance(architecture, str) or ":" in architecture or not timm.is_model(architecture):
        raise ValueError(
            f"{source} names the network {str(architecture)[:80]!r}, which this timm ({timm.__version__}) does not have"
        )
    if not isinstance(kwargs, dict) or (forbidden := _FORBIDDEN & set(kwargs)):
        raise ValueError(f"{source} gives arguments that no network may have: {sorted(forbidden)}")
    if len(json.dumps(kwargs)) > _LONGEST or any(abs(one) > _LARGEST_NUMBER for one in _numbers(kwargs)):
        raise ValueError(f"{source} gives arguments that no network has: {str(kwargs)[:80]}")
    from galzoo_repr.encoders._allocation import AllocationLimit

    limit = _BESIDES + _PER_WEIGHT * sum(math.prod(one.shape) for one in weights.values())
    try:
        with AllocationLimit(limit):
            return timm.create_model(architecture, pretrained=False, **kwargs)
    except (
        TypeError, ValueError, RuntimeError, AssertionError, ArithmeticError, AttributeError, LookupError, MemoryError,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{source}: timm cannot build {architecture} with {str(kwargs)[:200]}: {error}"
        ) from error


def _numbers(value: object) -> Iterator[float]:
    """All numbers in nested arguments."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(one)
