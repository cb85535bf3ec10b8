"""The commands that take a catalogue and give it back with more columns."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr._arguments import check_column
from galzoo_repr.cli._app import app
from galzoo_repr.cli._options import (
    Beside,
    CatalogueIn,
    CatalogueOut,
    Coords,
    Device,
    EncoderName,
    FailOn,
    Fallback,
    Format,
    Fov,
    Json,
    Keep,
    Layer,
    Overwrite,
    Quiet,
    Server,
    Store,
    ZeroPoint,
    fallbacks,
    open_catalogue,
    read_angle,
    read_beside,
    read_coords,
    refuse_existing,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._parts import MaxRate, Part, refuse_part, work_by_part
from galzoo_repr.cli._terminal import check_fail_on, finish, messages, show


@app.command()
def fetch(
    catalogue: CatalogueIn,
    out: CatalogueOut,
    fov: Fov = None,
    coords: Coords = None,
    layer: Layer = None,
    zero_point: ZeroPoint = None,
    fallback: Fallback = None,
    server: Server = None,
    store: Store = None,
    keep: Annotated[
        str,
        typer.Option(metavar="fits|jpeg", help="jpeg leaves a small picture of each image, to look at only."),
    ] = "fits",
    workers: Annotated[int | None, typer.Option(min=1, help="Requests in flight at once.")] = None,
    fail_on: FailOn = "0",
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch the image of every galaxy and add the columns cutout and cutout_status."""
    angle, tolerated = read_angle(fov), check_fail_on(fail_on)
    refuse_table(out, overwrite)
    table = open_catalogue(catalogue)
    from galzoo_repr import add_cutouts
    from galzoo_repr.catalogue import write_catalogue

    table = add_cutouts(
        table,
        survey=survey_at(server, layer, zero_point),
        fallback=fallbacks(fallback, server),
        fov=angle,
        coords=read_coords(coords),
        store=store,
        keep=keep,
        workers=workers,
        overwrite=overwrite,
        progress=not quiet,
    )
    write_catalogue(table, out, overwrite=overwrite)
    failed = sum(str(status) not in ("ok", "partial") for status in table["cutout_status"])
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet, call="add_cutouts")


