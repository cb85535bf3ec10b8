"""What is kept on disk: files that appear complete, folders of a card and its arrays, and the lock on both."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["FolderFormat", "locked", "publish", "published"]


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
        is removed if the block fails.

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
    # The stem is cut: with what is added, a long name would be too long for the file system.
    draft = target.with_name(f".{target.stem[:100]}.{uuid.uuid4().hex[:12]}.part{target.suffix}")
    try:
        yield draft
        if sync:
            with draft.open("r+b") as file:
                os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    if sync:
        _sync_folder(target.parent)


def publish(path: Path, content: bytes, *, sync: bool = True) -> None:
    """
    Write the content of a file as `published` does.

    Parameters
    ----------
    path : pathlib.Path
        Where.
    content : bytes
        What.
    sync : bool
        As for `published`.
    """
    with published(path, sync=sync) as draft:
        draft.write_bytes(content)


def _sync_folder(folder: Path) -> None:
    """Make names last: a new name is only on the disk once its folder is."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: float = 60.0) -> Iterator[None]:
    """
    Hold what several processes may write, while it is read, changed and written.

    Parameters
    ----------
    path : pathlib.Path
        The file that is written last. The lock is ``.<name>.lock`` beside it, freed by the system when its process
        ends.
    wait : float
        Seconds to wait for another process; 0 to give up at once.

    Raises
    ------
    BlockingIOError
        If another process, or another thread, holds it for longer.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=wait, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            f"{path} is in use by another process; end that one, or give another path"
        ) from None
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class FolderFormat:
    """
    A kind of folder: a card in JSON, and a safetensors file that the card names and binds by its digest.

    The card is replaced last and at once, so that a reader finds the old arrays with the old card or the new ones
    with the new card, whenever a writer is killed.

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
    needed: frozenset[str] = frozenset()
    optional: Mapping[str, object] = field(default_factory=dict)
    version: int = 1

    def check_free(self, folder: Path, *, overwrite: bool) -> None:
        """
        Refuse to replace what is there without leave.

        Parameters
        ----------
        folder : pathlib.Path
            Where something shall be saved.
        overwrite : bool
            Whether it may be replaced.

        Raises
        ------
        FileExistsError
            If there is one and it may not be replaced.
        """
        if not overwrite and (folder / self.card).exists():
            raise FileExistsError(
                f"{folder} already holds {self.what}; give another folder, or overwrite=True"
            )

    def save(self, folder: Path, about: Mapping[str, object], body: bytes, *, overwrite: bool) -> None:
        """
        Write a folder.

        Parameters
        ----------
        folder : pathlib.Path
            Made if it does not exist.
        about : mapping
            Entries of the card, which JSON can hold.
        body : bytes
            The arrays, as safetensors writes them.
        overwrite : bool
            Whether one that is there may be replaced.

        Raises
        ------
        FileExistsError
            If there is one and it may not be replaced.
        """
        self.check_free(folder, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / self.card):
            self.check_free(folder, overwrite=overwrite)
            digest = hashlib.sha256(body).hexdigest()
            old = {path.name for path in folder.glob(f"{self.stem}*.safetensors")}
            # Never the name of what is in place, so that the card in place stays true until it is replaced.
            name = f"{self.stem}-{digest[:12]}.safetensors" if old else f"{self.stem}.safetensors"
            publish(folder / name, body)
            card = {
                "format_version": self.version,
                **about,
                self.arrays: name,
                f"{self.arrays}_sha256": digest,
            }
            publish(folder / self.card, (json.dumps(card, indent=2) + "\n").encode())
            for one in old - {name}:
                (folder / one).unlink(missing_ok=True)

    def read_card(self, folder: Path) -> dict[str, object]:
        """
        Read and check the card alone.

        Parameters
        ----------
        folder : pathlib.Path
            Written by `save`, of this or an earlier version of the package.

        Returns
        -------
        dict
            All entries.

        Raises
        ------
        FileNotFoundError
            If there is no card.
        ValueError
            If it cannot be understood: not JSON, of a later format, or incomplete.
        """
        path = folder / self.card
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{folder} does not hold {self.what}: there is no {self.card} in it"
            ) from None
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}") from error
        version = card.get("format_version") if isinstance(card, dict) else None
        if version != self.version:
            raise ValueError(
                f"{path} has format_version {version!r}, but this galzoo_repr reads version {self.version}; "
                "update galzoo_repr to read it"
            )
        needed = {self.arrays, f"{self.arrays}_sha256", "format_version", *self.needed}
        if missing := needed - set(card):
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
        if self.optional and (unknown := set(card) - needed - set(self.optional)):
            raise ValueError(f"{path} has entries that are unknown: {', '.join(sorted(unknown))}")
        return {**self.optional, **card}

    def load(self, folder: Path) -> tuple[dict[str, object], Path]:
        """
        Read a folder, checking the arrays against the card.

        Parameters
        ----------
        folder : pathlib.Path
            Written by `save`, of this or an earlier version of the package.

        Returns
        -------
        card : dict
            All entries.
        path : pathlib.Path
            File of the arrays, for safetensors to read.

        Raises
        ------
        FileNotFoundError
            If the card or the arrays are missing.
        ValueError
            If anything in it is not as described.
        """
        card = self.read_card(folder)
        try:
            return card, self._checked_arrays(folder, card)
        except FileNotFoundError:
            # A writer may have replaced the card, and removed what it named, since it was read.
            card = self.read_card(folder)
            return card, self._checked_arrays(folder, card)

    def _checked_arrays(self, folder: Path, card: Mapping[str, object]) -> Path:
        path = folder / str(card[self.arrays])
        if path.parent != folder:
            raise ValueError(f"{folder / self.card} names a file outside its folder: {card[self.arrays]!r}")
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} is missing; copy the whole folder of {self.what}") from None
        if digest != card[f"{self.arrays}_sha256"]:
            raise ValueError(
                f"{path} has changed since it was saved: its SHA-256 is not the one in {self.card}; get the folder "
                "again from where it came"
            )
        return path
