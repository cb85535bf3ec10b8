"""The commands that take a catalogue and give it back with more columns."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr._arguments import check_column
from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import (
    fallbacks,
    field_of_view,
    open_catalogue,
    read_angle,
    read_beside,
    read_fov,
    read_pair,
    refuse_existing,
    refuse_radius,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._parts import MaxRate, Part, refuse_part, work_by_part
from galzoo_repr.cli._terminal import check_fail_on, finish, note, show


@verb('fetch galaxies.fits with_images.ecsv --fov "30 arcsec"', rows=True)
def fetch(
    catalogue: option.CatalogueIn,
    out: option.CatalogueOut,
    fov: option.Fov = None,
    radius_column: option.RadiusColumn = None,
    coords: option.Coords = None,
    layer: option.Layer = None,
    zero_point: option.ZeroPoint = None,
    fallback: option.Fallback = None,
    server: option.Server = None,
    store: option.Store = None,
    keep: Annotated[
        str,
        typer.Option(metavar="fits|jpeg", help="jpeg leaves a small picture of each image, to look at only."),
    ] = "fits",
    workers: Annotated[int | None, typer.Option(min=1, help="Requests in flight at once.")] = None,
    fail_on: option.FailOn = "0",
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Fetch the image of every galaxy and add the columns cutout and cutout_status."""
    angle, tolerated = read_fov(fov, radius_column), check_fail_on(fail_on)
    refuse_table(out, overwrite)
    table = open_catalogue(catalogue)
    from galzoo_repr import add_cutouts
    from galzoo_repr.catalogue import write_catalogue

    table = add_cutouts(
        table,
        survey=survey_at(server, layer, zero_point),
        fallback=fallbacks(fallback, server),
        fov=field_of_view(table, angle, radius_column),
        coords=read_pair(coords, "--coords"),
        store=store,
        keep=keep,
        workers=workers,
        overwrite=overwrite,
        progress=not quiet,
    )
    write_catalogue(table, out, overwrite=overwrite)
    failed = sum(str(status) not in ("ok", "partial") for status in table["cutout_status"])
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet, call="add_cutouts")


@verb("embed galaxies.fits embedded.parquet --fail-on 10% --json", rows=True)
def embed(
    catalogue: option.CatalogueIn,
    out: option.CatalogueOut,
    encoder: option.EncoderName = "bundled",
    fov: option.Fov = None,
    radius_column: option.RadiusColumn = None,
    coords: option.Coords = None,
    images: option.Images = None,
    name: Annotated[str, typer.Option(help="Name of the column of embeddings.")] = "embedding",
    layer: option.Layer = None,
    zero_point: option.ZeroPoint = None,
    fallback: option.Fallback = None,
    server: option.Server = None,
    store: option.Store = None,
    keep: option.Keep = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images encoded at once.")] = None,
    device: option.Device = None,
    part: Part = None,
    max_rate: MaxRate = None,
    fail_on: option.FailOn = "0",
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Add the column embedding: what each galaxy looks like, in numbers. Fetches images that are missing."""
    angle, tolerated = read_fov(fov, radius_column), check_fail_on(fail_on)
    options = {
        "encoder": encoder,
        "fov": angle,
        "coords": read_pair(coords, "--coords"),
        "images": images,
        "name": name,
        "store": store,
    }
    options |= {"keep": keep, "batch_size": batch_size, "device": device, "overwrite": overwrite}
    if catalogue.is_dir():
        refuse_radius(catalogue, radius_column)
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

    options["fov"] = field_of_view(table, angle, radius_column)
    table = add_embeddings(
        table,
        survey=survey_at(server, layer, zero_point),
        fallback=fallbacks(fallback, server),
        **options,
        progress=not quiet,
    )
    write_catalogue(table, out, overwrite=overwrite)
    failed = int((table[name] != table[name]).any(axis=1).sum())
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet, call="add_embeddings")


@verb('similar embedded.parquet --to "10h00m24s +2d12m" -n 20 --montage alike.png')
def similar(
    catalogue: option.CatalogueIn,
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
    beside: option.Beside = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write, with similarity and similarity_rank.")
    ] = None,
    montage: Annotated[Path | None, typer.Option(help="Picture to write: the galaxies side by side.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder of the embeddings, if the catalogue does not lead to it.")
    ] = None,
    fov: option.Fov = None,
    coords: option.Coords = None,
    layer: option.Layer = None,
    server: option.Server = None,
    store: option.Store = None,
    device: option.Device = None,
    part: Part = None,
    form: option.Format = "table",
    as_json: option.Json = False,
    overwrite: option.Overwrite = False,
    quiet: option.Quiet = False,
) -> None:
    """List the galaxies of an embedded catalogue that look most like one, or several."""
    query, columns = _query(to, row, image), read_beside(beside)
    form = "json" if as_json else form
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
            "coords": read_pair(coords, "--coords"),
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
    if montage is not None and not {"cutout", "file_loc"} & set(table.colnames):
        raise ValueError(
            f"{catalogue} has no column 'cutout' or 'file_loc', so --montage has nothing to draw; use embed or fetch"
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
        coords=read_pair(coords, "--coords"),
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
        note(f"Picture written to {montage}", quiet=quiet)
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
