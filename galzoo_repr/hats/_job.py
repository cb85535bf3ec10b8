"""What a job over the partitions of a catalogue has done, kept where any of its processes finds it."""

import hashlib
import json
import os
import pickle
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from textwrap import shorten

import numpy as np
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Row, Table

from galzoo_repr._arguments import check_path
from galzoo_repr._folder import left_by_desktops, locked, publish
from galzoo_repr.hats._declare import conform, declare_complete
from galzoo_repr.hats._folder import HatsFolder, Pixel, as_writable, partition_path

__all__ = ["Job", "Parts", "parts_of_job"]

__doctest_requires__ = {"parts_of_job": ["lsdb"]}

_HIDDEN = ".galzoo_repr"
_CARD = "job.json"
_VERSION = 1
_OF_CATALOGUE = {
    "catalogue": "its path or selection differs",
    "rows": "its number of rows differs",
    "pixels": "its partitions differ",
    "content": "its columns differ",
}
# What tells the images of one survey from those of another.
_OF_SURVEY = ("server", "layer", "root", "image_format", "zero_point", "native_scale")
_KILLED = (
    "{} ended without a word, as when it is killed by the queue or for want of memory; give it more, or write the "
    "catalogue with fewer rows in a partition (max_rows=)"
)


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
        Name of the function.
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
        if "://" in str(out):
            raise ValueError(f"out={str(out)!r} must be a folder on a file system that is mounted here")
        out = check_path(out, "a HATS catalogue")
        remote = "://" in str(catalogue.root)
        if not remote and out.exists() and out.samefile(catalogue.root):
            raise ValueError(f"out={str(out)!r} is the catalogue itself; give a new folder")
        if not out.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {out.parent} to make {out.name} in")
        card = {
            "format_version": _VERSION,
            "call": call,
            "catalogue": str(catalogue.root if remote else catalogue.root.resolve()),
            "rows": catalogue.properties.get("hats_nrows", ""),
            "content": catalogue.digest,
            "arguments": {name: described(value) for name, value in sorted(arguments.items())},
            "pixels": [list(pixel) for pixel in catalogue.pixels],
        }
        with as_writable(out):
            cls._begin(out, json.loads(json.dumps(card)), overwrite)
        return cls(out, call, list(catalogue.pixels))

    @staticmethod
    def _begin(out: Path, card: dict, overwrite: bool) -> None:
        hidden = out / _HIDDEN
        if overwrite and out.exists():
            _refuse_others(out)
            if _card_of(out) != card:
                _empty(out, but=Path(card["catalogue"]))
        hidden.mkdir(parents=True, exist_ok=True)
        with locked(hidden / _CARD):
            found = _card_of(out)
            if found is None:
                _refuse_others(out)
                publish(hidden / _CARD, (json.dumps(card, indent=1) + "\n").encode())
            elif found != card:
                selection = Path(card["catalogue"])
                if selection.parent == hidden.resolve() and found["catalogue"] != card["catalogue"]:
                    shutil.rmtree(selection)
                raise ValueError(
                    f"{out} holds {found['call']} with other arguments, or of another catalogue "
                    f"({_difference(found, card)}); give another folder, or overwrite=True to begin anew"
                )

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

    def aside(self, pixel: Pixel) -> Path:
        """Where a partition that has scores is kept until all are ranked."""
        return self.hidden / "aside" / f"{pixel.order}_{pixel.number}.parquet"

    def scores_of(self, pixel: Pixel) -> Path:
        """Where its scores are kept."""
        return self.aside(pixel).with_suffix(".npy")

    def is_scored(self, pixel: Pixel) -> bool:
        """Tell whether a partition has its scores, with ranks or without."""
        # In this order, since what is set aside may come to its place between both looks.
        return self.aside(pixel).exists() or self.path_of(pixel).exists()

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
            holder, alive = self.holder_of(pixel)
            return _KILLED.format(holder) if holder and not alive else ""

    def _hand_of(self, pixel: Pixel) -> Path:
        return self.hidden / "begun" / f"{pixel.order}_{pixel.number}.json"

    @contextmanager
    def in_hand(self, pixel: Pixel) -> Iterator[None]:
        """Note who works on a partition: when that process is killed, the note is left, and nobody holds its lock."""
        path = self._hand_of(pixel)
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, wait=1.0, by="another process, which has this partition in hand"):
            who = f"process {os.getpid()} on {socket.gethostname()}"
            since = datetime.now().astimezone().isoformat(" ", "seconds")
            publish(path, json.dumps({"who": f"{who} since {since}"}).encode(), sync=False)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def holder_of(self, pixel: Pixel) -> tuple[str, bool]:
        """Who began a partition and has not ended it, empty if nobody, and whether that process is still there."""
        path = self._hand_of(pixel)
        try:
            who = json.loads(path.read_text(encoding="utf-8"))["who"]
            with locked(path, wait=0):
                return (who, False) if path.exists() else ("", False)
        except FileNotFoundError:
            return "", False
        except BlockingIOError:
            return who, True

    def give_up(self) -> None:
        """Remove what was begun, if no partition is done or in hand."""
        if not any(self.is_scored(pixel) or self.holder_of(pixel)[1] for pixel in self.pixels):
            shutil.rmtree(self.out, ignore_errors=True)

    def finish(self, properties: Mapping[str, str]) -> bool:
        """Declare the catalogue complete if all its partitions are there; tell whether it is."""
        if self.missing():
            return False
        with locked(self.hidden / _CARD):
            if not (self.out / "hats.properties").exists():
                for draft in (self.out / "dataset").glob("*/*/.*.part.parquet"):
                    draft.unlink(missing_ok=True)  # of processes that were killed
                shutil.rmtree(self.hidden / "begun", ignore_errors=True)
                conform(self.out, self.pixels)
                declare_complete(self.out, self.pixels, {**properties, "obs_collection": self.out.name})
        return True


