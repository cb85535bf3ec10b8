"""Looking after a store of cutouts: what is in it, whether it is whole, out of it, and away with it."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Column, Table

from galzoo_repr.cutouts._checks import check_text
from galzoo_repr.cutouts._manifest import Manifest
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.cutouts._status import STATUSES, USABLE

__all__ = ["StoreCare"]

_ORPHAN_SECONDS = 3600.0
"""Files without an entry are left alone for this long: another process may be about to record them."""
_NAN = float("nan")
_NOTHING = CutoutRequest(_NAN, _NAN, 0, _NAN, "", "", "", "", "")


class StoreCare:
    """The part of `CutoutStore` that looks after what it holds."""

    root: Path
    manifest: Manifest

    def _bodies(self) -> Iterator[tuple[bytes, CutoutRequest, Outcome]]:
        """Every request that a body answers."""
        return self.manifest.rows("digest != ''")

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
            One row per path, with the columns ``route``, ``server``, ``layer``, ``bands``, ``size``,
            ``pixel_scale``, ``ra``, ``dec`` and ``cutout_status``; text is empty and numbers are 0 or NaN for
            a path that is not of this store.
        """
        known = {outcome.digest[:32]: (request, outcome) for _, request, outcome in self._bodies()}
        nothing = (_NOTHING, Outcome(""))
        found = [known.get(Path(str(path)).stem, nothing) for path in cutouts]
        table = Table()
        for name, kind in (("route", str), ("server", str), ("layer", str), ("bands", str), ("size", int)):
            table[name] = np.array([getattr(request, name) for request, _ in found], dtype=kind)
        for name, unit in (("pixel_scale", u.arcsec), ("ra", u.deg), ("dec", u.deg)):
            table[name] = Column([getattr(request, name) for request, _ in found], dtype=float, unit=unit)
        table["cutout_status"] = np.array([outcome.status for _, outcome in found], dtype=str)
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
        on_its_way = self.manifest.claimed()
        verdicts: dict[Path, str] = {}
        bad = []
        for key, request, outcome in self._bodies():
            path = self._body_path(outcome.digest, request.image_format)
            if key in on_its_way and not path.exists():
                continue
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
        for _, request, outcome in self._bodies():
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

        Raises
        ------
        TypeError
            If ``older_than`` is no time, or ``layer`` no text.
        """
        self._refuse_read_only("pruned")
        check_text("layer", layer, "the name of an image layer")
        if older_than is not None and not (
            isinstance(older_than, u.Quantity) and older_than.unit.is_equivalent(u.s)
        ):
            raise TypeError(f"older_than={older_than!r} is not a time; give a unit, such as 30 * u.day.")
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
            self._body_path(outcome.digest, request.image_format) for _, request, outcome in self._bodies()
        }
        horizon = time.time() - _ORPHAN_SECONDS
        for path in [*self.root.glob("tmp/*"), *self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")]:
            limit = horizon if path.parent.name == "tmp" else time.time() - age
            if path not in needed and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)


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
