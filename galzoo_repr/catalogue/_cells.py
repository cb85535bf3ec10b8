"""One number or text per row out of a column, in whatever form a file or a program gave it; and where there is none."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.table import Column
from astropy.utils.masked import Masked
from numpy.typing import ArrayLike

from galzoo_repr.catalogue._missing import LAST, means_no_value

__all__ = ["NUMBER", "Cells", "guessed_text", "read_cells", "text_of", "texts_of", "values_and_mask"]

#: Text that is one plain number.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Cells:
    """
    What stands in a column.

    Attributes
    ----------
    values : numpy.ndarray, shape (n,)
        Booleans or numbers, also where they were written as text or kept as objects; of other text, the place of each
        in `texts`. Anything where there is no value.
    missing : numpy.ndarray of bool, shape (n,)
        Whether there is no value: masked, NaN, None, blank, or a word that stands for none.
    texts : tuple of str
        Different texts, blanks around them taken away; empty where `values` are no text.
    words : dict of str to int
        How often each word stood for no value; ``""`` counts what is masked, NaN, None or blank.

    Examples
    --------
    >>> from galzoo_repr.catalogue import read_cells
    >>> cells = read_cells(["disk", "n/a", "ring", "disk"])
    >>> cells.texts, cells.values[~cells.missing].tolist(), cells.words
    (('disk', 'ring'), [0, 1, 0], {'n/a': 1})
    """

    values: np.ndarray
    missing: np.ndarray
    texts: tuple[str, ...] = ()
    words: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self) -> np.ndarray:
        """
        Give booleans or numbers as float64, NaN where there is no value.

        Examples
        --------
        >>> from galzoo_repr.catalogue import read_cells
        >>> read_cells(["17.2", "", "18"]).numbers()
        array([17.2,  nan, 18. ])
        """
        return np.where(self.missing, np.nan, self.values.astype(float))


def guessed_text(value: bytes) -> tuple[str, bool]:
    r"""
    Read bytes of which nobody says what text they are, and say whether that is sure.

    UTF-8 is told by its form. What is not UTF-8 is taken for Latin-1 as Windows has it (cp1252): the standards of FITS
    (4.0, 7.3.3.1) and VOTable allow neither, and the two differ only where Latin-1 has control characters, which
    nobody writes. With bytes that Windows does not have either, it is Latin-1.

    Examples
    --------
    >>> guessed_text(b"S\xe9rsic\x92s"), guessed_text("Sérsic’s".encode())
    (('Sérsic’s', False), ('Sérsic’s', True))
    """
    for encoding in ("utf-8", "cp1252"):
        try:
            return value.decode(encoding), encoding == "utf-8"
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1"), False


def text_of(value: bytes | str | float | None) -> str:
    """
    Give one cell as text.

    Parameters
    ----------
    value : bytes, str, number or None
        Bytes are UTF-8, or where they are not, cp1252. A list or array of one element is that element.

    Returns
    -------
    str
        Empty for None and what is masked.

    Examples
    --------
    >>> from galzoo_repr.catalogue import text_of
    >>> text_of("Sérsic".encode("latin-1")), text_of(None)
    ('Sérsic', '')
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return guessed_text(value)[0]
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, list | tuple | np.ndarray) and np.size(value) == 1:
        return text_of(np.ravel(np.asarray(value, dtype=object))[0])
    return str(value)


def texts_of(column: Column | ArrayLike) -> list[str]:
    """
    Read a column of text, such as file names, whichever way a file format gave it.

    Parameters
    ----------
    column : `~astropy.table.Column` or array-like, shape (n,) or (n, 1)
        One text per row: `str`, bytes in UTF-8 or Latin-1 as in FITS, or objects.

    Returns
    -------
    list of str
        Empty where the column is masked or None, or a word stands for no value.

    Examples
    --------
    >>> from astropy.table import MaskedColumn
    >>> from galzoo_repr.catalogue import texts_of
    >>> texts_of(MaskedColumn([b"a.fits", b"b.fits", b"n/a"], mask=[False, True, False]))
    ['a.fits', '', '']
    """
    values, mask = values_and_mask(column)
    texts = _texts(values)
    for row in np.flatnonzero(mask):
        texts[row] = ""
    for row in [row for row, text in enumerate(texts) if text[-1:] in LAST]:
        if means_no_value(texts[row]):
            texts[row] = ""
    return texts


