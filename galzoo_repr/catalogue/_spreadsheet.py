"""Text that a spreadsheet would take for a formula, written such that it is text there, and read back as it was."""

import re

from astropy.table import Column, MaskedColumn, Table

from galzoo_repr.catalogue._columns import as_table

__all__ = ["for_spreadsheets"]

# A spreadsheet computes what begins so, unless an apostrophe stands before it; a position or a number does no harm.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]\s*(\.?\d[\d:.\s]*([eEdD][+-]?\d+)?|inf|nan)", re.IGNORECASE)


def for_spreadsheets(table: Table) -> Table:
    """
    Give a table whose text no spreadsheet runs, to be written as CSV.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Left as it is.

    Returns
    -------
    `~astropy.table.Table`
        With an apostrophe before text that begins with ``=``, ``+``, ``-``, ``@`` or a tab and is neither a number
        nor a sexagesimal angle, in cells and in names of columns. `read_catalogue` takes it away again.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import for_spreadsheets
    >>> print(for_spreadsheets(Table({"name": ["NGC 1", "=1+1", "-00 12 34"]})))
       name
    ---------
        NGC 1
        '=1+1
    -00 12 34
    """
    safe = Table(as_table(table), copy=False)
    for name in safe.colnames:
        column = safe[name]
        if column.dtype.kind in "SUO" and column.ndim == 1:
            texts = [_escaped(cell) for cell in column.tolist()]
            if texts != column.tolist():
                mask = getattr(column, "mask", None)
                filled = ["" if text is None else text for text in texts]
                safe.replace_column(name, Column(filled) if mask is None else MaskedColumn(filled, mask=mask))
        if _escaped(name) != name:
            safe.rename_column(name, _escaped(name))
    return safe


def _escaped(cell: object) -> object:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"
