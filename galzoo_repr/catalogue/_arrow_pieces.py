"""A catalogue as pieces of Arrow: some columns of it, columns beside those of another, rows below one another."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from astropy.io.misc import yaml as astropy_yaml
from astropy.table import Table

from galzoo_repr.catalogue._parquet import arrow_table, header_of, table_of_arrow

__all__ = ["columns_beside", "parts_of", "stacked", "to_arrow", "with_columns_of"]

_HEADER = b"table_meta_yaml"
_MIXINS = "__serialized_columns__"
_NESTED = "galzoo_repr"
# What the provenance of a call counts in each piece of a catalogue.
_COUNTED = {"summary", "surveys", "figures", "without_embedding"}


def to_arrow(table: Table) -> pa.Table:
    """
    Give a catalogue as Arrow holds it in the Parquet files of `write_catalogue`.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`

    Returns
    -------
    `pyarrow.Table`
        Masks, units, descriptions and meta are in columns beside and in its metadata.

    Raises
    ------
    ValueError
        If something of the table cannot be held.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import to_arrow
    >>> to_arrow(Table({"ra": [10.0], "dec": [1.0]})).column_names
    ['ra', 'dec']
    """
    arrow, lost = arrow_table(table)
    if lost:
        raise ValueError(lost[0].rstrip("."))
    return arrow


def parts_of(arrow: pa.Schema, names: Sequence[str]) -> list[str]:
    """
    Name the columns of Arrow that hold some columns of a catalogue: values, masks, components.

    Parameters
    ----------
    arrow : `pyarrow.Schema`
        As `to_arrow` or a Parquet file of the package gives it.
    names : sequence of str
        Columns of the catalogue.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> from astropy.table import MaskedColumn, Table
    >>> from galzoo_repr.catalogue import parts_of, to_arrow
    >>> parts_of(to_arrow(Table({"z": MaskedColumn([0.1, 0.2], mask=[0, 1])})).schema, ["z"])
    ['z', 'z.mask']
    """
    mixins = _header(arrow).get("meta", {}).get(_MIXINS, {})
    whole = {name: list(_leaves(mixins[name])) for name in mixins}
    pieces = {part for parts in whole.values() for part in parts}
    known = [*whole, *(name for name in arrow.names if name not in pieces)]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no column {unknown[0]!r}; the columns are {', '.join(known)}")
    return [part for name in names for part in whole.get(name, [name])]


def columns_beside(arrow: pa.Table, columns: Table | pa.Table) -> pa.Table:
    """
    Put columns beside those of a table of Arrow, which stay as they are to the last bit.

    Parameters
    ----------
    arrow : `pyarrow.Table`
        Of a Parquet file, of this package or another program.
    columns : `~astropy.table.Table` or `pyarrow.Table`
        New columns, which replace those of the same name, and the meta of the whole; or what `to_arrow` made of them.

    Returns
    -------
    `pyarrow.Table`

    Examples
    --------
    >>> import pyarrow as pa
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import columns_beside
    >>> columns_beside(pa.table({"ra": [10.0]}), Table({"dec": [1.0]})).column_names
    ['ra', 'dec']
    """
    new = columns if isinstance(columns, pa.Table) else to_arrow(columns)
    old, header = _header(arrow.schema), _header(new.schema)
    meta = {**header.get("meta", {})}
    mixins = dict(old.get("meta", {}).get(_MIXINS, {}))
    gone = set()
    for name in (*new.column_names, *meta.get(_MIXINS, {})):
        gone |= {name, *_leaves(mixins.pop(name, {}))}
    arrow = arrow.select([name for name in arrow.column_names if name not in gone])
    meta[_MIXINS] = {**mixins, **meta.get(_MIXINS, {})}
    datatype = [facts for facts in old["datatype"] if facts["name"] not in gone] + header["datatype"]
    metadata = {**(arrow.schema.metadata or {}), **(new.schema.metadata or {})}
    for name in new.column_names:
        arrow = arrow.append_column(new.schema.field(name), new[name])
    return arrow.replace_schema_metadata({**metadata, _HEADER: _written(datatype, meta)})


def with_columns_of(arrow: pa.Table, other: pa.Schema) -> pa.Table:
    """
    Add the columns that another piece of the catalogue has and this one lacks, with no values.

    Parameters
    ----------
    arrow : `pyarrow.Table`
    other : `pyarrow.Schema`
        With its metadata, which says what the columns are.

    Returns
    -------
    `pyarrow.Table`

    Examples
    --------
    >>> import pyarrow as pa
    >>> from galzoo_repr.catalogue import with_columns_of
    >>> with_columns_of(pa.table({"a": [1]}), pa.schema({"b": pa.float64()})).to_pylist()
    [{'a': 1, 'b': None}]
    """
    ours, theirs = _header(arrow.schema), _header(other)
    metadata = arrow.schema.metadata or {}
    new = [name for name in other.names if name not in arrow.column_names]
    for name in new:
        field = other.field(name)
        nothing = pa.nulls(len(arrow), field.type)
        arrow = arrow.append_column(field, nothing.fill_null(False) if name.endswith(".mask") else nothing)
    mixins = dict(ours.get("meta", {}).get(_MIXINS, {}))
    for name, parts in theirs.get("meta", {}).get(_MIXINS, {}).items():
        if set(_leaves(parts)) & set(new):
            mixins[name] = parts
    meta = {**ours.get("meta", {}), **({_MIXINS: mixins} if mixins else {})}
    datatype = ours["datatype"] + [facts for facts in theirs["datatype"] if facts["name"] in new]
    if not datatype and not meta:
        return arrow
    return arrow.replace_schema_metadata({**metadata, _HEADER: _written(datatype, meta)})


def stacked(pieces: Iterable[pa.Table], path: Path) -> Table:
    """
    Give pieces of a catalogue, one below the other, as one table.

    The facts of a column are those of the first piece that has it; the encoders of all pieces are remembered, and
    counts of outcomes in the provenance are summed.

    Parameters
    ----------
    pieces : iterable of `pyarrow.Table`
        At least one. Columns that a piece lacks are missing values there.
    path : pathlib.Path
        What to call the whole in warnings.

    Returns
    -------
    `~astropy.table.Table` or `~astropy.table.QTable`

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import stacked, to_arrow
    >>> len(stacked([to_arrow(Table({"ra": [10.0]})), to_arrow(Table({"ra": [20.0]}))], "both"))
    2
    """
    pieces = list(pieces)
    headers = [_header(piece.schema) for piece in pieces]
    arrow = pa.concat_tables(pieces, promote_options="permissive")
    for place, name in enumerate(arrow.column_names):
        if name.endswith(".mask") and arrow[name].null_count:
            arrow = arrow.set_column(place, name, arrow[name].fill_null(False))
    columns, mixins = {}, {}
    for header in headers:
        for facts in header["datatype"]:
            _remember_encoders(columns.setdefault(facts["name"], facts), facts)
        for name, parts in header.get("meta", {}).get(_MIXINS, {}).items():
            if set(_leaves(parts)) <= set(arrow.column_names) and len(_leaves(parts)) >= len(
                _leaves(mixins.get(name, {}))
            ):
                mixins[name] = parts
    meta = dict(headers[0].get("meta", {}))
    meta.pop(_MIXINS, None)
    if _NESTED in meta:
        meta[_NESTED] = _summed([header.get("meta", {}).get(_NESTED, {}) for header in headers])
    if mixins:
        meta[_MIXINS] = mixins
    datatype = list(columns.values())
    metadata, first = dict(pieces[0].schema.metadata or {}), _header(pieces[0].schema)
    if (datatype, meta) != (first["datatype"], first.get("meta", {})):
        metadata[_HEADER] = _written(datatype, meta)
    return table_of_arrow(arrow.replace_schema_metadata(metadata), path)


def _header(schema: pa.Schema) -> dict:
    return header_of(schema.metadata or {})


def _leaves(serialized: Mapping) -> list[str]:
    """Names of the plain columns that a mixin column is made of."""
    found = []
    for key, value in serialized.items():
        if isinstance(value, Mapping):
            found += _leaves(value)
        elif key == "name":
            found.append(value)
    return found


def _remember_encoders(first: dict, other: Mapping) -> None:
    theirs = (other.get("meta") or {}).get("encoders", [])
    if ours := (first.get("meta") or {}).get("encoders"):
        first["meta"]["encoders"] = [*ours, *(digest for digest in theirs if digest not in ours)]


def _summed(records: Sequence[Mapping]) -> dict:
    """The first record of each call; what it counted in each piece, as its ``partition`` says, is summed over all."""
    total = {}
    for record in records:
        for call, facts in record.items():
            own = {key: facts[key] for key in facts if key != "partition"}
            if call not in total:
                total[call] = own
            elif "partition" in facts:
                for key in _COUNTED & set(own):
                    total[call][key] = _plus(total[call].get(key), own[key])
    return total


def _plus(one: object, other: object) -> object:
    """Sum of two counts, or of mappings of them; of words the first."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: _plus(one.get(key), other.get(key)) for key in {**one, **other}}
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    return one or other


def _written(datatype: Sequence[Mapping], meta: Mapping) -> bytes:
    header = {"datatype": [_plain(facts) for facts in datatype], "meta": _plain(meta)}
    return astropy_yaml.dump(header, sort_keys=False).encode()


def _plain(value: object) -> object:
    """Ordered mappings as plain ones, which keep their order too."""
    if isinstance(value, dict):
        kind = dict if type(value) is OrderedDict else type(value)
        return kind((key, _plain(item)) for key, item in value.items())
    return [_plain(item) for item in value] if type(value) is list else value
