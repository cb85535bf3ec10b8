"""Core-seconds until something is said or done, in a fresh interpreter, beside those of astropy alone.

Usage: python benchmarks/import_time.py [--repeats 7] [--json FILE_OR_FOLDER]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import here, write_json

FIRST_EMBEDDING = """
import numpy as np
from galzoo_repr import Encoder
from galzoo_repr.images import read_image
encoder = Encoder.load("bundled", device="cpu")
encoder.embed(encoder.recipe.prepare([read_image(np.eye(200))]))
"""
VERB = "import sys; sys.argv[1:] = {!r}; from galzoo_repr.cli import main; main()"
# Each with a mistake that only the catalogue shows.
MISTAKES = {
    "fetch": ["in.ecsv", "out.ecsv", "--coords", "where"],
    "embed": ["in.ecsv", "out.ecsv", "--images", "pictures"],
    "embed, no such encoder": ["in.ecsv", "out.ecsv", "--encoder", "no_such_network"],
    "similar": ["in.ecsv", "--row", "1"],
    "anomalies": ["in.ecsv", "search"],
    "finetune": ["in.ecsv", "model", "--label", "ring"],
    "predict": ["in.ecsv", "model", "out.ecsv"],
    "pretrain": ["in.ecsv", "encoder", "--schema", "gz_rings"],
}
ASTROPY = "import astropy.table, astropy.coordinates, astropy.units"

STATEMENTS = {
    "an idle interpreter": "pass",
    "import astropy.table, .coordinates, .units": ASTROPY,
    "import galzoo_repr": "import galzoo_repr",
    "import galzoo_repr.catalogue": "import galzoo_repr.catalogue",
    "galzoo-repr --help": VERB.format(["--help"]),
    "galzoo-repr embed of a file that is not there": VERB.format(["embed", "gone.fits", "out.fits"]),
    "first embedding by the bundled encoder": FIRST_EMBEDDING,
    **{
        f"galzoo-repr {verb}: a mistake": VERB.format([verb.partition(",")[0], *arguments])
        for verb, arguments in MISTAKES.items()
    },
    "import torch": "import torch",
}


def seconds_of(statement: str, repeats: int, folder: str) -> list[float]:
    """Core-seconds of fresh interpreters that run one statement, after one that fills the file cache."""
    times = []
    for _ in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # A verb may end with an exit code of its own, but what broke would only seem quick.
        done = subprocess.run(
            [sys.executable, "-c", statement], capture_output=True, text=True, check=False, cwd=folder
        )
        if "Traceback" in done.stderr:
            raise RuntimeError(f"{statement!r} cannot be measured: {done.stderr.strip()}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return times[1:]


def main() -> None:
    """Print the median and the range for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--json", type=Path, help="file, or folder of files by commit, to write the figures into"
    )
    options = parser.parse_args()
    about, figures = here(), {}
    print(f"{'core-seconds':48} {'median':>7} {'min':>6} {'max':>6}")
    with tempfile.TemporaryDirectory() as folder:
        header = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float64}\n"
        Path(folder, "in.ecsv").write_text(f"{header}a\n1.0\n")
        for what, statement in STATEMENTS.items():
            times = seconds_of(statement, options.repeats, folder)
            figures[what] = statistics.median(times)
            print(f"{what:48} {figures[what]:7.2f} {min(times):6.2f} {max(times):6.2f}", flush=True)
    write_json(options.json, {"core_seconds": figures}, about)


if __name__ == "__main__":
    main()
