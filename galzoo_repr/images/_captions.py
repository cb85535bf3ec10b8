"""What is written under the picture of a galaxy: any columns of its catalogue, in a line each."""

from collections.abc import Callable, Sequence

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Table
from astropy.time import Time

from galzoo_repr._arguments import check_column
from galzoo_repr.catalogue import galaxy_names, name_column, read_cells, texts_of

__all__ = ["caption_columns", "captions", "cell_texts"]

NOTHING = "-"
# What the package computes and people want to see first, by the end of the name of the column.
_USUAL = ("similarity", "anomaly_score", "predicted_rating", "_probability")
_SHOWN = 3  # numbers of a vector
_DIGITS = 3
_WIDE = 1e3  # beyond this ratio no one number of decimals suits all
_LARGE = 1e5  # from here on, and below one over it, as powers of ten


def captions(table: Table, columns: str | Sequence[str] | None = None) -> list[str]:
    r"""
    Write a few columns of a catalogue as captions of its pictures.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue of n rows.
    columns : str or sequence of str, optional
        Columns, of any type, a line each. By default what the galaxies are called, and the scores that this package
        has added.

    Returns
    -------
    list of str
        One for each row, of lines separated by newlines: names and designations as they are, other columns as
        "column value unit", and "-" where there is no value.

    Raises
    ------
    TypeError, ValueError
        If a column is not named by text, or is not there.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from galzoo_repr.images import captions
    >>> galaxies = QTable({"name": ["NGC 628", "NGC 1300"], "r50": [70.123, 80] * u.arcsec, "z": [0.002, float("nan")]})
    >>> captions(galaxies, ["name", "r50", "z"])
    ['NGC 628\nr50 70.1 arcsec\nz 0.00200', 'NGC 1300\nr50 80.0 arcsec\nz -']
    """
    chosen = caption_columns(table, columns)
    named = name_column(table)
    lines = [] if columns is not None else [galaxy_names(table)]
    for column in chosen:
        texts = cell_texts(table, column)
        lines.append(texts if column == named else [f"{column} {text}" for text in texts])
    return ["\n".join(of_row) for of_row in zip(*lines, strict=True)] if lines else [""] * len(table)


def caption_columns(table: Table, columns: str | Sequence[str] | None = None) -> list[str]:
    """
    Names of the columns to write under pictures: those asked for, or the scores that this package has added.

    Parameters
    ----------
    table : astropy.table.Table
    columns : str or sequence of str, optional
        As for `captions`.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError, ValueError
        If a column is not named by text, or is not there.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import caption_columns
    >>> caption_columns(Table({"name": ["NGC 628"], "z": [0.002], "ring_probability": [0.9]}))
    ['ring_probability']
    """
    if columns is None:
        return [name for name in table.colnames if name.endswith(_USUAL)]
    names = [columns] if isinstance(columns, str) else list(columns)
    return [check_column("captions", name, table.colnames) for name in names]


def cell_texts(table: Table, name: str) -> list[str]:
    """
    Write the cells of a column of any type as short text, with the unit.

    Parameters
    ----------
    table : astropy.table.Table
    name : str
        Of the column. Its format is obeyed if it has one; otherwise degrees have five decimals (columns ``ra`` and
        ``dec`` without a unit, too), magnitudes two, whole numbers none, and other real numbers three digits or more:
        all of the column the same decimals, or each its own where they span more than a factor of a thousand.

    Returns
    -------
    list of str
        One line for each row, "-" where there is no value.

    Raises
    ------
    TypeError, ValueError
        If there is no such column.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from galzoo_repr.images import cell_texts
    >>> cell_texts(QTable({"r50": [3.14159, float("nan")] * u.arcsec}), "r50")
    ['3.14 arcsec', '-']
    """
    column = table[check_column("column", name, table.colnames)]
    if isinstance(column, SkyCoord | BaseCoordinateFrame):
        texts = np.atleast_1d(SkyCoord(column).to_string("hmsdms", precision=1)).tolist()
        return [NOTHING if "nan" in text else text for text in texts]
    if isinstance(column, Time):
        return [NOTHING if np.ma.is_masked(text) else str(text) for text in column.isot]
    if not isinstance(column, np.ndarray):
        return [_one_line(str(cell)) for cell in column]
    if column.ndim > 1 and column[0:1].size != 1:
        return [_vector(cells) for cells in column]
    if column.dtype.kind in "SUOT":
        return [_one_line(text) or NOTHING for text in texts_of(column)]
    cells = read_cells(column)
    written = column.info.format
    if not written and cells.values.dtype.kind == "f":
        written = _digits(cells.values[~cells.missing], column.unit, name)
    unit = f" {column.unit}" if getattr(column, "unit", None) else ""
    return [
        NOTHING if gone else _one_line(_formatted(value, written or "")) + unit
        for value, gone in zip(cells.values.tolist(), cells.missing.tolist(), strict=True)
    ]


def _digits(values: np.ndarray, unit: u.UnitBase | None, name: str) -> str | Callable[[float], str]:
    """Choose the format of the numbers of a column, the same decimals for all as far as that tells them apart."""
    if unit == u.deg or (not unit and name.lower() in ("ra", "dec")):
        return "z.5f"
    if unit == u.mag:
        return "z.2f"
    shown = values[np.isfinite(values) & (values != 0)].astype(float)
    if not len(shown):
        return "z.0f"
    least, most = np.abs(shown).min(), np.abs(shown).max()
    if most < _LARGE and (shown % 1 == 0).all():
        return "z.0f"
    wide = most > _WIDE * least and len(np.unique(np.sign(shown))) == 1
    if wide or most >= _LARGE or most < 1 / _LARGE:
        return _three_digits
    return f"z.{_decimals(max(least, most / 10))}f"


def _decimals(size: float) -> int:
    return max(_DIGITS - 1 - int(np.floor(np.log10(size))), 0)


def _three_digits(value: float) -> str:
    size = abs(value)
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    if 1 / _LARGE <= size < _LARGE:
        return f"{value:.{_decimals(size)}f}"
    number, power = f"{value:.{_DIGITS - 1}e}".split("e")
    return f"{number}e{int(power)}"


def _formatted(value: float, written: str | Callable[[float], str]) -> str:
    """Write a number in a format of astropy: a function, or text of any of three styles."""
    if callable(written):
        return str(written(value))
    if "%" in written:
        return written % value
    return written.format(value) if "{" in written else format(value, written)


def _vector(cells: np.ndarray) -> str:
    numbers = np.ravel(np.ma.getdata(getattr(cells, "value", cells))).tolist()
    shown = ", ".join(
        f"{number:.3g}" if isinstance(number, float) else str(number) for number in numbers[:_SHOWN]
    )
    return f"{shown}, ... ({len(numbers)} values)" if len(numbers) > _SHOWN else shown


def _one_line(text: str) -> str:
    return " ".join(text.split())
