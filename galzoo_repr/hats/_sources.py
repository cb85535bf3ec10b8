"""What may be given as a catalogue of partitions: its folder, or what lsdb made of one."""

import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from galzoo_repr._folder import locked
from galzoo_repr.hats._folder import HatsFolder, as_writable

if TYPE_CHECKING:
    import lsdb
    from distributed import Client

__all__ = ["HatsLike", "answer", "opened"]

# lsdb is imported only by those who have a catalogue of it.
#: A HATS catalogue: its folder, or a catalogue of LSDB.
HatsLike: TypeAlias = Union[str, os.PathLike, "lsdb.Catalog"]


def opened(table: HatsLike, out: str | os.PathLike | None, client: "Client | None" = None) -> HatsFolder:
    """
    Open the partitions of a catalogue.

    What LSDB would compute, such as a selection, is written by LSDB into a hidden folder of `out` first, under a name
    that tells its content, since `out` may hold the result of another selection; masks, units and meta are those of
    the catalogue that it was opened from.
    """
    if out is None:
        raise ValueError("out= is missing: give the folder in which the new HATS catalogue shall be made")
    if isinstance(table, str | os.PathLike):
        return HatsFolder.open(table)
    hidden = Path(out).expanduser() / ".galzoo_repr"
    with as_writable(hidden.parent):
        hidden.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="input-", suffix=".part", dir=hidden) as draft:
        written = Path(draft, "input")
        _written(table, written, client)
        place = hidden / f"input-{HatsFolder.open(written).digest[:16]}"
        with locked(place):
            if not place.exists():
                os.replace(written, place)
    origin = getattr(table.hc_structure, "catalog_path", None)
    metadata = HatsFolder.open(str(origin)).schema.metadata if origin and Path(str(origin)).is_dir() else {}
    return replace(HatsFolder.open(place), metadata=metadata or {})


def _written(table: "lsdb.Catalog", place: Path, client: "Client | None") -> None:
    import dask

    settings = {} if client is not None else {"scheduler": "synchronous"}
    with warnings.catch_warnings(), dask.config.set(**settings):
        warnings.simplefilter("ignore")
        try:
            # No collection, so that its margin, whose galaxies are in other partitions too, stays behind.
            table.write_catalog(place, catalog_name=place.stem, progress_bar=False, as_collection=False)
        except RuntimeError as error:
            if "is empty" not in str(error):
                raise
            raise ValueError("the selection of LSDB has no rows, so there is nothing to work on") from error


def answer(table: HatsLike, out: Path) -> HatsLike:
    """Give the new catalogue in the form of the one that was given."""
    if isinstance(table, str | os.PathLike):
        return out
    import lsdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lsdb.open_catalog(str(out))
