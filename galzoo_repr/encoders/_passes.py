"""A network of torch where it is: how many images go through it at once, and in which precision."""

import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from galzoo_repr._config import log
from galzoo_repr._device import free_memory, has_bfloat16, is_out_of_memory
from galzoo_repr.exceptions import GalzooWarning

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Passes", "passes_of"]

_Items = TypeVar("_Items", bound=Sequence)

# Input pixels in one pass: more of them fall out of the caches of a CPU, while a GPU has work enough with so many.
_PIXELS_PER_PASS = {"cpu": 400_000}
_PIXELS_PER_PASS_ON_GPU = 2**25
# Part of the free memory that one pass may take; two of them run at once, and fragments are lost.
_SHARE_OF_MEMORY = 0.3
# Kinds of device on which fewer bits are quicker, and the types to try, the quickest to the memory first.
_FEWER_BITS = {"cuda": ("bfloat16", "float16")}
# Least cosine between features in fewer bits and those in 32, and images that are looked at.
_LEAST_COSINE = 0.999
_IMAGES_TRIED = 32


class Passes:
    """
    Images through a network on the device where it is.

    The first images decide how many bits the network computes with, and by the memory that they take, how many images
    go through it at once. Where that was too many, the number is halved, and stays so.

    Parameters
    ----------
    device : torch.device
        Where the network is.
    """

    def __init__(self, device: "torch.device") -> None:
        self.device = device
        self.dtype: torch.dtype | None = None  # of fewer bits; None for 32
        self.most: int | None = None  # images at once, found by running out of memory
        self._per_image = 0  # bytes; 0 while they are not known
        self._decided = device.type not in _FEWER_BITS
        self._deciding = threading.Lock()

    def size(self, wanted: int | None, pixels: int) -> int:
        """Images of so many pixels that go through the network at once, if no number is wanted."""
        size = wanted or max(1, _PIXELS_PER_PASS.get(self.device.type, _PIXELS_PER_PASS_ON_GPU) // pixels)
        if wanted is None and self._per_image:
            fitting = int(_SHARE_OF_MEMORY * free_memory(self.device) / self._per_image)
            size = max(1, min(size, fitting))
        return int(min(size, self.most or size))

    def each(
        self,
        items: _Items,
        work: "Callable[[_Items, int], torch.Tensor]",
        *,
        images_per_item: int,
        wanted: int | None,
        pixels: int,
    ) -> "list[torch.Tensor]":
        """
        Work on some items at a time, on fewer where memory does not hold them; nothing that is done is done again.

        `work` gets items and the number of images that may be in one pass.
        """
        results, start = [], 0
        while start < len(items):
            size = self.size(wanted, pixels)
            step = max(1, size // images_per_item)
            part = items[start : start + step]
            try:
                results.append(work(part, size))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                tried, reason = min(size, len(part) * images_per_item), str(error)
            else:
                start += step
                continue
            # Only here, where the error with all that it refers to is gone, is its memory free.
            self._take_fewer(tried, reason)
        return results

    def features(self, model: "nn.Module", images: "torch.Tensor") -> "torch.Tensor":
        """Give float32 features of float32 images on the device, all at once, by a network in evaluation mode."""
        import torch

        images = images.contiguous(memory_format=torch.channels_last)
        if not self._decided:
            self._decide(model, images)
        if self.dtype is None:
            return self._in(None, model, images)
        features = self._in(self.dtype, model, images)
        # Float16 overflows; bfloat16 reaches as far as 32 bits do, and need not be waited for.
        if self.dtype == torch.float16 and not torch.isfinite(features).all():
            return self._in(None, model, images)
        return features

    def _in(self, dtype: "torch.dtype | None", model: "nn.Module", images: "torch.Tensor") -> "torch.Tensor":
        import torch

        # Not every device knows autocast, even to turn it off.
        with nullcontext() if dtype is None else torch.autocast(self.device.type, dtype):
            return model(images).float()

    def _decide(self, model: "nn.Module", images: "torch.Tensor") -> None:
        """Find how many bits give the features of 32 bits, and how much memory an image takes."""
        import torch

        with self._deciding:
            if self._decided:
                return
            few = images[:_IMAGES_TRIED]
            exact, peak = self._measured(model, few)
            self._per_image = peak // len(few)
            told = (exact != 0).any(dim=1) & torch.isfinite(exact).all(dim=1)
            if not told.any():
                return  # these images say nothing; the next may
            found = []
            for name in _FEWER_BITS[self.device.type]:
                dtype = getattr(torch, name)
                if dtype == torch.bfloat16 and not has_bfloat16(self.device):
                    continue
                cosine = torch.cosine_similarity(self._in(dtype, model, few)[told], exact[told]).min().item()
                if cosine >= _LEAST_COSINE:
                    self.dtype = dtype
                    break
                found.append(f"{cosine:.4f} in {name}")
            self._decided = True
        log.info("The network computes in %s on %s.", self.dtype or torch.float32, self.device)
        if self.dtype is None:
            warnings.warn(
                f"on {self.device} this network computes in 32 bits, which takes longer: in fewer, features are "
                f"not the same (cosine {', '.join(found) or 'unknown'}; {_LEAST_COSINE} is asked for)",
                GalzooWarning,
                stacklevel=2,
            )

    def _measured(self, model: "nn.Module", images: "torch.Tensor") -> "tuple[torch.Tensor, int]":
        """Features in 32 bits, and the memory in bytes that they took at most; 0 where it is not counted."""
        import torch

        if self.device.type != "cuda":
            return self._in(None, model, images), 0
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        features = self._in(None, model, images)
        return features, torch.cuda.max_memory_allocated(self.device) - before

    def _take_fewer(self, tried: int, reason: str) -> None:
        import torch

        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if tried <= 1:
            raise torch.cuda.OutOfMemoryError(
                f"not even one image at a time fits into the memory of {self.device} ({reason.splitlines()[0]}); "
                "end other programs that use it, or give device='cpu'"
            )
        # Another thread may have learned more meanwhile.
        self.most = min(self.most or tried, tried // 2)
        log.info("%s has no memory for %d images at once; from now on %d.", self.device, tried, self.most)


_KNOWN: "WeakKeyDictionary[nn.Module, Passes]" = WeakKeyDictionary()
_LOOKING = threading.Lock()


def passes_of(model: "nn.Module") -> Passes:
    """Give what is known of a network where it is now, from all passes before."""
    import torch

    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    with _LOOKING:
        known = _KNOWN.get(model)
        if known is None or known.device != device:
            known = _KNOWN[model] = Passes(device)
    return known
