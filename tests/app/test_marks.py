"""Tags and labels on the disk: several people, torn lines, other catalogues, and words that cannot be tags."""

import json

import numpy as np
import pytest

import galzoo_repr as gzr
from galzoo_repr.app._mark_words import checked_answers, checked_column, checked_tag, tags_in

from .conftest import galaxies


def opened(folder, *, rater="", table=None):
    looked = gzr.look(galaxies(20) if table is None else table, serve=False, folder=folder, rater=rater)
    return looked, looked._desk.marks


def test_tags_are_a_column_that_find_similar_reads(tmp_path):
    looked, marks = opened(tmp_path)
    marks.tag([3, 4], "ring")
    marks.tag([4], "  blue   galaxy ")
    marks.tag([5], "RING")  # which is the same
    marks.tag([4], "ring", on=False)
    table = looked.table
    looked.close()
    assert table["tags"].tolist()[3:6] == ["ring", "blue galaxy", "ring"]
    assert set(gzr.find_similar(table, "tags", n=2)) == {"ring", "blue galaxy"}


def test_everything_is_there_again_and_a_torn_line_is_dropped(tmp_path):
    looked, marks = opened(tmp_path)
    marks.ask("ring", ["yes", "no"])
    marks.label([7], "ring", "yes")
    marks.label([8], "ring", "no")
    marks.tag([8], "bar")
    assert marks.undo("ring") == [8]
    looked.close()
    with (tmp_path / "marks.jsonl").open("ab") as file:
        file.write(b'{"do": "tag", "rows": [1], "ta')
    for _ in range(2):
        looked, marks = opened(tmp_path)
        assert marks.questions() == {"ring": ["yes", "no"]}
        assert looked.table["ring"].tolist()[7:9] == ["yes", ""]
        assert looked.table["tags"][8] == "bar"
        marks.tag([9], "late")
        looked.close()
    for line in (tmp_path / "marks.jsonl").read_text().splitlines():
        json.loads(line)


def test_labels_of_several_people_count_and_tags_are_repeated(tmp_path):
    for rater, label in [("ann", "yes"), ("bob", "no"), ("eve", "yes")]:
        looked, marks = opened(tmp_path, rater=rater)
        marks.label([2], "ring", label)
        marks.label([3], "ring", "yes" if rater == "ann" else "unsure")
        if rater != "eve":
            marks.label([4], "ring", label)
        marks.tag([2], "ring")
        table = looked.table
        looked.close()
    assert table["ring"].tolist()[2:5] == ["yes", "unsure", ""]
    assert table["tags"][2] == "ring, ring, ring"


def test_marks_stand_on_what_the_catalogue_has(tmp_path):
    table = galaxies(20)
    table["tags"] = np.where(np.arange(20) == 1, "#Ring; dusty", "")
    table["kind"] = np.where(np.arange(20) < 3, "spiral", "")
    looked, marks = opened(tmp_path, table=table)
    assert marks.tags(1) == ["Ring", "dusty"]
    marks.tag([1], "Ring", on=False)
    marks.tag([2], "ring")
    marks.label([0], "kind", "elliptical")
    found = looked.table
    looked.close()
    assert found["tags"].tolist()[1:3] == ["dusty", "Ring"]
    assert found["kind"].tolist()[:4] == ["elliptical", "spiral", "spiral", ""]
    assert table["kind"][0] == "spiral"


@pytest.mark.parametrize("column", ["name", "ra", "embedding"])
def test_columns_of_other_things_hold_no_labels(tmp_path, column):
    looked, marks = opened(tmp_path, table=galaxies(60))
    with looked, pytest.raises(ValueError, match="is there already and holds no"):
        marks.label([0], column, "yes")


def test_another_catalogue_and_a_second_page_are_refused(tmp_path):
    looked, marks = opened(tmp_path)
    marks.tag([0], "ring")
    with pytest.raises(BlockingIOError, match="is in use by"):
        opened(tmp_path)
    looked.close()
    other = galaxies(20, seed=3)
    with pytest.raises(ValueError, match="of another catalogue"):
        opened(tmp_path, table=other)


