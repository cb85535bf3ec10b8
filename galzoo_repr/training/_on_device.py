"""What training asks of a device: fewer bits where it is quicker with them, and memory for a batch."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from galzoo_repr._device import has_bfloat16, is_out_of_memory

__all__ = ["half_precision", "room_for_batches"]


def half_precision(device: torch.device | str) -> AbstractContextManager:
    """
    Compute in bfloat16, which needs no scaling of gradients, on a GPU that knows it; CPUs are slower in it.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.training import half_precision
    >>> with half_precision("cpu"):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.float32
    """
    device = torch.device(device)
    return torch.autocast(device.type, torch.bfloat16) if has_bfloat16(device) else nullcontext()


@contextmanager
def room_for_batches(batch_size: int, device: torch.device | str) -> Iterator[None]:
    """
    Say which argument to change where the memory does not hold a batch.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.training import room_for_batches
    >>> with room_for_batches(64, "cuda"):
    ...     raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    Traceback (most recent call last):
    torch.OutOfMemoryError: cuda has no memory for training with batch_size=64: give a smaller one, ...
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        advice = (
            f"give a smaller one, such as batch_size={batch_size // 2}" if batch_size > 3 else "use a CPU"
        )
        raise torch.cuda.OutOfMemoryError(
            f"{device} has no memory for training with batch_size={batch_size}: {advice}, or smaller images or a "
            f"smaller network ({str(error).splitlines()[0]})"
        ) from error
