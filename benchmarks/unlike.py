"""
What is unlike all labelled galaxies: how well the columns ``*_unlike`` tell stars, artefacts and other surveys.

For galaxies of SDSS (that training held out) and of DECaLS (the ring set), of which 20, 80 or 200 are taken as labelled
(150 of DECaLS), printed for each kind of image: the area under the ROC curve against ordinary galaxies of the same set,
and the share above 0.95, for ordinary galaxies too, where it should be 0.05. Kinds of image are pictures of held-out
galaxies spoilt in six ways, real stars and artefacts, and other surveys' images. Means over draws of the labelled.

``--spaces`` compares ways to measure how unlike a galaxy is instead: the package's (Euclidean distance from the most
similar labelled galaxy), that from the three most similar ones, cosine distance, 40 principal components of the
labelled or of the catalogue alone, and whitened components of the catalogue with what they leave over; the last also
where the catalogue contains what is unlike.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/unlike.py [--work FOLDER] [--embeddings FOLDER] [--draws 5] [--spaces]
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from astropy.table import Table
from PIL import Image
from real_galaxies import is_validation, read_set, sdss_labels
from sklearn.metrics import roc_auc_score

import galzoo_repr as gzr
from galzoo_repr.catalogue import KnownGalaxies

SIZES = {"SDSS": (20, 80, 200), "DECaLS": (20, 80, 150)}
SPOILT = ("blank", "noise", "star", "half", "band", "trail")
OF_EACH = 25
NO_GALAXIES = ("NGC6049", "NGC7493", "NGC7100", "NGC2392")  # three stars and a planetary nebula
THRESHOLD = 0.95


def spoil(pixels: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Make a picture, uint8 (h, w, 3), into one that nobody should classify."""
    pixels = pixels.astype(float)
    h, w, _ = pixels.shape
    corners = np.concatenate(
        [each[: h // 6, : w // 6].reshape(-1, 3) for each in (pixels, pixels[::-1, ::-1])]
    )
    level = np.median(corners, axis=0)
    spread = 1 + 1.48 * np.median(np.abs(corners - level), axis=0)
    sky = level + spread * rng.normal(size=pixels.shape)
    y, x = np.mgrid[:h, :w] / np.array([h, w])[:, None, None] - 0.5
    angle = rng.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if how == "blank":
        pixels[:] = rng.uniform(0, 255 if rng.random() < 0.3 else 20)
    elif how == "noise":
        pixels = sky
    elif how == "star":
        halo = 2000 * (1 + (np.hypot(x, y) / rng.uniform(0.01, 0.04)) ** 2) ** -1.6
        for one, other in ((along, across), (across, along)):
            halo += 400 * np.exp(-((one / 0.004) ** 2) - np.abs(other) / 0.12)
        pixels = sky + halo[..., None] * rng.uniform(0.7, 1, 3)
    elif how == "half":
        pixels[(along if rng.random() < 0.5 else across) > rng.uniform(-0.25, 0.25)] = 0
    elif how == "band":
        pixels[..., rng.integers(3)] = 0
    else:
        track = (across - rng.uniform(-0.2, 0.2)) / rng.uniform(0.008, 0.02)
        pixels += 255 * np.exp(-(track**2))[..., None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


class Sets:
    """Real galaxies and their embeddings by the bundled encoder, which are kept in a folder, one file for each set."""

    def __init__(self, work: Path, embeddings: Path) -> None:
        self.work, self.kept = work, embeddings
        embeddings.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> tuple[Table, np.ndarray]:
        """Table and embeddings of a set."""
        table = read_set(name, self.work)
        return table, self._embedded(Path(name).name, list(table["file_loc"]))

    def spoilt(self, name: str) -> dict[str, np.ndarray]:
        """Embeddings of spoilt pictures of a set; those of blank ones are NaN, as nobody should classify them."""
        table, rng = read_set(name, self.work), np.random.default_rng(0)
        rows = np.flatnonzero(is_validation(table["file"])) if "sdss" in name else np.arange(len(table))
        pictures = [
            spoil(np.asarray(Image.open(table["file_loc"][row]).convert("RGB")), how, rng)
            for how in SPOILT
            for row in rng.choice(rows, OF_EACH, replace=False)
        ]
        found = self._embedded(f"spoilt_{name}", pictures)
        return {f"spoilt: {how}": found[i * OF_EACH :][:OF_EACH] for i, how in enumerate(SPOILT)}

    def _embedded(self, name: str, images: list) -> np.ndarray:
        path = self.kept / f"{name}.npy"
        if not path.exists():
            table = Table({"row": np.arange(len(images))})
            table = gzr.add_embeddings(table, images=images, embedding_store=False)
            np.save(path, np.asarray(table["embedding"]))
        return np.load(path)


def collect(sets: Sets) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """For each survey the embeddings of ordinary galaxies, and by kind those of images that are unlike."""
    sdss, x = sets.read("sdss_galaxy_zoo")
    held, artefact = is_validation(sdss["file"]), sdss_labels(sdss) == "star_or_artifact"
    _, rings = sets.read("decals_rings")
    votes, of_votes = sets.read("gz2_votes")
    voted = np.asarray(votes["t01_smooth_or_features_a03_star_or_artifact_weighted_fraction"], float)
    gallery, of_gallery = sets.read("decals_gallery")
    star = np.isin(gallery["id"], NO_GALAXIES)
    zoo, of_zoo = sets.read("more/zoo_examples")
    survey, answer = (np.array([str(each) for each in zoo[name]]) for name in ("survey", "answer"))
    spoilt_example = answer == "Star or artifact"
    common = {
        "real stars and artefacts": np.concatenate(
            [of_gallery[star], x[artefact], of_votes[voted > 0.4], of_zoo[spoilt_example]]
        ),
        **{each: of_zoo[(survey == each) & ~spoilt_example] for each in np.unique(survey)},
        "large galaxies (DECaLS)": of_gallery[~star],
    }
    ordinary = x[held & ~artefact]
    return {
        "SDSS": (ordinary, {**sets.spoilt("sdss_galaxy_zoo"), **common, "DECaLS ring set": rings}),
        "DECaLS": (rings, {**sets.spoilt("decals_rings"), **common, "SDSS held out": ordinary[:600]}),
    }


def figures(usual: np.ndarray, unlike: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve, and share of the unlike above the threshold; what has no embedding is told anyway."""
    unlike = np.where(np.isnan(unlike), 1, unlike)
    truth = np.repeat([0, 1], [len(usual), len(unlike)])
    return roc_auc_score(truth, np.append(usual, unlike)), np.mean(unlike > THRESHOLD)


def drawn(pool: np.ndarray, n: int, draws: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Labelled galaxies, and others, 600 at most."""
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(pool))
        yield pool[order[:n]], pool[order[n : n + 600]]


def show_kinds(sets: Sets, draws: int) -> None:
    """Print the figures of the package's column, kind by kind."""
    for survey, (pool, kinds) in collect(sets).items():
        rows = {"ordinary (above)": []}
        for n in SIZES[survey]:
            usual = [
                (known := KnownGalaxies.of(labelled), known.unlike(others))
                for labelled, others in drawn(pool, n, draws)
            ]
            above = [[np.mean(rank > each) for each in (0.5, 0.9, THRESHOLD, 0.99)] for _, rank in usual]
            rows["ordinary (above)"].append(" ".join(f"{share:.3f}" for share in np.mean(above, axis=0)))
            for kind, x in kinds.items():
                auc, told = np.mean([figures(rank, known.unlike(x)) for known, rank in usual], axis=0)
                rows.setdefault(f"{kind} ({len(x)})", []).append(f"{auc:.3f} {told:.2f}")
        print(f"\n{survey}: labelled".ljust(48) + "".join(f"{n}".rjust(26) for n in SIZES[survey]))
        print("share of ordinary above .5, .9, .95, .99; ROC AUC and share above .95 of each kind")
        for kind, cells in rows.items():
            print(kind.ljust(47) + "".join(cell.rjust(26) for cell in cells))


Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def nearest(k: int = 1) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Mean distance from the k most similar of the labelled."""

    def measure(x: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        squares = (x**2).sum(1)[:, None] + (labelled**2).sum(1) - 2 * x @ labelled.T
        squares = np.maximum(squares, 0)
        return np.sqrt(np.sort(np.partition(squares, k - 1, axis=1)[:, :k])).mean(1)

    return measure


def by_cosine(labelled: np.ndarray, x: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Cosine distance from the most similar one."""
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (labelled, x))
    return nearest()(other, one)


def by_components(of_catalogue: bool, *, whiten: bool = False) -> Measure:
    """Distance in 40 components alone; whitened ones with what they leave over, in units of the last of them."""

    def measure(labelled: np.ndarray, x: np.ndarray, catalogue: np.ndarray) -> np.ndarray:
        base = catalogue if of_catalogue else labelled
        mean = base.mean(0)
        _, scale, axes = np.linalg.svd(base - mean, full_matrices=False)
        axes, scale = axes[:40].T, scale[: min(40, len(base) - 1)]
        one, other = (labelled - mean) @ axes, (x - mean) @ axes
        if not whiten:
            return nearest()(other, one)
        left = [((a - mean) ** 2).sum(1) - (b**2).sum(1) for a, b in ((labelled, one), (x, other))]
        one, other = one / scale, other / scale
        squares = (other**2).sum(1)[:, None] + (one**2).sum(1) - 2 * other @ one.T
        return np.sqrt(np.maximum(squares + np.add.outer(left[1], left[0]) / scale[-1] ** 2, 0).min(1))

    return measure


SPACES: dict[str, Measure] = {
    "the package's": lambda labelled, x, _: KnownGalaxies.of(labelled).unlike(x),
    "Euclidean, all dimensions": lambda labelled, x, _: nearest()(x, labelled),
    "Euclidean, three nearest": lambda labelled, x, _: nearest(3)(x, labelled),
    "cosine": by_cosine,
    "40 components of the labelled": by_components(False),
    "40 components of the catalogue": by_components(True),
    "the same whitened, and the rest": by_components(True, whiten=True),
}


def show_spaces(sets: Sets, draws: int) -> None:
    """Print the mean area under the ROC curve over all kinds of image, for several ways to measure."""
    for survey, (pool, kinds) in collect(sets).items():
        kinds = {kind: x for kind, x in kinds.items() if kind != "spoilt: blank"}
        unlike = np.concatenate(list(kinds.values()))
        of = np.repeat(np.arange(len(kinds)), [len(x) for x in kinds.values()])
        for contains in (False, True):
            print(
                f"\n{survey}, the catalogue {'contains' if contains else 'lacks'} what is unlike; labelled",
                end=" ",
            )
            print(*(str(n).rjust(7) for n in SIZES[survey]))
            for name, measure in SPACES.items():
                cells = []
                for n in SIZES[survey]:
                    found = []
                    for labelled, others in drawn(pool, n, draws):
                        catalogue = np.concatenate([pool, unlike]) if contains else pool
                        distance = measure(labelled, np.concatenate([others, unlike]), catalogue)
                        usual, far = distance[: len(others)], distance[len(others) :]
                        found.append([figures(usual, far[of == i])[0] for i in range(len(kinds))])
                    cells.append(f"{np.mean(found):.3f}")
                print(name.ljust(54), *(cell.rjust(7) for cell in cells), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("work"), help="where images are unpacked")
    parser.add_argument(
        "--embeddings", type=Path, default=Path("work/embeddings"), help="where they are kept"
    )
    parser.add_argument("--draws", type=int, default=5, help="of the labelled galaxies")
    parser.add_argument("--spaces", action="store_true", help="compare ways to measure")
    options = parser.parse_args()
    (show_spaces if options.spaces else show_kinds)(Sets(options.work, options.embeddings), options.draws)
