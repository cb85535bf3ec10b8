"""How fast images are read and embedded, against the plain way: ``python benchmarks/embedding.py``.

All ways of one comparison take turns in the same process, so that the ratios mean something on a busy machine
too. The images are made on the spot.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galzoo_repr import Encoder, ImageRecipe, add_embeddings
from galzoo_repr.encoders import list_encoders
from galzoo_repr.images import galaxy_zoo_stretch, read_image


def compare(ways: dict[str, Callable[[], object]], *, rounds: int, per_round: int) -> dict[str, float]:
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


def show(title: str, rates: dict[str, float]) -> None:
    """Print rates beside their ratio to the first one."""
    print(f"\n{title}")
    base = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"  {name:<44}{rate:>10.1f} /s {rate / base:>8.2f} x")


def fits_files(folder: Path, n: int, size: int) -> list[Path]:
    """Write cutouts as the viewer sends them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    paths = []
    for row in range(n):
        planes = np.array([0.5, 1.0, 1.8])[:, None, None] * np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / 8)
        unit = fits.PrimaryHDU((planes + rng.normal(0, 0.01, planes.shape)).astype(np.float32))
        unit.header["BANDS"] = "grz"
        paths.append(folder / f"{row}.fits")
        unit.writeto(paths[-1])
    return paths


def compare_readers(paths: list[Path], rounds: int) -> None:
    """Read FITS cutouts with astropy and with the package."""

    def with_astropy() -> list:
        images = []
        for path in paths:
            with fits.open(path) as units:
                images.append(np.nan_to_num(units[0].data.astype(np.float32)))
        return images

    for ours, theirs in zip([read_image(path).pixels for path in paths], with_astropy(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ways = {"astropy": with_astropy, "galzoo_repr": lambda: [read_image(path) for path in paths]}
    show("FITS to array, checked", compare(ways, rounds=rounds, per_round=len(paths)))


def compare_stretches(rounds: int) -> None:
    """Galaxy Zoo stretch: torch's own asinh in place of the form used."""
    flux = torch.randn(8, 3, 256, 256) * 0.1

    def with_asinh() -> torch.Tensor:
        colour = torch.asinh(flux.flip(1) / torch.tensor([0.019, 0.014, 0.008]).view(1, 3, 1, 1)) / 7
        mean = colour.mean(1, keepdim=True)
        weight = torch.sin((1 - (colour / mean).amax(1, keepdim=True) / 2.5) * torch.pi / 2)
        return (weight * colour + (1 - weight) * mean + (1 - weight) ** 2 * mean * colour).clamp(0, 1)

    ways = {"torch.asinh": with_asinh, "galzoo_repr": lambda: galaxy_zoo_stretch(flux)}
    show("stretch of 3 x 256 x 256", compare(ways, rounds=rounds, per_round=8))


def compare_forwards(architecture: str, size: int, rounds: int) -> None:
    """Encode prepared images, by the default and by a loop over batches of 32."""
    plain = timm.create_model(architecture, num_classes=0).eval()
    encoder = Encoder(
        timm.create_model(architecture, num_classes=0), ImageRecipe(size=size), name=architecture
    )
    encoder.model.load_state_dict(plain.state_dict())
    plain.to(encoder.device)
    images = torch.rand(64, 3, size, size)

    def batches_of_32() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([plain(chunk.to(encoder.device)).cpu() for chunk in images.split(32)])

    ways = {"plain loop, batch 32": batches_of_32, "Encoder.embed": lambda: encoder.embed(images).cpu()}
    rates = compare(ways, rounds=rounds, per_round=len(images))
    show(f"{architecture} at {size} px on {encoder.device}", rates)


def compare_streams(paths: list[Path], encoder: Encoder, rounds: int) -> None:
    """From files to embeddings: one after another, as a stream, and a second time."""
    table = Table({"file_loc": [str(path) for path in paths]})

    def one_by_one() -> list:
        images = [read_image(path) for path in paths]
        return [encoder.embed(encoder.recipe.prepare([image])).cpu() for image in images]

    with tempfile.TemporaryDirectory() as folder:
        options = {"encoder": encoder, "images": "file_loc", "progress": False}
        add_embeddings(table, **options, embedding_store=folder)
        ways = {
            "one by one": one_by_one,
            "add_embeddings": lambda: add_embeddings(table, **options, embedding_store=False),
            "add_embeddings, all kept before": lambda: add_embeddings(
                table, **options, embedding_store=folder
            ),
        }
        show("files to embeddings", compare(ways, rounds=rounds, per_round=len(paths)))


def compare_colour_readers(rounds: int) -> None:
    """Decode JPEG with Pillow alone and with the package's checks."""
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((256, 256)).save(buffer, "JPEG", quality=90)
    content = buffer.getvalue()
    ways = {
        "Pillow": lambda: [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for _ in range(32)],
        "galzoo_repr": lambda: [read_image(content) for _ in range(32)],
    }
    show("JPEG of 256 x 256 to array, checked", compare(ways, rounds=rounds, per_round=32))


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice when not given")
    parser.add_argument(
        "--networks", nargs="*", default=["mobilenetv4_conv_small:128", "efficientnet_b0:224"]
    )
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        paths = fits_files(Path(folder), 64, 256)
        compare_readers(paths, options.rounds)
        compare_colour_readers(options.rounds)
        compare_stretches(options.rounds)
        for network in options.networks:
            architecture, size = network.split(":")
            compare_forwards(architecture, int(size), options.rounds)
        if "bundled" in list_encoders()["name"]:
            compare_streams(paths, Encoder.load("bundled"), options.rounds)


if __name__ == "__main__":
    main()
