"""What a person says of many galaxies at once: tags and labels, kept on the disk, and columns of the catalogue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr.catalogue import texts_of

if TYPE_CHECKING:
    from galzoo_repr.app._session import Desk

__all__ = ["TAGS", "label_rows", "restore_marks", "tag_rows"]

TAGS = "tags"
KEPT = "marks"
ABOUT_TAGS = "Tags, separated by semicolons"
ABOUT_LABELS = "Label given on the page; empty where there is none"
_COLUMN = re.compile(r"[A-Za-z]\w{0,63}")


def tag_rows(desk: Desk, rows: np.ndarray, tag: str) -> None:
    """
    Give galaxies a tag, in the column ``tags``, where several are separated by semicolons.

    Raises
    ------
    ValueError
        If the tag is empty.
    """
    tag = " ".join(tag.replace(";", " ").split())
    if not tag:
        raise ValueError("a tag is a word or two; it may not be empty")
    given = texts_of(desk.table[TAGS]) if TAGS in desk.table.colnames else [""] * len(desk.table)
    for row in rows:
        known = [one.strip() for one in given[row].split(";") if one.strip()]
        if tag not in known:
            given[row] = "; ".join([*known, tag])
    _keep(desk, TAGS, rows, [given[row] for row in rows])
    desk.add_column(TAGS, np.array(given, dtype=str), ABOUT_TAGS)


def label_rows(desk: Desk, rows: np.ndarray, column: str, label: str) -> None:
    """
    Label galaxies in a column, from which `galzoo_repr.finetune` learns.

    Raises
    ------
    ValueError
        If the column cannot be called so, or is there and holds no text.
    """
    if not _COLUMN.fullmatch(column):
        raise ValueError(f"{column!r} cannot be the name of a column; use letters, digits and underscores")
    there = column in desk.table.colnames
    if there and desk.table[column].dtype.kind not in "SUO":
        raise ValueError(f"the column {column!r} is there already and holds no labels; choose another name")
    given = texts_of(desk.table[column]) if there else [""] * len(desk.table)
    for row in rows:
        given[row] = label
    _keep(desk, column, rows, [label] * len(rows))
    desk.add_column(column, np.array(given, dtype=str), ABOUT_LABELS)


def _keep(desk: Desk, column: str, rows: np.ndarray, texts: list[str]) -> None:
    kept = desk.recall(KEPT, {})
    of_column = kept.setdefault(column, {})
    of_column.update(zip(map(str, np.asarray(rows).tolist()), texts, strict=True))
    desk.keep(KEPT, kept)


def restore_marks(desk: Desk) -> None:
    """Put tags and labels of earlier runs back onto the catalogue."""
    for column, of_column in desk.recall(KEPT, {}).items():
        there = column in desk.table.colnames
        given = texts_of(desk.table[column]) if there else [""] * len(desk.table)
        for row, text in of_column.items():
            if int(row) < len(given):
                given[int(row)] = text
        what = (
            "Tags, separated by semicolons"
            if column == TAGS
            else "Label given on the page; empty where there is none"
        )
        desk.add_column(column, np.array(given, dtype=str), what)
