"""Where the rows of a catalogue are on the sky, and the columns in which HATS wants to have it."""

import warnings

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.catalogue import SkyPositions, sky_positions
from galzoo_repr.hats._folder import INDEX

__all__ = ["ADDED", "Places"]

#: Columns of positions that are added where the catalogue has none in degrees of ICRS, and taken off again.
ADDED = ("_ra", "_dec")
_USUAL = (
    ("ra", "dec"),
    ("RA", "DEC"),
    ("RAJ2000", "DEJ2000"),
    ("RA_ICRS", "DE_ICRS"),
    ("TARGET_RA", "TARGET_DEC"),
)


class Places:
    """
    Finds where rows are, some after the others, and which columns say so in degrees.

    Parameters
    ----------
    coords : str, tuple of str or `~astropy.coordinates.SkyCoord`, optional
        Where the positions are, as for `galzoo_repr.catalogue.sky_positions`.
    """

    def __init__(self, coords: str | tuple[str, str] | SkyCoord | None = None):
        self.coords = coords
        self._seen = self._bad = 0
        self._reason = ""
        self._pairs: list[tuple[str, str]] | None = None

    def look(self, table: Table, arrow: pa.Table, start: int = 0) -> tuple[SkyPositions, np.ndarray]:
        """
        Find positions, and HEALPix of order 29, of rows from number `start` on, and remember those that have none.

        The pixels of these are of no meaning.
        """
        coords = self.coords
        if isinstance(coords, SkyCoord) and coords.size != len(table):
            coords = coords[start : start + len(table)]
        positions = sky_positions(table, coords=coords)
        bad = np.flatnonzero(~positions.valid)
        if len(bad) and not self._bad:
            self._reason = f"row {start + bad[0]}: {positions.reason[bad[0]]}"
        self._bad += len(bad)
        self._seen += len(table)
        pairs = _pairs_of(arrow.schema) if self._pairs is None else self._pairs
        self._pairs = [pair for pair in pairs if _are(arrow, pair, positions)]
        index = np.zeros(len(table), dtype=np.int64)
        index[positions.valid] = _healpix(positions.ra[positions.valid], positions.dec[positions.valid])
        if INDEX in arrow.column_names and not np.array_equal(
            arrow[INDEX].to_numpy(zero_copy_only=False), index
        ):
            raise ValueError(
                f"the column {INDEX!r} is not that of these positions; remove it, it is computed anew"
            )
        return positions, index

    def refuse_bad(self) -> None:
        """Raise a `ValueError` if a row that was looked at has no position, or there was none at all."""
        if not self._seen:
            raise ValueError("the catalogue has no rows, so there is nothing to write")
        if self._bad:
            raise ValueError(
                f"{self._bad} rows have no valid position ({self._reason}), and HATS has no place for them; leave them "
                "out: table[sky_positions(table).valid]"
            )

    @property
    def columns(self) -> tuple[str, str]:
        """Columns that are the positions of all rows in degrees, or else those that are added."""
        return self._pairs[0] if self._pairs else ADDED

    def beside(self, arrow: pa.Table, positions: SkyPositions, index: np.ndarray) -> pa.Table:
        """Add the pixels of the rows, and their positions where no columns of theirs are these."""
        if self.columns == ADDED:
            for added, values in zip(ADDED, (positions.ra, positions.dec), strict=True):
                arrow = arrow.append_column(added, pa.array(np.asarray(values, dtype=float)))
        if INDEX in arrow.column_names:
            arrow = arrow.drop_columns([INDEX])
        return arrow.add_column(0, INDEX, pa.array(index))


def _pairs_of(schema: pa.Schema) -> list[tuple[str, str]]:
    names = schema.names
    split = [(name, f"{name[:-3]}.dec") for name in names if name.endswith(".ra")]
    return [
        pair
        for pair in (*_USUAL, *split)
        if set(pair) <= set(names) and all(pa.types.is_floating(schema.field(name).type) for name in pair)
    ]


def _are(arrow: pa.Table, pair: tuple[str, str], positions: SkyPositions) -> bool:
    """Tell whether two columns are these positions, in degrees."""
    return all(
        np.array_equal(arrow[name].to_numpy(zero_copy_only=False), values)
        for name, values in zip(pair, (positions.ra, positions.dec), strict=True)
    )


def _healpix(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas to its own users
            from hats.pixel_math.spatial_index import compute_spatial_index
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"to write HATS catalogues takes the package hats: pip install 'galzoo_repr[hats]' ({error})"
        ) from error
    return np.asarray(compute_spatial_index(ra, dec), dtype=np.int64)
