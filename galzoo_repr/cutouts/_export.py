"""Cutouts out of a store, into a folder under names that people and other tools understand."""

import hashlib
import os
import uuid
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import astropy.units as u
from astropy.table import Column, Table

from galzoo_repr._arguments import check_path
from galzoo_repr.cutouts._bodies import PICTURE, body_name
from galzoo_repr.cutouts._caller import level_of_the_caller
from galzoo_repr.cutouts._file_names import same_name, stems
from galzoo_repr.cutouts._flux_scales import known_scale
from galzoo_repr.cutouts._manifest import STEM, Manifest
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._status import USABLE
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["export"]

Known = tuple[CutoutRequest, Outcome]


def export(
    manifest: Manifest,
    folder: str | os.PathLike,
    *,
    cutouts: Sequence[str] | Column | None,
    names: Sequence[str] | None,
) -> Table:
    """See `CutoutStore.export`."""
    if names is not None:
        names = [str(name) for name in names]
        if cutouts is None or len(names) != len(cutouts) or len(set(names)) != len(names):
            raise ValueError(
                f"names must be different, one for each element of cutouts; {len(names)} were given, of them "
                f"{len(set(names))} different"
            )
    folder = check_path(folder, "a folder of cutouts")
    folder.mkdir(parents=True, exist_ok=True)
    rows, scaled, strange, dropped, damaged = [], set(), 0, 0, 0
    files = _Files(folder)
    for name, known in _wanted(manifest, cutouts, names):
        if known is None:
            strange += 1
            continue
        request, outcome = known
        if not outcome.n_bytes:
            dropped += 1
            continue
        source = Path(body_name(manifest.root, request, outcome))
        body = _whole_body(source, outcome)
        if body is None:
            damaged += 1
            continue
        file = files.write(_name_of(request) if name is None else name, body, outcome.digest, source.suffix)
        scale = known_scale(request.route, request.layer)
        if request.image_format == "fits" and (scale is None or {*scale.factors(request.bands)} != {1.0}):
            scaled.add(f"{request.layer} by {request.route}")
        rows.append((file, request.ra, request.dec, request.layer, request.bands, request.size,
                     request.pixel_scale, outcome.status))  # fmt: skip
    _warn(scaled, strange, dropped, damaged)
    return _table(rows)


def _wanted(
    manifest: Manifest, cutouts: Sequence[str] | Column | None, names: Sequence[str] | None
) -> Iterator[tuple[str | None, Known | None]]:
    """Name, if one is given, and cutout of every row; None for a path that is not of the store."""
    if cutouts is None:
        for _, request, outcome in manifest.rows("digest != ''"):
            if outcome.status in USABLE:
                yield None, (request, outcome)
        return
    paths = [str(path) for path in cutouts]
    wanted = {_stem(path) for path in paths if path}
    known: dict[str, Known] = {}
    for _, request, outcome in manifest.rows("digest != ''"):
        stem = outcome.digest[:STEM]
        # Of requests with the same answer, one whose body is there.
        if stem in wanted and (stem not in known or not known[stem][1].n_bytes):
            known[stem] = request, outcome
    for path, name in zip(paths, names or [None] * len(paths), strict=True):
        if path:
            yield name, known.get(_stem(path))


def _stem(path: str) -> str:
    """Letters of the digest in the name of a body, or of the small picture that was kept of it."""
    return Path(path.removesuffix(PICTURE)).stem


def _whole_body(source: Path, outcome: Outcome) -> bytes | None:
    try:
        body = source.read_bytes()
    except OSError:
        return None
    return body if hashlib.sha256(body).hexdigest() == outcome.digest else None


class _Files:
    """
    The files of a folder: one for each name and content, and none that was there before is changed.

    Names that differ in nothing but capitals, or in how accents are written, count as the same, as they are on some
    file systems, and in archives that travel there.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._there = {same_name(file): file for file in os.listdir(folder)}
        # What each file is for: the name that was given, and the digest.
        self._used: dict[str, tuple[str, str]] = {}

    def write(self, name: str, body: bytes, digest: str, suffix: str) -> str:
        """Give the file that holds a body under a name, written if it is not there."""
        for stem in stems(name, digest):
            file = f"{stem}{suffix}"
            key = same_name(file)
            if self._used.get(key, (name, digest)) != (name, digest):
                continue
            is_new = key not in self._there and _placed(self._folder / file, body)
            if not is_new and not self._holds(self._there.get(key, file), body):
                continue
            self._there.setdefault(key, file)
            self._used[key] = name, digest
            return self._there[key]
        raise AssertionError("names do not end")

    def _holds(self, file: str, body: bytes) -> bool:
        path = self._folder / file
        try:
            return path.is_file() and path.stat().st_size == len(body) and path.read_bytes() == body
        except OSError:
            return False


def _placed(path: Path, body: bytes) -> bool:
    """Write a file as a whole, under a name that no other has, be it of another process; whether that is so."""
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        draft.write_bytes(body)
        try:
            os.link(draft, path)
        except OSError:
            # The name is taken, or the file system has no links.
            if os.path.lexists(path):
                return False
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _name_of(request: CutoutRequest) -> str:
    grid = f"{request.size}px_{request.pixel_scale:g}arcsec"
    layer = request.layer.replace("/", "_")
    return f"{request.ra:.5f}{request.dec:+.5f}_{layer}_{request.bands}_{grid}"


def _warn(scaled: set[str], strange: int, dropped: int, damaged: int) -> None:
    words = []
    if scaled:
        words.append(
            f"counts in the files of {', '.join(sorted(scaled))} are not nanomaggies per pixel of 0.262 arcsec, and "
            "the files do not say so: give the column cutout_flux_scale of the catalogue along with them"
        )
    if strange:
        words.append(f"{strange} of the cutouts are not of this store, and are left out")
    if dropped:
        words.append(
            f"{dropped} of the cutouts were dropped to save room (keep, max_cache_size), and are left out: add_cutouts "
            "fetches them again"
        )
    if damaged:
        words.append(f"{damaged} of the cutouts are damaged, as verify() tells, and are left out")
    for word in words:
        warnings.warn(word, GalzooWarning, stacklevel=level_of_the_caller())


def _table(rows: list[tuple]) -> Table:
    table = Table(
        rows=rows or None,
        names=("file", "ra", "dec", "layer", "bands", "size", "pixel_scale", "cutout_status"),
        dtype=(str, float, float, str, str, int, float, str),
    )
    table["ra"].unit = table["dec"].unit = u.deg
    table["pixel_scale"].unit = u.arcsec
    return table
