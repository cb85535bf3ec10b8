"""A table of galaxies that a person filled in: what is blank, what is a rating, and what is refused."""

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.anomaly import RatingsFile, rate, record_answers, say_what_begins


def recorded(galaxies, rows, ratings, tmp_path):
    answers = Table({"row": rows, "rating": ratings})
    values, added = record_answers(galaxies, [answers], tmp_path / "mine.ecsv")
    return {int(row): values[row] for row in np.flatnonzero(np.isfinite(values))}, added


@pytest.mark.parametrize(
    "ratings",
    [
        [3.0, np.nan, 0.0],
        ["3", "?", "0"],
        ["3.0", "", " 0 "],
        np.array([b"3", b"N/A", b"0"]),
        Column([3, None, "0"], dtype=object),
        MaskedColumn([3, 1, 0], mask=[0, 1, 0]),
        MaskedColumn(["3", "1", "0"], mask=[0, 1, 0]),
    ],
)
@pytest.mark.parametrize("rows", [[5, 6, 7], ["5", "6", "7"], [5.0, 6.0, 7.0], ["5.0", "6.0", "7.0"]])
def test_blank_answers_are_left_out_in_every_form(galaxies, rows, ratings, tmp_path):
    assert recorded(galaxies, rows, ratings, tmp_path) == ({5: 3.0, 7: 0.0}, 2)


