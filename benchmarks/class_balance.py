"""
Probabilities for a catalogue whose class balance is not that of the labels: corrected by what is stated, or estimated.

Labels are drawn half and half from galaxies of SDSS that training held out, odd or not and edge-on or not; the
catalogue is the others, thinned until one in twenty has the feature. Printed are the mean probability (0.05 would be
right) and the expected calibration error, as they are, with ``prior=0.05`` and with ``prior="catalogue"``; then the
estimated fraction, its scatter over draws, how often it lies within one and two of its stated standard deviations, and
how often a warning said not to rely on it. The last rows are catalogues of 60 galaxies.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/class_balance.py [--work FOLDER] [--embeddings FOLDER] [--draws 10]
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table
from real_galaxies import is_validation, sdss_labels
from unlike import Sets

import galzoo_repr as gzr
from galzoo_repr.finetuning import expected_calibration_error

RARE = 0.05
LABELS = (20, 40, 80, 160)
TASKS = {
    "odd": (["odd_yes"], ["odd_no"]),
    "edge-on": (["edge_on"], ["elliptical", "spiral_cw", "spiral_acw", "merger", "dont_know"]),
}
FEW = 60


def split(
    yes: np.ndarray, no: np.ndarray, n: int, seed: int, few: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to label, half and half, rows of the catalogue, and which of these have the feature."""
    rng = np.random.default_rng(seed)
    yes, no = rng.permutation(yes), rng.permutation(no)
    labelled = np.concatenate([yes[: n // 2], no[: n // 2]])
    yes, no = yes[n // 2 :], no[n // 2 :]
    n_yes = round(RARE * FEW) if few else min(len(yes), int(len(no) * RARE / (1 - RARE)))
    catalogue = np.concatenate([yes[:n_yes], no[: round(n_yes * (1 - RARE) / RARE)]])
    return labelled, catalogue, np.arange(len(catalogue)) < n_yes


def measure(x: np.ndarray, labelled: np.ndarray, catalogue: np.ndarray, truth: np.ndarray) -> list[float]:
    """Figures of one draw."""
    table = Table({"embedding": x[labelled], "it": np.arange(len(labelled)) < len(labelled) // 2})
    model = gzr.finetune(table, "it", progress=False)
    asked, found, warned = Table({"embedding": x[catalogue]}), [], False
    for prior in (None, RARE, "catalogue"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            after = gzr.add_predictions(asked, model, prior=prior)
        warned = bool(caught)
        found.append(after["it_probability"])
    told = after.meta["galzoo_repr"]["add_predictions_it"]
    means = [each.mean() for each in found]
    errors = [expected_calibration_error(truth, np.asarray(each)) for each in found]
    return [*means, *errors, told["balance"]["it"], told["balance_std"]["it"], warned]


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    table, x = Sets(options.work, options.embeddings).read("sdss_galaxy_zoo")
    held, labels = is_validation(table["file"]), sdss_labels(table)
    print(
        "                          mean probability      calibration error       estimated        within     warned"
    )
    print(
        "task     labels galaxies  as is  .05    est.    as is  .05    est.    mean  scatter  std   1 std  2 std"
    )
    for few in (False, True):
        for task, (of_yes, of_no) in TASKS.items():
            yes, no = (np.flatnonzero(np.isin(labels, each) & held) for each in (of_yes, of_no))
            for n in LABELS[-1:] if few else LABELS:
                draws = [split(yes, no, n, seed, few) for seed in range(options.draws)]
                found = np.array([measure(x, *draw) for draw in draws], float)
                estimate, std = found[:, 6], found[:, 7]
                within = [np.mean(np.abs(estimate - RARE) < times * std) for times in (1, 2)]
                means = found.mean(axis=0)
                print(
                    f"{task:9}{n:5}{len(draws[0][1]):9}   "
                    + "".join(f"{value:7.3f}" for value in means[:3])
                    + " "
                    + "".join(f"{value:7.3f}" for value in means[3:6])
                    + f" {means[6]:8.3f}{estimate.std():7.3f}{np.median(std):7.3f}"
                    + f"{within[0]:7.2f}{within[1]:7.2f}{means[8]:8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("work"), help="where images are unpacked")
    parser.add_argument(
        "--embeddings", type=Path, default=Path("work/embeddings"), help="where they are kept"
    )
    parser.add_argument("--draws", type=int, default=10, help="of the labelled galaxies")
    main(parser.parse_args())
