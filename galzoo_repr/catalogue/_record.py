"""The record of a table that goes into a file beside what the format itself holds, and a table rebuilt by it."""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import yaml
from astropy import units as u
from astropy.io.misc import yaml as astropy_yaml
from astropy.table import MaskedColumn, Table, serialize

from galzoo_repr.catalogue._storable import replace_data
from galzoo_repr.catalogue._yaml_size import refuse_unfolding
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["described", "from_text", "masks_beside", "of_header", "rebuilt", "recorded", "to_text"]

# Key of astropy in the meta of a table whose columns were split.
_MIXINS = "__serialized_columns__"

# A type of numpy, times with their unit, and the shape of a cell.
_DATATYPE = re.compile(r"((?:datetime64|timedelta64)\[\w+\]|\w+)(\[.*\])?")


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
    >>> from galzoo_repr.catalogue._record import from_text, to_text
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
        refuse_unfolding(text)
        record = astropy_yaml.load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"not a record of the package: {text[:60]!r}") from error
    if not isinstance(record, dict):
        raise ValueError(f"not a record of the package: {text[:60]!r}")
    return record


def recorded(text: str | None, path: Path) -> dict:
    """
    Read the record that a file of the package carries beside what its format holds.

    It has ``meta`` and ``columns``. It is empty where there is none, in the file of another program, or where
    it is damaged, which a warning says.
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
    kind, shape = _DATATYPE.fullmatch(facts.get("subtype", facts["datatype"])).groups()
    return {
        **facts,
        "dtype": "U1" if kind in ("string", "json") else kind,
        "shape": json.loads(shape or "[]"),
    }


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
            replace_data(plain, name, _as(dtype, data, mask).reshape(shape), mask=mask)
        column = plain[name]
        column.unit = u.Unit(facts["unit"], parse_strict="silent") if "unit" in facts else None
        column.description = facts.get("description")
        column.format = facts.get("format")
        column.meta = dict(facts.get("meta", {}))
    plain.meta = dict(meta)
    whole = plain.meta.get(_MIXINS, {})
    for name in [name for name in whole if not set(_parts(whole[name])) <= set(plain.colnames)]:
        message = f"column {name!r} stays in pieces: the file does not have all its parts any more."
        warnings.warn(message, GalzooWarning, stacklevel=4)
        del whole[name]
    for name in masks_beside(plain):
        if isinstance(plain[name], MaskedColumn):
            replace_data(plain, name, plain[name].data.data)
    # Every reader of astropy's own formats ends with this call; there is no public one.
    return serialize._construct_mixins_from_columns(plain)


def _as(dtype: np.dtype, data: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Convert to a type if that changes no value: others may have edited the file since its record was made."""
    fitting, kinds = data.astype(dtype), data.dtype.kind + dtype.kind
    if not np.can_cast(data.dtype, dtype, "safe") and kinds in (
        "SS",
        "UU",
        "ii",
        "iu",
        "ui",
        "uu",
        "fi",
        "fu",
    ):
        there = np.s_[...] if mask is None else ~mask.reshape(data.shape)
        return fitting if np.array_equal(fitting[there], data[there]) else data
    return fitting


def masks_beside(plain: Table) -> dict[str, str]:
    """
    Name the columns of a table of split mixins that have their mask in a column of its own.

    Returns
    -------
    dict of str to str
        The name of the column of the mask for that of the values.
    """

    def pairs(serialized: Mapping) -> Iterator[tuple[str, str]]:
        if {"data", "mask"} <= set(serialized):
            yield serialized["data"]["name"], serialized["mask"]["name"]
        for value in serialized.values():
            if isinstance(value, Mapping):
                yield from pairs(value)

    return dict(pairs(plain.meta.get(_MIXINS, {})))


def _parts(serialized: Mapping) -> Iterator[str]:
    """Give the names of the plain columns that a mixin column is made of."""
    for key, value in serialized.items():
        if isinstance(value, Mapping):
            yield from _parts(value)
        elif key == "name":
            yield value
