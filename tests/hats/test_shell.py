"""Job arrays at the shell."""

import json
import shutil
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from galzoo_repr.cli import app
from galzoo_repr.hats import from_hats

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_parts_are_done_and_told(pictured, small_encoder, tmp_path):
    out = tmp_path / "out"
    embed = ("embed", pictured, out, "--encoder", small_encoder, "--images", "file", "--quiet")
    assert run(*embed, "--part", "2/3").exit_code == 0
    told = run("parts", out, "--json")
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert found["done"]
    assert found["missing"]
    assert found["failed"] == {}
    assert f"{found['missing'][0]}: missing" in run("parts", out).stdout
    assert run(*embed).exit_code == 0
    assert json.loads(run("parts", out, "--json").stdout)["missing"] == []
    assert len(from_hats(out)) == 60


@pytest.mark.filterwarnings("ignore:.*(rows have no embedding|are missing)")
def test_a_part_that_failed_exits_with_3(pictured, small_encoder, tmp_path):
    broken = shutil.copytree(pictured, tmp_path / "broken")
    max(broken.rglob("Npix=*.parquet")).write_bytes(b"PAR1")
    out = tmp_path / "out"
    assert run("embed", broken, out, "--encoder", small_encoder, "--images", "file", "-q").exit_code == 3
    assert "cannot be read" in run("parts", out).stdout


@pytest.mark.parametrize("part", ["0/3", "4/3", "two", "1", "1/0"])
def test_a_part_that_is_none_is_refused(part, pictured, tmp_path):
    result = run("embed", pictured, tmp_path / "out", "--part", part)
    assert result.exit_code != 0
    assert "such as 17/200" in result.stderr
    assert not (tmp_path / "out").exists()


def test_parts_are_for_hats_catalogues(tmp_path):
    (tmp_path / "galaxies.csv").write_text("ra,dec\n1,2\n")
    result = run("embed", tmp_path / "galaxies.csv", tmp_path / "out.ecsv", "--part", "1/2")
    assert "is a file" in result.stderr
    assert "no work by partition" in run("parts", tmp_path).stderr


def test_scores_are_ranked_when_all_parts_are_scored(folder, tmp_path):
    out = tmp_path / "scored"
    similar = ("similar", folder, "--row", 11, "--out", out)
    for part in ("1/2", "2/2"):
        assert run(*similar, "--part", part).exit_code == 0
    told = run("parts", out)
    assert "scored; the same call without --part ranks all" in told.stdout
    assert "are scored" in told.stderr
    assert run(*similar).exit_code == 0
    assert json.loads(run("parts", out, "--json").stdout)["missing"] == []
    ranks = sorted(from_hats(out)["similarity_rank"])
    assert ranks[:5] == [-1, -1, -1, 0, 1]


def test_predictions_are_made_in_parts(folder, tmp_path):
    import galzoo_repr as gzr

    gzr.finetune(from_hats(folder), "ring", members=2).save(tmp_path / "model")
    for part in ("1/2", "2/2"):
        told = run("predict", folder, tmp_path / "model", tmp_path / "out", "--part", part, "--quiet")
        assert told.exit_code == 0, told.stderr
    assert "ring_probability" in from_hats(tmp_path / "out").colnames


@pytest.mark.parametrize(
    ("command", "match"),
    [
        (("similar", "TABLE", "--row", 0, "--part", "1/2"), "is a file"),
        (("predict", "TABLE", "model", "out.ecsv", "--part", "1/2"), "is a file"),
    ],
)
def test_parts_of_a_table_are_refused(command, match, tmp_path):
    (tmp_path / "galaxies.csv").write_text("ra,dec\n1,2\n")
    result = run(*(tmp_path / "galaxies.csv" if word == "TABLE" else word for word in command))
    assert result.exit_code != 0
    assert match in result.stderr
