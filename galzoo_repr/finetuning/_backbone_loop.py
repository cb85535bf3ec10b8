"""Training the top of an encoder, or all of it, together with a head on the labelled images."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from timm.models import group_parameters
from torch import nn
from torch.nn import functional

from galzoo_repr._config import log
from galzoo_repr._progress import progress_bar
from galzoo_repr.encoders import Encoder
from galzoo_repr.finetuning._calibration import Calibration
from galzoo_repr.finetuning._folds import strata
from galzoo_repr.finetuning._heads import Head
from galzoo_repr.finetuning._plan import TuningPlan
from galzoo_repr.finetuning._training_set import Lesson
from galzoo_repr.training import (
    DecodedImages,
    concentrations,
    dirichlet_multinomial_loss,
    half_precision,
    read_checkpoint,
    room_for_batches,
    write_checkpoint,
)

__all__ = ["Tuning", "parameter_groups"]

_LARGEST_GRADIENT = 1.0


def parameter_groups(network: nn.Module, plan: TuningPlan) -> list[dict]:
    """
    Choose the parameters that are trained, and their learning rates, as groups for an optimizer; freeze the others.

    Layer-wise learning-rate decay as of ULMFiT (Howard & Ruder 2018, arXiv:1801.06146): lower blocks, which see what
    all images share, change less. Blocks below `plan.depth` are frozen; a `ValueError` if there are fewer.
    """
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        blocks = [[name for name, _ in child] for child in _children(network)]
    else:
        blocks = list(group_parameters(network, matcher(coarse=True)).values())
    if plan.depth != "all" and plan.depth > len(blocks):
        raise ValueError(f"depth={plan.depth}, but this encoder has {len(blocks)} blocks; 'all' trains all")
    trained = blocks if plan.depth == "all" else blocks[-plan.depth :]
    parameters = dict(network.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    groups = []
    for below, names in enumerate(reversed(trained)):
        of_block = [parameters[name].requires_grad_(True) for name in names if name in parameters]
        rate = plan.learning_rate * plan.layer_decay**below
        for decaying in (True, False):  # biases and the scales of normalisation do not decay
            chosen = [each for each in of_block if (each.ndim > 1) is decaying]
            if chosen:
                decay = plan.weight_decay if decaying else 0.0
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return groups


def _children(network: nn.Module) -> list[list[tuple[str, nn.Parameter]]]:
    """Blocks of a network that does not say what its blocks are."""
    found = [list(child.named_parameters(prefix=name)) for name, child in network.named_children()]
    return [block for block in found if block] or [list(network.named_parameters())]


class Tuning:
    """
    A run of fine-tuning: network and head, trained until held-out galaxies are predicted no better.

    The head starts from the one fitted to the embeddings of the untouched encoder, which keeps the features
    from being spoilt by a random head's first steps (Kumar et al. 2022, arXiv:2202.10054). Normalisation
    keeps its statistics everywhere, as Walmsley et al. 2022 (MNRAS 513, 1581) kept them: batches
    of a few dozen galaxies tell them badly. Batches of yes or no and of classes are drawn with equal numbers
    of each class.

    Whatever is random in an epoch follows from the seed and the epoch, so that a run which goes on from a
    checkpoint equals one that was never interrupted.

    Parameters
    ----------
    encoder : Encoder
        Its network is copied, not changed.
    head : tuple of Head and Calibration
        To start from.
    lesson : Lesson
        Labels; its embeddings are not used.
    images : DecodedImages
        Whole fields of the galaxies of the lesson.
    plan : TuningPlan
    folder : pathlib.Path, optional
        Where the state is kept after each epoch; nowhere by default.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: tuple[Head, Calibration],
        lesson: Lesson,
        images: DecodedImages,
        plan: TuningPlan,
        folder: Path | None = None,
    ) -> None:
        self.recipe, self.device, self.plan, self.folder = encoder.recipe, encoder.device, plan, folder
        self.lesson, self.images = lesson, images
        self.network = deepcopy(encoder.model).eval()
        # Numbers are learned in units of their scatter, so that a step means the same for any of them.
        centre, scale = 0.0, 1.0
        if lesson.task == "regression":
            centre, scale = lesson.y.mean(0), lesson.y.std(0)
        self.head = _HeadLayer(*head, lesson.task, centre, scale).to(self.device)
        targets = np.asarray((lesson.y - centre) / scale, np.float32)
        self.targets = torch.from_numpy(targets).to(self.device)
        groups = parameter_groups(self.network, plan)
        of_head = list(self.head.parameters())
        groups.append({"params": of_head, "lr": plan.learning_rate, "weight_decay": plan.weight_decay})
        self.optimizer = torch.optim.AdamW(groups)
        self.history: list[float] = []
        self.best: dict | None = None
        self._restore()

    def run(self, known: np.ndarray, held: np.ndarray, *, progress: bool) -> nn.Module:
        """
        Train on the known rows until the held-out ones are predicted no better; the network of the best epoch.

        That may be the untouched one.
        """
        done = max(0, len(self.history) - 1)
        with (
            room_for_batches(self.plan.batch_size, self.device),
            progress_bar(self.plan.epochs, "fine-tuning", "epoch", shown=progress, done=done) as bar,
        ):
            if not self.history:
                self._finish_epoch(self._held_out_loss(held))
            while len(self.history) <= self.plan.epochs and not self._has_stopped():
                self._train_one_epoch(known, len(self.history))
                self._finish_epoch(self._held_out_loss(held))
                bar.update()
                bar.set_postfix(held_out=f"{self.history[-1]:.4f}", best=f"{min(self.history):.4f}")
        self.network.load_state_dict(self.best)
        return self.network.eval()

    def _has_stopped(self) -> bool:
        return len(self.history) - 1 - int(np.argmin(self.history)) >= self.plan.patience

    def _train_one_epoch(self, known: np.ndarray, epoch: int) -> None:
        rng = np.random.default_rng([self.plan.seed, epoch])
        seed = int(rng.integers(2**62))
        torch.manual_seed(seed)
        generator = torch.Generator(self.device).manual_seed(seed)
        order = _balanced_order(self.lesson, known, rng)
        size = min(self.plan.batch_size, len(order))
        for start in range(0, len(order) - size + 1, size):
            rows = order[start : start + size]
            view = self.plan.augmentation.apply(
                self.images.batch(rows, self.device),
                size=self.recipe.size,
                crop=self.recipe.crop,
                generator=generator,
            )
            loss = self._loss(self._logits(replace(self.recipe, crop=1.0).from_rgb(view)), rows)
            if not torch.isfinite(loss):
                raise RuntimeError(
                    f"the loss is {loss.item()} in epoch {epoch}; lower learning_rate "
                    f"({self.plan.learning_rate})"
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            trained = [each for group in self.optimizer.param_groups for each in group["params"]]
            nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)
            self.optimizer.step()

    @torch.inference_mode()
    def _held_out_loss(self, held: np.ndarray) -> float:
        total = 0.0
        for start in range(0, len(held), self.plan.batch_size):
            rows = held[start : start + self.plan.batch_size]
            images = self.recipe.from_rgb(self.images.batch(rows, self.device))
            total += self._loss(self._logits(images), rows).item() * len(rows)
        return total / len(held)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        with half_precision(self.device):
            features = self.network(images.contiguous(memory_format=torch.channels_last))
        return self.head(features.float())

    def _loss(self, logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        targets = self.targets[torch.from_numpy(rows).to(self.device)]
        task = self.lesson.task
        if task == "votes":
            counts = torch.nan_to_num(targets)
            return dirichlet_multinomial_loss(concentrations(logits), counts, self.lesson.schema).float()
        if task == "classes":
            return functional.cross_entropy(logits, targets.argmax(1))
        if task == "regression":
            return functional.mse_loss(logits, targets)
        known = torch.isfinite(targets)
        return functional.binary_cross_entropy_with_logits(logits[known], targets[known])

    # What is kept.

    def _finish_epoch(self, loss: float) -> None:
        self.history.append(loss)
        log.info("fine-tuning epoch %d: held-out loss %.4f", len(self.history) - 1, loss)
        if int(np.argmin(self.history)) == len(self.history) - 1:
            self.best = {name: each.detach().clone() for name, each in self.network.state_dict().items()}
        if self.folder is not None:
            write_checkpoint(
                self.folder,
                {
                    "network": self.network.state_dict(),
                    "head": self.head.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "best": self.best,
                    "history": json.dumps(self.history),
                },
            )

    def _restore(self) -> None:
        state = None if self.folder is None else read_checkpoint(self.folder)
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.head.load_state_dict(state["head"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.best, self.history = state["best"], json.loads(state["history"])


class _HeadLayer(nn.Module):
    """
    The first member of a head, calibrated, as a layer of a network with its standardisation fixed.

    Its outputs are those of the head, less a centre and divided by a scale.
    """

    def __init__(
        self,
        head: Head,
        calibration: Calibration,
        task: str,
        centre: np.ndarray | float,
        scale: np.ndarray | float,
    ) -> None:
        super().__init__()
        # Features of unit variance on average, not of unit length, so that a step changes them as much as those within.
        unit = np.sqrt(len(head.mean))
        self.register_buffer("mean", torch.from_numpy(head.mean))
        self.register_buffer("scale", torch.tensor(float(head.scale / unit)))
        # The calibration of votes is not one of scores.
        slope, offset = (1.0, 0.0) if task == "votes" else (calibration.slope, calibration.offset)
        weight, bias = (
            head.weights[0] / unit * slope / scale,
            (head.bias[0] * slope + offset - centre) / scale,
        )
        self.weight = nn.Parameter(torch.from_numpy(weight.T.astype(np.float32)))
        self.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float32)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.linear((features - self.mean) / self.scale, self.weight, self.bias)


def _balanced_order(lesson: Lesson, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of one epoch: all, or as many drawn such that each class is as frequent."""
    of = strata(lesson.y[known], lesson.task)
    if of is None:
        return rng.permutation(known)
    counts = np.bincount(of)
    if counts.max() <= 1.5 * counts[counts > 0].min():
        return rng.permutation(known)
    weight = 1 / counts[of]
    return rng.choice(known, len(known), p=weight / weight.sum())
