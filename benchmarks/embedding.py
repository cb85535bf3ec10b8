"""How fast images are read, prepared and embedded on this CPU: ``python benchmarks/embedding.py``.

Everything that is compared takes turns in one process, so that the ratios mean something on a busy machine too. The
bound of a run is the cores divided by the core-seconds that reading, preparing and encoding an image take when each
runs alone in one thread: no arrangement of the same stages can be faster. The peer is a ``DataLoader`` of torch with
Pillow and torchvision in front of the same network in torch, at the number of workers at which it is fastest. The
images are made on the spot.
"""

import argparse
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2 as transforms

from galzoo_repr import Encoder, add_embeddings
from galzoo_repr._threads import one_thread
from galzoo_repr.images import galaxy_zoo_stretch, read_image

SIDE = 424


def compare(ways: dict[str, Callable[[], object]], rounds: int, per_round: int) -> dict[str, float]:
    """Median items per second of each way; the ways take turns."""
    seconds = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: per_round / statistics.median(times) for name, times in seconds.items()}


def show(title: str, rates: dict[str, float]) -> dict[str, float]:
    """Print rates beside their ratio to the first one."""
    print(f"\n{title}")
    base = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"  {name:<52}{rate:>10.1f} /s {rate / base:>8.2f} x", flush=True)
    return rates


