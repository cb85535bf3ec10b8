"""A training run that was found to make sense: from its network to the encoder."""

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch

import galzoo_repr
from galzoo_repr._arguments import check_path
from galzoo_repr._config import log
from galzoo_repr._progress import KEPT_OF_TRAINING, say_what_is_kept
from galzoo_repr.encoders import Encoder, choose_device
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import ImageRecipe, Picture
from galzoo_repr.pretraining._network import VoteNetwork, make_backbone
from galzoo_repr.pretraining._plan import Plan, Sample, Subject
from galzoo_repr.pretraining._processes import Processes, joined_processes
from galzoo_repr.pretraining._training_loop import Training
from galzoo_repr.questions import Schema, check_something_to_learn
from galzoo_repr.training import DecodedImages, RenderedImages, begin_run, decode_images, end_run, is_finished

__all__ = ["run"]


def run(
    subject: Subject,
    *,
    start: Encoder | None,
    architecture: str,
    pretrained: bool,
    output: str | os.PathLike | None,
    resume: bool,
    image_cache: str | os.PathLike | None,
    after_epoch: Callable[[dict, Encoder], None] | None,
    name: str,
    licence: str,
    device: str | torch.device | None,
    workers: int | None,
    progress: bool,
) -> Encoder:
    """Train, with the options of `galzoo_repr.pretrain`; what is checked there is in the subject."""
    schema, recipe, plan, votes = subject.schema, subject.recipe, subject.plan, subject.votes
    with ExitStack() as stack:
        processes = stack.enter_context(joined_processes(torch.device(choose_device(device))))
        folder = _folder(output, processes, stack)
        stack.enter_context(say_what_is_kept(lambda: output and f"{KEPT_OF_TRAINING} {output}"))
        network, about = _network(stack, processes, schema, recipe, plan, start, architecture, pretrained)
        facts = {
            **about,
            "schema": schema.to_dict(),
            "recipe": recipe.to_dict(),
            **plan.to_dict(),
            "images": subject.images,
            "votes": _digest(
                votes, subject.held_out, *([] if subject.weights is None else [subject.weights])
            ),
        }
        if processes.first:
            begin_run(folder, facts, resume=resume)
        processes.wait()
        if is_finished(folder):
            return Encoder.load(folder, device=processes.device)
        cache = Path(image_cache) if image_cache is not None else folder / "decoded"
        decode = partial(_decoded, subject.source, len(votes), recipe, cache, workers=workers)
        fields = _first_alone(decode, processes, progress)
        sample = _sample(fields, subject, processes)
        network.answer_like(sample.votes[sample.training], schema)
        training = Training(network, sample, schema, recipe, plan, processes, folder)
        encoder_of = partial(
            Encoder,
            recipe=recipe,
            name=name,
            architecture=about["architecture"],
            model_kwargs=about["model_kwargs"],
            licence=licence,
            origin=f"galzoo_repr {galzoo_repr.__version__}, pretrain",
        )
        look = after_epoch and (lambda figures, backbone: after_epoch(figures, encoder_of(backbone)))
        network.load_state_dict(training.run(progress=progress, after_epoch=look))
        encoder = encoder_of(network.backbone, card=_card(schema, plan, sample, training, facts))
        if processes.first and output is not None:
            encoder.save(folder, overwrite=True)
            end_run(folder)
            if image_cache is None:
                shutil.rmtree(cache, ignore_errors=True)
        processes.wait()
        return encoder


def _folder(output: str | os.PathLike | None, processes: Processes, stack: ExitStack) -> Path:
    if output is not None:
        return check_path(output, "the output of a training")
    if processes.number > 1:
        raise ValueError("several processes share the state of a run in a folder; give output=")
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="galzoo_repr-")))


def _network(
    stack: ExitStack,
    processes: Processes,
    schema: Schema,
    recipe: ImageRecipe,
    plan: Plan,
    start: Encoder | None,
    architecture: str,
    pretrained: bool,
) -> tuple[VoteNetwork, dict]:
    """Network at its start, the same in every process, and what describes it."""
    device = processes.device
    stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
    # One by one: `torch.backends.cudnn.flags` of torch 2.9 reads a setting that it warns of itself.
    for name, value in (("enabled", True), ("benchmark", False), ("deterministic", True)):
        stack.callback(setattr, torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
        setattr(torch.backends.cudnn, name, value)
    torch.manual_seed(plan.seed)
    if start is None:
        backbone, kwargs = make_backbone(
            architecture, channels=recipe.channels, size=recipe.size, pretrained=pretrained
        )
        dim = Encoder(backbone, recipe, name="start", architecture=architecture, model_kwargs=kwargs).dim
    else:
        backbone, kwargs, dim = deepcopy(start.model).cpu(), start.model_kwargs, start.dim
        architecture = start.architecture
    network = VoteNetwork(backbone, dim, schema, dropout=plan.dropout, projector=plan.consistency > 0)
    begun_from = start.digest if start is not None else "timm" if pretrained else "random"
    return network, {"architecture": architecture, "model_kwargs": kwargs, "start": begun_from}


def _decoded(
    source: list[Picture] | Callable,
    n: int,
    recipe: ImageRecipe,
    folder: Path,
    *,
    workers: int | None,
    progress: bool,
) -> DecodedImages | RenderedImages:
    """Images of n rows by their number: those that are not made by a function are decoded into a folder."""
    if callable(source):
        return RenderedImages(source, n)
    return decode_images(source, recipe, folder, workers=workers, progress=progress)


def _first_alone(decode: Callable, processes: Processes, progress: bool) -> DecodedImages | RenderedImages:
    """Let the first process decode, then the others find what it decoded."""
    if processes.first:
        fields = decode(progress=progress)
    processes.wait()
    if not processes.first:
        with warnings.catch_warnings(action="ignore", category=GalzooWarning):
            fields = decode(progress=False)
    return fields


def _sample(fields: DecodedImages | RenderedImages, subject: Subject, processes: Processes) -> Sample:
    votes, plan = subject.votes, subject.plan
    held_out, weights = subject.held_out, subject.weights
    voted = votes.any(axis=1)
    useful = fields.readable & (voted | (plan.consistency > 0))
    if weights is not None:
        useful &= (weights > 0) | held_out
    training = np.flatnonzero(useful & ~held_out)
    check_something_to_learn(votes[training], subject.schema)
    if min(plan.batch_size, len(training)) < 2 * processes.number:
        raise ValueError(
            f"{len(training)} galaxies in batches of {plan.batch_size} are too few for {processes.number} "
            "process(es): each needs at least two in a batch"
        )
    log.info("training on %d galaxies, %d with votes", len(training), voted[training].sum())
    return Sample(
        images=fields,
        votes=torch.from_numpy(votes),
        training=training,
        validation=np.flatnonzero(useful & held_out & voted),
        weights=None if weights is None else weights[training],
    )


def _card(schema: Schema, plan: Plan, sample: Sample, training: Training, facts: dict) -> dict:
    best = training.best
    return {
        "schema": schema.to_dict(),
        "training": {
            "galaxies": len(sample.training),
            "start": facts["start"],
            "epochs": len(training.history),
            **{key: value for key, value in plan.to_dict().items() if key != "epochs"},
            "images": facts["images"],
            "votes": facts["votes"],
        },
        "validation": {
            "galaxies": len(sample.validation),
            "epoch": best["epoch"],
            "loss": best["validation_loss"],
            "questions": best["questions"],
        },
        "versions": {
            "galzoo_repr": galzoo_repr.__version__,
            "torch": torch.__version__,
            "timm": timm.__version__,
        },
    }


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
