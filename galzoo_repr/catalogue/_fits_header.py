"""What a FITS header says of the columns beyond the standard: descriptions, UCDs, utypes."""

import re
from collections.abc import Mapping

from astropy.io import fits
from astropy.table import Table

from galzoo_repr.catalogue._fits_text import ascii_text

__all__ = ["add_descriptions", "describes_column", "take_descriptions"]

# As TOPCAT and STILTS read and write them; TDESCn is what some others write for TCOMMn.
_META = {"TUCD": "ucd", "TUTYP": "utype"}
_DESCRIPTIONS = ("TCOMM", "TDESC")
_CARD = re.compile(rf"({'|'.join([*_META, *_DESCRIPTIONS])})[1-9]\d*")


def describes_column(keyword: str) -> bool:
    """Whether a keyword is one of those by which this module describes columns."""
    return _CARD.fullmatch(keyword) is not None


def add_descriptions(header: fits.Header, columns: Mapping[str, Mapping]) -> None:
    """
    Describe columns where TOPCAT and others look for it.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Of the table, changed in place.
    columns : mapping
        By name of column, what is known of its ``description``, ``ucd`` and ``utype``.
    """
    for i in range(1, header["TFIELDS"] + 1):
        facts = columns.get(header[f"TTYPE{i}"], {})
        for keyword, what in (("TCOMM", "description"), *_META.items()):
            text = facts.get(what)
            if isinstance(text, str) and text.strip():
                plain = "".join(c if c.isprintable() else " " for c in ascii_text(text)).strip()
                header.set(f"{keyword}{i}", plain, after=_last_of_column(header, i))


def _last_of_column(header: fits.Header, i: int) -> str:
    keywords = ("TUCD", "TCOMM", "TDIM", "TDISP", "TNULL", "TZERO", "TSCAL", "TUNIT", "TFORM")
    return next(f"{keyword}{i}" for keyword in keywords if f"{keyword}{i}" in header)


def take_descriptions(header: fits.Header, table: Table) -> None:
    """
    Give the columns of a table the descriptions that its header has, and take these out of its meta.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Of the file.
    table : `~astropy.table.Table`
        As astropy read it, changed in place. What a column says of itself already stays.
    """
    for key in [key for key in table.meta if describes_column(key)]:
        del table.meta[key]
    for i in range(1, header["TFIELDS"] + 1):
        name = header.get(f"TTYPE{i}")
        if name not in table.colnames:
            continue
        info = table[name].info
        found = (header.get(f"{keyword}{i}") for keyword in _DESCRIPTIONS)
        description = next((text for text in found if isinstance(text, str) and text.strip()), None)
        if description is not None and info.description is None:
            info.description = description.strip()
        for keyword, key in _META.items():
            text = header.get(f"{keyword}{i}")
            if isinstance(text, str) and text.strip():
                info.meta = {key: text.strip(), **(info.meta or {})}
