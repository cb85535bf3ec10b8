"""The command that makes an encoder."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue
from galzoo_repr.cli._terminal import note, print_json

if TYPE_CHECKING:
    from galzoo_repr import Encoder, ImageRecipe


@verb("pretrain votes.parquet my_encoder --schema gz_decals_dr5")
def pretrain(
    catalogue: option.CatalogueIn,
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of the run, and in the end of the encoder.")
    ],
    schema: Annotated[
        list[str] | None,
        typer.Option(help="Question tree: a name such as gz_decals_dr5, or a TOML file; repeatable."),
    ] = None,
    images: Annotated[str, typer.Option(help="Column with image files.")] = "file_loc",
    architecture: Annotated[str, typer.Option(help="Any timm model.")] = "mobilenetv4_conv_small_050",
    size: Annotated[
        int | None, typer.Option(min=1, help="Pixels of the network's input, on a side; 128 if not given.")
    ] = None,
    crop: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Central fraction of each image to use; 0.75 if not given."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Times that all images are shown.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a step.")] = 256,
    learning_rate: Annotated[float, typer.Option(help="Largest step of AdamW.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(help="Weight decay of AdamW.")] = 0.05,
    consistency: Annotated[
        float, typer.Option(min=0, help="Weight of a term for like embeddings of two views of a galaxy.")
    ] = 0.0,
    validation_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Fraction of the galaxies with votes that is held out.")
    ] = 0.1,
    validation: Annotated[
        str | None, typer.Option(help="Boolean column of the rows to hold out, instead.")
    ] = None,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without improvement before it stops.")] = 10,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    start: Annotated[
        str | None, typer.Option(help="Encoder to start from: bundled, a folder, a hub name.")
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start from the weights that timm downloads.")
    ] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the last complete epoch of a run in OUT.")] = True,
    name: Annotated[str, typer.Option(help="Name of the encoder.")] = "pretrained",
    licence: Annotated[str, typer.Option(help="Licence of the encoder.")] = "",
    device: option.Device = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that decode images.")] = None,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Train an encoder on volunteers' votes: a table with vote counts and image files becomes a folder."""
    table = open_catalogue(catalogue)
    from galzoo_repr import Encoder
    from galzoo_repr import pretrain as train

    first = None if start is None else Encoder.load(start, device=device)
    encoder = train(
        table,
        schema=schema or "gz_decals_dr5",
        architecture=architecture,
        images=images,
        recipe=_recipe(first, size, crop),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        consistency=consistency,
        validation_fraction=validation_fraction,
        validation=validation,
        patience=patience,
        seed=seed,
        start=first,
        pretrained=pretrained,
        output=output,
        resume=resume,
        name=name,
        licence=licence,
        device=device,
        workers=workers,
        progress=not quiet,
    )
    if as_json:
        print_json(
            {"out": str(output), "encoder": encoder.name, "dim": encoder.dim, "digest": encoder.digest}
        )
    else:
        note(f"encoder {encoder.name}, {encoder.dim} numbers for each galaxy, is in {output}", quiet=quiet)


def _recipe(start: "Encoder | None", size: int | None, crop: float | None) -> "ImageRecipe":
    """Recipe of the encoder to start from, or that of a new one, with what the user wants to be different."""
    from galzoo_repr import ImageRecipe

    wanted = {name: value for name, value in (("size", size), ("crop", crop)) if value is not None}
    return replace(ImageRecipe(size=128, crop=0.75) if start is None else start.recipe, **wanted)
