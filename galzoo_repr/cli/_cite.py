"""The command that says what to cite."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue

__all__ = ["cite"]


@verb("cite embedded.parquet")
def cite(
    catalogue: Annotated[
        Path | None,
        typer.Argument(metavar="[CATALOGUE]", help="Catalogue made with the package, to cite what it used."),
    ] = None,
) -> None:
    """Print what to cite, in BibTeX: the package, the method, and what a catalogue was made with."""
    from galzoo_repr import cite

    typer.echo(cite(None if catalogue is None else open_catalogue(catalogue)), nl=False)
