"""Real galaxies with published labels, for the benchmarks and for training: read, split, and put into vote columns.

All of it comes from the folder that ``GALZOO_REAL_DATA`` names; nothing of it is part of the package.
"""

import hashlib
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
from astropy.table import Table
from PIL import Image
from scipy.ndimage import uniform_filter

from galzoo_repr.questions import Schema

VALIDATION_SHARE = 0.3
GALAXY_TYPES = {
    "elliptical": "elliptical",
    "edge_on": "edge-on",
    "spiral_cw": "spiral",
    "spiral_acw": "spiral",
    "merger": "merger",
    "dont_know": "dont-know",
}
_GZ2_ANSWERS = {
    "smooth": ("smooth-or-featured", "smooth"),
    "featured_or_disk": ("smooth-or-featured", "featured-or-disk"),
    "star_or_artifact": ("smooth-or-featured", "artifact"),
    "odd_yes": ("something-odd", "yes"),
    "odd_no": ("something-odd", "no"),
}
_SCALES = (0.6, 0.68, 0.72, 0.76, 0.78, 0.8, 0.82, 0.84, 0.88, 0.94, 1.0)
_VOLUNTEERS, _AGREE = 20.0, 17.0  # a published label stands for so many votes, of which so many agree


def data_folder() -> Path:
    """Folder of the real galaxies, or a clear end."""
    folder = os.environ.get("GALZOO_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("Set GALZOO_REAL_DATA to the folder of real galaxies: this measures on nothing else.")
    return Path(folder)


def read_set(name: str, work: Path) -> Table:
    """One set of galaxies: its table, and column ``file_loc`` with the paths of its images, unpacked below `work`."""
    folder = data_folder()
    for archive in sorted(folder.glob(f"{name}*.tar")):
        marker = work / f".{archive.stem}"
        if not marker.exists():
            work.mkdir(parents=True, exist_ok=True)
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="data")
            marker.touch()
    table = Table.read(folder / f"{name}.csv", format="ascii.csv")
    table["file_loc"] = [str(work / file) for file in table["file"]]
    return table


def judged_rings(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """
    Say which galaxies of ``decals_rings`` show a ring, and on which two judges agree.

    The published labels are tags that volunteers gave to some galaxies; others were taken to have no ring. So all were
    judged again, twice and independently, in random order and without the labels, by a vision-language model that was
    shown the images.

    Returns
    -------
    rows : numpy.ndarray of int
        Galaxies on which both judgements agree, four in five.
    ring : numpy.ndarray of bool
        For each of them.
    """
    judged = Table.read(Path(__file__).parent / "judged_rings.csv", format="ascii.csv")
    of_file = {file: (bool(first), bool(second)) for file, first, second in judged.iterrows()}
    first, second = np.array([of_file[file] for file in table["file"]]).T
    rows = np.flatnonzero(first == second)
    return rows, first[rows]


def is_validation(files: list[str]) -> np.ndarray:
    """Rows that no training sees: a fixed share by the digest of the file name, the same in every script."""
    numbers = [int(hashlib.sha256(str(file).encode()).hexdigest()[:8], 16) for file in files]
    return np.array(numbers) < VALIDATION_SHARE * 16**8


def sdss_labels(table: Table) -> np.ndarray:
    """Labels of the SDSS set without their prefix, empty where there is none."""
    labels = np.ma.filled(np.ma.asarray(table["label"]).astype(str), "")
    return np.array([str(label).replace("argmax37:", "") for label in labels])


def weak_votes(table: Table) -> Table:
    """Published labels of the SDSS set as partial votes: Galaxy Zoo 1 class, or the largest Galaxy Zoo 2 fraction."""
    schemas = {"gz1": Schema.load("gz1"), "gz2": Schema.load("gz2")}
    votes = Table(
        {column: np.full(len(table), np.nan, np.float32) for s in schemas.values() for column in s.columns}
    )
    for label in np.unique(labels := sdss_labels(table)):
        rows = labels == label
        if label in GALAXY_TYPES:
            _put(votes, rows, schemas["gz1"], "galaxy-type", GALAXY_TYPES[label])
        elif label in _GZ2_ANSWERS:
            _put(votes, rows, schemas["gz2"], *_GZ2_ANSWERS[label])
    return votes


def _put(votes: Table, rows: np.ndarray, schema: Schema, name: str, answer: str) -> None:
    question = next(question for question in schema.questions if question.name == name)
    others = (_VOLUNTEERS - _AGREE) / (len(question.answers) - 1)
    for each, column in zip(question.answers, question.columns, strict=True):
        votes[column][rows] = _AGREE if each == answer else others


def like_test_images(files: list[str], test_files: list[str], *, threshold: float = 0.6) -> np.ndarray:
    """
    Training images that may show a galaxy of a test set, at some other scale.

    Compared are small, high-pass filtered images, which the neighbours around a galaxy decide as much as itself,
    at eleven relative scales. The threshold was set by eye: real pairs are above it, and some that merely look alike.
    """
    tests = np.stack([_fingerprint(pixels, 0.8) for pixels in map(_pixels, test_files)])
    best = np.zeros(len(files))
    for i, file in enumerate(files):
        pixels = _pixels(file)
        best[i] = max((tests @ _fingerprint(pixels, scale)).max() for scale in _SCALES)
    return best > threshold


def _pixels(file: str) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB").resize((220, 220), Image.Resampling.LANCZOS)


def _fingerprint(image: Image.Image, share: float) -> np.ndarray:
    """Unit vector of the structure in the central part of an image."""
    margin = 0.5 * image.width * (1 - 0.8 * share)
    box = (margin, margin, image.width - margin, image.height - margin)
    pixels = np.asarray(image.resize((48, 48), Image.Resampling.BOX, box=box), np.float32)
    pixels = np.sqrt(np.minimum(pixels, 120))
    pixels -= uniform_filter(pixels, (9, 9, 0))
    pixels -= pixels.mean()
    return (pixels / np.linalg.norm(pixels)).ravel()
