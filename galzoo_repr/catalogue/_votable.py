"""Catalogues as VOTables, with an INFO element for the meta and types that a VOTable has no place for."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io import votable
from astropy.io.votable.exceptions import VOWarning
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import Column, MaskedColumn, Table, represent_mixins_as_columns
from astropy.units import UnitBase, UnitsWarning
from astropy.utils.data_info import serialize_context_as

from galzoo_repr.catalogue._coosys import declare_frames, note_frames
from galzoo_repr.catalogue._record import described, rebuilt, recorded, to_text
from galzoo_repr.catalogue._storable import code_points, objects_to_text, replace_data, storable

__all__ = ["read_votable", "write_votable"]

_RECORD = "galzoo_repr_table"

# VOTable has no signed bytes, no unsigned integers of more than a byte, and no half precision.
_TYPES = {"i1": "i2", "u2": "i4", "u4": "i8", "f2": "f4"}


def write_votable(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new VOTable file, and give a sentence for each thing that the file does not keep.

    The serialisation is BINARY2. Mixin columns are split as in ECSV and Parquet: a SkyCoord ``coords``
    into ``coords.ra`` and ``coords.dec``. Plain values of the meta become INFO elements of the table, and all of
    it goes, with the types and meta of the columns, as one line of YAML into the INFO element ``galzoo_repr_table``.
    """
    # The context is that of Parquet because astropy has none for VOTable: masks become columns where set so.
    table, lost = storable(table, "VOTable", kinds="biufcSU", null=_has_null, context="parquet")
    with serialize_context_as("parquet"):
        plain = represent_mixins_as_columns(table)
    plain = plain.copy(copy_data=False)
    record = {"meta": dict(plain.meta), "columns": described(plain)}
    infos = [Info(name=k, value=str(v)) for k, v in table.meta.items() if _is_info(k, v)]
    plain.meta = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        warnings.simplefilter("ignore", VOWarning)
        for name in plain.colnames:
            if plain[name].dtype.kind in "SU" and plain[name].ndim > 1:
                lost.append(f"column {name!r} is left out: VOTable cannot hold several texts in one cell.")
                plain.remove_column(name)
            else:
                lost += _fit_column(plain, name)
        document = VOTableFile.from_table(plain)
        declare_frames(document, record["columns"])
        document.get_first_table().infos.extend([*infos, Info(name=_RECORD, value=to_text(record))])
        document.to_xml(str(path), tabledata_format="binary2")
    return lost


def _has_null(column: MaskedColumn) -> bool:
    # uint64 may have to be written as text, whose null is the empty text.
    return column.dtype.kind in "iub" and column.dtype.str[1:] != "u8"


def _is_info(key: object, value: object) -> bool:
    return (
        str(key).isidentifier()
        and key.isascii()
        and isinstance(value, bool | int | float | str)
        and str(value).isprintable()
    )


def _is_attribute(key: object, value: object) -> bool:
    """Whether a field of a VOTable has an attribute for this meta key of a column."""
    return key in ("ucd", "utype", "xtype") and isinstance(value, str) and value.isprintable()


def _is_votable_unit(unit: UnitBase) -> bool:
    """Whether this version of astropy writes a unit; which standard it goes by has changed over time."""
    try:
        VOTableFile.from_table(Table({"x": Column([0.0], unit=unit)})).to_xml(BytesIO())
    except ValueError:
        return False
    return True


def _fit_column(plain: Table, name: str) -> list[str]:
    """Change a column to a type and shape that VOTable has; say what that loses."""
    if plain[name].description is not None:
        # XML has no control characters, not even escaped; the record keeps them.
        plain[name].description = "".join(c if c.isprintable() else " " for c in plain[name].description)
    plain[name].meta = {key: value for key, value in plain[name].meta.items() if _is_attribute(key, value)}
    if plain[name].unit is not None and not _is_votable_unit(plain[name].unit):
        plain[name].unit = None
    lost, data, mask = [], np.ma.getdata(plain[name]), getattr(plain[name], "mask", None)
    fitting = data.astype(_TYPES.get(data.dtype.str[1:], data.dtype), copy=False)
    if data.dtype.str[1:] == "u8":
        fitting = data.astype(np.int64) if data.max(initial=0) <= np.iinfo(np.int64).max else data.astype(str)
    elif data.dtype.kind == "U" and np.any((characters := code_points(data)) > 0xFFFF):
        lost.append(f"characters beyond U+FFFF in column {name!r} become U+FFFD: VOTable's have two bytes.")
        fitting = np.where(characters > 0xFFFF, np.uint32(0xFFFD), characters).view(data.dtype.str[1:])[:, 0]
    elif data.ndim > 2:
        flat = (len(data), int(np.prod(data.shape[1:])))
        fitting, mask = fitting.reshape(flat), None if mask is None else mask.reshape(flat)
    if fitting is not data:
        replace_data(plain, name, fitting, mask=mask)
    return lost


def read_votable(path: Path) -> Table:
    """
    Read the only table of a VOTable file.

    Missing floats are NaN and missing text is empty; missing integers and logicals are masked.

    Parameters
    ----------
    path : pathlib.Path
        Possibly compressed with gzip.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if it was written with quantities.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        warnings.simplefilter("ignore", VOWarning)
        document = votable.parse(str(path))
        elements = list(document.iter_tables())
        if len(elements) != 1:
            raise ValueError(f"{path} holds {len(elements)} tables; a catalogue is one")
        plain = elements[0].to_table(use_names_over_ids=True)
    note_frames(document, elements[0], plain)
    for name in plain.colnames:
        _without_needless_mask(plain, name)
    infos = {info.name: info.value for info in elements[0].infos}
    record = recorded(infos.pop(_RECORD, None), path)
    if not record:
        plain.meta.update(infos)
        return plain
    return rebuilt(plain, record["columns"], record["meta"])


def _without_needless_mask(plain: Table, name: str) -> None:
    """Unmask what has a value for missing, and what has nothing masked."""
    column = plain[name]
    if not isinstance(column, MaskedColumn):
        return
    if column.dtype.kind in "fc":
        replace_data(plain, name, column.filled(np.nan))
    elif column.dtype.kind in "SU":
        replace_data(plain, name, column.filled(""))
    elif column.dtype.kind == "O":
        objects_to_text(plain, name)
        if isinstance(plain[name], MaskedColumn) and plain[name].dtype.kind == "U":
            replace_data(plain, name, plain[name].filled(""))
    elif not column.mask.any():
        replace_data(plain, name, column.data.data)
