"""A saved model: ``morphology.json``, its arrays, and a fine-tuned encoder beside them; nothing is pickled."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from galzoo_repr.encoders import Encoder
from galzoo_repr.training import write_atomically

__all__ = ["DESCRIPTION", "find_folder", "read_folder", "write_folder"]

DESCRIPTION = "morphology.json"
FORMAT_VERSION = 1
_NEEDED = {
    "arrays", "arrays_sha256", "calibration", "card", "classes", "fine_tuned", "label", "report", "schema",
    "task", "unit",
}  # fmt: skip
_HUB = "hf-hub:"


def write_folder(
    folder: Path, arrays: dict[str, np.ndarray], about: dict, encoder: Encoder | None, *, overwrite: bool
) -> None:
    """
    Write arrays and encoder, and last the description that names them.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it does not exist.
    arrays : dict of arrays
    about : dict
        What JSON can hold.
    encoder : Encoder or None
    overwrite : bool
        Whether a model that is there may be replaced.

    Raises
    ------
    FileExistsError
        If there is one and it may not be replaced.
    """
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(f"{folder} already holds a model; give another folder, or overwrite=True")
    folder.mkdir(parents=True, exist_ok=True)
    if encoder is not None:
        encoder.save(folder / "encoder", overwrite=True)
    body = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(body).hexdigest()
    # The name changes with the content, so that the description in place stays true until it is replaced.
    name = f"head-{digest[:12]}.safetensors"
    write_atomically(folder / name, body)
    about = {"format_version": FORMAT_VERSION, **about, "arrays": name, "arrays_sha256": digest}
    write_atomically(folder / DESCRIPTION, (json.dumps(about, indent=2) + "\n").encode())
    for old in folder.glob("head-*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)


def read_folder(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """
    Read arrays and description, checking one against the other.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    arrays : dict of arrays
    about : dict

    Raises
    ------
    FileNotFoundError
        If one of the files is missing.
    ValueError
        If they are of a later version, unreadable or changed.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no model: there is no {DESCRIPTION} in it")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the description of a model: {error!r}") from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format_version {version!r}, but this galzoo_repr reads version {FORMAT_VERSION}; "
            "update galzoo_repr to read it"
        )
    if missing := _NEEDED - set(about):
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
    arrays = folder / Path(about["arrays"]).name
    if not arrays.is_file():
        raise FileNotFoundError(f"{arrays} is missing; copy the whole folder of the model")
    body = arrays.read_bytes()
    if hashlib.sha256(body).hexdigest() != about["arrays_sha256"]:
        raise ValueError(f"{arrays} has changed since it was saved; get the folder again from where it came")
    return load(body), about


def find_folder(source: str | os.PathLike) -> Path:
    """
    Find a model by folder or by name on the hub.

    Parameters
    ----------
    source : str or os.PathLike
        Folder, or ``"hf-hub:owner/repository"``.

    Returns
    -------
    pathlib.Path
    """
    if not str(source).startswith(_HUB):
        return Path(source)
    from galzoo_repr.finetuning._hub import download

    return download(str(source).removeprefix(_HUB))