def write_images(folder: Path, n: int) -> dict[str, list[str]]:
    """Write cutouts as the viewer sends them, as FITS and as JPEG."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    files = {"jpeg": [], "fits": []}
    for row in range(n):
        planes = np.array([0.5, 1.0, 1.8])[:, None, None] * np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / 12)
        planes = (planes + rng.normal(0, 0.01, planes.shape)).astype(np.float32)
        unit = fits.PrimaryHDU(planes)
        unit.header["BANDS"] = "grz"
        files["fits"].append(str(folder / f"{row}.fits"))
        unit.writeto(files["fits"][-1])
        colours = (255 * galaxy_zoo_stretch(planes[None])[0]).astype(np.uint8)
        files["jpeg"].append(str(folder / f"{row}.jpg"))
        Image.fromarray(colours.transpose(1, 2, 0)[::-1]).save(files["jpeg"][-1], quality=90)
    return files


def compare_parts(files: dict[str, list[str]], rounds: int) -> dict[str, dict]:
    """Read a picture and stretch it, beside the plain ways to do so."""
    contents = [Path(path).read_bytes() for path in files["jpeg"][:32]]
    flux = torch.randn(1, 3, SIDE, SIDE) * 0.1

    def by_astropy() -> None:
        for path in files["fits"][:32]:
            with fits.open(path) as units:
                np.nan_to_num(units[0].data.astype(np.float32))

    return {
        "fits": show(
            "FITS to array",
            compare(
                {
                    "astropy": by_astropy,
                    "read_image": lambda: [read_image(path) for path in files["fits"][:32]],
                },
                rounds,
                32,
            ),
        ),
        "jpeg": show(
            "JPEG to array",
            compare(
                {
                    "Pillow": lambda: [
                        np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in contents
                    ],
                    "read_image": lambda: [read_image(one) for one in contents],
                },
                rounds,
                32,
            ),
        ),
        "stretch": show(
            f"stretch of 3 x {SIDE} x {SIDE}",
            compare(
                {
                    "torch.asinh alone": lambda: torch.asinh(flux),
                    "galaxy_zoo_stretch, tensor": lambda: galaxy_zoo_stretch(flux),
                    "galaxy_zoo_stretch, array": lambda: galaxy_zoo_stretch(flux.numpy()),
                },
                5 * rounds,
                1,
            ),
        ),
    }


def compare_forwards(encoder: Encoder, by_torch: Encoder, rounds: int) -> dict[str, float]:
    """All views of prepared images through the network."""
    size = encoder.recipe.size
    images = torch.rand(64, 3, size, size)
    plain = by_torch.model

    def batches_of_32() -> None:
        with torch.inference_mode():
            for chunk in images.repeat(by_torch.views, 1, 1, 1).split(32):
                plain(chunk.contiguous(memory_format=torch.channels_last))

    ways = {
        "torch, channels last, batches of 32": batches_of_32,
        "Encoder.embed, torch": lambda: by_torch.embed(images),
        f"Encoder.embed, {encoder.backend}": lambda: encoder.embed(images),
    }
    return show(f"network of {encoder.name}, {encoder.views} views", compare(ways, rounds, len(images)))


class _Pictures(Dataset):
    """Pictures for a `DataLoader`, cropped and resized as the recipe has it."""

    def __init__(self, paths: list[str], encoder: Encoder) -> None:
        recipe = encoder.recipe
        self.paths = paths
        self.transform = transforms.Compose(
            [
                transforms.CenterCrop(round(SIDE * recipe.crop)),
                transforms.Resize(recipe.size, transforms.InterpolationMode.BICUBIC, antialias=True),
                transforms.PILToTensor(),
                transforms.ToDtype(torch.float32, scale=True),
                transforms.Normalize(recipe.mean, recipe.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.transform(Image.open(self.paths[row]).convert("RGB"))


def by_data_loader(paths: list[str], encoder: Encoder, workers: int) -> None:
    """Embed pictures as one would without this package."""
    loader = DataLoader(_Pictures(paths, encoder), batch_size=32, num_workers=workers)
    with torch.inference_mode():
        for images in loader:
            views = torch.cat([torch.rot90(images, turn, (-2, -1)) for turn in range(encoder.views)])
            encoder.model(views.contiguous(memory_format=torch.channels_last))


def seconds_of_stages(paths: list[str], encoder: Encoder, rounds: int) -> dict[str, float]:
    """Core-seconds per image of each stage, alone, in one thread."""
    some = paths[:32]
    images = [read_image(path) for path in some]
    prepared = encoder.recipe.prepare(images)
    stages = {
        "read": lambda: [read_image(path) for path in some],
        "prepare": lambda: [encoder.recipe.prepare([image]) for image in images],
        "encode": lambda: encoder.embed(prepared, threads=1),
    }
    found = {}
    with one_thread():
        for name, stage in stages.items():
            times = []
            for _ in range(rounds + 1):
                start = time.process_time()
                stage()
                times.append(time.process_time() - start)
            found[name] = min(times) / len(some)
    return found


def compare_streams(
    kind: str, paths: list[str], encoder: Encoder, by_torch: Encoder, rounds: int
) -> dict[str, float]:
    """From files to embeddings."""
    table = Table({"file_loc": paths})
    options = {"images": "file_loc", "progress": False}
    stages = seconds_of_stages(paths, encoder, rounds)
    bound = len(os.sched_getaffinity(0)) / sum(stages.values())
    with tempfile.TemporaryDirectory() as folder:
        add_embeddings(table, encoder=encoder, embedding_store=folder, **options)
        ways = {
            "add_embeddings": lambda: add_embeddings(
                table, encoder=encoder, embedding_store=False, **options
            ),
            "add_embeddings, torch": lambda: add_embeddings(
                table, encoder=by_torch, embedding_store=False, **options
            ),
            "add_embeddings, all kept before": lambda: add_embeddings(
                table, encoder=encoder, embedding_store=folder, **options
            ),
        }
        if kind == "jpeg":
            for workers in sorted({0, 1, len(os.sched_getaffinity(0))}):
                ways[f"DataLoader, {workers} workers"] = lambda workers=workers: by_data_loader(
                    paths, by_torch, workers
                )
        rates = compare(ways, rounds, len(paths))
    told = ", ".join(f"{name} {1000 * seconds:.2f} ms" for name, seconds in stages.items())
    show(f"{kind} files to embeddings; alone, each image takes: {told}", rates)
    print(f"  {'bound by the stages':<52}{bound:>10.1f} /s {bound / rates['add_embeddings']:>8.2f} x")
    print(f"  reached: {rates['add_embeddings'] / bound:.2f} of the bound", flush=True)
    return {**rates, "bound": bound, **{f"ms to {name}": 1000 * one for name, one in stages.items()}}


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--json", type=Path, help="file to write the rates into")
    options = parser.parse_args()
    encoder = Encoder.load(options.encoder, device="cpu").accelerate()
    by_torch = Encoder.load(options.encoder, device="cpu", backend="torch")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        files = write_images(Path(folder), options.images)
        rates = compare_parts(files, options.rounds)
        rates["forward"] = compare_forwards(encoder, by_torch, options.rounds)
        for kind, paths in files.items():
            rates[f"{kind} stream"] = compare_streams(kind, paths, encoder, by_torch, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(rates, indent=2))


if __name__ == "__main__":
    main()
