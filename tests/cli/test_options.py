"""How text of the command line becomes angles, positions and columns."""

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from typer.testing import CliRunner

from galzoo_repr.catalogue import write_catalogue
from galzoo_repr.cli import app
from galzoo_repr.cli._from_text import (
    field_of_view,
    open_catalogue,
    read_angle,
    read_fov,
    read_pair,
    read_prior,
    refuse_existing,
)


@pytest.mark.parametrize(
    ("text", "arcsec"), [("30 arcsec", 30), ("0.5arcmin", 30), ("0.1 deg", 360), ('30"', 30), ("0.5'", 30)]
)
def test_angles_are_read(text, arcsec):
    assert read_angle(text).to_value(u.arcsec) == pytest.approx(arcsec)


@pytest.mark.parametrize("text", ["30", "thirty arcsec", "30 kg", ""])
def test_what_is_no_angle_is_refused(text):
    with pytest.raises(ValueError, match=r"--fov must be an angle with its unit, such as '30 arcsec'"):
        read_angle(text)


def test_no_angle_stays_none():
    assert read_angle(None) is None


@pytest.mark.parametrize(
    ("text", "names"), [(None, None), ("pos", "pos"), ("RA_1, DEC_1", ("RA_1", "DEC_1"))]
)
def test_columns_are_read(text, names):
    assert read_pair(text, "--coords") == names


@pytest.mark.parametrize(
    ("text", "prior"),
    [(None, None), ("catalogue", "catalogue"), ("0.05", 0.05), ("a b=0.3, c=0.7", {"a b": 0.3, "c": 0.7})],
)
def test_class_balances_are_read(text, prior):
    assert read_prior(text) == prior


@pytest.mark.parametrize("text", ["", "some", "a=some", "0.3,0.7"])
def test_what_is_no_class_balance_is_refused(text):
    with pytest.raises(ValueError, match="--prior must be a fraction, fractions such as"):
        read_prior(text)


def test_a_class_is_named_once():
    with pytest.raises(ValueError, match="names a class more than once"):
        read_prior("a=0.3,a=0.7")


def test_outputs_that_exist_are_refused_before_the_work(tmp_path):
    there = tmp_path / "there.ecsv"
    there.touch()
    refuse_existing(there, overwrite=True)
    refuse_existing(tmp_path / "new.ecsv", overwrite=False)
    with pytest.raises(FileExistsError, match=r"there\.ecsv exists; add --overwrite"):
        refuse_existing(there, overwrite=False)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        refuse_existing(tmp_path / "nowhere" / "new.ecsv", overwrite=False)


def test_catalogue_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.fits"):
        open_catalogue(tmp_path / "gone.fits")


RADII = Table({"half": [3.0, -1.0], "most": [2.0, 2.0], "name": ["a", "b"]})


@pytest.mark.parametrize(("text", "first"), [("half", 3 * 0.04 * 424), ("half, most", 424 * 0.1)])
def test_the_field_follows_from_columns_of_radii_that_are_named(text, first):
    fields = field_of_view(RADII, None, text)
    assert fields[0].to_value(u.arcsec) == pytest.approx(first)
    assert field_of_view(RADII, 5 * u.arcsec, None) == 5 * u.arcsec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("halv", "did you mean 'half'"),
        ("name", "column 'name' holds no radii"),
        ("half,most,half", "--radius-column takes the name of one column, or of two"),
    ],
)
def test_columns_of_radii_that_are_none_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        field_of_view(RADII, None, text)


def test_a_field_and_a_radius_do_not_go_together():
    with pytest.raises(ValueError, match="--fov and --radius-column both say"):
        read_fov("5 arcsec", "half")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder with a catalogue that has embeddings, one that has none, and published embeddings."""
    place, numbers = tmp_path_factory.mktemp("options"), np.arange(40.0)
    table = Table({"name": [f"G{n:.0f}" for n in numbers], "ra": numbers, "dec": numbers, "word": ["x"] * 40})
    write_catalogue(table, place / "plain.ecsv")
    table["embedding"], table["ring"] = np.random.default_rng(0).normal(size=(40, 4)), numbers % 2
    write_catalogue(table, place / "embedded.ecsv")
    Table({"id": ["G1"], "feat_0": [1.0], "feat_1": [2.0]}).write(place / "published.csv")
    return place


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        *((command, "--coords", "a,b,c") for command in (
            "fetch plain.ecsv o.ecsv", "embed plain.ecsv o.ecsv", "external plain.ecsv published.csv o.ecsv",
            "similar embedded.ecsv --to G1", "duplicates embedded.ecsv o.ecsv", "finetune embedded.ecsv m --label ring",
            "compare embedded.ecsv --label ring --encoder embedding", "predict embedded.ecsv m o.ecsv",
        )),
        *((f"{command} plain.ecsv o.ecsv", "--radius-column", value)
          for command in ("fetch", "embed") for value in ("a,b,c", "ra,gone", "", "word", "gone")),
        *(("fetch plain.ecsv o.ecsv --fov 8arcsec", "--coords", value) for value in ("ra,gone", "gone", "word", "ra,")),
        ("fetch plain.ecsv o.ecsv", "--fov", "-3 arcsec"),
        ("fetch plain.ecsv o.ecsv --fov 8arcsec", "--zero-point", "nan"),
        ("fetch plain.ecsv o.ecsv --fov 8arcsec", "--keep", "some"),
        ("embed plain.ecsv o.ecsv", "--images", "gone"),
        *(("external plain.ecsv published.csv o.ecsv", "--match", value) for value in ("a,b,c", "gone", "name,gone")),
        ("external plain.ecsv published.csv o.ecsv", "--radius", "-1 arcsec"),
        *(("external plain.ecsv published.csv o.ecsv --match name,id", "--columns", value) for value in ("x,y", "x_*")),
        *(("external plain.ecsv published.csv o.ecsv --radius 1arcsec", "--file-coords", value)
          for value in ("x,y", "a,b,c", "feat_0,word")),
        ("similar embedded.ecsv --to G1", "--beside", "gone=1"),
        ("similar embedded.ecsv --to G1", "--beside", "ra=0"),
        ("similar embedded.ecsv --to G1", "--beside", "word=1"),
        ("duplicates embedded.ecsv o.ecsv", "--similarity", "3"),
        *(("anomalies embedded.ecsv search", "--others", value) for value in ("gone", "interest")),
        ("anomalies embedded.ecsv search", "--ratings", "word"),
        *(("compare embedded.ecsv --label ring --encoder embedding", option, value)
          for option, value in (("--n-train", "39"), ("--task", "some"), ("--images", "gone"))),
        ("compare embedded.ecsv --encoder embedding", "--label", "gone"),
        *(("finetune embedded.ecsv m --label ring", option, value)
          for option, value in (("--depth", "some"), ("--images", "word"), ("--run", "r"), ("--task", "some"))),
        ("look embedded.ecsv --no-browser", "--scale", "1,much"),
    ],
)  # fmt: skip
def test_an_error_names_the_option_that_was_given(place, monkeypatch, command, option, value):
    monkeypatch.chdir(place)
    result = CliRunner().invoke(app, [*command.split(), option, value])
    assert result.exit_code == 1, result.output
    said = result.stderr.splitlines()[-1]
    assert said.startswith("error: "), said
    assert re.search(rf"(?<![\w-]){option}\b", said), said
    argument = option.removeprefix("--").replace("-", "_")
    assert not re.search(rf"(?<!-){argument}=|(?<![-_])\bcoords\b", said), said
