"""The frames and equinoxes that catalogues declare for their columns of positions, and the way from there to ICRS."""

import re
from collections.abc import Mapping

import numpy as np
from astropy import units as u
from astropy.coordinates import (
    FK4,
    BarycentricMeanEcliptic,
    BaseCoordinateFrame,
    Galactic,
    SkyCoord,
    Supergalactic,
)
from astropy.table import Table

from galzoo_repr._angle import angle_unit
from galzoo_repr.catalogue._equinoxes import EQUATORIAL, Unclear, besselian, equinox_of_epoch, frame_by_words

__all__ = ["COOSYS", "declared_frame", "pairs_of_other_frames", "to_icrs", "ucd_pairs"]

#: Key in the meta of a column: what its VOTable said of its frame, as a mapping.
COOSYS = "coosys"

# In lower case: names of columns in frames that need no equinox. Those of a single letter need a unit of angle.
_OTHER_PAIRS = (
    (Galactic, "glon", "glat"),
    (Galactic, "_glon", "_glat"),
    (Galactic, "gal_lon", "gal_lat"),
    (Galactic, "gal_l", "gal_b"),
    (Galactic, "l_gal", "b_gal"),
    (Galactic, "lii", "bii"),
    (Galactic, "galactic_longitude", "galactic_latitude"),
    (Galactic, "l", "b"),
    (BarycentricMeanEcliptic, "elon", "elat"),
    (BarycentricMeanEcliptic, "_elon", "_elat"),
    (BarycentricMeanEcliptic, "ecl_lon", "ecl_lat"),
    (BarycentricMeanEcliptic, "ecliptic_longitude", "ecliptic_latitude"),
    (Supergalactic, "sgl", "sgb"),
    (Supergalactic, "sglon", "sglat"),
)
_FRAME_OF_PAIR = {(lon, lat): frame for frame, lon, lat in _OTHER_PAIRS}
_UCDS = (
    (("pos.eq.ra;meta.main", "pos_eq_ra_main"), ("pos.eq.dec;meta.main", "pos_eq_dec_main"), None),
    (("pos.galactic.lon",), ("pos.galactic.lat",), Galactic),
    (("pos.galactic.lon;meta.main",), ("pos.galactic.lat;meta.main",), Galactic),
    (("pos.ecliptic.lon",), ("pos.ecliptic.lat",), BarycentricMeanEcliptic),
    (("pos.supergalactic.lon",), ("pos.supergalactic.lat",), Supergalactic),
)

# RAB1950, _RAB1950, ra_1950, RA1950, ra_b1950_deg, RA_FK4, b1950_ra, alpha1950, ...; and the same of declinations.
_YEARS = "1855|1875|1900|1925|1950"
_YEAR = rf"(b?(?:{_YEARS})(?:\.0)?|fk4)"
_AXES = (r"(?:ra|r\.a\.?|alpha|r_a|right[_ ]?ascension)", r"(?:de|dec|decl|dec\.|decl\.|delta|declination)")
_OLD_NAMES = tuple(
    re.compile(
        rf"_?(?:{axis}(?:_?deg|j)?[_. (\[]*{_YEAR}(?:_?deg|_?d)?[)\]]?|{_YEAR}[_. ]?{axis}(?:_?deg|_?d)?)"
    )
    for axis in _AXES
)
_NEW_NAME = re.compile(r"j?2000|icrs|fk5")
# What a description or a unit says of the equinox; VizieR's has "Right ascension (FK4, Equinox=B1950.0)".
_OLD_WORDS = re.compile(
    rf"\bB({_YEARS})(?:\.0*)?(?![+\d])|\(\s*(FK4)\b|\(\s*({_YEARS})\.0*\s*\)|equinox\D{{0,4}}({_YEARS})",
    re.IGNORECASE,
)
# What may be an equinox, or else the year of a paper and the stars that positions are tied to.
_MENTION = re.compile(rf"\bFK4\b|\(\s*(?:{_YEARS})\s*\)", re.IGNORECASE)
# Words that make another equinox of the one they are about: "precessed from B1950".
_CHANGED = re.compile(r"\b(?:from|convert|transform|precess)|\bepoch\W*\(", re.IGNORECASE)
_RA_OR_DEC = re.compile(r"_?(?:ra|alpha|de|delta)(?![a-z]{3})", re.IGNORECASE)
_NEW_WORDS = re.compile(r"2000|ICRS|FK5", re.IGNORECASE)


