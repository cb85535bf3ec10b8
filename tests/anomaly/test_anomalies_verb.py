import json

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from typer.testing import CliRunner

from galzoo_repr.anomaly import rate, read_ratings
from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cli import app


@pytest.fixture
def catalogue(galaxies, tmp_path):
    """File of 400 galaxies that all share one small picture."""
    generator = np.random.default_rng(0)
    picture = tmp_path / "galaxy.png"
    Image.fromarray(generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(picture)
    galaxies["cutout"] = [str(picture)] * 400
    write_catalogue(galaxies, tmp_path / "galaxies.ecsv")
    return tmp_path / "galaxies.ecsv"


def run(*arguments):
    return CliRunner().invoke(app, ["anomalies", *map(str, arguments)])


def fill(sheet, truth):
    table = Table.read(sheet, format="ascii.csv")
    table["rating"] = truth[table["row"]]
    table.write(sheet, format="ascii.csv", overwrite=True)


def test_rounds_at_the_shell_find_what_is_interesting(catalogue, truth, tmp_path):
    folder = tmp_path / "search"
    for number in range(6):
        result = run(catalogue, folder, "-n", 12)
        assert result.exit_code == 0, result.output
        assert f"{12 * number} galaxies are rated" in result.stderr
        assert "Next to rate" in result.stdout
        assert ("Most interesting" if number else "Most unusual: nothing is rated") in result.stdout
        assert "nan" not in result.stdout
        with Image.open(folder / "next_to_rate.png") as picture:
            assert picture.size[0] > 500
        fill(folder / "next_to_rate.csv", truth)
    last = run(catalogue, folder, "--json", "-q")
    assert (last.exit_code, last.stderr) == (0, "")
    told = json.loads(last.stdout)
    assert (told["rated"], told["rated_now"], told["out"]) == (72, 12, str(folder / "scored.ecsv"))
    assert [row["rank"] for row in told["most_interesting"]] == list(range(1, 11))
    assert len(told["next_to_rate"]) == 10
    ratings = read_ratings(folder / "ratings.ecsv")
    assert len(ratings) == len(set(ratings["row"])) == 72
    scored = read_catalogue(folder / "scored.ecsv")
    assert truth[scored["anomaly_rank"] <= 15].mean() > 3.5
    assert np.isfinite(scored["interest"]).sum() == 72


@pytest.mark.filterwarnings("always::galzoo_repr.exceptions.GalzooWarning")
@pytest.mark.parametrize("ratings", [[5], [2, 2, 2]])
def test_equal_ratings_are_not_told_to_be_none(catalogue, tmp_path, ratings):
    rows = [f"{row},{rating}" for row, rating in enumerate(ratings)]
    (tmp_path / "mine.csv").write_text("\n".join(["row,rating", *rows, ""]))
    result = run(catalogue, tmp_path / "search", "--rated", tmp_path / "mine.csv")
    assert result.exit_code == 0, result.output
    assert "nothing says yet what is interesting" in result.stderr
    assert "Most unusual: low or equal ratings" in result.stdout
    assert "nothing is rated" not in result.stdout


def test_calling_again_with_blanks_changes_nothing(catalogue, tmp_path):
    folder = tmp_path / "search"
    assert run(catalogue, folder).exit_code == 0
    before = (folder / "next_to_rate.csv").read_text()
    assert run(catalogue, folder).exit_code == 0
    assert (folder / "next_to_rate.csv").read_text() == before
    assert len(read_ratings(folder / "ratings.ecsv")) == 0


def test_ratings_may_come_from_other_tables_and_be_corrected(catalogue, tmp_path):
    mine, yours = tmp_path / "mine.ecsv", tmp_path / "yours.csv"
    Table({"row": [3, 4], "rating": [5.0, np.nan]}).write(mine)
    Table({"row": [9], "rating": [1]}).write(yours)
    result = run(catalogue, tmp_path / "search", "--rated", mine, "--rated", yours)
    assert "2 galaxies are rated, 2 of them now" in result.stderr
    Table({"row": [9], "rating": [4]}).write(yours, overwrite=True)
    result = run(catalogue, tmp_path / "search", "--rated", mine, "--rated", yours)
    assert "2 galaxies are rated, 1 of them now" in result.stderr
    assert read_catalogue(tmp_path / "search" / "scored.ecsv")["interest"][9] == 4


def test_the_shell_and_the_loop_share_a_file(catalogue, truth, tmp_path):
    table = read_catalogue(catalogue)
    folder = tmp_path / "search"
    rate(table, lambda row: truth[row["row"]], path=folder / "ratings.ecsv", max_ratings=20, progress=False)
    assert "20 galaxies are rated, 0 of them now" in run(catalogue, folder).stderr


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"row": [3], "rating": ["wow"]}, "the answer for row 3 is 'wow', which is no number"),
        ({"row": [400], "rating": [1]}, "answer for row 400, but the catalogue's rows are 0 to 399"),
        ({"row": [3], "rating": [np.inf]}, "the answer for row 3 is inf; a rating must be finite"),
        (
            {"row": [3], "rating": [1e16]},
            "the answer for row 3 is 1e+16; a rating must be finite and at most",
        ),
        ({"id": [3], "rating": [1]}, "not in the catalogue, 3: it has no such name in id"),
        (
            {"no": [3], "rating": [1]},
            "answers have no column row or name: they need rating, and row, counted",
        ),
        ({"id": [1003]}, "answers have no column rating"),
    ],
)
def test_bad_answers_are_refused_whole(catalogue, tmp_path, columns, message):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.ecsv"
    Table({"row": [1], "rating": [1]}).write(good)
    Table(columns).write(bad)
    result = run(catalogue, tmp_path / "search", "--rated", good, "--rated", bad)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "search" / "ratings.ecsv").exists()


