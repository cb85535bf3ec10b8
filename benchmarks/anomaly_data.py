"""Galaxies among which to look for rare ones: of Galaxy Zoo, and simulated. Embeddings are kept on disk."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from anomaly_baseline import ellipse_features
from astropy.table import Table
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


@dataclass
class Task:
    """Galaxies, which of them are interesting, and their ellipse features where there are images."""

    name: str
    embeddings: np.ndarray
    interesting: np.ndarray
    ellipses: np.ndarray | None = None


def kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array from its file, made first if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, made)
        path.with_suffix(".part").rename(path)
    return np.load(path)


def real_tasks(encoder: Encoder, work: Path, *, held_out: bool) -> list[Task]:
    """
    Mergers among Galaxy Zoo 1 galaxies, and odd against not odd among Galaxy Zoo 2 galaxies.

    With `held_out`, only those that no training of an encoder of this package saw.
    """
    table = read_set("sdss_galaxy_zoo", work)
    labels, sources = sdss_labels(table), np.array(table["source"]).astype(str)
    chosen = (sources == "smallGZ1_eggochi") | (
        np.char.startswith(sources, "kaggle") & np.isin(labels, ["odd_yes", "odd_no"])
    )
    table, labels, sources = table[chosen], labels[chosen], sources[chosen]
    embeddings = kept(work / f"sdss-{encoder.digest[:12]}.npy", lambda: _embed(encoder, table))
    ellipses = kept(work / "sdss-ellipses.npy", lambda: _ellipses(table))
    tasks = []
    for name, among, interesting in (
        ("mergers", sources == "smallGZ1_eggochi", labels == "merger"),
        ("odd", sources != "smallGZ1_eggochi", labels == "odd_yes"),
    ):
        rows = among & is_validation(table["file"]) if held_out else among
        suffix = ", held out" if held_out else ""
        tasks.append(Task(name + suffix, embeddings[rows], interesting[rows], ellipses[rows]))
    return tasks


def _embed(encoder: Encoder, table: Table) -> np.ndarray:
    embedded = add_embeddings(table["file_loc",], encoder=encoder, images="file_loc", embedding_store=False)
    return np.asarray(embedded["embedding"])


def _ellipses(table: Table) -> np.ndarray:
    return np.array([ellipse_features(file) for file in tqdm(table["file_loc"], desc="ellipses")])


def simulated_tasks(encoder: Encoder, work: Path, n: int, *, seed: int = 11) -> list[Task]:
    """N galaxies, one in a hundred of one rare kind, for each kind."""
    common = {kind: share for kind, share in NATURAL_MIX.items() if kind not in RARE}
    digest = hashlib.sha256(f"{encoder.digest}-{n}-{seed}".encode()).hexdigest()[:12]
    usual = kept(
        work / f"common-{digest}.npy", lambda: _simulate(encoder, n - n // 100, common, seed, "common")
    )
    tasks = []
    for i, kind in enumerate(RARE):
        rare = kept(
            work / f"{kind}-{digest}.npy",
            lambda i=i, kind=kind: _simulate(encoder, n // 100, {kind: 1.0}, seed + 1 + i, kind),
        )
        interesting = np.arange(len(usual) + len(rare)) >= len(usual)
        tasks.append(Task(f"simulated {kind}", np.concatenate([usual, rare]), interesting))
    return tasks


def _simulate(encoder: Encoder, n: int, mix: dict[str, float], seed: int, name: str) -> np.ndarray:
    """Embeddings of simulated galaxies in DECaLS conditions, in the encoder's own field of view."""
    generator = torch.Generator().manual_seed(seed)
    # The part that the recipe would crop away is not drawn.
    recipe = replace(encoder.recipe, crop=1.0)
    embeddings = np.empty((n, encoder.dim), np.float32)
    for start in tqdm(range(0, n, 64), desc=name):
        galaxies = draw_galaxies(min(64, n - start), generator, mix=mix)
        r50, r90 = light_radii(galaxies)
        fov = 424 * torch.minimum(0.04 * r50, 0.02 * r90).clamp(min=0.1)
        scale = fov * encoder.recipe.crop / recipe.size
        bands = render_galaxies(galaxies, size=recipe.size, pixel_scale=scale)
        add_field_objects(bands, generator, pixel_scale=scale, avoid=1.3 * r50)
        bands = add_noise(blur(bands, 1.2, pixel_scale=scale), generator, pixel_scale=scale)
        # Surface brightness as in native pixels, which the stretch is made for.
        bands = bands * (0.262 / scale).square().view(-1, 1, 1, 1)
        embeddings[start : start + 64] = encoder.embed(recipe.from_bands(bands)).cpu().numpy()
    return embeddings
