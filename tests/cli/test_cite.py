"""What to cite, at the shell."""

from astropy.table import Table
from typer.testing import CliRunner

from galzoo_repr.catalogue import record_provenance, write_catalogue
from galzoo_repr.cli import app


def test_cite_prints_bibtex(tmp_path):
    table = Table({"ra": [1.0], "dec": [2.0]})
    record_provenance(table, "add_embeddings", {"encoder": "zoobot-encoder-resnet50", "layer": "ls-dr9"})
    write_catalogue(table, tmp_path / "galaxies.ecsv")
    result = CliRunner().invoke(app, ["cite", str(tmp_path / "galaxies.ecsv")])
    assert result.exit_code == 0
    assert "@article{walmsley2023zoobot," in result.stdout
    assert "@article{walmsley2023zoobot," not in CliRunner().invoke(app, ["cite"]).stdout


def test_cite_of_a_file_that_is_not_there_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["cite", str(tmp_path / "lost.fits")])
    assert result.exit_code == 1
    assert "there is no file" in result.stderr
