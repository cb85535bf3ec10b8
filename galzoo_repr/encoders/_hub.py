"""Encoders published on the Hugging Face hub, and folders laid out like theirs."""

from pathlib import Path
from typing import TYPE_CHECKING

import requests
from astroquery.exceptions import RemoteServiceError
from huggingface_hub import constants, errors, hf_hub_download, try_to_load_from_cache

from galzoo_repr._arguments import did_you_mean
from galzoo_repr._config import log
from galzoo_repr._folder import read_json
from galzoo_repr.encoders._folder import FORMAT, read_folder
from galzoo_repr.encoders._names import is_zoobot, list_encoders, zoobot_licence, zoobot_recipe
from galzoo_repr.encoders._network import build_network
from galzoo_repr.encoders._weights import fit_weights, read_weights
from galzoo_repr.images import ImageRecipe

if TYPE_CHECKING:
    from timm.models import PretrainedCfg

__all__ = ["from_hub", "from_hub_folder", "from_timm", "published_weights", "unreachable"]

_NO_SUCH = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError)
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def unreachable(name: str) -> RemoteServiceError:
    """Error for weights that are neither here nor to be had."""
    return RemoteServiceError(
        f"the weights of encoder {name!r} are not in the local cache and huggingface.co cannot be reached: "
        "connect to the network once to download them, or use encoder='bundled', which comes with galzoo_repr"
        f"{'' if name in (known := list_encoders()['name']) else did_you_mean(name.rpartition('/')[2], known)}"
    )


def from_hub(repository: str, name: str) -> dict:
    """
    Arguments of `Encoder` for ``owner/repository``, optionally with ``@revision``, of the local cache or the hub.

    `name` is what the user gave, for messages. A `RemoteServiceError` if the weights are neither cached nor
    reachable; a `ValueError` if there is no such repository, or no readable encoder in it.
    """
    repo_id, _, revision = repository.partition("@")
    own = () if is_zoobot(repo_id) else (FORMAT.card,)
    config = _download(repo_id, (*own, "config.json"), revision or None, name)
    if config.name == FORMAT.card:
        return _from_own(config, repo_id, name)
    weights = _download(repo_id, _WEIGHTS, revision or None, name)
    parts = _assemble(config, weights, zoobot=is_zoobot(repo_id))
    # The hub's cache names its folders after the commit, which fixes the files.
    parts["card"] = {**parts["card"], "repository": repo_id, "commit": config.parent.name}
    parts["origin"] = f"https://huggingface.co/{repo_id}"
    if is_zoobot(repo_id):
        parts["licence"] = zoobot_licence(repo_id)
    return parts


def _from_own(card: Path, repo_id: str, name: str) -> dict:
    """Arguments of `Encoder` for a repository that `Encoder.push` wrote."""
    # The weights of the same commit, as the card binds them by their digest.
    _download(repo_id, (str(FORMAT.read_card(card.parent)["weights"]),), card.parent.name, name)
    parts = read_folder(card.parent)
    parts["card"] = {**parts["card"], "repository": repo_id, "commit": card.parent.name}
    return {**parts, "origin": parts["origin"] or f"https://huggingface.co/{repo_id}"}


