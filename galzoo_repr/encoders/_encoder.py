"""The encoder: a network, the recipe of its images, and where both come from."""

import hashlib
import json
import os
from copy import copy, deepcopy
from typing import TYPE_CHECKING

from galzoo_repr._arguments import check_choice, check_path, check_whole_number
from galzoo_repr._array import Array, namespace_of
from galzoo_repr._config import log
from galzoo_repr._device import choose_device, each_device
from galzoo_repr._published import Published
from galzoo_repr._threads import cores
from galzoo_repr.encoders._folder import write_folder
from galzoo_repr.encoders._forward import forward_by_onnx, forward_by_torch, images_per_pass
from galzoo_repr.encoders._graph import onnx_network
from galzoo_repr.encoders._model_card import card_of
from galzoo_repr.encoders._module import feature_dim, in_evaluation, state_of
from galzoo_repr.encoders._named import parts_of
from galzoo_repr.encoders._onnx import OnnxNetwork
from galzoo_repr.encoders._stored import QuantisedNetwork, StoredNetwork
from galzoo_repr.encoders._views import VIEWS
from galzoo_repr.encoders._weights import sha256_of_weights
from galzoo_repr.images import ImageRecipe

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Encoder"]

BACKENDS = ("auto", "onnx", "torch")


class Encoder(Published):
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
    device : str
        Where the network is, as torch writes it.
    backend : str
        What computes: ``"onnx"`` (ONNX Runtime, on CPUs alone) or ``"torch"``.

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
    >>> encoder.to("cpu").device, encoder.backend, len(encoder.digest), encoder.model is network
    ('cpu', 'torch', 64, True)
    """

    _kind = "An encoder"

    def __init__(
        self,
        model: "nn.Module",
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
        if not isinstance(recipe, ImageRecipe):
            raise TypeError(f"recipe must be an ImageRecipe, not {type(recipe).__name__}")
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be some text, not {name!r}")
        if isinstance(views, bool) or views not in VIEWS:
            raise ValueError(f"views must be one of {', '.join(map(str, VIEWS))}, not {views!r}")
        self.recipe, self.name, self.views = recipe, name, int(views)
        self._wanted = "auto"
        self._onnx: OnnxNetwork | None = None
        self._unchanged: tuple | None = None
        self._spread = ("cpu",)
        if isinstance(model, StoredNetwork):
            self._stored, self._model = model, None
            if (channels := model.model_kwargs.get("in_chans", 3)) != recipe.channels:
                raise ValueError(
                    f"the network of {name} takes images of {channels} channels, but the recipe makes "
                    f"{recipe.channels}; give it channels=, a matrix of {channels} rows where bands are others"
                )
            self.architecture, self.dim = architecture or model.architecture, model.dim
        else:
            self._stored, self._model = None, in_evaluation(model)
            self.architecture = architecture or getattr(model, "pretrained_cfg", {}).get("architecture")
            self.dim = feature_dim(model, self._shape, self.device)
        self.model_kwargs = dict(model_kwargs or {"num_classes": 0, "in_chans": recipe.channels})
        self.licence, self.origin, self.card = licence, origin, dict(card or {})

    def __repr__(self) -> str:
        size = self.recipe.size
        return f"<Encoder {self.name}: {self.architecture}, {size} px, dim {self.dim}, {self.device}>"

    def __getstate__(self) -> dict:
        return {**vars(self), "_onnx": self._onnx if self.backend == "onnx" else None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        # The copies of the weights are elsewhere.
        self._unchanged = None if self._model is None else state_of(self._model)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (self.recipe.channels, self.recipe.size, self.recipe.size)

    @property
    def model(self) -> "nn.Module":
        """The network as a module of torch; built when it is first asked for."""
        if self._model is None:
            self._model = in_evaluation(self._stored.build())
            self._unchanged = state_of(self._model)
        return self._model

    @property
    def device(self) -> str:
        """Where the network is, as torch writes it."""
        if self._model is None:
            return "cpu"
        return str(next((one.device for one in self._model.parameters()), "cpu"))

    @property
    def backend(self) -> str:
        """What computes: ``"onnx"`` or ``"torch"``."""
        if self._onnx is not None and (self._model is None or self._unchanged == state_of(self._model)):
            return "onnx"
        return "torch"

    @property
    def digest(self) -> str:
        """SHA-256 of what decides an embedding: network, weights, recipe, views. Computed anew each time."""
        unbuilt = self._model is None
        facts = {
            "architecture": self.architecture,
            "model_kwargs": self.model_kwargs,
            "recipe": self.recipe.digest,
            "views": self.views,
            "weights": self._stored.sha256() if unbuilt else sha256_of_weights(self._model.state_dict()),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to(self, device: "str | torch.device") -> "Encoder":
        """
        Move the network.

        Parameters
        ----------
        device : str or torch.device
            As for `choose_device`: ``"gpu"`` means all GPUs, for `galzoo_repr.add_embeddings`, and the first one
            for other things; ``"cuda:1"`` one of them.

        Returns
        -------
        Encoder
            Itself.

        Examples
        --------
        >>> import numpy as np, timm
        >>> from galzoo_repr import Encoder, ImageRecipe
        >>> network = timm.create_model("lcnet_035", num_classes=0)
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> encoder.to("cpu").device
        'cpu'
        """
        chosen = choose_device(device)
        if chosen != "cpu" or self._model is not None:
            self.model.to(chosen)
        self._spread = each_device(chosen)
        return self

    def on_each_device(self) -> "list[Encoder]":
        """
        Encoders that can share the work: this one, and a copy on every other GPU if none was chosen by its number.

        Returns
        -------
        list of Encoder
            This one alone on a CPU.

        Examples
        --------
        >>> import numpy as np, timm
        >>> from galzoo_repr import Encoder, ImageRecipe
        >>> network = timm.create_model("lcnet_035", num_classes=0)
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> len(encoder.to("cpu").on_each_device())
        1
        """
        encoders = [self]
        # Somebody may have moved the network since.
        for device in self._spread[1:] if self._spread[0] == self.device else ():
            encoders.append(other := copy(self))
            other._model, other._onnx, other._spread = deepcopy(self.model).to(device), None, (device,)
        return encoders

    def accelerate(self) -> "Encoder":
        """
        Compute with ONNX Runtime on CPUs from now on, where it gives the same features in less time.

        Torch makes the graph of an architecture once, in some seconds; it is kept for all encoders of it. What the
        network is changed to afterwards is computed by torch.

        Returns
        -------
        Encoder
            Itself.

        Raises
        ------
        ValueError
            If no such graph can be made, it is slower, or there is no ONNX Runtime for this machine.

        Examples
        --------
        >>> from galzoo_repr import Encoder
        >>> Encoder.load("bundled", device="cpu").accelerate().backend  # doctest: +SKIP
        'onnx'
        """
        if self.backend == "torch":
            self._use_onnx(export=True)
        return self

    def accelerate_if_possible(self) -> None:
        """
        Call `accelerate` on a CPU, unless torch was asked for; where that cannot be, the log says why.

        Examples
        --------
        >>> import numpy as np, timm
        >>> from galzoo_repr import Encoder, ImageRecipe
        >>> network = timm.create_model("lcnet_035", num_classes=0)
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> encoder.accelerate_if_possible()  # doctest: +SKIP
        """
        if self.device == "cpu" and self.backend == "torch" and self._wanted == "auto":
            try:
                self.accelerate()
            except ValueError as error:
                log.info("%s", error)

    def _use_onnx(self, *, export: bool) -> None:
        self._onnx = onnx_network(
            self.architecture,
            self.model_kwargs,
            self._shape,
            stored=self._stored if self._model is None else None,
            model=lambda: self.model,
            export=export,
        )
        self._unchanged = None if self._model is None else state_of(self._model)

    def embed(self, images: Array, *, batch_size: int | None = None, threads: int | None = None) -> Array:
        """
        Embeddings of prepared images.

        Parameters
        ----------
        images : numpy.ndarray or torch.Tensor
            ``(B, channels, size, size)`` floating point, made by the recipe; any device.
        batch_size : int, optional
            Images in one pass, each view counting as one; chosen for the device by default. Where its memory does
            not hold them there are fewer, in all later passes too.
        threads : int, optional
            Passes of ONNX Runtime at once; by default as many as there are cores.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            ``(B, dim)`` float32; an array for an array, a tensor on the device of the network for a tensor. On a GPU
            the network computes in 16 bits if the first images have the same features so (cosine above 0.999).

        Raises
        ------
        ValueError
            If `images` has another shape.
        TypeError
            If it holds whole numbers, which no recipe has made.

        Examples
        --------
        >>> import numpy as np, timm
        >>> from galzoo_repr import Encoder, ImageRecipe
        >>> network = timm.create_model("lcnet_035", num_classes=0)
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> encoder.embed(np.zeros((2, 3, 32, 32), np.float32)).shape
        (2, 1280)
        """
        if images.ndim != 4 or images.shape[1:] != self._shape:
            raise ValueError(
                f"images has shape {tuple(images.shape)}, but {self.name} takes (B, *{self._shape})"
            )
        if not namespace_of(images).isdtype(images.dtype, "real floating"):
            raise TypeError(
                f"images are {images.dtype}, but {self.name} takes floating point that its recipe has made: "
                "recipe.from_rgb(images)"
            )
        if batch_size is not None:
            check_whole_number("batch_size", batch_size)
        settings = {"views": self.views, "dim": self.dim}
        if self.device == "cpu" and self.backend == "onnx":
            settings["batch_size"] = batch_size or images_per_pass(self.recipe.size)
            return forward_by_onnx(self._onnx, images, threads=threads or cores(), **settings)
        return forward_by_torch(self.model, images, batch_size=batch_size, **settings)

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
            If the network is not a timm model, which alone can be built again from its name, or the stretch of its
            recipe is a function.

        Examples
        --------
        >>> import numpy as np, timm
        >>> from galzoo_repr import Encoder, ImageRecipe
        >>> network = timm.create_model("lcnet_035", num_classes=0)
        >>> encoder = Encoder(network, ImageRecipe(size=32), name="untrained")
        >>> encoder.save("my-encoder")
        >>> Encoder.load("my-encoder").digest == encoder.digest
        True
        """
        write_folder(
            self, check_path(folder, "an encoder"), overwrite=overwrite, half_precision=half_precision
        )

    def _card(self, repository: str, licence: str) -> str:
        return card_of(self, repository, licence)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike = "bundled",
        *,
        recipe: ImageRecipe | None = None,
        device: "str | torch.device | None" = None,
        backend: str = "auto",
    ) -> "Encoder":
        """
        Find an encoder by name or folder.

        Parameters
        ----------
        name : str or os.PathLike
            ``"bundled"``, the encoder that comes with the package and needs no network, or ``"bundled-int8"``, the same
            in 8 bits, about twice as fast on CPUs; a folder written by
            `save`, or laid out as on the Hugging Face hub (``config.json`` and weights); a name in
            `list_encoders`; ``"hf-hub:owner/repository"``; or the name of a timm model. Weights are read as
            plain tensors; nothing is unpickled.
        recipe : galzoo_repr.images.ImageRecipe, optional
            How images are made, instead of what the encoder itself asks for.
        device : str or torch.device, optional
            A GPU if there is one, by default.
        backend : {"auto", "onnx", "torch"}
            What computes on CPUs. By default ONNX Runtime where the graph of the network is there already, as
            that of the bundled encoder is, and torch otherwise; `add_embeddings` calls `accelerate` for catalogues
            that are worth it.

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

        Examples
        --------
        >>> from galzoo_repr import Encoder
        >>> encoder = Encoder.load("bundled")
        >>> encoder.name, encoder.recipe.size
        ('bundled', 112)
        """
        check_choice("backend", backend, BACKENDS)
        parts = {"name": str(name), **parts_of(name)}
        promised = parts.pop("feature_dim", None)
        if recipe is not None:
            parts["recipe"] = recipe
        encoder = cls(**parts)
        if promised is not None and promised != encoder.dim:
            raise ValueError(f"{name} promises {promised} features, but its network makes {encoder.dim}")
        small = isinstance(encoder._stored, QuantisedNetwork)
        encoder.to(choose_device("cpu" if small and device is None else device))
        encoder._wanted = backend
        if backend == "onnx":
            return encoder.accelerate()
        if backend == "auto" and encoder.device == "cpu":
            encoder._use_onnx(export=False)
        return encoder
