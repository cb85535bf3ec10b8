"""The demonstration: what it writes, what it refuses, and what it leaves behind when it is interrupted."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from galzoo_repr.catalogue import read_catalogue
from galzoo_repr.cli import app
from galzoo_repr.demo._findings import purity


def test_files_are_complete(finished):
    result, out = finished
    assert result.exit_code == 0, result.output
    names = {path.name for path in out.iterdir()}
    assert {"catalogue.ecsv", "catalogue.parquet", "index.html"} <= names
    assert {path.name for path in out.parent.iterdir()} == {"out"}
    for path in out.glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.width > 600  # five or ten galaxies wide
            assert picture.height > 150  # a row of them at least


def test_catalogue_holds_embeddings_and_similarities(finished):
    _, out = finished
    catalogue = read_catalogue(out / "catalogue.parquet")
    assert len(catalogue) == 40
    assert np.isfinite(catalogue["embedding"]).all(axis=1).mean() > 0.8
    assert len(read_catalogue(out / "catalogue.ecsv")) == 40
    kinds = [path.stem.removeprefix("similar_") for path in out.glob("similar_*.png")]
    assert kinds
    for kind in kinds:
        asked = catalogue[catalogue[f"similarity_{kind}_rank"] == 0]
        assert list(asked["true_kind"]) == [kind]
        assert asked[f"similarity_{kind}"][0] == pytest.approx(1)


def test_interest_is_learned_from_a_part_of_the_catalogue(finished):
    _, out = finished
    catalogue = read_catalogue(out / "catalogue.parquet")
    rated = np.isfinite(catalogue["interest"])
    assert 0 < rated.sum() < len(catalogue) / 2
    scored = np.isfinite(catalogue["embedding"]).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(catalogue["anomaly_score"]), scored)
    assert (out / "interesting.png").exists()
    assert (out / "rated.png").exists()
    # A round of ten, as the rounds are numbered from 1 and those not rated have 0.
    np.testing.assert_array_equal(catalogue["interest_round"] > 0, rated)
    assert np.bincount(catalogue["interest_round"]).tolist() == [30, 10]


def test_labels_of_a_part_are_predicted_for_all(finished):
    _, out = finished
    catalogue = read_catalogue(out / "catalogue.parquet")
    labelled = np.isfinite(catalogue["spiral"])
    assert 0 < labelled.sum() < len(catalogue) / 2
    scored = np.isfinite(catalogue["embedding"]).all(axis=1)
    assert (
        (catalogue["spiral_probability"][scored] >= 0) & (catalogue["spiral_probability"][scored] <= 1)
    ).all()
    assert (out / "probably_spiral.png").exists()


def test_cutouts_of_the_scratch_folder_are_not_named_but_small_pictures_are(finished):
    _, out = finished
    catalogue = read_catalogue(out / "catalogue.parquet")
    assert "cutout" not in catalogue.colnames
    ok = np.asarray(catalogue["cutout_status"] == "ok")
    named = [str(path) for path in catalogue["file_loc"]]
    assert [bool(path) for path in named] == ok.tolist()
    assert sorted(filter(None, named)) == sorted(
        f"pictures/{path.name}" for path in (out / "pictures").iterdir()
    )
    assert sum((out / path).stat().st_size for path in filter(None, named)) < 40 * 20_000
    pytest.importorskip("panel", reason="the page needs Panel")
    from galzoo_repr.app._pictures import RowPictures

    shown = RowPictures(catalogue)
    assert [shown.jpeg(row) is not None for row in range(40)] == ok.tolist()


def test_page_needs_no_other_place(finished):
    _, out = finished
    page = (out / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    pictures = [source for source in sources if source.startswith("data:image/jpeg;base64,")]
    assert len(pictures) == len(list(out.glob("*.png")))
    assert {source for source in sources if source not in pictures} == {"catalogue.ecsv", "catalogue.parquet"}
    assert "$" not in page


def test_page_begins_with_a_picture_and_folds_what_only_a_simulation_knows(finished):
    _, out = finished
    page = (out / "index.html").read_text(encoding="utf-8")
    assert 0 < page.index("<figure>") < page.index("<table>")
    shown, folded = page.split("<details>")
    catalogue = read_catalogue(out / "catalogue.parquet")
    truths = [name for name in catalogue.colnames if name.startswith("true_")]
    votes = [name for name in catalogue.colnames if name.startswith("bar-dr5_")]
    for name in [*truths, *votes]:
        assert f"<code>{name}</code>" not in shown
        assert f"<code>{name}</code>" in folded
    assert "<code>anomaly_score</code>" in shown


def test_summary_is_printed_with_chance_beside_it(finished):
    result, _ = finished
    assert "by chance" in result.stdout
    assert re.search(r"like each of \d+", result.stdout)
    assert "index.html" in result.stdout


@pytest.mark.parametrize("name", ["out", "a file"])
def test_a_place_that_is_taken_is_refused(tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    (tmp_path / "a file").touch()
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / name)])
    assert result.exit_code == 1
    assert "is not an empty folder; choose another --out, or add --overwrite" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_interruption_leaves_nothing_behind(tmp_path, small_encoder, number, code, word):
    out = tmp_path / "out"
    command = "from galzoo_repr.cli import main; main()"
    arguments = ["demo", "--out", str(out), "--encoder", str(small_encoder), "-n", "300"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 240
        while not any(tmp_path.glob(".out-*/cache/cutouts/**/*.fits")):  # in the middle of fetching
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "no cutout was fetched within four minutes"
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code
    assert word in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):  # nobody is left of its group
        os.killpg(process.pid, 0)


def test_purity_counts_each_galaxys_neighbours():
    embeddings = np.repeat(np.eye(3), 4, axis=0)
    kinds = np.repeat(["a", "b", "c"], 4)
    found, chance = purity(embeddings, kinds, n=3)
    assert found == 1
    assert chance == pytest.approx(3 / 11)
    shuffled, _ = purity(embeddings, np.tile(["a", "b", "c"], 4), n=3)
    assert shuffled < found
