"""The verbs finetune and predict say what the functions say, in files."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def catalogue(galaxies, tmp_path):
    write_catalogue(galaxies, tmp_path / "galaxies.parquet")
    return tmp_path / "galaxies.parquet"


def test_from_labels_to_a_table_of_predictions(catalogue, has_ring, tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    plot, folder, out = tmp_path / "plot.png", tmp_path / "model", tmp_path / "predicted.fits"
    learned = run(
        "finetune", catalogue, folder, "--label", "ring", "--members", 3, "--next", 4, "--plot", plot, "-q"
    )
    assert learned.exit_code == 0, learned.output
    assert "ring: yes or no, from 60 labelled images" in learned.stdout
    assert "Next to label" in learned.stdout
    with Image.open(plot) as picture:
        assert min(picture.size) > 300
    predicted = run("predict", catalogue, folder, out, "-q")
    assert predicted.exit_code == 0, predicted.output
    assert "200 galaxies; written to" in predicted.stderr
    table = read_catalogue(out)
    assert np.mean((table["ring_probability"] > 0.5) == has_ring) > 0.8


def test_nothing_is_overwritten_unless_asked(catalogue, tmp_path):
    arguments = ("finetune", catalogue, tmp_path / "model", "--label", "ring", "--members", 2, "-q")
    assert run(*arguments).exit_code == 0
    again = run(*arguments)
    assert again.exit_code == 1
    assert "exists; add --overwrite to replace it" in again.stderr
    result = run("predict", catalogue, tmp_path / "model", catalogue)
    assert result.exit_code == 1
    assert "exists; add --overwrite" in result.stderr


def test_faults_are_told_in_a_line(catalogue, tmp_path):
    result = run("finetune", catalogue, tmp_path / "model", "--label", "rung")
    assert result.exit_code == 1
    assert "neither a column of the table" in result.stderr
    result = run("predict", catalogue, tmp_path, tmp_path / "out.fits")
    assert result.exit_code == 1
    assert "holds no model" in result.stderr
