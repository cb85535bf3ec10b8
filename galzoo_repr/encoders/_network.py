"""A timm network out of a name and plain arguments."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def build_network(architecture: str, kwargs: dict, *, source: str) -> "nn.Module":
    """
    Build a timm network with random weights, from its name and plain arguments.

    `source` is where these come from, for messages. A `ValueError` if timm has no such model, or an argument is not
    allowed or not known to it.
    """
    import timm

    if not isinstance(architecture, str) or ":" in architecture or not timm.is_model(architecture):
        raise ValueError(
            f"{source} names the network {architecture!r}, which this timm ({timm.__version__}) does not have"
        )
    if not isinstance(kwargs, dict) or (forbidden := _FORBIDDEN & set(kwargs)):
        raise ValueError(f"{source} gives arguments that no network may have: {sorted(forbidden)}")
    try:
        return timm.create_model(architecture, pretrained=False, **kwargs)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ValueError(f"{source}: timm cannot build {architecture} with {kwargs}: {error}") from error
