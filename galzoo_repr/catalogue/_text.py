"""Catalogues as text: what spreadsheets, archives, scripts and Fortran programs write."""

import csv
import re
import warnings
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import ascii as ascii_io
from astropy.table import Table

from galzoo_repr.catalogue._cells import guessed_text
from galzoo_repr.catalogue._text_cells import cells_of_rows, read_decimal_commas, read_fortran
from galzoo_repr.catalogue._unpacked import whole
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["read_text", "whole_text"]

_BYTE_ORDER_MARKS = {
    BOM_UTF8: "utf-8",
    BOM_UTF32_LE: "utf-32-le",
    BOM_UTF32_BE: "utf-32-be",
    BOM_UTF16_LE: "utf-16-le",
    BOM_UTF16_BE: "utf-16-be",
}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
# Also hours, minutes and seconds, which no column is called.
_VALUE = re.compile(
    _NUMBER.pattern
    + r"|[+-]?\d{1,3}[:h\u00b0d]\s*\d{1,2}([:m'\u2032]\s*(\d{1,2}(\.\d*)?[s\"\u2033]?)?|\.\d+[m']?)?"
)
_IPAC_TYPES = ("integer", "long", "double", "float", "real", "char", "date")  # or how they begin
_SEXTRACTOR = re.compile(r"#\s+1\s+[A-Z][A-Z0-9_]+\b")
_SAMPLE = 50  # lines from which the delimiter is judged


def whole_text(path: Path) -> tuple[str, str]:
    """
    Read a text file, compressed or not, in the encoding that it has.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    text : str
        Lines end in a line feed, and there is no byte order mark.
    said : str
        That the encoding is a guess, for a warning; empty if it is none.
    """
    body = whole(path).getvalue()
    text, said = _decoded(body.removesuffix(b"\x1a"))  # as old programs end a file
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text, said


def _decoded(body: bytes) -> tuple[str, str]:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding), ""
    if b"\0" in body:
        # Text in UTF-16 without its mark: every other byte of what is mostly ASCII is zero.
        odd, even = body[1:2000:2], body[:2000:2]
        for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
            if zeros.count(0) > 0.7 * len(zeros) and not others.count(0):
                return body.decode(encoding), ""
        raise ValueError("it is not text")
    text, sure = guessed_text(body)
    return text, "" if sure else (
        "it is not UTF-8 and was taken for the Latin-1 of Windows, cp1252; save it as UTF-8 if letters are wrong."
    )


def read_text(path: Path, delimiter: str | None = None) -> Table:
    r"""
    Read a table of text: names of columns in one line, then one line for each row.

    A byte order mark, UTF-16, Excel's line ``sep=;``, comments, names in a comment, and the lines of units and dashes
    below the names that VizieR writes are understood. Tables that describe themselves (CDS and AAS, IPAC,
    SExtractor) are read by astropy.

    Parameters
    ----------
    path : pathlib.Path
        Possibly compressed.
    delimiter : str, optional
        Such as ``","``; otherwise the comma, semicolon, tab, bar or blanks by which the lines have the same number of
        fields.

    Returns
    -------
    `~astropy.table.Table`
        Empty cells are masked. Whole numbers are exact: unsigned if they need 64 bits, and text if they need more or
        begin with a zero.

    Raises
    ------
    ValueError
        If it is not text, has no names, or lines of another number of fields.

    Warns
    -----
    GalzooWarning
        If the encoding is a guess, or decimal commas were read.
    """
    text, said = whole_text(path)
    if said:
        warnings.warn(f"{path}: {said}", GalzooWarning, stacklevel=3)
    if not text or text.isspace():
        raise ValueError("it is empty")
    if (described := _describes_itself(text)) is not None:
        return ascii_io.read(text.split("\n"), format=described, guess=False)
    layout = _Layout.of(text, delimiter, usual="," if ".csv" in path.name.lower() else " ")
    table = cells_of_rows(layout.rows, layout.names, layout.delimiter)
    read_fortran(table)
    commas = [name for name in table.colnames if layout.delimiter != "," and read_decimal_commas(table, name)]
    if commas:
        warnings.warn(
            f"{path}: commas are read as decimal points in columns {', '.join(map(repr, commas))}.",
            GalzooWarning,
            stacklevel=3,
        )
    for name, unit in zip(table.colnames, layout.units, strict=False):
        table[name].unit = u.Unit(unit, parse_strict="silent") if unit else None
    filled = np.flatnonzero(~np.all([np.ma.getmaskarray(column) for column in table.itercols()], axis=0))
    if len(table) and (not filled.size or filled[-1] < len(table) - 1):
        # Spreadsheets write empty rows at the end.
        table = table[: filled[-1] + 1 if filled.size else 0]
    for name in layout.unnamed:
        if np.all(getattr(table[name], "mask", False)):
            table.remove_column(name)
    if layout.comments:
        table.meta["comments"] = layout.comments
    return table


def _describes_itself(text: str) -> str | None:
    """Give astropy's name for a format that says where its columns are."""
    beginning = text[:100_000]
    first, second = (*beginning.lstrip().split("\n", 2), "")[:2]
    if "Byte-by-byte Description" in beginning:
        return "mrt" if first.startswith("Title:") else "cds"
    barred = re.fullmatch(r"\|.*\|\s*", first) and not re.fullmatch(r"[\s|:-]*", second)  # not Markdown
    # Rows between bars are no IPAC, whose bars stand in the header alone.
    if first.startswith("\\") or (barred and (not second.startswith("|") or _are_ipac_types(second))):
        return "ipac"
    return "sextractor" if _SEXTRACTOR.match(first) else None


