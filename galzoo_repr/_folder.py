"""What is kept on disk: files that appear complete, folders of a card and its arrays, and the lock on both."""

import glob
import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "FolderFormat",
    "left_by_desktops",
    "locked",
    "pack_arrays",
    "publish",
    "published",
    "read_json",
    "unpack_arrays",
]

_STAMP = 12  # hexadecimal digits in a name
_LEFT_OVER = 24 * 3600.0  # seconds after which nobody writes a draft any more
_LARGEST_JSON = 1 << 26
_AGAIN = "get the folder again from where it came"
_Content = TypeVar("_Content")
_BY_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory"}


def left_by_desktops(name: str | Path) -> bool:
    """
    Tell whether a file is one that file managers leave in folders and archives, beside what the user put there.

    Examples
    --------
    >>> from galzoo_repr._folder import left_by_desktops
    >>> left_by_desktops("__MACOSX/._galaxies.csv"), left_by_desktops("galaxies.csv")
    (True, False)
    """
    parts = PurePosixPath(str(name).replace(os.sep, "/")).parts
    # Forks of files on disks that know none begin so.
    return "__MACOSX" in parts or (bool(parts) and (parts[-1] in _BY_DESKTOPS or parts[-1].startswith("._")))


@contextmanager
def published(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """
    Write a file such that a reader, a kill or a power cut finds the old one or the new one.

    Parameters
    ----------
    path : pathlib.Path
        Where it shall be, in a folder that exists. A link is written through, not replaced.
    sync : bool
        Wait until it is on the disk: write, fsync, rename, fsync of the folder. Without, a power cut may leave an
        empty file; for what can be made again.

    Yields
    ------
    pathlib.Path
        A hidden file beside it with the same ending, to be written. It takes its place when the block ends, and
        is removed if the block fails. One that a writer of the same file left when it was killed is removed by the
        next, a day later, but where `sync` is false.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr._folder import published
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "notes.txt")
    ...     with published(target) as draft:
    ...         _ = draft.write_text("complete")
    ...     target.read_text()
    'complete'
    """
    target = path.resolve()
    # With what is added, a long name would be too long for the file system.
    stem, ending = target.stem[:40], target.suffix if len(target.suffix) <= 16 else ""
    draft = target.with_name(f".{stem}.{uuid.uuid4().hex[:_STAMP]}.part{ending}")
    try:
        yield draft
        if sync:
            with draft.open("r+b") as file:
                os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    if sync:
        _remove_drafts(target.parent, f".{glob.escape(stem)}.{'[0-9a-f]' * _STAMP}.part{glob.escape(ending)}")
    if sync and os.name == "posix":
        # A new name is only on the disk once its folder is.
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_drafts(folder: Path, pattern: str) -> None:
    """Remove what was begun more than a day ago."""
    for path in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _LEFT_OVER:
                path.unlink()


def publish(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write the content of a file as `published` does."""
    with published(path, sync=sync) as draft:
        draft.write_bytes(content)


@contextmanager
def locked(path: Path, *, wait: float = 60.0, by: str = "another process") -> Iterator[None]:
    """
    Hold what several processes may write, while it is read, changed and written.

    `path` is the file that is written last; the lock is ``.<name>.lock`` beside it, freed by the system when its
    process ends. After so many seconds to wait, 0 to give up at once, a `BlockingIOError` says that it is in use,
    `by` whom.
    """
    target = path.resolve()
    # Whoever may write into the folder may hold the lock, whichever of them came first.
    mode = target.parent.stat().st_mode & 0o666
    lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=wait, mode=mode, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(f"{path} is in use by {by}; end that one, or give another path") from None
    try:
        yield
    finally:
        lock.release()


def read_json(path: Path) -> object:
    """
    Read a JSON file.

    A `FileNotFoundError` if there is none; a `ValueError` if it is not JSON, is nested too deeply to be anything of
    this package, or is larger than 64 MiB.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")
    with path.open("rb") as file:
        content = file.read(_LARGEST_JSON + 1)
    if len(content) > _LARGEST_JSON:
        raise ValueError(f"{path} is larger than {_LARGEST_JSON >> 20} MiB")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None


@dataclass(frozen=True)
class FolderFormat:
    """
    A kind of folder: a card in JSON, and what the card names and binds by its digest.

    That is a safetensors file, and where need be a folder within that the arrays belong to. The card is replaced
    last and at once, so that a reader finds the old arrays with the old card or the new ones with the new card,
    whenever a writer is killed.

    Parameters
    ----------
    what : str
        What the folder holds, for messages: ``"an encoder"``.
    card : str
        Name of the card: ``"encoder.json"``.
    arrays : str
        Entry of the card that names the file of arrays; its SHA-256 stands under the same name and ``_sha256``.
    stem : str
        Name of the file of arrays without its ending.
    within : str
        Entry of the card that names the folder within, if there is one; its digest stands under the same name and
        ``_digest``.
    needed : frozenset of str
        Further entries that a card must have.
    optional : mapping
        Entries that it may lack, with what they are then. Where any are given, others are refused.
    version : int
        ``format_version`` of the card.
    """

    what: str
    card: str
    arrays: str
    stem: str
    within: str = ""
    needed: frozenset[str] = frozenset()
    optional: Mapping[str, object] = field(default_factory=dict)
    version: int = 1

    def save(
        self,
        folder: Path,
        about: Mapping[str, object],
        body: bytes,
        *,
        overwrite: bool,
        within: tuple[str, Callable[[Path], None]] | None = None,
    ) -> None:
        """
        Write a folder, made if it does not exist; a `FileExistsError` if there is one that may not be replaced.

        `about` has entries of the card, which JSON can hold, and `body` is the safetensors file. `within` is the
        digest of what the folder within shall hold, and what writes that into a folder.
        """
        self._check_free(folder, overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / self.card):
            self._check_free(folder, overwrite)
            old = self._left_in(folder)
            digest = hashlib.sha256(body).hexdigest()
            # Not the name of other arrays in place, so that the card in place stays true until it is replaced.
            stamp = f"-{digest[:_STAMP]}" if old else ""
            arrays = folder / f"{self.stem}{stamp}.safetensors"
            card = {"format_version": self.version, **about}
            card |= {self.arrays: arrays.name, f"{self.arrays}_sha256": digest}
            new = {arrays}
            if within is not None:
                digest, write = within
                inner = folder / f"{self.within}-{digest[:_STAMP]}"
                write(inner)
                card |= {self.within: inner.name, f"{self.within}_digest": digest}
                new.add(inner)
            publish(arrays, body)
            publish(folder / self.card, (json.dumps(card, indent=2) + "\n").encode())
            for path in old - new:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _check_free(self, folder: Path, overwrite: bool) -> None:
        if not overwrite and (folder / self.card).exists():
            raise FileExistsError(
                f"{folder} already holds {self.what}; give another folder, or overwrite=True"
            )

    def _left_in(self, folder: Path) -> set[Path]:
        """What was saved there before, and drafts of writers that were killed, since the lock is held."""
        stamp = "[0-9a-f]" * _STAMP
        names = {self.stem, f"{self.stem}-{stamp}"}
        patterns = {f"{name}.safetensors" for name in names}
        patterns |= {f".{name}.{stamp}.part.safetensors" for name in names}
        patterns |= {f".{Path(self.card).stem}.{stamp}.part.json"}
        if self.within:
            patterns |= {f"{self.within}-{stamp}"}
        return {path for pattern in patterns for path in folder.glob(pattern)}

    def read_card(self, folder: Path) -> dict:
        """
        Read and check the card alone, which this or an earlier version of the package wrote.

        A `FileNotFoundError` if there is none; a `ValueError` if it is not JSON, of a later format, or incomplete.
        """
        path = folder / self.card
        try:
            card = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            is_file = "it is a file, not a folder" if folder.is_file() else "there is no such folder"
            raise FileNotFoundError(
                f"{folder} does not hold {self.what}: "
                + (f"there is no {self.card} in it" if folder.is_dir() else is_file)
            ) from None
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}; {_AGAIN}") from error
        version = card.get("format_version") if isinstance(card, dict) else None
        if version != self.version:
            raise ValueError(
                f"{path} has format_version {version!r}, but this galzoo_repr reads version {self.version}; "
                "update galzoo_repr to read it"
            )
        # Notes and figures for people may lack some.
        if bad := [name for name in card if name not in ("card", "report") and not _is_finite(card[name])]:
            raise ValueError(f"{path} holds numbers that are not finite in {', '.join(map(repr, bad))}")
        needed = {self.arrays, f"{self.arrays}_sha256", "format_version", *self.needed}
        if missing := needed - set(card):
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}; {_AGAIN}")
        if self.optional and (unknown := set(card) - needed - set(self.optional)):
            raise ValueError(f"{path} has entries that are unknown: {', '.join(sorted(unknown))}")
        for entry in (self.arrays, self.within):
            if (name := card.get(entry)) is not None and Path(str(name)).name != name:
                raise ValueError(f"{path} names {entry} outside its folder: {name!r}")
        return {**self.optional, **card}

    def load(self, folder: Path, read: Callable[[dict, Path], _Content]) -> _Content:
        """
        Give what `read` makes of the entries of the card and the file of the arrays, which is as the card says.

        `read` is called again where a writer has replaced both meanwhile. A `FileNotFoundError` if the card or what
        it names is missing; a `ValueError` if anything is not as described.
        """
        card = self.read_card(folder)
        while True:
            try:
                return read(card, self._checked_arrays(folder, card))
            except FileNotFoundError:
                # A writer may have replaced the card, and removed what it named, since it was read.
                newer = self.read_card(folder)
                if newer == card:
                    raise
                card = newer

    def _checked_arrays(self, folder: Path, card: Mapping[str, object]) -> Path:
        path = folder / str(card[self.arrays])
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, IsADirectoryError):
            raise FileNotFoundError(f"{path} is missing; copy the whole folder of {self.what}") from None
        if digest != card[f"{self.arrays}_sha256"]:
            raise ValueError(
                f"{path} has changed since it was saved: its SHA-256 is not the one in {self.card}; {_AGAIN}"
            )
        return path


def pack_arrays(**parts: "DataclassInstance") -> bytes:
    """Arrays among the fields of some dataclasses as a safetensors file, each under the name ``part.field``."""
    values = {f"{part}.{one.name}": getattr(of, one.name) for part, of in parts.items() for one in fields(of)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def unpack_arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """What `pack_arrays` packed: arrays by part and field; a `ValueError` if one of them holds NaN or infinity."""
    try:
        arrays = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise ValueError(
                f"{path} holds numbers that are not finite in {name!r}; get it again from where it came"
            )
        part, _, of = name.partition(".")
        parts.setdefault(part, {})[of] = array
    return parts


def _is_finite(entry: object) -> bool:
    """Whether no number in what JSON holds is NaN or infinite."""
    if isinstance(entry, dict | list):
        return all(map(_is_finite, entry.values() if isinstance(entry, dict) else entry))
    return not isinstance(entry, float) or math.isfinite(entry)
