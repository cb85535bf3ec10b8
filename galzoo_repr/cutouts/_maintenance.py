"""Looking after a store of cutouts: what is in it, whether it is whole, and away with it."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Column, Table

from galzoo_repr.cutouts._bodies import body_name
from galzoo_repr.cutouts._checks import check_text
from galzoo_repr.cutouts._keeping import forget, remove_orphans, shrink
from galzoo_repr.cutouts._manifest import REQUEST_FIELDS, STEM, CutoutStoreError, Manifest
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._status import STATUSES, USABLE
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["describe", "indexed", "prune", "stats", "verify"]

_NAN = float("nan")
_NOTHING = CutoutRequest(_NAN, _NAN, 0, _NAN, "", "", "", "", "")


def stats(manifest: Manifest) -> Table:
    """See `CutoutStore.stats`."""
    counts = manifest.counts()
    table = Table(
        {
            "status": np.array([status for status, _, _ in counts], dtype=str),
            "n": np.array([n for _, n, _ in counts], dtype=int),
            "size": np.array([size or 0 for _, _, size in counts], dtype=int) * u.byte,
            "meaning": np.array([STATUSES.get(status, "") for status, _, _ in counts], dtype=str),
        }
    )
    table.meta["root"] = str(manifest.root)
    return table


def _bodies(manifest: Manifest) -> Iterator[tuple[bytes, CutoutRequest, Outcome, Path]]:
    """Every request that a body answers, by key, with the file."""
    for key, request, outcome in manifest.rows("digest != '' AND n_bytes > 0"):
        yield key, request, outcome, Path(body_name(manifest.root, request, outcome))


def describe(manifest: Manifest, cutouts: Sequence[str] | Column) -> Table:
    """See `CutoutStore.describe`."""
    stems = [os.path.splitext(os.path.basename(str(path)))[0][:STEM] for path in cutouts]
    known = manifest.described(set(stems))
    nothing = (*(getattr(_NOTHING, name) for name in REQUEST_FIELDS), "")
    rows = [known.get(stem, nothing) for stem in stems]
    columns = (
        dict(zip((*REQUEST_FIELDS, "cutout_status"), zip(*rows, strict=True), strict=True)) if rows else {}
    )
    table = Table()
    names = ("route", "server", "layer", "image_format", "bands", "size")
    for name, kind in zip(names, (str, str, str, str, str, int), strict=True):
        table[name] = np.array(columns.get(name, ()), dtype=kind)
    for name, unit in (("pixel_scale", u.arcsec), ("ra", u.deg), ("dec", u.deg)):
        table[name] = Column(columns.get(name, ()), dtype=float, unit=unit)
    table["cutout_status"] = np.array(columns.get("cutout_status", ()), dtype=str)
    return table


def verify(manifest: Manifest, *, repair: bool) -> Table:
    """See `CutoutStore.verify`."""
    manifest.check()
    on_its_way = manifest.leased()
    problems: dict[Path, str] = {}
    bad = []
    for key, request, outcome, path in _bodies(manifest):
        if key in on_its_way and not path.exists():
            continue
        if path not in problems:
            problems[path] = (
                _problem(path, outcome) if path.name else "the manifest names no file of the store"
            )
        if problems[path]:
            bad.append((key, request, path))
    if repair and bad:
        _refuse_read_only(manifest, "repaired")
        for key, _, path in bad:
            with manifest.transaction() as db:
                # Read again: another process may have fetched it anew meanwhile.
                claimed = db.execute("SELECT 1 FROM claim WHERE key = ?", (key,)).fetchone()
                outcomes = manifest.lookup([key])
                if not claimed and key in outcomes and _problem(path, outcomes[key]):
                    if path.name:
                        path.unlink(missing_ok=True)
                    manifest.forget([key])
    return Table(
        {
            "ra": np.array([request.ra for _, request, _ in bad], dtype=float) * u.deg,
            "dec": np.array([request.dec for _, request, _ in bad], dtype=float) * u.deg,
            "cutout": np.array([str(path) for _, _, path in bad], dtype=str),
            "problem": np.array([problems[path] for _, _, path in bad], dtype=str),
        }
    )


def _problem(path: Path, outcome: Outcome) -> str:
    try:
        body = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if len(body) != outcome.n_bytes:
        return f"has {len(body)} bytes instead of {outcome.n_bytes}"
    return "" if hashlib.sha256(body).hexdigest() == outcome.digest else "is not what was stored"


def prune(
    manifest: Manifest,
    *,
    older_than: u.Quantity | None,
    layer: str | None,
    failures: bool,
    max_size: float | None,
) -> int:
    """See `CutoutStore.prune`."""
    _refuse_read_only(manifest, "pruned")
    check_text("layer", layer, "the name of an image layer")
    if older_than is not None and not (
        isinstance(older_than, u.Quantity) and older_than.unit.is_equivalent(u.s)
    ):
        raise TypeError(f"older_than={older_than!r} is not a time; give a unit, such as 30 * u.day")
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
    dropped = forget(manifest, " AND ".join(where), values) if where else 0
    if max_size is not None:
        dropped += shrink(manifest, max_size)
    remove_orphans(manifest)
    return dropped


def _refuse_read_only(manifest: Manifest, what: str) -> None:
    if manifest.read_only:
        raise CutoutStoreError(f"the store of cutouts {manifest.root} is read-only and cannot be {what}")


def indexed(root: Path) -> list[tuple[CutoutRequest, Outcome]]:
    """Requests and outcomes by the journal of a store, as far as the bodies are whole."""
    rows = []
    journal = root / "journal.jsonl"
    for line in journal.read_text().splitlines() if journal.exists() else ():
        try:
            fields = json.loads(line)
            # Any length but 0, which is that of a body that was dropped.
            outcome = Outcome("", digest=fields.pop("digest"), n_bytes=1)
            request = CutoutRequest(**fields)
            body = Path(body_name(root, request, outcome)).read_bytes()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
        if hashlib.sha256(body).hexdigest() == outcome.digest:
            digest, outcome = outcome.digest, validate_body(request, body)
            outcome.digest, outcome.n_bytes, outcome.http_code = digest, len(body), 200
            outcome.attempts, outcome.time = 1, time.time()
            rows.append((request, outcome))
    return rows
