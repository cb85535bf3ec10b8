"""Free-text tags of galaxies, as volunteers give them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from astropy.table import Column

__all__ = ["is_tags", "most_tagged"]


def is_tags(column: Column) -> bool:
    """Say whether a column holds tags: text, or lists of text."""
    return getattr(getattr(column, "dtype", None), "kind", "") in "USO" and np.ndim(column) == 1


def most_tagged(column: Column, usable: np.ndarray, tags: Sequence[str] | None = None) -> dict[str, int]:
    """
    Find the galaxy with most uses of each tag: its row; the first of several with as many uses.

    A column holds text with commas between several tags, or lists of text; a leading ``#`` and case do not matter. Only
    usable galaxies are chosen. Without `tags` all are looked for, most used first.
    """
    counts = [Counter(_tags_of(entry)) for entry in _entries(column)]
    total, most = Counter(), {}
    for row in np.flatnonzero(usable):
        total.update(counts[row])
        for tag, uses in counts[row].items():
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


def _entries(column: Column) -> list[str | list[str] | None]:
    mask = np.ma.getmaskarray(column)
    values = np.asarray(np.ma.getdata(column)).tolist()
    return ["" if masked else value for value, masked in zip(values, mask, strict=True)]


def _tags_of(entry: str | bytes | list[str] | None) -> list[str]:
    if isinstance(entry, bytes):
        entry = entry.decode("utf-8", "replace")
    parts = entry.split(",") if isinstance(entry, str) else (entry or [])
    return [tag for tag in map(_plain, parts) if tag]


def _plain(tag: str) -> str:
    return str(tag).strip().lstrip("#").lower()
