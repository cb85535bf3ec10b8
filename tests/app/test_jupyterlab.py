"""The page in a JupyterLab that runs: keys rate, the still pictures give way, and every tab can be opened."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from galzoo_repr.anomaly import ratings_in, read_ratings
from galzoo_repr.catalogue import write_catalogue

from .conftest import galaxies, until

nbformat = pytest.importorskip("nbformat", reason="there is no Jupyter here")
jupyter_paths = pytest.importorskip("jupyter_core.paths", reason="there is no Jupyter here")
pytestmark = [
    pytest.mark.skipif(
        find_spec("jupyterlab") is None or find_spec("ipykernel") is None,
        reason="there is no JupyterLab: pip install jupyterlab ipykernel",
    ),
    pytest.mark.skipif(
        not any(Path(place, "labextensions", "@pyviz").is_dir() for place in jupyter_paths.jupyter_path()),
        reason="JupyterLab has not Panel's extension: pip install pyviz_comms",
    ),
]

# It asks nobody for news.
QUIET = (
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
CELLS = (
    "import galzoo_repr as gzr\nfrom galzoo_repr.catalogue import read_catalogue",
    "looked = gzr.look(read_catalogue({catalogue!r}), folder={folder!r})\nlooked",
    "print('goes on with', looked.table.colnames)",
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a notebook that looks at a catalogue, in a JupyterLab of this test alone."""
    write_catalogue(galaxies(folder=tmp_path), tmp_path / "cat.ecsv")
    named = {"catalogue": str(tmp_path / "cat.ecsv"), "folder": str(tmp_path / "kept")}
    cells = [nbformat.v4.new_code_cell(cell.format(**named)) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "look.ipynb"
    )
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {place: str(tmp_path / "jupyter" / place.lower()) for place in places}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
    ]
    command += [*QUIET, f"--ServerApp.root_dir={tmp_path}", "--IdentityProvider.token=secret"]
    with (tmp_path / "lab.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **own})
        try:
            (card,) = until(lambda: list(Path(own["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")))
            address = until(lambda: json.loads(card.read_text() or "{}").get("url"))
            yield f"{address}lab/tree/look.ipynb?token=secret"
        finally:
            process.terminate()
            process.wait(timeout=60)


def run_cells(page, address: str) -> None:
    """Open the notebook, and run its cells."""
    page.goto(address)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Notebook .jp-CodeCell").first.click()
    for _ in CELLS:
        page.keyboard.press("Shift+Enter")
    page.locator("figure.here").wait_for()
    page.get_by_text("goes on with").last.wait_for()


def press(page, key: str) -> int:
    """Press a key on a galaxy, wait for the next one, and tell which it was."""
    rate = page.locator(".rate")
    row = rate.get_attribute("data-row")
    page.keyboard.press(key)
    until(lambda: rate.get_attribute("data-row") != row)
    return int(row)


def show(page, title: str, sign: object) -> None:
    """Open a tab, and wait for something in it."""
    page.locator(".bk-tab", has_text=title).last.click()
    sign.first.wait_for()


def test_the_page_lives_in_a_notebook(lab, page, tmp_path):
    run_cells(page, lab)
    until(lambda: page.evaluate("document.querySelector('.galzoo-still').hidden"))
    assert page.locator(".rate").bounding_box()["height"] > 400
    n_cells = page.locator(".jp-CodeCell").count()

    # Many at once, while a thread learns from them: what both send does not get mixed up.
    page.locator(".rate").focus()
    given = {press(page, str(number % 6)): number % 6 for number in range(24)}
    for key in ("x", "d", "d"):  # which cut and delete cells of a notebook
        page.keyboard.press(key)
    assert page.locator(".jp-CodeCell").count() == n_cells
    values = ratings_in(read_ratings(tmp_path / "kept" / "interest.ratings.ecsv"), 60)
    assert {int(row): values[row] for row in np.flatnonzero(np.isfinite(values))} == given

    def button(name: str) -> object:
        return page.get_by_role("button", name=name, exact=True)

    show(page, "Label", page.locator("input[name=column]"))
    show(page, "Find", page.locator("input[name=query]"))
    show(page, "Map", button("Select"))
    button("Select").click()
    page.get_by_text("60 selected", exact=True).wait_for()
    show(page, "Out", button("Save"))

    # A cell that is run again shows what was shown, and holds what was given.
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(1).click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("60 galaxies, 60 of them selected").wait_for()
    button("Save").wait_for()
    until(lambda: page.evaluate("document.querySelector('.galzoo-still')?.hidden"))
    show(page, "Map", button("Make UMAP"))
    page.locator(".bk-tab", has_text="Rate").last.focus()
    page.keyboard.press("Enter")  # which neither edits nor runs a cell
    page.locator("figure.here").first.wait_for()
    assert page.locator(".jp-CodeCell").count() == n_cells
    assert page.locator(".rate").get_attribute("data-rated") == "24"
