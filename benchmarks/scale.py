"""
Large catalogues: memory, rates, what a killed run loses, and how quick the next one is.

``python benchmarks/scale.py`` writes small images that are all different into a temporary folder, JPEG and FITS, and
embeds catalogues of growing length, each in a process of its own. The columns say

* rows/s of the first run, with the encoder chosen;
* peak memory beyond what the process has once everything is imported and the encoder is loaded. ``anonymous`` leaves
  out pages of files, which the system takes back when it needs them: above ``conf.mapped_above`` the column is a file;
* how many embeddings the run after a ``kill -9`` at about half of the rows computed again although they were kept;
* seconds of wall clock and of CPU of a run in which all is known.

``--encoder mean`` stands for a network that costs nothing, so that what is measured is the rest.
"""

import argparse
import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from PIL import Image

SIDE = 32
_MEGABYTE = 2**20


def write_images(folder: Path, n: int, ending: str) -> list[str]:
    """Write small images of noise, all different, with a thousand in a folder."""
    noise = np.random.default_rng(0).normal(0.1, 0.05, (3, 512, 512)).astype(np.float32)
    paths = []
    for i in range(n):
        path = folder / f"{i // 1000}" / f"{i}.{ending}"
        paths.append(str(path))
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        rng = np.random.default_rng(i)
        y, x = rng.integers(0, 512 - SIDE, 2)
        planes = noise[:, y : y + SIDE, x : x + SIDE] * rng.uniform(0.5, 1.5)
        if ending == "fits":
            fits.PrimaryHDU(planes, fits.Header({"BANDS": "grz"})).writeto(path)
        else:
            Image.fromarray(np.clip(planes.transpose(1, 2, 0) * 1000, 0, 255).astype(np.uint8)).save(
                path, quality=95
            )
    return paths


def load_encoder(name: str) -> "Encoder":  # noqa: F821
    """Encoder by name, or the bundled one with means of pixels in place of its network."""
    from galzoo_repr import Encoder

    encoder = Encoder.load("bundled" if name == "mean" else name)
    if name == "mean":
        encoder.embed = lambda images, **options: np.resize(
            np.asarray(images).reshape(len(images), -1), (len(images), encoder.dim)
        ).astype(np.float32)
    return encoder


def embed(paths: list[str], encoder: str, store: str, out: str | None) -> dict:
    """Embed a catalogue in this process, and say what it took."""
    from galzoo_repr import add_embeddings
    from galzoo_repr.catalogue import write_catalogue

    computed: list[int] = []
    log = logging.getLogger("galzoo_repr")
    log.setLevel(logging.INFO)
    log.addFilter(lambda record: record.msg.startswith("Embedded") and computed.append(record.args[2]))
    loaded = load_encoder(encoder)
    table = Table({"file_loc": paths})
    add_embeddings(table[:1], encoder=loaded, images="file_loc", embedding_store=False, progress=False)
    before = peaks()
    watch = Watch()
    start, cpu = time.perf_counter(), time.process_time()
    with watch:
        table = add_embeddings(
            table, encoder=loaded, images="file_loc", embedding_store=store, progress=False
        )
        facts = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        facts["embedded"] = int(np.isfinite(table["embedding"][:, 0]).sum())
        facts["computed"] = computed[-1]
        facts["peak"] = peaks()["peak"] - before["resident"]
        if out is not None:
            write_catalogue(table, out, overwrite=True)
    facts["anonymous"] = watch.most - before["anonymous"]
    facts["with_writing"] = peaks()["peak"] - before["resident"]
    return facts


