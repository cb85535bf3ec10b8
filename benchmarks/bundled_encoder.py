"""Make the bundled encoder again: ``python benchmarks/bundled_encoder.py --work FOLDER``.

Simulated galaxies with the votes of simulated volunteers, and real SDSS galaxies with published labels as partial
votes, train one network to answer the questions of four Galaxy Zoo projects. Interrupted, it goes on where it was
when called again. The real galaxies of ``decals_rings`` and ``gz2_votes`` are never used, nor any SDSS image that may
show one of the latter.
"""

import argparse
import subprocess
from concurrent.futures import ProcessPoolExecutor
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
RECIPE = ImageRecipe(size=96, crop=0.6)
SCHEMAS = ("gz_decals_dr5", "gz_rings", "gz2", "gz1")
STORED = 0.8  # part of the field of view that is stored: what turned views of the central 0.6 can show
FIELD = 128  # pixels of the stored field
MIX = {
    "smooth": 0.2, "disk": 0.13, "spiral": 0.21, "ring": 0.12, "edge_on": 0.1,
    "merger": 0.1, "irregular": 0.08, "lens": 0.02, "artifact": 0.04,
}  # fmt: skip
SDSS_SHARE = 0.35
CHUNK = 1000
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


def simulate(chunk: int, *, seed: int) -> tuple[np.ndarray, Table]:
    """`CHUNK` galaxies as two surveys would show them: uint8 images, and what is true of them."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + chunk)
    images, truths = np.empty((CHUNK, 3, FIELD, FIELD), np.uint8), []

    def scatter(dex: float) -> torch.Tensor:
        return 10 ** (dex * torch.randn(n, generator=generator))

    for start in range(0, CHUNK, 50):
        n = min(50, CHUNK - start)
        galaxies = draw_galaxies(n, generator, mix=MIX)
        truth = Table([*light_columns(galaxies), *truth_columns(galaxies)])
        r50, r90 = (torch.from_numpy(np.array(truth[f"petro_th{x}"], np.float32)) for x in (50, 90))
        fov = 424 * torch.minimum(0.04 * r50, 0.02 * r90).clamp(min=0.1) * scatter(0.05)
        scale = fov * STORED / FIELD
        offsets = 0.08 * r50 * torch.randn(2, n, generator=generator)
        sdss = torch.rand(n, generator=generator) < SDSS_SHARE
        truth["seeing"] = (torch.where(sdss, 1.35, 1.2) * scatter(0.08)).numpy()
        truth["depth"] = (torch.where(sdss, 4.0, 1.0) * scatter(0.18)).numpy()
        image = render_galaxies(
            galaxies, size=FIELD, pixel_scale=scale, x_offset=offsets[0], y_offset=offsets[1]
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


def simulated_galaxies(work: Path, n: int, *, seed: int, workers: int) -> tuple[np.ndarray, Table]:
    """Render what is not there yet, chunk by chunk, and let volunteers vote on all of it."""
    chunks = -(-n // CHUNK)
    path, done = work / f"simulated-{seed}.npy", work / f"chunks-{seed}"
    done.mkdir(parents=True, exist_ok=True)
    shape = (chunks * CHUNK, 3, FIELD, FIELD)
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        pixels = np.lib.format.open_memmap(path, "r+")
    else:
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    missing = [i for i in range(chunks) if not (done / f"{i}.ecsv").exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(partial(simulate, seed=seed), missing)
        for i, (images, truth) in zip(missing, tqdm(made, total=len(missing), desc="render"), strict=True):
            pixels[i * CHUNK : (i + 1) * CHUNK] = images
            pixels.flush()
            truth.write(done / "part", format="ascii.ecsv", overwrite=True)
            (done / "part").rename(done / f"{i}.ecsv")
    truth = vstack([Table.read(done / f"{i}.ecsv") for i in range(chunks)], metadata_conflicts="silent")
    votes = volunteer_votes(truth, Schema.load(list(SCHEMAS)), seed=seed, seeing="seeing", depth="depth")
    return pixels, votes


def real_galaxies(work: Path) -> tuple[np.ndarray, Table]:
    """SDSS galaxies with weak labels, and DECaLS galaxies without, at the pixels of the simulated ones."""
    sdss = read_set("sdss_galaxy_zoo", work)
    sdss["validation"] = is_validation(sdss["file"])
    tested = like_test_images(list(sdss["file_loc"]), list(read_set("gz2_votes", work)["file_loc"]))
    labels = sdss_labels(sdss)
    number = {label: (labels == label).sum() for label in np.unique(labels)}
    sdss["weight"] = np.where(tested, 0.0, [number[label] ** -0.5 for label in labels])
    table = hstack([sdss["file_loc", "validation", "weight"], weak_votes(sdss)])
    table = table[~tested & (labels != "")]
    pixels = np.empty((len(table), 3, FIELD, FIELD), np.uint8)
    for i, file in enumerate(table["file_loc"]):
        with Image.open(file) as image:
            margin = 0.5 * image.width * (1 - STORED)
            box = (margin, margin, image.width - margin, image.height - margin)
            stored = image.convert("RGB").resize((FIELD, FIELD), Image.Resampling.LANCZOS, box=box)
        pixels[i] = np.asarray(stored).transpose(2, 0, 1)
    return pixels, table


class Fields:
    """Whole fields of simulated and real galaxies, what was not stored filled by reflection."""

    def __init__(self, simulated: np.ndarray, real: np.ndarray) -> None:
        self.simulated, self.real = simulated, torch.from_numpy(real)

    def __call__(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        first = len(self.simulated)
        stored = torch.empty((len(rows), 3, FIELD, FIELD), dtype=torch.uint8)
        for i, row in enumerate(rows):
            stored[i] = torch.from_numpy(self.simulated[row]) if row < first else self.real[row - first]
        margin = round(FIELD * (1 / STORED - 1) / 2)
        mirrored = torch.from_numpy(np.pad(np.arange(FIELD), margin, mode="reflect"))
        return stored[:, :, mirrored][..., mirrored].to(device)


def training_table(
    work: Path, galaxies: int, *, real_share: float, seed: int, workers: int
) -> tuple[Table, Fields]:
    """All galaxies with their votes, how often to show them, which to hold out, and their images."""
    pixels, simulated = simulated_galaxies(work, galaxies, seed=seed, workers=workers)
    real_pixels, real = real_galaxies(work / "real")
    simulated["weight"] = (1 - real_share) / len(simulated)
    simulated["validation"] = np.arange(len(simulated)) % 50 == 0
    real["weight"] *= real_share / real["weight"][~real["validation"]].sum()
    table = vstack([simulated, real], metadata_conflicts="silent")
    table["validation"] = np.ma.filled(table["validation"], False).astype(bool)
    return table, Fields(pixels, real_pixels)


def train(
    table: Table, images: Fields, output: Path, *, schema: object, epochs: int, epoch_size: int, seed: int
) -> Encoder:
    """One network on the questions of `schema`."""
    return pretrain(
        table,
        schema=schema,
        architecture=ARCHITECTURE,
        images=images,
        recipe=RECIPE,
        epochs=epochs,
        epoch_size=epoch_size,
        batch_size=128,
        learning_rate=2e-3,
        augmentation=AUGMENTATION,
        validation="validation",
        sampling_weight="weight",
        patience=epochs,
        seed=seed,
        output=output,
        name="bundled",
        licence="BSD-3-Clause",
    )


def about(options: argparse.Namespace, table: Table) -> dict:
    """What the card says of data and recipe, beyond what `pretrain` writes."""
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return {
        "made_by": "benchmarks/bundled_encoder.py",
        "commit": commit.stdout.strip(),
        "seed": options.seed,
        "data": {
            "simulated": f"{options.galaxies} galaxies of SimulatedSurvey's kinds, votes of simulated volunteers",
            "real": f"{len(table) - options.galaxies} SDSS galaxies with Galaxy Zoo 1 classes or the largest Galaxy "
            "Zoo 2 vote fraction as partial votes; three in ten held out",
            "real_share": options.real_share,
            "not_used": "decals_rings, gz2_votes, and SDSS images that may show a galaxy of the latter",
        },
        "limits": [
            "Small network, trained for under an hour on one core: bars, arm counts and winding are read poorly.",
            "Trained on bright, nearby galaxies (r < 18, half-light radius above 1.8 arcsec) that fill about a "
            "seventeenth of their Galaxy Zoo DECaLS field of view; others are outside what it has seen.",
        ],
    }


def main() -> None:
    """Train, and write the encoder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of images and of the run")
    parser.add_argument("--galaxies", type=int, default=120_000, help="simulated galaxies")
    parser.add_argument("--epochs", type=int, default=28)
    parser.add_argument("--epoch-size", type=int, default=25_600, help="images in an epoch")
    parser.add_argument("--real-share", type=float, default=0.35, help="share of real galaxies in a batch")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--views", type=int, default=1, help="views averaged by the encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the encoder to")
    options = parser.parse_args()
    table, images = training_table(
        options.work,
        options.galaxies,
        real_share=options.real_share,
        seed=options.seed,
        workers=options.workers,
    )
    encoder = train(
        table,
        images,
        options.work / "run",
        schema=list(SCHEMAS),
        epochs=options.epochs,
        epoch_size=options.epoch_size,
        seed=options.seed,
    )
    encoder.views = options.views
    encoder.card |= about(options, table)
    encoder.save(options.out, overwrite=True, half_precision=True)
    print(Encoder.load(options.out))


if __name__ == "__main__":
    main()
