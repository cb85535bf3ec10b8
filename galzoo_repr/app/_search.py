"""What is searched for on one page: examples and negatives, read once, and the galaxies found."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astropy.table import Table, vstack

from galzoo_repr._folder import publish
from galzoo_repr.app._pictures import jpeg_of
from galzoo_repr.catalogue import read_position, rows_named
from galzoo_repr.images import picture_of
from galzoo_repr.similarity import find_similar, query_table

if TYPE_CHECKING:
    from galzoo_repr.app._session import Desk

__all__ = ["LARGEST", "Example", "Found", "Search", "named_example"]

N = 120  # galaxies found
LARGEST = 32 * 2**20  # bytes of an image file that is dropped
CHIP = 96  # pixels of the picture of an example
# What may be the name of a celestial object, which is sent to a service.
_NAME = re.compile(r"[A-Za-z][\w +.*\[\]:-]{1,39}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Example:
    """One example: how it is called, its picture, and a table of its embedding that is a query."""

    name: str
    jpeg: bytes | None
    table: Table


@dataclass(frozen=True)
class Found:
    """Rows that were found, best first, with similarity and separation in arcsec (NaN where unknown)."""

    rows: list[int] = field(default_factory=list)
    similarity: dict[int, float] = field(default_factory=dict)
    separation: dict[int, float] = field(default_factory=dict)


class Search:
    """
    Reads examples, each once, and finds galaxies; to be called in a thread of its own.

    An example is a dict that JSON can hold: ``{"row": 3}``, ``{"text": "150.1 2.2"}``, or ``{"file": digest, "name":
    "ngc.jpg"}`` of a file that `keep_file` has kept. Text never names a file of this machine.

    Parameters
    ----------
    desk : Desk
        With embeddings.
    """

    def __init__(self, desk: Desk):
        self._desk, self._known = desk, {}

    def example(self, about: dict) -> Example:
        """Read an example; a `ValueError` says why it cannot be used."""
        key = repr(sorted(about.items()))
        if key not in self._known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they are for a script
                self._known[key] = self._read(about)
        return self._known[key]

    def find(self, query: dict) -> Found:
        """Find the galaxies most alike to the examples, and unlike the negatives."""
        likes = [self.example(about).table for about in query.get("examples", [])]
        unlikes = [self.example(about).table for about in query.get("negatives", [])]
        if not likes:
            raise ValueError("there is no example; give at least one galaxy to be like")
        separation = query.get("separation")
        own = {row for table in [*likes, *unlikes] for row in table["row"].tolist() if row >= 0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = find_similar(
                self._desk.table,
                _joined(likes),
                # The examples themselves are found where the catalogue does not tell where they are.
                N + len(own),
                negatives=_joined(unlikes) if unlikes else None,
                min_separation=separation * u.arcsec if separation else None,
                embedding=self._embedding,
            )
        rows = [row for row in found["row"].tolist() if row not in own][:N]
        values = zip(found["row"].tolist(), found["similarity"].tolist(), strict=True)
        apart = u.Quantity(found["separation"]).to_value(u.arcsec).tolist()
        return Found(rows, dict(values), dict(zip(found["row"].tolist(), apart, strict=True)))

    def keep_file(self, content: bytes, name: str) -> dict:
        """Keep an image file, so that it is an example also in the next run."""
        if not 0 < len(content) <= LARGEST:
            raise ValueError(f"{name} has {len(content):,} bytes; an image has 1 to {LARGEST:,}")
        digest = hashlib.sha256(content).hexdigest()
        folder = self._desk.folder / "queries"
        folder.mkdir(exist_ok=True)
        if not (folder / digest).exists():
            publish(folder / digest, content)
        return {"file": digest, "name": name[:80]}

    @property
    def _embedding(self) -> str:
        return self._desk.ratings.embedding

    def _read(self, about: dict) -> Example:
        if "row" in about:
            return self._of_row(int(about["row"]))
        if "file" in about:
            return self._of_file(str(about["file"]), str(about.get("name", "image")))
        text = str(about["text"])
        if os.path.isfile(text) or text in self._desk.table.colnames:
            raise ValueError(_nothing_called(text))
        table = self._query(text)
        if (row := int(table["row"][0])) >= 0:
            return self._of_row(row)
        return Example(str(about.get("name", text)), None, table)

    def _of_row(self, row: int) -> Example:
        if not 0 <= row < len(self._desk.table):
            raise ValueError(f"the catalogue has no row {row}")
        (name,) = self._desk.names([row])
        return Example(name, self._desk.pictures.jpeg(row, CHIP), self._query(row))

    def _of_file(self, digest: str, name: str) -> Example:
        path = self._desk.folder / "queries" / digest
        if not _DIGEST.fullmatch(digest) or not path.is_file():
            raise ValueError(f"the image {name} is not kept here any more; drop it again")
        content = path.read_bytes()
        try:
            table = self._query(content)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        return Example(name, jpeg_of(picture_of(content), CHIP), table)

    def _query(self, query: Any) -> Table:
        return query_table(self._desk.table, query, embedding=self._embedding, survey=self._desk.survey)


def named_example(desk: Desk, text: str) -> dict:
    """
    Example that a text means: a galaxy of the catalogue by its name, a position, or an object that Sesame knows.

    Raises
    ------
    ValueError
        If it means nothing, or several galaxies.
    """
    text = " ".join(text.split())
    rows, column = rows_named(desk.table, text)
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} galaxies are called {text!r} in column {column!r}; give a position")
    if len(rows):
        return {"row": int(rows[0])}
    try:
        read_position(text)
    except (TypeError, ValueError):
        return _by_sesame(text)
    return {"text": text}


def _by_sesame(text: str) -> dict:
    """Position of an object by the name service of CDS, where text may be a name."""
    if os.path.exists(text) or not _NAME.fullmatch(text):
        raise ValueError(_nothing_called(text))
    try:
        place = SkyCoord.from_name(text)
    except (NameResolveError, OSError, ValueError):
        raise ValueError(
            f"{_nothing_called(text)}; the Sesame service does not know it, or cannot be reached"
        ) from None
    return {"text": place.icrs.to_string("decimal", precision=6), "name": text}


def _nothing_called(text: str) -> str:
    return (
        f"no galaxy of the catalogue is called {text[:80]!r}, and it is no position such as '150.1 2.2' or "
        "'10h00m24s +02d12m00s'"
    )


def _joined(tables: list[Table]) -> Table | list[int]:
    """Several examples as one query: rows where all are of the catalogue, which tell most."""
    rows = [row for table in tables for row in table["row"].tolist()]
    if min(rows) >= 0:
        return np.array(rows)
    plain = [table.copy() for table in tables]
    for table in plain:
        table.remove_column("row")
    return vstack(plain, metadata_conflicts="silent")
