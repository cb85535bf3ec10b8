"""A person rates galaxies in a browser, and nothing that she gave is ever lost."""

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr.anomaly import ratings_in, read_ratings

from .conftest import galaxies, until


def open_page(page, served):
    page.goto(served.url)
    page.locator("figure.here").wait_for()
    return page.locator(".rate")


def row_shown(page) -> int:
    return int(page.locator(".rate").get_attribute("data-row"))


def press(page, key: str) -> None:
    """Press a key, and wait until what it asked for was confirmed."""
    rate = page.locator(".rate")
    before = rate.get_attribute("data-shown")
    page.keyboard.press(key)
    until(lambda: rate.get_attribute("data-shown") != before)


def kept(served, name: str = "interest") -> np.ndarray:
    return ratings_in(read_ratings(served.folder / f"{name}.ratings.ecsv"), 60)


def test_thirty_ratings_by_keys_three_undone_and_a_kill_lose_nothing(served, page, tmp_path):
    first = served(galaxies(folder=tmp_path))
    open_page(page, first)
    given = {}
    for number in range(30):
        row = row_shown(page)
        assert row not in given
        key = number % 6
        press(page, str(key))
        given[row] = key
    assert page.locator(".rate").get_attribute("data-rated") == "30"
    for _ in range(3):
        press(page, "u")
        del given[row_shown(page)]
    assert len(given) == 27
    first.kill()
    values = kept(first)
    assert {int(row): values[row] for row in np.flatnonzero(np.isfinite(values))} == given

    open_page(page, served())
    assert page.locator(".rate").get_attribute("data-rated") == "27"
    again = row_shown(page)
    assert again not in given
    press(page, "5")
    assert kept(first)[again] == 5


def test_a_rating_is_on_the_disk_before_the_next_galaxy_is_shown(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    open_page(page, one)
    row = row_shown(page)
    page.keyboard.press("4")
    until(lambda: row_shown(page) != row)
    one.kill()
    assert kept(one)[row] == 4


def test_keys_pressed_faster_than_answers_come_are_all_taken(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    open_page(page, one)
    for key in "012345":
        page.keyboard.press(key, delay=0)
    until(lambda: page.locator(".rate").get_attribute("data-rated") == "6")
    assert sorted(kept(one)[np.isfinite(kept(one))]) == [0, 1, 2, 3, 4, 5]
    assert list(read_ratings(one.folder / "interest.ratings.ecsv")["rating"]) == [0, 1, 2, 3, 4, 5]


def test_skipped_galaxies_have_no_rating_and_do_not_come_again(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    open_page(page, one)
    row = row_shown(page)
    press(page, "s")
    assert row_shown(page) != row
    one.kill()
    table = read_ratings(one.folder / "interest.ratings.ecsv")
    assert table["row"].tolist() == [row]
    assert np.isnan(table["rating"]).all()


def test_arrows_choose_a_galaxy_and_space_the_next_batch(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    open_page(page, one)
    rows = [int(card.get_attribute("id")[5:]) for card in page.locator("figure").all()]
    assert len(rows) == 10
    page.keyboard.press("ArrowRight")
    assert row_shown(page) == rows[1]
    page.keyboard.press("ArrowLeft")
    assert row_shown(page) == rows[0]
    press(page, " ")
    until(lambda: row_shown(page) not in rows)
    assert not set(rows) & {int(card.get_attribute("id")[5:]) for card in page.locator("figure").all()}


def test_the_question_mark_shows_the_keys(served, page, tmp_path):
    open_page(page, served(galaxies(folder=tmp_path)))
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog", name="Keys").is_visible()


def test_a_scale_of_ones_own_has_keys_in_order(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path), "--scale", "-1,0,0.5")
    open_page(page, one)
    for key in "123":
        press(page, key)
    assert sorted(kept(one)[np.isfinite(kept(one))]) == [-1, 0, 0.5]


def test_two_raters_have_files_of_their_own_and_learn_how_far_they_agree(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    ann = served(table, "--rater", "ann")
    open_page(page, ann)
    for _ in range(12):
        press(page, "5" if table["embedding"][row_shown(page), 0] > 0 else "0")
    bob = served(None, "--rater", "bob")
    open_page(page, bob)
    by_ann = kept(ann, "interest_ann")
    shared, rated = set(), 0
    # The first few that both have rated may be alike, which says nothing of how far they agree.
    while rated < 25 or len(shared) < 2:
        known, rating = by_ann[row_shown(page)], "5" if table["embedding"][row_shown(page), 0] > 0 else "0"
        shared |= {known} if np.isfinite(known) else set()
        press(page, rating)
        rated += 1
    until(lambda: "κ 1.00" in page.locator(".found").inner_text())
    assert np.isfinite(by_ann).sum() == 12
    assert np.isfinite(kept(bob, "interest_bob")).sum() == rated


@pytest.mark.parametrize(
    ("kappa", "n", "said"),
    [(np.nan, 0, ""), (np.nan, 2, ", all 2 shared alike"), (0.5, 4, ", κ 0.50 on 4")],
)
def test_how_far_raters_agree_is_said_where_it_is_known(kappa, n, said):
    from galzoo_repr.app._cards import agreement_text

    assert agreement_text(kappa, n) == said


def test_a_second_page_of_the_same_rater_is_refused_with_the_reason(served, tmp_path):
    served(galaxies(folder=tmp_path))
    with pytest.raises(AssertionError, match="is in use by another rating loop"):
        served()


def test_the_table_comes_back_with_ratings_and_scores(tmp_path):
    from galzoo_repr import look

    table = galaxies()
    with look(table, serve=False, folder=tmp_path / "kept") as looked:
        desk = looked._desk.ratings
        for row in range(20):
            desk.rate(row, 5 if table["embedding"][row, 0] > 0 else 0)
        assert desk.undo() == 19
        found = looked.table
    assert type(found) is Table
    assert np.isfinite(found["interest"]).sum() == 19
    assert "interest" not in table.colnames
    assert np.corrcoef(found["anomaly_score"], table["embedding"][:, 0])[0, 1] > 0.5


def test_the_grid_works_where_another_tab_was_shown_first(served, page, tmp_path):
    kept_in = tmp_path / "cat.ecsv.look"
    kept_in.mkdir()
    (kept_in / "view.json").write_text('{"view": "Map"}')
    one = served(galaxies(folder=tmp_path))
    page.goto(one.url)
    page.get_by_role("button", name="Make UMAP").wait_for()
    page.locator(".bk-tab", has_text="Rate").click()
    page.locator("figure.here").wait_for()
    row = row_shown(page)
    page.locator(".rate").focus()
    press(page, "3")
    assert kept(one)[row] == 3
