"""Catalogues of partitions at the shell: one part of a job array, and how far all of them are."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._terminal import SOME_FAILED, messages, output, print_json

if TYPE_CHECKING:
    from galzoo_repr.hats import Parts

__all__ = ["MaxRate", "Part", "parts", "refuse_part", "work_by_part"]

Part = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Of a HATS catalogue do part I of N, such as 17/200: for job arrays."),
]
MaxRate = Annotated[
    float | None,
    typer.Option(help="Requests per second of all N parts together, when they run at once."),
]


def read_part(text: str | None) -> tuple[int, int] | None:
    """
    Part and number of parts out of text.

    Examples
    --------
    >>> read_part("17/200")
    (17, 200)
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"--part must be one of several, from 1, such as 17/200, not {text!r}")
    return int(found[1]), int(found[2])


def work_by_part(
    verb: str, catalogue: Path, out: Path, *args: object, part: str | None, as_json: bool, **options: object
) -> None:
    """Call a verb for a HATS catalogue, or a part of it, and say how far the whole is."""
    from galzoo_repr import hats

    getattr(hats, verb)(catalogue, *args, out=out, part=read_part(part), **options)
    _tell(hats.parts_of_job(out), out, as_json)


def refuse_part(catalogue: Path, part: str | None, max_rate: float | None = None) -> None:
    """Refuse for a table what is for HATS catalogues."""
    if part is not None or max_rate is not None:
        raise ValueError(f"--part and --max-rate are for HATS catalogues, and {catalogue} is a file")


@verb("parts embedded")
def parts(
    catalogue: Annotated[Path, typer.Argument(metavar="OUT", help="HATS catalogue in the making.")],
    as_json: option.Json = False,
) -> None:
    """Say which partitions of a HATS catalogue in the making are done, missing or failed, and why."""
    from galzoo_repr.hats import parts_of_job

    found = parts_of_job(catalogue)
    if not as_json:
        scored = dict.fromkeys(found.scored, "scored; the same call without --part ranks all")
        held = {name: f"in hand of {who}" for name, who in found.in_hand.items()}
        for name in found.missing:
            told = {**scored, **held, **found.failed}.get(name, "missing")
            output.print(f"{name}: {told}", markup=False, soft_wrap=True)
    _tell(found, catalogue, as_json)


def _tell(found: "Parts", out: Path, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), **vars(found)})
    else:
        messages.print(
            f"{found.call}: {len(found.done)} partitions done, {len(found.missing)} missing, "
            f"of which {len(found.failed)} failed"
            + (f" and {len(found.scored)} are scored" if found.scored else "")
            + f"; in {out}",
            soft_wrap=True,
        )
    if found.failed:
        raise typer.Exit(SOME_FAILED)
