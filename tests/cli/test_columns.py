"""At the shell: published embeddings, galaxies that are there twice, encoders compared, columns beside the picture."""

import json

import numpy as np
import pytest
from astropy.table import Table, vstack
from typer.testing import CliRunner

from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cli import app

N = 60


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    table = Table({"id": np.arange(N) + 100, "ra": rng.uniform(0, 360, N), "dec": rng.uniform(-60, 60, N)})
    published = table.copy()
    vectors = rng.normal(size=(N, 12))
    for i in range(12):
        published[f"feat_{i}"] = vectors[:, i]
    published.write(tmp_path / "pca.csv", format="ascii.csv")
    write_catalogue(table, tmp_path / "galaxies.fits")
    table["embedding"] = vectors.astype("float32")
    table["z"] = rng.uniform(0, 0.3, N)
    table["ring"] = vectors[:, 0] > 0
    table["other"] = rng.normal(size=(N, 12)).astype("float32")
    write_catalogue(vstack([table, table[:3]]), tmp_path / "embedded.parquet")
    return tmp_path


@pytest.mark.parametrize("how", [["--match", "id"], ["--match", "id,id"], ["--radius", "1 arcsec"]])
def test_external(folder, how):
    tables = (folder / "galaxies.fits", folder / "pca.csv", folder / "out.parquet")
    result = run("external", *tables, *how, "--json", "-q")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == N
    found = read_catalogue(folder / "out.parquet")
    expected = read_catalogue(folder / "embedded.parquet")["embedding"][:N]
    assert np.allclose(found["embedding"], expected)
    assert found.meta["GZRENC"] == "external: pca"


def test_external_without_a_way_to_match(folder):
    result = run("external", folder / "galaxies.fits", folder / "pca.csv", folder / "out.parquet")
    assert result.exit_code == 1
    assert "--match" in result.stderr


@pytest.mark.parametrize("how", [[], ["--separation", "1 arcsec"], ["--similarity", "0.999"]])
def test_duplicates(folder, how):
    result = run("duplicates", folder / "embedded.parquet", folder / "out.parquet", *how)
    assert result.exit_code == 0, result.output
    assert "3 galaxies are there several times, in 6 rows" in " ".join(result.stderr.split())
    assert (read_catalogue(folder / "out.parquet")["duplicate_size"] == 2).sum() == 6
    again = run(
        "duplicates", folder / "embedded.parquet", folder / "out.parquet", "--overwrite", "--json", *how
    )
    told = {"out": str(folder / "out.parquet"), "rows": N + 3, "groups": 3, "galaxies": 6}
    assert json.loads(again.stdout) == told
    result = run("duplicates", folder / "embedded.parquet", folder / "once.parquet", "--once", *how)
    assert len(read_catalogue(folder / "once.parquet")) == N


def test_compare(folder):
    options = ("--label", "ring", "--encoder", "embedding", "--encoder", "other", "--quiet")
    result = run(
        "compare", folder / "embedded.parquet", *options, "--format", "json", "--out", folder / "b.ecsv"
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["encoder"] for row in rows] == ["embedding", "other"]
    assert rows[0]["accuracy"] > rows[1]["accuracy"]
    assert read_catalogue(folder / "b.ecsv")["accuracy"][0] == pytest.approx(rows[0]["accuracy"])
    assert run("compare", folder / "embedded.parquet", *options).exit_code == 0
    wrong = run("compare", folder / "embedded.parquet", "--label", "ring", "--encoder", "bundledd")
    assert wrong.exit_code == 1
    assert "did you mean 'bundled'" in " ".join(wrong.stderr.split())


def test_beside(folder):
    options = ("--row", "5", "--format", "csv", "-n", "8")
    alone = run("similar", folder / "embedded.parquet", *options)
    beside = run("similar", folder / "embedded.parquet", *options, "--beside", "z=1")
    assert beside.exit_code == 0, beside.output
    assert alone.stdout != beside.stdout
    for wrong in ("z", "z=much", "z=-1", "redshift=1", "=1"):
        result = run("similar", folder / "embedded.parquet", *options, "--beside", wrong)
        assert result.exit_code == 1, wrong
    result = run(
        "finetune", folder / "embedded.parquet", folder / "model", "--label", "ring", "--beside", "z=0.5"
    )
    assert result.exit_code == 0, result.output
    assert "z (weight 0.5)" in result.stdout
    assert "one answer for all" in result.stdout
    assert (
        f"Model written to {folder / 'model'}. Probabilities for all galaxies: galzoo-repr predict"
        in result.stderr
    )
