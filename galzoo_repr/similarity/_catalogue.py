"""The catalogue that is searched: its embeddings and positions, and how a galaxy outside it is fetched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._angle import AngleLike
from galzoo_repr.catalogue import as_table, read_embeddings, sky_positions
from galzoo_repr.similarity._sky import unit_vectors

if TYPE_CHECKING:
    from galzoo_repr.cutouts import BrickSurvey, CutoutStore, HipsSurvey, LegacySurvey
    from galzoo_repr.encoders import Encoder

__all__ = ["Catalogue", "Fetch"]


@dataclass(frozen=True)
class Fetch:
    """
    How a galaxy that is not in the catalogue becomes an embedding: the options of `add_embeddings`.

    Examples
    --------
    >>> from astropy import units as u
    >>> from galzoo_repr.similarity import Fetch
    >>> fetch = Fetch(encoder="bundled", fov=30 * u.arcsec)
    >>> fetch.encoder, fetch.survey is None
    ('bundled', True)
    """

    encoder: Encoder | str | os.PathLike | None = None
    fov: AngleLike | None = None
    survey: LegacySurvey | HipsSurvey | BrickSurvey | None = None
    store: CutoutStore | str | os.PathLike | None = None
    device: str | None = None


class Catalogue:
    """A table with its embeddings and, where it has them, its sky positions."""

    def __init__(
        self, table: Table, embedding: str, coords: str | tuple[str, str] | SkyCoord | None = None
    ) -> None:
        # The table as the user has it is kept to recognise its own rows.
        self.given, self.table = table, as_table(table, copy=False)
        self.embedding, self.coords = embedding, coords
        self.embeddings = read_embeddings(self.table, embedding)
        self._points: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def points(self) -> np.ndarray:
        """Unit vectors, shape (n, 3), NaN where a row has no valid position."""
        if self._points is None:
            found = sky_positions(self.table, coords=self.coords)
            self._points = unit_vectors(np.where(found.valid, found.ra, np.nan), found.dec)
        return self._points

    @property
    def placed(self) -> bool:
        """Whether the table has sky positions at all."""
        try:
            return len(self.points) == len(self)
        except ValueError:
            if self.coords is not None:
                raise
            return False

    @property
    def skycoord(self) -> SkyCoord:
        """Positions of all rows, NaN where there is none."""
        return sky_positions(self.table, coords=self.coords).skycoord
