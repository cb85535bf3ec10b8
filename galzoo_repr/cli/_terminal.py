"""What the command says on the terminal: results on the standard output, all else on the standard error."""

from collections import Counter
from pathlib import Path

from astropy.table import Table
from rich.console import Console
from rich.table import Table as Grid

__all__ = ["messages", "output", "say", "show", "show_statuses"]

messages = Console(stderr=True, soft_wrap=True, highlight=False)
output = Console(highlight=False)


def say(what: str, message: str, style: str) -> None:
    """Print what it is (``error``, ``warning``...) and a message, in one line on the standard error."""
    messages.print(f"[{style}]{what}:[/] ", end="")
    messages.print(" ".join(message.split()), markup=False)


def show(table: Table, title: str = "") -> None:
    """Print a table on the terminal, its columns in their own formats, perhaps under a title."""
    grid = Grid(title=title, title_justify="left", header_style="bold")
    for name in table.colnames:
        grid.add_column(name.replace("_", " "), justify="right" if table[name].dtype.kind in "if" else "left")
    for cells in zip(*(table[name].iter_str_vals() for name in table.colnames), strict=True):
        grid.add_row(*cells)
    output.print(grid)


def show_statuses(table: Table, out: Path) -> None:
    """
    Say how many galaxies of each status a catalogue holds.

    Parameters
    ----------
    table : astropy.table.Table
        With or without the column ``cutout_status``.
    out : pathlib.Path
        Where it was written.
    """
    words = f"{len(table)} galaxies"
    if "cutout_status" in table.colnames:
        counts = Counter(map(str, table["cutout_status"])).most_common()
        words += ": " + ", ".join(f"{count} {status}" for status, count in counts)
    messages.print(f"{words}; written to {out}", soft_wrap=True)
