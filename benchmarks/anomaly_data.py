"""Galaxies among which to look for rare ones: of Galaxy Zoo, and simulated.

What is costly, embeddings and ellipse features, stays in a folder under the digest of the encoder; what was
interrupted goes on at the chunk where it was.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from ellipses import ellipse_features
from real_galaxies import is_validation, read_set, sdss_labels
from tqdm import tqdm

from galzoo_repr import Encoder, add_embeddings
from galzoo_repr.simulation import (
    NATURAL_MIX,
    add_field_objects,
    add_noise,
    blur,
    draw_galaxies,
    light_radii,
    render_galaxies,
)

RARE = ("ring", "merger", "lens")
CHUNK = 100


@dataclass
class Task:
    """
    Galaxies in no particular order, and which of them are interesting.

    `ratings` are what each deserves, from 0 to 5, and `given` what a rater says who errs; where they are not
    named, interesting galaxies deserve a 5, others a 0, and the rater is right. Ellipse features are there where
    there are images and somebody asked for them.
    """

    name: str
    embeddings: np.ndarray
    interesting: np.ndarray
    ellipses: np.ndarray | None = None
    ratings: np.ndarray | None = None
    given: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.ratings is None:
            self.ratings = 5.0 * self.interesting
        if self.given is None:
            self.given = self.ratings
        # Files stand sorted by label, which must not decide between galaxies of equal score.
        order = np.random.default_rng(0).permutation(len(self.interesting))
        for name in ("embeddings", "interesting", "ellipses", "ratings", "given"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name)[order])


def kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array from its file, made first if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, made)
        path.with_suffix(".part").rename(path)
    return np.load(path)


def kept_in_chunks(folder: Path, n: int, make: Callable[[int, int], np.ndarray], name: str) -> np.ndarray:
    """An array of n rows from its folder; ``make(start, stop)`` makes the chunks that are not there."""
    starts = range(0, n, CHUNK)
    return np.concatenate(
        [
            kept(folder / f"{start:07d}.npy", lambda start=start: make(start, min(start + CHUNK, n)))
            for start in tqdm(starts, desc=name, disable=(folder / f"{starts[-1]:07d}.npy").exists())
        ]
    )


def embedded_set(encoder: Encoder, name: str, table: Table, work: Path) -> np.ndarray:
    """Embeddings of all galaxies of one set of real galaxies."""
    return kept_in_chunks(
        work / f"{name}-{encoder.digest[:12]}",
        len(table),
        lambda start, stop: _embed(encoder, table[start:stop]),
        f"embedding {name}",
    )


def real_tasks(encoder: Encoder, work: Path) -> list[Task]:
    """
    Mergers among Galaxy Zoo 1 galaxies, and odd against not odd among Galaxy Zoo 2 galaxies.

    Each twice: among all galaxies, and among those that no training of an encoder of this package saw.
    """
    table = read_set("sdss_galaxy_zoo", work)
    labels, sources = sdss_labels(table), np.array(table["source"]).astype(str)
    chosen = (sources == "smallGZ1_eggochi") | (
        np.char.startswith(sources, "kaggle") & np.isin(labels, ["odd_yes", "odd_no"])
    )
    embeddings = embedded_set(encoder, "sdss_galaxy_zoo", table, work)[chosen]
    table, labels, sources = table[chosen], labels[chosen], sources[chosen]
    ellipses = kept_in_chunks(
        work / "sdss-ellipses",
        len(table),
        lambda start, stop: np.array([ellipse_features(file) for file in table["file_loc"][start:stop]]),
        "ellipses",
    )
    held_out = is_validation(table["file"])
    tasks = []
    for rows, suffix in ((np.ones(len(table), bool), ""), (held_out, ", held out")):
        for name, among, rare in (
            ("mergers", sources == "smallGZ1_eggochi", "merger"),
            ("odd", sources != "smallGZ1_eggochi", "odd_yes"),
        ):
            here = rows & among
            tasks.append(Task(name + suffix, embeddings[here], labels[here] == rare, ellipses[here]))
    return tasks


def _embed(encoder: Encoder, table: Table) -> np.ndarray:
    embedded = add_embeddings(
        table["file_loc",], encoder=encoder, images="file_loc", embedding_store=False, progress=False
    )
    return np.asarray(embedded["embedding"])


def simulated_tasks(encoder: Encoder, work: Path, n: int) -> list[Task]:
    """N galaxies, one in a hundred of one rare kind, for each kind."""
    folder = work / f"simulated-{encoder.digest[:12]}"
    mix = {kind: share for kind, share in NATURAL_MIX.items() if kind not in RARE}
    common = _simulated(encoder, folder, n - n // 100, mix, "common")
    tasks = []
    for kind in RARE:
        rare = _simulated(encoder, folder, n // 100, {kind: 1.0}, kind)
        interesting = np.arange(n) >= len(common)
        tasks.append(Task(f"simulated {kind}", np.concatenate([common, rare]), interesting))
    return tasks


def _simulated(encoder: Encoder, folder: Path, n: int, mix: dict[str, float], name: str) -> np.ndarray:
    """Embeddings of the first n galaxies of an endless simulated sample, whose chunks any n have in common."""

    def draw_and_embed(start: int, stop: int) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(f"{name} {start}".encode()).digest()[:6])
        return _draw_and_embed(encoder, stop - start, mix, torch.Generator().manual_seed(seed))

    whole = -(-n // CHUNK) * CHUNK
    return kept_in_chunks(folder / name, whole, draw_and_embed, name)[:n]


def _draw_and_embed(
    encoder: Encoder, n: int, mix: dict[str, float], generator: torch.Generator
) -> np.ndarray:
    """Embeddings of simulated galaxies in DECaLS conditions, in the encoder's own field of view."""
    # The part that the recipe would crop away is not drawn.
    recipe = replace(encoder.recipe, crop=1.0)
    embeddings = []
    for start in range(0, n, 50):
        galaxies = draw_galaxies(min(50, n - start), generator, mix=mix)
        r50, r90 = light_radii(galaxies)
        fov = 424 * torch.minimum(0.04 * r50, 0.02 * r90).clamp(min=0.1)
        scale = fov * encoder.recipe.crop / recipe.size
        bands = render_galaxies(galaxies, size=recipe.size, pixel_scale=scale)
        add_field_objects(bands, generator, pixel_scale=scale, avoid=1.3 * r50)
        bands = add_noise(blur(bands, 1.2, pixel_scale=scale), generator, pixel_scale=scale)
        # Surface brightness as in native pixels, which the stretch is made for.
        bands = bands * (0.262 / scale).square().view(-1, 1, 1, 1)
        embeddings.append(encoder.embed(recipe.from_bands(bands)).cpu().numpy())
    return np.concatenate(embeddings)
