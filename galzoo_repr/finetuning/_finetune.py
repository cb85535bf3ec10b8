"""From a few labels in a catalogue to a model with honest probabilities."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._arguments import check_seed, check_whole_number, did_you_mean
from galzoo_repr._config import log
from galzoo_repr._progress import KEPT_OF_TRAINING, say_what_is_kept
from galzoo_repr.catalogue import (
    Beside,
    Embeddings,
    KnownGalaxies,
    as_table,
    coords_fact,
    provenance,
    read_embeddings,
    texts_of,
)
from galzoo_repr.cutouts import USABLE
from galzoo_repr.encoders import Encoder
from galzoo_repr.finetuning._caveats import warn_of_chance
from galzoo_repr.finetuning._folds import fewest_galaxies, sky_groups
from galzoo_repr.finetuning._labels import Labels, read_labels
from galzoo_repr.finetuning._learnable import FEW, check_learnable
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._plan import TuningPlan, check_depth
from galzoo_repr.finetuning._predict import find_encoder
from galzoo_repr.finetuning._report import make_report
from galzoo_repr.finetuning._training_set import Lesson, held_out_predictions, learn
from galzoo_repr.images import Picture, Pictures, picture_of, pictures_of
from galzoo_repr.questions import Schema

if TYPE_CHECKING:
    from galzoo_repr.training import Augmentation

__all__ = ["finetune", "lesson_of"]


def finetune(
    table: Table | SkyCoord,
    label: str | Sequence[str] | Schema,
    *,
    depth: int | str = "head",
    task: str | None = None,
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    members: int = 20,
    seed: int = 0,
    images: Pictures | None = None,
    encoder: str | os.PathLike | Encoder | None = None,
    output: str | os.PathLike | None = None,
    resume: bool = True,
    device: str | None = None,
    progress: bool = True,
    **training: "float | Augmentation",
) -> MorphologyModel:
    """
    Learn a morphological feature from the labelled rows of a catalogue.

    Rows whose label is missing (masked, NaN, blank) are simply not learned from. A linear head on the embeddings, the
    mean of several regularisations weighted by the likelihood of held-out labels, is calibrated on held-out galaxies;
    the report is of galaxies that were held out from all of that. Images within 5 arcsec of each other are one galaxy,
    which is never on both sides of a split. Classes need not be of equal size: folds keep their proportions, and heads
    are not made to believe in others, so that probabilities are those of the catalogue that the labelled galaxies were
    drawn from; for another class balance say ``prior=`` to `galzoo_repr.add_predictions`.

    Parameters
    ----------
    table : Table or QTable
        Catalogue with embeddings.
    label : str, sequence of str or Schema
        Column of labels; several columns of yes or no; or a question schema (object, name or file) whose vote
        columns the table has.
    depth : "head", int or "all"
        What is trained: a linear head on the embeddings, in seconds; or also the last so many of the
        encoder's blocks of layers, or all of them, which needs the images, and a GPU for more than a few
        hundred galaxies.
    task : {"binary", "classes", "regression", "several", "votes"}, optional
        What the labels are, where they could be taken for something else: whole numbers are classes unless
        this is ``"regression"``; several columns are the votes on one question if it is ``"votes"``.
    embedding : str
        Column of embeddings, shape (n, d); labelled rows that are not finite are left out.
    beside : mapping of str to float, optional
        Columns that a head reads beside the embedding, and their weights, such as ``{"z": 0.5}``: each is a further
        feature, centred at its median and scaled by 1.4826 times its median absolute deviation, as far as five of
        these. With weight 1 it varies as much as the whole embedding. Missing values are the median. Of fluxes and
        masses take the logarithm first. `galzoo_repr.add_predictions` needs the same columns, on which it uses the
        scale of this catalogue.
    coords : str, tuple of str or SkyCoord, optional
        Where the positions are, when the columns have unusual names.
    members : int
        Heads of the ensemble from which the standard deviation of a prediction comes, at least 2: one is learned from
        all labels, the others from bootstrap samples of them.
    seed : int
        Everything random follows from it.
    images : str, sequence, ndarray or torch.Tensor, optional
        Images to fine-tune an encoder on: column of files or of pictures; n files, images of Pillow, arrays or
        tensors; or all in one, such as (n, 3, h, w), (n, h, w, 3) or (n, h, w), uint8, uint16 or floating in 0 to
        1. The cutouts of the catalogue by default.
    encoder : Encoder, str or os.PathLike, optional
        Encoder to fine-tune, if the one that made the embeddings is not found by its name.
    output : str or os.PathLike, optional
        Folder that keeps the state of a fine-tuning run; called again, it goes on where it was interrupted.
    resume : bool
        Whether it may go on.
    device : str, optional
        Where to fine-tune; a GPU if there is one.
    progress : bool
        Show a progress bar, with the held-out loss.
    **training
        Options of a fine-tuning run: ``epochs`` (40), ``batch_size`` (32), ``learning_rate`` (3e-4),
        ``layer_decay`` (0.75), ``weight_decay`` (0.05), ``patience`` (6) and ``augmentation``
        (`galzoo_repr.training.Augmentation`).

    Returns
    -------
    MorphologyModel
        Print it to see its report.

    Raises
    ------
    ValueError
        Before anything is trained: if there is no such column, no labelled row with an embedding, fewer than
        two classes, or a class with one galaxy.
    TypeError
        If labels are neither booleans, text nor numbers.

    Warns
    -----
    GalzooWarning
        If a class has fewer than five galaxies, images of a galaxy have different labels, votes contradict the tree of
        their questions, or held-out galaxies are not shown to be told apart better than by chance.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
    >>> ring = np.where(np.arange(300) < 60, embedding[:, 0] > 0, np.nan)
    >>> galaxies = Table({"embedding": embedding, "ring": ring})
    >>> model = gzr.finetune(galaxies, "ring")
    >>> model.report["accuracy"] > 0.8
    True
    >>> galaxies = gzr.add_predictions(galaxies, model)
    >>> bool(np.mean((galaxies["ring_probability"] > 0.5) == (embedding[:, 0] > 0)) > 0.8)
    True
    """
    table = as_table(table, copy=False)
    seed = check_seed(seed)
    options = [field.name for field in fields(TuningPlan)]
    if unknown := sorted(set(training) - set(options)):
        hint = did_you_mean(unknown[0], [*options, *signature(finetune).parameters])
        raise TypeError(
            f"finetune has no option {', '.join(unknown)}; see its documentation for those it has{hint}"
        )
    of_encoder = {**training, "images": images, "output": output}
    if depth == "head" and (given := [name for name, value in of_encoder.items() if value is not None]):
        raise TypeError(f"{', '.join(given)} would be for fine-tuning an encoder; say depth= how deep")
    members = check_whole_number("members", members, 2, ": a spread needs two heads")
    if beside is not None:
        if depth != "head":
            raise ValueError("beside= is read by heads alone; leave it out, or leave out depth=")
        beside = Beside.of(table, beside, read_embeddings(table, embedding))
    labels = read_labels(table, label, task=task)
    if depth != "head":
        check_depth(depth)
    pictures = None if depth == "head" else _images_of(table, images)
    plan = None if depth == "head" else TuningPlan(depth=depth, seed=seed, **training)
    lesson, rows = lesson_of(table, labels, embedding=embedding, coords=coords, seed=seed, beside=beside)
    card = card_of(table, labels, rows, lesson, embedding) | coords_fact(coords)
    if beside is not None:
        card["beside"] = beside.to_dict()
    if depth == "head":
        model = fit_model(labels, lesson, card, members=members)
    else:
        from galzoo_repr.finetuning._backbone import tune

        with say_what_is_kept(lambda: output and f"{KEPT_OF_TRAINING} {output}"):
            model = tune(
                labels,
                lesson,
                [pictures[row] for row in rows],
                find_encoder(encoder or card["encoder"]["name"], card["encoder"], device),
                plan,
                card,
                members=members,
                output=output,
                resume=resume,
                progress=progress,
            )
    if fewest_galaxies(lesson.y, lesson.groups, lesson.task) >= FEW:  # of fewer it is said already
        warn_of_chance(model.report.metrics, labels.name)
    return model


def _images_of(table: Table, images: Pictures | None) -> list[Picture]:
    """Pictures that the user gave, by default the usable cutouts of the catalogue; a `ValueError` without them."""
    if images is not None:
        return pictures_of(table, images)
    if not {"cutout", "cutout_status"} <= set(table.colnames):
        raise ValueError(
            "fine-tuning an encoder needs images: call add_cutouts or add_embeddings first, or give them as images="
        )
    found = zip(pictures_of(table, "cutout"), texts_of(table["cutout_status"]), strict=True)
    return [picture if status in USABLE else picture_of(None) for picture, status in found]


def lesson_of(
    table: Table,
    labels: Labels,
    *,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    seed: int = 0,
    beside: Beside | None = None,
) -> tuple[Lesson, np.ndarray]:
    """
    Gather the labelled rows that have an embedding, and refuse those from which nothing can be learned.

    Also gives their rows of the catalogue. A `ValueError` if there are too few labels.
    """
    found = read_embeddings(table, embedding)
    labelled = labels.rows
    rows = labelled[found.usable[labelled]]
    if not len(labelled):
        raise ValueError(
            f"no row has a label in {labels.name!r}: all are masked, NaN, blank or words for no value"
        )
    if not len(rows):
        raise ValueError(
            f"none of the {len(labelled)} rows labelled in {labels.name!r} has an embedding; see why in the "
            "column cutout_status"
        )
    if len(rows) < len(labelled):
        log.info("%d labelled rows have no embedding and are left out.", len(labelled) - len(rows))
    x = Embeddings(np.asarray(found.vectors[rows], np.float32), found.usable[rows])
    lesson = Lesson(
        x=(x if beside is None else beside.beside_embeddings(x, table[rows])).vectors,
        y=labels.values[rows],
        groups=sky_groups(table, rows, coords=coords),
        task=labels.task,
        schema=labels.schema,
        seed=seed,
    )
    check_learnable(lesson, labels)
    return lesson, rows


def fit_model(labels: Labels, lesson: Lesson, card: dict, *, members: int) -> MorphologyModel:
    """Fit, calibrate and judge a head, with an ensemble of so many members."""
    predicted, spread, folds = held_out_predictions(lesson)
    head, blend = learn(lesson, members=members)
    return MorphologyModel(
        label=labels.name,
        task=labels.task,
        classes=labels.classes,
        head=head,
        calibration=blend.calibration,
        report=make_report(lesson, predicted, spread, labels.classes, folds, unlabelled=labels.words),
        card={**card, "strength": blend.strength, "members": members},
        unit=labels.unit,
        schema=labels.schema,
        known=KnownGalaxies.of(lesson.x, groups=lesson.groups),
    )


def card_of(table: Table, labels: Labels, rows: np.ndarray, lesson: Lesson, embedding: str) -> dict:
    """Note, in JSON types, where a model comes from that learns from these rows of a table."""
    from galzoo_repr import __version__

    meta = table[embedding].info.meta or {}
    digest = hashlib.sha256(np.ascontiguousarray(lesson.x))
    digest.update(np.ascontiguousarray(np.nan_to_num(lesson.y, nan=-1)))
    return {
        "encoder": {
            "name": str(meta.get("encoder", table.meta.get("GZRENC", ""))),
            "digest": read_embeddings(table, embedding).encoder,
            "recipe_digest": str(meta.get("recipe_digest", table.meta.get("GZRRECIP", ""))),
            "dim": read_embeddings(table, embedding).dim,
        },
        "depth": "head",
        "n_labelled": len(rows),
        "labels": _counts(lesson, labels),
        "balance": _balance(lesson),
        "data_digest": digest.hexdigest(),
        "seed": lesson.seed,
        "survey": {key: provenance(table, "add_embeddings").get(key, "") for key in ("survey", "layer")},
        "versions": {"galzoo_repr": __version__, **_versions()},
    }


def _versions() -> dict[str, str]:
    return {"sklearn": version("scikit-learn"), "torch": version("torch")}


def _counts(lesson: Lesson, labels: Labels) -> dict[str, int]:
    """How many images have each label."""
    if lesson.task == "binary":
        yes = int(lesson.y[:, 0].sum())
        names = (
            ("yes", "no")
            if labels.classes[0] == labels.name
            else (labels.classes[0], f"not {labels.classes[0]}")
        )
        return dict(zip(names, (yes, len(lesson) - yes), strict=True))
    if lesson.task == "regression":
        return {"numbers": len(lesson)}
    totals = np.nansum(lesson.y, axis=0).round().astype(int).tolist()
    return dict(zip(labels.classes, totals, strict=True))


def _balance(lesson: Lesson) -> list[float] | None:
    """Fraction of each class among the images that have a label of it."""
    return None if lesson.task in ("regression", "votes") else np.nanmean(lesson.y, axis=0).tolist()
