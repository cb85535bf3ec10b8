"""Images through a network, and the features of all views into one embedding."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._array import Array, is_tensor
from galzoo_repr.encoders._onnx import OnnxNetwork
from galzoo_repr.encoders._views import view

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["forward_by_onnx", "forward_by_torch"]


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


def forward_by_torch(model: "nn.Module", images: Array, *, views: int, dim: int, batch_size: int) -> Array:
    """Embed images, ``(B, channels, size, size)``, where the network is."""
    import torch

    if model.training:
        model.eval()
    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    # Torch takes neither other byte orders nor views in reverse, and warns of what it may not write.
    pixels = images if is_tensor(images) else torch.from_numpy(np.require(images, np.float32, ["C", "W"]))
    passes = [torch.empty((0, dim), device=device)]
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            chunk = pixels[start : start + batch_size].to(device, torch.float32, non_blocking=True)
            passes.append(sum(_features(model, view(chunk, number)) for number in range(views)) / views)
        result = torch.cat(passes)
    return result if is_tensor(images) else result.cpu().numpy()


def _features(model: "nn.Module", images: "torch.Tensor") -> "torch.Tensor":
    import torch

    images = images.contiguous(memory_format=torch.channels_last)
    if images.device.type == "cuda":
        with torch.autocast("cuda", torch.float16):
            features = model(images).float()
        if torch.isfinite(features).all():
            return features
    # Half precision overflowed, or this is not a GPU.
    return model(images).float()
