"""Which encoder a name or folder stands for."""

import os
from pathlib import Path

from galzoo_repr.encoders._check_name import check_encoder_name
from galzoo_repr.encoders._folder import FORMAT, read_folder
from galzoo_repr.encoders._names import BUNDLED, INT8, hub_repository
from galzoo_repr.encoders._stored import QuantisedNetwork
from galzoo_repr.images import ImageRecipe

__all__ = ["parts_of", "published_weights"]


def parts_of(name: str | os.PathLike) -> dict:
    """Arguments of `Encoder` for a name, in the order: bundled, folder, hub, timm."""
    check_encoder_name(name)
    if name == INT8:
        about = FORMAT.read_card(BUNDLED)
        parts = {key: about[key] for key in ("views", "licence", "origin", "feature_dim")}
        model = QuantisedNetwork.of(about, BUNDLED / "int8.onnx")
        return {"model": model, "recipe": ImageRecipe.from_dict(about["recipe"]), **parts}
    if name == "bundled":
        if not (BUNDLED / FORMAT.card).is_file():
            raise FileNotFoundError(
                f"the bundled encoder is missing from {BUNDLED}; install galzoo_repr again"
            )
        return {**read_folder(BUNDLED, unbuilt=True), "name": name}
    folder = Path(name)
    if (folder / FORMAT.card).is_file():
        return read_folder(folder)
    # Timm, and torch with it, take seconds to be imported.
    from galzoo_repr.encoders import _hub

    if folder.is_dir():
        return {**_hub.from_hub_folder(folder), "name": folder.resolve().name}
    repository = hub_repository(name)
    return _hub.from_timm(name) if repository is None else _hub.from_hub(repository, name)


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

    Examples
    --------
    >>> from galzoo_repr.encoders import published_weights
    >>> list(published_weights("resnet18.a1_in1k"))  # doctest: +SKIP
    ['state_dict']
    """
    from galzoo_repr.encoders import _hub

    return _hub.published_weights(architecture)[1]
