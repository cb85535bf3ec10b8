"""What a VOTable says, parsed by astropy, with the cells of TABLEDATA as the text that they are."""

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from astropy.io.votable.tree import Resource, TableElement, VOTableFile
from astropy.utils.xml.iterparser import get_xml_iterator

from galzoo_repr.catalogue._several import listed, place_of
from galzoo_repr.catalogue._unpacked import unpacked
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["Cells", "Declared", "heed_status", "one_table", "parse_document", "rows_of"]

Event = tuple[bool, str, dict[str, str] | str, tuple[int, int]]

_DATA = ("TABLEDATA", "BINARY", "BINARY2", "FITS", "PARQUET")
_TEXT = ("char", "unicodeChar")
_ROWS = 65536  # converted at a time
_MOST_IN_A_CELL = 2**24
_NUMBER_OF_TABLE = "galzoo_repr_table_number_"


@dataclass
class Declared:
    """What the file says of a field, which is not always what its cells are."""

    datatype: str
    arraysize: str | None
    null: str | None = None


@dataclass
class Cells:
    """The fields of a table, and the text of its cells where there is any."""

    fields: list[Declared]
    texts: list[pa.ChunkedArray] | None = None
    short_rows: int = 0
    declared_rows: int = 0

    def __len__(self) -> int:
        return len(self.texts[0]) if self.texts else 0


def parse_document(
    source: Path | BinaryIO, *, bytes_for_text: bool = False
) -> tuple[VOTableFile, dict[str, Cells]]:
    """
    Parse a VOTable.

    astropy cuts cells that are wider than their field, which is why it does not get to see those that are text.

    Parameters
    ----------
    source : pathlib.Path or file
        Possibly compressed.
    bytes_for_text : bool, optional
        Whether text in binary data is read as bytes; astropy knows nothing but ASCII there.

    Returns
    -------
    document : `~astropy.io.votable.tree.VOTableFile`
        Tables of TABLEDATA have no rows in it, and only fields of text.
    cells : dict of str to Cells
        By the ID of the table.
    """
    cells: dict[str, Cells] = {}
    config = {"verify": "ignore", "invalid": "exception", "filename": str(source)}
    opened = unpacked(source) if isinstance(source, Path) else nullcontext(source)
    # Of a function astropy does not try whether what it gives is packed once more.
    with opened as file, get_xml_iterator(file.read) as events:
        adapted = _adapted(events, cells, bytes_for_text)
        return VOTableFile(config=config, pos=(1, 1)).parse(adapted, config), cells


def _refuse_huge_cells(field: dict[str, str]) -> None:
    """Refuse cells of a fixed size beyond what any is: astropy makes room for all of it in every row."""
    sizes = field.get("arraysize", "").split("x")
    if (
        all(size.isdecimal() for size in sizes)
        and math.prod(int(size[:9]) for size in sizes) > _MOST_IN_A_CELL
    ):
        raise ValueError(
            f"it declares cells of {field['arraysize'][:40]} values; give a table of smaller ones"
        )


def _adapted(events: Iterator[Event], cells: dict[str, Cells], bytes_for_text: bool) -> Iterator[Event]:
    """Keep the text of cells aside, and declare in words that astropy takes what it would refuse or cut."""
    held: list[Event] = []  # of a table whose kind of data is not known yet
    for start, tag, data, pos in events:
        # The parser has one dictionary for all elements without attributes.
        attributes = dict(data) if start else data
        event = start, tag, attributes, pos
        if start and tag == "PARAM":
            attributes.update(datatype="char", arraysize="*")
        elif start and tag == "RESOURCE" and attributes.get("type") not in ("results", "meta"):
            attributes.pop("type", None)
        elif start and tag == "TABLE":
            # A hint, for which astropy makes room before it has seen a row: at most seven digits of it.
            if not re.fullmatch(r"\d{1,7}", attributes.get("nrows", "0")):
                del attributes["nrows"]
        elif start and tag == "FIELD":
            _refuse_huge_cells(attributes)
        elif start and tag == "STREAM" and (place := attributes.get("href")):
            raise ValueError(
                f"its data are not in it but in {place[:200]!r}, which is not read; save them with it"
            )
        if not held and not (start and tag == "TABLE"):
            yield event
            continue
        held.append(event)
        if (tag in _DATA) if start else (tag == "TABLE"):
            fields = _declared(held, tag if start else "TABLEDATA", bytes_for_text)
            key = held[0][2].setdefault("ID", f"{_NUMBER_OF_TABLE}{len(cells)}")
            if (ref := held[0][2].get("ref")) in cells:
                fields = cells[ref].fields
            cells[key] = Cells(fields)
            if start and tag == "TABLEDATA":
                cells[key] = _with_texts(fields, events)
                held.append((False, tag, "", pos))
            cells[key].declared_rows = int(held[0][2].get("nrows", 0))
            yield from held
            held = []


def _declared(held: list[Event], kind: str, bytes_for_text: bool) -> list[Declared]:
    """Read what the fields of a table say, and change what astropy will read of them."""
    fields: list[Declared] = []
    for start, tag, attributes, _ in held:
        if start and tag in ("FIELD", "PARAM"):
            if not re.fullmatch(r"[FE]?[0-9]+", attributes.get("precision", "0")):
                del attributes["precision"]
            if not re.fullmatch(r"0*[1-9][0-9]*", attributes.get("width", "1")):
                del attributes["width"]
        if start and tag == "FIELD":
            size = attributes.get("arraysize", "").replace(" ", "").lower() or None
            fields.append(Declared(attributes.get("datatype", "char"), size))
            if kind == "TABLEDATA":
                attributes.update(datatype="char", arraysize="*")
            else:
                _declare_binary(attributes, fields[-1], bytes_for_text)
        elif start and tag == "VALUES" and fields and kind == "TABLEDATA":
            fields[-1].null = attributes.pop("null", None)
    return fields


