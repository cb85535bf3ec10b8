"""Columns onto a catalogue: the same class and rows, with data of their own, the input untouched."""

from collections.abc import Iterable, Mapping
from copy import deepcopy

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Column, QTable, Row, Table
from astropy.time import Time

from galzoo_repr.catalogue._owned import owned_column, owned_table, put_in_place
from galzoo_repr.catalogue._provenance import record_provenance

__all__ = ["as_table", "one_per_row", "refuse_existing", "with_columns"]

Mixin = u.Quantity | SkyCoord | Time
_VECTORS = (list, tuple, np.ndarray)


def as_table(catalogue: Table | SkyCoord, *, copy: bool = True) -> Table:
    """
    Give a catalogue as a table of one's own.

    Whatever is done to the result, in place too, the original stays as it is, and the other way round. Columns of
    more than ``conf.mapped_above`` gigabytes are not copied but shared, and read-only in the result.

    Parameters
    ----------
    catalogue : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        A scalar SkyCoord is a catalogue of one row.
    copy : bool, optional
        False for a table whose columns share their data with the original: columns may be added to and replaced in
        it, but no value changed in place. It is for looking at a catalogue, at no cost.

    Returns
    -------
    `~astropy.table.Table`
        Of the same class as the input; a `~astropy.table.QTable` with the column ``coords`` for a SkyCoord.

    Raises
    ------
    TypeError
        If ``catalogue`` is something else.
    ValueError
        If a SkyCoord has more than one dimension.

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from galzoo_repr.catalogue import as_table
    >>> as_table(SkyCoord([10, 20], [1, 2], unit="deg")).colnames
    ['coords']
    """
    if isinstance(catalogue, Table):
        if copy:
            return owned_table(catalogue)
        table = catalogue.copy(copy_data=False)
        # astropy copies the dictionary but not what is nested in it.
        table.meta = deepcopy(catalogue.meta)
        return table
    if isinstance(catalogue, SkyCoord | BaseCoordinateFrame):
        coords = SkyCoord(catalogue)
        if coords.isscalar:
            coords = coords.reshape(1)
        if coords.ndim != 1:
            raise ValueError(
                f"the coordinates have shape {coords.shape}; "
                "one position per row is needed, as .ravel() gives"
            )
        table = QTable({"coords": coords})
        table["coords"].info.description = "Position as given"
        return table
    raise TypeError(_not_a_catalogue(catalogue))


def _not_a_catalogue(given: object) -> str:
    allowed = "a catalogue is an astropy Table, QTable or SkyCoord"
    if isinstance(given, Row):
        return f"got one Row of a table; {allowed}. Use table[i:i + 1] for a table of that row alone."
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        return (
            f"got the path {str(given)!r}; {allowed}. Use galzoo_repr.catalogue.read_catalogue(path) first."
        )
    if type(given).__name__ == "DataFrame":
        return f"got a DataFrame; {allowed}. Use astropy.table.Table.from_pandas(frame) first."
    return f"got {type(given).__name__}; {allowed}."


def one_per_row(column: Column | Mixin | np.ndarray) -> Column | Mixin | np.ndarray:
    """
    Read a column whose cells are vectors of length one as the column of single values that it stands for.

    Parameters
    ----------
    column : `~astropy.table.Column`, `~astropy.units.Quantity` or `~numpy.ndarray`
        Of shape (n, 1), or with objects of length one or none, as files with vectors give it.

    Returns
    -------
    `~astropy.table.Column`, `~astropy.units.Quantity` or `~numpy.ndarray`
        Of shape (n,), None where a cell was empty; whatever holds other cells comes back as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.catalogue import one_per_row
    >>> one_per_row(np.array([[10.0], [20.0]]))
    array([10., 20.])
    """
    shape = np.shape(column)
    if len(shape) > 1 and set(shape[1:]) == {1}:
        return one_per_row(column.reshape(shape[0]))
    if getattr(getattr(column, "dtype", None), "kind", "") != "O":
        return column
    cells = np.ma.getdata(column).tolist()
    if not any(isinstance(cell, _VECTORS) for cell in cells):
        return column
    single = column.copy()
    for row, cell in enumerate(cells):
        np.ma.getdata(single)[row] = _only(cell)
    return single


