"""The verb that tells which encoder serves one's own galaxies and labels."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import (
    field_of_view,
    open_catalogue,
    read_fov,
    read_pair,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._terminal import note, show

__all__ = ["compare"]


@verb("compare labelled.parquet --label ring --encoder bundled --encoder my_encoder")
def compare(
    catalogue: option.CatalogueIn,
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
    images: option.Images = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write, with all figures and their errors.")
    ] = None,
    fov: option.Fov = None,
    radius_column: option.RadiusColumn = None,
    coords: option.Coords = None,
    layer: option.Layer = None,
    server: option.Server = None,
    store: option.Store = None,
    device: option.Device = None,
    form: option.Format = "table",
    as_json: option.Json = False,
    overwrite: option.Overwrite = False,
    quiet: option.Quiet = False,
) -> None:
    """Compare encoders by the galaxies that you have labelled: how well they tell them apart, and what they cost."""
    angle = read_fov(fov, radius_column)
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
        fov=field_of_view(table, angle, radius_column),
        coords=read_pair(coords, "--coords"),
        survey=survey_at(server, layer),
        store=store,
        device=device,
        progress=not quiet,
    )
    if out is not None:
        write_catalogue(board, out, overwrite=overwrite)
        note(f"Comparison written to {out}", quiet=quiet)
    form = "json" if as_json else form
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