def _declare_binary(attributes: dict[str, str], declared: Declared, bytes_for_text: bool) -> None:
    """Declare text and bits of binary data by other types of the same layout."""
    size = declared.arraysize
    if declared.datatype == "bit" and size is None:
        # astropy looks for another bit of the byte than the standard puts it in.
        attributes["datatype"] = "unsignedByte"
    elif declared.datatype in _TEXT and size is not None:
        if size.endswith("*"):
            attributes["arraysize"] = "*"
        elif "x" in size:
            attributes["arraysize"] = str(_product(size))
    if declared.datatype == "char" and bytes_for_text:
        attributes.update(datatype="unsignedByte", arraysize=attributes.get("arraysize", "1"))


def _product(size: str) -> int:
    product = 1
    for axis in size.split("x"):
        product *= int(axis)
    return product


def _with_texts(fields: list[Declared], events: Iterator[Event]) -> Cells:
    """Read the rows of TABLEDATA to its end."""
    width, short = len(fields), 0
    chunks: list[list[pa.Array]] = [[] for _ in fields]
    rows, row = [], []

    def convert() -> None:
        for chunk, texts in zip(chunks, zip(*rows, strict=True), strict=False):
            chunk.append(pa.array(texts, pa.large_string()))
        rows.clear()

    for start, tag, data, (line, _) in events:
        if start:
            if tag == "TD" and "encoding" in data:
                raise ValueError(f"line {line} has a cell in {data['encoding']}, which is not supported")
        elif tag == "TD":
            row.append(data)
        elif tag == "TR":
            if len(row) != width:
                if len(row) > width:
                    raise ValueError(
                        f"line {line} ends a row of {len(row)} cells, but there are {width} fields"
                    )
                short += 1
                row += [""] * (width - len(row))
            rows.append(row)
            row = []
            if len(rows) == _ROWS:
                convert()
        elif tag == "TABLEDATA":
            break
    convert()
    texts = [pa.chunked_array(chunk, pa.large_string()) for chunk in chunks]
    return Cells(fields, texts, short)


def one_table(
    document: VOTableFile, cells: dict[str, Cells], table: str | int | None
) -> tuple[TableElement, Cells]:
    """
    Find the table that is the catalogue: the one named, or else the only one, that is no metadata, that has rows.

    Raises
    ------
    ValueError
        If there is none, or several.
    """
    found = list(document.iter_tables())
    names = [each.name or ("" if each.ID.startswith(_NUMBER_OF_TABLE) else each.ID) for each in found]
    if table is not None:
        found = [found[place_of(table, names)]]
    data = [each for resource in _resources(document) if resource.type != "meta" for each in resource.tables]
    filled = [element for element in data if rows_of(element, cells[element.ID])]
    (found,) = [some for some in (found, filled, data) if len(some) == 1][:1] or [found]
    if not found:
        raise ValueError("it holds no table")
    if len(found) != 1:
        raise ValueError(
            f"it holds {len(found)} tables: {listed(names)}. Pass table= with a name or number to read_catalogue"
        )
    (element,) = found
    found_cells = cells[element.ID]
    if element.ID.startswith(_NUMBER_OF_TABLE):
        element.ID = None
    return element, found_cells


def rows_of(element: TableElement, table: Cells) -> int:
    """Count the rows of a table, wherever they are."""
    return max(len(element.array), len(table))


def _resources(parent: VOTableFile | Resource) -> Iterator[Resource]:
    for resource in parent.resources:
        yield resource
        yield from _resources(resource)


def heed_status(document: VOTableFile, cells: dict[str, Cells], path: Path) -> None:
    """
    Say what a service says of its answer, in its own words.

    That is the INFO element ``QUERY_STATUS`` of DALI [1]_, and ``Error`` of the older cone search [2]_.

    Raises
    ------
    ValueError
        If there is an error and no row.

    Warns
    -----
    GalzooWarning
        If rows are missing.

    References
    ----------
    .. [1] IVOA, Data Access Layer Interface 1.1, 4.4.
    .. [2] IVOA, Simple Cone Search 1.03, 2.3.
    """
    rows = sum(rows_of(element, cells[element.ID]) for element in document.iter_tables())
    for name, status, words in _statuses(document):
        if name == "ERROR" and rows:
            continue  # any parameter of a table may be called so
        said = f": {words!r}" if words else ""
        if status == "OVERFLOW":
            message = (
                f"rows are missing from {path}: the service stopped at its limit, after {rows} (OVERFLOW){said}. "
                "Ask it for more rows, with MAXREC where it knows TAP, or in parts."
            )
        elif rows:
            message = f"rows may be missing from {path}: after {rows}, the service says {status}{said}."
        else:
            raise ValueError(f"the service answered {status}{said}")
        warnings.warn(message, GalzooWarning, stacklevel=4)


def _statuses(document: VOTableFile) -> Iterator[tuple[str, str, str]]:
    """Give the name of each element that tells of a status that is not good, the status, and what is said of it."""
    elements = [*document.infos, *document.params]
    for each in _resources(document):
        elements += [*each.infos, *each.params]
        elements += [info for table in each.tables for info in table.infos if info.name == "QUERY_STATUS"]
    for each in elements:
        name, value = str(each.name or each.ID).strip().upper(), str(each.value or "").strip()
        content = (getattr(each, "content", None) or "").strip()
        if name == "QUERY_STATUS" and (value or content).upper() != "OK":
            yield name, (value or content).upper(), content if value else ""
        elif name == "ERROR":
            yield name, name, value or content
