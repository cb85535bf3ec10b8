"""What every file format needs: columns and meta in a form that can be written, and the way back."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import yaml
from astropy import units as u
from astropy.io.misc import yaml as astropy_yaml
from astropy.table import Column, MaskedColumn, Table, serialize
from astropy.table.column import BaseColumn
from astropy.utils.masked import Masked

from galzoo_repr.catalogue._columns import as_table
from galzoo_repr.exceptions import GalzooWarning

__all__ = [
    "code_points",
    "described",
    "from_text",
    "objects_to_text",
    "of_header",
    "rebuilt",
    "recorded",
    "replace_data",
    "storable",
    "to_text",
]


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
    table, lost = as_table(table), []
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
        missing = {"f": np.nan, "c": np.nan, "U": "", "S": b""}.get(column.dtype.kind, column.dtype.type(0))
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
    Give a column other data and keep its unit, description, format and meta.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Changed in place.
    name : str
        Column to change.
    data : `~numpy.ndarray`
        New values.
    mask : `~numpy.ndarray`, optional
        Makes the column a masked one.
    keep_unit : bool, optional
        Whether the unit stays.
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


class _OneLineDumper(astropy_yaml.AstropyDumper):
    """YAML with every text in double quotes, which makes plain data read like JSON."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_OneLineDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def to_text(record: Mapping) -> str:
    r"""
    Write a nested record as one line of ASCII, such as a FITS card or an XML attribute can hold.

    Plain data come out like JSON; tuples, quantities, times and sky coordinates carry astropy's YAML tags.
    Neither ``'`` nor ``&`` occurs (they are written as ``\x27`` and ``\x26``), because FITS cards that
    continue lose text around them.

    Examples
    --------
    >>> from galzoo_repr.catalogue._storable import from_text, to_text
    >>> print(to_text({"add_cutouts": {"n": 3, "bands": ["g", "r", "z"], "note": "l'été"}}))
    {"add_cutouts": {"n": 3, "bands": ["g", "r", "z"], "note": "l\x27\xE9t\xE9"}}
    >>> from_text(to_text({"size": (424, 424)}))
    {'size': (424, 424)}
    """
    text = yaml.dump(
        dict(record), Dumper=_OneLineDumper, default_flow_style=True, width=float("inf"), sort_keys=False
    )
    # Only double-quoted text can contain these two, and there the escapes mean the same.
    return text.rstrip("\n").replace("'", "\\x27").replace("&", "\\x26")


def from_text(text: str) -> dict:
    """
    Read back what `to_text` wrote.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    try:
        record = astropy_yaml.load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not a record of the package: {text[:60]!r}") from error
    if not isinstance(record, dict):
        raise ValueError(f"not a record of the package: {text[:60]!r}")
    return record


def recorded(text: str | None, path: Path) -> dict:
    """
    Read the record that a file of the package carries beside what its format holds.

    Parameters
    ----------
    text : str or None
        What `to_text` wrote, None in the file of another program.
    path : pathlib.Path
        The file, for the warning that it is damaged.

    Returns
    -------
    dict
        With the keys ``meta`` and ``columns``, or empty.
    """
    if text is None:
        return {}
    try:
        record = from_text(text)
        return {**record, "meta": dict(record["meta"]), "columns": dict(record["columns"])}
    except (ValueError, KeyError, TypeError):
        message = (
            f"the record that galzoo_repr left in {path} is damaged; nested meta and some dtypes are lost."
        )
        warnings.warn(message, GalzooWarning, stacklevel=4)
        return {}


def of_header(facts: Mapping) -> dict:
    """
    Translate what astropy's header of ECSV and Parquet says of one column.

    Parameters
    ----------
    facts : mapping
        Entry of the header, in which arrays and objects hide behind a subtype.

    Returns
    -------
    dict
        The same with ``dtype`` and ``shape`` as `described` has them.
    """
    kind, bracket, shape = facts.get("subtype", facts["datatype"]).partition("[")
    text = kind in ("string", "json")
    return {**facts, "dtype": "U1" if text else kind, "shape": json.loads(bracket + shape) if bracket else []}


def described(plain: Table) -> dict[str, dict]:
    """Describe the columns of a table without mixins: dtype, and what is set of shape, unit and the like."""
    columns = {}
    for column in plain.itercols():
        facts = {
            "dtype": column.dtype.str[1:],
            "shape": list(column.shape[1:]),
            "unit": None if column.unit is None else column.unit.to_string(),
            "description": column.description,
            "format": column.format if isinstance(column.format, str) else None,
            "meta": dict(column.meta),
        }
        columns[column.name] = {key: fact for key, fact in facts.items() if fact not in (None, [], {})}
    return columns


def rebuilt(plain: Table, columns: Mapping[str, Mapping], meta: Mapping) -> Table:
    """
    Give a table read from a file its true columns and meta back.

    Parameters
    ----------
    plain : `~astropy.table.Table`
        As the file holds it. Its columns are changed in place.
    columns : mapping
        As `described` gave it. A column that is not in it stays as it is.
    meta : mapping
        The meta of the table as it was written, with astropy's key for its mixin columns.

    Returns
    -------
    `~astropy.table.Table`
        A `~astropy.table.QTable` if there are quantities.
    """
    for name in set(plain.colnames) & set(columns):
        facts, data, mask = columns[name], np.ma.getdata(plain[name]), getattr(plain[name], "mask", None)
        dtype, shape = np.dtype(facts["dtype"]), (len(plain), *facts.get("shape", ()))
        if data.dtype != dtype or data.shape != shape:
            mask = None if mask is None else mask.reshape(shape)
            replace_data(plain, name, data.astype(dtype).reshape(shape), mask=mask)
        column = plain[name]
        column.unit = u.Unit(facts["unit"], parse_strict="silent") if "unit" in facts else None
        column.description = facts.get("description")
        column.format = facts.get("format")
        column.meta = dict(facts.get("meta", {}))
    plain.meta = dict(meta)
    # Every reader of astropy's own formats ends with this call; there is no public one.
    return serialize._construct_mixins_from_columns(plain)
