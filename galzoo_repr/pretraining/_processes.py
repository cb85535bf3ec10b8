"""One process, or several that ``torchrun`` started and that train one network together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from timm.layers import convert_sync_batchnorm
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Processes", "joined_processes"]


@dataclass(frozen=True)
class Processes:
    """
    Place of a process among those that train together.

    Parameters
    ----------
    rank, number : int
        Number of this process, from zero, and of all.
    device : torch.device
        Where this process computes.
    """

    rank: int
    number: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.number > 1:
            distributed.barrier()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the processes of a tensor that each has on its device."""
        if self.number > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def share_buffers(self, network: nn.Module) -> None:
        """Give all processes the buffers, such as running means, of the network of the first."""
        if self.number > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def together(self, network: nn.Module) -> nn.Module:
        """Let the processes take the mean of the gradients of a network that is the same in all of them."""
        if self.number == 1:
            return network
        if self.device.type == "cuda":
            network = convert_sync_batchnorm(network)
            return DistributedDataParallel(network, device_ids=[self.device.index])
        return DistributedDataParallel(network)


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, if it did; among several each takes the GPU of its local rank."""
    number = int(os.environ.get("WORLD_SIZE", "1"))
    if number == 1:
        yield Processes(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    ours = not distributed.is_initialized()
    if ours:
        # The first process decodes images while the others wait, which takes hours for millions of galaxies.
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(hours=24))
    try:
        yield Processes(distributed.get_rank(), number, device)
    finally:
        if ours:
            distributed.destroy_process_group()
