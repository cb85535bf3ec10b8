"""Cutouts on disk: bodies as the server sent them, and a manifest of what was asked."""

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType

import astropy.units as u
from astropy.table import Column, Table

from galzoo_repr._config import cache_path, log
from galzoo_repr._folder import published
from galzoo_repr.cutouts import _maintenance
from galzoo_repr.cutouts._bodies import body_name, is_whole, store_error
from galzoo_repr.cutouts._export import export
from galzoo_repr.cutouts._manifest import REQUEST_FIELDS, CutoutStoreError, Manifest, request_values
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome

__all__ = ["CutoutStore"]


class CutoutStore:
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
    them. They are written to a hidden file and renamed, so a file under its final name is complete.
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
            raise TypeError(f"a store of cutouts is a folder, not {root!r}; give a path or a CutoutStore")
        self.root = Path(cache_path("cutouts") if root is None else root).expanduser().absolute()
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
        return partial(CutoutStore, read_only=self.read_only), (self.root,)

    def __enter__(self) -> "CutoutStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        """
        return body_name(self._root_name, request, outcome)

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
            if outcome is not None and outcome.digest and not is_whole(self._root_name, request, outcome):
                outcome = known[key] = None
            found.append(outcome)
        return found

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
        outcome = attempt.outcome
        outcome.digest, outcome.n_bytes = hashlib.sha256(attempt.body).hexdigest(), len(attempt.body)
        path = Path(self.name(request, outcome))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without waiting for the disk: what a power cut takes is fetched again.
            with published(path, sync=False) as draft:
                draft.write_bytes(attempt.body)
                self._note(request, outcome.digest)
                self.manifest.announce(request, outcome)
        except BaseException as error:
            with suppress(CutoutStoreError):
                self.manifest.forget([request.key])
            outcome.digest, outcome.n_bytes = "", 0
            if isinstance(error, OSError) and not isinstance(error, CutoutStoreError):
                raise store_error(self.root, error) from error
            raise

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
        rows = _maintenance.indexed(root)
        store.record(rows)
        log.info("Indexed %d cutouts in %s.", len(rows), root)
        return store

    def stats(self) -> Table:
        """
        How many requests ended how.

        Returns
        -------
        astropy.table.Table
            Columns ``status``, ``n`` (requests), ``size`` (bytes; a body that answers several requests counts for
            each) and ``meaning``, one row per status that occurs.
        """
        return _maintenance.stats(self.manifest)

    def describe(self, cutouts: Sequence[str] | Column) -> Table:
        """
        Say where cutouts came from.

        Parameters
        ----------
        cutouts : sequence of str
            Paths, such as the column ``cutout``.

        Returns
        -------
        astropy.table.Table
            One row per path, with the columns ``route``, ``server``, ``layer``, ``image_format``, ``bands``,
            ``size``, ``pixel_scale``, ``ra``, ``dec`` and ``cutout_status``; text is empty and numbers are 0 or NaN for
            a path that is not of this store.
        """
        return _maintenance.describe(self.manifest, cutouts)

    def verify(self, *, repair: bool = False) -> Table:
        """
        Read every body again and compare it with its digest.

        Parameters
        ----------
        repair : bool, optional
            Remove what is damaged and forget it, so that it is fetched again when next asked for.

        Returns
        -------
        astropy.table.Table
            Columns ``ra``, ``dec``, ``cutout`` (path) and ``problem``: one row per request whose body is bad.

        Raises
        ------
        CutoutStoreError
            If the manifest itself is damaged, or there is something to repair in a store that is read-only.
        """
        return _maintenance.verify(self.manifest, repair=repair)

    def export(
        self,
        folder: str | os.PathLike,
        *,
        cutouts: Sequence[str] | Column | None = None,
        names: Sequence[str] | None = None,
    ) -> Table:
        """
        Copy cutouts into one folder under names that people and other tools understand.

        Parameters
        ----------
        folder : str or pathlib.Path
            Where to; made when missing. Files that exist are left alone: what holds the same is taken for it, and what
            holds anything else keeps its name.
        cutouts : sequence of str, optional
            Paths, such as the column ``cutout``; every usable cutout when not given. Empty ones are left out.
        names : sequence of str, optional
            One name per element of ``cutouts``, without ending. Position, layer, bands, size and pixel
            scale make the name when not given. What cannot be in the name of a file becomes ``_``, and of names that
            would then be the same, or that some system takes for the same, the later ones end in eight digits of
            the content.

        Returns
        -------
        astropy.table.Table
            Columns ``file``, ``ra``, ``dec``, ``layer``, ``bands``, ``size``, ``pixel_scale`` and
            ``cutout_status``, one row for each cutout, in the order of ``cutouts``.

        Raises
        ------
        ValueError
            If ``names`` does not fit ``cutouts``, or repeats itself.

        Warns
        -----
        GalzooWarning
            If some are damaged or not of this store, and so left out; or of layers whose counts are not nanomaggies per
            pixel of 0.262 arcsec, which the files do not say.
        """
        return export(self.manifest, folder, cutouts=cutouts, names=names)

    def prune(
        self, *, older_than: u.Quantity | None = None, layer: str | None = None, failures: bool = False
    ) -> int:
        """
        Make room: drop entries that meet all conditions given, then files that no entry needs.

        Parameters
        ----------
        older_than : `~astropy.units.Quantity`, optional
            Age, such as ``30 * u.day``.
        layer : str, optional
            Image layer.
        failures : bool, optional
            Only requests that brought no usable cutout, so that they are asked again.

        Returns
        -------
        int
            Entries dropped. Without any condition none is, but files left over by killed processes are
            removed.

        Raises
        ------
        TypeError
            If ``older_than`` is no time, or ``layer`` no text.
        CutoutStoreError
            If the store is read-only.
        """
        return _maintenance.prune(self.manifest, older_than=older_than, layer=layer, failures=failures)