@dataclass(frozen=True)
class Parts:
    """
    How far a job is.

    Attributes
    ----------
    call : str
        Name of the function.
    done, missing : list of str
        Partitions, as ``"Norder=2, Npix=77"``.
    failed : dict of str to str
        The reason for each partition that failed, or whose process was killed; they are missing, too.
    in_hand : dict of str to str
        The process that works on each partition just now; they are missing, too.
    scored : list of str
        Partitions that are scored, and missing until all are and the same call without a part has ranked them.

    Examples
    --------
    >>> from galzoo_repr.hats import Parts
    >>> done, missing = ["Norder=2, Npix=76"], ["Norder=2, Npix=77"]
    >>> parts = Parts("add_embeddings", done, missing, {"Norder=2, Npix=77": "no space left on device"})
    >>> len(parts.done), len(parts.missing), parts.failed
    (1, 1, {'Norder=2, Npix=77': 'no space left on device'})
    """

    call: str
    done: list[str]
    missing: list[str]
    failed: dict[str, str]
    in_hand: dict[str, str] = field(default_factory=dict)
    scored: list[str] = field(default_factory=list)


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

    Examples
    --------
    >>> import tempfile
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import add_similarity, parts_of_job, to_hats
    >>> cat = Table({"ra": [10.0, 200.0], "dec": [1.0, 2.0], "embedding": [[1.0, 0.0], [0.6, 0.8]]})
    >>> with tempfile.TemporaryDirectory() as place:
    ...     survey = to_hats(cat, f"{place}/survey", max_rows=1)
    ...     out = add_similarity(survey, 0, out=f"{place}/alike", part=(1, 2), progress=False)
    ...     parts_of_job(out).scored
    ['Norder=0, Npix=4']
    """
    out = check_path(out, "a HATS catalogue")
    card = _card_of(out)
    if card is None:
        raise FileNotFoundError(f"no work by partition was begun in {out}")
    job = Job(out, card["call"], [Pixel(*pixel) for pixel in card["pixels"]])
    missing = job.missing()
    failed = {str(pixel): reason for pixel in missing if (reason := job.reason_of(pixel))}
    holders = {str(pixel): job.holder_of(pixel) for pixel in missing if str(pixel) not in failed}
    gone = set(missing)
    return Parts(
        job.call,
        [str(pixel) for pixel in job.pixels if pixel not in gone],
        [str(pixel) for pixel in missing],
        failed,
        {pixel: who for pixel, (who, _) in holders.items() if who},
        [str(pixel) for pixel in missing if job.aside(pixel).exists()],
    )


def _card_of(out: Path) -> dict | None:
    path = out / _HIDDEN / _CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; remove the folder {out} and begin anew") from error
    if card.get("format_version") != _VERSION:
        raise ValueError(f"{path} was written by a later galzoo_repr; update it, or give another folder")
    return card


def _empty(folder: Path, but: Path) -> None:
    """Remove all that is in a folder, except one that may be in it."""
    for path in folder.iterdir():
        if path.resolve() in but.parents:
            _empty(path, but)
        elif path.resolve() != but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _refuse_others(out: Path) -> None:
    if _card_of(out) is None and any(
        path.name != _HIDDEN and not left_by_desktops(path.name) for path in out.iterdir()
    ):
        raise FileExistsError(f"{out} exists, and is not the result of such a call; give another folder")


def _difference(found: Mapping, card: Mapping) -> str:
    """Say what distinguishes two jobs."""
    if found["call"] != card["call"]:
        return f"this is {card['call']}"
    for key, said in _OF_CATALOGUE.items():
        if found.get(key) != card[key]:
            return said
    ours, theirs = card["arguments"], found["arguments"]
    name = next(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
    there, now = (shorten(str(each.get(name)), 60, placeholder=" ...") for each in (theirs, ours))
    return f"{name}={there} there, {now} now" if there != now else f"{name} differs"


def described(value: object) -> str | None:
    """Give an argument as text that is the same for the same value, in any process, and another for another."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str | os.PathLike):
        return None if value is None else repr(value) if isinstance(value, str) else str(value)
    if isinstance(digest := getattr(value, "digest", None), str) and digest:
        return digest
    if isinstance(value, BaseCoordinateFrame | Row):
        value = SkyCoord(value) if isinstance(value, BaseCoordinateFrame) else Table(value)
    if isinstance(value, SkyCoord):
        return value.icrs.to_string("decimal", precision=9).__repr__()
    if isinstance(value, Table):
        return described({name: value[name] for name in value.colnames})
    if is_dataclass(value):
        return described({each.name: getattr(value, each.name) for each in fields(value)})
    if isinstance(value, Mapping):
        return str({str(key): described(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return str([described(item) for item in value])
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value)
        digest = hashlib.sha256(f"{content.dtype.str}{content.shape}".encode())
        digest.update(repr(content.tolist()).encode() if content.dtype.kind == "O" else content.tobytes())
        if np.ma.is_masked(value):
            digest.update(np.ma.getmaskarray(value).tobytes())
        return digest.hexdigest() + (f" {value.unit}" if getattr(value, "unit", None) else "")
    facts = {name: getattr(value, name, None) for name in _OF_SURVEY}
    if any(facts.values()):
        return f"{type(value).__name__} {facts}"
    try:
        return f"{type(value).__name__} {hashlib.sha256(pickle.dumps(value)).hexdigest()}"
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{value!r} cannot be told from others by the processes that go on with this work ({error}); give a name, "
            "a column, a file, or a function that is defined in a module"
        ) from error
