"""Columns and meta in a form that a file format can hold."""

from collections.abc import Callable

import numpy as np
import yaml
from astropy.io.misc import yaml as astropy_yaml
from astropy.table import Column, MaskedColumn, Table
from astropy.table.column import BaseColumn
from astropy.utils.masked import Masked

from galzoo_repr.catalogue._columns import as_table

__all__ = ["code_points", "objects_to_text", "replace_data", "storable"]


def storable(
    table: Table,
    file_format: str,
    *,
    kinds: str,
    null: Callable[[MaskedColumn], bool],
    context: str,
    retype: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[Table, list[str]]:
    """
    Prepare a table for a file format.

    Text with gaps in object columns becomes masked text. A mask that the format's own null cannot express is
    set up to be written as a column of its own, ``<name>.mask``, over values that other readers take for
    missing.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Left as it is.
    file_format : str
        Name of the format, for messages.
    kinds : str
        numpy kinds of column that the format holds.
    null : callable
        Whether the format's own null expresses the mask of a column exactly.
    context : str
        Serialisation context of astropy in which the columns are going to be written.
    retype : callable, optional
        Gives the values of a column in a type that the format has.

    Returns
    -------
    table : `~astropy.table.Table`
        Ready to be written, sharing the data that needed no change.
    lost : list of str
        A sentence for each thing that the format cannot hold.
    """
    table, lost = as_table(table, copy=False), []
    for name in table.colnames:
        if isinstance(table[name], BaseColumn):
            if table[name].dtype.kind == "O":
                objects_to_text(table, name)
            if table[name].dtype.kind not in kinds:
                lost.append(
                    f"column {name!r} of dtype {table[name].dtype} is left out: {file_format} cannot hold it."
                )
                table.remove_column(name)
                continue
            if 0 in table[name].shape[1:]:
                lost.append(f"column {name!r} is left out: its arrays are empty.")
                table.remove_column(name)
                continue
            data = np.ma.getdata(table[name])
            if (fitting := retype(data)).dtype != data.dtype:
                replace_data(table, name, fitting, mask=getattr(table[name], "mask", None))
        if isinstance(table[name], MaskedColumn):
            _choose_mask(table, name, null, context)
        elif isinstance(table[name], Masked) and context != "ecsv":
            table[name].info.serialize_method[context] = "data_mask"
    lost += _drop_unwritable_meta(table, file_format)
    return table, lost


def _choose_mask(table: Table, name: str, null: Callable[[MaskedColumn], bool], context: str) -> None:
    """Decide how the mask of a column is written: by the null of the format, or as a column beside it."""
    exact = null(table[name])
    if not exact:
        column = table[name]
        nothing = {"f": "nan", "c": "nan", "M": "NaT", "m": "NaT", "U": "", "S": ""}.get(column.dtype.kind, 0)
        missing = np.array(nothing).astype(column.dtype)[()]
        replace_data(table, name, column.filled(missing), mask=column.mask)
    table[name].info.serialize_method[context] = "null_value" if exact else "data_mask"


def objects_to_text(table: Table, name: str) -> None:
    """
    Turn a column of Python text with gaps into masked text, and leave any other objects.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Changed in place.
    name : str
        Column of objects.
    """
    column = table[name]
    if column.ndim != 1:
        return
    values = [None if gap else value for value, gap in zip(column, np.ma.getmaskarray(column), strict=True)]
    if all(value is None or isinstance(value, str) for value in values):
        gaps = np.array([value is None for value in values], dtype=bool)
        text = np.array(["" if value is None else value for value in values], dtype=str)
        replace_data(table, name, text, mask=gaps if gaps.any() else None)


def code_points(text: np.ndarray) -> np.ndarray:
    """
    Look at the characters of an array of text.

    Parameters
    ----------
    text : `~numpy.ndarray`
        Of dtype U.

    Returns
    -------
    `~numpy.ndarray`
        uint32, one more dimension than ``text``; zero behind the end of a text.
    """
    plain = np.ascontiguousarray(text, dtype=text.dtype.newbyteorder("="))
    return plain.view(np.uint32).reshape(*text.shape, text.dtype.itemsize // 4)


def replace_data(
    table: Table, name: str, data: np.ndarray, *, mask: np.ndarray | None = None, keep_unit: bool = True
) -> None:
    """
    Give a column of a table other data, and perhaps a mask, in place.

    It keeps its unit, description, format and meta.
    """
    column = Column(data, copy=False) if mask is None else MaskedColumn(data, mask=mask, copy=False)
    for attribute in ("name", *(["unit"] if keep_unit else []), "description", "format", "meta"):
        setattr(column, attribute, getattr(table[name].info, attribute))
    table.replace_column(name, column, copy=False)


def _drop_unwritable_meta(table: Table, file_format: str) -> list[str]:
    """Remove from the meta of table and columns what YAML cannot express, and say so."""
    lost = []
    owners = {"the table": table.meta, **{f"column {n!r}": table[n].info.meta for n in table.colnames}}
    for owner, meta in owners.items():
        for key in list(meta or ()):
            try:
                astropy_yaml.dump({key: meta[key]})
            except yaml.YAMLError:
                kind = type(meta[key]).__name__
                lost.append(f"meta key {key!r} of {owner} is left out: {file_format} cannot hold a {kind}.")
                del meta[key]
    return lost
