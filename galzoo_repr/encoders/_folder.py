"""The folder of a saved encoder: ``encoder.json`` and its weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from galzoo_repr._folder import FolderFormat
from galzoo_repr.encoders._network import build_network
from galzoo_repr.encoders._stored import StoredNetwork
from galzoo_repr.encoders._weights import fit_weights, read_weights
from galzoo_repr.images import ImageRecipe

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FORMAT", "SavedEncoder", "read_folder", "write_folder"]


class SavedEncoder(Protocol):
    """What an encoder has that goes into its folder and its card."""

    model: "nn.Module"
    recipe: ImageRecipe
    name: str
    architecture: str | None
    model_kwargs: dict
    dim: int
    views: int
    licence: str
    origin: str
    card: dict
    digest: str


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


def write_folder(
    encoder: SavedEncoder, folder: Path, *, overwrite: bool, half_precision: bool = False
) -> None:
    """Write an encoder, as `Encoder.save` does."""
    import timm
    from safetensors.torch import save

    if callable(encoder.recipe.stretch):
        raise ValueError(
            f"the stretch of {encoder.name} is the {encoder.recipe.to_dict()['stretch']}, which no file can hold: it "
            "can embed, but not be saved; take a stretch that has a name, or apply yours to the images before, with "
            "stretch='none'"
        )
    if not encoder.architecture or not timm.is_model(encoder.architecture):
        raise ValueError(
            f"only networks of timm can be saved, because their name tells how to build them; that of "
            f"{encoder.name} is {encoder.architecture!r}"
        )
    about = {
        "name": encoder.name,
        "architecture": encoder.architecture,
        "model_kwargs": encoder.model_kwargs,
        "recipe": encoder.recipe.to_dict(),
        "views": encoder.views,
        "feature_dim": encoder.dim,
        "parameters": sum(one.numel() for one in encoder.model.parameters()),
        "licence": encoder.licence,
        "origin": encoder.origin,
        "card": encoder.card,
    }
    weights = encoder.model.state_dict()
    if half_precision:
        weights = {name: one.half() if one.is_floating_point() else one for name, one in weights.items()}
    body = save({name: one.detach().cpu().clone().contiguous() for name, one in weights.items()})
    FORMAT.save(folder, about, body, overwrite=overwrite)
