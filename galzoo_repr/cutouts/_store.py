"""Cutouts on disk: bodies as the server sent them, and a manifest of what was asked."""

import errno
import hashlib
import json
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from galzoo_repr._config import cache_path, log
from galzoo_repr.cutouts._maintenance import StoreCare
from galzoo_repr.cutouts._manifest import REQUEST_FIELDS, CutoutStoreError, Manifest, request_values
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["CutoutStore"]

_SUFFIXES = {"fits": ".fits", "jpeg": ".jpg"}


class CutoutStore(StoreCare):
    """
    Folder of cutouts that several processes can share and that survives being killed.

    Parameters
    ----------
    root : str or pathlib.Path, optional
        Folder; the package's cache when not given. It is made when missing.
    read_only : bool, optional
        Never write. Found out from the folder when not given.

    Raises
    ------
    TypeError
        If ``root`` is no path.
    CutoutStoreError
        If the folder cannot be used.

    Notes
    -----
    Bodies lie at ``ab/cd/<digest>.fits`` (or ``.jpg``), named by their SHA-256, exactly as the server sent
    them. They are written to a temporary file and renamed, so a file under its final name is complete.
    ``manifest.sqlite`` holds the outcome of every request, failures included; ``journal.jsonl`` says which
    request each body answers, so that a damaged manifest can be made again (`rebuild`). SQLite's locks need
    a local or properly locking file system.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from galzoo_repr import CutoutStore
    >>> with TemporaryDirectory() as folder, CutoutStore(folder) as store:
    ...     len(store.stats())
    0
    """

    def __init__(self, root: str | os.PathLike | None = None, *, read_only: bool | None = None):
        if root is not None and not isinstance(root, str | os.PathLike):
            raise TypeError(f"A store of cutouts is a folder, not {root!r}; give a path or a CutoutStore.")
        self.root = Path(cache_path("cutouts") if root is None else root).expanduser().absolute()
        self._root_name = str(self.root)
        path = self.root / "manifest.sqlite"
        if read_only is None:
            read_only = not self._make_root()
        if read_only and not path.exists():
            raise CutoutStoreError(
                f"There is no store of cutouts in {self.root}, and one cannot be made there."
            )
        self.read_only = read_only
        self.manifest = Manifest(path, read_only=read_only)

    def _make_root(self) -> bool:
        """Whether the folder exists, or could be made, and can be written."""
        try:
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            if not self.root.is_dir():
                raise CutoutStoreError(
                    f"The store of cutouts {self.root} cannot be made: {error}."
                ) from error
            return False
        except OSError as error:
            if error.errno != errno.EROFS or not self.root.is_dir():
                raise _store_error(self.root, error) from error
            return False
        return os.access(self.root, os.W_OK) and os.access(self.root / "tmp", os.W_OK)

    def __repr__(self) -> str:
        return f"CutoutStore({str(self.root)!r})"

    def __reduce__(self) -> tuple:
        return CutoutStore, (self.root,)

    def __enter__(self) -> "CutoutStore":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the manifest."""
        self.manifest.close()

    def path(self, request: CutoutRequest, outcome: Outcome) -> Path | None:
        """
        File that answers a request.

        Parameters
        ----------
        request : CutoutRequest
            What was asked.
        outcome : Outcome
            What came of it.

        Returns
        -------
        pathlib.Path or None
            None when nothing was kept.
        """
        return self._body_path(outcome.digest, request.image_format) if outcome.digest else None

    def _body_path(self, digest: str, image_format: str) -> Path:
        return Path(self._body_name(digest, image_format))

    def _body_name(self, digest: str, image_format: str) -> str:
        # Text: for a million rows, making paths costs more than looking them up.
        return (
            f"{self._root_name}{os.sep}{digest[:2]}{os.sep}{digest[2:4]}{os.sep}"
            f"{digest[:32]}{_SUFFIXES[image_format]}"
        )

    def names(self, requests: Sequence[CutoutRequest], outcomes: Sequence[Outcome]) -> list[str]:
        """
        Give the files that answer many requests, as text.

        Parameters
        ----------
        requests : sequence of CutoutRequest
            What was asked.
        outcomes : sequence of Outcome
            What came of each.

        Returns
        -------
        list of str
            Empty where nothing was kept.
        """
        return [
            self._body_name(outcome.digest, request.image_format) if outcome.digest else ""
            for request, outcome in zip(requests, outcomes, strict=True)
        ]

    def lookup(self, requests: Sequence[CutoutRequest]) -> list[Outcome | None]:
        """
        Give what is known of many requests.

        Parameters
        ----------
        requests : sequence of CutoutRequest
            What is asked.

        Returns
        -------
        list of Outcome or None
            None for what was never asked, and where the body has gone or has another length than it had.

        Raises
        ------
        CutoutStoreError
            If the manifest is damaged.
        """
        keys = [request.key for request in requests]
        known = self.manifest.lookup(list(dict.fromkeys(keys)))
        found: list[Outcome | None] = []
        for key, request in zip(keys, requests, strict=True):
            outcome = known.get(key)
            if outcome is not None and outcome.digest and not self._is_whole(request, outcome):
                outcome = known[key] = None
            found.append(outcome)
        return found

    def _is_whole(self, request: CutoutRequest, outcome: Outcome) -> bool:
        try:
            return os.stat(self._body_name(outcome.digest, request.image_format)).st_size == outcome.n_bytes
        except OSError:
            return False

    def publish(self, request: CutoutRequest, attempt: Attempt) -> None:
        """
        Keep the body of an attempt, and note digest and length in its outcome.

        The manifest is told first, then the file takes its name: whenever the process is killed, a file
        under its final name is known, and never fetched again.

        Parameters
        ----------
        request : CutoutRequest
            What was asked.
        attempt : Attempt
            What came.

        Raises
        ------
        CutoutStoreError
            If the file cannot be written.
        """
        digest = hashlib.sha256(attempt.body).hexdigest()
        path = self._body_path(digest, request.image_format)
        attempt.outcome.digest = digest
        attempt.outcome.n_bytes = len(attempt.body)
        temporary = self.root / "tmp" / uuid.uuid4().hex
        try:
            temporary.write_bytes(attempt.body)
            self._note(request, digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.manifest.announce(request, attempt.outcome)
            os.replace(temporary, path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            with suppress(CutoutStoreError):
                self.manifest.forget([request.key])
            attempt.outcome.digest, attempt.outcome.n_bytes = "", 0
            if isinstance(error, OSError) and not isinstance(error, CutoutStoreError):
                raise _store_error(self.root, error) from error
            raise

    def _note(self, request: CutoutRequest, digest: str) -> None:
        """Tell the journal which request a body answers."""
        note = (
            json.dumps({"digest": digest, **dict(zip(REQUEST_FIELDS, request_values(request), strict=True))})
            + "\n"
        )
        with open(self.root / "journal.jsonl", "ab", buffering=0) as journal:
            # One short write to a file opened for appending: lines of several processes do not mix.
            journal.write(note.encode())

    def record(self, rows: Sequence[tuple[CutoutRequest, Outcome]]) -> None:
        """
        Write outcomes into the manifest.

        Parameters
        ----------
        rows : sequence of tuple
            Requests and their outcomes.
        """
        self.manifest.record(rows)

    @classmethod
    def rebuild(cls, root: str | os.PathLike) -> "CutoutStore":
        """
        Make a manifest again out of the bodies and the journal, after the old one was damaged.

        Parameters
        ----------
        root : str or pathlib.Path
            Folder of the store. A manifest in it is kept under the name ``manifest.damaged``.

        Returns
        -------
        CutoutStore
            With every body that is whole; failures are forgotten.
        """
        root = Path(root).expanduser().absolute()
        for suffix in ("", "-wal", "-shm"):
            old = root / f"manifest.sqlite{suffix}"
            if old.exists():
                os.replace(old, root / f"manifest.damaged{suffix}")
        store = cls(root)
        rows = []
        journal = root / "journal.jsonl"
        for line in journal.read_text().splitlines() if journal.exists() else ():
            try:
                fields = json.loads(line)
                digest = fields.pop("digest")
                request = CutoutRequest(**fields)
                body = store._body_path(digest, request.image_format).read_bytes()
            except (OSError, ValueError, TypeError, KeyError):
                continue
            if hashlib.sha256(body).hexdigest() == digest:
                outcome = validate_body(request, body)
                outcome.digest, outcome.n_bytes, outcome.http_code = digest, len(body), 200
                outcome.attempts, outcome.time = 1, time.time()
                rows.append((request, outcome))
        store.record(rows)
        log.info("Indexed %d cutouts in %s.", len(rows), root)
        return store

    def _refuse_read_only(self, what: str) -> None:
        if self.read_only:
            raise CutoutStoreError(f"The store of cutouts {self.root} is read-only and cannot be {what}.")


def _store_error(root: Path, error: OSError) -> CutoutStoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = (
            f"No space is left for cutouts in {root}. What was fetched is kept: make room, or choose another "
            "store, and call again."
        )
    else:
        message = f"The store of cutouts {root} cannot be written: {error}."
    return CutoutStoreError(error.errno or errno.EIO, message)
