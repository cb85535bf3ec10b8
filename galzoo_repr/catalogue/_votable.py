"""Catalogues as VOTables, with an INFO element for the meta and types that a VOTable has no place for."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io.votable.exceptions import VOWarning
from astropy.io.votable.tree import CooSys, Field, Info, TableElement, VOTableFile
from astropy.io.votable.xmlutil import fix_id
from astropy.table import Column, MaskedColumn, Table, represent_mixins_as_columns
from astropy.table.column import BaseColumn
from astropy.units import UnitBase, UnitsWarning
from astropy.utils.data_info import serialize_context_as

from galzoo_repr.catalogue._coosys import declare_frames, note_frames
from galzoo_repr.catalogue._record import described, masks_beside, rebuilt, recorded, to_text
from galzoo_repr.catalogue._storable import code_points, objects_to_text, replace_data, storable
from galzoo_repr.catalogue._votable_cells import column_of_binary, column_of_texts
from galzoo_repr.catalogue._votable_document import Cells, heed_status, one_table, parse_document, rows_of
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_votable", "write_votable"]

_RECORD = "galzoo_repr_table"

# VOTable has no signed bytes, no unsigned integers of more than a byte, and no half precision.
_TYPES = {"i1": "i2", "u2": "i4", "u4": "i8", "f2": "f4"}

# What VOTable and UCD1+ call the frames of astropy and their angles.
_SYSTEMS = {"icrs": "ICRS", "fk5": "eq_FK5", "fk4": "eq_FK4", "galactic": "galactic"}
_UCDS = {"ra": "pos.eq.ra", "dec": "pos.eq.dec", "l": "pos.galactic.lon", "b": "pos.galactic.lat"}


def write_votable(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new VOTable file, and give a sentence for each thing that the file does not keep.

    The serialisation is BINARY2. Mixin columns are split as in ECSV and Parquet: a SkyCoord ``coords``
    into ``coords.ra`` and ``coords.dec``. Plain values of the meta become INFO elements of the table, and all of
    it goes, with the types and meta of the columns, as one line of YAML into the INFO element ``galzoo_repr_table``.
    """
    # The context is that of Parquet because astropy has none for VOTable: masks become columns where set so.
    table, lost = storable(table, "VOTable", kinds="biufcSU", null=_has_null, context="parquet")
    for name in [name for name in table.colnames if isinstance(table[name], BaseColumn)]:
        if table[name].ndim > 1 and _is_text(np.ma.getdata(table[name])):
            lost.append(f"column {name!r} is left out: VOTable cannot hold several texts in one cell.")
            table.remove_column(name)
    with serialize_context_as("parquet"):
        plain = represent_mixins_as_columns(table)
    plain = plain.copy(copy_data=False)
    record, masks = {"meta": dict(plain.meta), "columns": described(plain)}, masks_beside(plain)
    infos = [Info(name=k, value=str(v)) for k, v in table.meta.items() if _is_info(k, v)]
    plain.meta = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        warnings.simplefilter("ignore", VOWarning)
        for name in plain.colnames:
            lost += _fit_column(plain, name)
            if name in masks:
                _blank(plain, name, np.asarray(plain[masks[name]]))
        document = VOTableFile.from_table(plain)
        declare_frames(document, record["columns"])
        element = document.get_first_table()
        _declare_fields(element, plain)
        element.infos.extend([*infos, Info(name=_RECORD, value=to_text(record))])
        _declare_positions(document, table)
        document.to_xml(str(path), tabledata_format="binary2")
    if not len(plain):
        # astropy leaves out the element that other readers know a table by.
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("<INFO", "<DATA><TABLEDATA/></DATA>\n   <INFO", 1), encoding="utf-8")
    return lost


def _declare_fields(element: TableElement, plain: Table) -> None:
    """Declare the fields in a way that every reader understands."""
    Field.uniqify_names(element.fields)
    for field, column in zip(element.fields, plain.itercols(), strict=True):
        if field.datatype == "bit":
            # astropy's choice for logicals packs them otherwise than the standard says, and has no null.
            field.datatype = "boolean"
        elif column.dtype.kind in "SU" and field.arraysize == "1":
            # Others take this for a character, of which there is no empty one.
            field.arraysize = "2"
        if isinstance(column, MaskedColumn) and column.dtype.kind in "iu" and column.ndim > 1:
            # The flags of BINARY2 are of whole cells.
            field.values.null = _unused(column)


def _declare_positions(document: VOTableFile, table: Table) -> None:
    """Say in the words of VOTable what the parts of each SkyCoord are: frame, UCD and description."""
    fields = {field.name: field for field in document.get_first_table().fields}
    for name in table.colnames:
        frame = getattr(table[name], "frame", None)
        if frame is None or frame.name not in _SYSTEMS:
            continue
        equinox = str(frame.equinox) if hasattr(frame, "equinox") else None
        system = CooSys(ID=f"{fix_id(name)}_frame", system=_SYSTEMS[frame.name], equinox=equinox)
        document.resources[0].coordinate_systems.append(system)
        for part in set(frame.get_representation_component_names()) & set(_UCDS):
            field = fields[f"{name}.{part}"]
            field.ref, field.ucd = system.ID, _UCDS[part]
            field.description = _printable(f"{part}: {table[name].info.description or name}")


def _has_null(column: MaskedColumn) -> bool:
    """Whether the flags of BINARY2, or a null of the field, can say what is masked, and nothing else."""
    if column.dtype.kind not in "iub" or _is_text(column.data.data):
        return False
    return column.dtype.kind == "b" or column.ndim == 1 or _unused(column) is not None


