"""Text in FITS, which has ASCII alone: what others wrote beyond it, and how ours is kept."""

import unicodedata

import numpy as np
from astropy.table import Column, Table
from astropy.table.column import BaseColumn

from galzoo_repr.catalogue._cells import guessed_text
from galzoo_repr.catalogue._storable import code_points, replace_data

__all__ = ["ascii_text", "decoded", "keep_true_text", "true_text"]


def ascii_text(text: str) -> str:
    """
    Write text as ASCII: accents are dropped, and what has no such form becomes a question mark.

    Examples
    --------
    >>> ascii_text("Sérsic α")
    'Sersic ?'
    """
    if text.isascii():
        return text
    whole = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return whole.encode("ascii", "replace").decode()


def decoded(data: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    r"""
    Read the text of a column, which ends at the first NUL and before trailing blanks.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Of dtype S.
    name : str
        Of the column, for messages.

    Returns
    -------
    text : `~numpy.ndarray`
        Of dtype U. Cells beyond ASCII are taken for UTF-8, or else for Latin-1 as Windows has it.
    said : str
        How many were taken for the latter, for a warning. Empty if none.

    Examples
    --------
    >>> decoded(np.array([b"ring\0old", b"S\xc3\xa9rsic"]), "shape")[0].tolist()
    ['ring', 'Sérsic']
    """
    if data.dtype.itemsize == 0 or data.size == 0:
        return data.astype(str), ""
    data = np.ascontiguousarray(data)
    characters = data.view(np.uint8).reshape(*data.shape, data.dtype.itemsize)
    ended = np.logical_or.accumulate(characters == 0, axis=-1)
    if np.any(ended & (characters != 0)):
        characters = np.where(ended, np.uint8(0), characters)
        data = characters.view(data.dtype)[..., 0]
    beyond = characters.max(axis=-1) > 127
    if not beyond.any():
        return np.strings.rstrip(data.astype(str)), ""
    text = np.where(beyond, b"", data).astype(f"U{data.dtype.itemsize}")
    cells = [guessed_text(cell) for cell in data[beyond]]
    text[beyond] = [cell for cell, _ in cells]
    guessed = [cell for cell, sure in cells if not sure]
    said = ""
    if guessed:
        said = (
            f"in column {name!r}, cells that are neither ASCII nor UTF-8 were taken for the Latin-1 of Windows, cp1252 "
            f"({len(guessed)}, the first is {guessed[0].rstrip()!r})."
        )
    return np.strings.rstrip(text), said


def keep_true_text(table: Table) -> dict[str, str]:
    """
    Make text columns ASCII, and keep the true text of each as UTF-8 in a column of bytes beside it.

    Of text with other bytes, STILTS shows characters that are none, and one such cell keeps fitsio from reading
    the table. A column of bytes is read by all, and goes along when rows are selected or sorted.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Without objects; changed in place.

    Returns
    -------
    dict
        Name of the column of bytes by that of the text.
    """
    true = {}
    for name in table.colnames:
        column = table[name]
        if not isinstance(column, BaseColumn) or column.dtype.kind != "U":
            continue
        mask = getattr(column, "mask", None)
        text = np.ma.getdata(column) if mask is None else column.filled("")
        characters = code_points(text)
        after_nul = np.logical_or.accumulate(characters == 0, axis=-1) & (characters != 0)
        if not (np.any(characters > 127) or np.any(after_nul)):
            continue
        replace_data(table, name, _ascii_cells(text), mask=mask)
        if mask is not None:
            table[name].info.serialize_method["fits"] = "data_mask"
        encoded = np.char.encode(text, "utf-8")
        cells = encoded.view(np.uint8).reshape(*text.shape, encoded.dtype.itemsize)
        true[name] = beside = _free_name(table, f"{name}.utf8")
        bytes_beside = Column(cells, name=beside, description=f"True text of {name}, in UTF-8")
        table.add_column(bytes_beside, index=table.index_column(name) + 1)
    return true


def true_text(table: Table, name: str, beside: str) -> None:
    """
    Give a text column its true text back, and remove the column of bytes that held it.

    A cell that was changed since, by a program that saw the ASCII alone, stays as it is.
    """
    cells = np.ascontiguousarray(np.ma.getdata(table[beside]), dtype=np.uint8)
    column, mask = np.ma.getdata(table[name]), getattr(table[name], "mask", None)
    width = cells.shape[-1]
    text = np.char.decode(cells.view(f"S{width}").reshape(column.shape), "utf-8", "replace")
    same = np.strings.rstrip(_ascii_cells(text)) == np.strings.rstrip(column)
    replace_data(table, name, np.where(same, text, column), mask=mask)
    table.remove_column(beside)


def _ascii_cells(text: np.ndarray) -> np.ndarray:
    cells = [ascii_text(cell).replace("\0", "?") for cell in text.ravel().tolist()]
    return np.array(cells, dtype=str).reshape(text.shape)


def _free_name(table: Table, name: str) -> str:
    taken = {each.lower() for each in table.colnames}
    while name.lower() in taken:
        name += "_"
    return name
