"""A real server of the page, and a real browser that looks at it, off the network."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

CHROMIUM = os.environ.get("GALZOO_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# Every host but this machine is nowhere.
RULES = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
PATIENCE = 150_000  # milliseconds; machines that test are busy


@pytest.fixture(autouse=True, scope="session")
def _panel() -> None:
    """Skip all tests of the page where Panel is not installed, however they are called."""
    pytest.importorskip("panel", reason='the page needs Panel: pip install "galzoo_repr[app]"')


def galaxies(n: int = 60, *, folder: Path | None = None, seed: int = 0) -> Table:
    """Catalogue with positions, embeddings whose first number is what is interesting, and pictures in a folder."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    embedding = generator.normal(size=(n, 6)).astype("float32")
    table = Table(
        {
            "name": [f"galaxy {row}" for row in range(n)],
            "ra": generator.uniform(10, 20, n),
            "dec": generator.uniform(-5, 5, n),
            "embedding": embedding,
        }
    )
    if folder is not None:
        paths = []
        for row in range(n):
            shade = np.clip(128 + 50 * embedding[row, :3], 0, 255).astype("uint8")
            pixels = np.broadcast_to(shade, (48, 48, 3))
            paths.append(str(folder / f"{row}.png"))
            Image.fromarray(pixels).save(paths[-1])
        table["file_loc"] = paths
    return table


@dataclass
class Served:
    """A page that a process of its own serves."""

    process: subprocess.Popen
    url: str
    folder: Path
    log: Path
    said: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        return self.url.partition("token=")[2]

    @property
    def root(self) -> str:
        return self.url.partition("?")[0]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """End it as Ctrl-C does, and give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """
    Serve a catalogue, as ``served(table, *options)`` of ``galzoo-repr look``.

    All calls of one test have the same catalogue and folder, so that a second one goes on where the first was.
    """
    with serving(tmp_path) as start:
        yield start


@contextmanager
def serving(folder: Path) -> Iterator[Callable[..., Served]]:
    """Serve catalogues in a folder, as `served` says."""
    from galzoo_repr.catalogue import write_catalogue

    running: list[Served] = []

    def start(table: Table | None = None, *options: str) -> Served:
        path = folder / "cat.ecsv"
        if table is not None:
            write_catalogue(table, path, overwrite=True)
        command = [sys.executable, "-m", "galzoo_repr", "look", str(path), "--no-browser", *options]
        log = folder / f"log{len(running)}.txt"
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE / 1000)
        line = process.stdout.readline().strip() if ready else ""
        one = Served(process, line, folder / "cat.ecsv.look", log)
        running.append(one)
        assert line.startswith("http://127.0.0.1:"), log.read_text()
        return one

    try:
        yield start
    finally:
        for one in running:
            if one.process.poll() is None:
                one.kill()
            one.process.stdout.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[SimpleNamespace]:
    """Headless Chromium of this machine; tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip(
            "there is no Chromium on this machine: apt install chromium, or name it in GALZOO_CHROMIUM"
        )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", RULES])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """
    A page of the browser. It fails the test if a script of it failed, or if it asked any other host.

    Of its own it has ``page.asked``, addresses asked for, and ``page.faults``, what went wrong in it.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    one = context.new_page()
    one.set_default_timeout(PATIENCE)
    one.asked, one.faults = [], []
    one.on("request", lambda request: one.asked.append(request.url))
    one.on("pageerror", lambda error: one.faults.append(str(error)))
    yield one
    context.close()
    assert not one.faults
    elsewhere = [url for url in one.asked if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))]
    assert not elsewhere


def until(condition: Callable[[], object], seconds: float = PATIENCE / 1000) -> object:
    """Wait until a condition holds, and give its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")
