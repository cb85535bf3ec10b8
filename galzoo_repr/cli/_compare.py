"""The verb that tells which encoder serves one's own galaxies and labels."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli._app import app
from galzoo_repr.cli._options import (
    CatalogueIn,
    Coords,
    Device,
    Format,
    Fov,
    Layer,
    Overwrite,
    Quiet,
    Server,
    Store,
    open_catalogue,
    read_angle,
    read_coords,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._terminal import messages, show

__all__ = ["compare"]


@app.command()
def compare(
    catalogue: CatalogueIn,
    label: Annotated[
        str, typer.Option(help="Column of labels, yes or no or classes, blank where there is none.")
    ],
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="An encoder, as for embed, or a column of embeddings; repeatable."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="binary or classes, where it could be mistaken.")] = None,
    repeats: Annotated[
        int, typer.Option(min=2, help="Splits into galaxies to learn from and to test on.")
    ] = 5,
    n_train: Annotated[
        int | None, typer.Option(min=1, help="Galaxies to learn from; half by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the splits.")] = 0,
    images: Annotated[str | None, typer.Option(help="Column with image files, instead of fetching.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write, with all figures and their errors.")
    ] = None,
    fov: Fov = None,
    coords: Coords = None,
    layer: Layer = None,
    server: Server = None,
    store: Store = None,
    device: Device = None,
    form: Format = "table",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare encoders by the galaxies that you have labelled: how well they tell them apart, and what they cost."""
    angle = read_angle(fov)
    if out is not None:
        refuse_table(out, overwrite)
    table = open_catalogue(catalogue)
    from galzoo_repr import compare_encoders
    from galzoo_repr.catalogue import write_catalogue

    board = compare_encoders(
        table,
        label,
        encoder or ["bundled", "bundled-int8"],
        task=task,
        repeats=repeats,
        n_train=n_train,
        seed=seed,
        images=images,
        fov=angle,
        coords=read_coords(coords),
        survey=survey_at(server, layer),
        store=store,
        device=device,
        progress=not quiet,
    )
    if out is not None:
        write_catalogue(board, out, overwrite=overwrite)
        messages.print(f"Comparison written to {out}", soft_wrap=True)
    if form == "table":  # which is as wide as a terminal
        board = board[
            "encoder",
            "status",
            "accuracy",
            "average_precision",
            "precision_at_10",
            "gain",
            "gain_error",
            "cost",
        ]
    show(board, form=form)
