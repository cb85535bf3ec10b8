"""Images that stand beside their catalogue are found from anywhere, also after both were moved."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from PIL import Image

from galzoo_repr.catalogue import files_in, read_catalogue, write_catalogue
from galzoo_repr.images import pictures_of


@pytest.fixture
def survey(tmp_path, monkeypatch):
    """Folder with two pictures and a catalogue that names them from there; the current folder is another."""
    folder, here = tmp_path / "survey", tmp_path / "here"
    (folder / "pictures").mkdir(parents=True)
    here.mkdir()
    for row in range(2):
        Image.fromarray(np.full((16, 16), 40 * row, np.uint8)).save(folder / f"pictures/{row}.png")
    monkeypatch.chdir(here)
    return folder


def names(column="file_loc"):
    files = MaskedColumn(["pictures/0.png", "", "pictures/1.png"], mask=[0, 1, 0])
    return Table({"name": ["a", "b", "c"], column: files})


@pytest.mark.parametrize("ending", ["csv", "ecsv", "parquet", "fits", "vot"])
@pytest.mark.parametrize("column", ["file_loc", "my picture"])
def test_they_are_found_after_a_move(survey, ending, column, tmp_path):
    path = survey / f"galaxies.{ending}"
    names(column).write(path) if ending == "csv" else write_catalogue(names(column), path)
    found = read_catalogue(path)
    assert found[column][0] == "pictures/0.png"
    assert [one.path for one in pictures_of(found, column)] == [
        str(survey / "pictures/0.png"), "", str(survey / "pictures/1.png")
    ]  # fmt: skip
    moved = survey.rename(tmp_path / "moved")
    again = read_catalogue(moved / path.name)
    assert [one.path for one in pictures_of(again[2:], column)] == [str(moved / "pictures/1.png")]
    # What is made of it elsewhere still knows where they are, and beside them it moves with them.
    write_catalogue(again, "made.ecsv")
    write_catalogue(again, moved / "made.ecsv")
    assert pictures_of(read_catalogue("made.ecsv"), column)[0].path == str(moved / "pictures/0.png")
    twice = moved.rename(tmp_path / "twice")
    assert pictures_of(read_catalogue(twice / "made.ecsv"), column)[0].path == str(twice / "pictures/0.png")


def test_names_from_the_current_folder_are_meant_first(survey, monkeypatch):
    write_catalogue(names(), survey / "galaxies.ecsv")
    monkeypatch.chdir(survey)
    found = read_catalogue("galaxies.ecsv")
    assert files_in(found["file_loc"]) is found["file_loc"]
    assert pictures_of(found, "file_loc")[0].path == "pictures/0.png"


@pytest.mark.parametrize(
    "given", ["nowhere.png", "no file at all", "7", "https://example.org/0.png", "x" * 300 + ".png"]
)
def test_what_stands_nowhere_stays_as_it_is(survey, given):
    Table({"file_loc": [given], "n": [1]}).write(survey / "galaxies.ecsv")
    found = read_catalogue(survey / "galaxies.ecsv")
    assert not found["file_loc"].meta
    assert found["file_loc"][0] == given
