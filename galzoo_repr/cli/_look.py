"""The command that opens the page to look, rate, tag and explore."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue, read_beside, survey_at

__all__ = ["look"]


@verb("look embedded.parquet")
def look(
    catalogue: option.CatalogueIn,
    ratings: option.Interest = "interest",
    rater: Annotated[str, typer.Option(help="Who rates, where several do.")] = "",
    scale: Annotated[str, typer.Option(help="Ratings that can be given, with commas.")] = "0,1,2,3,4,5",
    n: Annotated[int, typer.Option("--number", "-n", min=1, help="Galaxies in a batch.")] = 10,
    show: Annotated[
        list[str] | None, typer.Option(help="Column to show with each galaxy; may be given several times.")
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="Column of image files, if not cutout or file_loc.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where ratings and tags are kept; by default CATALOGUE.look.")
    ] = None,
    embedding: option.Embedding = "embedding",
    beside: option.Beside = None,
    server: option.Server = None,
    layer: option.Layer = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 takes a free one.")] = 0,
    prefix: Annotated[str, typer.Option(help="Start of the address behind a proxy that keeps it.")] = "",
    origin: Annotated[
        list[str] | None, typer.Option(help="Host that a proxy is called by; may be given several times.")
    ] = None,
) -> None:
    """
    Look at galaxies on a page, rate, tag and explore them, until Ctrl-C.

    Everything that is given on the page is at once on the disk, in the folder CATALOGUE.look, and there again when the
    same command is called the next time. From another machine: ssh -L 5006:localhost:5006 HOST, and there
    galzoo-repr look CATALOGUE --no-browser --port 5006.
    """
    values = [_number(part) for part in scale.split(",")]
    columns = read_beside(beside)
    table = open_catalogue(catalogue)
    from galzoo_repr import look as open_page

    open_page(
        table,
        folder=folder or catalogue.with_name(f"{catalogue.name}.look"),
        ratings=ratings,
        rater=rater,
        scale=values,
        n=n,
        show=show or (),
        images=images,
        embedding=embedding,
        beside=columns,
        survey=survey_at(server, layer),
        serve=True,
        browser=browser,
        port=port,
        prefix=prefix,
        origins=origin or (),
        announce=lambda text: typer.echo(text),
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--scale must be numbers with commas between them, such as 0,1,2,3, not {text!r}"
        ) from None
