"""Words that stand for no value, in whatever column they are met."""

__all__ = ["LAST", "means_no_value"]

#: Compared without regard to case, and to blanks, quotes or brackets around them.
NO_VALUE = {
    "",
    "na",
    "n/a",
    "n.a.",
    "n.a",
    "#n/a",
    "#na",
    "nan",
    "-nan",
    "+nan",
    "nat",
    "none",
    "null",
    "nil",
}
NO_VALUE |= {
    "indef",
    "undef",
    "undefined",
    "unknown",
    "masked",
    "unlabelled",
    "unlabeled",
    "unrated",
    "unsure",
    "nodata",
}
NO_VALUE |= {
    "no data",
    "no value",
    "not available",
    "not applicable",
    "\\n",
}  # the last is that of SQL databases
_AROUND = " \t\r\n\0\"'()[]{}<>"
_STROKES = " -‐‒–—−.…?_"  # dots, dashes and question marks, as many as there are
_LONGEST = max(map(len, NO_VALUE)) + 4

#: What such a text ends in; numbers, and names of galaxies and files, which are many, end otherwise.
LAST = frozenset("".join(word[-1:] + word[-1:].upper() for word in NO_VALUE) + _AROUND + _STROKES) | {""}


def means_no_value(text: str) -> bool:
    """
    Say whether a text stands for no value.

    Parameters
    ----------
    text : str
        Of one cell.

    Returns
    -------
    bool
        True for blanks; null, None, nan, N/A, undefined, unknown and the like; and nothing but dashes, dots or
        question marks. Case, blanks, and quotes or brackets around it do not matter.

    Examples
    --------
    >>> from galzoo_repr.catalogue import means_no_value
    >>> [means_no_value(text) for text in ("N/A", " ... ", "<NA>", "?", "0", "no")]
    [True, True, True, True, False, False]
    """
    if text[-1:] not in LAST:
        return False
    word = text.strip(_AROUND)
    return len(word) <= _LONGEST and (word.casefold() in NO_VALUE or not word.strip(_STROKES))