@pytest.mark.parametrize(
    ("rows", "ratings", "message"),
    [
        ([5], ["high"], "the answer for row 5 is 'high', which is no number"),
        ([5], [np.inf], "the answer for row 5 is inf; a rating must be finite"),
        ([400], [1.0], "an answer for row 400, but the catalogue's rows are 0 to 399"),
        ([2.5], [1.0], "an answer for row 2.5, but the catalogue's rows"),
        ([np.nan], [1.0], "an answer for row nan, but"),
        (["?"], [1.0], "an answer for row ?"),
        (MaskedColumn([3], mask=[1]), [1.0], "an answer for row unknown"),
    ],
)
def test_answers_that_make_no_sense_are_refused(galaxies, rows, ratings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        recorded(galaxies, rows, ratings, tmp_path)
    assert not (tmp_path / "mine.ecsv").exists()


def test_a_number_that_seems_to_stand_for_no_rating_is_said(galaxies, tmp_path):
    with pytest.warns(GalzooWarning, match="rating is -99 in 1 row, unlike the rest .0 to 3."):
        recorded(galaxies, [1, 2, 3], [0, 3, -99], tmp_path)


@pytest.fixture
def named(galaxies):
    galaxies["name"] = [f"NGC {8 if number == 9 else number}" for number in range(400)]
    galaxies["mark"] = [f"m{number}" for number in range(400)]
    galaxies["ra"], galaxies["dec"] = np.arange(400) * 0.5, np.zeros(400)
    return galaxies


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("name", ["NGC 5", "NGC 6", "NGC 7", "NGC 11"]),
        ("Name", ["ngc5", " NGC 006 ", "", "ngc 11"]),
        ("galaxy", MaskedColumn(["NGC 5", "NGC 6", "x", "NGC 11"], mask=[0, 0, 1, 0])),
        ("objid", [1005, 1006, 1007, 1011]),
        ("id", ["1005", "1006", "1007", "1011"]),
        ("mark", [b"m5", b"m6", b"m7", b"m11"]),
        ("galaxy", ["00h10m00s +00d00m00s", "00h12m00s +00d00m00s", "", "00h22m00s +00d00m00s"]),
    ],
)
@pytest.mark.parametrize("head", ["rating", "Rating", "interest"])
def test_answers_go_by_names_where_they_have_no_rows(named, column, names, head, tmp_path):
    if column == "galaxy" and names[0].startswith("00h"):
        named.remove_column("name")
    answers = Table({column: names, head: ["4", "0", "?", "2.5"]})
    values, added = record_answers(named, [answers], tmp_path / "mine.ecsv")
    assert {int(row): values[row] for row in np.flatnonzero(np.isfinite(values))} == {5: 4, 6: 0, 11: 2.5}
    assert added == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["NGC 5", "NCG 12"], "rating": [1, 2]}, "not in the catalogue, NCG 12: .* did you mean 'NGC 12'"),
        ({"mark": ["m5", "n6"], "rating": [1, 2]}, "not in the catalogue, n6: it has no such name in mark or name"),
        ({"name": ["NGC 5", "ngc5"], "rating": [1, 2]}, "two answers for 'ngc5', 1 and 2; leave the one"),
        ({"row": [5, 5], "rating": [1, 2]}, "two answers for row 5, 1 and 2"),
        ({"name": ["NGC 5", ""], "rating": [1, 2]}, "the answer 2 has no name of a galaxy in the column 'name'"),
        ({"name": ["NGC 8"], "rating": [1]}, "'NGC 8' is the name of 2 galaxies of the catalogue, rows 8, 9; say"),
        ({"name": ["NGC 5"], "rating": ["much"]}, "the answer for 'NGC 5' is 'much', which is no number"),
        ({"row": [4], "galaxy": ["NGC 5"], "rating": [1]}, "row 4 is for 'NGC 5', which is row 5 of this catalogue"),
        ({"what": ["NGC 5"], "rating": [1]}, "answers have no column row or name: they need rating"),
        ({"what": [5]}, "answers have no column row or name and no column rating"),
    ],
)  # fmt: skip
def test_names_that_mean_no_one_galaxy_are_refused(named, columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        record_answers(named, [Table(columns)], tmp_path / "mine.ecsv")
    assert not (tmp_path / "mine.ecsv").exists()


def test_the_same_answer_twice_does_no_harm(named, tmp_path):
    answers = Table({"name": ["NGC 5", "ngc 5"], "rating": [3, 3]})
    assert record_answers(named, [answers], tmp_path / "mine.ecsv")[0][5] == 3


def test_a_name_like_a_column_of_ratings_is_told_of(galaxies, tmp_path, caplog):
    galaxies["rings"] = np.where(np.arange(400) < 9, 3.0, np.nan)
    for ratings, told in (("ring", ["'ring' begins without any rating"]), ("rings", []), ("mergers", [])):
        caplog.clear()
        record_answers(galaxies, [], tmp_path / f"{ratings}.ecsv", ratings=ratings)
        assert [one.message.partition(":")[0] for one in caplog.records] == told
    rate(
        galaxies,
        lambda row: None,
        ratings="ring",
        path=tmp_path / "other.ecsv",
        max_ratings=1,
        progress=False,
    )
    assert "did you mean 'rings'?" in caplog.text


def test_a_new_interest_or_rater_beside_others_is_told_of(galaxies, tmp_path, caplog):
    def begin(interest, rater=""):
        caplog.clear()
        path = tmp_path / f"{interest}{'_' * bool(rater)}{rater}.ratings.ecsv"
        say_what_begins(galaxies, interest, path, rater)
        with RatingsFile(path, {"interest": interest}):
            pass
        return caplog.text.strip()

    assert begin("rings") == begin("rings") == ""
    said = begin("ring")
    assert (
        f"a new interest, 'ring', begins beside those that are in {tmp_path}: 'rings'; did you mean 'rings'?"
        in said
    )
    (tmp_path / "torn.ratings.ecsv").write_text("# %ECSV")
    assert begin("bars").endswith("'ring', 'rings'")
    assert begin("rings", "anna").endswith(
        "ratings of 'rings' by 'anna' begin, beside those by somebody without a name"
    )
    assert begin("rings", "ana").endswith("by anna, somebody without a name; did you mean 'anna'?")
    assert begin("bars", "anna").endswith(
        "ratings of 'bars' by 'anna' begin, beside those by somebody without a name"
    )
    assert begin("rings", "anna") == begin("bars") == ""