def read_cells(column: Column | u.Quantity | ArrayLike) -> Cells:
    """
    Read a column of booleans, numbers or text.

    Text all of which is numbers, or True and False, is read as these; so are objects.

    Parameters
    ----------
    column : `~astropy.table.Column`, `~astropy.units.Quantity` or array-like, shape (n,) or (n, 1)
        With or without a mask of any of numpy's and astropy's kinds. Units are left out.

    Returns
    -------
    Cells

    Examples
    --------
    >>> from galzoo_repr.catalogue import read_cells
    >>> cells = read_cells(["5", "0", "?", "null", ""])
    >>> cells.numbers().tolist(), cells.words
    ([5.0, 0.0, nan, nan, nan], {'?': 1, 'null': 1, '': 1})
    """
    values, mask = values_and_mask(column)
    if values.ndim == 1 and values.dtype.kind in "SUOT":
        return _of_texts(_texts(values), mask)
    missing = mask | np.isnan(values) if values.dtype.kind in "fc" else mask
    n_missing = int(np.count_nonzero(missing))
    return Cells(values, missing, words={"": n_missing} if n_missing else {})


def values_and_mask(column: Column | ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask as plain arrays; a column of vectors of one element is one of its elements."""
    if isinstance(column, Masked):
        values, mask = column.unmasked, np.asarray(column.mask)
    else:
        if isinstance(column, list | tuple):  # numpy would take numbers among texts for texts
            column = _array(column)
        column = column if isinstance(column, np.ndarray) else np.asarray(column)
        values, mask = np.ma.getdata(column), np.ma.getmaskarray(column)
    values = np.asarray(getattr(values, "value", values))
    if values.ndim == 2 and values.shape[1] == 1:
        values, mask = values[:, 0], mask[:, 0]
    return values, np.array(mask)


def _array(values: Sequence) -> np.ndarray:
    try:
        given = np.asarray(values)
    except ValueError:  # of different lengths
        given = np.empty(0, dtype=object)
    if given.ndim == 1 and given.dtype.kind in "biufc" and len(given) == len(values):
        return given
    if given.ndim > 1:
        return given
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects


def _texts(values: np.ndarray) -> list[str]:
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8").tolist()
        except UnicodeDecodeError:
            pass
    return values.tolist() if values.dtype.kind in "UT" else [text_of(value) for value in values.tolist()]


def _of_texts(texts: list[str], mask: np.ndarray) -> Cells:
    """Look at each different text once: a million labels are of a few classes."""
    written, of_row = _places(texts)
    different, of_written = _places(" ".join(text.replace("\0", " ").split()) for text in written)
    codes = of_written[of_row]
    empty = np.array([means_no_value(text) for text in different], dtype=bool)
    missing = mask | empty[codes] if len(different) else mask
    times = np.bincount(codes[~mask], minlength=len(different)).tolist()
    words = {text: n for text, n, gone in zip(different, times, empty, strict=True) if gone and n}
    if masked := int(mask.sum()):
        words[""] = words.get("", 0) + masked
    known = [text for text, gone in zip(different, empty, strict=True) if not gone]
    if not known:
        return Cells(np.full(len(texts), np.nan), missing, words=words)
    at = np.cumsum(~empty)[codes] - 1  # in what is known; anything where it is not
    for plain in (_numbers(known), _booleans(known)):
        if plain is not None:
            return Cells(plain[at], missing, words=words)
    return Cells(at, missing, tuple(known), words)


def _places(texts: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """Different texts in the order in which they come, and the place of each among them."""
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(text, len(places)) for text in texts], dtype=np.int64)
    return list(places), codes


def _numbers(texts: list[str]) -> np.ndarray | None:
    """Numbers that texts are, whole ones as integers; None if one is none."""
    texts = [text.replace("−", "-") for text in texts]
    if not all(map(NUMBER.fullmatch, texts)):
        return None
    numbers = np.array([float(text) for text in texts])
    whole = (np.abs(numbers) < 2**53).all() and (numbers == np.round(numbers)).all()
    return numbers.astype(np.int64) if whole else numbers


def _booleans(texts: list[str]) -> np.ndarray | None:
    folded = [text.casefold() for text in texts]
    return np.array([text == "true" for text in folded]) if set(folded) <= {"true", "false"} else None
