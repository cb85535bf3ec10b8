"""What the views of a page share is told to all of them, and there again the next time."""

import numpy as np
import pytest

from galzoo_repr.app._pictures import RowPictures
from galzoo_repr.app._ratings import RatingDesk
from galzoo_repr.app._session import Desk, Session

from .conftest import galaxies


@pytest.fixture
def desk(tmp_path):
    table = galaxies(20)
    return Desk(table, tmp_path, RowPictures(table))


def test_listeners_hear_of_changes_but_for_who_made_them(desk):
    session, heard = Session(desk), []
    own = heard.append
    session.listen("selection", own)
    session.listen("selection", lambda rows: heard.append(("other", rows.tolist())))
    session.set("selection", [3, 1], by=own)
    assert heard == [("other", [3, 1])]
    session.close()


def test_a_page_that_is_opened_again_shows_what_it_showed(desk):
    first = Session(desk)
    for name, value in {"selection": [4, 2], "current": 7, "query": {"text": "<b>"}, "view": "Rate"}.items():
        first.set(name, value)
    first.close()
    again = Session(desk)
    assert again.selection.tolist() == [4, 2]
    assert (again.current, again.query, again.view) == (7, {"text": "<b>"}, "Rate")
    again.close()


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b'{"selection": "all"}',
        b'{"selection": [[1, "x"]], "current": "3"}',
        b'{"selection": [-1, 20, 999999], "current": 20}',
        b'{"selection": null, "current": -1, "view": []}',
    ],
)
def test_whatever_lies_in_the_file_the_page_opens(desk, kept):
    (desk.folder / "view.json").write_bytes(kept)
    session = Session(desk)
    assert session.selection.tolist() == []
    assert session.current is None
    session.close()


def test_columns_are_added_without_changing_the_catalogue_given(desk):
    before, heard = desk.table, []
    sessions = [Session(desk), Session(desk)]
    for session in sessions:
        session.listen("columns", heard.append)
    desk.add_column("tag", np.arange(20), "A tag")
    assert heard == ["tag", "tag"]
    assert "tag" not in before.colnames
    assert desk.table["tag"].description == "A tag"
    for session in sessions:
        session.close()


def test_names_are_those_of_the_catalogue_or_positions_or_rows(desk, tmp_path):
    assert desk.names([3, 3, 0]) == ["galaxy 3", "galaxy 3", "galaxy 0"]
    table = desk.table["embedding",]
    assert Desk(table, tmp_path, RowPictures(table)).names([5, 2]) == ["row 5", "row 2"]


def test_pictures_are_none_where_there_is_none(tmp_path):
    table = galaxies(4, folder=tmp_path)
    table["file_loc"] = table["file_loc"].astype("U200")
    table["file_loc"][1] = str(tmp_path / "no.png")
    table["file_loc"][2] = str(tmp_path)
    (tmp_path / "t.txt").write_text("no picture")
    table["file_loc"][3] = str(tmp_path / "t.txt")
    pictures = RowPictures(table)
    assert pictures.jpeg(0)[:2] == b"\xff\xd8"
    assert [pictures.jpeg(row) for row in (1, 2, 3)] == [None] * 3
    assert [pictures.planes(row) for row in range(4)] == [None] * 4
    assert RowPictures(galaxies(4)).jpeg(0) is None


def test_a_misspelt_interest_or_rater_is_told_of(tmp_path, caplog):
    for interest, rater, told in (
        ("rings", "", ""),
        ("ring", "", "begins beside those that are in"),
        ("rings", "anna", "by 'anna' begin, beside those by somebody without a name"),
        ("rings", "", ""),
    ):
        caplog.clear()
        RatingDesk(galaxies(20), tmp_path, interest=interest, rater=rater).close()
        assert (told in caplog.text) if told else caplog.text == ""
