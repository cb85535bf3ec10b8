"""The device on which to compute."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device"]

# What the drivers of NVIDIA and AMD put there, the last under Windows' Linux.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")


def choose_device(device: "str | torch.device | None" = None) -> str:
    """
    Device on which to compute: the one given, or the first CUDA GPU if there is one, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``"cuda:1"``.

    Returns
    -------
    str
        As torch writes it. Torch is not imported for a CPU.

    Raises
    ------
    ValueError
        If torch knows no such device, or it is not there.

    Examples
    --------
    >>> from galzoo_repr.encoders import choose_device
    >>> choose_device("cpu")
    'cpu'
    """
    if str(device) == "cpu" or (device is None and not _has_driver()):
        return "cpu"
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"device {device!r} cannot be used: {error}; leave it out to have one chosen"
        ) from error
    return str(chosen)


def _has_driver() -> bool:
    return "torch" in sys.modules or any(Path(name).exists() for name in _DRIVERS)