def _are_ipac_types(line: str) -> bool:
    cells = [cell.strip().lower() for cell in line.strip().strip("|").split("|")]
    return all(any(known.startswith(cell) for known in _IPAC_TYPES) for cell in cells)


@dataclass
class _Layout:
    """How the text of a table is laid out."""

    delimiter: str
    names: list[str]
    rows: str
    comments: list[str]
    units: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, delimiter: str | None, usual: str) -> "_Layout":
        comments, start, said = _comments(text)
        lines = text[start:].split("\n", _SAMPLE)
        sample = [line for line in lines[:_SAMPLE] if line.strip()]
        if not sample:
            sample, start = [comments.pop()] if comments else [""], len(text)
            lines = [*sample]
        delimiter = delimiter or said or _delimiter(sample, usual)
        header = _fields(sample[0], delimiter)
        if not _are_values(header, _fields(sample[-1], delimiter) if len(sample) > 1 else []):
            rows = lines[lines.index(sample[0]) + 1 :]
        elif comments and len(names := _fields(comments[-1], delimiter)) == len(header):
            comments.pop()
            header, rows = names, lines
        else:
            raise ValueError(
                f"its first line, {sample[0][:60]!r}, has values where names of columns should be; put a line of names "
                "before it"
            )
        rows, units = _without_units(rows, delimiter, len(header))
        body = "\n".join(_without_comments(rows, delimiter, len(header)))
        names, unnamed = _distinct(header)
        return cls(delimiter, names, body, comments, units, unnamed)


def _comments(text: str) -> tuple[list[str], int, str | None]:
    """Give the comments above a table, where it begins, and the delimiter if Excel's first line names it."""
    comments, start, said = [], 0, None
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip()
        if re.fullmatch(r"\"?sep=.\"?", text[start:end].strip("\r\n ")):
            said = text[start:end].strip('"')[4]
        elif line.startswith(("#", "%", "!", "//")):
            comments.append(line.lstrip("#%!/").strip())
        elif line:
            break
        start = end + 1
    return [comment for comment in comments if comment], min(start, len(text)), said


def _fields(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line.strip(" \n")], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip() for cell in cells]


def _delimiter(sample: list[str], usual: str) -> str:
    """Choose the delimiter that gives all lines the same number of fields, or at least the first two."""
    for lines in (sample, sample[:2]):
        counts = {each: {len(_fields(line, each)) for line in lines} for each in ",;\t|"}
        agreed = {each: max(count) for each, count in counts.items() if len(count) == 1 and max(count) > 1}
        if agreed:
            return max(agreed, key=agreed.get)
    numbers = len(sample) > 1 and all(map(_NUMBER.fullmatch, _fields(sample[1], " ")))
    numbers = numbers or _have_values_between_blanks(sample)
    if len(_fields(sample[0], " ")) == 1 and any("\t" in line for line in sample):
        raise ValueError(
            f"its first line, {sample[0][:60]!r}, names one column, but others have more than one field"
        )
    if len(_fields(sample[0], " ")) == 1 or (usual == "," and not numbers):
        # There is one column, and blanks are within its cells.
        return ","
    return next((each for each in ",;\t|" if len(_fields(sample[0], each)) > 1), " ")


def _have_values_between_blanks(sample: list[str]) -> bool:
    """Whether blanks give all lines as many fields, of which two or more are values ("NGC 628" has one)."""
    lines = [_fields(line, " ") for line in sample]
    if len({len(line) for line in lines}) > 1:
        return False
    columns = zip(*(lines[1:] or lines), strict=True)
    return (
        sum(all(_VALUE.fullmatch(cell) or cell.lower() == "nan" for cell in column) for column in columns) > 1
    )


def _are_values(header: list[str], row: list[str]) -> bool:
    """Whether the first line is one of values: it has numbers or angles, and no text above one."""
    numbers = [cell for cell in header if _VALUE.fullmatch(cell)]
    if len(numbers) > 2 and numbers == [str(i) for i in range(len(numbers))]:
        # pandas counts columns that have no names.
        return False
    texts = [cell and not _VALUE.fullmatch(cell) and cell.lower() != "nan" for cell in header]
    return bool(numbers) and not any(
        text and _VALUE.fullmatch(cell) for text, cell in zip(texts, row, strict=False)
    )


def _without_units(rows: list[str], delimiter: str, n: int) -> tuple[list[str], list[str]]:
    """Leave out a line of dashes below the names, and the line of units between."""
    for i, line in enumerate(rows[:2]):
        cells = _fields(line, delimiter)
        if (
            any(cells)
            and all(set(cell) <= set("-:") for cell in cells)
            and any(len(cell) > 1 for cell in cells)
        ):
            units = _fields(rows[0], delimiter) if i else []
            return rows[i + 1 :], units if len(units) == n else []
    return rows, []


def _without_comments(rows: list[str], delimiter: str, n: int) -> list[str]:
    """Leave out lines that begin with ``#`` and are no rows."""
    if not any(row.startswith("#") or "\n#" in row for row in rows):
        return rows
    lines = "\n".join(rows).split("\n")
    return [line for line in lines if not line.startswith("#") or len(_fields(line, delimiter)) == n]


def _distinct(header: list[str]) -> tuple[list[str], list[str]]:
    """Give a name to columns without one, and different names to those of one name."""
    names, unnamed = [], []
    for i, cell in enumerate(header):
        name = cell or f"col{i + 1}"
        if not cell:
            unnamed.append(name)
        while name in names:
            name += f"_{header[: i + 1].count(cell)}"
        names.append(name)
    return names, unnamed