def declared_frame(table: Table, names: tuple[str, str]) -> tuple[BaseCoordinateFrame | None, str]:
    """
    Find out in which frame two columns are.

    What says so, the first that does: the names of the columns, the frame that their VOTable refers them to,
    their description or unit, FITS keywords of the columns, FITS keywords of the table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalogue.
    names : tuple of str
        Its columns of longitude and latitude.

    Returns
    -------
    frame : `~astropy.coordinates.BaseCoordinateFrame` or None
        None for ICRS, and for FK5 of J2000, which is within some milliarcseconds of it.
    doubt : str
        What makes the frame uncertain, to follow "the columns are taken as ..."; empty where it is clear.
    """
    frame, doubt = _by_name(names), ""
    if frame is not None:
        doubt = _contradiction(table, names, frame)
    try:
        for said_by in (_by_coosys, _by_words):
            if frame is None:  # a frame without data has no truth value
                frame = said_by(table, names)
        if frame is None:
            frame, source = _by_keywords(table, names)
            if isinstance(frame, BaseCoordinateFrame):
                # Joining tables joins their meta as well: these keywords may be about the columns of another one.
                doubt = f"as {source}"
    except Unclear as error:
        doubt = f"but {error}"
    return (frame if isinstance(frame, BaseCoordinateFrame) else None), doubt


def _contradiction(table: Table, names: tuple[str, str], named: BaseCoordinateFrame | str) -> str:
    """Say what a VOTable has against the equinox in the names of its columns."""
    try:
        said = _by_coosys(table, names)
    except Unclear:
        return ""
    equinoxes = isinstance(named, str | FK4) and isinstance(said, str | FK4)
    if not equinoxes or isinstance(named, str) == isinstance(said, str):
        return ""
    return f"by their names, but the file says {_sentence(table[names[0]].info.meta[COOSYS])}"


def _by_name(names: tuple[str, str]) -> BaseCoordinateFrame | str | None:
    """Frame that the names of the columns tell, "icrs" for J2000, None where they tell none."""
    lon, lat = (name.strip().lower() for name in names)
    if (lon, lat) in _FRAME_OF_PAIR:
        return _FRAME_OF_PAIR[lon, lat]()
    if old := _year_of_name(lon, 0):
        return FK4(equinox=old) if _year_of_name(lat, 1) == old else None
    return "icrs" if _NEW_NAME.search(lon) and _NEW_NAME.search(lat) else None


def _year_of_name(name: str, axis: int) -> str:
    """Besselian equinox such as "B1950" of the name of a column, empty where it has none."""
    match = _OLD_NAMES[axis].fullmatch(name.replace("-", "_"))
    return besselian(match[1] or match[2]) if match else ""


def pairs_of_other_frames(table: Table) -> list[tuple[str, str]]:
    """Columns whose names say that they are of an old equinox, or galactic, ecliptic or supergalactic."""
    by_lower = {name.strip().lower(): name for name in reversed(table.colnames)}
    years = [{}, {}]
    for lower, name in by_lower.items():
        for axis in (0, 1):
            if year := _year_of_name(lower, axis):
                years[axis].setdefault(year, name)
    pairs = [(years[0][year], years[1][year]) for year in sorted(years[0], reverse=True) if year in years[1]]
    for _, lon, lat in _OTHER_PAIRS:
        if lon in by_lower and lat in by_lower:
            pair = by_lower[lon], by_lower[lat]
            if len(lon) > 1 or all(_has_angle_unit(table, name) for name in pair):
                pairs.append(pair)
    return pairs


def _has_old_names(table: Table) -> bool:
    return any(_year_of_name(name.strip().lower(), 0) for name in table.colnames)


def _has_angle_unit(table: Table, name: str) -> bool:
    unit = table[name].info.unit
    return unit is not None and angle_unit(str(unit)) is not None


def ucd_pairs(table: Table) -> list[tuple[str, str]]:
    """Columns that UCDs mark as longitude and latitude, where just two are."""
    ucds: dict[str, list[str]] = {}
    for name in table.colnames:
        if ucd := str((table[name].info.meta or {}).get("ucd", "")).lower():
            ucds.setdefault(ucd, []).append(name)
    pairs = []
    for lon, lat, _ in _UCDS:
        found = [[name for ucd in axis for name in ucds.get(ucd, [])] for axis in (lon, lat)]
        if all(len(names) == 1 for names in found):
            pairs.append((found[0][0], found[1][0]))
    return pairs


