"""Make the bundled encoder again: ``python benchmarks/bundled_encoder.py --work FOLDER``.

Simulated galaxies with the votes of simulated volunteers, and real SDSS galaxies with published labels as partial
votes, train one network to answer the questions of four Galaxy Zoo projects. Interrupted, it goes on where it was
when called again. The real galaxies of ``decals_rings`` and ``gz2_votes`` are never used, nor any SDSS image that may
show one of the latter.
"""

import argparse
import subprocess
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table, hstack, vstack
from PIL import Image
from real_galaxies import is_validation, like_test_images, read_set, sdss_labels, weak_votes
from tqdm import tqdm

from galzoo_repr import Encoder, ImageRecipe, Schema, pretrain
from galzoo_repr.images import galaxy_zoo_stretch
from galzoo_repr.pretraining import Augmentation
from galzoo_repr.simulation import (
    add_field_objects,
    add_noise,
    apply_defects,
    blur,
    draw_galaxies,
    render_galaxies,
    volunteer_votes,
)
from galzoo_repr.simulation._truth import light_columns, truth_columns

ARCHITECTURE = "mobilenetv4_conv_small"
SCHEMAS = ("gz_decals_dr5", "gz_rings", "gz2", "gz1")
SDSS_SHARE = 0.35
CHUNK = 1000
EPOCH_SIZE = 25_600


@dataclass(frozen=True)
class Stage:
    """What a stage of the training shows: first whole galaxies, then their structure at a larger scale."""

    name: str
    recipe: ImageRecipe
    stored: float  # part of the field of view that is stored, for turned views of its centre
    pixels: int  # of the stored field
    mix: Mapping[str, float]
    volunteers: tuple[int, int]
    real_share: float  # of a batch
    galaxies: int
    epochs: int


FIRST = Stage(
    name="first",
    recipe=ImageRecipe(size=96, crop=0.6),
    stored=0.8,
    pixels=128,
    mix={
        "smooth": 0.2, "disk": 0.13, "spiral": 0.21, "ring": 0.12, "edge_on": 0.1,
        "merger": 0.1, "irregular": 0.08, "lens": 0.02, "artifact": 0.04,
    },
    volunteers=(5, 80),
    real_share=0.35,
    galaxies=120_000,
    epochs=9,
)  # fmt: skip
SECOND = Stage(
    name="second",
    recipe=ImageRecipe(size=112, crop=0.5),
    stored=0.66,
    pixels=148,
    mix={
        "smooth": 0.14, "disk": 0.16, "spiral": 0.24, "ring": 0.17, "edge_on": 0.08,
        "merger": 0.1, "irregular": 0.06, "lens": 0.02, "artifact": 0.03,
    },
    volunteers=(20, 80),
    real_share=0.3,
    galaxies=90_000,
    epochs=17,
)  # fmt: skip
AUGMENTATION = Augmentation(
    zoom=(0.8, 1.25), shift=0.04, blur=0.8, noise=0.04, brightness=0.3, colour=0.15, greyscale=0.3
)


def sdss_colours(bands: torch.Tensor) -> torch.Tensor:
    """Colours about as the SDSS navigator shows them: arcsinh of Lupton et al. 2004 (PASP 116, 133), z for its i."""
    flux = bands * (0.396 / 0.262) ** 2 * 0.2  # of nanomaggies in an SDSS pixel
    rgb = torch.stack([flux[:, 2] * 5.0, flux[:, 1] * 6.2, flux[:, 0] * 9.0], 1)
    mean = rgb.mean(1, keepdim=True).clamp(min=1e-4)
    rgb = rgb * torch.asinh(2.25 * mean) / (2.25 * mean)
    return (rgb / rgb.amax(1, keepdim=True).clamp(min=1)).clamp(0, 1)


