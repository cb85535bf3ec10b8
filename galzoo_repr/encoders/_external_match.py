"""Which row of a published table each galaxy of a catalogue is, by its id or by its place on the sky."""

from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import Column

from galzoo_repr.catalogue import SkyPositions, read_cells, sentinels, texts_of

__all__ = ["Matched", "match_by_id", "match_by_position"]

# Farther apart than proper motions, epochs and centres of large galaxies would have two entries of one galaxy.
_SAME_PLACE = 1 * u.arcmin


@dataclass
class Matched:
    """
    Rows of a published table.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Of the published table, -1 where there is none.
    statuses : ndarray of object, shape (n,)
        Text of each row of the catalogue.
    separation : ndarray of float64, shape (n,), or None
        In arcsec, NaN where there is no match; None if positions were not compared.
    others : ndarray of int64, shape (m, 3)
        Where a galaxy has several rows by its id: row of the catalogue, first and another row of the published table.
    several, shared : int
        Rows that had several within the radius, and rows whose entry is nearer to another row.
    """

    rows: np.ndarray
    statuses: np.ndarray
    separation: np.ndarray | None = None
    others: np.ndarray = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    several: int = 0
    shared: int = 0


def match_by_position(mine: SkyPositions, theirs: SkyPositions, radius: u.Quantity) -> Matched:
    """Take the nearest within a radius; a `ValueError` if no row has one."""
    n = len(mine)
    found = Matched(np.full(n, -1, np.int64), np.where(mine.valid, "no_match", "bad_position").astype(object))
    found.separation = np.full(n, np.nan)
    asked, known = np.flatnonzero(mine.valid), np.flatnonzero(theirs.valid)
    if n == 0:
        return found
    if not len(asked) or not len(known):
        raise ValueError(f"{'the file' if len(asked) else 'the catalogue'} has no row with a valid position")
    sky, published = mine.skycoord[asked], theirs.skycoord[known]
    nearest, separation, _ = sky.match_to_catalog_sky(published)
    near = separation <= radius
    if not near.any():
        raise ValueError(
            f"no galaxy of the file is within {radius} of any of the {len(asked)} in the catalogue; the nearest is "
            f"{separation.min().to_value(u.arcsec):.6g} arcsec away: are these the same galaxies, in the same frame?"
        )
    rows = asked[near]
    found.rows[rows], found.statuses[rows] = known[nearest[near]], "ok"
    found.separation[rows] = separation[near].to_value(u.arcsec)
    found.shared = len(rows) - len(np.unique(found.rows[rows]))
    if len(known) > 1:
        _, second, _ = sky[near].match_to_catalog_sky(published, nthneighbor=2)
        found.statuses[rows[second <= radius]] = "nearest_of_several"
        found.several = int((second <= radius).sum())
    return found


def match_by_id(
    mine: Column,
    theirs: Column,
    name: str,
    places: tuple[SkyPositions, SkyPositions] | None,
    radius: u.Quantity | None,
) -> Matched:
    """
    Take the row of the same id, and where positions are given see to it that it is at the same place.

    `name` is the column of the file. A `ValueError` if no id is in both, or most are at different places.
    """
    (asked, has), (known, there) = _ids(mine, "the catalogue"), _ids(theirs, "the file")
    if asked.dtype.kind != known.dtype.kind:
        asked, known = asked.astype(str), known.astype(str)
    entries = np.flatnonzero(there)
    entries = entries[np.argsort(known[entries], kind="stable")]
    ordered = known[entries]
    left, right = (np.searchsorted(ordered, asked, side) for side in ("left", "right"))
    times = np.where(has, right - left, 0)
    found = Matched(np.full(len(asked), -1, np.int64), np.where(has, "no_match", "no_id").astype(object))
    hit = np.flatnonzero(times > 0)
    if len(asked) and not len(hit):
        raise ValueError(
            f"none of the {int(has.sum())} ids of the catalogue{_such_as(asked[has])} is in the file, column "
            f"{name!r}{_such_as(ordered)}: are they ids of the same catalogue? Galaxies can be matched by position "
            "too, with radius=1 * u.arcsec"
        )
    found.rows[hit], found.statuses[hit] = entries[left[hit]], "ok"
    again = [
        (row, entries[left[row]], entries[left[row] + i])
        for row in hit[times[hit] > 1]
        for i in range(1, times[row])
    ]
    if again:
        found.others = np.array(again, dtype=np.int64)
    if places is not None:
        _check_places(found, hit, *places, radius)
    return found


def _check_places(
    found: Matched, hit: np.ndarray, mine: SkyPositions, theirs: SkyPositions, radius: u.Quantity | None
) -> None:
    """Galaxies of one id that are not at one place are not the same."""
    found.separation = np.full(len(found.rows), np.nan)
    placed = hit[mine.valid[hit] & theirs.valid[found.rows[hit]]]
    if not len(placed):
        return
    apart = mine.skycoord[placed].separation(theirs.skycoord[found.rows[placed]])
    largest = _SAME_PLACE if radius is None else radius
    far = apart > largest
    if far.mean() > 0.5:
        raise ValueError(
            f"{int(far.sum())} of {len(placed)} galaxies of the same id are more than {largest} apart on the sky, "
            f"half of all by {np.median(apart.arcsec):.4g} arcsec: "
            "these are ids of another catalogue; match by position, with radius=1 * u.arcsec"
        )
    found.separation[placed] = apart.arcsec
    found.statuses[placed[far]], found.rows[placed[far]] = "other_position", -1


def _ids(column: Column, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids as whole numbers or text, and which rows have one; a `ValueError` if they are numbers that were rounded."""
    if np.ndim(column) != 1:
        raise ValueError(f"ids of {where} have shape {np.shape(column)}; one per row is needed")
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if kind in "iu":
        mask = np.ma.getmaskarray(np.ma.asarray(column))
        values = np.ma.getdata(getattr(column, "value", column))
        if len(values) and values.min() < 0:
            # A row number or name has no sign; -1 and -999 are no galaxy.
            none = [number for number in sentinels(values[~mask]) if number < 0]
            mask = mask | np.isin(values, none)
        if kind == "u" and len(values) and values.max() > np.iinfo(np.int64).max:
            return values.astype(str), ~mask
        return values.astype(np.int64), ~mask
    if kind == "f":
        cells = read_cells(column)
        numbers = cells.values[~cells.missing]
        # Real numbers have all whole ones up to here, of single precision no further than 16777216.
        exact = 2.0 ** (np.finfo(column.dtype).nmant + 1)
        if (numbers != np.round(numbers)).any() or (np.abs(numbers) >= exact).any():
            raise ValueError(
                f"ids of {where} are real numbers, which hold not all digits of an id; give whole numbers or text"
            )
        whole = np.where(cells.missing, 0, cells.values).astype(np.int64)
        return _ids(np.ma.array(whole, mask=cells.missing), where)
    texts = np.array([text.strip() for text in texts_of(column)], dtype=str)
    return texts, texts != ""


def _such_as(ids: np.ndarray) -> str:
    return f" ({', '.join(map(str, ids[:2].tolist()))}, ...)" if len(ids) else ""
