"""Where to compute: the one way to name a device."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._arguments import did_you_mean

if TYPE_CHECKING:
    import torch

__all__ = ["choose_device", "each_device", "free_memory", "has_bfloat16", "is_out_of_memory", "on_device"]

# What the drivers of NVIDIA and AMD put there, the last two under Windows.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
# How torch and the libraries below it say that memory is used up, where they do not raise OutOfMemoryError.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


def choose_device(device: "str | torch.device | None" = None) -> str:
    """
    Device on which to compute: the one given, or the first CUDA GPU if there is one, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``"cpu"``, ``"cuda:1"`` or ``"mps"``; ``"gpu"`` means cuda, and ``"auto"`` is the same as None.
        Without a number the first GPU is meant, and for `galzoo_repr.add_embeddings` all of them.

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
        why = str(error).splitlines()[0]
        if "Expected one of" in why:  # of which torch goes on to name twenty
            why = f"there is no such kind{did_you_mean(str(asked).partition(':')[0], ('cpu', 'cuda', 'gpu', 'mps'))}"
        raise ValueError(
            f"device {device!r} cannot be used: {why.removesuffix('?')}; there is {here}, or leave it out to have one "
            "chosen"
        ) from error
    return str(chosen)


def _has_driver() -> bool:
    return "torch" in sys.modules or any(Path(name).exists() for name in _DRIVERS)


def each_device(chosen: str) -> tuple[str, ...]:
    """Devices that share work: all GPUs for ``"cuda"`` without a number, and else the one that was chosen."""
    if chosen != "cuda":
        return (chosen,)
    import torch

    return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))


def on_device(arrays: Sequence[np.ndarray], device: "torch.device | str") -> "torch.Tensor":
    """
    Stack arrays of one shape and type on a device.

    For a GPU they are put together in memory that the system keeps in place, from which it copies by itself while the
    program goes on.
    """
    import torch

    device = torch.device(device)
    like = torch.from_numpy(np.empty(0, dtype=arrays[0].dtype))
    shape = (len(arrays), *arrays[0].shape)
    stack = torch.empty(shape, dtype=like.dtype, pin_memory=device.type == "cuda")
    np.stack(arrays, out=stack.numpy())
    return stack.to(device, non_blocking=True)


def free_memory(device: "torch.device") -> int:
    """Bytes of a CUDA GPU that torch could still use."""
    import torch

    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def has_bfloat16(device: "torch.device") -> bool:
    """Whether this is a CUDA GPU that computes with bfloat16 itself; CPUs are slower in it."""
    import torch

    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch, or a library below it, has found no memory, on a GPU or a CPU."""
    import torch

    text = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(words in text for words in _OUT_OF_MEMORY)
