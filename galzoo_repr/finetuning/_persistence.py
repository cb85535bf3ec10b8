"""A saved model: ``morphology.json``, its arrays, and the encoder that was fine-tuned with it; nothing is pickled."""

import shutil
from pathlib import Path

import numpy as np

from galzoo_repr._folder import FolderFormat, unpack_arrays
from galzoo_repr.encoders import Encoder

__all__ = ["read_folder", "write_folder"]

FORMAT = FolderFormat(
    what="a model",
    card="morphology.json",
    arrays="arrays",
    stem="head",
    within="encoder",
    needed=frozenset(
        {"calibration", "card", "classes", "fine_tuned", "label", "report", "schema", "task", "unit"}
    ),
)
_OF_OLD = "encoder"
"""Folder of the encoder, before it was named after its digest."""


def write_folder(folder: Path, about: dict, body: bytes, encoder: Encoder | None, *, overwrite: bool) -> None:
    """Write a model such that a reader finds the old head with the old encoder or the new ones, never a mixture."""
    stale = _has_encoder_of_old(folder)
    within = None
    if encoder is not None:
        within = encoder.digest, lambda inner: encoder.save(inner, overwrite=True)
    FORMAT.save(folder, about, body, overwrite=overwrite, within=within)
    if stale:
        shutil.rmtree(folder / _OF_OLD, ignore_errors=True)


def read_folder(
    folder: Path, device: str | None
) -> tuple[dict, dict[str, dict[str, np.ndarray]], Encoder | None]:
    """Entries of the card, arrays by part and field, and the encoder if it was fine-tuned."""

    def read(about: dict, path: Path) -> tuple[dict, dict[str, dict[str, np.ndarray]], Encoder | None]:
        encoder = None
        if about["fine_tuned"]:
            inner = folder / about.get("encoder", _OF_OLD)
            encoder = Encoder.load(inner, device=device)
            if encoder.digest != about.get("encoder_digest", encoder.digest):
                raise ValueError(
                    f"{inner} is not the encoder that {path.name} was trained with; get the folder again from where "
                    "it came"
                )
        return about, unpack_arrays(path), encoder

    return FORMAT.load(folder, read)


def _has_encoder_of_old(folder: Path) -> bool:
    """Whether a model is in place that an earlier version of the package saved with its encoder."""
    try:
        about = FORMAT.read_card(folder)
    except (FileNotFoundError, ValueError):
        return False
    return about["fine_tuned"] and "encoder" not in about
