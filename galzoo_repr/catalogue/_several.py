"""Which table of a file that holds several."""

from collections.abc import Sequence

__all__ = ["listed", "place_of"]

_SHOWN = 10


def listed(names: Sequence[str]) -> str:
    """
    List tables as a user can choose them.

    Examples
    --------
    >>> listed(["stars", ""])
    "0 'stars', 1 without a name"
    """
    shown = [f"{i} {name!r}" if name else f"{i} without a name" for i, name in enumerate(names[:_SHOWN])]
    return ", ".join([*shown, *["..."] * (len(names) > _SHOWN)])


def place_of(table: str | int, names: Sequence[str]) -> int:
    """
    Find a table by its number from 0, or by its name, the case of which matters only between two.

    Raises
    ------
    ValueError
        If there is none, or several of that name.
    """
    if not isinstance(table, str):
        found = [table] if 0 <= table < len(names) else []
    else:
        found = [i for i, name in enumerate(names) if name == table]
        found = found or [i for i, name in enumerate(names) if name.casefold() == table.strip().casefold()]
    if len(found) == 1:
        return int(found[0])
    many = (
        f"{len(found)} tables are called {table!r}, give the number"
        if found
        else f"it has no table {table!r}"
    )
    raise ValueError(f"{many}; it holds {listed(names)}")