@app.command()
def embed(
    catalogue: CatalogueIn,
    out: CatalogueOut,
    encoder: EncoderName = "bundled",
    fov: Fov = None,
    coords: Coords = None,
    images: Annotated[str | None, typer.Option(help="Column with image files, instead of fetching.")] = None,
    layer: Layer = None,
    zero_point: ZeroPoint = None,
    fallback: Fallback = None,
    server: Server = None,
    store: Store = None,
    keep: Keep = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images encoded at once.")] = None,
    device: Device = None,
    part: Part = None,
    max_rate: MaxRate = None,
    fail_on: FailOn = "0",
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add the column embedding: what each galaxy looks like, in numbers. Fetches images that are missing."""
    angle, tolerated = read_angle(fov), check_fail_on(fail_on)
    options = {
        "encoder": encoder,
        "fov": angle,
        "coords": read_coords(coords),
        "images": images,
        "store": store,
    }
    options |= {"keep": keep, "batch_size": batch_size, "device": device, "overwrite": overwrite}
    if catalogue.is_dir():
        options |= {"survey": survey_at(server, layer, zero_point), "fallback": fallbacks(fallback, server)}
        options |= {"progress": not quiet, "max_rate": max_rate}
        work_by_part("add_embeddings", catalogue, out, part=part, as_json=as_json, **options)
        return
    refuse_part(catalogue, part, max_rate)
    refuse_table(out, overwrite)
    table = open_catalogue(catalogue)
    if images is not None:
        check_column("--images", images, table.colnames)
    from galzoo_repr import add_embeddings
    from galzoo_repr.catalogue import write_catalogue

    table = add_embeddings(
        table,
        survey=survey_at(server, layer, zero_point),
        fallback=fallbacks(fallback, server),
        **options,
        progress=not quiet,
    )
    write_catalogue(table, out, overwrite=overwrite)
    failed = int((table["embedding"] != table["embedding"]).any(axis=1).sum())
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet, call="add_embeddings")


@app.command()
def similar(
    catalogue: CatalogueIn,
    to: Annotated[
        list[str] | None,
        typer.Option(
            help="Galaxy: a position, '150.1 2.2' or '10h00m24s +2d12m', or a name in the catalogue; repeatable."
        ),
    ] = None,
    row: Annotated[list[int] | None, typer.Option(min=0, help="Row of a galaxy, from 0; repeatable.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="Image file of a galaxy; repeatable.")] = None,
    n: Annotated[int, typer.Option("--number", "-n", min=1, help="How many to show.")] = 20,
    max_separation: Annotated[
        str, typer.Option(help="How near to a row a position must be to mean it.")
    ] = "5 arcsec",
    beside: Beside = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write, with similarity and similarity_rank.")
    ] = None,
    montage: Annotated[Path | None, typer.Option(help="Picture to write: the galaxies side by side.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of the embeddings, if the catalogue does not lead to it.")
    ] = None,
    fov: Fov = None,
    coords: Coords = None,
    layer: Layer = None,
    server: Server = None,
    store: Store = None,
    device: Device = None,
    part: Part = None,
    form: Format = "table",
    overwrite: Overwrite = False,
) -> None:
    """List the galaxies of an embedded catalogue that look most like one, or several."""
    query, columns = _query(to, row, image), read_beside(beside)
    separation, field = read_angle(max_separation, "--max-separation"), read_angle(fov)
    if catalogue.is_dir():
        if out is None:
            raise ValueError(
                f"{catalogue} is a folder, not a file; the scores of a HATS catalogue are written to a new one, "
                "whose folder --out gives"
            )
        options = {
            "max_separation": separation,
            "encoder": encoder,
            "fov": field,
            "coords": read_coords(coords),
        }
        options |= {"store": store, "device": device, "overwrite": overwrite}
        options["survey"] = survey_at(server, layer)
        work_by_part("add_similarity", catalogue, out, query, part=part, as_json=form == "json", **options)
        return
    refuse_part(catalogue, part)
    if out is not None:
        refuse_table(out, overwrite)
    if montage is not None:
        refuse_existing(montage, overwrite)
    table = open_catalogue(catalogue)
    if montage is not None and "cutout" not in table.colnames:
        raise ValueError(
            f"{catalogue} has no column 'cutout', so --montage has nothing to draw; use embed or fetch"
        )
    import numpy as np
    from astropy.table import Table

    from galzoo_repr import add_similarity
    from galzoo_repr.catalogue import galaxy_names, write_catalogue

    table = add_similarity(
        table,
        query,
        max_separation=separation,
        beside=columns,
        encoder=encoder,
        fov=field,
        coords=read_coords(coords),
        survey=survey_at(server, layer),
        store=store,
        device=device,
        overwrite=overwrite,
    )
    if out is not None:
        write_catalogue(table, out, overwrite=overwrite)
    ranks = np.asarray(table["similarity_rank"])
    order = np.argsort(ranks, kind="stable")
    rows = order[ranks[order] > 0][:n]
    if montage is not None:
        from galzoo_repr.images import comparison

        asked = np.flatnonzero(ranks == 0)
        comparison(table, rows, asked[0] if len(asked) else None).save(montage)
        messages.print(f"Picture written to {montage}", soft_wrap=True)
    names = galaxy_names(table)
    best = Table({"rank": ranks[rows], "row": rows, "galaxy": [names[row] for row in rows]})
    best["similarity"] = table["similarity"][rows]
    best["similarity"].info.format = ".3f"
    show(best, form=form)


def _query(to: list[str] | None, row: list[int] | None, image: list[Path] | None) -> object:
    """Give the one query out of three options, in the form that `add_similarity` takes."""
    given = [option for option in (to, row, image) if option]
    if len(given) != 1:
        raise typer.BadParameter("say which galaxy is meant, by --to, --row or --image (one kind of them)")
    return to or row or image
