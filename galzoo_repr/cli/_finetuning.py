"""The commands that learn a feature from labels, and predict it."""

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import (
    field_of_view,
    open_catalogue,
    read_beside,
    read_fov,
    read_pair,
    read_prior,
    refuse_existing,
    refuse_radius,
    refuse_table,
    survey_at,
)
from galzoo_repr.cli._parts import Part, refuse_part, work_by_part
from galzoo_repr.cli._terminal import check_fail_on, finish, note, output, print_json, rows_of, show


@verb("finetune labelled.parquet ring_model --label ring")
def finetune(
    catalogue: option.CatalogueIn,
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
    embedding: option.Embedding = "embedding",
    beside: option.Beside = None,
    coords: option.Coords = None,
    members: Annotated[int, typer.Option(min=2, help="Heads of the ensemble.")] = 20,
    seed: option.Seed = 0,
    device: option.Device = None,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
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
        coords=read_pair(coords, "--coords"),
        members=members,
        seed=seed,
        images=images,
        encoder=encoder,
        output=run,
        device=device,
        progress=not quiet,
    )
    model.save(out, overwrite=overwrite)
    if not as_json:
        output.print(str(model), markup=False, soft_wrap=True)
        following = shlex.join(["galzoo-repr", "predict", str(catalogue), str(out), "OUT"])
        note(f"Model written to {out}. Probabilities for all galaxies: {following}", quiet=quiet)
    if plot is not None:
        model.report.plot_reliability().figure.savefig(plot, dpi=150)
        note(f"Picture written to {plot}", quiet=quiet)
    chosen = None
    if next_to_label:
        again = {"images": images} if images and must_embed(table, model, embedding) else {}
        chosen = which_to_label(
            table, model, next_to_label, embedding=embedding, seed=seed, progress=not quiet, **again
        )
        from galzoo_repr.catalogue import galaxy_names

        chosen["galaxy"] = galaxy_names(chosen)
        chosen["uncertainty"].info.format = ".3f"
        chosen = chosen["row", "galaxy", "uncertainty"]
    if as_json:
        following = [] if chosen is None else rows_of(chosen)
        print_json({"out": str(out), "report": model.report.to_dict(), "next_to_label": following})
    elif chosen is not None and not len(chosen):
        note("No galaxy is left to label: all that have an embedding have one.", quiet=quiet)
    elif chosen is not None:
        show(chosen, "Next to label")


@verb("predict embedded.parquet ring_model predicted.parquet", rows=True)
def predict(
    catalogue: option.CatalogueIn,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder that finetune wrote.")],
    out: option.CatalogueOut,
    name: Annotated[
        str | None, typer.Option(help="Start of the names of the new columns, instead of the label.")
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help="Class balance, if not that of the labels: a fraction, 'spiral=0.3,other=0.7', or catalogue."
        ),
    ] = None,
    embedding: option.Embedding = "embedding",
    encoder: Annotated[
        str | None,
        typer.Option(help="The encoder of the model, if it must embed and is not found by its name."),
    ] = None,
    fov: option.Fov = None,
    radius_column: option.RadiusColumn = None,
    coords: option.Coords = None,
    layer: option.Layer = None,
    server: option.Server = None,
    store: option.Store = None,
    device: option.Device = None,
    part: Part = None,
    fail_on: option.FailOn = "0",
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Add what a model predicts for every galaxy. Embeds the galaxies first where that is missing."""
    angle, columns, balance = read_fov(fov, radius_column), read_pair(coords, "--coords"), read_prior(prior)
    tolerated = check_fail_on(fail_on)
    if catalogue.is_dir():
        refuse_radius(catalogue, radius_column)
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
        angle = field_of_view(table, angle, radius_column)
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
    finish(table, out, failed=failed, fail_on=tolerated, as_json=as_json, quiet=quiet)
