"""Which galaxies of a catalogue answers mean that go by names."""

import re
from collections.abc import Sequence

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr.catalogue import galaxy_names, name_column, names_in, rows_called, texts_of

__all__ = ["refuse_other_names", "rows_by_name"]

_COMPARED = 20_000  # names that are looked through, within a second, for one that is spelt much like another
# What sheets call galaxies that have no names.
_NAMELESS = re.compile(r"\d\dh\d\dm\d\ds [+-]\d\dd|row \d").match


def rows_by_name(names: Column, table: Table, column: str, ratings: Sequence[float]) -> list[int]:
    """
    Row of the catalogue for each name of a column of answers.

    They are looked for in the column of the same name if the catalogue has it, then in those with usual names, then
    among what sheets call galaxies without names, which is their positions. A `ValueError` for a name that is missing,
    unknown, or that of several galaxies.
    """
    texts = [text.strip() for text in texts_of(names)]
    if "" in texts:
        raise ValueError(
            f"the answer {ratings[texts.index('')]:g} has no name of a galaxy in the column {column!r}: give it one, "
            "or leave the rating empty, too"
        )
    found = dict.fromkeys(texts, np.array([], dtype=np.int64))
    if column in table.colnames:
        found = dict(zip(texts, rows_called(table, texts, column), strict=True))
    if left := _left(found):
        found |= zip(left, rows_called(table, left), strict=True)
    if left := [text for text in _left(found) if _NAMELESS(text)]:
        called = Table({"galaxy": galaxy_names(table)})
        found |= zip(left, rows_called(called, left, "galaxy"), strict=True)
    places = list(dict.fromkeys([*([column] if column in table.colnames else []), *names_in(table)]))
    if left := _left(found):
        looked = f"it has no such name in {' or '.join(places)}" if places else "it has no column of names"
        raise ValueError(
            f"there are answers for galaxies that are not in the catalogue, {some_of(left, 5)}: {looked}"
            f"{_near(left[0], table, places)}"
        )
    for text, rows in found.items():
        if len(rows) > 1:
            raise ValueError(
                f"{text!r} is the name of {len(rows)} galaxies of the catalogue, rows "
                f"{some_of(list(map(str, rows)), 5)}; say which by a column row"
            )
    return [int(found[text][0]) for text in texts]


def refuse_other_names(rows: Sequence[int], answers: Table, table: Table) -> None:
    """Refuse answers whose rows and names are of different galaxies, as where a catalogue was sorted in between."""
    if not (column := name_column(answers)):
        return
    texts = [text.strip() for text in texts_of(answers[column])]
    for row, text, known in zip(rows, texts, rows_called(table, texts), strict=True):
        if text and len(known) and row not in known:
            raise ValueError(
                f"the answer for row {row} is for {text!r}, which is row {known[0]} of this catalogue: was it sorted, "
                "or is it another one? Leave out the column row to go by names"
            )


def _left(found: dict[str, np.ndarray]) -> list[str]:
    return [text for text, rows in found.items() if not len(rows)]


def _near(name: str, table: Table, places: Sequence[str]) -> str:
    return did_you_mean(name, [text for place in places for text in texts_of(table[place][:_COMPARED])])
