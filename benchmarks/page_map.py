"""
How smooth the map of the page is, measured in a browser: time of a wheel step and of a pan, and what is sent.

``python benchmarks/page_map.py [galaxies ...]`` needs playwright and Chromium (``GALZOO_CHROMIUM`` names another).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table
from playwright.sync_api import Page, sync_playwright

from galzoo_repr.catalogue import write_catalogue

CHROMIUM = os.environ.get("GALZOO_CHROMIUM") or shutil.which("chromium")
STEPS = 20
# Time between frames while something moves.
FRAMES = """() => { window.frames_ = []; let last = performance.now();
  const step = now => { window.frames_.push(now - last); last = now; requestAnimationFrame(step) };
  requestAnimationFrame(step) }"""


def simulated(n: int) -> Table:
    """Catalogue in twelve heaps on a map, over a band of the sky, without embeddings."""
    generator = np.random.default_rng(0)
    heap = generator.integers(0, 12, n)
    places = generator.normal(0, 4, (12, 2))[heap] + generator.normal(size=(n, 2))
    return Table(
        {
            "map_x": places[:, 0].astype("float32"),
            "map_y": places[:, 1].astype("float32"),
            "z": generator.random(n).astype("float32"),
            "ra": generator.uniform(110, 250, n),
            "dec": generator.uniform(-5, 30, n),
        }
    )


def measure(page: Page, url: str) -> dict[str, float]:
    """Seconds to the first picture, milliseconds a step, and megabytes received."""
    received = [0]
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    start = time.perf_counter()
    page.goto(url)
    page.get_by_text("Map", exact=True).click()
    figure = page.locator(".bk-Figure").first
    figure.wait_for()
    found = {"first picture, s": time.perf_counter() - start}
    page.wait_for_timeout(4000)
    found["received, MB"] = sum(received) / 1e6
    box = figure.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.evaluate(FRAMES)
    start = time.perf_counter()
    for step in range(STEPS):
        page.mouse.wheel(0, -120 if step < STEPS / 2 else 120)
    found["wheel step, ms"] = 1e3 * (time.perf_counter() - start) / STEPS
    start = time.perf_counter()
    page.mouse.down()
    page.mouse.move(middle[0] + 200, middle[1] + 80, steps=STEPS)
    page.mouse.up()
    found["pan step, ms"] = 1e3 * (time.perf_counter() - start) / STEPS
    frames = np.array(page.evaluate("window.frames_"))
    found["frame, median ms"], found["frame, p95 ms"] = np.percentile(frames, (50, 95))
    return found


def main() -> None:
    """Measure catalogues of the sizes that are given."""
    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for n in sizes:
            path = Path(folder) / f"{n}.parquet"
            write_catalogue(simulated(n), path)
            command = [sys.executable, "-m", "galzoo_repr", "look", str(path), "--no-browser"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
                url = re.match(r"http://\S+", served.stdout.readline())[0]
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(120_000)
                found = measure(page, url)
                page.close()
                served.terminate()
            print(
                f"{n:,} galaxies: " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()),
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
