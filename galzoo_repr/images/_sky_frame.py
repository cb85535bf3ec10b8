"""How large pictures are on the sky, and where north and east are in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import Table

from galzoo_repr._angle import read_angle
from galzoo_repr.catalogue import provenance
from galzoo_repr.images._file import content_of, unpacked
from galzoo_repr.images._fits import sky_wcs
from galzoo_repr.images._pictures import Picture, pictures_of
from galzoo_repr.images._recipe import ImageRecipe

__all__ = ["SkyFrames", "sky_frames"]

_UNKNOWN = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class SkyFrames:
    """
    How n pictures lie on the sky, NaN where that is not known.

    Attributes
    ----------
    fov : astropy.units.Quantity
        Shorter side, shape (n,).
    north, east : astropy.units.Quantity
        Directions in the picture, counter-clockwise from up, shape (n,).

    Examples
    --------
    >>> from galzoo_repr.images import sky_frames
    >>> frames = sky_frames(Table({"cutout": ["gone.fits"]}), "cutout")
    >>> frames.fov, frames.north
    (<Quantity [nan] arcsec>, <Quantity [nan] deg>)
    """

    fov: u.Quantity
    north: u.Quantity
    east: u.Quantity


def sky_frames(
    table: Table, images: str | Sequence[object], pictures: Sequence[Picture] | None = None
) -> SkyFrames:
    """
    Find how the pictures of a catalogue lie on the sky: as FITS files say, or else as their cutouts were asked for.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue of n rows.
    images : str or sequence
        Column of the pictures, or these, as for `galzoo_repr.images.pictures_of`.
    pictures : sequence of Picture, optional
        The same, if they are at hand.

    Returns
    -------
    SkyFrames

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> sky = gzr.SimulatedSurvey(seed=1)
    >>> with sky.serve() as service:
    ...     survey = gzr.LegacySurvey(server=service.url)
    ...     galaxies = gzr.add_cutouts(sky.catalogue(2), survey=survey, fov="40 arcsec", progress=False)
    >>> frames = gzr.images.sky_frames(galaxies, "cutout")
    >>> frames.fov.round(1), abs(frames.north.round()), frames.east.round()
    (<Quantity [40.1, 40.1] arcsec>, <Quantity [0., 0.] deg>, <Quantity [90., 90.] deg>)
    """
    pictures = pictures_of(table, images) if pictures is None else pictures
    asked = _as_asked_for(table, images) if isinstance(images, str) else None
    found = np.full((len(pictures), 3), np.nan)
    for row, picture in enumerate(pictures):
        content = content_of(picture.source) if isinstance(picture.source, str) else picture.source
        content = unpacked(content) if isinstance(content, bytes) else None
        if isinstance(content, bytes) and content.startswith(b"SIMPLE  ="):
            found[row] = _as_files_say(content)
        elif isinstance(content, bytes) and asked is not None:
            found[row] = asked[row], 0, 90
    fov, north, east = found.T
    return SkyFrames(fov * u.arcsec, north * u.deg, east * u.deg)


def _as_files_say(content: bytes) -> tuple[float, float, float]:
    """Arcsec of the shorter side, and the directions, in degrees, of steps to the north and east of the middle."""
    if (known := sky_wcs(content)) is None:
        return _UNKNOWN
    wcs, (height, width) = known
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    try:
        centre = wcs.pixel_to_world(*middle).icrs
        steps = [
            np.array(wcs.world_to_pixel(centre.directional_offset_by(angle * u.deg, 1 * u.arcsec))) - middle
            for angle in (0, 90)
        ]
    # A transformation of any kind may fail.
    except Exception:
        return _UNKNOWN
    per_arcsec = float(np.hypot(*steps[0]))
    if not (np.isfinite(per_arcsec) and per_arcsec > 0):
        return _UNKNOWN
    north, east = (float(np.degrees(np.arctan2(-x, y))) for x, y in steps)
    return min(height, width) / per_arcsec, north, east


def _as_asked_for(table: Table, column: str) -> np.ndarray | None:
    """Arcsec of the fields that the cutouts of a column were asked for, all north up; None where not recorded."""
    facts = provenance(table, "add_cutouts")
    if facts.get("name") != column:
        facts = provenance(table, "add_embeddings") if column == "cutout" else {}
    if not facts.get("survey") or facts.get("fov_per_row"):
        return None
    try:
        fov = read_angle(facts["fov"], "fov") if "fov" in facts else None
        return ImageRecipe.from_dict(facts["recipe"]).fields_of_view(table, fov).to_value(u.arcsec)
    except (KeyError, TypeError, ValueError):
        return None
