"""How much an encoder knows of real galaxies that it was not trained on: ``python benchmarks/representation.py``.

Every figure is a mean over seeds with its standard error, beside those of an untrained network of the same architecture
and of 32 x 32 pixels with PCA. Galaxies of the SDSS sets are those that training held out.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import timm
import torch
from astropy.table import Table
from PIL import Image
from real_galaxies import is_validation, judged_rings, read_set, sdss_labels
from rich.console import Console
from rich.table import Table as RichTable
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline

from galzoo_repr import Encoder, Schema, add_embeddings

SEEDS = 5
Embed = Callable[[Table], np.ndarray]


def untrained_like(encoder: Encoder, table: Table) -> Encoder:
    """Same network with random weights, its normalisation set by real images, which is the best case for it."""
    torch.manual_seed(0)
    network = timm.create_model(encoder.architecture, **encoder.model_kwargs).train()
    with torch.no_grad():
        for start in range(0, 640, 64):
            pixels = [
                np.asarray(Image.open(file).convert("RGB")) for file in table["file_loc"][start : start + 64]
            ]
            images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
            network(encoder.recipe.from_rgb(images))
    return Encoder(
        network, encoder.recipe, name="untrained", architecture=encoder.architecture, views=encoder.views
    )


def embeddings_of(encoder: Encoder) -> Embed:
    """Embed the images of a table."""

    def embed(table: Table) -> np.ndarray:
        done = add_embeddings(
            table["file_loc",], encoder=encoder, images="file_loc", embedding_store=False, progress=False
        )
        return np.asarray(done["embedding"])

    return embed


def pixels_of(crop: float) -> Embed:
    """32 x 32 pixels of what the encoder sees; PCA follows in each task."""

    def embed(table: Table) -> np.ndarray:
        rows = []
        for file in table["file_loc"]:
            with Image.open(file) as image:
                margin = 0.5 * image.width * (1 - crop)
                box = (margin, margin, image.width - margin, image.height - margin)
                rows.append(
                    np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX, box=box)).ravel()
                )
        pixels = np.array(rows, np.float32) / 255
        return PCA(min(64, len(pixels) - 1), random_state=0).fit_transform(pixels)

    return embed


def probe(n: int) -> object:
    """
    Logistic regression on centred features; PCA of n points is a rotation that makes it quick.

    Features are not standardised one by one: some are all but constant in a few labels, and would decide everything.
    """
    regression = LogisticRegressionCV(
        Cs=np.logspace(-5, 0, 6),
        cv=5,
        l1_ratios=(0,),
        use_legacy_attributes=False,
        max_iter=2000,
        scoring="accuracy",
    )
    return make_pipeline(PCA(n - 1, svd_solver="full"), regression)


def with_labels(
    x: np.ndarray, y: np.ndarray, n: int, seed: int, *, balanced: bool
) -> tuple[object, np.ndarray]:
    """Probe trained on n labels, and the rows left to test it on."""
    rng = np.random.default_rng(seed)
    if balanced:
        chosen = np.concatenate(
            [rng.permutation(np.flatnonzero(y == each))[: n // 2] for each in (False, True)]
        )
    else:
        chosen = rng.permutation(len(y))[:n]
        while np.bincount(y[chosen].astype(int), minlength=2).min() < 2:
            chosen = rng.permutation(len(y))[:n]
    rest = np.setdiff1d(np.arange(len(y)), chosen)
    return probe(min(n, x.shape[1])).fit(x[chosen], y[chosen]), rest


def precision_at_10(x: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Mean share of the ten most alike that are of the query's class, over classes of equal size."""
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(labels == each), counts.min(), False) for each in classes]
    )
    x, labels = x[rows] - x[rows].mean(0), labels[rows]
    nearest = NearestNeighbors(n_neighbors=11, metric="cosine").fit(x).kneighbors(x, return_distance=False)
    others = [[j for j in row if j != i][:10] for i, row in enumerate(nearest)]
    return float((labels[np.array(others)] == labels[:, None]).mean())


def rings(work: Path, embed: Embed) -> dict[str, list[float]]:
    """Accuracy on ring / not ring, by the published labels and by those on which two judges agree."""
    table = read_set("decals_rings", work)
    x, published = embed(table), np.array(table["label"] == "ring")
    rows, judged = judged_rings(table)
    result = {}
    tasks = ("rings", x, published), ("judged rings", x[rows], judged)
    for (name, given, y), n in product(tasks, (20, 80, 160)):
        trained = [with_labels(given, y, n, seed, balanced=True) for seed in range(SEEDS)]
        result[f"{name}, accuracy with {n} labels"] = [
            model.score(given[rest], y[rest]) for model, rest in trained
        ]
    return result


