"""Positions on the sky out of any catalogue: where each galaxy is, or why that cannot be known."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, ConvertError, SkyCoord, UnitSphericalRepresentation
from astropy.table import Table

from galzoo_repr._angle import angle_unit
from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr._config import log
from galzoo_repr.catalogue._angles import MASKED, NOT_FINITE, are_bare_numbers, column_degrees, name_and_unit
from galzoo_repr.catalogue._columns import as_table, one_per_row
from galzoo_repr.catalogue._frames import declared_frame, pairs_of_other_frames, to_icrs, ucd_pairs
from galzoo_repr.catalogue._plausible import misread_pair
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["SkyPositions", "sky_positions"]

# Names under which surveys, VizieR, SExtractor, Gaia, Pan-STARRS, Rubin and ObsCore give ICRS or J2000
# positions. Looked for in this order, ignoring case.
USUAL_NAMES = (
    ("ra", "dec"),
    ("ra_icrs", "de_icrs"),
    ("raj2000", "dej2000"),
    ("_raj2000", "_dej2000"),
    ("ra_j2000", "dec_j2000"),
    ("raj2000", "decj2000"),
    ("ra_icrs", "dec_icrs"),
    ("_ra_icrs", "_de_icrs"),
    ("_ra.icrs", "_de.icrs"),
    ("_ra", "_de"),
    ("ra", "de"),
    ("target_ra", "target_dec"),
    ("mean_fiber_ra", "mean_fiber_dec"),
    ("ra_deg", "dec_deg"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("ra_d", "dec_d"),
    ("ra2000", "dec2000"),
    ("ra2000", "de2000"),
    ("alpha_j2000", "delta_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("alphapeak_j2000", "deltapeak_j2000"),
    ("alpha_sky", "delta_sky"),
    ("right_ascension", "declination"),
    ("right ascension", "declination"),
    ("rightascension", "declination"),
    ("s_ra", "s_dec"),
    ("coord_ra", "coord_dec"),
    ("ramean", "decmean"),
    ("rastack", "decstack"),
    ("objra", "objdec"),
    ("alpha", "delta"),
)

_EQUINOX = re.compile(r"[\s_]*[(\[]\s*(?:[jb]?(?:2000|19\d\d)(?:\.0)?|icrs|fk[45])\s*[)\]]$")


@dataclass(frozen=True, eq=False)
class SkyPositions:
    """
    ICRS positions of the rows of a catalogue.

    Attributes
    ----------
    ra, dec : `~numpy.ndarray`
        float64 degrees, shape (n,), right ascension in [0, 360); NaN where the row has no usable position.
    valid : `~numpy.ndarray`
        bool, shape (n,).
    reason : `~numpy.ndarray`
        Text (object array), shape (n,): why a row has no usable position, empty where it has one.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import sky_positions
    >>> positions = sky_positions(Table({"RAJ2000": ["13:29:52.7", "14:03:12"], "DEJ2000": ["+47 11 43", "+94 20 56"]}))
    >>> positions.valid
    array([ True, False])
    >>> print(positions.reason[1])
    DEJ2000: declination 94.3489 deg is outside -90 to 90
    >>> positions.skycoord[0].to_string("hmsdms", precision=0)
    '13h29m53s +47d11m43s'
    """

    ra: np.ndarray
    dec: np.ndarray
    valid: np.ndarray
    reason: np.ndarray

    def __len__(self) -> int:
        return len(self.ra)

    @cached_property
    def skycoord(self) -> SkyCoord:
        """All rows as one `~astropy.coordinates.SkyCoord`, NaN where a row has no usable position."""
        return SkyCoord(self.ra * u.deg, self.dec * u.deg, frame="icrs")


def sky_positions(
    catalogue: Table | SkyCoord, *, coords: str | tuple[str, str] | SkyCoord | None = None
) -> SkyPositions:
    """
    Find the position of every row of a catalogue, in ICRS.

    A column of `~astropy.coordinates.SkyCoord` in any frame comes first. Without one, a pair of columns
    under one of the usual names (``ra``/``dec``, ``RAJ2000``/``DEJ2000``, ``TARGET_RA``/``TARGET_DEC``,
    ``ALPHA_J2000``/``DELTA_J2000``, ..., in any case) is looked for, then columns that a VOTable marks with UCDs
    such as ``pos.eq.ra;meta.main``, then names that tell another frame (``RAB1950``/``DEB1950``, ``GLON``/``GLAT``).
    Numbers without a unit are degrees, sexagesimal text counts hours in right ascension and degrees in declination,
    text that is one plain number is degrees.

    A frame or equinox that the names of the columns, a VOTable, descriptions or FITS keywords declare is obeyed;
    where nothing is said it is ICRS. Of several pairs, one that needs no transformation is taken.

    Right ascension may run from -360 to 360 degrees and is wrapped to [0, 360). A row whose position is
    masked, missing, not finite, unreadable or off the sphere is not valid; it does not stop the others.

    Parameters
    ----------
    catalogue : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        One position per row; a scalar SkyCoord is one row.
    coords : str, tuple of two str or `~astropy.coordinates.SkyCoord`, optional
        Name of the SkyCoord column, names of the right ascension and declination columns, or the positions
        themselves, one per row.

    Returns
    -------
    `SkyPositions`
        As many positions as the catalogue has rows, in the same order.

    Raises
    ------
    TypeError
        If ``catalogue`` or ``coords`` is something else.
    ValueError
        If no position columns are found, several could be meant, or the named ones hold no angles.

    Warns
    -----
    GalzooWarning
        If what the catalogue says of its frame is not clear, or numbers without a unit look like hours or radians, like
        two columns the wrong way round, or like angles from a pole.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import sky_positions
    >>> galaxies = Table({"RAJ2000": ["10:00:00", ""], "DEJ2000": ["+02:30:00", "+01:00:00"]})
    >>> positions = sky_positions(galaxies)
    >>> positions.ra, positions.dec
    (array([150.,  nan]), array([2.5, nan]))
    >>> positions.reason[1]
    'RAJ2000: missing'
    """
    table = as_table(catalogue, copy=False)
    if coords is None:
        coords = _find_columns(table)
    if isinstance(coords, str):
        coords = _skycoord_column(table, coords)
    if isinstance(coords, SkyCoord | BaseCoordinateFrame):
        positions = _from_skycoord(coords)
    else:
        positions = _from_pair(table, coords)
    if len(positions) != len(table):
        raise ValueError(
            f"coords holds {len(positions)} positions for a catalogue of {len(table)} rows; give one for each"
        )
    return positions


def _find_columns(table: Table) -> str | tuple[str, str]:
    """Name of the SkyCoord column, or names of the right ascension and declination columns."""
    skycoords = [n for n in table.colnames if isinstance(table[n], SkyCoord | BaseCoordinateFrame)]
    if len(skycoords) == 1:
        return skycoords[0]
    if skycoords:
        raise ValueError(
            f"the catalogue has {len(skycoords)} columns of sky coordinates, {', '.join(skycoords)}; "
            f"say which one is meant, such as coords={skycoords[0]!r}"
        )
    usual = _usual_pairs(table, lambda name: name.strip().lower()) or _usual_pairs(table, _plain_name)
    if usual:
        _one_spelling(*usual[0])
    pairs = [(ra[0], dec[0]) for ra, dec in usual if len(ra) == len(dec) == 1]
    pairs += [*ucd_pairs(table), *pairs_of_other_frames(table)]
    if not pairs:
        raise ValueError(_no_positions(table))
    # Where a catalogue has its positions several times, those that need no transformation are taken, or else those
    # whose frame is clear.
    return pairs[0] if len(pairs) == 1 else min(pairs, key=lambda pair: _rank(*declared_frame(table, pair)))


def _rank(frame: BaseCoordinateFrame | None, doubt: str) -> int:
    """Order of preference among pairs; galactic positions and the like are last, as old catalogues round them."""
    if frame is None:
        return 2 if doubt else 0
    return 1 if _is_equatorial(frame) else 3


def _is_equatorial(frame: BaseCoordinateFrame | None) -> bool:
    return frame is None or "ra" in frame.get_representation_component_names()


def _usual_pairs(table: Table, spell: Callable[[str], str]) -> list[tuple[list[str], list[str]]]:
    """Columns of right ascension and declination under each pair of usual names, in one way of spelling."""
    found: dict[str, list[str]] = {}
    for name in table.colnames:
        found.setdefault(spell(name), []).append(name)
    return [(found[ra], found[dec]) for ra, dec in USUAL_NAMES if ra in found and dec in found]


def _plain_name(name: str) -> str:
    """Name in lower case without a unit or an equinox in brackets, or dots: "R.A. (J2000)" is "ra"."""
    plain = _EQUINOX.sub("", name_and_unit(name)[0].strip().lower()).replace(".", "")
    return "dec" if plain == "decl" else plain


def _one_spelling(ra_names: list[str], dec_names: list[str]) -> None:
    """Refuse to guess which case of a pair of names is meant."""
    if len(ra_names) > 1 or len(dec_names) > 1:
        raise ValueError(
            f"the catalogue has positions several times, in {', '.join(ra_names + dec_names)}; "
            f"say which are meant, such as coords=({ra_names[0]!r}, {dec_names[0]!r})"
        )


def _no_positions(table: Table) -> str:
    if not table.colnames:
        return (
            "the catalogue has no columns, so no positions; it needs a SkyCoord column or ra and dec columns."
        )
    return (
        "found no positions in the catalogue: it has neither a SkyCoord column nor right ascension and "
        f"declination under a usual name (ra and dec, RAJ2000 and DEJ2000, ...). Its columns are "
        f"{some_of(table.colnames)}. Name the right ones with coords={_likely_pair(table)}, or give a SkyCoord."
    )


def _likely_pair(table: Table) -> str:
    """Two columns that look like positions by their names, as the tuple to write; names in general without any."""
    known = {name.lower(): name for name in reversed(table.colnames)}
    for name in known:
        for one, other in (
            ("ra_hms", "dec_dms"),
            ("rahms", "decdms"),
            ("ra", "dec"),
            ("alpha", "delta"),
            ("\u03b1", "\u03b4"),
            ("lon", "lat"),
            ("r.a.", "dec."),
        ):
            for place in (found.start() for found in re.finditer(re.escape(one), name)):
                meant = name[:place] + other + name[place + len(one) :]
                if meant in known:
                    return f"({known[name]!r}, {known[meant]!r})"
    return "(ra_name, dec_name)"


def _skycoord_column(table: Table, name: str) -> SkyCoord:
    if name not in table.colnames:
        raise ValueError(
            f"coords={name!r} is not a column; the columns are {some_of(table.colnames)}"
            f"{_pair_meant(name, table) or did_you_mean(name, table.colnames)}"
        )
    column = table[name]
    if not isinstance(column, SkyCoord | BaseCoordinateFrame):
        text = getattr(column, "dtype", np.dtype(float)).kind in "US"
        made = f"; text with both is read by SkyCoord(table[{name!r}], unit='hourangle, deg')" if text else ""
        raise ValueError(
            f"column {name!r} holds {type(column).__name__}, not sky coordinates; "
            f"for right ascension and declination give two names, coords=(ra_name, dec_name){made}"
        )
    return column


def _pair_meant(text: str, table: Table) -> str:
    """End of a message about two names in one text, such as ``"ra dec"``."""
    names = [name for name in re.split(r"[\s,;/:|()\[\]'\"]+", text) if name]
    known = {name.lower(): name for name in table.colnames}
    if len(names) != 2 or not all(name.lower() in known for name in names):
        return ""
    ra, dec = (known[name.lower()] for name in names)
    return f"; did you mean two of them, coords=({ra!r}, {dec!r})?"


def _from_skycoord(coords: SkyCoord | BaseCoordinateFrame) -> SkyPositions:
    """Transform to ICRS, keeping masks, which a transformation by itself would lose under some frames."""
    coords = SkyCoord(coords)
    coords = coords.reshape(1) if coords.isscalar else one_per_row(coords)
    if coords.ndim != 1:
        raise ValueError(
            f"the coordinates have shape {coords.shape}; one position per row is needed, as .ravel() gives"
        )
    mask = np.broadcast_to(getattr(coords.data, "mask", False), coords.shape)
    distance = getattr(coords.data, "distance", None)
    if distance is not None and not np.all(np.isfinite(distance) & (distance > 0)):
        # A galaxy without a distance still has a direction, which the transformation would lose.
        coords = SkyCoord(coords.realize_frame(coords.data.represent_as(UnitSphericalRepresentation)))
    try:
        with np.errstate(invalid="ignore"):
            icrs = coords.icrs
    except (ConvertError, ValueError, AttributeError) as error:  # the last where AltAz lacks time and place
        raise ValueError(f"cannot transform {coords.frame.name} coordinates to ICRS: {error}") from error
    ra, dec = (
        np.array(getattr(angle, "unmasked", angle).deg, dtype=np.float64) for angle in (icrs.ra, icrs.dec)
    )
    reasons = dict.fromkeys(np.flatnonzero(~(np.isfinite(ra) & np.isfinite(dec))).tolist(), NOT_FINITE)
    reasons.update(dict.fromkeys(np.flatnonzero(mask).tolist(), MASKED))
    return _positions(ra, dec, reasons)


def _from_pair(table: Table, names: tuple[str, str]) -> SkyPositions:
    """Read right ascension and declination columns and judge each row."""
    if not (isinstance(names, tuple | list) and len(names) == 2 and all(isinstance(n, str) for n in names)):
        raise TypeError(
            f"coords is {names!r}; it must be the name of a SkyCoord column, "
            "a pair (ra_name, dec_name), or a SkyCoord"
        )
    for name in names:
        if name not in table.colnames:
            raise ValueError(
                f"{name!r} of coords is not a column; the columns are {some_of(table.colnames)}"
                f"{did_you_mean(name, table.colnames)}"
            )
    frame, doubt = declared_frame(table, names)
    equatorial = _is_equatorial(frame)
    (ra, ra_reasons), (dec, dec_reasons) = (
        column_degrees(table[name], name, hours=hours)
        for name, hours in zip(names, (equatorial, False), strict=True)
    )
    _warn(doubt and _uncertain(names, frame, doubt))
    if all(are_bare_numbers(one_per_row(table[name]), name) for name in names):
        _warn(misread_pair(ra, dec, names))
    lon, lat = ("right ascension", "declination") if equatorial else ("longitude", "latitude")
    reasons = {row: f"{names[1]}: {why}" for row, why in dec_reasons.items()}
    reasons.update({row: f"{names[0]}: {why}" for row, why in ra_reasons.items()})
    for row in np.flatnonzero(np.abs(dec) > 90).tolist():
        reasons.setdefault(row, f"{names[1]}: {lat} {dec[row]:g} deg is outside -90 to 90")
    hint = ", read in hours as the column says" if _in_hours(table, names[0]) else ""
    for row in np.flatnonzero(np.abs(ra) > 360).tolist():
        reasons.setdefault(row, f"{names[0]}: {lon} {ra[row]:g} deg is outside -360 to 360{hint}")
    if frame is not None:
        log.info("Columns %s and %s are %s and are brought to ICRS.", *names, frame.name)
        ra, dec = to_icrs(ra, dec, frame)
    return _positions(ra, dec, reasons)


def _in_hours(table: Table, name: str) -> bool:
    """Whether the unit of a column, or one in its name, is hours."""
    return u.hourangle in (angle_unit(str(table[name].info.unit or "")), name_and_unit(name)[1])


def _uncertain(names: tuple[str, str], frame: BaseCoordinateFrame | None, doubt: str) -> str:
    taken = "ICRS" if frame is None else f"{frame.name.upper()} of {frame.equinox}"
    return (
        f"columns {names[0]} and {names[1]} are taken as {taken}, {doubt}; give "
        f"coords=SkyCoord(table[{names[0]!r}], table[{names[1]!r}], unit='deg', frame=...) if they are not"
    )


def _warn(sentence: str) -> None:
    if sentence:
        warnings.warn(f"{sentence}.", GalzooWarning, stacklevel=4)


def _positions(ra: np.ndarray, dec: np.ndarray, reasons: dict[int, str]) -> SkyPositions:
    reason = np.full(len(ra), "", dtype=object)
    valid = np.ones(len(ra), dtype=bool)
    rows = np.fromiter(reasons, dtype=np.intp, count=len(reasons))
    reason[rows] = list(reasons.values())
    valid[rows] = False
    ra[rows] = dec[rows] = np.nan
    ra %= 360
    # The remainder of a tiny negative angle rounds up to 360 itself.
    ra[ra >= 360] = 0
    return SkyPositions(ra, dec, valid, reason)
