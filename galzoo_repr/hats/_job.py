"""What a job over the partitions of a catalogue has done, kept where any of its processes finds it."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._folder import locked, publish
from galzoo_repr.hats._folder import HatsFolder, Pixel, declare_complete, partition_path

__all__ = ["Job", "Parts", "parts_of_job"]

_HIDDEN = ".galzoo_repr"
_CARD = "job.json"
_VERSION = 1


@dataclass(frozen=True)
class Job:
    """
    One call over all partitions, and the folder of its result.

    A partition is done when its file is there, which appears complete; failed when it has a note that says why.

    Attributes
    ----------
    out : pathlib.Path
        Folder of the new catalogue.
    call : str
        Name of the verb.
    pixels : list of Pixel
        Its partitions, along the sky.
    """

    out: Path
    call: str
    pixels: list[Pixel]

    @classmethod
    def begin(
        cls,
        out: str | os.PathLike,
        call: str,
        catalogue: HatsFolder,
        arguments: Mapping[str, object],
        *,
        overwrite: bool = False,
    ) -> "Job":
        """
        Begin a job, or find the one that was begun in this folder.

        Raises
        ------
        FileExistsError
            If there is anything else.
        ValueError
            If the job there is another one, or would write over its own input.
        """
        out = Path(out).expanduser()
        if out.exists() and catalogue.root.exists() and out.samefile(catalogue.root):
            raise ValueError(f"out={str(out)!r} is the catalogue itself; give a new folder")
        if not out.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {out.parent} to make {out.name} in")
        card = {
            "format_version": _VERSION,
            "call": call,
            "catalogue": str(catalogue.root.resolve()),
            "rows": catalogue.properties.get("hats_nrows", ""),
            "arguments": {name: described(value) for name, value in sorted(arguments.items())},
            "pixels": [list(pixel) for pixel in catalogue.pixels],
        }
        hidden = out / _HIDDEN
        if overwrite and out.exists():
            _refuse_others(out)
            if _card_of(out) != json.loads(json.dumps(card)):
                shutil.rmtree(out)
        hidden.mkdir(parents=True, exist_ok=True)
        with locked(hidden / _CARD):
            found = _card_of(out)
            if found is None:
                _refuse_others(out)
                publish(hidden / _CARD, (json.dumps(card, indent=1) + "\n").encode())
            elif found != json.loads(json.dumps(card)):
                raise ValueError(
                    f"{out} holds {found['call']} with other arguments, or of another catalogue "
                    f"({_difference(found, card)}); give another folder, or overwrite=True to begin anew"
                )
        return cls(out, call, list(catalogue.pixels))

    @property
    def hidden(self) -> Path:
        """Folder of what the job needs for itself."""
        return self.out / _HIDDEN

    def path_of(self, pixel: Pixel) -> Path:
        """File of a partition that is done."""
        return partition_path(self.out, pixel)

    def note_of(self, pixel: Pixel) -> Path:
        """File that says why a partition failed."""
        return self.hidden / "failed" / f"{pixel.order}_{pixel.number}.json"

    def missing(self, pixels: list[Pixel] | None = None) -> list[Pixel]:
        """Partitions that are not done."""
        return [
            pixel for pixel in (self.pixels if pixels is None else pixels) if not self.path_of(pixel).exists()
        ]

    def reason_of(self, pixel: Pixel) -> str:
        """Why a partition failed; empty if it did not."""
        try:
            return json.loads(self.note_of(pixel).read_text(encoding="utf-8"))["reason"]
        except FileNotFoundError:
            return ""

    def give_up(self) -> None:
        """Remove what was begun, if no partition is done."""
        if len(self.missing()) == len(self.pixels):
            shutil.rmtree(self.out, ignore_errors=True)

    def finish(self, properties: Mapping[str, str]) -> bool:
        """Declare the catalogue complete if all its partitions are there; tell whether it is."""
        if self.missing():
            return False
        with locked(self.hidden / _CARD):
            if not (self.out / "hats.properties").exists():
                for draft in (self.out / "dataset").glob("*/*/.*.part.parquet"):
                    draft.unlink(missing_ok=True)  # of processes that were killed
                declare_complete(self.out, self.pixels, {**properties, "obs_collection": self.out.name})
        return True


@dataclass(frozen=True)
class Parts:
    """
    How far a job is.

    Attributes
    ----------
    call : str
        Name of the verb.
    done, missing : list of str
        Partitions, as ``"Norder=2, Npix=77"``.
    failed : dict of str to str
        The reason for each partition that failed; they are missing, too.
    """

    call: str
    done: list[str]
    missing: list[str]
    failed: dict[str, str]


def parts_of_job(out: str | os.PathLike) -> Parts:
    """
    Say which partitions of a catalogue in the making are done, missing or failed.

    Parameters
    ----------
    out : str or os.PathLike
        Folder that was given as ``out=``.

    Returns
    -------
    Parts

    Raises
    ------
    FileNotFoundError
        If no job was begun there.
    """
    out = Path(out).expanduser()
    card = _card_of(out)
    if card is None:
        raise FileNotFoundError(f"no work by partition was begun in {out}")
    job = Job(out, card["call"], [Pixel(*pixel) for pixel in card["pixels"]])
    missing = job.missing()
    failed = {str(pixel): reason for pixel in missing if (reason := job.reason_of(pixel))}
    gone = set(missing)
    return Parts(job.call, [str(p) for p in job.pixels if p not in gone], [str(p) for p in missing], failed)


def _card_of(out: Path) -> dict | None:
    path = out / _HIDDEN / _CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; remove the folder {out} and begin anew") from error
    if card.get("format_version") != _VERSION:
        raise ValueError(f"{path} was written by a later galzoo_repr; update it, or give another folder")
    return card


def _refuse_others(out: Path) -> None:
    if _card_of(out) is None and any(path.name != _HIDDEN for path in out.iterdir()):
        raise FileExistsError(f"{out} exists, and is not the result of such a call; give another folder")


def _difference(found: Mapping, card: Mapping) -> str:
    """Say what distinguishes two jobs."""
    if found["call"] != card["call"]:
        return f"this is {card['call']}"
    for key in ("catalogue", "rows", "pixels"):
        if found[key] != json.loads(json.dumps(card))[key]:
            return f"{key} differs"
    ours, theirs = card["arguments"], found["arguments"]
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return f"{names[0]}={theirs.get(names[0])} there, {ours.get(names[0])} now"


def described(value: object) -> str | None:
    """Give an argument as text that is the same for the same value, in any process."""
    if value is None or isinstance(value, bool | int | float | str | os.PathLike):
        return None if value is None else str(value)
    if isinstance(digest := getattr(value, "digest", None), str) and digest:
        return digest
    if isinstance(value, SkyCoord):
        return value.icrs.to_string("decimal", precision=9).__repr__()
    if isinstance(value, Table):
        return described(
            [np.asarray(value[name]) for name in value.colnames if value[name].dtype is not None]
        )
    if isinstance(value, Mapping):
        return str({str(key): described(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return str([described(item) for item in value])
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        digest = hashlib.sha256(f"{content.dtype.str}{content.shape}".encode())
        digest.update(repr(content.tolist()).encode() if content.dtype.kind == "O" else content.tobytes())
        return digest.hexdigest() + (f" {value.unit}" if hasattr(value, "unit") else "")
    facts = {name: getattr(value, name, None) for name in ("server", "layer", "root")}
    return type(value).__name__ + (f" {facts}" if any(facts.values()) else "")
