"""Arguments and options that several commands share, each said once."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli._from_text import that_exists
from galzoo_repr.cli._terminal import Form

__all__ = [
    "Beside",
    "CatalogueIn",
    "CatalogueOut",
    "Coords",
    "Device",
    "Embedding",
    "EncoderName",
    "FailOn",
    "Fallback",
    "Format",
    "Fov",
    "Images",
    "Interest",
    "Json",
    "Keep",
    "Layer",
    "Overwrite",
    "Quiet",
    "RadiusColumn",
    "Seed",
    "Server",
    "Store",
    "ZeroPoint",
]

CatalogueIn = Annotated[
    Path,
    typer.Argument(
        metavar="CATALOGUE",
        callback=that_exists,
        help="Table with positions: ECSV, Parquet, FITS, VOTable, CSV...",
    ),
]
CatalogueOut = Annotated[
    Path, typer.Argument(metavar="OUT", help="Table to write: .ecsv, .parquet, .fits or .vot.")
]
Coords = Annotated[
    str | None, typer.Option(help="Column of the positions, or 'RA,DEC' for two, if not under usual names.")
]
EncoderName = Annotated[
    str,
    typer.Option(
        help="bundled, bundled-int8, a folder, hf-hub:mwalmsley/zoobot-encoder-..., or a timm model."
    ),
]
Fov = Annotated[
    str | None,
    typer.Option(
        help="Side of the field around each galaxy, such as '30 arcsec'; by default from its radius."
    ),
]
RadiusColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the half-light or petrosian radius, or 'R50,R90', if not under a usual name.",
    ),
]
Images = Annotated[str | None, typer.Option(help="Column with image files, instead of fetching.")]
Embedding = Annotated[str, typer.Option(help="Column of the embeddings.")]
Interest = Annotated[str, typer.Option(help="Name of the interest: its column of ratings.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything random follows from it.")]
Layer = Annotated[str | None, typer.Option(help="Image layer of the survey, such as ls-dr10.")]
Server = Annotated[str | None, typer.Option(help="Base URL of the viewer, such as that of serve-survey.")]
ZeroPoint = Annotated[
    float | None,
    typer.Option(help="AB magnitude of one count of the layer, if no document that is known here tells it."),
]
Fallback = Annotated[
    list[str] | None,
    typer.Option(
        help="Where else to look for images: hips, bricks, a HiPS such as CDS/P/SDSS9, or a layer; repeatable."
    ),
]
Store = Annotated[
    Path | None, typer.Option(help="Folder that keeps cutouts; by default the package's cache.")
]
Keep = Annotated[
    str | None,
    typer.Option(
        metavar="fits|jpeg|none",
        help="What to keep of images once they are encoded; for good: keep in galzoo_repr.cfg or GALZOO_REPR_KEEP.",
    ),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=WEIGHT", help="Column that counts beside the picture, such as z=0.5; repeatable."
    ),
]
Device = Annotated[
    str | None, typer.Option(help="Where to compute: cpu, gpu, cuda:1...; by default the best there is.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output and columns that exist.")]
FailOn = Annotated[
    str,
    typer.Option(
        metavar="PART", help="Galaxies that may fail, such as 0.1 or 10%, before the exit code is 3."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for other programs.")]
Format = Annotated[Form, typer.Option("--format", help="How to print the list.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bars and no notes.")]
