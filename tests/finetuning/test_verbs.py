"""The verbs finetune and predict say what the functions say, in files."""

import json

import numpy as np
import pytest
import timm
import torch
from astropy.table import Table
from PIL import Image
from typer.testing import CliRunner

import galzoo_repr as gzr
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
    told = run(
        "finetune", catalogue, tmp_path / "m", "--label", "ring", "--members", 3, "--next", 4, "--json", "-q"
    )
    told = json.loads(told.stdout)
    assert told["out"] == str(tmp_path / "m")
    assert {"n_galaxies", "metrics"} <= set(told["report"])
    assert len(told["next_to_label"]) == 4
    assert "200 galaxies; written to" in predicted.stderr
    table = read_catalogue(out)
    assert np.mean((table["ring_probability"] > 0.5) == has_ring) > 0.8
    fewer = tmp_path / "fewer.fits"
    predicted = run("predict", catalogue, folder, fewer, "--prior", "0.05", "-q")
    assert predicted.exit_code == 0, predicted.output
    assert read_catalogue(fewer)["ring_probability"].mean() < 0.7 * table["ring_probability"].mean()


@pytest.mark.filterwarnings("ignore:the labels in .* do not show:galzoo_repr.exceptions.GalzooWarning")
def test_an_encoder_is_fine_tuned_at_the_shell(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("lcnet_035", num_classes=0)
    gzr.Encoder(network, gzr.ImageRecipe(size=32), name="tiny").save(tmp_path / "tiny")
    pixels = np.random.default_rng(0).integers(0, 255, (24, 40, 40, 3), np.uint8)
    files = [str(tmp_path / f"{i}.png") for i in range(24)]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(file)
    labels = np.where(np.arange(24) < 20, np.arange(24) % 2, np.nan)
    table = Table({"file": files, "ring": labels})
    encoder = gzr.Encoder.load(tmp_path / "tiny")
    table = gzr.add_embeddings(table, encoder=encoder, images="file", embedding_store=False, progress=False)
    catalogue, folder = tmp_path / "galaxies.parquet", tmp_path / "model"
    write_catalogue(table, catalogue)
    learned = run(
        "finetune", catalogue, folder, "--label", "ring", "--depth", 1, "--images", "file", "--next", 2,
        "--encoder", tmp_path / "tiny", "--run", tmp_path / "run", "--members", 2, "-q",
    )  # fmt: skip
    assert learned.exit_code == 0, learned.output
    assert "encoder fine-tuned from" in learned.stdout
    assert "Next to label" in learned.stdout
    assert (tmp_path / "run").is_dir()
    assert gzr.MorphologyModel.load(folder).card["depth"] == 1


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
    assert "does not hold a model" in result.stderr


def test_a_plot_without_matplotlib_is_refused_before_anything_is_learned(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr("galzoo_repr.cli._finetuning.find_spec", lambda name: None)
    result = run(
        "finetune", catalogue, tmp_path / "model", "--label", "ring", "--plot", tmp_path / "plot.png"
    )
    assert result.exit_code == 1
    assert 'pip install "galzoo_repr[plot]"' in result.stderr
    assert not (tmp_path / "model").exists()
