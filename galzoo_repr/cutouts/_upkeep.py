"""Looking after a store: what is in it, what of it is in use, and what may go."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import astropy.units as u
from astropy.table import Column, Table

from galzoo_repr._folder import publish
from galzoo_repr.cutouts import _keeping, _maintenance
from galzoo_repr.cutouts._bodies import picture_path, store_error
from galzoo_repr.cutouts._checks import check_keep, check_max_size
from galzoo_repr.cutouts._export import export
from galzoo_repr.cutouts._manifest import STEM, CutoutStoreError, Manifest
from galzoo_repr.cutouts._owners import new_owner

__all__ = ["Upkeep"]


class Upkeep:
    """
    The part of a store that keeps it whole and within its size.

    Parameters
    ----------
    keep, max_size
        As for `CutoutStore`.
    """

    root: Path
    manifest: Manifest
    read_only: bool

    def __init__(self, keep: str | None, max_size: u.Quantity | str | None):
        # A configuration that cannot be meant is refused here, too, before anything is fetched.
        kept, most = check_keep(keep), check_max_size(max_size)
        self._keep = None if keep is None else kept
        self._max_size = None if max_size is None else most
        self._holder = new_owner()

    @property
    def keep(self) -> str:
        """What is left of a cutout that was fetched to be encoded: ``"fits"``, ``"jpeg"`` or ``"none"``."""
        return self._keep or check_keep(None)

    @keep.setter
    def keep(self, keep: str | None) -> None:
        self._keep = None if keep is None else check_keep(keep)

    @property
    def max_size(self) -> float | None:
        """Room on disk in bytes; None for no limit."""
        return self._max_size or check_max_size(None)

    @property
    def size(self) -> int:
        """Bytes of all files, each once, although it may answer several requests."""
        return _keeping.total_size(self.manifest)

    def hold(self, digests: Collection[str]) -> None:
        """
        Note that bodies are in use: none of them makes room for others within the hour, or until `release`.

        Parameters
        ----------
        digests : collection of str
            SHA-256 of the bodies.
        """
        if digests and not self.read_only:
            _keeping.hold(self.manifest, digests, self._holder, passing=self.keep != "fits")

    def hold_files(self, paths: Sequence[str]) -> None:
        """
        Note that bodies are in use, as `hold` does, by their files.

        Parameters
        ----------
        paths : sequence of str
            Paths, such as the column ``cutout``; those of other folders are passed over.
        """
        if not self.read_only:
            self.hold(self.manifest.digests({os.path.basename(path)[:STEM] for path in paths}))

    def release(self, digests: Collection[str] | None = None) -> None:
        """
        Let bodies go that were held.

        Parameters
        ----------
        digests : collection of str, optional
            SHA-256 of the bodies; all that this object holds when not given.
        """
        if not self.read_only:
            _keeping.release(self.manifest, self._holder, digests)

    def drop(self, pictures: Mapping[str, bytes]) -> set[str]:
        """
        Remove bodies that were fetched to be used once, keeping at most a picture of each.

        Those that were there before, or that another call wants, stay.

        Parameters
        ----------
        pictures : mapping of str to bytes
            By the SHA-256 of each body, a JPEG to keep, or nothing.

        Returns
        -------
        set of str
            SHA-256 of those that went.

        Raises
        ------
        CutoutStoreError
            If a picture cannot be written.
        """
        try:
            for digest, picture in pictures.items():
                if picture:
                    publish(picture_path(self.root, digest), picture, sync=False)
        except FileNotFoundError as error:
            raise CutoutStoreError(error.errno, f"the store of cutouts {self.root} was removed") from error
        except OSError as error:
            raise store_error(self.root, error) from error
        sizes = {digest: len(picture) for digest, picture in pictures.items()}
        gone = _keeping.drop(self.manifest, sizes, self._holder, pictures=sizes)
        for digest in sizes.keys() - gone:
            picture_path(self.root, digest).unlink(missing_ok=True)
        return gone

    def picture(self, digest: str) -> str:
        """
        File of the small picture that was kept of a body.

        Parameters
        ----------
        digest : str
            SHA-256 of the body.

        Returns
        -------
        str
            Empty when there is none.
        """
        path = str(picture_path(self.root, digest))
        return path if os.path.isfile(path) else ""

    def shrink(self) -> int:
        """
        Remove the files used longest ago until the store has the size that it may have.

        Returns
        -------
        int
            Files that went. Those that a call is fetching, or has looked up within the hour and not let go, stay.
        """
        return 0 if self.max_size is None or self.read_only else _keeping.shrink(self.manifest, self.max_size)

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
            If some are damaged, dropped to save room, or not of this store, and so left out; or of layers whose counts
            are not nanomaggies per pixel of 0.262 arcsec, which the files do not say.
        """
        return export(self.manifest, folder, cutouts=cutouts, names=names)

    def prune(
        self,
        *,
        older_than: u.Quantity | None = None,
        layer: str | None = None,
        failures: bool = False,
        max_size: u.Quantity | str | None = None,
    ) -> int:
        """
        Make room: drop entries that meet all conditions given, with their files.

        Other processes may fetch, publish and read meanwhile: what they are fetching stays, and whatever goes is
        fetched again when it is next wanted.

        Parameters
        ----------
        older_than : `~astropy.units.Quantity`, optional
            Age, such as ``30 * u.day``.
        layer : str, optional
            Image layer.
        failures : bool, optional
            Only requests that brought no usable cutout, so that they are asked again.
        max_size : `~astropy.units.Quantity` or str, optional
            Then remove the files used longest ago until the store is within this size, such as ``"5 GB"``. What
            was in them is remembered, so that embeddings are not computed again.

        Returns
        -------
        int
            Entries dropped, and files removed for their size. Without any condition none is, but files left over by
            killed processes are removed.

        Raises
        ------
        TypeError
            If ``older_than`` is no time, ``layer`` no text, or ``max_size`` no amount of data.
        CutoutStoreError
            If the store is read-only.
        """
        size = None if max_size is None else check_max_size(max_size)
        return _maintenance.prune(
            self.manifest, older_than=older_than, layer=layer, failures=failures, max_size=size
        )