def _unused(column: MaskedColumn) -> int | None:
    """Give an integer of the column's type that is not in it."""
    limits = np.iinfo(column.dtype)
    candidates = (limits.min, limits.max, *range(limits.max - 1, limits.max - 255, -1))
    return next((value for value in candidates if not np.any(column.data.data == value)), None)


def _is_text(data: np.ndarray) -> bool:
    """Whether this is written as text: also the digits of integers that no type of VOTable holds."""
    too_large = data.dtype.str[1:] == "u8" and data.max(initial=0) > np.iinfo(np.int64).max
    return too_large or data.dtype.kind in "SU"


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


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _fit_column(plain: Table, name: str) -> list[str]:
    """Change a column to a type and shape that VOTable has; say what that loses."""
    if plain[name].description is not None:
        # XML has no control characters, not even escaped; the record keeps them.
        plain[name].description = _printable(plain[name].description)
    plain[name].meta = {key: value for key, value in plain[name].meta.items() if _is_attribute(key, value)}
    if plain[name].unit is not None and not _is_votable_unit(plain[name].unit):
        plain[name].unit = None
    lost, data, mask = [], np.ma.getdata(plain[name]), getattr(plain[name], "mask", None)
    fitting = data.astype(_TYPES.get(data.dtype.str[1:], data.dtype), copy=False)
    if data.dtype.str[1:] == "u8":
        fitting = data.astype(str if _is_text(data) else np.int64)
    elif data.dtype.kind == "U" and np.any((characters := code_points(data)) > 0xFFFF):
        lost.append(f"characters beyond U+FFFF in column {name!r} become U+FFFD: VOTable's have two bytes.")
        fitting = np.where(characters > 0xFFFF, np.uint32(0xFFFD), characters).view(data.dtype.str[1:])[:, 0]
    if data.ndim > 2:
        flat = (len(data), int(np.prod(data.shape[1:])))
        fitting, mask = fitting.reshape(flat), None if mask is None else mask.reshape(flat)
    if fitting is not data:
        replace_data(plain, name, fitting, mask=mask)
    return lost


def _blank(plain: Table, name: str, mask: np.ndarray) -> None:
    """Put what other readers take for missing under a mask that is a column of its own."""
    missing = {"f": np.nan, "c": np.nan, "U": "", "S": b""}.get(plain[name].dtype.kind)
    if missing is not None:
        replace_data(plain, name, np.where(mask, missing, plain[name]).astype(plain[name].dtype))


def read_votable(path: Path, table: str | int | None = None) -> Table:
    """
    Read a table of a VOTable file, which is the only one if none is named.

    Missing floats are NaN and missing text is empty; missing integers and logicals are masked.

    Parameters
    ----------
    path : pathlib.Path
        Possibly compressed with gzip.
    table : str or int, optional
        Its name or ID, or its number from 0.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if it was written with quantities.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        warnings.simplefilter("ignore", VOWarning)
        try:
            document, cells = parse_document(path)
        except UnicodeDecodeError:
            document, cells = parse_document(path, bytes_for_text=True)
    heed_status(document, cells, path)
    element, found = one_table(document, cells, table)
    plain = _plain(element, found, path)
    note_frames(document, element, plain)
    for name in plain.colnames:
        _without_needless_mask(plain, name)
    infos = {info.name: info.value for info in element.infos}
    record = recorded(infos.pop(_RECORD, None), path)
    if not record:
        plain.meta.update(infos)
        return plain
    for name in set(plain.colnames) & set(record["columns"]):
        if record["columns"][name]["dtype"] == "u8" and plain[name].dtype.kind == "U":
            replace_data(plain, name, np.where(plain[name] == "", "0", plain[name]))
    return rebuilt(plain, record["columns"], record["meta"])


def _plain(element: TableElement, table: Cells, path: Path) -> Table:
    """Give the table as the file has it, and say which of its cells are not as declared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VOWarning)
        facts = element.to_table(use_names_over_ids=True)
    if table.short_rows:
        message = f"{table.short_rows} row(s) of {path} have too few cells; what they lack is missing."
        warnings.warn(message, GalzooWarning, stacklevel=4)
    if (rows := rows_of(element, table)) < table.declared_rows:
        message = (
            f"{path} holds {rows} of the {table.declared_rows} rows that it declares; the others are missing."
        )
        warnings.warn(message, GalzooWarning, stacklevel=4)
    columns = {}
    for i, (name, declared) in enumerate(zip(facts.colnames, table.fields, strict=True)):
        if table.texts is None:
            column, remarks = column_of_binary(facts[name], declared), []
        else:
            column, remarks = column_of_texts(table.texts[i], declared)
        for remark in remarks:
            warnings.warn(f"column {name!r} of {path} {remark}.", GalzooWarning, stacklevel=4)
        column.unit, column.description = facts[name].unit, facts[name].description
        column.meta = {
            key: value for key, value in facts[name].meta.items() if not key.startswith("_votable")
        }
        if column.dtype.kind == "f":
            column.format = _format(column.meta.get("precision"))
        columns[name] = column
    return Table(columns, meta=facts.meta, copy=False)


def _format(precision: str | None) -> str | None:
    """Translate the precision of a field: decimals, or significant figures after an E."""
    if precision is None:
        return None
    return f".{precision[1:]}g" if precision.startswith("E") else f".{precision.removeprefix('F')}f"


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
