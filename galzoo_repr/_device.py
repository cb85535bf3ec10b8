"""Where to compute: the one way to name a device."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device"]

# What the drivers of NVIDIA and AMD put there, the last two under Windows.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")


def choose_device(device: "str | torch.device | None" = None) -> str:
    """
    Device on which to compute: the one given, or the first CUDA GPU if there is one, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``"cpu"``, ``"cuda:1"`` or ``"mps"``; ``"gpu"`` means cuda, and ``"auto"`` is the same as None.

    Returns
    -------
    str
        As torch writes it. For a CPU torch is not imported.

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
    asked = device.strip().lower() if isinstance(device, str) else device
    if asked == "cpu" or (asked in (None, "auto") and not _has_driver()):
        return "cpu"
    import torch

    if asked in (None, "auto"):
        return "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(asked, str) and asked.partition(":")[0] == "gpu":
        asked = "cuda" + asked.removeprefix("gpu")
    try:
        chosen = torch.device(asked)
        if chosen.type == "meta":
            raise ValueError("it holds no numbers")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        gpus = torch.cuda.device_count()
        here = "cpu" + "".join(f", cuda:{number}" for number in range(gpus))
        raise ValueError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}; there is {here}, or leave it out to "
            "have one chosen"
        ) from error
    return str(chosen)


def _has_driver() -> bool:
    return "torch" in sys.modules or any(Path(name).exists() for name in _DRIVERS)
