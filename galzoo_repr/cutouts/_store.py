"""Cutouts on disk: bodies as the server sent them, and a manifest of what was asked."""

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import astropy.units as u

from galzoo_repr._arguments import check_path
from galzoo_repr._config import cache_path, log
from galzoo_repr._folder import published
from galzoo_repr.cutouts import _maintenance
from galzoo_repr.cutouts._bodies import body_name, is_whole, store_error
from galzoo_repr.cutouts._manifest import REQUEST_FIELDS, CutoutStoreError, Manifest, request_values
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._upkeep import Upkeep

__all__ = ["CutoutStore", "opened"]

_LOOKED_AFTER = 0.02
"""Part of the largest size that comes before the whole is added up again."""


class CutoutStore(Upkeep):
    """
    Folder of cutouts that several processes can share and that survives being killed.

    Parameters
    ----------
    root : str or pathlib.Path, optional
        Folder; the package's cache when not given. It is made when missing.
    read_only : bool, optional
        Never write. Found out from the folder when not given.
    keep : {"fits", "jpeg", "none"}, optional
        What `galzoo_repr.add_embeddings` leaves of a cutout that it has fetched and encoded: the file, a small
        picture to look at, or nothing. ``conf.keep`` when not given.
    max_size : `~astropy.units.Quantity` or str, optional
        Room on disk, such as ``"20 GB"``; ``conf.max_cache_size`` when not given. When more comes, the files used
        longest ago go, unless a call is at them.

    Raises
    ------
    TypeError
        If ``root`` is no path, or ``max_size`` no amount of data.
    ValueError
        If ``keep`` is none of these, or ``max_size`` cannot be read.
    CutoutStoreError
        If the folder cannot be used.

    Notes
    -----
    Bodies lie at ``ab/cd/<digest>.fits`` (or ``.jpg``), named by their SHA-256, exactly as the server sent
    them. They are written to a hidden file and renamed, so a file under its final name is complete. Of a body that
    was dropped to save room, the manifest remembers the digest, by which its embeddings are found.
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

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        *,
        read_only: bool | None = None,
        keep: str | None = None,
        max_size: u.Quantity | str | None = None,
    ):
        if root is not None and not isinstance(root, str | os.PathLike):
            raise TypeError(f"a store of cutouts is a folder, not {root!r}; give a path or a CutoutStore")
        super().__init__(keep, max_size)
        self._grown = 0
        self.root = check_path(
            cache_path("cutouts") if root is None else root, "a store of cutouts"
        ).absolute()
        self._root_name = str(self.root)
        path = self.root / "manifest.sqlite"
        if read_only is None:
            read_only = not self._make_root()
        if read_only and not path.exists():
            raise CutoutStoreError(
                f"there is no store of cutouts in {self.root}, and one cannot be made there; give another folder"
            )
        self.read_only = read_only
        self.manifest = Manifest(path, read_only=read_only)

    def _make_root(self) -> bool:
        """Whether the folder exists, or could be made, and can be written."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            if not self.root.is_dir():
                raise CutoutStoreError(
                    f"the store of cutouts {self.root} cannot be made: {error}; give another folder"
                ) from error
            return False
        except OSError as error:
            if error.errno != errno.EROFS or not self.root.is_dir():
                raise store_error(self.root, error) from error
            return False
        return os.access(self.root, os.W_OK)

    def __repr__(self) -> str:
        return f"CutoutStore({str(self.root)!r})"

    def __reduce__(self) -> tuple:
        return _reopened, (self.root, self.read_only, self._keep, self._max_size)

    def __enter__(self) -> "CutoutStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """
        Close the manifest.

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> store = CutoutStore("cutouts")
        >>> store.close()
        """
        with suppress(CutoutStoreError):
            self.release()
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

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> from galzoo_repr.cutouts import Attempt, CutoutRequest, Outcome
        >>> service = ("https://example.org/viewer", "viewer")
        >>> request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", *service)
        >>> attempt = Attempt(Outcome("ok", final=True), b"SIMPLE  = ...")
        >>> with CutoutStore("cutouts") as store:
        ...     store.publish(request, attempt)
        ...     store.path(request, attempt.outcome).read_bytes()
        b'SIMPLE  = ...'
        """
        name = self.name(request, outcome)
        return Path(name) if name else None

    def name(self, request: CutoutRequest, outcome: Outcome) -> str:
        """
        File that answers a request, as text, which for a million rows is much quicker.

        Parameters
        ----------
        request, outcome
            As for `path`.

        Returns
        -------
        str
            Empty when nothing was kept.

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> from galzoo_repr.cutouts import Attempt, CutoutRequest, Outcome
        >>> service = ("https://example.org/viewer", "viewer")
        >>> request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", *service)
        >>> attempt = Attempt(Outcome("ok", final=True), b"SIMPLE  = ...")
        >>> with CutoutStore("cutouts") as store:
        ...     store.publish(request, attempt)
        ...     store.name(request, attempt.outcome) == str(store.path(request, attempt.outcome))
        True
        """
        return body_name(self._root_name, request, outcome)

    def lookup(
        self, requests: Sequence[CutoutRequest], *, enough: Enough | None = None
    ) -> list[Outcome | None]:
        """
        Give what is known of many requests.

        Parameters
        ----------
        requests : sequence of CutoutRequest
            What is asked.
        enough : callable, optional
            Told the requests whose body has gone, with their outcomes, says for each whether it is not needed any
            more. Then the outcome has a length of 0.

        Returns
        -------
        list of Outcome or None
            None for what was never asked, and where the body is needed, but has gone or has another length than it
            had.

        Raises
        ------
        CutoutStoreError
            If the manifest is damaged.

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> from galzoo_repr.cutouts import CutoutRequest, Outcome
        >>> service = ("https://example.org/viewer", "viewer")
        >>> request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", *service)
        >>> with CutoutStore("cutouts") as store:
        ...     store.lookup([request])
        [None]
        """
        wanted = {request.key: request for request in requests}
        known: dict[bytes, Outcome | None] = dict(self.manifest.lookup(list(wanted)))
        used, gone = set(), []
        for key, outcome in known.items():
            if outcome.digest:
                if is_whole(self._root_name, wanted[key], outcome):
                    used.add(outcome.digest)
                else:
                    outcome.n_bytes = 0
                    gone.append((wanted[key], outcome))
        unneeded = enough(gone) if enough is not None and gone else [False] * len(gone)
        known.update({request.key: None for (request, _), no in zip(gone, unneeded, strict=True) if not no})
        self.hold(used)
        return [known.get(request.key) for request in requests]

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

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> from galzoo_repr.cutouts import Attempt, CutoutRequest, Outcome
        >>> service = ("https://example.org/viewer", "viewer")
        >>> request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", *service)
        >>> attempt = Attempt(Outcome("ok", final=True), b"SIMPLE  = ...")
        >>> with CutoutStore("cutouts") as store:
        ...     store.publish(request, attempt)
        ...     attempt.outcome.n_bytes
        13
        """
        outcome = attempt.outcome
        outcome.digest, outcome.n_bytes = hashlib.sha256(attempt.body).hexdigest(), len(attempt.body)
        path = Path(self.name(request, outcome))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without waiting for the disk: what a power cut takes is fetched again.
            with published(path, sync=False) as draft:
                draft.write_bytes(attempt.body)
                self._note(request, outcome.digest)
                with self.manifest.transaction():
                    self.manifest.announce(request, outcome)
                    self.hold([outcome.digest])
        except BaseException as error:
            # Unless another call has brought the same body.
            if not is_whole(self._root_name, request, outcome):
                with suppress(CutoutStoreError):
                    self.manifest.forget([request.key])
            outcome.digest, outcome.n_bytes = "", 0
            if isinstance(error, OSError) and not isinstance(error, CutoutStoreError):
                raise store_error(self.root, error) from error
            raise
        self._grown += outcome.n_bytes
        if self.max_size is not None and self._grown > _LOOKED_AFTER * self.max_size:
            self._grown = 0
            self.shrink()

    def _note(self, request: CutoutRequest, digest: str) -> None:
        """Tell the journal which request a body answers."""
        note = {"digest": digest, **dict(zip(REQUEST_FIELDS, request_values(request), strict=True))}
        with open(self.root / "journal.jsonl", "ab", buffering=0) as journal:
            # One short write to a file opened for appending: lines of several processes do not mix.
            journal.write(f"{json.dumps(note)}\n".encode())

    def record(self, rows: Sequence[tuple[CutoutRequest, Outcome]]) -> None:
        """
        Write outcomes into the manifest.

        Parameters
        ----------
        rows : sequence of tuple
            Requests and their outcomes.

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> from galzoo_repr.cutouts import CutoutRequest, Outcome
        >>> service = ("https://example.org/viewer", "viewer")
        >>> request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", *service)
        >>> with CutoutStore("cutouts") as store:
        ...     store.record([(request, Outcome("no_coverage", "nothing there", final=True))])
        ...     store.lookup([request])[0].status
        'no_coverage'
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

        Examples
        --------
        >>> from galzoo_repr import CutoutStore
        >>> CutoutStore("cutouts").close()
        >>> with CutoutStore.rebuild("cutouts") as store:
        ...     len(store.stats())
        0
        """
        root = Path(root).expanduser().absolute()
        for suffix in ("", "-wal", "-shm"):
            old = root / f"manifest.sqlite{suffix}"
            if old.exists():
                os.replace(old, root / f"manifest.damaged{suffix}")
        store = cls(root)
        rows = _maintenance.indexed(root)
        store.record(rows)
        log.info("Indexed %d cutouts in %s.", len(rows), root)
        return store


def opened(store: CutoutStore | str | os.PathLike | None, keep: str | None) -> tuple[CutoutStore, bool]:
    """
    Store that a caller gave, its folder or the package's own, and whether it was opened here and is to be closed.

    `keep` is what it shall leave of cutouts, if that is not for the store to say.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from galzoo_repr.cutouts import CutoutStore, opened
    >>> with TemporaryDirectory() as folder, CutoutStore(folder) as given:
    ...     store, is_opened_here = opened(given, "none")
    ...     store.close()
    ...     is_opened_here, opened(given, None) == (given, False)
    (True, True)
    """
    if not isinstance(store, CutoutStore):
        return CutoutStore(store, keep=keep), True
    if keep is None or keep == store.keep:
        return store, False
    return _reopened(store.root, store.read_only, keep, store.max_size), True


def _reopened(root: Path, read_only: bool, keep: str | None, max_size: float | None) -> CutoutStore:
    size = None if max_size is None else max_size * u.byte
    return CutoutStore(root, read_only=read_only or None, keep=keep, max_size=size)