def galaxy_zoo_2(work: Path, embed: Embed) -> dict[str, list[float]]:
    """Retrieval by class, and how well each vote fraction is read off by a line."""
    table = read_set("gz2_votes", work)
    table = table[[not np.ma.is_masked(row["total_votes"]) for row in table]]
    x, schema = embed(table), Schema.load("gz2")
    fraction = {
        column: np.ma.filled(table[published + "_debiased"], np.nan).astype(float)
        for question in schema.questions
        for column, published in zip(question.columns, question.published, strict=True)
    }
    featured = fraction["smooth-or-featured-gz2_featured-or-disk"]
    face_on = featured * fraction["disk-edge-on-gz2_no"] * fraction["has-spiral-arms-gz2_yes"]
    odd = fraction["something-odd-gz2_yes"] * fraction["odd-feature-gz2_merger"]
    shares = (
        fraction["smooth-or-featured-gz2_smooth"], face_on, featured * fraction["disk-edge-on-gz2_yes"], odd,
    )  # fmt: skip
    labels = np.nan_to_num(np.stack(shares, 1)).argmax(1)
    result = {
        "GZ2, elliptical / spiral / edge-on / merger, P@10": [
            precision_at_10(x, labels, s) for s in range(SEEDS)
        ]
    }
    asked = schema.probability_asked(np.nan_to_num(np.stack(list(fraction.values()), 1)))
    for i, question in enumerate(schema.questions):
        correlations = [_correlation(x, fraction[column], asked[:, i] > 0.25) for column in question.columns]
        good = [value for value in correlations if value is not None]
        if good:
            result[f"GZ2, {question.name}, correlation"] = list(np.mean(good, 0))
    return result


def _correlation(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> list[float] | None:
    rows = asked & np.isfinite(y)
    if rows.sum() < 60 or y[rows].std() < 0.05:
        return None
    model = make_pipeline(
        PCA(min(100, x.shape[1], rows.sum() * 3 // 4), random_state=0),
        RidgeCV(np.logspace(0, 4, 9)),
    )
    folds = [KFold(5, shuffle=True, random_state=seed) for seed in range(SEEDS)]
    return [pearsonr(cross_val_predict(model, x[rows], y[rows], cv=fold), y[rows])[0] for fold in folds]


def sdss(work: Path, embed: Embed) -> dict[str, list[float]]:
    """Retrieval and rare classes among SDSS galaxies that training held out."""
    table = read_set("sdss_galaxy_zoo", work)
    table = table[is_validation(table["file"])]
    labels, sources = sdss_labels(table), np.array(table["source"])
    result = {}
    small = table[first := sources == "smallGZ1_eggochi"]
    kinds = np.char.replace(labels[first], "spiral_acw", "spiral_cw")
    x = embed(small)
    known = kinds != "dont_know"
    result["SDSS GZ1 classes, P@10"] = [precision_at_10(x[known], kinds[known], s) for s in range(SEEDS)]
    result |= _rare("mergers among SDSS GZ1", x, kinds == "merger")
    second = np.isin(labels, ["odd_yes", "odd_no"])
    x, odd = embed(table[second]), labels[second] == "odd_yes"
    result["SDSS odd / not odd, P@10"] = [precision_at_10(x, odd, s) for s in range(SEEDS)]
    return result | _rare("odd among SDSS GZ2", x, odd)


def _rare(name: str, x: np.ndarray, rare: np.ndarray) -> dict[str, list[float]]:
    precision, found = [], []
    for seed in range(SEEDS):
        model, rest = with_labels(x, rare, 200, seed, balanced=False)
        score = model.predict_proba(x[rest])[:, 1]
        precision.append(average_precision_score(rare[rest], score))
        found.append(rare[rest][np.argsort(-score)[:50]].mean())
    name = f"{name} (base rate {rare.mean():.3f}, {rare.sum()}), 200 labels"
    return {f"{name}, AP": precision, f"{name}, P@50": found}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="bundled", help="name or folder; several separated by commas")
    parser.add_argument("--views", type=int, help="views to average instead of the encoder's own")
    parser.add_argument("--crop", type=float, help="part of each side to see instead of the encoder's own")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-real")
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    options = parser.parse_args()
    embeds: dict[str, Embed] = {}
    for name in options.encoder.split(","):
        encoder = Encoder.load(name)
        encoder.views = options.views or encoder.views
        encoder.recipe = replace(encoder.recipe, crop=options.crop or encoder.recipe.crop)
        embeds[Path(name).name] = embeddings_of(encoder)
    if not options.no_baselines:
        embeds["untrained"] = embeddings_of(
            untrained_like(encoder, read_set("sdss_galaxy_zoo", options.work))
        )
        embeds["pixels + PCA"] = pixels_of(encoder.recipe.crop)
    figures = {
        name: {
            task: values
            for part in (rings, galaxy_zoo_2, sdss)
            for task, values in part(options.work, embed).items()
        }
        for name, embed in embeds.items()
    }
    shown = RichTable("task", *figures)
    for task in next(iter(figures.values())):
        cells = [
            f"{np.mean(f[task]):.3f} ± {np.std(f[task], ddof=1) / SEEDS**0.5:.3f}" for f in figures.values()
        ]
        shown.add_row(task, *cells)
    Console(width=140).print(shown)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