def test_a_catalogue_without_embeddings_says_what_to_do(tmp_path):
    Table({"ra": [1.0, 2.0], "dec": [0.0, 0.0]}).write(tmp_path / "plain.ecsv")
    result = run(tmp_path / "plain.ecsv", tmp_path / "search")
    assert result.exit_code == 1
    assert "call galzoo-repr embed first" in result.stderr


def test_a_catalogue_without_pictures_or_positions_still_works(galaxies, tmp_path):
    write_catalogue(galaxies["embedding",], tmp_path / "bare.ecsv")
    result = run(tmp_path / "bare.ecsv", tmp_path / "search")
    assert result.exit_code == 0, result.output
    assert "no picture to draw" in result.stderr


def test_other_raters_are_learned_from_at_the_shell(galaxies, truth, tmp_path):
    galaxies["ben"] = np.where(np.arange(400) < 80, truth, np.nan)
    write_catalogue(galaxies, tmp_path / "rated.ecsv")
    folder = tmp_path / "search"
    result = run(tmp_path / "rated.ecsv", folder, "--ratings", "anna", "--others", "ben")
    assert result.exit_code == 0, result.output
    assert "0 galaxies are rated" in result.stderr
    assert Table.read(folder / "next_to_rate.csv", format="ascii.csv")["row"].min() >= 80
    scored = read_catalogue(folder / "scored.ecsv")
    assert truth[scored["anomaly_rank"] <= 15].mean() > 3.5
    result = run(tmp_path / "rated.ecsv", folder, "--ratings", "anna", "--others", "anna")
    assert result.exit_code == 1
    assert "--others names 'anna', which counts already" in result.stderr


def test_the_sheet_says_where_north_is_and_how_large_the_galaxies_are(galaxies, tmp_path):
    from astropy.io import fits

    header = fits.Header({"BANDS": "grz"})
    on_the_sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10, "CRPIX1": 32, "CRPIX2": 32}
    on_the_sky |= {"CD1_1": -0.262 / 3600, "CD2_2": 0.262 / 3600}
    planes = np.random.default_rng(0).normal(size=(3, 64, 64)).astype("f4")
    sheets = []
    for name, cards in (("bare", {}), ("known", on_the_sky)):
        header.update(cards)
        fits.PrimaryHDU(planes, header).writeto(tmp_path / f"{name}.fits")
        galaxies["cutout"] = [str(tmp_path / f"{name}.fits")] * len(galaxies)
        write_catalogue(galaxies, tmp_path / f"{name}.ecsv")
        assert run(tmp_path / f"{name}.ecsv", tmp_path / name, "-n", 3, "-q").exit_code == 0
        sheets.append(np.asarray(Image.open(tmp_path / name / "next_to_rate.png")).astype(int))
    drawn = np.abs(sheets[1] - sheets[0]).max(axis=-1) > 100
    width = drawn.shape[1] // 3
    corners = [drawn[: width // 2, turn * width : (turn + 1) * width].any() for turn in range(3)]
    bars = [drawn[width // 2 :, turn * width : (turn + 1) * width].any() for turn in range(3)]
    assert corners == [True, False, False]
    assert bars == [True, True, True]