def _only(cell: object) -> object:
    """Give what is in a cell of length one, None for an empty one, and every other cell as it is."""
    if not isinstance(cell, _VECTORS) or np.ndim(cell) != 1 or len(cell) > 1:
        return cell
    return None if len(cell) == 0 or np.ma.is_masked(cell) else cell[0]


def refuse_existing(table: Table, names: Iterable[str], *, overwrite: bool = False) -> None:
    """
    Refuse to replace columns, before the work whose results they would hold.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalogue.
    names : iterable of str
        Columns to be made.
    overwrite : bool, optional
        Whether they may replace those that exist.

    Raises
    ------
    TypeError
        If a name is not text.
    ValueError
        If one exists and may not be replaced.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import refuse_existing
    >>> refuse_existing(Table({"ra": [10.0], "dec": [1.0]}), ["similarity"])
    """
    names = list(names)
    if wrong := [name for name in names if not isinstance(name, str) or not name.strip()]:
        raise TypeError(f"{wrong[0]!r} is no name of a column; give text")
    taken = [name for name in names if name in table.colnames]
    if taken and not overwrite:
        raise ValueError(
            f"the catalogue already has {', '.join(map(repr, taken))}; pass overwrite=True to replace, or "
            "choose another name with name="
        )


def with_columns(
    catalogue: Table | SkyCoord,
    columns: Mapping[str, Column | u.Quantity | SkyCoord | np.ndarray],
    *,
    overwrite: bool = False,
    provenance: Mapping[str, object] | None = None,
    call: str = "",
    copy: bool = True,
) -> Table:
    """
    Put columns onto a catalogue.

    Parameters
    ----------
    catalogue : `~astropy.table.Table`, `~astropy.table.QTable` or `~astropy.coordinates.SkyCoord`
        Left as it is, meta included.
    columns : mapping of str to Column, Quantity, SkyCoord or array
        Name and values of each new column, as many values as rows. Unit, description and meta come along.
    overwrite : bool, optional
        Whether a column that exists may be replaced; it keeps its place.
    provenance : mapping, optional
        Facts to record with `record_provenance`.
    call : str, optional
        Name of the function that computed the columns; needed with ``provenance``. It is noted in the meta
        of each column, as ``computed_by``.
    copy : bool, optional
        False where nobody else has the catalogue and the values, so that the result may share their data.

    Returns
    -------
    `~astropy.table.Table`
        Of the class of ``catalogue``, with the same rows in the same order. Its columns are copies, so that nothing
        that is done to one table in place, such as sorting it, happens to another; only those of more than
        ``conf.mapped_above`` gigabytes are shared, and read-only in the result.

    Raises
    ------
    ValueError
        If a column exists and ``overwrite`` is false, or has another number of rows.

    Examples
    --------
    >>> from astropy.table import Column, Table
    >>> from galzoo_repr.catalogue import with_columns
    >>> galaxies = Table({"ra": [10.0, 20.0], "dec": [1.0, 2.0]})
    >>> scored = with_columns(galaxies, {"similarity": Column([0.9, 0.1], description="Cosine similarity")})
    >>> scored.colnames, galaxies.colnames
    (['ra', 'dec', 'similarity'], ['ra', 'dec'])
    """
    table = catalogue if isinstance(catalogue, Table) else as_table(catalogue)
    refuse_existing(table, columns, overwrite=overwrite)
    for name, values in columns.items():
        if np.shape(values)[:1] != (len(table),):
            raise ValueError(
                f"column {name!r} has shape {np.shape(values)} for a catalogue of {len(table)} rows; "
                "it needs one value, or one array, per row"
            )
    table = as_table(table, copy=copy)
    for name, values in columns.items():
        # A mixin (Quantity, SkyCoord) would otherwise be taken in itself, and renamed.
        own = owned_column(values) if copy else _viewed(values)
        if name in table.colnames:
            put_in_place(table, name, own)
        else:
            table.add_column(own, name=name, copy=False)
        if call:
            info = table[name].info
            info.meta = {**(info.meta or {}), "computed_by": call}
    if provenance is not None:
        record_provenance(table, call, provenance)
    return table


def _viewed(values: Column | Mixin | np.ndarray) -> Column | Mixin | np.ndarray:
    """Give a view of a mixin column with its description and meta; of others astropy makes one."""
    if isinstance(values, Column) or type(values) is np.ndarray:
        return values
    if isinstance(values, u.Quantity):
        view = values.view()
        view.info = values.info
        return view
    return values.copy() if hasattr(values, "copy") else values
