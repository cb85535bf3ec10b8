"""Seconds that a plain catalogue takes to read, beside those of ``Table.read`` of astropy.

Usage: OMP_NUM_THREADS=1 python benchmarks/reading.py [--rows 1000000] [--repeats 3] [--json FILE_OR_FOLDER]
"""

import argparse
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from measuring import fastest, here, show, write_json

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


def main() -> None:
    """Print one line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--json", type=Path, help="file, or folder of files by commit, to write the figures into"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    about, figures = here(), {}
    table = galaxies(options.rows)
    with tempfile.TemporaryDirectory() as folder:
        for ending, (known_as, how) in FORMATS.items():
            path = Path(folder, f"plain.{ending}")
            table.write(path, format=known_as, **how)
            ways = {
                "Table.read": partial(Table.read, path, format=known_as),
                "read_catalogue": partial(read_catalogue, path),
            }
            title = f"{ending}, {options.rows} rows, best of {options.repeats}"
            figures[ending] = show(title, fastest(ways, options.repeats), "s")
    write_json(options.json, figures, about)


if __name__ == "__main__":
    main()