def simulate(chunk: int, *, stage: Stage, seed: int) -> tuple[np.ndarray, Table]:
    """`CHUNK` galaxies as two surveys would show them: uint8 images, and what is true of them."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    images, truths = np.empty((CHUNK, 3, stage.pixels, stage.pixels), np.uint8), []

    def scatter(dex: float) -> torch.Tensor:
        return 10 ** (dex * torch.randn(n, generator=generator))

    for start in range(0, CHUNK, 50):
        n = min(50, CHUNK - start)
        galaxies = draw_galaxies(n, generator, mix=stage.mix)
        truth = Table([*light_columns(galaxies), *truth_columns(galaxies)])
        r50, r90 = (torch.from_numpy(np.array(truth[f"petro_th{x}"], np.float32)) for x in (50, 90))
        fov = 424 * torch.minimum(0.04 * r50, 0.02 * r90).clamp(min=0.1) * scatter(0.05)
        scale = fov * stage.stored / stage.pixels
        offsets = 0.08 * r50 * torch.randn(2, n, generator=generator)
        sdss = torch.rand(n, generator=generator) < SDSS_SHARE
        truth["seeing"] = (torch.where(sdss, 1.35, 1.2) * scatter(0.08)).numpy()
        truth["depth"] = (torch.where(sdss, 4.0, 1.0) * scatter(0.18)).numpy()
        image = render_galaxies(
            galaxies, size=stage.pixels, pixel_scale=scale, x_offset=offsets[0], y_offset=offsets[1]
        )
        density = float(14 * 10 ** (0.25 * torch.randn(1, generator=generator)))
        add_field_objects(image, generator, pixel_scale=scale, avoid=1.3 * r50, density=density)
        image = blur(image, torch.from_numpy(np.array(truth["seeing"])), pixel_scale=scale)
        image = add_noise(
            image, generator, pixel_scale=scale, depth=torch.from_numpy(np.array(truth["depth"]))
        )
        image = apply_defects(image, galaxies, pixel_scale=scale)
        image = image / (scale / 0.262).view(-1, 1, 1, 1) ** 2 * scatter(0.06).view(-1, 1, 1, 1)
        colours = torch.where(sdss.view(-1, 1, 1, 1), sdss_colours(image), galaxy_zoo_stretch(image))
        images[start : start + n] = (255 * colours).round().to(torch.uint8).numpy()
        truths.append(truth)
    return images, vstack(truths, metadata_conflicts="silent")


def simulated_galaxies(work: Path, stage: Stage, *, seed: int, workers: int) -> tuple[np.ndarray, Table]:
    """Render what is not there yet, chunk by chunk, and let volunteers vote on all of it."""
    chunks = -(-stage.galaxies // CHUNK)
    path, done = work / f"simulated-{seed}.npy", work / f"chunks-{seed}"
    done.mkdir(parents=True, exist_ok=True)
    shape = (chunks * CHUNK, 3, stage.pixels, stage.pixels)
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        pixels = np.lib.format.open_memmap(path, "r+")
    else:
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    missing = [i for i in range(chunks) if not (done / f"{i}.ecsv").exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(partial(simulate, stage=stage, seed=seed), missing)
        for i, (images, truth) in zip(missing, tqdm(made, total=len(missing), desc="render"), strict=True):
            pixels[i * CHUNK : (i + 1) * CHUNK] = images
            pixels.flush()
            truth.write(done / "part", format="ascii.ecsv", overwrite=True)
            (done / "part").rename(done / f"{i}.ecsv")
    truth = vstack([Table.read(done / f"{i}.ecsv") for i in range(chunks)], metadata_conflicts="silent")
    schema = Schema.load(list(SCHEMAS))
    votes = volunteer_votes(
        truth, schema, seed=seed, volunteers=stage.volunteers, seeing="seeing", depth="depth"
    )
    return pixels, votes


def real_galaxies(work: Path, stage: Stage) -> tuple[np.ndarray, Table]:
    """SDSS galaxies with weak labels, at the pixels of the simulated ones."""
    sdss = read_set("sdss_galaxy_zoo", work)
    sdss["validation"] = is_validation(sdss["file"])
    tested = like_test_images(list(sdss["file_loc"]), list(read_set("gz2_votes", work)["file_loc"]))
    labels = sdss_labels(sdss)
    number = {label: (labels == label).sum() for label in np.unique(labels)}
    sdss["weight"] = [number[label] ** -0.5 for label in labels]
    table = hstack([sdss["file_loc", "validation", "weight"], weak_votes(sdss)])
    table = table[~tested & (labels != "")]
    side = (stage.pixels, stage.pixels)
    pixels = np.empty((len(table), 3, *side), np.uint8)
    for i, file in enumerate(table["file_loc"]):
        with Image.open(file) as image:
            margin = 0.5 * image.width * (1 - stage.stored)
            box = (margin, margin, image.width - margin, image.height - margin)
            stored = image.convert("RGB").resize(side, Image.Resampling.LANCZOS, box=box)
        pixels[i] = np.asarray(stored).transpose(2, 0, 1)
    return pixels, table


class Fields:
    """Whole fields of simulated and real galaxies, what was not stored filled by reflection."""

    def __init__(self, simulated: np.ndarray, real: np.ndarray, stored: float) -> None:
        self.simulated, self.real = simulated, torch.from_numpy(real)
        side = simulated.shape[-1]
        margin = round(side * (1 / stored - 1) / 2)
        self.mirrored = torch.from_numpy(np.pad(np.arange(side), margin, mode="reflect"))

    def __call__(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """uint8, shape (len(rows), 3, field, field)."""
        first = len(self.simulated)
        stored = torch.empty((len(rows), *self.simulated.shape[1:]), dtype=torch.uint8)
        for i, row in enumerate(rows):
            stored[i] = torch.from_numpy(self.simulated[row]) if row < first else self.real[row - first]
        return stored[:, :, self.mirrored][..., self.mirrored].to(device)


def training_table(work: Path, stage: Stage, *, seed: int, workers: int) -> tuple[Table, Fields]:
    """All galaxies with their votes, how often to show them, which to hold out, and their images."""
    pixels, simulated = simulated_galaxies(work / stage.name, stage, seed=seed, workers=workers)
    real_pixels, real = real_galaxies(work / "real", stage)
    simulated["weight"] = (1 - stage.real_share) / len(simulated)
    simulated["validation"] = np.arange(len(simulated)) % 50 == 0
    real["weight"] *= stage.real_share / real["weight"][~real["validation"]].sum()
    table = vstack([simulated, real], metadata_conflicts="silent")
    table["validation"] = np.ma.filled(table["validation"], False).astype(bool)
    return table, Fields(pixels, real_pixels, stage.stored)


def train(
    table: Table,
    images: Fields,
    output: Path,
    *,
    stage: Stage,
    schema: object,
    start: Encoder | None,
    seed: int,
) -> Encoder:
    """One stage of a network, on the questions of `schema`."""
    return pretrain(
        table,
        schema=schema,
        architecture=ARCHITECTURE,
        images=images,
        recipe=stage.recipe,
        epochs=stage.epochs,
        epoch_size=EPOCH_SIZE,
        batch_size=128,
        learning_rate=2e-3,
        augmentation=AUGMENTATION,
        validation="validation",
        sampling_weight="weight",
        patience=stage.epochs,
        start=start,
        seed=seed,
        output=output,
        name="bundled",
        licence="BSD-3-Clause",
    )


def about(seed: int, n_real: int) -> dict:
    """What the card says of data and recipe, beyond what `pretrain` writes."""
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return {
        "made_by": "benchmarks/bundled_encoder.py",
        "commit": commit.stdout.strip(),
        "seed": seed,
        "data": {
            "simulated": f"{FIRST.galaxies} and {SECOND.galaxies} galaxies in two stages, votes of simulated "
            "volunteers",
            "real": f"{n_real} SDSS galaxies with Galaxy Zoo 1 classes or the largest Galaxy Zoo 2 vote fraction "
            "as partial votes; three in ten held out",
            "not_used": "decals_rings, gz2_votes, and SDSS images that may show a galaxy of the latter",
        },
        "limits": [
            "A small network, trained for about an hour on one core: arm counts, winding and rings are read poorly.",
            "Trained on bright, nearby galaxies (r < 18, half-light radius above 1.8 arcsec) that fill about a "
            "seventeenth of their Galaxy Zoo DECaLS field of view; others are outside what it has seen.",
        ],
    }


def main() -> None:
    """Train both stages, and write the encoder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of images and of the runs")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--views", type=int, default=1, help="views averaged by the encoder")
    parser.add_argument("--start", help="folder of an encoder, instead of the first stage")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the encoder to")
    options = parser.parse_args()
    encoder = Encoder.load(options.start) if options.start else None
    for stage in (FIRST, SECOND)[bool(options.start) :]:
        table, images = training_table(options.work, stage, seed=options.seed, workers=options.workers)
        encoder = train(
            table,
            images,
            options.work / f"run-{stage.name}",
            stage=stage,
            schema=list(SCHEMAS),
            start=encoder,
            seed=options.seed,
        )
    encoder.views = options.views
    encoder.card |= about(options.seed, len(table) - SECOND.galaxies)
    encoder.save(options.out, overwrite=True, half_precision=True)
    print(Encoder.load(options.out))


if __name__ == "__main__":
    main()
