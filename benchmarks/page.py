"""Time from a key press to the next image, measured in a browser, and what learning meanwhile takes.

Usage: python benchmarks/page.py [--rows 100000] [--presses 60] [--pace 400] [--jupyterlab]

The catalogue is simulated: embeddings of 64 numbers, of which a few directions are interesting, and pictures of FITS
files that are shared by many rows. Needs Panel, playwright, and a Chromium; to measure in a notebook JupyterLab, too.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

PICTURES = 40
RULES = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
# Finds the box through all shadow roots; presses a key, and waits until another row is shown and painted.
PRESS = """async (key) => {
  const find = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.matches(".rate[tabindex]")) return node
      const inner = node.shadowRoot && find(node.shadowRoot)
      if (inner) return inner
    }
  }
  const box = window.box ??= find(document)
  const before = box.dataset.row, start = performance.now()
  const shown = new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      if (box.dataset.row === before) return
      watch.disconnect()
      requestAnimationFrame(() => resolve(performance.now() - start))
    })
    watch.observe(box, { attributes: true })
  })
  box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }))
  return shown
}"""


def catalogue(folder: Path, n: int) -> Path:
    """Write a catalogue of n galaxies."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(PICTURES):
        y, x = np.mgrid[-1:1:256j, -1:1:256j]
        light = np.exp(-np.hypot(x, y * generator.uniform(1, 3)) * generator.uniform(5, 15))
        planes = [band * light + generator.normal(0, 0.005, light.shape) for band in (0.3, 0.6, 1.0)]
        header = fits.Header({"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"})
        paths.append(str(folder / f"{number}.fits"))
        fits.writeto(paths[-1], np.array(planes, "float32"), header)
    table = Table({"ra": generator.uniform(0, 360, n), "dec": generator.uniform(-60, 60, n)})
    table["embedding"] = generator.normal(size=(n, 64)).astype("float32")
    table["file_loc"] = np.array(paths)[np.arange(n) % PICTURES]
    from galzoo_repr.catalogue import write_catalogue

    write_catalogue(table, folder / "galaxies.parquet")
    return folder / "galaxies.parquet"


def report(name: str, times: list[float]) -> None:
    """Print median and 95th percentile of some milliseconds."""
    ordered = sorted(times)
    last = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    print(f"{name:38s} median {statistics.median(ordered):6.1f} ms   95% {last:6.1f} ms   n {len(ordered)}")


@contextmanager
def served(path: Path) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Serve a catalogue; give the address, and what a browser does to open the page there."""
    command = [sys.executable, "-m", "galzoo_repr", "look", str(path), "--no-browser"]
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    print(f"command to address                     {time.perf_counter() - start:6.1f} s")
    try:
        yield url, lambda page: None
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@contextmanager
def in_jupyterlab(path: Path) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Look at a catalogue in a notebook of JupyterLab."""
    import nbformat

    look = "import galzoo_repr as gzr\nfrom galzoo_repr.catalogue import read_catalogue\n"
    cell = nbformat.v4.new_code_cell(f"{look}gzr.look(read_catalogue({str(path)!r}))")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, path.parent / "look.ipynb")
    runtime = path.parent / "runtime"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
    ]
    command += [f"--ServerApp.root_dir={path.parent}", "--IdentityProvider.token=secret"]
    own = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (cards := list(runtime.glob("jpserver-*.json"))) or not cards[0].read_text().strip():
            time.sleep(0.1)
        yield f"{json.loads(cards[0].read_text())['url']}lab/tree/look.ipynb?token=secret", run_cell
    finally:
        server.terminate()
        server.wait()


def run_cell(page: Any) -> None:
    """Run the cell of a notebook once its kernel is there."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=300_000)
    page.locator(".jp-Notebook .jp-CodeCell").first.click()
    page.keyboard.press("Shift+Enter")


def measure(path: Path, presses: int, pace: int, opened: Callable) -> None:
    """Open the page of a catalogue, and rate in a browser."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("GALZOO_CHROMIUM") or shutil.which("chromium")
    with opened(path) as (url, run), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", RULES])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        begun = time.perf_counter()
        page.goto(url)
        run(page)
        page.locator("figure.here").wait_for(timeout=300_000)
        print(f"address to first image                 {time.perf_counter() - begun:6.1f} s")
        generator = np.random.default_rng(1)
        for name, wait in ((f"key to next image, every {pace} ms", pace), ("key to next image, at once", 0)):
            times = []
            for _ in range(presses):
                times.append(page.evaluate(PRESS, str(generator.choice([0, 0, 0, 1, 4]))))
                page.wait_for_timeout(wait)
            report(name, times)
        browser.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--presses", type=int, default=60)
    parser.add_argument(
        "--pace", type=int, default=400, help="milliseconds between an image and the next key"
    )
    parser.add_argument(
        "--jupyterlab", action="store_true", help="in a notebook, not on the page that is served"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = catalogue(Path(folder), given.rows)
        measure(path, given.presses, given.pace, in_jupyterlab if given.jupyterlab else served)


if __name__ == "__main__":
    main()
