"""Which encoder a name or folder stands for."""

import os
from pathlib import Path

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.encoders._external import refuse_external
from galzoo_repr.encoders._folder import FORMAT, read_folder
from galzoo_repr.encoders._names import (
    BUNDLED,
    INT8,
    hub_repository,
    is_written_in_timm,
    list_encoders,
    timm_names,
)
from galzoo_repr.encoders._stored import QuantisedNetwork
from galzoo_repr.images import ImageRecipe

__all__ = ["parts_of", "published_weights"]


def parts_of(name: str | os.PathLike) -> dict:
    """Arguments of `Encoder` for a name, in the order: bundled, folder, hub, timm."""
    refuse_external(str(name))
    if name == INT8:
        about = FORMAT.read_card(BUNDLED)
        parts = {key: about[key] for key in ("views", "licence", "origin", "feature_dim")}
        model = QuantisedNetwork.of(about, BUNDLED / "int8.onnx")
        return {"model": model, "recipe": ImageRecipe.from_dict(about["recipe"]), **parts}
    folder = BUNDLED if name == "bundled" else Path(name)
    if (folder / FORMAT.card).is_file():
        if name == "bundled":
            return {**read_folder(folder, unbuilt=True), "name": name}
        return read_folder(folder)
    if name == "bundled":
        raise FileNotFoundError(f"the bundled encoder is missing from {folder}; install galzoo_repr again")
    if (folder / "config.json").is_file():
        # timm, and torch with it, take seconds to be imported.
        from galzoo_repr.encoders._hub import from_hub_folder

        return {**from_hub_folder(folder), "name": folder.resolve().name}
    if folder.is_dir():
        raise FileNotFoundError(
            f"{folder} does not hold an encoder: it has neither {FORMAT.card} nor config.json"
        )
    if not isinstance(name, str):
        raise FileNotFoundError(f"there is no folder {folder}")
    repository = hub_repository(name)
    if repository is not None:
        from galzoo_repr.encoders._hub import from_hub

        return from_hub(repository, name)
    if is_written_in_timm(name):
        import timm

        from galzoo_repr.encoders._hub import from_timm

        if timm.is_model(name):
            return from_timm(name)
    raise ValueError(
        f"there is no encoder {name!r}: give 'bundled', 'bundled-int8', a folder written by Encoder.save, "
        "'zoobot-encoder-convnext_nano' or another of galzoo_repr.encoders.list_encoders(), "
        "'hf-hub:owner/repository', or the name of a timm model"
        f"{did_you_mean(name, [*list_encoders()['name'], *timm_names()])}"
    )


def published_weights(architecture: str) -> dict:
    """
    Find the published weights of a timm model, for `timm.create_model`, whose own loaders may unpickle them.

    Parameters
    ----------
    architecture : str
        Name in timm.

    Returns
    -------
    dict
        For the argument ``pretrained_cfg_overlay``.

    Raises
    ------
    astroquery.exceptions.RemoteServiceError
        If they are neither cached nor reachable.
    ValueError
        If there are none, or none that can be read without running code.
    """
    from galzoo_repr.encoders import _hub

    return _hub.published_weights(architecture)[1]
