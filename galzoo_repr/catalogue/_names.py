"""What the galaxies of a catalogue are called."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Table

from galzoo_repr.catalogue._cells import texts_of
from galzoo_repr.catalogue._columns import one_per_row
from galzoo_repr.catalogue._positions import sky_positions

__all__ = ["galaxy_names", "name_column", "names_in", "rows_called", "rows_named"]

# Columns that hold what galaxies are called, in lower case, in the order in which they are looked for.
_NAMES = (
    *("name", "names", "objname", "obj_name", "object_name", "objectname", "galaxy", "galaxy_name", "target"),
    *("target_name", "targetname", "object", "main_id", "designation", "iauname", "iau_name", "source_name"),
    *("common_name", "simbad_name", "ned_name", "id_str"),
)
_IDS = (
    *("id", "objid", "obj_id", "objectid", "object_id", "source_id", "sourceid", "targetid", "target_id"),
    *("dr7objid", "dr8objid", "nsa_id", "nsaid", "ls_id", "subject_id", "galaxy_id"),
)
_LETTER = re.compile("[a-z]", re.IGNORECASE).search


def name_column(table: Table) -> str:
    """
    Column of what galaxies are called, under a usual name, or of ids in words; empty where there is none.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import name_column
    >>> name_column(Table({"ra": [24.174], "iauname": ["J013641.7+154701"]})), name_column(Table({"objid": [7]}))
    ('iauname', '')
    """
    # An id of digits says less to a person than the position.
    words = [name for name in _columns(table, _IDS) if table[name].dtype.kind not in "iu"]
    return next(iter([*_columns(table, _NAMES), *words]), "")


def galaxy_names(table: Table) -> list[str]:
    """
    Give the entry of each galaxy in the column of names, or else its position.

    Parameters
    ----------
    table : astropy.table.Table
        With or without names, in a column such as ``name``, and positions.

    Returns
    -------
    list of str
        One for each row; ``"row 5"`` where there is neither.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import galaxy_names
    >>> galaxy_names(Table({"name": ["NGC 628", ""], "ra": [24.174, 49.921], "dec": [15.783, -19.411]}))
    ['NGC 628', '03h19m41s -19d24m40s']
    """
    column = name_column(table)
    names = texts_of(one_per_row(table[column])) if column else [""] * len(table)
    if all(names):
        return names
    try:
        others = sky_positions(table).skycoord.to_string("hmsdms", precision=0)
    except ValueError:  # a catalogue of image files needs no positions
        others = [f"row {row}" for row in range(len(table))]
    return [name or other for name, other in zip(names, others, strict=True)]


def rows_named(table: Table, name: str) -> tuple[np.ndarray, str]:
    """
    Find the galaxies of a catalogue that have a name.

    Columns such as ``name``, ``iauname`` or ``main_id``, and then those of ids, are looked at. A name that nothing is
    called exactly may, if it has letters, differ in case, blanks and leading zeros: ``"ngc628"`` finds "NGC 0628".

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue.
    name : str
        Name or id.

    Returns
    -------
    rows : numpy.ndarray
        int64, rows with that name; none where there are none.
    column : str
        Where it was found, empty where it was not.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import rows_named
    >>> rows_named(Table({"Name": ["NGC 0628", "NGC 1300"]}), "ngc628")
    (array([0]), 'Name')
    """
    name = name.strip()
    likely = {column: _ending_alike(table, column, name) for column in _columns(table, (*_NAMES, *_IDS))}
    # "15 02" is rather a position than the id 1502.
    for form in (str.strip, _loosely) if _LETTER(name) else (str.strip,):
        for column, texts in likely.items():
            rows = [row for row, text in texts.items() if form(text) == form(name)]
            if rows:
                return np.array(rows, dtype=np.int64), column
    return np.array([], dtype=np.int64), ""


def names_in(table: Table) -> list[str]:
    """
    Columns that tell galaxies apart, under usual names: names first, then ids.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import names_in
    >>> names_in(Table({"objid": [7], "Name": ["NGC 628"], "rating": [4]}))
    ['Name', 'objid']
    """
    return _columns(table, (*_NAMES, *_IDS))


def rows_called(table: Table, names: Sequence[str], column: str = "") -> list[np.ndarray]:
    """
    Find the galaxies of each of many names, as `rows_named` does of one, in one pass.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue.
    names : sequence of str
        Names or ids.
    column : str
        Where to look; by default in all columns with usual names.

    Returns
    -------
    list of numpy.ndarray
        int64, rows for each name; none where there are none.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import rows_called
    >>> rows_called(Table({"Name": ["NGC 0628", "NGC 1300"]}), ["NGC 1300", "ngc628", "M 51"])
    [array([1]), array([0]), array([], dtype=int64)]
    """
    places = [texts_of(one_per_row(table[name])) for name in ([column] if column else names_in(table))]
    found: dict[str, list[int]] = {}
    for form in (str.strip, _loosely):
        for texts in places:
            left = {
                form(name) for name in names if name not in found and (form is str.strip or _LETTER(name))
            }
            rows = defaultdict(list)
            for row, text in enumerate(texts) if left - {""} else ():
                if (key := form(text)) in left and key:
                    rows[key].append(row)
            found |= {name: rows[form(name)] for name in names if name not in found and form(name) in rows}
    return [np.array(found.get(name, []), dtype=np.int64) for name in names]


def _ending_alike(table: Table, column: str, name: str) -> dict[int, str]:
    """Entries of a column by row that end as a name does, which spares the longer look at most of a million."""
    given = one_per_row(table[column])
    if not name or (given.dtype.kind in "iu" and not name.isdecimal()):
        return {}
    end = name[-1].lower()
    return {row: text for row, text in enumerate(map(str.strip, texts_of(given))) if text[-1:].lower() == end}


def _columns(table: Table, usual: tuple[str, ...]) -> list[str]:
    """Columns under usual names: text, or whole numbers where they are ids."""
    by_lower = {name.strip().lower(): name for name in reversed(table.colnames)}
    found = [by_lower[name] for name in usual if name in by_lower]
    return [name for name in found if _holds_names(table, name, ids=name.strip().lower() in _IDS)]


def _holds_names(table: Table, name: str, *, ids: bool) -> bool:
    column = table[name]
    if isinstance(column, SkyCoord | BaseCoordinateFrame) or not hasattr(column, "dtype"):
        return False
    return column.dtype.kind in ("USOiu" if ids else "USO") and np.ndim(one_per_row(column)) == 1


def _loosely(name: str) -> str:
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", re.sub(r"[\s_]+", "", name.lower()))
