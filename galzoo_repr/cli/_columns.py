"""Verbs that add columns for which no image is needed: published embeddings, and galaxies that are there twice."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue, read_angle, read_pair, refuse_table
from galzoo_repr.cli._terminal import check_fail_on, finish, note, print_json

__all__ = ["duplicates", "external"]


@verb('external galaxies.fits published.parquet embedded.parquet --radius "1 arcsec"', rows=True)
def external(
    catalogue: option.CatalogueIn,
    published: Annotated[
        Path,
        typer.Argument(metavar="PUBLISHED", help="Table of embeddings: id or position, feat_0, feat_1..."),
    ],
    out: option.CatalogueOut,
    match: Annotated[
        str | None, typer.Option(help="Column of ids, or 'MINE,THEIRS' where the two call it differently.")
    ] = None,
    radius: Annotated[
        str | None, typer.Option(help="Match by position instead, within an angle such as '1 arcsec'.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Features, with * for their numbers, or their names separated by commas.")
    ] = "feat_*",
    encoder: Annotated[
        str | None, typer.Option(help="What made them; by default the name of the file.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the column of embeddings.")] = "embedding",
    coords: option.Coords = None,
    file_coords: Annotated[
        str | None, typer.Option(help="Columns of the positions in PUBLISHED, as for --coords.")
    ] = None,
    fail_on: option.FailOn = "0",
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Add embeddings that somebody has published, by id or position. No image is needed."""
    refuse_table(out, overwrite)
    tolerated, angle = check_fail_on(fail_on), read_angle(radius, "--radius")
    table = open_catalogue(catalogue)
    from galzoo_repr import add_external_embeddings
    from galzoo_repr.catalogue import write_catalogue

    table = add_external_embeddings(
        table,
        published,
        match=read_pair(match, "--match"),
        radius=angle,
        columns=[one.strip() for one in columns.split(",")] if "," in columns else columns,
        encoder=encoder,
        coords=read_pair(coords, "--coords"),
        file_coords=read_pair(file_coords, "--file-coords"),
        name=name,
        overwrite=overwrite,
    )
    write_catalogue(table, out, overwrite=overwrite)
    failed = int((table[name] != table[name]).any(axis=1).sum())
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet)


@verb("duplicates embedded.parquet once.parquet --once")
def duplicates(
    catalogue: option.CatalogueIn,
    out: option.CatalogueOut,
    separation: Annotated[
        str | None,
        typer.Option(help="Largest angle between two rows of a galaxy; 5 arcsec if nothing is said."),
    ] = None,
    similarity: Annotated[
        float | None, typer.Option(help="Least cosine similarity of two rows of a galaxy, up to 1.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Write every galaxy once, its first row.")] = False,
    embedding: option.Embedding = "embedding",
    coords: option.Coords = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Find galaxies that are several times in a catalogue, by place, by looks, or by both."""
    refuse_table(out, overwrite)
    angle = read_angle(separation, "--separation")
    table = open_catalogue(catalogue)
    from galzoo_repr import find_duplicates
    from galzoo_repr.catalogue import provenance, write_catalogue

    table = find_duplicates(
        table,
        separation=angle,
        similarity=similarity,
        embedding=embedding,
        coords=read_pair(coords, "--coords"),
        overwrite=overwrite,
    )
    facts = provenance(table, "find_duplicates")
    if once:
        table = table[table["duplicate_rank"] == 1]
    write_catalogue(table, out, overwrite=overwrite)
    told = {"out": str(out), "rows": len(table), "groups": facts["groups"], "galaxies": facts["galaxies"]}
    if as_json:
        print_json(told)
        return
    note(
        f"{told['groups']} galaxies are there several times, in {told['galaxies']} rows; {len(table)} rows are written "
        f"to {out}",
        quiet=quiet,
    )
