"""The graph of a network without its weights, for ONNX Runtime: made with torch once, kept, and run without it."""

import hashlib
import json
import logging
import time
import warnings
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._config import cache_path, log
from galzoo_repr._folder import publish
from galzoo_repr._threads import one_thread
from galzoo_repr.encoders._onnx import OnnxNetwork
from galzoo_repr.encoders._stored import QuantisedNetwork, StoredNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx_ir
    from torch import nn

__all__ = ["GRAPHS", "export_graph", "graph_file", "onnx_network"]

# Those that come with the package.
GRAPHS = Path(__file__).parent / "graphs"

_OPSET = 20
# Largest differences, as parts of the spread of the features and of their size, that arithmetic in another order makes.
_TOLERANCE, _ROUNDING = 1e-3, 1e-5


def onnx_network(
    architecture: str | None,
    model_kwargs: dict,
    shape: tuple[int, int, int],
    *,
    stored: StoredNetwork | None,
    model: "Callable[[], nn.Module]",
    export: bool,
) -> OnnxNetwork | None:
    """
    Make a network for ONNX Runtime, of what it is made of, or of the module that torch has built.

    Without `export` it is None where that would take torch some seconds, or cannot be; with it a `ValueError` says why.
    """
    if find_spec("onnxruntime") is None:
        return _none("there is no ONNX Runtime for this machine, so torch computes", export)
    if isinstance(stored, QuantisedNetwork):
        return OnnxNetwork(stored.graph, {})
    file = graph_file(architecture, model_kwargs, shape)
    found = next((folder / file for folder in (GRAPHS, _made_here()) if (folder / file).is_file()), None)
    graph = None if found is None else found.read_bytes()
    if graph is None and not export:
        return None
    if graph is None and find_spec("onnxscript") is None:
        return _none(
            'a graph of the network is made with onnxscript: pip install "galzoo_repr[onnx]"', export
        )
    if graph is None:
        graph = export_graph(model(), shape)
        # An empty file saves the next call the trouble.
        graph = graph if _is_faster(graph, model(), shape) else b""
        _keep(_made_here() / file, graph)
    if not graph:
        return _none(f"torch is at least as fast with {architecture}, so it computes", export)
    if stored is not None:
        return OnnxNetwork(graph, stored.weights)
    network = OnnxNetwork(graph, _weights(model()))
    if found is not None and not _agree(network, model(), shape):
        return _none(
            f"the graph in {found} is not of this network (changed, or damaged: then delete it), so torch computes",
            export,
        )
    return network


def _keep(path: Path, graph: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        publish(path, graph)
    except OSError as error:
        log.warning("The graph of the network is not kept for the next call, as %s.", error)


def _none(why: str, export: bool) -> None:
    if export:
        raise ValueError(why)
    log.info("%s.", why)


def graph_file(architecture: str | None, model_kwargs: dict, shape: tuple[int, int, int]) -> str:
    """Name of the file of a graph, which weights do not change."""
    facts = json.dumps([architecture, model_kwargs, list(shape)], sort_keys=True)
    return f"{architecture}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}.onnx"


def _made_here() -> Path:
    return cache_path("graphs")


def _weights(model: "nn.Module") -> dict[str, np.ndarray]:
    return {name: one.detach().cpu().numpy() for name, one in model.state_dict().items()}


def export_graph(model: "nn.Module", shape: tuple[int, int, int]) -> bytes:
    """
    Make the graph of a network, for batches of any length.

    Every weight stays an input under its name in the network's ``state_dict``, so that one graph serves all weights
    of an architecture. A `ValueError` where torch cannot make one, or one that gives the same features.
    """
    import torch

    size = dict(zip(("channels", "height", "width"), shape, strict=True))
    images = torch.rand(3, *shape)
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model,
                (images,),
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=["images"],
                output_names=["features"],
                dynamic_shapes=({0: torch.export.Dim("galaxies")},),
                opset_version=_OPSET,
            )
            graph = _without_weights(program.model, set(model.state_dict()))
    except Exception as error:  # torch raises whatever a network makes it raise
        raise ValueError(f"torch cannot make a graph of the network for images of {size}: {error}") from error
    _check(graph, model, shape)
    return graph


class _quiet:
    """Keep what the exporter logs of its steps to itself."""

    def __enter__(self) -> None:
        self.before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self.before)


def _without_weights(model: "onnx_ir.Model", names: set[str]) -> bytes:
    """Simplify what does not depend on weights, and leave these out."""
    import onnx_ir
    from onnxscript import optimizer

    optimizer.inline(model)
    weights = [value for value in model.graph.initializers.values() if value.name in names]
    tensors = [value.const_value for value in weights]
    for value in weights:
        # What is not known cannot be folded into what else the graph holds.
        value.const_value = None
    optimizer.fold_constants(model)
    for value, tensor in zip(weights, tensors, strict=True):
        value.const_value = tensor
    optimizer.remove_unused_nodes(model)
    for value, tensor in zip(weights, tensors, strict=True):
        value.const_value = onnx_ir.ExternalTensor(
            "weights", 0, tensor.nbytes, tensor.dtype, name=value.name, shape=tensor.shape
        )
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for value in model.graph.initializers.values():
        value.metadata_props.clear()
    return onnx_ir.to_proto(model).SerializeToString()


def _check(graph: bytes, model: "nn.Module", shape: tuple[int, int, int]) -> None:
    """Compare with torch, by the weights that there are and by others."""
    import torch

    other = deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value *= 1 + 0.1 * torch.rand(value.shape, generator=generator)
    if not all(_agree(OnnxNetwork(graph, _weights(each)), each, shape) for each in (model, other)):
        raise ValueError("the graph that torch made of the network gives other features")


def _agree(network: OnnxNetwork, model: "nn.Module", shape: tuple[int, int, int]) -> bool:
    """Whether ONNX Runtime and torch make the same features."""
    import torch

    images = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(images).numpy()
    try:
        found = network.features(images.numpy())
    except Exception as error:  # ONNX Runtime has many of its own, none of them public
        log.info("ONNX Runtime cannot run the network: %s", error)
        return False
    # Of what tells one image from another, and of the rounding of the numbers themselves.
    allowed = _TOLERANCE * expected.std(axis=0).max() + _ROUNDING * np.abs(expected).max()
    return found.shape == expected.shape and bool(np.abs(found - expected).max() <= allowed)


def _is_faster(graph: bytes, model: "nn.Module", shape: tuple[int, int, int]) -> bool:
    import torch

    network = OnnxNetwork(graph, _weights(model))
    images = torch.rand(8, *shape).contiguous(memory_format=torch.channels_last)
    seconds = {"onnx": [], "torch": []}
    with torch.inference_mode(), one_thread():
        for _ in range(3):
            began = time.perf_counter()
            network.features(images.numpy())
            seconds["onnx"].append(time.perf_counter() - began)
            began = time.perf_counter()
            model(images)
            seconds["torch"].append(time.perf_counter() - began)
    return min(seconds["onnx"]) < min(seconds["torch"])
