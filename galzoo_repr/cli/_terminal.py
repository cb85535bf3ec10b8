"""What the command says on the terminal: results on the standard output, all else on the standard error."""

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from rich.console import Console
from rich.table import Table as Grid

from galzoo_repr._progress import closing_line

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "Form",
    "check_fail_on",
    "finish",
    "messages",
    "note",
    "output",
    "print_json",
    "rows_of",
    "say",
    "show",
]

Form = Literal["table", "csv", "json"]

SOME_FAILED, ALL_FAILED = 3, 4
"""Exit codes where a catalogue was written, but not every galaxy of it has what was asked for."""

messages = Console(stderr=True, soft_wrap=True, highlight=False)
output = Console(highlight=False)


def say(what: str, message: str, style: str) -> None:
    """Print what it is (``error``, ``warning``...) and a message, in one line on the standard error."""
    messages.print(f"[{style}]{what}:[/] ", end="")
    messages.print(" ".join(message.split()), markup=False)


def note(message: str, *, quiet: bool) -> None:
    """Print on the standard error what is good to know, unless nobody wants to."""
    if not quiet:
        messages.print(message, markup=False, soft_wrap=True)


def print_json(facts: dict | list) -> None:
    """Print facts on the standard output, for other programs; what is not known, or not finite, is null."""
    print(json.dumps(_for_json(facts), indent=2, default=str, allow_nan=False))


def _for_json(facts: object) -> object:
    if isinstance(facts, dict):
        return {str(key): _for_json(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_for_json(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def rows_of(table: "Table") -> list[dict]:
    """Rows of a table for `print_json`."""
    columns = {name: table[name].tolist() for name in table.colnames}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def show(table: "Table", title: str = "", form: Form = "table") -> None:
    """Print a table on the standard output: for people under a title, or as CSV or JSON for other programs."""
    if form == "csv":
        from galzoo_repr.catalogue import for_spreadsheets

        for_spreadsheets(table).write(sys.stdout, format="ascii.csv")
        return
    if form == "json":
        print_json(rows_of(table))
        return
    grid = Grid(title=title, title_justify="left", header_style="bold")
    for name in table.colnames:
        grid.add_column(name.replace("_", " "), justify="right" if table[name].dtype.kind in "if" else "left")
    for cells in zip(*(table[name].iter_str_vals() for name in table.colnames), strict=True):
        grid.add_row(*cells)
    output.print(grid)


def check_fail_on(text: str) -> float:
    """
    Part of the rows that may fail, out of text.

    Parameters
    ----------
    text : str
        Such as ``"0.1"`` or ``"10%"``.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> check_fail_on("10%")
    0.1
    """
    number = text.strip()
    try:
        part = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise ValueError(f"--fail-on must be a part of the galaxies such as 0.1 or 10%, not {text!r}")
    return part


def finish(
    table: "Table",
    out: Path,
    *,
    failed: int,
    fail_on: float = 1.0,
    as_json: bool = False,
    quiet: bool = False,
    call: str = "",
) -> None:
    """
    Say how many galaxies of each status a catalogue holds, and exit with a code that tells scripts.

    Parameters
    ----------
    table : astropy.table.Table
        With or without the column ``cutout_status``.
    out : pathlib.Path
        Where it was written.
    failed : int
        Rows that do not have what was asked for.
    fail_on : float, optional
        Part of the rows that may be so with the exit code 0.
    as_json : bool, optional
        Print it on the standard output, for other programs.
    quiet : bool, optional
        Leave out how fast it went.
    call : str, optional
        The function that made the columns now, if its figures are to be told.
    """
    from galzoo_repr.catalogue import provenance

    figures = provenance(table, call).get("figures", {}) if call else {}
    counts = {}
    if "cutout_status" in table.colnames:
        counts = dict(Counter(map(str, table["cutout_status"])).most_common())
    if as_json:
        told = {"out": str(out), "rows": len(table), "failed": failed, "cutout_status": counts}
        print_json(told | ({"figures": figures} if figures else {}))
    else:
        kinds = ", ".join(f"{count} {status}" for status, count in counts.items())
        messages.print(
            f"{len(table)} galaxies{': ' if kinds else ''}{kinds}; written to {out}", soft_wrap=True
        )
    if figures and not quiet:
        messages.print(closing_line(len(table), figures), soft_wrap=True)
    if failed and failed == len(table):
        say("error", "not one galaxy has what was asked for", "bold red")
        raise typer.Exit(ALL_FAILED)
    if failed > fail_on * len(table):
        note(
            f"{failed} of {len(table)} galaxies do not have what was asked for, more than --fail-on {fail_on:g} "
            f"allows: the exit code is {SOME_FAILED}",
            quiet=quiet,
        )
        raise typer.Exit(SOME_FAILED)
