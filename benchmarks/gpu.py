"""Every path that a GPU takes, checked against the CPU and measured: ``python benchmarks/gpu.py --json gpu.json``.

It is made for eight minutes of one large GPU. Sections: the network alone, pictures of both kinds to embeddings, exact
search, an epoch of pretraining, fine-tuning of all blocks. Each says what it checked against the CPU (cosine, recall,
loss) and its rates beside what the device could do at most: a bare pass of the same network in bfloat16, channels
last, over images that lie in its memory; or its memory bandwidth, measured by a copy. A section that fails, or takes
longer than it may, leaves the others as they are. ``--small`` runs the same on a CPU in a minute or two.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from embedding import write_images
from measuring import here, write_json

import galzoo_repr as gzr
from galzoo_repr import Encoder, ImageRecipe, SimilarityIndex

LEAST_COSINE, LEAST_RECALL = 0.999, 0.999
# Nats by which losses of fine-tuning may differ: random views are others on each device.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Size:
    """How much of everything: files of their pictures, vectors, queries, images of training; rounds of each."""

    pictures: int
    files: dict[str, int]
    vectors: int
    queries: int
    pretrained: int
    tuned: int
    rounds: int


FULL = Size(64, {"jpeg": 16_384, "fits": 8_192}, 10_000_000, 4_096, 50_000, 2_000, 3)
SMALL = Size(8, {"jpeg": 32, "fits": 32}, 100_000, 256, 192, 60, 1)


class Checks:
    """Sections that have run, with what they found; a check that does not hold is counted."""

    def __init__(self, device: str, size: Size, folder: Path) -> None:
        self.device, self.size, self.folder = device, size, folder
        self.figures: dict[str, dict] = {}
        self.wrong: list[str] = []
        self.on_gpu = device != "cpu"
        self.bare = self.bandwidth = float("nan")

    def note(self, section: str, name: str, value: float, unit: str = "") -> None:
        """Print and keep a figure."""
        self.figures.setdefault(section, {})[name] = value
        print(f"  {name:<58}{value:>14,.4g} {unit}", flush=True)

    def check(self, section: str, name: str, value: float, *, good: bool) -> None:
        """Print and keep a figure that has to be good."""
        self.note(section, name, value, "ok" if good else "WRONG")
        if not good:
            self.wrong.append(f"{section}: {name} is {value:.4g}")

    def seconds(self, work: Callable[[], object]) -> float:
        """Least wall time of the rounds, after one that is not counted, until the device is done."""
        times = []
        for _ in range(self.size.rounds + 1):
            start = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    def wait(self) -> None:
        """Wait until the device has done what it was told."""
        if self.on_gpu:
            torch.cuda.synchronize()


def network(checks: Checks) -> None:
    """Bandwidth of the memory; the bare network; the same by the encoder."""
    section = "network"
    memory = torch.empty(2**30 if checks.on_gpu else 2**26, dtype=torch.uint8, device=checks.device)
    other = torch.empty_like(memory)
    checks.bandwidth = 2 * len(memory) / checks.seconds(partial(other.copy_, memory))
    checks.note(section, "memory bandwidth", checks.bandwidth / 1e9, "GB/s")
    del memory, other
    on_cpu = Encoder.load("bundled", device="cpu")
    encoder = Encoder.load("bundled", device=checks.device, backend="torch")
    some = torch.rand(1024 if checks.on_gpu else 32, 3, encoder.recipe.size, encoder.recipe.size)
    there = some.to(checks.device).contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        with torch.inference_mode(), torch.autocast(checks.device, torch.bfloat16, enabled=checks.on_gpu):
            for _ in range(encoder.views):
                encoder.model(there)

    checks.bare = len(some) / checks.seconds(bare)
    rate = len(some) / checks.seconds(lambda: encoder.embed(there))
    checks.note(section, f"bare, {encoder.views} views", checks.bare, "galaxies/s")
    checks.note(section, "Encoder.embed, images on the device", rate, "galaxies/s")
    checks.note(section, "share of the bare network", rate / checks.bare)
    rate = len(some) / checks.seconds(lambda: encoder.embed(some.numpy()))
    checks.note(section, "share of it from arrays of numpy", rate / checks.bare)
    few = some[:32]
    cosine = torch.cosine_similarity(encoder.embed(few).cpu(), on_cpu.embed(few)).min().item()
    checks.check(section, "least cosine to the CPU", cosine, good=cosine >= LEAST_COSINE)


def embed(checks: Checks, kind: str) -> None:
    """Files of pictures to embeddings; many names for few pictures, which all are read and embedded."""
    section = f"embed {kind}"
    (folder := checks.folder / kind).mkdir()
    pictures = write_images(folder, checks.size.pictures)[kind]
    files = []
    for number in range(checks.size.files[kind]):
        picture = Path(pictures[number % len(pictures)])
        files.append(str(folder / f"again{number}{picture.suffix}"))
        os.link(picture, files[-1])
    options = {"images": "file_loc", "embedding_store": False, "progress": False}
    encoder = Encoder.load("bundled", device=checks.device)
    table = Table({"file_loc": files})
    gzr.add_embeddings(table[:256], encoder=encoder, **options)
    start = time.perf_counter()
    result = gzr.add_embeddings(table, encoder=encoder, **options)
    rate = len(table) / (time.perf_counter() - start)
    checks.note(section, "add_embeddings", rate, "galaxies/s")
    checks.note(section, "share of the bare network", rate / checks.bare)
    on_cpu = gzr.add_embeddings(
        table[: len(pictures)], encoder=Encoder.load("bundled", device="cpu"), **options
    )
    exact = np.tile(np.asarray(on_cpu["embedding"]), (len(files) // len(pictures), 1))
    cosine = cosines(np.asarray(result["embedding"])[: len(exact)], exact).min()
    checks.check(section, "least cosine to the CPU", cosine, good=cosine >= LEAST_COSINE)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine of each row with the same row of the other."""
    return np.vecdot(one, other) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def search(checks: Checks) -> None:
    """Exact neighbours, many queries at once and one alone; truth by brute force."""
    section, size = "exact search", checks.size
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((size.vectors, 64), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:: size.vectors // size.queries][: size.queries] + np.float32(0.05)
    index = SimilarityIndex.build(vectors, method="exact", device=checks.device)
    found = index.search(queries, n=10)
    took = checks.seconds(lambda: index.search(queries, n=10))
    alone = checks.seconds(lambda: index.search(queries[:1], n=10))
    checks.note(section, f"queries of {size.vectors:.0e} vectors, batched", len(queries) / took, "/s")
    checks.note(section, "one query alone", 1e3 * alone, "ms")
    checks.note(section, "one query alone, share of the bandwidth", vectors.nbytes / alone / checks.bandwidth)
    few = queries[:32] / np.linalg.norm(queries[:32], axis=1, keepdims=True)
    scores = np.concatenate([few @ part.T for part in np.array_split(vectors, 20)], axis=1)
    truth = np.argpartition(-scores, 10, axis=1)[:, :10]
    ids = np.asarray(found["id"] if "id" in found.colnames else found["row"]).reshape(len(queries), 10)
    recall = np.mean([np.isin(truth[one], ids[one]).mean() for one in range(len(few))])
    checks.check(section, "recall at 10 of the CPU's neighbours", recall, good=recall >= LEAST_RECALL)


def rings(n: int, side: int = 96) -> tuple[Table, np.ndarray]:
    """Votes for ringed and plain galaxies, and their pictures, uint8 of shape (n, side, side, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    ring = rng.random(n) < 0.5
    shapes = np.exp(-(((np.hypot(x, y) - np.linspace(0.3, 0.6, 16)[:, None, None]) / 0.12) ** 2))
    plain = np.exp(-np.hypot(x, y) / np.linspace(0.15, 0.4, 16)[:, None, None])
    noise = rng.integers(0, 120, (64, side, side, 3), dtype=np.uint8)
    images = noise[rng.integers(64, size=n)]
    for row in range(n):
        images[row] += (80 * (shapes if ring[row] else plain)[row % 16]).astype(np.uint8)[..., None]
    yes = rng.binomial(20, np.where(ring, 0.9, 0.1))
    return Table({"ring": ring.astype(int), "ring_yes": yes, "ring_no": 20 - yes}), images


def pretraining(checks: Checks) -> None:
    """One epoch from an untrained network, beside bare steps of the same network; losses by both devices."""
    section, size = "pretraining", checks.size
    table, images = rings(size.pretrained)
    options = {"schema": "gz_rings", "recipe": ImageRecipe(size=80, crop=0.9), "progress": False, "epochs": 1}
    options |= {"architecture": "mobilenetv4_conv_small", "batch_size": 256 if checks.on_gpu else 32}
    spent: list[float] = []

    def rendered(rows: np.ndarray, device: torch.device) -> torch.Tensor:
        spent.append(time.perf_counter())
        return torch.from_numpy(images[rows]).to(device, non_blocking=True).permute(0, 3, 1, 2)

    gzr.pretrain(table, images=rendered, device=checks.device, **options)
    # A tenth of them only judge, by a pass that costs a third.
    rate = len(table) / (spent[-1] - spent[0])
    checks.note(section, "an epoch with its validation", rate, "images/s")
    bare = bare_steps(checks, options["architecture"], options["batch_size"], options["recipe"].size)
    checks.note(section, "share of bare steps of the network", rate / bare)
    few = {**options, "images": images[:192], "epochs": 4, "batch_size": 32, "ema_decay": 0.9}
    both = [gzr.pretrain(table[:192], device=one, **few) for one in (checks.device, "cpu")]
    losses = [one.card["validation"]["loss"] for one in both]
    checks.note(section, "loss of a short run on the CPU", losses[1])
    ratio = losses[0] / losses[1]
    checks.check(section, "loss on the device beside it (other random views)", ratio, good=0.7 < ratio < 1.4)


def bare_steps(checks: Checks, architecture: str, batch_size: int, side: int) -> float:
    """Images a second that a network learns from, when nothing is read, augmented or kept."""
    import timm

    model = timm.create_model(architecture, num_classes=2).to(
        checks.device, memory_format=torch.channels_last
    )
    optimizer = torch.optim.AdamW(model.parameters())
    images = torch.rand(batch_size, 3, side, side, device=checks.device)
    images = images.contiguous(memory_format=torch.channels_last)
    steps = 20 if checks.on_gpu else 2

    def learn() -> None:
        for _ in range(steps):
            with torch.autocast(checks.device, torch.bfloat16, enabled=checks.on_gpu):
                loss = model(images).float().square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return steps * batch_size / checks.seconds(learn)


def tuning(checks: Checks) -> None:
    """Fine-tune all blocks of the bundled encoder, on many images, and on a few by both devices."""
    section, size = "fine-tuning", checks.size
    table, images = rings(size.tuned, side=140)

    def losses(device: str, rows: int) -> list[float]:
        encoder, pictures = Encoder.load("bundled", device=device), images[:rows]
        given = {"images": pictures, "encoder": encoder, "progress": False}
        part = gzr.add_embeddings(table["ring",][:rows], embedding_store=False, **given)
        model = gzr.finetune(
            part, "ring", depth="all", task="binary", members=2, epochs=2, patience=2, **given
        )
        return model.encoder.card["held_out_loss"]

    few = min(96, size.tuned)
    ours, exact = losses(checks.device, few), losses("cpu", few)
    checks.note(section, "held-out loss before training, on the CPU", exact[0])
    checks.note(section, "best held-out loss, on the CPU", min(exact))
    for what, apart in (("before training", ours[0] - exact[0]), ("at best", min(ours) - min(exact))):
        checks.check(
            section, f"held-out loss {what}, less that of the CPU", apart, good=abs(apart) < TOLERANCE
        )
    if size.tuned > few:
        start = time.perf_counter()
        losses(checks.device, size.tuned)
        took = time.perf_counter() - start
        checks.note(section, f"{size.tuned} images, 2 epochs, with embedding before and after", took, "s")


# Sections with the seconds that each may take.
SECTIONS = {
    "network": (network, 60),
    "embed jpeg": (lambda checks: embed(checks, "jpeg"), 90),
    "embed fits": (lambda checks: embed(checks, "fits"), 90),
    "exact search": (search, 90),
    "pretraining": (pretraining, 90),
    "fine-tuning": (tuning, 60),
}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise a `TimeoutError` in what takes longer."""

    def ring(number: int, frame: object) -> None:
        raise TimeoutError(f"more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(checks: Checks, names: list[str], *, patience: float, keep: Callable[[], None]) -> None:
    """Run sections one after the other; `keep` is called after each."""
    for name in names:
        section, seconds = SECTIONS[name]
        print(f"\n{name}", flush=True)
        start = time.perf_counter()
        try:
            with at_most(seconds * patience):
                section(checks)
        except Exception as error:  # whatever it is, the other sections are worth their time
            checks.wrong.append(f"{name}: {type(error).__name__}: {error}")
            checks.figures.setdefault(name, {})["error"] = traceback.format_exc()
            print(f"  FAILED: {type(error).__name__}: {error}", flush=True)
        checks.figures.setdefault(name, {})["seconds"] = time.perf_counter() - start
        keep()


def main() -> None:
    """Run all sections, and end with 1 if one of them failed or found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a little of everything, on a CPU")
    parser.add_argument("--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument(
        "--json", type=Path, help="file, or folder of files by commit, to write the figures into"
    )
    options = parser.parse_args()
    device = "cpu" if options.small else "cuda"
    if not options.small and not torch.cuda.is_available():
        sys.exit("there is no CUDA GPU here; --small runs a little of everything on a CPU")
    about = {**here(), "torch": torch.__version__, "device": device}
    if not options.small:
        about |= {"device": torch.cuda.get_device_name(), "gpus": torch.cuda.device_count()}
    print(json.dumps(about))
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(device, SMALL if options.small else FULL, Path(folder))

        def keep() -> None:
            write_json(options.json, {"wrong": checks.wrong, **checks.figures}, about, told=False)

        run(checks, options.sections, patience=4 if options.small else 1, keep=keep)
    write_json(options.json, {"wrong": checks.wrong, **checks.figures}, about)
    print("\nall is as on the CPU" if not checks.wrong else "\n" + "\n".join(["WRONG", *checks.wrong]))
    sys.exit(bool(checks.wrong))


if __name__ == "__main__":
    main()
