"""From labelled images to a model whose encoder was fine-tuned for them."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from galzoo_repr._config import log
from galzoo_repr.catalogue import KnownGalaxies
from galzoo_repr.encoders import Encoder
from galzoo_repr.finetuning._backbone_loop import Tuning
from galzoo_repr.finetuning._calibration import fit_calibration
from galzoo_repr.finetuning._folds import folds
from galzoo_repr.finetuning._heads import Head
from galzoo_repr.finetuning._labels import Labels
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._plan import TuningPlan
from galzoo_repr.finetuning._report import Report, make_report
from galzoo_repr.finetuning._training_set import Lesson, learn
from galzoo_repr.images import Picture
from galzoo_repr.training import DecodedImages, begin_run, decode_images, end_run

__all__ = ["tune"]


def tune(
    labels: Labels,
    lesson: Lesson,
    images: list[Picture],
    encoder: Encoder,
    plan: TuningPlan,
    card: dict,
    *,
    members: int,
    output: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool = True,
) -> MorphologyModel:
    """
    Fine-tune a copy of an encoder, and fit, calibrate and judge a head on what it has become.

    A fifth of the galaxies is held out. They decide when training stops, which regularisation the head gets,
    and how it is calibrated; the report is of them, each calibrated without itself. `lesson` has labels and
    embeddings of the untouched encoder, which is not changed; `images` are of its galaxies; `card` says where the
    model comes from, and `members` heads are fitted. In the folder `output` the state is kept, from which an
    interrupted run goes on.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if output is None else Path(output)
        if folder is not None:
            facts = {"plan": plan.to_dict(), "label": labels.name, "task": labels.task}
            begin_run(folder, {**facts, **card}, resume=resume)
        fields = decode_images(images, encoder.recipe, folder or Path(scratch), progress=progress)
        readable = np.flatnonzero(fields.readable)
        lesson, fields = (
            lesson.part(readable),
            DecodedImages(fields.pixels[readable], np.ones(len(readable), bool)),
        )
    splits = folds(lesson.y, lesson.groups, lesson.task, n=5, seed=plan.seed)
    if not splits:
        raise ValueError(
            f"{len(lesson)} labelled galaxies are too few to hold some out; label more, or use depth='head'"
        )
    known, held = splits[0]
    head, blend = learn(lesson.part(known))
    tuning = Tuning(encoder, (head, blend.calibration), lesson, fields, plan, folder)
    network = tuning.run(known, held, progress=progress)
    tuned = Encoder(
        network,
        encoder.recipe,
        name=f"{encoder.name}+{labels.name}",
        views=encoder.views,
        architecture=encoder.architecture,
        model_kwargs=encoder.model_kwargs,
        licence=encoder.licence,
        origin=f"fine-tuned from {encoder.name} {encoder.digest[:12]}",
        card={"label": labels.name, "plan": plan.to_dict(), "held_out_loss": tuning.history},
    )
    lesson = replace(lesson, x=_embedded(tuned, fields))
    log.info("held-out loss %.4f, %.4f before fine-tuning", min(tuning.history), tuning.history[0])
    head, blend = learn(lesson, members=members, split=(known, held))
    if folder is not None:
        end_run(folder)
    return MorphologyModel(
        label=labels.name,
        task=labels.task,
        classes=labels.classes,
        head=head,
        calibration=blend.calibration,
        report=_report(lesson, held, head, labels),
        card={
            **card,
            "depth": plan.depth,
            "strength": blend.strength,
            "members": members,
            "epochs": len(tuning.history) - 1,
        },
        unit=labels.unit,
        schema=labels.schema,
        encoder=tuned,
        known=KnownGalaxies.of(lesson.x, groups=lesson.groups, unseen=held),
    )


def _embedded(encoder: Encoder, fields: DecodedImages) -> np.ndarray:
    batches = [
        np.arange(start, min(start + 64, len(fields.pixels))) for start in range(0, len(fields.pixels), 64)
    ]
    return np.concatenate(
        [
            encoder.embed(encoder.recipe.from_rgb(fields.batch(b, encoder.device))).cpu().numpy()
            for b in batches
        ]
    )


def _report(lesson: Lesson, held: np.ndarray, head: Head, labels: Labels) -> Report:
    """Judge held-out galaxies, each calibrated by the others."""
    unseen = lesson.part(held)
    scores = head.scores(unseen.x)[:, 0]
    predicted, spread = np.full((2, *unseen.y.shape), np.nan)
    for others, these in unseen.folds():
        calibration = fit_calibration(scores[others], unseen.y[others], lesson.task, lesson.schema)
        predicted[these] = calibration.apply(scores[these], lesson.task)
        spread[these] = calibration.spread
    one_head = np.zeros(len(unseen), int)
    return make_report(unseen, predicted, spread, labels.classes, one_head, unlabelled=labels.words)
