"""Separations on the sphere by chords between unit vectors: right at the poles and across RA 0."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr.catalogue import PositionLike, read_position

if TYPE_CHECKING:
    from mocpy import MOC

__all__ = [
    "Region",
    "angle",
    "chord",
    "inside",
    "matches",
    "nearest_separation",
    "thin",
    "unit_vectors",
]

# A name in quotes cannot be joined by |; mocpy is imported where it is used.
Region: TypeAlias = Union[AngleLike, tuple[PositionLike, AngleLike], Path, "MOC"]


def angle(value: AngleLike, name: str) -> u.Quantity:
    """Check one angle given by the user, 0 to 180 degrees, by the name of its argument; in radians."""
    value = read_angle(value, name)
    if not value.isscalar or not 0 <= value.to_value(u.deg) <= 180:
        raise ValueError(f"{name} must be one angle from 0 to 180 degrees, not {value}")
    return value.to(u.rad)


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """
    Points on the unit sphere.

    `ra` and `dec` are degrees, shape (n,), NaN where there is no position; points have shape (n, 3).

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.similarity._sky import unit_vectors
    >>> unit_vectors(np.array([0.0]), np.array([90.0])).round(6).tolist()
    [[0.0, 0.0, 1.0]]
    """
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def chord(value: u.Quantity) -> float:
    """Distance between two unit vectors at an angle."""
    return 2 * np.sin(value.to_value(u.rad) / 2)


def _chord_angle(chords: np.ndarray) -> u.Quantity:
    """Angle in arcsec between unit vectors from their distance, 0 to 2, which is accurate however small it is."""
    return (2 * np.arcsin(np.clip(chords / 2, 0, 1)) * u.rad).to(u.arcsec)


def _tree(points: np.ndarray):
    from scipy.spatial import cKDTree

    return cKDTree(points)


def nearest_separation(points: np.ndarray, examples: np.ndarray) -> u.Quantity:
    """
    Angle from every galaxy to the nearest example, in arcsec, shape (n,).

    Both are unit vectors, shape (n, 3) and (m, 3), NaN where a position is unknown, and so is the angle then.
    """
    chords = np.full(len(points), np.nan)
    known, placed = np.isfinite(points[:, 0]), np.isfinite(examples[:, 0])
    if known.any() and placed.any():
        chords[known], _ = _tree(examples[placed]).query(points[known])
    return _chord_angle(chords)


def matches(points: np.ndarray, examples: np.ndarray, radius: u.Quantity) -> np.ndarray:
    """
    Row of the galaxy nearest to each example, int64 of shape (m,); -1 where none is within the radius.

    Both are unit vectors, shape (n, 3) and (m, 3), NaN where a position is unknown.
    """
    rows = np.full(len(examples), -1, dtype=np.int64)
    known, placed = np.flatnonzero(np.isfinite(points[:, 0])), np.isfinite(examples[:, 0])
    if len(known) and placed.any():
        chords, nearest = _tree(points[known]).query(examples[placed])
        rows[placed] = np.where(chords <= chord(radius), known[nearest], -1)
    return rows


def inside(points: np.ndarray, coordinates: SkyCoord, within: Region, examples: np.ndarray) -> np.ndarray:
    """
    Galaxies in a region of the sky, bool of shape (n,); False where the position is unknown.

    The region is a radius around the nearest example, ``(centre, radius)``, a MOC, or the FITS file of one. Galaxies
    and examples are unit vectors, NaN where unknown; `coordinates` are those of the galaxies.
    """
    known = np.isfinite(points[:, 0])
    if isinstance(within, tuple) and len(within) == 2:
        centre, within = read_position(within[0]).icrs, angle(within[1], "within")
        examples = unit_vectors(np.atleast_1d(centre.ra.deg), np.atleast_1d(centre.dec.deg))
    if isinstance(within, u.Quantity | str) and not _is_file(within):
        radius = angle(within, "within")
        if not np.isfinite(examples).any():
            raise ValueError(
                "within= is a radius, but no example has a sky position: give (centre, radius) or a MOC"
            )
        return nearest_separation(points, examples) <= radius
    moc = _moc(within)
    result = np.zeros(len(points), dtype=bool)
    if known.any():
        result[known] = moc.contains_skycoords(coordinates[known])
    return result


def _is_file(within: u.Quantity | str) -> bool:
    """Whether text means the file of a MOC, there or not, rather than an angle."""
    return isinstance(within, str) and (Path(within).is_file() or not re.match(r"\s*[+-]?[\d.]", within))


def _moc(region: Union[str, Path, "MOC"]) -> "MOC":
    from mocpy import MOC

    if isinstance(region, str | Path):
        if not Path(region).is_file():
            raise ValueError(
                f"within={str(region)!r} is no file of a MOC; an angle has a unit, such as '2 deg'"
            )
        try:
            return MOC.from_fits(str(region))
        except Exception as error:
            raise ValueError(
                f"within={str(region)!r} cannot be read as the FITS file of a MOC: {error}"
            ) from error
    if isinstance(region, MOC):
        return region
    raise TypeError(
        "within must be an angle such as 2 * u.deg, (centre, radius), a mocpy.MOC or the FITS file of one, "
        f"not {region!r}"
    )


def thin(
    order: np.ndarray, points: np.ndarray, examples: np.ndarray, separation: u.Quantity, n: int
) -> np.ndarray:
    """
    Walk down a ranking, dropping whatever lies too near to an example or to a galaxy already accepted.

    `order` are rows, best first, of which at most n are given back. Galaxies and examples are unit vectors, NaN where
    unknown; such galaxies are never dropped.
    """
    order = order[~(nearest_separation(points[order], examples) < separation)]
    accepted, rest, reach = [], order, 4 * n
    # Only as much of the ranking is looked at as is needed: few answers are duplicates.
    while len(rest) and len(accepted) < n:
        block, rest = rest[:reach], rest[reach:]
        accepted.extend(_spread(block, np.array(accepted, dtype=np.int64), points, separation))
    return np.array(accepted[:n], dtype=np.int64)


def _spread(block: np.ndarray, accepted: np.ndarray, points: np.ndarray, separation: u.Quantity) -> list[int]:
    """Rows of `block`, in order, that keep their distance from `accepted` and from one another."""
    block = block[~(nearest_separation(points[block], points[accepted]) < separation)]
    known = np.flatnonzero(np.isfinite(points[block, 0]))
    dropped = np.zeros(len(block), dtype=bool)
    if len(known):
        tree = _tree(points[block[known]])
        # A pair at exactly the separation is kept, so the search radius stops just short of it.
        radius = np.nextafter(chord(separation), 0)
        for place in known:
            if not dropped[place]:
                near = known[tree.query_ball_point(points[block[place]], radius)]
                dropped[near[near > place]] = True
    return block[~dropped].tolist()
