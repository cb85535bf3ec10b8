"""A person tags and labels galaxies by keys in a browser, and a model learns from her meanwhile."""

import json

from .conftest import galaxies, until


def open_label(page, served):
    page.goto(served.url)
    page.locator(".bk-tab", has_text="Label").click()
    page.locator("figure.here >> visible=true").wait_for()
    return page.locator(".rate >> visible=true")


def row_shown(grid) -> int:
    return int(grid.get_attribute("data-row"))


def press(page, grid, key: str) -> None:
    before = grid.get_attribute("data-shown")
    page.keyboard.press(key)
    until(lambda: grid.get_attribute("data-shown") != before)


def ask(page, column: str, answers: str = "") -> None:
    """Ask something of each galaxy, by keys alone from the first field on."""
    page.locator("input[name=column]").focus()
    page.keyboard.type(column)
    page.keyboard.press("Tab")
    page.keyboard.type(answers)
    page.keyboard.press("Enter")
    page.get_by_role("application", name=f"Label {column}").wait_for()
    page.locator("figure.here >> visible=true").wait_for()


def lines(served) -> list[dict]:
    return [json.loads(line) for line in (served.folder / "marks.jsonl").read_text().splitlines()[1:]]


def labels(served, column: str) -> dict[int, str]:
    return {
        one["rows"][0]: one["label"]
        for one in lines(served)
        if one["do"] == "label" and one["column"] == column
    }


def tags_shown(page) -> list[str]:
    return json.loads(page.locator(".asked").get_attribute("data-tags") or "[]")


def test_tags_by_keys_with_completion_are_there_after_a_kill(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    grid = open_label(page, one)
    first = row_shown(grid)
    page.keyboard.press("t")
    page.locator("input[name=tag]:focus").wait_for()
    page.keyboard.type("tidal tail")
    page.keyboard.press("Enter")
    until(lambda: tags_shown(page) == ["tidal tail"])
    page.keyboard.press("Escape")
    until(lambda: page.locator(".rate:focus").count() == 1)
    page.keyboard.press("ArrowRight")
    until(lambda: tags_shown(page) == [])
    second = row_shown(grid)
    page.keyboard.press("t")
    page.locator("input[name=tag]:focus").wait_for()
    page.keyboard.type("tid")
    assert page.get_by_role("option", name="tidal tail").is_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(lambda: tags_shown(page) == ["tidal tail"])
    one.kill()
    given = [(entry["rows"], entry["tag"]) for entry in lines(one)]
    assert given == [([first], "tidal tail"), ([second], "tidal tail")]

    again = served()
    open_label(page, again)
    page.locator("input[name=tag]").fill("tail")
    assert page.get_by_role("option", name="tidal tail").is_visible()


def test_a_tag_is_text_whatever_is_in_it(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    open_label(page, one)
    page.evaluate("window.harmed = 0")
    hostile = [
        "<script>window.harmed = 1</script>",
        "<img src=x onerror=window.harmed=1>",
        "</textarea>&amp",
    ]
    for tag in hostile:
        page.locator("input[name=tag]").fill(tag)
        page.keyboard.press("Enter")
        until(lambda tag=tag: tag in tags_shown(page))
    assert page.locator(".chip", has_text=hostile[0]).is_visible()
    page.locator("input[name=tag]").fill("<")
    assert page.get_by_role("option", name=hostile[0]).is_visible()
    page.locator("input[name=tag]").fill("one, two")
    page.keyboard.press("Enter")
    page.get_by_text("a tag is a few words without commas").wait_for()
    page.get_by_role("button", name=f"Take away {hostile[1]}").click()
    until(lambda: sorted(tags_shown(page)) == sorted([hostile[0], hostile[2]]))
    assert page.evaluate("window.harmed") == 0


def test_twenty_labels_teach_a_model_and_a_kill_loses_nothing(served, page, tmp_path):
    table = galaxies(120, folder=tmp_path)
    one = served(table)
    grid = open_label(page, one)
    ask(page, "ring")
    given = {}
    for number in range(20):
        row = row_shown(grid)
        assert row not in given
        answer = "unsure" if number == 3 else "yes" if table["embedding"][row, 0] > 0 else "no"
        press(page, grid, answer[0])
        given[row] = answer
    press(page, grid, "Backspace")
    row = row_shown(grid)
    assert given.pop(row)
    press(page, grid, "n")
    given[row] = "no"
    assert grid.get_attribute("data-rated") == "20"
    for _ in range(2):  # one was unsure, so that there are 19
        row = row_shown(grid)
        given[row] = "yes" if table["embedding"][row, 0] > 0 else "no"
        press(page, grid, given[row][0])
    one.kill()
    found = labels(one, "ring")
    assert {row: found[row] for row in given} == given

    again = served()
    page.goto(again.url)  # where the same is asked as before
    grid = page.get_by_role("application", name="Label ring")
    page.locator("figure.here >> visible=true").wait_for()
    assert grid.get_attribute("data-rated") == "22"
    assert row_shown(grid) not in given
    learned = page.get_by_role("region", name="What was learned from the labels")
    until(lambda: learned.get_attribute("data-labels") == "22")
    learned.locator("img").wait_for()
    assert "accuracy" in learned.locator("pre").inner_text()
    assert "labelled not ring, predicted ring" in learned.locator("img").get_attribute("alt")
    page.keyboard.press("?")
    assert "label ring" in page.get_by_role("dialog", name="Keys").inner_text()


def test_classes_have_digits_for_keys_and_a_question_that_cannot_be_is_refused(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    grid = open_label(page, one)
    page.locator("input[name=column]").fill("a b")
    page.keyboard.press("Enter")
    page.get_by_text("cannot be the name of a column").wait_for()
    page.locator("input[name=column]").fill("")
    ask(page, "kind", "spiral, round <b>, edge $on")
    rows = []
    for key in "123u":
        rows.append(row_shown(grid))
        press(page, grid, key)
    assert [labels(one, "kind")[row] for row in rows] == ["spiral", "round <b>", "edge $on", "unsure"]
    page.get_by_role("button", name="spiral (key 1)").click()
    until(lambda: grid.get_attribute("data-rated") == "5")


def test_a_tag_for_all_that_are_selected(served, page, tmp_path):
    one = served(galaxies(folder=tmp_path))
    one.kill()
    one.folder.mkdir(exist_ok=True)
    (one.folder / "view.json").write_text(json.dumps({"selection": [4, 7, 9], "view": "Label"}))
    again = served()
    page.goto(again.url)
    page.locator("figure.here >> visible=true").wait_for()
    page.get_by_label("all 3 selected").check()
    page.locator("input[name=tag]").fill("group")
    page.keyboard.press("Enter")
    until(lambda: tags_shown(page) == ["group"])
    assert lines(again)[-1]["rows"] == [4, 7, 9]
    page.locator("select[name=only]").select_option("selected")
    until(lambda: page.locator("figure >> visible=true").count() == 3)
