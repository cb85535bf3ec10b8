"""The commands that learn a feature from labels, and predict it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli._app import app
from galzoo_repr.cli._options import (
    Beside,
    CatalogueIn,
    CatalogueOut,
    Coords,
    Device,
    FailOn,
    Fov,
    Json,
    Layer,
    Overwrite,
    Quiet,
    Server,
    Store,
    open_catalogue,
    read_angle,
    read_beside,
    read_coords,
    read_prior,
    refuse_existing,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._parts import Part, refuse_part, work_by_part
from galzoo_repr.cli._terminal import check_fail_on, finish, messages, output, show


@app.command()
def finetune(
    catalogue: CatalogueIn,
    out: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder to write the model into.")],
    label: Annotated[
        list[str],
        typer.Option(help="Column of labels, blank where there is none; repeatable. Or a question schema."),
    ],
    task: Annotated[
        str | None,
        typer.Option(help="binary, classes, regression, several or votes, where it could be mistaken."),
    ] = None,
    depth: Annotated[str, typer.Option(help="head, how many of the encoder's last blocks, or all.")] = "head",
    images: Annotated[
        str | None, typer.Option(help="Column of image files, to go deeper than the head; else the cutouts.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="The encoder to fine-tune, if it is not found by its name.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder for the state of a fine-tuning run, which goes on from it if interrupted."),
    ] = None,
    next_to_label: Annotated[
        int, typer.Option("--next", min=0, help="Show so many galaxies whose labels would teach most.")
    ] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: what was found against what was predicted.")
    ] = None,
    embedding: Annotated[str, typer.Option(help="Column of the embeddings.")] = "embedding",
    beside: Beside = None,
    coords: Coords = None,
    members: Annotated[int, typer.Option(min=2, help="Heads of the ensemble.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Learn a feature from the labelled galaxies of an embedded catalogue, and say how well."""
    refuse_existing(out, overwrite)
    if plot is not None:
        refuse_existing(plot, overwrite)
        if find_spec("matplotlib") is None:
            raise ValueError('--plot needs matplotlib: pip install "galzoo_repr[plot]"')
    columns = read_beside(beside)
    table = open_catalogue(catalogue)
    from galzoo_repr import finetune as learn
    from galzoo_repr import which_to_label
    from galzoo_repr.finetuning import must_embed

    model = learn(
        table,
        label[0] if len(label) == 1 else label,
        depth=int(depth) if depth.isdigit() else depth,
        task=task,
        embedding=embedding,
        beside=columns,
        coords=read_coords(coords),
        members=members,
        seed=seed,
        images=images,
        encoder=encoder,
        output=run,
        device=device,
        progress=not quiet,
    )
    model.save(out, overwrite=overwrite)
    output.print(str(model), markup=False, soft_wrap=True)
    if plot is not None:
        model.report.plot_reliability().figure.savefig(plot, dpi=150)
        messages.print(f"Picture written to {plot}", soft_wrap=True)
    if next_to_label:
        again = {"images": images} if images and must_embed(table, model, embedding) else {}
        chosen = which_to_label(
            table, model, next_to_label, embedding=embedding, seed=seed, progress=not quiet, **again
        )
        from galzoo_repr.catalogue import galaxy_names

        chosen["galaxy"] = galaxy_names(chosen)
        chosen["uncertainty"].info.format = ".3f"
        show(chosen["row", "galaxy", "uncertainty"], "Next to label")


@app.command()
def predict(
    catalogue: CatalogueIn,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder that finetune wrote.")],
    out: CatalogueOut,
    name: Annotated[
        str | None, typer.Option(help="Start of the names of the new columns, instead of the label.")
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="Class balance, if not that of the labels: a fraction, 'spiral=0.3,other=0.7', or catalogue."
        ),
    ] = None,
    embedding: Annotated[str, typer.Option(help="Column of the embeddings.")] = "embedding",
    encoder: Annotated[
        str | None,
        typer.Option(help="The encoder of the model, if it must embed and is not found by its name."),
    ] = None,
    fov: Fov = None,
    coords: Coords = None,
    layer: Layer = None,
    server: Server = None,
    store: Store = None,
    device: Device = None,
    part: Part = None,
    fail_on: FailOn = "0",
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Add what a model predicts for every galaxy. Embeds the galaxies first where that is missing."""
    angle, columns, balance = read_angle(fov), read_coords(coords), read_prior(prior)
    tolerated = check_fail_on(fail_on)
    if catalogue.is_dir():
        options = {"name": name, "prior": balance, "embedding": embedding, "encoder": encoder}
        options |= {"overwrite": overwrite, "progress": not quiet}
        work_by_part("add_predictions", catalogue, out, model, part=part, as_json=as_json, **options)
        return
    refuse_part(catalogue, part)
    refuse_table(out, overwrite)
    table = open_catalogue(catalogue)
    from galzoo_repr import MorphologyModel, add_predictions
    from galzoo_repr.catalogue import write_catalogue
    from galzoo_repr.finetuning import must_embed

    loaded = MorphologyModel.load(model, device=device)
    images = {}
    if must_embed(table, loaded, embedding):
        survey = survey_at(server, layer)
        images = {"fov": angle, "coords": columns, "survey": survey, "store": store, "device": device}
    known = set(table.colnames)
    table = add_predictions(
        table,
        loaded,
        name=name,
        prior=balance,
        embedding=embedding,
        encoder=encoder,
        overwrite=overwrite,
        progress=not quiet,
        **images,
    )
    write_catalogue(table, out, overwrite=overwrite)
    made = [
        column for column in table.itercols() if column.info.name not in known and column.dtype.kind == "f"
    ]
    failed = int((made[0] != made[0]).reshape(len(table), -1).any(axis=1).sum()) if made else 0
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json)
