"""Columns of one's own: copies, so that what becomes of one table in place does not happen to another."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import date
from decimal import Decimal

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from astropy.table.column import col_copy
from astropy.table.index import Index
from astropy.time import Time
from astropy.utils.masked import Masked

from galzoo_repr._config import conf

__all__ = ["owned_column", "owned_table", "put_in_place", "rows_of"]

Mixin = u.Quantity | SkyCoord | Time
# Cells that cannot be changed in place.
_UNCHANGING = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    np.generic,
    Decimal,
    date,
    np.ma.core.MaskedConstant,
)


def owned_table(catalogue: Table) -> Table:
    """
    Copy a table with all that is in it: values, masks, cells that are arrays, meta, descriptions, indices.

    A column above ``conf.mapped_above`` gigabytes is shared, as there may be no room for another, and read-only; not so
    one of an index, which astropy sorts in place alone.
    """
    indices = _indices_of(catalogue)
    indexed = {name for names in indices for name in names}
    large = any(_is_large(catalogue[name]) for name in catalogue.colnames if name not in indexed)
    with catalogue.index_mode("discard_on_copy"):
        table = catalogue.copy(copy_data=not large)
    if not large:
        for column in table.itercols():
            _own_cells(column)
    else:
        table.meta = deepcopy(catalogue.meta)
        for name in table.colnames:
            put_in_place(table, name, owned_column(table[name], share=name not in indexed))
    _make_indices(table, indices, catalogue.primary_key)
    return table


def owned_column(
    values: Column | Mixin | np.ndarray | Sequence, *, share: bool = True
) -> Column | Mixin | np.ndarray | Sequence:
    """Copy a column; a large one is a read-only view, as `owned_table` has it, if it may be shared."""
    if share and _is_large(values):
        return _to_be_read(values)
    if not hasattr(values, "copy") or not hasattr(values, "shape"):
        return deepcopy(values)
    own = values.copy() if type(values) is np.ndarray else col_copy(values)
    _own_cells(own)
    return own


def rows_of(table: Table, rows: np.ndarray) -> Table:
    """
    Take some rows of a table, by their numbers, as a table that shares nothing with it.

    Parameters
    ----------
    table : Table
    rows : ndarray of int or bool
        Not a slice, of which astropy gives views.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import rows_of
    >>> galaxies = Table({"name": ["NGC 628", "NGC 1300"], "z": [0.0022, 0.0053]})
    >>> rows_of(galaxies, np.array([1]))["name"].tolist()
    ['NGC 1300']
    """
    rows = np.asarray(rows)
    with table.index_mode("discard_on_copy"):
        taken = table[rows]
    taken.meta = deepcopy(table.meta)
    for column in taken.itercols():
        _own_cells(column)
    once = rows.dtype == bool or len(np.unique(rows)) == len(rows)
    _make_indices(taken, _indices_of(table), table.primary_key, once=once)
    return taken


def _is_large(values: object) -> bool:
    plain = isinstance(values, Column | np.ndarray) and not isinstance(values, Masked)
    # Cells of objects are somewhere else.
    return plain and not values.dtype.hasobject and values.nbytes > conf.mapped_above * 1e9


def _to_be_read(values: Column | u.Quantity | np.ndarray) -> Column | u.Quantity | np.ndarray:
    view = values.copy(copy_data=False) if isinstance(values, Column) else values.view()
    if "info" in getattr(values, "__dict__", ()):
        view.info = values.info
    view.flags.writeable = False
    if isinstance(view, MaskedColumn):
        # Numpy has no array that may be masked but not changed.
        view.unshare_mask()
    return view


def _own_cells(column: Column | Mixin | np.ndarray) -> None:
    """Copy the cells that can be changed, as lists and arrays can, of a column that is a copy."""
    dtype = getattr(column, "dtype", None)
    if not getattr(dtype, "hasobject", False):
        return
    values = np.ma.getdata(column).view(np.ndarray)
    for part in [values[name] for name in dtype.names] if dtype.names else [values]:
        if part.dtype != object or all(
            issubclass(kind, _UNCHANGING) for kind in set(map(type, part.ravel().tolist()))
        ):
            continue
        known: dict = {}
        for place in np.ndindex(part.shape):
            with suppress(TypeError, NotImplementedError):  # of what cannot be copied, such as a file
                part[place] = deepcopy(part[place], known)


def put_in_place(table: Table, name: str, values: Column | Mixin | np.ndarray) -> None:
    """Put values in place of a column, and make the indices anew that it is part of: astropy refuses to."""
    primary, indices = table.primary_key, _indices_of(table)
    gone = {columns: index for columns, index in indices.items() if name in columns}
    for column in table.itercols() if gone else ():
        # astropy's own way of removing them fails where an index is of several columns.
        column.info.indices = [
            index
            for index in column.info.indices
            if tuple(one.info.name for one in index.columns) not in gone
        ]
    table.replace_column(name, values, copy=False)
    _make_indices(table, gone, primary)


def _indices_of(table: Table) -> dict[tuple[str, ...], Index]:
    """Indices by the names of their columns."""
    return {tuple(one.info.name for one in index.columns): index for index in table.indices}


def _make_indices(
    table: Table, like: Mapping[tuple[str, ...], Index], primary: tuple | None, *, once: bool = True
) -> None:
    """Make indices anew: those that astropy copies look at the columns, and rows, of the other table."""
    for columns, index in like.items():
        table.add_index(list(columns), engine=type(index.data), unique=index.data.unique and once)
    table.primary_key = primary
