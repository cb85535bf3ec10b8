"""The folder of a saved encoder: ``encoder.json`` and its weights."""

import json
import os
from pathlib import Path

from safetensors.torch import save

from galzoo_repr.encoders._network import build_network
from galzoo_repr.encoders._weights import fit_weights, read_weights, sha256_of_file
from galzoo_repr.images import ImageRecipe

__all__ = ["DESCRIPTION", "read_description", "read_folder", "write_folder"]

DESCRIPTION = "encoder.json"
_FORMAT_VERSION = 1
_REQUIRED = {"name", "architecture", "model_kwargs", "recipe", "feature_dim", "weights", "weights_sha256"}
_OPTIONAL = {
    "format_version": _FORMAT_VERSION,
    "views": 1,
    "parameters": 0,
    "licence": "",
    "origin": "",
    "card": {},
}


def read_description(folder: Path) -> dict:
    """
    Read and check ``encoder.json``.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of a saved encoder.

    Returns
    -------
    dict
        All its entries.

    Raises
    ------
    ValueError
        If it cannot be understood: not JSON, of a later format, or incomplete.
    """
    path = folder / DESCRIPTION
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    version = about.get("format_version") if isinstance(about, dict) else None
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"{path} has format_version {version!r}, but this galzoo_repr reads version {_FORMAT_VERSION}; "
            "update galzoo_repr to read it"
        )
    if missing := _REQUIRED - set(about):
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
    if unknown := set(about) - _REQUIRED - set(_OPTIONAL):
        raise ValueError(f"{path} has entries that an encoder has not: {', '.join(sorted(unknown))}")
    return {**_OPTIONAL, **about}


def read_folder(folder: Path) -> dict:
    """
    Read a saved encoder, checking the digest of its weights.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``encoder.json`` and weights.

    Returns
    -------
    dict
        Arguments of `Encoder`.

    Raises
    ------
    FileNotFoundError
        If the weights are missing.
    ValueError
        If anything in it is not as described.
    """
    about = read_description(folder)
    path = folder / str(about["weights"])
    if path.parent != folder:
        raise ValueError(f"{folder / DESCRIPTION} names weights outside its folder: {about['weights']!r}")
    if not path.is_file():
        raise FileNotFoundError(f"the weights {path} are missing; copy the whole folder of the encoder")
    if sha256_of_file(path) != about["weights_sha256"]:
        raise ValueError(
            f"{path} has changed since the encoder was saved: its SHA-256 is not the one in {DESCRIPTION}; "
            "get the folder again from where it came"
        )
    recipe = ImageRecipe.from_dict(about["recipe"])
    model = build_network(about["architecture"], about["model_kwargs"], source=str(folder / DESCRIPTION))
    fit_weights(model, read_weights(path), source=str(path))
    same = ("name", "architecture", "model_kwargs", "views", "licence", "origin", "card", "feature_dim")
    return {"model": model, "recipe": recipe, **{key: about[key] for key in same}}


def write_folder(folder: Path, weights: dict, about: dict, *, overwrite: bool) -> None:
    """
    Write an encoder such that a reader finds the old one, the new one or none, never a mixture.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it does not exist.
    weights : dict
        Named tensors.
    about : dict
        Entries of ``encoder.json`` but for the weights file, its digest and the version.
    overwrite : bool
        Whether an encoder that is there may be replaced.

    Raises
    ------
    FileExistsError
        If there is an encoder in `folder` and it may not be replaced.
    """
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(f"{folder} already holds an encoder; give another folder, or overwrite=True")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".part-{os.getpid()}"
    try:
        # Written by Python, which leaves others the right to read that the user's umask gives.
        part.write_bytes(
            save({name: one.detach().cpu().clone().contiguous() for name, one in weights.items()})
        )
        digest = sha256_of_file(part)
        replaced = {path.name for path in folder.glob("model*.safetensors")}
        # Under another name than the weights in place, so that their description stays true until it is
        # replaced.
        name = f"model-{digest[:12]}.safetensors" if replaced else "model.safetensors"
        os.replace(part, folder / name)
        about = {"format_version": _FORMAT_VERSION, **about, "weights": name, "weights_sha256": digest}
        part.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        os.replace(part, folder / DESCRIPTION)
        for old in replaced - {name}:
            (folder / old).unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)