def _by_coosys(table: Table, names: tuple[str, str]) -> BaseCoordinateFrame | str | None:
    """Frame that a VOTable refers both columns to; where it refers to none, that of their UCDs."""
    metas = [table[name].info.meta or {} for name in names]
    said = [meta[COOSYS] for meta in metas if isinstance(meta.get(COOSYS), Mapping)]
    if said:
        if said[0] != said[-1]:
            raise Unclear(f"the file says {_sentence(said[0])} of one and {_sentence(said[-1])} of the other")
        frame = frame_by_words(*(said[0].get(key) for key in ("system", "equinox", "epoch")))
        if not isinstance(frame, EQUATORIAL) and _is_equatorial(names, metas):
            raise Unclear(f"the file says {_sentence(said[0])}")
        return frame
    ucds = [str(meta.get("ucd", "")).lower() for meta in metas]
    for lon, lat, frame in _UCDS:
        if frame is not None and ucds[0] in lon and ucds[1] in lat:
            return frame()
    return None


def _is_equatorial(names: tuple[str, str], metas: list[Mapping]) -> bool:
    ucd = str(metas[0].get("ucd", "")).lower()
    return ucd.startswith(("pos.eq.", "pos_eq_")) or bool(re.match(r"_?(ra|alpha)", names[0].strip().lower()))


def _by_words(table: Table, names: tuple[str, str]) -> BaseCoordinateFrame | None:
    """Equinox that the descriptions or units of both columns have in words."""
    years = []
    for name in names:
        info = table[name].info
        text = f"{info.description or ''} {info.unit or ''}"
        old = None
        if not _NEW_WORDS.search(text):
            old = _OLD_WORDS.search(text)
            if _CHANGED.search(text) if old else _MENTION.search(text):
                raise Unclear(f"{name} is described as {text.strip()!r}")
        years.append(besselian(next(filter(None, old.groups()))) if old else "")
    return FK4(equinox=years[0]) if years[0] and years[0] == years[1] else None


def _by_keywords(table: Table, names: tuple[str, str]) -> tuple[BaseCoordinateFrame | str | None, str]:
    """Frame by FITS keywords of the column, as in ``RADE5`` and ``EQUI5``, or of the table; and a quotation of them."""
    keys = {key.strip().upper(): value for key, value in table.meta.items() if isinstance(key, str)}
    number = table.colnames.index(names[0]) + 1
    own = {f"RADE{number}", f"EQUI{number}"} & set(keys) or _only_numbered(keys, table, names)
    found = own or {"RADESYS", "RADECSYS", "EQUINOX", "EPOCH"} & set(keys)
    said = ", ".join(f"{key}={keys[key]!r}" for key in sorted(found, reverse=True))
    said = f"the meta of the catalogue says {said}"
    if own:
        system, equinox = (
            next((keys[key] for key in own if key.startswith(of)), None) for of in ("RADE", "EQUI")
        )
    else:
        system = keys.get("RADESYS") or keys.get("RADECSYS")
        equinox = keys.get("EQUINOX")
    try:
        if equinox is None and "EPOCH" in found:
            equinox = equinox_of_epoch(keys["EPOCH"], system)
        frame = frame_by_words(system, equinox)
        # With columns named after an old equinox beside these, the keywords are rather about those.
        if not isinstance(frame, EQUATORIAL) or (isinstance(frame, FK4) and _has_old_names(table)):
            raise Unclear
    except Unclear:
        raise Unclear(said) from None
    return frame, said


def _only_numbered(keys: Mapping[str, object], table: Table, names: tuple[str, str]) -> set[str]:
    """Keywords of columns whose numbers are no longer right, as columns came in, where there is one kind alone."""
    numbers = {int(key[4:]) for key in keys if re.fullmatch(r"(RADE|EQUI)\d+", key)}
    about = {table.colnames[n - 1] for n in numbers if 0 < n <= len(table.colnames)}
    if any(map(_RA_OR_DEC.match, about - set(names))):
        return set()  # they are about other positions
    kinds = {(str(keys.get(f"RADE{n}")), str(keys.get(f"EQUI{n}"))) for n in numbers}
    return {f"{of}{min(numbers)}" for of in ("RADE", "EQUI")} & set(keys) if len(kinds) == 1 else set()


def _sentence(said: Mapping) -> str:
    return "COOSYS " + " ".join(f"{key}={value!r}" for key, value in said.items())


def to_icrs(lon: np.ndarray, lat: np.ndarray, frame: BaseCoordinateFrame) -> tuple[np.ndarray, np.ndarray]:
    """Bring degrees from a frame to ICRS; NaN, and what is off the sphere, stays as it is."""
    ra, dec = lon.copy(), lat.copy()
    good = np.isfinite(lon) & (np.abs(lat) <= 90)
    icrs = SkyCoord(lon[good] * u.deg, lat[good] * u.deg, frame=frame).icrs
    ra[good], dec[good] = icrs.ra.deg, icrs.dec.deg
    return ra, dec
