"""Seconds that a plain catalogue takes to read, beside those of ``Table.read`` of astropy.

Usage: OMP_NUM_THREADS=1 python benchmarks/reading.py [--rows 1000000] [--repeats 3]
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr.catalogue import read_catalogue

FORMATS = {
    "csv": ("ascii.csv", {}),
    "ecsv": ("ascii.ecsv", {}),
    "fits": ("fits", {}),
    "parquet": ("parquet", {}),
    "vot": ("votable", {"tabledata_format": "binary2"}),
}


def galaxies(rows: int) -> Table:
    """Ids, positions, magnitudes, names and labels."""
    random = np.random.default_rng(0)
    return Table(
        {
            "id": 10**12 + np.arange(rows),
            "ra": random.uniform(0, 360, rows),
            "dec": random.uniform(-90, 90, rows),
            "mag": random.normal(18, 1, rows).astype(np.float32),
            "name": [f"J{i:08d}" for i in range(rows)],
            "label": random.choice(["ring", "bar", "merger"], rows),
        }
    )


def fastest(functions: list[Callable[[], object]], repeats: int) -> list[float]:
    """Best wall time of each, taken in turn, which is fair where the machine's speed drifts."""
    times = [[] for _ in functions]
    for _ in range(repeats):
        for function, seconds in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - started)
    return [min(seconds) for seconds in times]


def main() -> None:
    """Print one line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = galaxies(options.rows)
    print(f"{options.rows} rows, best of {options.repeats}")
    print(f"{'format':8} {'Table.read s':>13} {'read_catalogue s':>17} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for ending, (known_as, how) in FORMATS.items():
            path = Path(folder, f"plain.{ending}")
            table.write(path, format=known_as, **how)
            theirs, ours = fastest(
                [lambda: Table.read(path, format=known_as), lambda: read_catalogue(path)],  # noqa: B023
                options.repeats,
            )
            print(f"{ending:8} {theirs:13.2f} {ours:17.2f} {ours / theirs:6.2f}", flush=True)


if __name__ == "__main__":
    main()
