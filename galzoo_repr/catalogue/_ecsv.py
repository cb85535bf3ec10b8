"""Catalogues as ECSV, astropy's text format: readable by eye, complete, and for small tables."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import ascii as ascii_io
from astropy.table import Table
from astropy.table import meta as ecsv_header
from astropy.table.column import BaseColumn

from galzoo_repr.catalogue._record import of_header, rebuilt
from galzoo_repr.catalogue._storable import code_points, objects_to_text, replace_data, storable
from galzoo_repr.catalogue._text import whole_text
from galzoo_repr.catalogue._yaml_size import refuse_unfolding
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_ecsv", "write_ecsv"]


def write_ecsv(table: Table, path: Path) -> list[str]:
    """
    Write a table to a new ECSV file, and give a sentence for each thing that the file does not keep.

    Text that the reader would take for spacing, a comment or several lines is written as JSON.
    """
    # An empty text and a masked one look alike in ECSV.
    table, lost = storable(
        table, "ECSV", kinds="biufSU", null=lambda column: column.dtype.kind not in "SU", context="ecsv"
    )
    for name in table.colnames:
        if isinstance(table[name], BaseColumn) and table[name].dtype.kind == "S":
            lost.append(f"the bytes of column {name!r} come back as text: ECSV does not tell them apart.")
        elif (
            isinstance(table[name], BaseColumn) and table[name].dtype.kind == "U" and _needs_json(table[name])
        ):
            data = np.ma.getdata(table[name]).astype(object)
            data[np.ma.getmaskarray(table[name])] = None
            replace_data(table, name, data)
    described = {name: (table[name].info.description, table[name].info.meta) for name in table.colnames}
    for what, value in [*table.meta.items(), *described.items()]:
        if _has_line_break(value):
            lost.append(
                f"line breaks in the meta or description of {what!r} become spaces: ECSV has no others."
            )
    table.write(path, format="ascii.ecsv")
    return lost


def _needs_json(column: BaseColumn) -> bool:
    data = np.ma.getdata(column)
    if data.ndim > 1:
        return False
    characters = code_points(data)
    control = ((characters > 0) & (characters < 32)) | np.isin(characters, [0x85, 0x2028, 0x2029])
    spacing = (np.char.strip(data) != data) | np.char.startswith(data, "#")
    return bool(np.any(control) or np.any(spacing))


def _has_line_break(value: object) -> bool:
    if isinstance(value, str):
        return value.splitlines() not in ([], [value])
    if isinstance(value, Mapping):
        return any(_has_line_break(item) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple) and any(_has_line_break(item) for item in value)


def read_ecsv(path: Path) -> Table:
    """
    Read an ECSV file, in which an empty cell of text is the empty text and any other empty cell is masked.

    Warns
    -----
    GalzooWarning
        If it is not UTF-8.
    """
    text, said = whole_text(path)
    if said:
        warnings.warn(f"{path}: {said}", GalzooWarning, stacklevel=3)
    lines = text.removesuffix("\n").split("\n")
    first_row = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said_of_it = [line[2:] for line in lines[:first_row]]
    refuse_unfolding("\n".join(said_of_it[1:]))
    header = ecsv_header.get_header_from_yaml(said_of_it)
    if not any(line.strip() for line in lines[first_row + 1 :]):
        return _without_rows(header)
    numbers = [facts["name"] for facts in header["datatype"] if facts["datatype"] != "string"]
    table = ascii_io.read(lines, format="ecsv", fill_include_names=numbers)
    for name in table.colnames:
        if isinstance(table[name], BaseColumn) and table[name].dtype.kind == "O":
            objects_to_text(table, name)
    return table


def _without_rows(header: dict) -> Table:
    """Make an empty table from its header; astropy cannot read one that has columns of arrays."""
    columns = {facts["name"]: of_header(facts) for facts in header["datatype"]}
    plain = Table({name: np.zeros((0, *facts["shape"]), facts["dtype"]) for name, facts in columns.items()})
    return rebuilt(plain, columns, header.get("meta", {}))
