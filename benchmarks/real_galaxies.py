"""Real galaxies with published labels, for the benchmarks and for training: read and split.

All of it comes from the folder that ``GALZOO_REAL_DATA`` names; nothing of it is part of the package.
"""

import hashlib
import os
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.table import Table
from PIL import Image
from scipy.ndimage import uniform_filter

VALIDATION_SHARE = 0.3
_SCALES = (0.6, 0.68, 0.72, 0.76, 0.78, 0.8, 0.82, 0.84, 0.88, 0.94, 1.0)
VOLUNTEERS, AGREE = 20.0, 17.0  # a published label stands for so many votes, of which so many agree


def data_folder() -> Path:
    """Folder of the real galaxies, or a clear end."""
    folder = os.environ.get("GALZOO_REAL_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("Set GALZOO_REAL_DATA to the folder of real galaxies: this measures on nothing else.")
    return Path(folder)


def read_set(name: str, work: Path) -> Table:
    """
    One set of galaxies, such as ``gz2_votes`` or ``more/zoo_examples``.

    Its table, and column ``file_loc`` with the paths of its images, unpacked below `work`.
    """
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


def like_test_images(
    name: str, files: list[str], tests: Iterable[str], work: Path, *, threshold: float = 0.6
) -> np.ndarray:
    """
    Training images that may show a galaxy of a test set, at some other scale.

    Compared are small, high-pass filtered images, which the neighbours around a galaxy decide as much as itself,
    at eleven relative scales. The threshold was set by eye: real pairs are above it, and some that merely look alike.
    What was compared is kept in `work` under the name of the set.
    """
    names = [str(Path(file).relative_to(work)) for file in files]
    kept = work / f"likeness-{name}-to-{'-'.join(tests)}.npz"
    if not kept.exists():
        tested = [str(file) for test in tests for file in read_set(test, work)["file_loc"]]
        fingerprints = np.stack([_fingerprint(pixels, 0.8) for pixels in map(_pixels, tested)])
        likeness = np.zeros(len(files))
        for i, pixels in enumerate(map(_pixels, files)):
            likeness[i] = (fingerprints @ np.stack([_fingerprint(pixels, one) for one in _SCALES]).T).max()
        np.savez(kept, files=names, likeness=likeness)
    with np.load(kept) as found:
        of_file = dict(zip(found["files"].tolist(), found["likeness"].tolist(), strict=True))
    return np.array([of_file[one] > threshold for one in names])


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
