"""Catalogues of partitions at the shell: one part of a job array, and how far all of them are."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galzoo_repr.cli._app import app
from galzoo_repr.cli._options import Json
from galzoo_repr.cli._terminal import SOME_FAILED, messages, output, print_json

if TYPE_CHECKING:
    from galzoo_repr.hats import Parts

__all__ = ["MaxRate", "Part", "embed_parts", "parts"]

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


def embed_parts(
    catalogue: Path, out: Path, *, part: str | None, max_rate: float | None, as_json: bool, **options: object
) -> None:
    """Embed a HATS catalogue, or a part of it, and say how far the whole is."""
    from galzoo_repr.hats import add_embeddings, parts_of_job

    add_embeddings(catalogue, out=out, part=read_part(part), max_rate=max_rate, **options)
    _tell(parts_of_job(out), out, as_json)


@app.command()
def parts(
    catalogue: Annotated[Path, typer.Argument(metavar="OUT", help="HATS catalogue in the making.")],
    as_json: Json = False,
) -> None:
    """Say which partitions of a HATS catalogue in the making are done, missing or failed, and why."""
    from galzoo_repr.hats import parts_of_job

    found = parts_of_job(catalogue)
    if not as_json:
        for name in found.missing:
            output.print(f"{name}: {found.failed.get(name, 'missing')}", markup=False, soft_wrap=True)
    _tell(found, catalogue, as_json)


def _tell(found: "Parts", out: Path, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), **vars(found)})
    else:
        messages.print(
            f"{found.call}: {len(found.done)} partitions done, {len(found.missing)} missing, "
            f"of which {len(found.failed)} failed; in {out}",
            soft_wrap=True,
        )
    if found.failed:
        raise typer.Exit(SOME_FAILED)