def test_rows_that_are_not_there_are_refused(tmp_path):
    looked, marks = opened(tmp_path)
    with looked:
        for rows in ([20], [-1]):
            with pytest.raises(ValueError, match="has no row"):
                marks.tag(rows, "ring")
        with pytest.raises(ValueError, match="no galaxy is meant"):
            marks.tag([], "ring")


@pytest.mark.parametrize(
    "text", ["", "  ", "none", "nan", "a, b", "a;b", "a|b", "one #two", "a\nb", "-", "x" * 65]
)
def test_words_that_are_no_tag(text):
    with pytest.raises(ValueError, match="tag"):
        checked_tag(text)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("#ring", "ring"),
        (" two  arms ", "two arms"),
        ("<script>", "<script>"),
        ("Balkenspirale ä", "Balkenspirale ä"),
    ],
)
def test_words_that_are_tags(text, tag):
    assert checked_tag(text) == tag
    assert tags_in(checked_tag(text)) == [tag]


def test_answers_and_columns_are_checked():
    assert checked_answers(["spiral", " round  one", "Unsure"]) == ["spiral", "round one"]
    for wrong in (["yes"], ["a", "A"], [str(i) for i in range(10)]):
        with pytest.raises(ValueError, match="different answers"):
            checked_answers(wrong)
    with pytest.raises(ValueError, match="stands for no answer"):
        checked_answers(["yes", "nan"])
    for name in ("tags", "a b", "1st", "", "ra;dec", "../x"):
        with pytest.raises(ValueError, match="cannot be the name of a column"):
            checked_column(name)


def test_unsure_is_no_label_for_a_model():
    table = galaxies(60)
    table["ring"] = np.where(table["embedding"][:, 0] > 0, "yes", "no")
    table["ring"] = table["ring"].astype("U6")
    table["ring"][:5] = "unsure"
    model = gzr.finetune(table, "ring", members=2, progress=False)
    assert model.task == "binary"
    assert model.report.unlabelled == {"unsure": 5}


def test_labels_of_several_people_have_columns_of_their_own_and_a_kappa(tmp_path):
    from galzoo_repr.app._people import agreement_facts

    said = {"ann": ["yes", "no", "yes", "no", "unsure"], "bob": ["yes", "no", "no", "no", "yes"], "": ["yes"]}
    for rater, labels in said.items():
        looked, marks = opened(tmp_path, rater=rater)
        marks.ask("ring", ["yes", "no"])
        for row, label in enumerate(labels):
            marks.label([row], "ring", label)
        facts = agreement_facts(marks.by_person("ring"))
        table = looked.table
        looked.close()
    assert table["ring"].tolist()[:5] == ["yes", "no", "", "no", ""]
    assert table["ring_ann"].tolist()[:6] == [*said["ann"], ""]
    assert table["ring_bob"].tolist()[:6] == [*said["bob"], ""]
    assert table["ring_unnamed"].tolist()[:2] == ["yes", ""]
    assert facts == [["ann", "5 labelled, all 1 shared alike"], ["bob", "5 labelled, all 1 shared alike"]]
    looked, marks = opened(tmp_path, rater="ann")
    # Of four that both were sure of, three are the same; chance gives a half.
    assert ["bob", "5 labelled, κ 0.50 on 4"] in agreement_facts(marks.by_person("ring"))
    looked.close()


def test_labels_of_one_person_have_one_column_and_replace_none_of_the_catalogue(tmp_path):
    table = galaxies(20)
    table["ring_ann"] = np.arange(20)
    for rater, columns in (("ann", {"ring"}), ("bob", {"ring", "ring_bob"})):
        looked, marks = opened(tmp_path, rater=rater, table=table)
        marks.ask("ring", ["yes", "no"])
        marks.label([0], "ring", "yes")
        found = looked.table
        looked.close()
        assert {name for name in found.colnames if name.startswith("ring")} == {"ring_ann", *columns}
        assert found["ring_ann"].tolist() == list(range(20))