class Watch:
    """The most memory of this process that is no page of a file, looked at ten times a second."""

    def __enter__(self) -> "Watch":
        self.most, self._done = peaks()["anonymous"], threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._done.wait(0.1):
            self.most = max(self.most, peaks()["anonymous"])

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def peaks() -> dict[str, int]:
    """Bytes: the peak so far, and on Linux what is resident now and what of it is anonymous; elsewhere the peak."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    status = Path("/proc/self/status")
    if not status.exists():
        return {"peak": peak, "resident": peak, "anonymous": peak}
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    now = {
        name: int(lines[of].split()[0]) * 1024
        for name, of in (("resident", "VmRSS"), ("anonymous", "RssAnon"))
    }
    return {"peak": peak, **now}


def in_process(*arguments: str) -> subprocess.Popen:
    """Start this script on one step."""
    return subprocess.Popen(
        [sys.executable, __file__, "--step", *arguments], stdout=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen) -> dict:
    """What a step printed."""
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a step ended with {process.returncode}")
    return json.loads(told.splitlines()[-1])


def stored(store: Path) -> int:
    """Embeddings on disk."""
    for path in store.glob("*.sqlite"):
        if path.name != "files.sqlite":
            try:
                db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
                (n,) = db.execute("SELECT COUNT(*) FROM embedding").fetchone()
                db.close()
                return n
            except sqlite3.OperationalError:
                continue
    return 0


def killed(names: Path, encoder: str, store: Path, n: int) -> tuple[int, int]:
    """Kill a run at about half of the rows; how many are kept, and how many the next run computes again."""
    process = in_process(str(names), encoder, str(store))
    while stored(store) < n // 2 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = stored(store)
    after = result(in_process(str(names), encoder, str(store)))
    assert after["embedded"] == n, after
    return kept, after["computed"] - (n - kept)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--encoder", default="bundled", help="as for Encoder.load, or mean: no network")
    parser.add_argument("--format", choices=["jpg", "fits"], nargs="+", default=["jpg", "fits"])
    parser.add_argument("--folder", type=Path, help="for images and stores, which are kept there")
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        names, encoder, store, *out = options.step
        print(json.dumps(embed(json.loads(Path(names).read_text()), encoder, store, *(out or [None]))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = [measure(folder, ending, n, options) for ending in options.format for n in options.rows]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(folder: Path, ending: str, n: int, options: argparse.Namespace) -> dict:
    """Measure one catalogue, and print its line."""
    if not hasattr(measure, "headed"):
        print(
            f"encoder {options.encoder}, {SIDE} px; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        print(f"{'':12}{'first run':>12}{'peak':>10}{'anonymous':>11}{'and Parquet':>13}{'kept by':>10}{'computed':>10}"
              f"{'known, wall':>13}{'known, CPU':>12}")  # fmt: skip
        print(
            f"{'rows':>12}{'rows/s':>12}{'MB':>10}{'MB':>11}{'MB':>13}{'kill -9':>10}{'twice':>10}{'s':>13}{'s':>12}"
        )
        measure.headed = True
    images = folder / ending
    images.mkdir(exist_ok=True)
    names = folder / f"{ending}{n}.json"
    names.write_text(json.dumps(write_images(images, n, ending)))
    # Files that have just been written are not taken to be unchanged.
    time.sleep(3)
    with tempfile.TemporaryDirectory(dir=folder) as stores:
        store = Path(stores, "first")
        out = Path(stores, "out.parquet")
        first = result(in_process(str(names), options.encoder, str(store), str(out)))
        known = result(in_process(str(names), options.encoder, str(store)))
        kept, twice = (0, 0) if options.no_kill else killed(names, options.encoder, Path(stores, "killed"), n)
    figures = {"format": ending, "rows": n, "first": first, "known": known, "kept": kept, "twice": twice}
    print(
        f"{n:>7} {ending:<4}{n / first['seconds']:>12.0f}{first['peak'] / _MEGABYTE:>10.0f}"
        f"{first['anonymous'] / _MEGABYTE:>11.0f}{first['with_writing'] / _MEGABYTE:>13.0f}{kept:>10}{twice:>10}"
        f"{known['seconds']:>13.1f}{known['cpu']:>12.1f}",
        flush=True,
    )
    return figures


if __name__ == "__main__":
    main()
