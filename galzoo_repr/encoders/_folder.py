"""The folder of a saved encoder: ``encoder.json`` and its weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from galzoo_repr._folder import FolderFormat
from galzoo_repr.encoders._network import build_network
from galzoo_repr.encoders._stored import StoredNetwork
from galzoo_repr.encoders._weights import fit_weights, read_weights
from galzoo_repr.images import ImageRecipe

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "read_folder", "write_folder"]

FORMAT = FolderFormat(
    what="an encoder",
    card="encoder.json",
    arrays="weights",
    stem="model",
    needed=frozenset({"name", "architecture", "model_kwargs", "recipe", "feature_dim"}),
    optional={"views": 1, "parameters": 0, "licence": "", "origin": "", "card": {}},
)


def read_folder(folder: Path, *, unbuilt: bool = False) -> dict:
    """
    Arguments of `Encoder`, and the ``feature_dim`` it shall have, from the folder of a saved one.

    What is left `unbuilt` is a `StoredNetwork`, whose weights are taken to be those of its architecture.
    """

    def read(about: dict, path: Path) -> dict:
        recipe = ImageRecipe.from_dict(about["recipe"])
        source = str(folder / FORMAT.card)
        if unbuilt:
            model = StoredNetwork.read(about, path, source=source)
        else:
            weights = read_weights(path)
            model = build_network(
                about["architecture"], about["model_kwargs"], weights=weights, source=source
            )
            fit_weights(model, weights, source=str(path))
        same = ("name", "architecture", "model_kwargs", "views", "licence", "origin", "card", "feature_dim")
        return {"model": model, "recipe": recipe, **{key: about[key] for key in same}}

    return FORMAT.load(folder, read)


def write_folder(folder: Path, weights: "dict[str, torch.Tensor]", about: dict, *, overwrite: bool) -> None:
    """Write weights, and what `Encoder.save` says of them, to a folder."""
    from safetensors.torch import save

    body = save({name: one.detach().cpu().clone().contiguous() for name, one in weights.items()})
    FORMAT.save(folder, about, body, overwrite=overwrite)
