"""The encoder: a network, the recipe of its images, and where both come from."""

import hashlib
import json
import os
from pathlib import Path

import timm
import torch
from torch import nn

from galzoo_repr._device import choose_device
from galzoo_repr.encoders._folder import FORMAT, read_folder, write_folder
from galzoo_repr.encoders._hub import from_hub, from_hub_folder, from_timm
from galzoo_repr.encoders._names import BUNDLED, hub_repository
from galzoo_repr.encoders._views import VIEWS, view
from galzoo_repr.encoders._weights import sha256_of_weights
from galzoo_repr.images import ImageRecipe

__all__ = ["Encoder"]

# Input pixels in one pass of the network on a CPU: more of them fall out of its caches. Larger batches feed a
# GPU.
_PIXELS_PER_PASS = 400_000
_IMAGES_PER_PASS_ON_GPU = 256


class Encoder:
    """
    A network that turns images of galaxies into embeddings.

    Parameters
    ----------
    model : torch.nn.Module
        Network that makes ``(B, dim)`` features of ``(B, channels, size, size)`` images, such as
        ``timm.create_model(..., num_classes=0)``. It is put into evaluation mode.
    recipe : galzoo_repr.images.ImageRecipe
        How its images are made.
    name : str
        Name written into catalogues.
    views : int
        Views of each galaxy whose features are averaged: 1, 2 (and turned by 180 degrees), 4 (right angles)
        or 8 (and mirrored). With 8 the embedding does not depend on orientation or handedness, at eight times
        the cost.
    architecture, model_kwargs : str and dict, optional
        Name in timm, and arguments of ``timm.create_model``, from which `load` builds the network again;
        known by themselves for networks that have no arguments but ``num_classes=0`` and ``in_chans``.
    licence, origin : str
        Under which the weights are published, and where.
    card : dict, optional
        Anything else worth knowing, in JSON types: training data, results.

    Attributes
    ----------
    dim : int
        Length of an embedding.
    device : torch.device
        Where the network is.

    Raises
    ------
    TypeError, ValueError
        If the network does not make features of such images, or an argument is not allowed.

    Examples
    --------
    >>> import timm, torch
    >>> from galzoo_repr import Encoder, ImageRecipe
    >>> network = timm.create_model("lcnet_035", num_classes=0)
    >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
    >>> encoder.embed(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 1280])
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: ImageRecipe,
        *,
        name: str,
        views: int = 1,
        architecture: str | None = None,
        model_kwargs: dict | None = None,
        licence: str = "",
        origin: str = "",
        card: dict | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch module, not {type(model).__name__}")
        if not isinstance(recipe, ImageRecipe):
            raise TypeError(f"recipe must be an ImageRecipe, not {type(recipe).__name__}")
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be some text, not {name!r}")
        if isinstance(views, bool) or views not in VIEWS:
            raise ValueError(f"views must be one of {', '.join(map(str, VIEWS))}, not {views!r}")
        self.recipe, self.name, self.views = recipe, name, int(views)
        self.architecture = architecture or getattr(model, "pretrained_cfg", {}).get("architecture")
        self.model_kwargs = dict(model_kwargs or {"num_classes": 0, "in_chans": recipe.channels})
        self.licence, self.origin, self.card = licence, origin, dict(card or {})
        self.model = model.eval().to(memory_format=torch.channels_last)
        self.dim = self._feature_dim()

    def _feature_dim(self) -> int:
        """Length of the features, found by looking at one empty image."""
        blank = torch.zeros(1, self.recipe.channels, self.recipe.size, self.recipe.size, device=self.device)
        try:
            with torch.inference_mode():
                features = self.model(blank)
        except (RuntimeError, ValueError, AssertionError) as error:
            shape = tuple(blank.shape[1:])
            raise ValueError(f"the network does not take images of shape {shape}: {error}") from error
        if not isinstance(features, torch.Tensor) or features.ndim != 2:
            shape = tuple(getattr(features, "shape", ())) or type(features).__name__
            raise ValueError(
                f"the network makes {shape} of an image; it must pool, without head, to (1, dim)"
            )
        return features.shape[1]

    def __repr__(self) -> str:
        size = self.recipe.size
        return f"<Encoder {self.name}: {self.architecture}, {size} px, dim {self.dim}, {self.device}>"

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next((one.device for one in self.model.parameters()), torch.device("cpu"))

    @property
    def digest(self) -> str:
        """SHA-256 of what decides an embedding: network, weights, recipe, views. Computed anew each time."""
        facts = {
            "architecture": self.architecture,
            "model_kwargs": self.model_kwargs,
            "recipe": self.recipe.digest,
            "views": self.views,
            "weights": sha256_of_weights(self.model.state_dict()),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to(self, device: str | torch.device) -> "Encoder":
        """
        Move the network.

        Parameters
        ----------
        device : str or torch.device
            As for `choose_device`, such as ``"gpu"``.

        Returns
        -------
        Encoder
            Itself.
        """
        self.model.to(choose_device(device))
        return self

    def embed(self, images: torch.Tensor, *, batch_size: int | None = None) -> torch.Tensor:
        """
        Embeddings of prepared images.

        Parameters
        ----------
        images : torch.Tensor
            ``(B, channels, size, size)`` floating point, made by the recipe; any device.
        batch_size : int, optional
            Images in one pass of the network; chosen for the device by default.

        Returns
        -------
        torch.Tensor
            ``(B, dim)`` float32, on the device of the network. On a GPU the network computes in half
            precision.

        Raises
        ------
        ValueError
            If `images` has another shape.
        """
        shape = (self.recipe.channels, self.recipe.size, self.recipe.size)
        if images.ndim != 4 or images.shape[1:] != shape:
            raise ValueError(f"images has shape {tuple(images.shape)}, but {self.name} takes (B, *{shape})")
        if batch_size is None:
            on_gpu = self.device.type == "cuda"
            batch_size = (
                _IMAGES_PER_PASS_ON_GPU if on_gpu else max(1, _PIXELS_PER_PASS // self.recipe.size**2)
            )
        elif batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        if self.model.training:
            self.model.eval()
        result = torch.empty((len(images), self.dim), device=self.device)
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                chunk = images[start : start + batch_size].to(self.device, torch.float32, non_blocking=True)
                features = sum(self._features(view(chunk, number)) for number in range(self.views))
                result[start : start + batch_size] = features / self.views
        return result

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        if self.device.type == "cuda":
            with torch.autocast("cuda", torch.float16):
                features = self.model(images).float()
            if torch.isfinite(features).all():
                return features
        # Half precision overflowed, or this is not a GPU.
        return self.model(images).float()

    def save(
        self, folder: str | os.PathLike, *, overwrite: bool = False, half_precision: bool = False
    ) -> None:
        """
        Write the encoder to a folder, from which `load` reads it anywhere.

        Parameters
        ----------
        folder : str or os.PathLike
            Gets ``encoder.json`` and ``model.safetensors``; what replaces another encoder has a digest in the name
            of the latter.
        overwrite : bool
            Replace an encoder that is there.
        half_precision : bool
            Write weights of 16 bits, in half the space. An encoder that is loaded from them computes in 32
            bits, with rounded weights, and so has another digest than this one.

        Raises
        ------
        FileExistsError
            If there is one and it may not be replaced.
        ValueError
            If the network is not a timm model, which alone can be built again from its name.
        """
        if not self.architecture or not timm.is_model(self.architecture):
            raise ValueError(
                f"only networks of timm can be saved, because their name tells how to build them; that of "
                f"{self.name} is {self.architecture!r}"
            )
        about = {
            "name": self.name,
            "architecture": self.architecture,
            "model_kwargs": self.model_kwargs,
            "recipe": self.recipe.to_dict(),
            "views": self.views,
            "feature_dim": self.dim,
            "parameters": sum(one.numel() for one in self.model.parameters()),
            "licence": self.licence,
            "origin": self.origin,
            "card": self.card,
        }
        weights = self.model.state_dict()
        if half_precision:
            weights = {name: one.half() if one.is_floating_point() else one for name, one in weights.items()}
        write_folder(Path(folder), weights, about, overwrite=overwrite)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike = "bundled",
        *,
        recipe: ImageRecipe | None = None,
        device: str | torch.device | None = None,
    ) -> "Encoder":
        """
        Find an encoder by name or folder.

        Parameters
        ----------
        name : str or os.PathLike
            ``"bundled"``, the encoder that comes with the package and needs no network; a folder written by
            `save`, or laid out as on the Hugging Face hub (``config.json`` and weights); a name in
            `list_encoders`; ``"hf-hub:owner/repository"``; or the name of a timm model. Weights are read as
            plain tensors; nothing is unpickled.
        recipe : galzoo_repr.images.ImageRecipe, optional
            How images are made, instead of what the encoder itself asks for.
        device : str or torch.device, optional
            A GPU if there is one, by default.

        Returns
        -------
        Encoder

        Raises
        ------
        astroquery.exceptions.RemoteServiceError
            If the weights are neither cached nor reachable.
        FileNotFoundError, ValueError
            If there is no such encoder, or its files are incomplete, changed, or of a later version.
        TypeError
            If it is neither a name nor a folder.
        """
        if not isinstance(name, str | os.PathLike):
            raise TypeError(
                f"an encoder is an Encoder, the name of one or its folder, such as 'bundled', not {name!r}"
            )
        parts = {"name": str(name), **_parts(name)}
        promised = parts.pop("feature_dim", None)
        if recipe is not None:
            parts["recipe"] = recipe
        encoder = cls(**parts)
        if promised is not None and promised != encoder.dim:
            raise ValueError(f"{name} promises {promised} features, but its network makes {encoder.dim}")
        return encoder.to(choose_device(device))


def _parts(name: str | os.PathLike) -> dict:
    """Arguments of `Encoder` for a name, in the order: bundled, folder, hub, timm."""
    folder = BUNDLED if name == "bundled" else Path(name)
    if (folder / FORMAT.card).is_file():
        return {**read_folder(folder), "name": str(name)} if name == "bundled" else read_folder(folder)
    if name == "bundled":
        raise FileNotFoundError(f"the bundled encoder is missing from {folder}; install galzoo_repr again")
    if (folder / "config.json").is_file():
        return {**from_hub_folder(folder), "name": folder.resolve().name}
    if folder.is_dir():
        raise FileNotFoundError(
            f"{folder} does not hold an encoder: it has neither {FORMAT.card} nor config.json"
        )
    if not isinstance(name, str):
        raise FileNotFoundError(f"there is no folder {folder}")
    repository = hub_repository(name)
    if repository is not None:
        return from_hub(repository, name)
    if timm.is_model(name):
        return from_timm(name)
    raise ValueError(
        f"there is no encoder {name!r}: give 'bundled', a folder written by Encoder.save, a name in "
        "galzoo_repr.encoders.list_encoders(), 'hf-hub:owner/repository', or the name of a timm model"
    )
