"""Images through a network, and the features of all views into one embedding."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._array import Array, is_tensor
from galzoo_repr.encoders._onnx import OnnxNetwork
from galzoo_repr.encoders._passes import passes_of
from galzoo_repr.encoders._views import view
from galzoo_repr.images import ImageData, ImageRecipe

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["forward_by_onnx", "forward_by_torch", "forward_pictures", "images_per_pass"]

# Input pixels in one pass on a CPU: more of them fall out of its caches.
_PIXELS_PER_PASS = 400_000


def images_per_pass(size: int) -> int:
    """Images of so many pixels a side in one pass on a CPU, where nothing else is asked for."""
    return max(1, _PIXELS_PER_PASS // size**2)


def forward_by_onnx(
    network: OnnxNetwork, images: Array, *, views: int, dim: int, batch_size: int, threads: int
) -> Array:
    """Embed images, ``(B, channels, size, size)``, in passes of one thread each, several at once."""
    pixels = images.detach().cpu().float().numpy() if is_tensor(images) else images
    # All views go through the network together.
    step = max(1, batch_size // views)

    def features_from(start: int) -> np.ndarray:
        chunk = pixels[start : start + step]
        features = network.features(np.concatenate([view(chunk, number) for number in range(views)]))
        return features.reshape(views, len(chunk), -1).mean(axis=0)

    starts = range(0, len(pixels), step)
    if not starts:
        result = np.empty((0, dim), dtype=np.float32)
    elif threads == 1 or len(starts) == 1:
        result = np.concatenate([features_from(start) for start in starts])
    else:
        with ThreadPoolExecutor(threads) as pool:
            result = np.concatenate(list(pool.map(features_from, starts)))
    if is_tensor(images):
        import torch

        return torch.from_numpy(result)
    return result


def forward_by_torch(
    model: "nn.Module", images: Array, *, views: int, dim: int, batch_size: int | None = None
) -> Array:
    """Embed images, ``(B, channels, size, size)``, where the network is; a tensor for a tensor."""
    import torch

    # Torch takes neither other byte orders nor views in reverse, and warns of what it may not write.
    pixels = images if is_tensor(images) else torch.from_numpy(np.require(images, np.float32, ["C", "W"]))

    def on_device(chunk: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
        if device.type == "cuda" and chunk.device.type == "cpu":
            chunk = chunk.pin_memory()
        return chunk.to(device, torch.float32, non_blocking=True)

    size = images.shape[-1]
    result = _through(model, pixels, on_device, views=views, dim=dim, size=size, batch_size=batch_size)
    return result if is_tensor(images) else result.cpu().numpy()


def forward_pictures(
    model: "nn.Module",
    images: Sequence[ImageData],
    recipe: ImageRecipe,
    *,
    views: int,
    dim: int,
    batch_size: int | None = None,
    failed: dict[int, str] | None = None,
) -> np.ndarray:
    """
    Embed pictures as they were read; they are prepared where the network is, or noted in `failed` as `prepare` does.

    On a GPU each thread has a queue of its own, so that of two threads one copies while the other computes.
    """

    def prepared(chunk: Sequence[ImageData], device: "torch.device") -> "torch.Tensor":
        faults: dict[int, str] = {}
        made = recipe.prepare(chunk, device=device, failed=None if failed is None else faults)
        failed_ones.update({id(chunk[number]): reason for number, reason in faults.items()})
        return made

    failed_ones: dict[int, str] = {}
    with _own_queue(passes_of(model).device):
        result = _through(
            model, images, prepared, views=views, dim=dim, size=recipe.size, batch_size=batch_size
        )
        vectors = result.cpu().numpy()
    for row, image in enumerate(images):
        if id(image) in failed_ones:
            failed[row], vectors[row] = failed_ones[id(image)], np.nan
    return vectors


def _through(
    model: "nn.Module",
    items: Sequence,
    ready: "Callable[[Sequence, torch.device], torch.Tensor]",
    *,
    views: int,
    dim: int,
    size: int,
    batch_size: int | None,
) -> "torch.Tensor":
    """Features of items, which `ready` makes into model input on the device, in passes that its memory holds."""
    import torch

    if model.training:
        model.eval()
    passes = passes_of(model)

    def features_of(chunk: Sequence, most: int) -> "torch.Tensor":
        images = ready(chunk, passes.device)
        # All views go through the network together.
        seen = torch.cat([view(images, number) for number in range(views)]) if views > 1 else images
        features = torch.cat([passes.features(model, part) for part in seen.split(most)])
        return features.reshape(views, len(images), -1).mean(dim=0)

    with torch.inference_mode():
        found = passes.each(items, features_of, images_per_item=views, wanted=batch_size, pixels=size**2)
        return torch.cat([torch.empty((0, dim), device=passes.device), *found])


@contextmanager
def _own_queue(device: "torch.device") -> Iterator[None]:
    import torch

    if device.type != "cuda":
        yield
        return
    queue = torch.cuda.Stream(device)
    # What made the weights may be under way.
    queue.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(queue):
        yield
