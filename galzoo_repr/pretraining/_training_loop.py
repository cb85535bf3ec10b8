"""The training loop: from votes and images to the weights that explain held-out votes best."""

import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from timm.utils import ModelEmaV3
from torch import nn
from tqdm import tqdm

from galzoo_repr._config import log
from galzoo_repr._folder import publish
from galzoo_repr.images import ImageRecipe
from galzoo_repr.pretraining._consistency import consistency_loss
from galzoo_repr.pretraining._network import VoteNetwork
from galzoo_repr.pretraining._plan import Plan, Sample
from galzoo_repr.pretraining._processes import Processes
from galzoo_repr.questions import Schema
from galzoo_repr.training import (
    BEST,
    concentrations,
    dirichlet_multinomial_loss,
    expected_fractions,
    read_checkpoint,
    write_checkpoint,
)

__all__ = ["Training"]

_HISTORY = "history.json"
_LARGEST_GRADIENT = 5.0


class Training:
    """
    A training run: everything that changes from epoch to epoch, and the way from one to the next.

    Whatever is random in an epoch follows from the seed, the epoch and the step, so that a run which is
    continued from a checkpoint equals one that was never interrupted.

    Parameters
    ----------
    network : VoteNetwork
        On the device of `processes`.
    sample : Sample
        Galaxies.
    schema : Schema
        Questions.
    recipe : ImageRecipe
        What the network sees.
    plan : Plan
        How to train.
    processes : Processes
        This process and others.
    folder : Path
        Where state is kept.
    """

    def __init__(
        self,
        network: VoteNetwork,
        sample: Sample,
        schema: Schema,
        recipe: ImageRecipe,
        plan: Plan,
        processes: Processes,
        folder: Path,
    ) -> None:
        self.schema, self.recipe, self.plan, self.processes, self.folder = (
            schema,
            recipe,
            plan,
            processes,
            folder,
        )
        self.device = processes.device
        self.sample = replace(
            sample, images=sample.images.near(self.device), votes=sample.votes.to(self.device)
        )
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(_groups(self.network, plan.weight_decay), lr=plan.learning_rate)
        self.ema = ModelEmaV3(self.network, decay=plan.ema_decay, use_warmup=True)
        self.history: list[dict] = []
        self._best_sha256: str | None = None
        self.seen_recipe = replace(recipe, crop=1.0)
        images = plan.epoch_size or len(sample.training)
        self.batch_size = min(plan.batch_size, images)
        self.steps = images // self.batch_size
        self._restore()
        self.trained = processes.together(self.network)

    # The run.

    def run(
        self, *, progress: bool, after_epoch: Callable[[dict, nn.Module], None] | None = None
    ) -> dict[str, torch.Tensor]:
        """
        Train until the last epoch, or until validation stops improving.

        Gives the weights of the best epoch, averaged over the steps before it. `after_epoch` gets the entry of the
        history and a copy of the averaged backbone, in the first process. A `RuntimeError` if the loss is not finite.
        """
        shown = progress and self.processes.first
        with tqdm(total=self.plan.epochs * self.steps, desc="train", disable=not shown) as bar:
            bar.update(len(self.history) * self.steps)
            while len(self.history) < self.plan.epochs and not self._has_stopped():
                epoch = len(self.history)
                trained = self._train_one_epoch(epoch, bar)
                if not math.isfinite(trained):
                    raise RuntimeError(
                        f"the loss is {trained} in epoch {epoch}; lower learning_rate "
                        f"({self.plan.learning_rate})"
                    )
                self._finish_epoch(epoch, trained, self._validate())
                if after_epoch is not None and self.processes.first:
                    after_epoch(self.history[-1], deepcopy(self.ema.module.backbone))
                bar.set_postfix(
                    loss=f"{trained:.3f}", validation=f"{self.history[-1]['validation_loss']:.3f}"
                )
        path = self.folder / BEST
        noted = self._best_sha256 if self.processes.first else None
        if noted not in (None, hashlib.sha256(path.read_bytes()).hexdigest()):
            raise ValueError(
                f"{path} does not hold the best weights of the run that the checkpoint beside it tells of; start again "
                "with resume=False"
            )
        return load_file(path)

    @property
    def best(self) -> dict:
        """Entry of the history of the epoch with the lowest validation loss."""
        return min(self.history, key=lambda epoch: epoch["validation_loss"])

    def _has_stopped(self) -> bool:
        if not len(self.sample.validation) or not self.history:
            return False
        return len(self.history) - 1 - self.best["epoch"] >= self.plan.patience

    def _finish_epoch(self, epoch: int, trained: float, validation: dict) -> None:
        total = sum(question["loss"] * question["n"] for question in validation.values())
        loss = total / len(self.sample.validation) if len(self.sample.validation) else trained
        self.history.append(
            {"epoch": epoch, "training_loss": trained, "validation_loss": loss, "questions": validation}
        )
        log.info("epoch %d: training loss %.4f, validation loss %.4f", epoch, trained, loss)
        if self.processes.first:
            # First the weights, then the checkpoint that says they are there: killed in between, the epoch
            # is repeated.
            if self.best is self.history[-1] or not len(self.sample.validation):
                state = {name: value.contiguous() for name, value in self.ema.module.state_dict().items()}
                body = save(state)
                publish(self.folder / BEST, body)
                self._best_sha256 = hashlib.sha256(body).hexdigest()
            write_checkpoint(self.folder, self._state())
            publish(self.folder / _HISTORY, json.dumps(self.history, indent=1).encode())
        self.processes.wait()

    def _state(self) -> dict:
        return {
            "network": self.network.state_dict(),
            "average": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "best_sha256": self._best_sha256,
        }

    def _restore(self) -> None:
        state = read_checkpoint(self.folder)
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.ema.module.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.history, self._best_sha256 = state["history"], state.get("best_sha256")

    # One epoch.

    def _train_one_epoch(self, epoch: int, bar: tqdm) -> float:
        order = self.sample.epoch_order(np.random.default_rng([self.plan.seed, epoch]), self.plan.epoch_size)
        whole = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(self.steps)]
        mine = [rows[self.processes.rank :: self.processes.number] for rows in whole]
        torch.manual_seed(_seed_of(self.plan.seed, epoch, self.processes.rank))
        self.trained.train()
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for step, (rows, fields) in enumerate(_prefetched(mine, self._load)):
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate(epoch * self.steps + step)
            loss, of_votes = self._losses(fields, rows, (epoch, step))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
            self.optimizer.step()
            self.ema.update(self.network, step=epoch * self.steps + step)
            total += of_votes.detach()
            bar.update()
        return self.processes.total(total).item() / (self.steps * self.processes.number)

    def _losses(
        self, fields: torch.Tensor, rows: np.ndarray, moment: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss to minimise, and the part of it that comes from votes, per galaxy."""
        seed = _seed_of(self.plan.seed, *moment, self.processes.rank)
        generator = torch.Generator(self.device).manual_seed(seed)
        n_views = 2 if self.plan.consistency else 1
        views = [self._view(fields, generator) for _ in range(n_views)]
        with self._half_precision():
            logits, projection = self.trained(torch.cat(views).contiguous(memory_format=torch.channels_last))
        votes = self._votes(rows).repeat(n_views, 1)
        of_votes = dirichlet_multinomial_loss(
            concentrations(logits.float()), votes, self.schema, reduction="sum"
        )
        # Processes take the mean of their gradients, whatever their share of the batch.
        of_votes = of_votes * (self.processes.number / (n_views * self.batch_size))
        if projection is None:
            return of_votes, of_votes
        return of_votes + self.plan.consistency * consistency_loss(*projection.chunk(2)), of_votes

    def _view(self, fields: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        view = self.plan.augmentation.apply(
            fields, size=self.recipe.size, crop=self.recipe.crop, generator=generator
        )
        return self.seen_recipe.from_rgb(view)

    @torch.inference_mode()
    def _validate(self) -> dict[str, dict]:
        """Loss, mean absolute error of the vote fractions, and number of galaxies, of each question."""
        network = self.ema.module.eval()
        self.processes.share_buffers(network)
        share = self.sample.validation[self.processes.rank :: self.processes.number]
        chunks = [
            share[start : start + self.plan.batch_size]
            for start in range(0, len(share), self.plan.batch_size)
        ]
        sums = torch.zeros(3, len(self.schema.questions), dtype=torch.float64, device=self.device)
        for rows, fields in _prefetched(chunks, self._load):
            images = self.recipe.from_rgb(fields).contiguous(memory_format=torch.channels_last)
            with self._half_precision():
                logits, _ = network(images)
            sums += _validation_sums(concentrations(logits.double()), self._votes(rows).double(), self.schema)
        loss, error, n = self.processes.total(sums).cpu()
        return {
            label: {
                "loss": (loss[i] / n[i]).item(),
                "fraction_error": (error[i] / n[i]).item(),
                "n": int(n[i]),
            }
            for i, label in enumerate(self.schema.labels)
            if n[i]
        }

    def _load(self, rows: np.ndarray) -> torch.Tensor:
        return self.sample.images.batch(rows, self.device)

    def _votes(self, rows: np.ndarray) -> torch.Tensor:
        return self.sample.votes[torch.from_numpy(rows).to(self.device)]

    def _half_precision(self) -> torch.autocast:
        """On a GPU that knows bfloat16, which needs no scaling of gradients; CPUs are slower in it."""
        able = self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=able)

    def _learning_rate(self, step: int) -> float:
        """Linear rise, then a cosine down to a hundredth."""
        total = self.plan.epochs * self.steps
        rising = max(1, round(self.plan.warmup * total))
        if step < rising:
            return self.plan.learning_rate * (step + 1) / rising
        done = (step - rising) / max(1, total - rising)
        return self.plan.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def _groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weights decay; biases and the scales of normalisation do not."""
    decaying = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _prefetched(
    batches: list[np.ndarray], load: Callable[[np.ndarray], torch.Tensor]
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Rows and images of each batch, loading the next while the last is in use."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque = deque()
        for rows in batches:
            waiting.append((rows, pool.submit(load, rows)))
            if len(waiting) > 1:
                first, images = waiting.popleft()
                yield first, images.result()
        for first, images in waiting:
            yield first, images.result()


def _validation_sums(alpha: torch.Tensor, votes: torch.Tensor, schema: Schema) -> torch.Tensor:
    """Loss, error of the fractions and number of galaxies, summed by question: shape (3, n_questions)."""
    loss = dirichlet_multinomial_loss(alpha, votes, schema, reduction="none")
    index = torch.as_tensor(schema.question_index, device=votes.device)
    membership = torch.nn.functional.one_hot(index).to(votes.dtype)
    totals = votes @ membership
    asked = totals > 0
    fractions = votes / totals[:, index].clamp_min(1e-9)
    deviation = (expected_fractions(alpha, schema) - fractions).abs() @ membership / membership.sum(0)
    return torch.stack([loss.sum(0), (deviation * asked).sum(0), asked.sum(0)])
