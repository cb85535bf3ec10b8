"""A bound on what torch makes in this thread while something is built that a file describes."""

import math
from collections.abc import Iterator
from contextlib import suppress

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["AllocationLimit"]


class AllocationLimit(TorchDispatchMode):
    """
    Context in which no tensor, nor all new ones together, have more than so many numbers.

    An operation is looked at before it is done, since memory that was filled is not bounded any more; a `MemoryError`
    says that it would be too large.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = self._left = limit

    def __torch_dispatch__(
        self, func: object, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        given = [*args, *kwargs.values()]
        shapes = [one.shape for one in _tensors(given)]
        wanted = max(map(_asked_for, given), default=0)
        if not shapes:
            # Made of numbers alone, such as a range, or a square of zeros and ones.
            wanted = wanted or max((abs(one) for one in given if isinstance(one, int | float)), default=0)
            wanted = wanted**2 if "eye" in str(func) else wanted
            self._left -= wanted
        # Others, such as a product of matrices, are about as large as what is given.
        with suppress(RuntimeError):
            wanted = max(wanted, math.prod(torch.broadcast_shapes(*shapes)))
        if wanted > self._limit or self._left < 0:
            raise MemoryError("it would be much larger than the weights that go into it")
        return func(*args, **kwargs)


def _tensors(values: list) -> Iterator[torch.Tensor]:
    for one in values:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, list | tuple):
            yield from _tensors(one)


def _asked_for(value: object) -> int:
    """How many numbers a tensor has of which this argument is the shape; 0 if it is none."""
    if isinstance(value, list | tuple) and value and all(isinstance(one, int) for one in value):
        return math.prod(max(one, 1) for one in value)
    return 0
