"""
Make the demonstration's pictures, captions and alternative texts in the README and the pages again.

``python docs/make_images.py`` runs the demonstration and writes all of them; what it says of the pictures is in
``images/demo.json``, from which the pages (through ``images/*.inc``) and the README have it.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.demo import run_demo

if TYPE_CHECKING:
    from playwright.sync_api import Page

README = Path(__file__).parents[1] / "README.md"
IMAGES = Path(__file__).parent / "images"
WORDS = IMAGES / "demo.json"
# Whole addresses, as package indices show the README without the files beside it.
ADDRESS = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
    "Repository"
]
PICTURES = ADDRESS.replace("//github.com", "//raw.githubusercontent.com") + "/main/docs/images"
WANTED = ("similar_merger", "rated", "interesting")


def figure(name: str, words: dict) -> str:
    """Write a picture with its words as reStructuredText, for the pages."""
    caption = textwrap.fill(_plain(words["caption"]), 120, initial_indent="   ", subsequent_indent="   ")
    return f".. figure:: /images/{name}.jpg\n   :width: 100 %\n   :alt: {words['alt']}\n\n{caption}\n"


def with_pictures(readme: str, pictures: dict[str, dict]) -> str:
    """Write the pictures with their words into a README, between the marks that it has for them."""
    for name, words in pictures.items():
        image = f"![{words['alt']}]({PICTURES}/{name}.jpg)"
        body = f"\n{image}\n\n{textwrap.fill(_plain(words['caption']), 120)}\n\n"
        marks = rf"(<!-- picture: {name} -->\n).*?(<!-- end of picture -->)"
        readme = re.sub(marks, lambda found, body=body: found[1] + body + found[2], readme, flags=re.DOTALL)
    return readme


def _plain(text: str) -> str:
    """Keep marks in a text from being taken for markup; both languages escape them alike."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def draw_plots(catalogue: Table) -> None:
    """Draw the demonstration's galaxies as the page on plots shows them."""
    import matplotlib.pyplot as plt

    catalogue = gzr.add_map(catalogue)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    gzr.plot.map(catalogue, colour="anomaly_score", ax=left)
    gzr.plot.scores(catalogue, ratings="interest", ax=right)
    figure.savefig(IMAGES / "plots.png", dpi=150)


def draw_page(n: int = 120) -> None:
    """Take pictures of the page in a browser, while galaxies are rated; needs Panel, playwright and Chromium."""
    from playwright.sync_api import sync_playwright

    from galzoo_repr.catalogue import write_catalogue

    simulated = gzr.SimulatedSurvey(seed=3)
    with tempfile.TemporaryDirectory() as folder, gzr.conf.set_temp("cache_dir", f"{folder}/cache"):
        with simulated.serve() as service:
            survey = gzr.LegacySurvey(server=service.url)
            catalogue = gzr.add_embeddings(simulated.catalogue(n), survey=survey, progress=False)
        path = Path(folder) / "galaxies.parquet"
        write_catalogue(catalogue["name", "ra", "dec", "mag_r", "cutout", "cutout_status", "embedding"], path)
        command = [sys.executable, "-m", "galzoo_repr", "look", str(path), "--no-browser", "--show", "mag_r"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(server.stdout.readline().strip())
            _use_page(page, list(catalogue["true_kind"]))
            browser.close()
            server.terminate()


def _use_page(page: "Page", kinds: list[str]) -> None:
    """Rate as one who likes spirals does, and go through the views."""
    for _ in range(16):
        page.locator("figure.here").wait_for(timeout=120_000)
        row = int(page.locator(".rate").get_attribute("data-row"))
        page.keyboard.press("5" if "spiral" in str(kinds[row]) else "0")
        page.wait_for_timeout(500)
    page.keyboard.press(" ")
    for name, keys in (("rate", ""), ("viewer", "v"), ("find", "vm"), ("map", "")):
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(2_000)
        if name == "map":
            page.get_by_text("Map", exact=True).first.click()
        page.wait_for_timeout(8_000)
        page.screenshot(path=IMAGES / f"page_{name}.jpg", type="jpeg", quality=80)


def main() -> None:
    """Run the demonstration, and write down what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        found = run_demo(Path(folder) / "demo", progress=False, say=print)
    findings = found.findings
    draw_plots(found.catalogue)
    draw_page()
    pictures = {}
    for finding in findings:
        if finding.name in WANTED:
            finding.picture.save(IMAGES / f"{finding.name}.jpg", quality=88, optimize=True)
            words = {"caption": finding.caption, "alt": finding.alt, "tally": asdict(finding.tally)}
            pictures[finding.name] = words
            (IMAGES / f"{finding.name}.inc").write_text(figure(finding.name, words), encoding="utf-8")
    WORDS.write_text(json.dumps(pictures, indent=2) + "\n", encoding="utf-8")
    README.write_text(with_pictures(README.read_text(encoding="utf-8"), pictures), encoding="utf-8")


if __name__ == "__main__":
    main()
