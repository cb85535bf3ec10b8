"""Seconds that ``import galzoo_repr`` takes in a fresh interpreter, beside those of astropy alone.

Usage: python benchmarks/import_time.py [--repeats 7]
"""

import argparse
import statistics
import subprocess
import sys
import time


def seconds_of(statement: str, repeats: int) -> list[float]:
    """Wall times of fresh interpreters that run one statement, after one that fills the file cache."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return times[1:]


def main() -> None:
    """Print the median and the range for a few statements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    bare = statistics.median(seconds_of("pass", repeats))
    print(
        f"{'statement':44} {'median s':>9} {'min':>6} {'max':>6}   (over an idle interpreter's {bare:.3f} s)"
    )
    for statement in (
        "import astropy.table",
        "import galzoo_repr",
        "import galzoo_repr.catalogue",
        "import torch",
    ):
        times = [seconds - bare for seconds in seconds_of(statement, repeats)]
        print(f"{statement:44} {statistics.median(times):9.3f} {min(times):6.3f} {max(times):6.3f}")


if __name__ == "__main__":
    main()
