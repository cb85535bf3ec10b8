"""Encoders that are compared: what each of them is, and the embeddings it makes of the labelled galaxies."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._angle import read_angle
from galzoo_repr.catalogue import Embeddings, read_embeddings, sky_positions
from galzoo_repr.encoders import Encoder, add_embeddings, check_encoder_name
from galzoo_repr.finetuning._cost import milliseconds_per_image
from galzoo_repr.images import pictures_of

__all__ = ["Contender", "check_images", "read_contenders"]

_CUTOUTS = {"cutout", "cutout_status"}


@dataclass
class Contender:
    """
    An encoder, or a column of embeddings, in a comparison.

    Attributes
    ----------
    given : Encoder or str or os.PathLike
        As the user gave it.
    column : bool
        Whether it is a column of the table.
    name, digest : str
    dim, size : int
        Of its embeddings and, in pixels, its images; -1 where unknown.
    status, reason : str
        How it went.
    embeddings : Embeddings or None
        Of the labelled galaxies.
    cost : tuple of float
        Milliseconds of CPU time per image, and their standard error.
    """

    given: Encoder | str | os.PathLike
    column: bool = False
    name: str = ""
    digest: str = ""
    dim: int = -1
    size: int = -1
    backend: str = ""
    status: str = "ok"
    reason: str = ""
    embeddings: Embeddings | None = None
    cost: tuple[float, float] = (np.nan, np.nan)
    figures: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing has gone wrong."""
        return self.status == "ok"

    def fail(self, error: Exception) -> None:
        """Note what went wrong."""
        self.status, self.reason = "failed", f"{type(error).__name__}: {error}"

    def look(self, device: str | None) -> None:
        """Load the encoder once, to know early whether it is there, and what images it asks for."""
        if not self.column:
            encoder = self._encoder(device)
            self.name, self.dim, self.size = encoder.name, encoder.dim, encoder.recipe.size
            self.digest = encoder.digest

    def embed(self, table: Table, rows: np.ndarray, device: str | None, **options: object) -> None:
        """Embed rows of a table, or read their embeddings, and time the encoder."""
        if self.column:
            found = read_embeddings(table, self.given)
            self.embeddings = Embeddings(np.asarray(found.vectors[rows]), found.usable[rows], found.encoder)
            self.dim, self.digest = found.dim, found.encoder
            return
        encoder = self._encoder(device)
        part, options = _part(table, rows, options)
        embedded = add_embeddings(part, encoder=encoder, name=_free(part), overwrite=False, **options)
        self.embeddings = read_embeddings(embedded, _free(part))
        self.backend = encoder.backend
        self.cost = milliseconds_per_image(encoder)

    def _encoder(self, device: str | None) -> Encoder:
        if isinstance(self.given, Encoder):
            return self.given
        return Encoder.load(self.given, device=device)


def read_contenders(table: Table, encoders: Sequence[Encoder | str | os.PathLike]) -> list[Contender]:
    """Tell names of encoders, folders and columns apart, and refuse what is none of them."""
    if isinstance(encoders, Encoder | str | os.PathLike):
        encoders = [encoders]
    encoders = list(encoders)
    if not encoders:
        raise ValueError("give at least one encoder, such as encoders=['bundled', 'bundled-int8']")
    vectors = [name for name in table.colnames if np.ndim(table[name]) == 2]
    contenders = []
    for given in encoders:
        if isinstance(given, Encoder):
            contenders.append(Contender(given, name=given.name))
        elif isinstance(given, str) and given in table.colnames:
            if given not in vectors:
                raise ValueError(
                    f"column {given!r} of the table holds no embeddings, which have shape (galaxies, dimensions)"
                )
            read_embeddings(table, given)
            contenders.append(Contender(given, column=True, name=given))
        else:
            check_encoder_name(given, besides=vectors)
            contenders.append(Contender(given, name=Path(given).name if Path(given).is_dir() else str(given)))
    given = Counter(id(one.given) if isinstance(one.given, Encoder) else str(one.given) for one in contenders)
    twice = [one.name for one in contenders if given[id(one.given)] > 1 or given[str(one.given)] > 1]
    if twice:
        raise ValueError(f"encoders names {twice[0]!r} more than once")
    return contenders


def check_images(
    table: Table, images: object, coords: str | tuple[str, str] | SkyCoord | None, contenders: list[Contender]
) -> None:
    """Refuse encoders for which there is neither an image nor a position, and images that are not there."""
    if images is not None:
        pictures_of(table, images)
    elif any(not one.column for one in contenders) and not _CUTOUTS.issubset(table.colnames):
        try:
            sky_positions(table if isinstance(coords, SkyCoord) else table[:0], coords=coords)
        except ValueError as error:
            raise ValueError(
                f"the encoders need images=, cutouts, or positions to fetch images for: {error}"
            ) from error


def _part(table: Table, rows: np.ndarray, options: dict) -> tuple[Table, dict]:
    """Rows to embed, and the options for these rows alone."""
    options, images = dict(options), options.get("images")
    if images is not None and not isinstance(images, str):
        taken = images[rows] if hasattr(images, "shape") else [images[row] for row in rows]
        options["images"] = taken
    if (fov := options.get("fov")) is not None:
        fov = u.Quantity(read_angle(fov, "fov"))
        options["fov"] = fov if fov.isscalar else fov[rows]
    if isinstance(options.get("coords"), SkyCoord):
        options["coords"] = options["coords"][rows]
    part = table[rows]
    if images is not None:
        part.remove_columns([name for name in _CUTOUTS & set(part.colnames) if name != images])
    return part, options


def _free(table: Table) -> str:
    """Name that no column has."""
    name = "embedding"
    while name in table.colnames:
        name += "_"
    return name
