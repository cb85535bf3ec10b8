"""Does anything run, get lost or grow without bound, whatever comes from outside?

Prints a table: attack, outcome (``held`` or ``FAILED``), seconds, peak memory beyond what was there before; exits
with 1 if an attack did not hold. Every attack is a function in one of the modules of ``attacks`` and runs in a process
of its own. Run as ``python benchmarks/hostile.py [word in the name of an attack ...]``.
"""

import os

# Before torch is imported: a process that is forked has one thread.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TQDM_DISABLE="1")

import argparse
import importlib
import pkgutil
import sys

import attacks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only attacks with one of these words in their names")
    words = parser.parse_args().words
    for module in pkgutil.iter_modules(attacks.__path__):
        importlib.import_module(f"attacks.{module.name}")
    chosen = [one for one in attacks.ATTACKS if not words or any(word in one.name for word in words)]
    failed = 0
    print(f"{'attack':70} {'outcome':8} {'s':>6} {'MB':>6}")
    for one in chosen:
        outcome = one.run()
        failed += not outcome.held
        verdict = "held" if outcome.held else "FAILED"
        print(
            f"{one.name:70} {verdict:8} {outcome.seconds:6.1f} {outcome.megabytes:6.0f}  {outcome.said}",
            flush=True,
        )
    print(f"{len(chosen)} attacks, {failed} did not hold")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