def _download(repo_id: str, names: tuple[str, ...], revision: str | None, name: str) -> Path:
    """Find the first of several files in the local cache, or else download the first there is."""
    for filename in names:
        cached = try_to_load_from_cache(repo_id, filename, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    _check_reachable(name)
    for filename in names:
        try:
            return Path(hf_hub_download(repo_id, filename, revision=revision))
        except _NO_SUCH as error:
            raise ValueError(
                f"encoder {name!r}: huggingface.co has no such repository or revision"
                f"{did_you_mean(name.rpartition('/')[2], list_encoders()['name'])}"
            ) from error
        except errors.LocalEntryNotFoundError as error:
            raise unreachable(name) from error
        except errors.EntryNotFoundError:
            continue
        except (errors.HfHubHTTPError, OSError) as error:
            raise unreachable(name) from error
    raise ValueError(f"encoder {name!r}: the repository {repo_id} has no file {' or '.join(names)}")


def _check_reachable(name: str) -> None:
    """Ask the hub once, because its client tries for half a minute before it gives up."""
    if constants.HF_HUB_OFFLINE:
        raise unreachable(name)
    try:
        requests.head(constants.ENDPOINT, timeout=10)
    except requests.RequestException as error:
        raise unreachable(name) from error


def from_hub_folder(folder: Path) -> dict:
    """
    Arguments of `Encoder` from a folder laid out as on the hub: ``config.json`` and weights.

    For example a clone of one of the Zoobot repositories. Its images are taken to be those of Zoobot, whatever mean
    and standard deviation the file names; give `recipe` to `Encoder.load` where that is wrong.
    """
    weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise FileNotFoundError(f"{folder} has a config.json, but neither {' nor '.join(_WEIGHTS)}")
    return _assemble(folder / "config.json", weights, zoobot=True)


def _assemble(config: Path, weights: Path, *, zoobot: bool) -> dict:
    try:
        about = read_json(config)
        architecture = about["architecture"]
        # Older files hold the settings of the images at the top level.
        image = about.get("pretrained_cfg", about)
        channels = int(about.get("model_args", {}).get("in_chans", image.get("input_size", [3])[0]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{config} does not describe a timm model: {error!r}") from error
    kwargs = {**about.get("model_args", {}), "in_chans": channels, "num_classes": 0}
    tensors = read_weights(weights)
    model = build_network(architecture, kwargs, weights=tensors, source=str(config))
    fit_weights(model, tensors, source=str(weights))
    recipe = zoobot_recipe(channels) if zoobot else _recipe_of(image, channels)
    log.info(
        "Read %s with weights %s; channels have mean %s, std %s",
        architecture,
        weights,
        recipe.mean,
        recipe.std,
    )
    return {
        "model": model,
        "recipe": recipe,
        "architecture": architecture,
        "model_kwargs": kwargs,
        "card": {"weights_file": weights.name},
    }


def _recipe_of(image: dict, channels: int) -> ImageRecipe:
    """Recipe of a network that was trained on photographs: its own size, mean and standard deviation."""
    return ImageRecipe(
        size=int(image.get("input_size", (3, 224, 224))[-1]),
        crop=zoobot_recipe().crop,
        channels=channels,
        mean=image.get("mean", 0.0),
        std=image.get("std", 1.0),
    )


def published_weights(name: str) -> "tuple[PretrainedCfg, dict]":
    """
    Settings of a timm model, and its published weights as `timm.create_model` takes them: ``pretrained_cfg_overlay``.

    A `RemoteServiceError` if they are neither cached nor reachable; a `ValueError` if there are none that can be read
    without running code.
    """
    import timm

    settings = timm.get_pretrained_cfg(name)
    if settings is None or not settings.has_weights:
        raise ValueError(f"timm has no weights for {name!r}; see timm.list_pretrained()")
    if not settings.hf_hub_id:
        raise ValueError(
            f"timm has the weights of {name!r} only as a pickle ({settings.url}), which could run code: it was not "
            "read; choose another model, or turn the file into a safetensors file where that does no harm"
        )
    files = (settings.hf_hub_filename,) if settings.hf_hub_filename else _WEIGHTS
    # Timm's own loaders would unpickle where there is no safetensors file.
    return settings, {"state_dict": read_weights(_download(settings.hf_hub_id, files, None, name))}


def from_timm(name: str) -> dict:
    """
    Arguments of `Encoder` for a timm model, such as ``"convnext_nano.in12k_ft_in1k"``, with its published weights.

    Its images have the size, mean and standard deviation of the model's own configuration. A `RemoteServiceError` if
    the weights are neither cached nor reachable; a `ValueError` if there are none.
    """
    import timm

    settings, overlay = published_weights(name)
    try:
        model = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except (OSError, RuntimeError) as error:
        raise unreachable(name) from error
    model.pretrained_cfg.pop("state_dict", None)
    return {
        "model": model,
        "recipe": _recipe_of(model.pretrained_cfg, model.pretrained_cfg["input_size"][0]),
        "architecture": settings.architecture,
        "model_kwargs": {"num_classes": 0},
        "licence": settings.license or "",
        "origin": f"https://huggingface.co/{settings.hf_hub_id}",
        "card": {"timm": timm.__version__},
    }
