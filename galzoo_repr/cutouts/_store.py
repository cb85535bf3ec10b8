"""Cutouts on disk: bodies as the server sent them, and a manifest of what was asked."""

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import cache_path, log
from galzoo_repr.cutouts._manifest import CutoutStoreError, Manifest
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._status import STATUSES, USABLE
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["CutoutStore"]

_SUFFIXES = {"fits": ".fits", "jpeg": ".jpg"}
_ORPHAN_SECONDS = 3600.0
"""Files without an entry are left alone for this long: another process may be about to record them."""


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
        self.root = Path(cache_path("cutouts") if root is None else root).expanduser().absolute()
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
        return self.root / digest[:2] / digest[2:4] / f"{digest[:32]}{_SUFFIXES[image_format]}"

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
            return os.stat(self._body_path(outcome.digest, request.image_format)).st_size == outcome.n_bytes
        except OSError:
            return False

    def publish(self, request: CutoutRequest, attempt: Attempt) -> None:
        """
        Keep the body of an attempt, and note digest and length in its outcome.

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
        note = json.dumps({"digest": digest, **asdict(request)}) + "\n"
        try:
            if not path.exists() or path.stat().st_size != len(attempt.body):
                self._write(path, attempt.body)
            with open(self.root / "journal.jsonl", "ab", buffering=0) as journal:
                # One short write to a file opened for appending: lines of several processes do not mix.
                journal.write(note.encode())
        except OSError as error:
            raise _store_error(self.root, error) from error
        attempt.outcome.digest = digest
        attempt.outcome.n_bytes = len(attempt.body)

    def _write(self, path: Path, body: bytes) -> None:
        temporary = self.root / "tmp" / uuid.uuid4().hex
        try:
            temporary.write_bytes(body)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def record(self, rows: Sequence[tuple[CutoutRequest, Outcome]]) -> None:
        """
        Write outcomes into the manifest.

        Parameters
        ----------
        rows : sequence of tuple
            Requests and their outcomes.
        """
        self.manifest.record(rows)

    def stats(self) -> Table:
        """
        How many requests ended how.

        Returns
        -------
        astropy.table.Table
            Columns ``status``, ``n`` (requests), ``size`` (bytes) and ``meaning``, one row per status that
            occurs.
        """
        counts = self.manifest.counts()
        table = Table(
            {
                "status": np.array([status for status, _, _ in counts], dtype=str),
                "n": np.array([n for _, n, _ in counts], dtype=int),
                "size": np.array([size or 0 for _, _, size in counts], dtype=int) * u.byte,
                "meaning": np.array([STATUSES.get(status, "") for status, _, _ in counts], dtype=str),
            }
        )
        table.meta["root"] = str(self.root)
        return table

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
            If the manifest itself is damaged.
        """
        self.manifest.check()
        verdicts: dict[Path, str] = {}
        bad = []
        for key, request, outcome in self.manifest.rows("digest != ''"):
            path = self._body_path(outcome.digest, request.image_format)
            if path not in verdicts:
                verdicts[path] = _problem(path, outcome)
            if verdicts[path]:
                bad.append((key, request, path))
        if repair and bad:
            self._refuse_read_only("repaired")
            for _, _, path in bad:
                path.unlink(missing_ok=True)
            self.manifest.forget([key for key, _, _ in bad])
        return Table(
            {
                "ra": np.array([request.ra for _, request, _ in bad], dtype=float) * u.deg,
                "dec": np.array([request.dec for _, request, _ in bad], dtype=float) * u.deg,
                "cutout": np.array([str(path) for _, _, path in bad], dtype=str),
                "problem": np.array([verdicts[path] for _, _, path in bad], dtype=str),
            }
        )

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
            Where to; made when missing. Files that exist are left alone.
        cutouts : sequence of str, optional
            Paths, such as the column ``cutout``; every usable cutout when not given. Empty ones are left out.
        names : sequence of str, optional
            One name per element of ``cutouts``, without ending. Position, layer, bands, size and pixel
            scale make the name when not given.

        Returns
        -------
        astropy.table.Table
            Columns ``file``, ``ra``, ``dec``, ``layer``, ``bands``, ``size``, ``pixel_scale`` and
            ``cutout_status``.

        Raises
        ------
        ValueError
            If ``names`` does not fit ``cutouts``, or repeats itself.
        """
        if names is not None and (
            cutouts is None or len(names) != len(cutouts) or len(set(names)) != len(names)
        ):
            raise ValueError("names must be different, one for each element of cutouts.")
        wanted = None
        if cutouts is not None:
            wanted = {
                Path(str(path)).stem: None if names is None else names[i]
                for i, path in enumerate(cutouts)
                if path
            }
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for _, request, outcome in self.manifest.rows("digest != ''"):
            stem = outcome.digest[:32]
            if (wanted is None and outcome.status not in USABLE) or (
                wanted is not None and stem not in wanted
            ):
                continue
            name = (wanted or {}).get(stem) or _file_name(request)
            source = self._body_path(outcome.digest, request.image_format)
            target = folder / f"{name}{source.suffix}"
            if not target.exists():
                partial = target.with_name(f".{target.name}.part")
                shutil.copyfile(source, partial)
                os.replace(partial, target)
            rows.append((target.name, request.ra, request.dec, request.layer, request.bands, request.size,
                         request.pixel_scale, outcome.status))  # fmt: skip
        table = Table(
            rows=rows or None,
            names=("file", "ra", "dec", "layer", "bands", "size", "pixel_scale", "cutout_status"),
            dtype=(str, float, float, str, str, int, float, str),
        )
        table["ra"].unit = table["dec"].unit = u.deg
        table["pixel_scale"].unit = u.arcsec
        return table

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
        """
        self._refuse_read_only("pruned")
        where, values = [], []
        if older_than is not None:
            where.append("time < ?")
            values.append(time.time() - older_than.to_value(u.s))
        if layer is not None:
            where.append("layer = ?")
            values.append(layer)
        if failures:
            where.append(f"status NOT IN ({','.join('?' * len(USABLE))})")
            values.extend(sorted(USABLE))
        dropped = []
        if where:
            dropped = [key for key, _, _ in self.manifest.rows(" AND ".join(where), values)]
            self.manifest.forget(dropped)
        self._remove_orphans(_ORPHAN_SECONDS if not where else 0.0)
        return len(dropped)

    def _remove_orphans(self, age: float) -> None:
        needed = {
            self._body_path(outcome.digest, request.image_format)
            for _, request, outcome in self.manifest.rows("digest != ''")
        }
        horizon = time.time() - _ORPHAN_SECONDS
        for path in [*self.root.glob("tmp/*"), *self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")]:
            limit = horizon if path.parent.name == "tmp" else time.time() - age
            if path not in needed and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)

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


def _problem(path: Path, outcome: Outcome) -> str:
    try:
        body = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if len(body) != outcome.n_bytes:
        return f"has {len(body)} bytes instead of {outcome.n_bytes}"
    return "" if hashlib.sha256(body).hexdigest() == outcome.digest else "is not what was stored"


def _file_name(request: CutoutRequest) -> str:
    layer = request.layer.replace("/", "_")
    grid = f"{request.size}px_{request.pixel_scale:g}arcsec"
    return f"{request.ra:.5f}{request.dec:+.5f}_{layer}_{request.bands}_{grid}"
