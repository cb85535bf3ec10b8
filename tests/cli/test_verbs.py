"""The verbs that take a catalogue and give it back: they say what the functions say, in files."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from typer.testing import CliRunner

from galzoo_repr import Encoder, ImageRecipe
from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cli import app
from galzoo_repr.simulation import SurveyService


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, galaxies):
    made = tmp_path_factory.mktemp("verbs")
    write_catalogue(galaxies["name", "ra", "dec", "petro_th50", "petro_th90"], made / "galaxies.fits")
    return made


@pytest.fixture(scope="module")
def embedded(folder, service, small_encoder):
    """Result of the verb embed, and the file that it wrote."""
    out = folder / "embedded.parquet"
    options = ("--encoder", small_encoder, "--server", service.url, "--store", folder / "store", "--quiet")
    return run("embed", folder / "galaxies.fits", out, *options), out


@pytest.mark.parametrize("suffix", ["ecsv", "parquet", "vot"])
def test_fetch_writes_where_the_images_are(tmp_path, folder, service, suffix):
    out = tmp_path / f"fetched.{suffix}"
    options = ("--server", service.url, "--store", folder / "store", "--fov", "20 arcsec", "--quiet")
    result = run("fetch", folder / "galaxies.fits", out, *options)
    assert result.exit_code == 0, result.output
    assert re.search(r"8 galaxies: \d ok.*written to", result.stderr)
    fetched = read_catalogue(out)
    assert len(fetched) == 8
    for path, status in zip(fetched["cutout"], fetched["cutout_status"], strict=True):
        assert bool(path) == (str(status) in {"ok", "partial"})


def test_a_column_of_radii_is_named(tmp_path, folder, service):
    table = read_catalogue(folder / "galaxies.fits")
    table.rename_columns(["petro_th50", "petro_th90"], ["half", "most"])
    write_catalogue(table, tmp_path / "other.fits")
    options = ("--server", service.url, "--store", folder / "store", "-q")
    usual = run("fetch", folder / "galaxies.fits", tmp_path / "usual.ecsv", *options)
    assert usual.exit_code == 0, usual.output
    command = ("fetch", tmp_path / "other.fits", tmp_path / "named.ecsv", *options)
    nameless = run(*command)
    assert nameless.exit_code == 1
    assert "or name the column that has them by --radius-column" in nameless.stderr
    named = run(*command, "--radius-column", "half,most")
    assert named.exit_code == 0, named.output
    expected, found = (read_catalogue(tmp_path / f"{name}.ecsv")["cutout"] for name in ("usual", "named"))
    assert list(found) == list(expected)


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_other_surveys(tmp_path, folder, service):
    """A zero point, and where else to look: a viewer that is down, and a layer that answers for it."""
    out = tmp_path / "fetched.ecsv"
    options = ("--server", service.url, "--store", tmp_path / "store", "--fov", "5 arcsec", "--quiet")
    unknown = run("fetch", folder / "galaxies.fits", out, "--layer", "nowhere", *options)
    assert unknown.exit_code != 0
    assert "give --zero-point" in unknown.stderr
    other = ("--layer", "nowhere", "--zero-point", "25", "--fallback", "hsc-dr3")
    assert run("fetch", folder / "galaxies.fits", out, *other, *options).exit_code == 4
    fetched = read_catalogue(out)
    # The layer that is not there is a bad request, which nothing else answers.
    assert set(fetched["cutout_status"]) == {"bad_request"}
    other = ("--layer", "ls-dr9", "--zero-point", "25", "--fallback", "hsc-dr3")
    assert run("fetch", folder / "galaxies.fits", out, *other, *options, "--overwrite").exit_code == 0
    fetched = read_catalogue(out)
    found = fetched[fetched["cutout_survey"] == "ls-dr9 by viewer"]
    assert len(found)
    assert np.allclose(found["cutout_flux_scale"], 0.1)


def test_embed_adds_finite_embeddings(embedded, galaxies):
    result, out = embedded
    assert result.exit_code == 0, result.output
    catalogue = read_catalogue(out)
    np.testing.assert_allclose(catalogue["ra"], galaxies["ra"])
    good = np.asarray(catalogue["cutout_status"] == "ok")
    assert good.any()
    assert np.isfinite(catalogue["embedding"][good]).all()


@pytest.mark.parametrize("keep", ["jpeg", "none"])
def test_embed_keeps_as_much_as_asked(tmp_path, folder, service, small_encoder, keep):
    out = tmp_path / "embedded.ecsv"
    options = ("--encoder", small_encoder, "--server", service.url, "--store", tmp_path / "store", "--quiet")
    result = run("embed", folder / "galaxies.fits", out, *options, "--keep", keep)
    assert result.exit_code == 0, result.output
    paths = [str(path) for path in read_catalogue(out)["cutout"]]
    assert all(path.endswith(".jpg") if keep == "jpeg" else not path for path in paths)
    assert not list((tmp_path / "store").glob("??/??/*.fits"))
    assert run("embed", folder / "galaxies.fits", out, "--overwrite", "--keep", "png").exit_code == 1


def test_existing_output_is_refused_before_anything_is_asked(embedded, folder, service):
    before = len(service.requests)
    result = run("embed", folder / "galaxies.fits", embedded[1], "--server", service.url)
    assert result.exit_code == 1
    assert "add --overwrite to replace it" in result.stderr
    assert len(service.requests) == before


def test_similar_lists_the_best_first(embedded, tmp_path, galaxies):
    out, picture = tmp_path / "similar.ecsv", tmp_path / "similar.png"
    position = f"{galaxies['ra'][2]} {galaxies['dec'][2]}"
    result = run("similar", embedded[1], "--to", position, "-n", 3, "--out", out, "--montage", picture)
    assert result.exit_code == 0, result.output
    shown = [line for line in result.stdout.splitlines() if "SIM J" in line]
    assert len(shown) == 3
    table = read_catalogue(out)
    assert table["similarity_rank"][2] == 0
    assert str(table["name"][table["similarity_rank"] == 1][0]) in shown[0]
    with Image.open(picture) as image:
        assert min(image.size) > 300


def test_similar_takes_a_name(embedded):
    catalogue = read_catalogue(embedded[1])
    by_name = run("similar", embedded[1], "--to", catalogue["name"][1], "-n", 2, "--max-separation", '5"')
    assert by_name.exit_code == 0, by_name.output
    assert by_name.stdout == run("similar", embedded[1], "--row", 1, "-n", 2).stdout
    unknown = run("similar", embedded[1], "--to", "NGC 99999")
    assert unknown.exit_code == 1
    assert "nor the name of a galaxy in it" in unknown.stderr


def test_similar_takes_a_row_or_an_image(embedded, small_encoder):
    catalogue = read_catalogue(embedded[1])
    by_row = run("similar", embedded[1], "--row", 1, "-n", 2)
    assert by_row.exit_code == 0, by_row.output
    image = catalogue["cutout"][1]
    by_image = run("similar", embedded[1], "--image", image, "-n", 1, "--encoder", small_encoder)
    assert by_image.exit_code == 0, by_image.output
    assert str(catalogue["name"][1]) in by_image.stdout


@pytest.mark.parametrize("options", [(), ("--row", 1, "--to", "150.1 2.2")])
def test_similar_needs_one_kind_of_query(embedded, options):
    result = run("similar", embedded[1], *options)
    assert result.exit_code == 2
    assert "which galaxy is meant" in result.stderr


def test_labels_become_a_model_and_the_model_predictions(tmp_path):
    random = np.random.default_rng(5)
    embedding = random.normal(size=(60, 6)).astype(np.float32)
    labels = np.where(np.arange(60) < 40, embedding[:, 0] > 0, np.nan)
    ra = np.linspace(150, 160, 60)
    write_catalogue(
        Table({"ra": ra, "dec": ra - 150, "embedding": embedding, "ring": labels}), tmp_path / "in.fits"
    )
    learned = run("finetune", tmp_path / "in.fits", tmp_path / "model", "--label", "ring", "--quiet")
    assert learned.exit_code == 0, learned.output
    assert "ring" in learned.stdout
    done = run("predict", tmp_path / "in.fits", tmp_path / "model", tmp_path / "out.parquet", "--quiet")
    assert done.exit_code == 0, done.output
    predicted = read_catalogue(tmp_path / "out.parquet")["ring_probability"]
    assert np.mean((np.asarray(predicted) > 0.5) == (embedding[:, 0] > 0)) > 0.8
    again = run("finetune", tmp_path / "in.fits", tmp_path / "model", "--label", "ring", "--quiet")
    assert again.exit_code == 1
    assert "add --overwrite" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "{folder}/gone.fits", "{tmp}/out.ecsv"), "there is no file"),
        (("embed", "{folder}/galaxies.fits", "{tmp}/out.ecsv", "--fov", "30"), "--fov must be an angle"),
        (
            (
                "embed",
                "{folder}/galaxies.fits",
                "{tmp}/out.ecsv",
                "--coords",
                "x,y",
                "--encoder",
                "{encoder}",
            ),
            "'x'",
        ),
        (("embed", "{folder}/galaxies.fits", "{tmp}/out.ecsv", "--encoder", "{tmp}/none"), "none"),
        (("fetch", "{folder}/galaxies.fits", "{tmp}/nowhere/out.ecsv"), "there is no folder"),
        (("fetch", "{folder}/galaxies.fits", "{tmp}/out.doc"), "its name must end in .ecsv"),
        (("embed", "{folder}/galaxies.fits", "{tmp}/out.parquet.gz"), "Parquet compresses by itself"),
        (("predict", "{folder}/galaxies.fits", "{tmp}", "{tmp}/out"), "its name must end in .ecsv"),
        (("similar", "{tmp}", "--row", "1"), "is a folder, not a file"),
        (
            ("similar", "{folder}/galaxies.fits", "--row", "1", "--montage", "{tmp}/alike.png"),
            "--montage has nothing to draw",
        ),
        (("similar", "{folder}/galaxies.fits", "--row", "1"), "embedding"),
        (("finetune", "{folder}/galaxies.fits", "{tmp}/model", "--label", "ring"), "ring"),
        (("predict", "{folder}/galaxies.fits", "{tmp}/none", "{tmp}/out.ecsv"), "none"),
        (("pretrain", "{folder}/galaxies.fits", "{tmp}/run"), "none of the vote columns"),
        (("serve-survey", "--port", "0", "--replay", "{tmp}/none"), "there is no folder"),
        (("serve-survey", "--port", "0", "--replay", "{tmp}"), "no image of"),
        (("serve-survey", "--port", "0", "--resize"), "add --replay FOLDER"),
    ],
)
def test_errors_are_one_line(folder, tmp_path, small_encoder, arguments, message):
    places = {"folder": folder, "tmp": tmp_path, "encoder": small_encoder}
    result = run(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_pretraining_sees_the_images_as_asked(tmp_path, small_encoder):
    table = Table({"ring_yes": np.arange(8) % 5, "ring_no": 4 - np.arange(8) % 5})
    table["file_loc"] = [str(tmp_path / f"{row}.png") for row in range(len(table))]
    for path in table["file_loc"]:
        Image.new("RGB", (48, 48), "navy").save(path)
    write_catalogue(table, tmp_path / "votes.fits")
    tree = 'name = "rings"\n[[questions]]\nname = "ring"\nanswers = ["yes", "no"]\n'
    (tmp_path / "tree.toml").write_text(tree)
    options = ["--schema", tmp_path / "tree.toml", "--epochs", 1, "--batch-size", 4, "--device", "cpu"]
    votes, options = tmp_path / "votes.fits", [*options, "--quiet", "--size", 32]
    made = run("pretrain", votes, tmp_path / "run", *options, "--architecture", "lcnet_050", "--crop", 0.9)
    assert made.exit_code == 0, made.output
    assert Encoder.load(tmp_path / "run").recipe == ImageRecipe(size=32, crop=0.9)
    made = run("pretrain", votes, tmp_path / "more", *options, "--start", small_encoder)
    assert made.exit_code == 0, made.output
    recipe = Encoder.load(tmp_path / "more").recipe
    assert recipe == replace(Encoder.load(small_encoder).recipe, size=32)


def test_recorded_images_are_served_as_they_are(tmp_path, monkeypatch):
    Image.new("RGB", (16, 16), "navy").save(tmp_path / "one.jpg")
    Table({"file": ["one.jpg"], "ra": [150.0], "dec": [2.0]}).write(tmp_path / "positions.ecsv")
    answers = []

    def ask_instead_of_waiting(service):
        for place in ("ra=150&dec=2", "ra=150&dec=2.01"):
            with urllib.request.urlopen(f"{service.url}/jpeg-cutout?{place}&size=16", timeout=30) as answer:
                answers.append(answer.read())

    monkeypatch.setattr(SurveyService, "wait", ask_instead_of_waiting)
    options = ("--replay", tmp_path, "--positions", tmp_path / "positions.ecsv", "--tolerance", "10 arcsec")
    result = run("serve-survey", "--port", 0, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("http://127.0.0.1:")
    assert [answer == (tmp_path / "one.jpg").read_bytes() for answer in answers] == [True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_served_survey_answers_until_it_is_interrupted():
    process = subprocess.Popen(
        [sys.executable, "-c", "from galzoo_repr.cli import main; main()", "serve-survey", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(
            f"{url}/jpeg-cutout?ra=150&dec=2&size=16&layer=ls-dr10", timeout=30
        ) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in {0, 130}
    assert "Traceback" not in errors


def test_own_images_are_drawn_and_described_under_a_second_name(tmp_path, small_encoder, monkeypatch):
    place, other = tmp_path / "place", tmp_path / "other"
    for folder in (place, other):
        folder.mkdir()
    random = np.random.default_rng(0)
    for row in range(12):
        Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(place / f"{row}.png")
    table = Table({"name": [f"g{row}" for row in range(12)], "file_loc": [f"{row}.png" for row in range(12)]})
    table["embedding"] = random.normal(size=(12, 4))
    write_catalogue(table, place / "cat.ecsv")
    monkeypatch.chdir(other)
    result = run("similar", place / "cat.ecsv", "--to", "g3", "--montage", "alike.png")
    assert result.exit_code == 0, result.output
    with Image.open("alike.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100
    result = run("anomalies", place / "cat.ecsv", "search")
    assert "Picture written to" in result.stderr, result.output
    options = ["--images", "file_loc", "--encoder", small_encoder, "--quiet"]
    result = run("embed", place / "cat.ecsv", "two.ecsv", *options)
    assert "give another --name" in result.stderr
    result = run("embed", place / "cat.ecsv", "two.ecsv", *options, "--name", "second")
    assert result.exit_code == 0, result.output
    two = read_catalogue("two.ecsv")
    assert np.isfinite(two["second"]).all()
    assert two["embedding"].shape == (12, 4)
