"""A column as colours: numbers along a scale, or classes with a colour each."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_column
from galzoo_repr.catalogue import read_cells
from galzoo_repr.images import CLASS_COLOURS

__all__ = ["Colouring", "column_label", "read_colouring"]

OTHERS = "others"


@dataclass(frozen=True)
class Colouring:
    """
    What a column says of the colours of galaxies.

    Attributes
    ----------
    label : str
        Name of the column, with its unit.
    values : numpy.ndarray, shape (n,)
        Real numbers, NaN where there is none; or whole numbers that count the classes, -1 where there is none.
    classes : tuple of str
        Empty for numbers; at most ten, the commonest first, the last for all others where there are more.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.plot import read_colouring
    >>> colouring = read_colouring(Table({"z": [0.1, 0.25], "kind": ["ring", "disk"]}), "z")
    >>> colouring.label, colouring.values.tolist(), colouring.classes
    ('z', [0.1, 0.25], ())
    """

    label: str
    values: np.ndarray
    classes: tuple[str, ...] = ()

    def of(self, rows: np.ndarray) -> "Colouring":
        """
        Give the colours of some of the galaxies.

        Parameters
        ----------
        rows : numpy.ndarray of int

        Returns
        -------
        Colouring

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.plot import Colouring
        >>> Colouring("z", np.array([0.1, 0.25])).of([1]).values
        array([0.25])
        """
        return Colouring(self.label, self.values[rows], self.classes)


def read_colouring(table: Table, column: str) -> Colouring:
    """
    Read a column as colours.

    Parameters
    ----------
    table : astropy.table.Table
    column : str
        Of numbers, booleans or text.

    Returns
    -------
    Colouring

    Raises
    ------
    TypeError, ValueError
        If there is no such column, or it has no one number or word for each row.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.plot import read_colouring
    >>> read_colouring(Table({"kind": ["disk", "ring", "disk", ""]}), "kind")
    Colouring(label='kind', values=array([ 0,  1,  0, -1]), classes=('disk', 'ring'))
    """
    given = table[check_column("colour", column, table.colnames)]
    if not isinstance(given, np.ndarray) or (given.ndim > 1 and given[:1].size != len(given[:1])):
        what = f"of shape {given.shape}" if isinstance(given, np.ndarray) else f"a {type(given).__name__}"
        raise ValueError(f"colour={column!r} is {what}; a colour is one number, boolean or word for each row")
    cells = read_cells(given)
    if not cells.texts and cells.values.dtype.kind != "b":
        if cells.values.dtype.kind == "c":
            raise ValueError(f"colour={column!r} holds complex numbers; choose their real part or size")
        return Colouring(column_label(table, column), cells.numbers())
    words = cells.texts or ("False", "True")
    codes = np.where(cells.missing, -1, cells.values.astype(int))
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = np.argsort(-counts, kind="stable") if cells.texts else np.arange(len(words))
    place = np.empty(len(words) + 1, dtype=int)
    place[order], place[-1] = np.arange(len(words)), -1
    classes, most = tuple(words[each] for each in order), len(CLASS_COLOURS)
    if len(words) > most:
        place[place >= most] = most - 1
        classes = (*classes[: most - 1], OTHERS)
    return Colouring(column_label(table, column), place[codes], classes)


def column_label(table: Table, column: str) -> str:
    """
    Name of a column with its unit, for an axis.

    Parameters
    ----------
    table : astropy.table.Table
    column : str

    Returns
    -------
    str

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import QTable
    >>> from galzoo_repr.plot import column_label
    >>> column_label(QTable({"r50": [3.0] * u.arcsec}), "r50")
    'r50 [arcsec]'
    """
    unit = getattr(table[column], "unit", None)
    return f"{column} [{unit}]" if unit else column
