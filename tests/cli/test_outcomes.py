"""What scripts can tell from a verb: its exit code, and what it prints for other programs."""

import json

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from typer.testing import CliRunner

from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cli import app
from galzoo_repr.cli._terminal import check_fail_on

pytestmark = pytest.mark.filterwarnings("ignore::galzoo_repr.GalzooWarning")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def pictures(tmp_path):
    """Catalogue of four picture files of which some may not be there."""

    def made(there: int):
        files = [tmp_path / f"{row}.png" for row in range(4)]
        for row, file in enumerate(files[:there]):
            Image.fromarray(np.random.default_rng(row).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(
                file
            )
        table = Table({"name": [f"G {row}" for row in range(4)], "file_loc": [str(file) for file in files]})
        write_catalogue(table, tmp_path / "in.fits", overwrite=True)
        return tmp_path / "in.fits"

    return made


@pytest.mark.parametrize(
    ("there", "fail_on", "code"),
    [(4, "0", 0), (3, "0", 3), (3, "25%", 0), (3, "0.2", 3), (0, "0", 4), (0, "100%", 4)],
)
def test_exit_codes_tell_how_many_galaxies_failed(pictures, tmp_path, there, fail_on, code):
    out = tmp_path / "out.fits"
    result = run("embed", pictures(there), out, "--images", "file_loc", "--fail-on", fail_on, "--quiet")
    assert result.exit_code == code, result.output
    written = read_catalogue(out)
    assert np.isfinite(written["embedding"]).all(axis=1).sum() == there, "the result is written in every case"


@pytest.mark.parametrize(("there", "fail_on", "said"), [(3, "0", True), (3, "25%", False), (4, "0", False)])
def test_why_the_exit_code_is_three(pictures, tmp_path, there, fail_on, said):
    result = run(
        "embed", pictures(there), tmp_path / "out.fits", "--images", "file_loc", "--fail-on", fail_on
    )
    assert ("1 of 4 galaxies do not have what was asked for, more than --fail-on 0" in result.stderr) is said


def test_counts_for_other_programs(pictures, tmp_path):
    out = tmp_path / "out.fits"
    result = run("embed", pictures(3), out, "--images", "file_loc", "--json", "--quiet")
    told = json.loads(result.stdout)
    figures = told.pop("figures")
    assert told == {"out": str(out), "rows": 4, "failed": 1, "cutout_status": {"ok": 3, "missing": 1}}
    assert (figures["embedded"], figures["failed"]) == (3, 1)
    assert figures["seconds"] > 0
    assert "limited by" not in result.stderr


def test_a_line_says_how_fast_it_went(pictures, tmp_path):
    result = run("embed", pictures(4), tmp_path / "out.fits", "--images", "file_loc")
    assert "4 galaxies in " in result.stderr
    assert "embedded 4" in result.stderr


@pytest.mark.parametrize("form", ["csv", "json"])
def test_lists_for_other_programs(pictures, tmp_path, form):
    out = tmp_path / "out.fits"
    assert run("embed", pictures(4), out, "--images", "file_loc", "--quiet").exit_code == 0
    result = run("similar", out, "--row", 0, "-n", 2, "--format", form)
    assert result.exit_code == 0, result.output
    if form == "json":
        rows = json.loads(result.stdout)
    else:
        rows = [
            dict(zip(row.colnames, row, strict=True)) for row in Table.read(result.stdout, format="ascii.csv")
        ]
    assert [row["rank"] for row in rows] == [1, 2]
    assert all(row["galaxy"] == f"G {row['row']}" and -1 <= row["similarity"] <= 1 for row in rows)


def test_a_column_of_pictures_that_is_not_there(pictures, tmp_path):
    result = run("embed", pictures(4), tmp_path / "out.fits", "--images", "pictures")
    assert result.exit_code == 1
    assert "'pictures' is not a column of the table; its columns are name, file_loc" in result.stderr


@pytest.mark.parametrize("text", ["much", "-1", "200%", "nan", ""])
def test_a_part_that_may_fail_is_a_part(text):
    with pytest.raises(ValueError, match="--fail-on must be a part of the galaxies"):
        check_fail_on(text)


def test_info_says_versions_cache_and_device():
    told = json.loads(run("info", "--json").stdout)
    assert {"galzoo_repr", "python", "torch", "onnxruntime", "device", "cache", "encoders"} <= set(told)
    assert told["encoders"][0] == "bundled"
    assert told["cache"] in run("info").stdout.replace("\n", "")


def test_info_says_which_settings_are_wrong():
    from galzoo_repr import conf

    assert json.loads(run("info", "--json").stdout)["faults"] == []
    with (
        conf.set_temp("keep", "everything"),
        conf.set_temp("max_cache_size", "huge"),
        conf.set_temp("workers", 0),
    ):
        faults = json.loads(run("info", "--json").stdout)["faults"]
        said = run("info").output
    assert [fault.split("=")[0] for fault in faults] == ["conf.keep", "conf.max_cache_size", "conf.workers"]
    for fault in faults:
        assert f"{fault} (in galzoo_repr.cfg, or a variable GALZOO_REPR_...)" in " ".join(said.split())


def test_info_of_a_cache_that_cannot_be():
    from galzoo_repr import conf

    with conf.set_temp("cache_dir", "a\0b"):
        assert "NUL character" in json.loads(run("info", "--json").stdout)["faults"][0]


@pytest.mark.parametrize(
    ("verb", "keep", "said"),
    [("fetch", "none", "--keep none would leave nothing"), ("fetch", "png", "--keep png is not one of 'fits'"),
     ("embed", "png", "--keep png is not one of 'fits', 'jpeg', 'none'")],
)  # fmt: skip
def test_options_are_named_as_the_shell_knows_them(verb, keep, said, tmp_path):
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "in.ecsv")
    result = run(verb, tmp_path / "in.ecsv", tmp_path / "out.ecsv", "--fov", "10 arcsec", "--keep", keep)
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert said in output
    assert "add_" not in output
    assert "keep=" not in output
