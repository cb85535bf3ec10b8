"""A saved interest: ``interest.json`` and its arrays beside it, nothing that is executed when read."""

import hashlib
import json
import os
from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

__all__ = ["read_folder", "write_folder"]

DESCRIPTION = "interest.json"
FORMAT_VERSION = 1


def write_folder(folder: Path, arrays: dict[str, np.ndarray], about: dict, *, overwrite: bool) -> None:
    """
    Write arrays, and then the description that names them, each complete before it gets its name.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it does not exist.
    arrays : dict of arrays
    about : dict
        What JSON can hold.
    overwrite : bool
        Whether an interest that is there may be replaced.

    Raises
    ------
    FileExistsError
        If there is one and it may not be replaced.
    """
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(f"{folder} already holds an interest; give another folder, or overwrite=True")
    folder.mkdir(parents=True, exist_ok=True)
    body = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = hashlib.sha256(body).hexdigest()
    # The name changes with the content, so that the description in place stays true until it is replaced.
    name = f"interest-{digest[:12]}.safetensors"
    about = {"format_version": FORMAT_VERSION, **about, "arrays": name, "arrays_sha256": digest}
    replace_file(folder / name, body)
    replace_file(folder / DESCRIPTION, (json.dumps(about, indent=2) + "\n").encode())
    for old in folder.glob("interest-*.safetensors"):
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
        If one of the two files is missing.
    ValueError
        If they are of a later version, unreadable or changed.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no interest: there is no {DESCRIPTION} in it")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version, name, digest = (about[key] for key in ("format_version", "arrays", "arrays_sha256"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the description of an interest: {error!r}") from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format_version {version!r}, but this galzoo_repr reads version {FORMAT_VERSION}; "
            "update galzoo_repr to read it"
        )
    body = (folder / Path(name).name).read_bytes()
    if hashlib.sha256(body).hexdigest() != digest:
        raise ValueError(f"{folder / Path(name).name} has changed since it was saved")
    return load(body), about


def replace_file(path: Path, body: bytes) -> None:
    """
    Write a file such that a reader, or a power cut, finds the old one or the new one.

    Parameters
    ----------
    path : pathlib.Path
    body : bytes
    """
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":
        # A new name is only on disk once its folder is.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def arrays_of(parts: dict[str, object]) -> dict[str, np.ndarray]:
    """
    Collect the array fields of dataclasses under ``part.field``.

    Parameters
    ----------
    parts : dict of dataclass instances

    Returns
    -------
    dict of arrays
    """
    values = {f"{part}.{one.name}": getattr(of, one.name) for part, of in parts.items() for one in fields(of)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
