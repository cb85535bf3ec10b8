"""Free-text tags of galaxies, as volunteers give them."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from astropy.table import Column

from galzoo_repr.catalogue import means_no_value, read_cells, text_of

__all__ = ["is_tags", "most_tagged"]

_BETWEEN = re.compile(r"[,;|\n]|\s+(?=#)")
_LISTS = (list, tuple, set, frozenset, np.ndarray)
_AROUND = " \t\r\n\"'[](){}"  # of lists that were written as text


def is_tags(column: Column) -> bool:
    """
    Say whether a column holds tags: text, or lists of text.

    Examples
    --------
    >>> from astropy.table import Column
    >>> from galzoo_repr.similarity import is_tags
    >>> is_tags(Column(["#ring, #merger", ""])), is_tags(Column([1, 0])), is_tags(Column(["True", "False"]))
    (True, False, False)
    """
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    if kind in ("U", "S", "T"):  # the words True and False mark examples
        return np.ndim(column) == 2 or (np.ndim(column) == 1 and read_cells(column).values.dtype.kind != "b")
    if kind != "O":
        return False
    values = np.asarray(np.ma.getdata(column)).ravel()
    return any(isinstance(value, (str, bytes, *_LISTS)) for value in values)


def most_tagged(column: Column, usable: np.ndarray, tags: Sequence[str] | None = None) -> dict[str, int]:
    """
    Find the galaxy with most uses of each tag: its row; the first of several with as many uses.

    A column holds text with commas, semicolons, bars, line ends or ``#`` between several tags, or lists of text, also
    written as text; a leading ``#``, case, and words that stand for no value do not matter. Only usable galaxies are
    chosen. Without `tags` all are looked for, most used first.

    Examples
    --------
    >>> from astropy.table import Column
    >>> from galzoo_repr.similarity import most_tagged
    >>> tags = Column(["#ring", "ring; merger", "#Ring #ring", "n/a"])
    >>> most_tagged(tags, usable=[True, True, True, True])
    {'ring': 2, 'merger': 1}
    """
    entries = _entries(column)
    total, most = Counter(), {}
    for row in np.flatnonzero(usable):
        counts = Counter(_tags_of(entries[row]))
        total.update(counts)
        for tag, uses in counts.items():
            if uses > most.get(tag, (0, 0))[0]:
                most[tag] = uses, int(row)
    if tags is None:
        wanted = [tag for tag, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))]
    else:
        wanted = [_plain(tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    missing = [tag for tag in wanted if tag not in most]
    if missing or not wanted:
        raise ValueError(
            f"no galaxy with an embedding has the tag {', '.join(map(repr, missing))}"
            if missing
            else "no galaxy with an embedding has a tag"
        )
    return {tag: most[tag][1] for tag in wanted}


def _entries(column: Column) -> list:
    """Text or list of each row, None where it is masked; in two dimensions a row is a list."""
    values = np.array(np.ma.getdata(column), dtype=object)
    values[np.ma.getmaskarray(column)] = None
    return list(values)


def _tags_of(entry: str | bytes | Sequence | None) -> list[str]:
    if isinstance(entry, _LISTS) and entry is not np.ma.masked:
        return [tag for each in entry for tag in _tags_of(each)]
    return [tag for tag in map(_plain, _BETWEEN.split(text_of(entry))) if not means_no_value(tag)]


def _plain(tag: str) -> str:
    return str(tag).strip(_AROUND).lstrip("#").lower()
