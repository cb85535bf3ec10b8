"""Looking after a store of cutouts: what is in it, whether it is whole, out of it, and away with it."""

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Column, Table

from galzoo_repr._folder import published
from galzoo_repr.cutouts._bodies import STEM, body_name
from galzoo_repr.cutouts._caller import level_of_the_caller
from galzoo_repr.cutouts._checks import check_text
from galzoo_repr.cutouts._flux_scales import known_scale
from galzoo_repr.cutouts._manifest import CutoutStoreError, Manifest
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._status import STATUSES, USABLE
from galzoo_repr.cutouts._validate import validate_body
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["describe", "export", "indexed", "prune", "stats", "verify"]

_ORPHAN_SECONDS = 3600.0
"""Files without an entry are left alone for this long: another process may be about to record them."""
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
    for key, request, outcome in manifest.rows("digest != ''"):
        yield key, request, outcome, Path(body_name(manifest.root, request, outcome))


def describe(manifest: Manifest, cutouts: Sequence[str] | Column) -> Table:
    """See `CutoutStore.describe`."""
    stems = [Path(str(path)).stem for path in cutouts]
    wanted = set(stems)
    known = {
        outcome.digest[:STEM]: (request, outcome)
        for _, request, outcome in manifest.rows("digest != ''")
        if outcome.digest[:STEM] in wanted
    }
    found = [known.get(stem, (_NOTHING, Outcome(""))) for stem in stems]
    table = Table()
    names = ("route", "server", "layer", "image_format", "bands", "size")
    for name, kind in zip(names, (str, str, str, str, str, int), strict=True):
        table[name] = np.array([getattr(request, name) for request, _ in found], dtype=kind)
    for name, unit in (("pixel_scale", u.arcsec), ("ra", u.deg), ("dec", u.deg)):
        table[name] = Column([getattr(request, name) for request, _ in found], dtype=float, unit=unit)
    table["cutout_status"] = np.array([outcome.status for _, outcome in found], dtype=str)
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
        for _, _, path in bad:
            if path.name:
                path.unlink(missing_ok=True)
        manifest.forget([key for key, _, _ in bad])
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


def export(
    manifest: Manifest,
    folder: str | os.PathLike,
    *,
    cutouts: Sequence[str] | Column | None,
    names: Sequence[str] | None,
) -> Table:
    """See `CutoutStore.export`."""
    if names is not None and (cutouts is None or len(names) != len(cutouts) or len(set(names)) != len(names)):
        raise ValueError("names must be different, one for each element of cutouts")
    wanted = None
    if cutouts is not None:
        named = zip(cutouts, [None] * len(cutouts) if names is None else names, strict=True)
        wanted = {Path(str(path)).stem: name for path, name in named if path}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows, scaled = [], set()
    for _, request, outcome, source in _bodies(manifest):
        if source.stem not in wanted if wanted is not None else outcome.status not in USABLE:
            continue
        name = (wanted or {}).get(source.stem) or _file_name(request)
        target = folder / f"{name}{source.suffix}"
        if not target.exists():
            with published(target, sync=False) as draft:
                shutil.copyfile(source, draft)
        scale = known_scale(request.route, request.layer)
        if request.image_format == "fits" and (scale is None or {*scale.factors(request.bands)} != {1.0}):
            scaled.add(f"{request.layer} by {request.route}")
        rows.append((target.name, request.ra, request.dec, request.layer, request.bands, request.size,
                     request.pixel_scale, outcome.status))  # fmt: skip
    if scaled:
        warnings.warn(
            f"counts in the files of {', '.join(sorted(scaled))} are not nanomaggies per pixel of 0.262 arcsec, and "
            "the files do not say so: give the column cutout_flux_scale of the catalogue along with them",
            GalzooWarning,
            stacklevel=level_of_the_caller(),
        )
    table = Table(
        rows=rows or None,
        names=("file", "ra", "dec", "layer", "bands", "size", "pixel_scale", "cutout_status"),
        dtype=(str, float, float, str, str, int, float, str),
    )
    table["ra"].unit = table["dec"].unit = u.deg
    table["pixel_scale"].unit = u.arcsec
    return table


def _file_name(request: CutoutRequest) -> str:
    layer = request.layer.replace("/", "_")
    grid = f"{request.size}px_{request.pixel_scale:g}arcsec"
    return f"{request.ra:.5f}{request.dec:+.5f}_{layer}_{request.bands}_{grid}"


def prune(manifest: Manifest, *, older_than: u.Quantity | None, layer: str | None, failures: bool) -> int:
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
    dropped = []
    if where:
        dropped = [key for key, _, _ in manifest.rows(" AND ".join(where), values)]
        manifest.forget(dropped)
    _remove_orphans(manifest, _ORPHAN_SECONDS if not where else 0.0)
    return len(dropped)


def _remove_orphans(manifest: Manifest, age: float) -> None:
    """Remove files that no entry needs and that are older than some seconds; drafts always get their hour."""
    needed = {path for _, _, _, path in _bodies(manifest)}
    now = time.time()
    for path in [*manifest.root.glob("tmp/*"), *manifest.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")]:
        is_draft = path.name.startswith(".") or path.parent.name == "tmp"
        if path not in needed and path.stat().st_mtime < now - (_ORPHAN_SECONDS if is_draft else age):
            path.unlink(missing_ok=True)


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
            outcome = Outcome("", digest=fields.pop("digest"))
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
