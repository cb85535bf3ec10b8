"""What may stand in a column of labels, and what is refused before anything is trained."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

import galzoo_repr as gzr
from galzoo_repr.finetuning._labels import read_labels

NAN = np.nan


def values(column, **options):
    return read_labels(Table({"ring": column}), "ring", **options)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([True, False, True], [1, 0, 1]),
        ([1, 0, 1], [1, 0, 1]),
        ([1.0, NAN, 0.0], [1, NAN, 0]),
        (["yes", " YES ", "No"], [1, 1, 0]),
        (["ring", "not_ring", ""], [1, 0, NAN]),
        (["Ring", "non-ring", "nan"], [1, 0, NAN]),
        (["ring", "something else", "ring "], [1, 0, 1]),
        ([b"true", b"false", b"--"], [1, 0, NAN]),
        (np.array([True, None, False], dtype=object), [1, NAN, 0]),
        (np.array([1, 0, None], dtype=object), [1, 0, NAN]),
        (MaskedColumn([1, 0, 1], mask=[False, False, True]), [1, 0, NAN]),
        (MaskedColumn(["yes", "no", "no"], mask=[True, False, False]), [NAN, 0, 0]),
        (["1", "0", "?"], [1, 0, NAN]),
        (["1.0", "0.0", "unknown"], [1, 0, NAN]),
        (["yes", "y", "n"], [1, 1, 0]),
        (["ring", "no ring", "None"], [1, 0, NAN]),
        (["a ring", "without ring", "N/A"], [1, 0, NAN]),
        (["ring", "noring", "..."], [1, 0, NAN]),
        (np.array([["ring"], ["not ring"], ["-"]]), [1, 0, NAN]),
        (Column([1, "0", b"null"], dtype=object), [1, 0, NAN]),
        (Column([np.True_, NAN, np.False_], dtype=object), [1, NAN, 0]),
        ([b"r\xf6ng", b"not r\xf6ng", b"?"], [1, 0, NAN]),
    ],
)
def test_yes_or_no_is_read_in_every_form(column, expected):
    labels = values(column)
    if set(expected) - {NAN} == {0}:  # one class alone does not tell its task
        labels = values(column, task="binary")
    assert labels.task == "binary"
    np.testing.assert_array_equal(labels.values[:, 0], expected)


@pytest.mark.parametrize(
    ("column", "task", "classes"),
    [
        (["Spiral", "spiral ", "SMOOTH", "Spiral", "  "], "classes", ("SMOOTH", "Spiral")),
        (["strong", "weak", "no bar", "weak", "no bar"], "classes", ("no bar", "strong", "weak")),
        ([0, 1, 2, 2, 1], "classes", ("0", "1", "2")),
        ([0.0, NAN, 2, 1], "classes", ("0", "1", "2")),
        ([0.5, 1, NAN, 2, 1], "regression", ("ring",)),
        (np.arange(40), "regression", ("ring",)),
        ([1, 2, 3, 4, 5] * u.kpc, "regression", ("ring",)),
        (["0", "1", "2", "?"], "classes", ("0", "1", "2")),
        (["0.5", "1", "null"], "regression", ("ring",)),
        (Column([1.5, None, 0.2], dtype=object), "regression", ("ring",)),
        ([b"S\xe9rsic", b"other", b""], "classes", ("other", "Sérsic")),
        (["t", "y", "t"], "classes", ("t", "y")),
        ([1, -1, 1], "classes", ("-1", "1")),
        (Column([1, 2, 3, 4, 5], unit="kpc"), "regression", ("ring",)),
    ],
)
def test_the_column_decides_the_task(column, task, classes):
    labels = values(column)
    assert (labels.task, labels.classes) == (task, classes)


@pytest.mark.parametrize(
    ("name", "column", "called"),
    [
        ("label", ["ring", "not_ring", "?"], "ring"),
        ("class", ["Ring", "not ring", ""], "Ring"),
        ("morphology", ["unbarred", "barred", "barred"], "barred"),
        ("target", ["edge on", "not edge-on", "-"], "edge on"),
        ("ring", ["ring", "not_ring", "?"], "ring"),
        ("Ring", ["ring", "no ring", "?"], "Ring"),
        ("is_ring", ["ring", "no ring", "?"], "is_ring"),
        ("label", ["yes", "no", "?"], "label"),
        ("y", ["1", "0", "?"], "y"),
    ],
)
def test_yes_is_called_by_its_value_where_the_other_one_denies_it(name, column, called):
    labels = read_labels(Table({name: column}), name)
    assert (labels.task, labels.name, labels.classes) == ("binary", name, (called,))


def test_words_for_no_label_are_counted():
    assert values(MaskedColumn(["1", "0", "?", "?", "n/a", "0"], mask=[0] * 5 + [1])).words == {
        "?": 2,
        "n/a": 1,
        "": 1,
    }


@pytest.mark.parametrize("word", ["none", "Unknown"])
def test_a_word_that_could_be_a_class_is_left_out_with_a_warning(word):
    with pytest.warns(gzr.GalzooWarning, match=f"'{word}', in 2 row.s. of label 'ring', stands for no label"):
        labels = values(["strong", "weak", word, "weak", word])
    assert labels.classes == ("strong", "weak")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            [0.1, 0.2, 0.5, -99],
            r"is -99 in 1 row, .*: table\['ring'\] = np.ma.masked_equal\(table\['ring'\], -99\)",
        ),
        ([0, 1, -1, -1], "is -1 in 2 rows, unlike the rest .0 to 1."),
        (["0", "1", "-9"], r"is -9 in 1 row, .*: table\['ring'\]\[table\['ring'\] == '-9'\] = ''"),
        ([18.5, 19.2, 99.99, -99, 18.1], "is -99 in 1 row and 99.99 in 1 row"),
        (Column([1, 2, None, 9999], dtype=object), "is 9999 in 1 row"),
    ],
)
def test_numbers_that_seem_to_stand_for_no_label_are_learned_from_with_a_warning(column, message):
    with pytest.warns(gzr.GalzooWarning, match=message):
        values(column)


def test_the_task_can_be_said():
    assert values([0, 1, 2, 3], task="regression").task == "regression"
    assert values(["yes", "no", "yes"], task="classes").classes == ("no", "yes")


def test_units_are_kept():
    assert read_labels(Table({"size": Column([1.5, 2.5], unit="kpc")}), "size").unit == "kpc"


@given(
    st.lists(st.sampled_from(["a", "B ", " b", "", "A", "c  d", "C D"]), min_size=1, max_size=30),
)
def test_rows_with_the_same_words_have_the_same_class(words):
    labels = values(np.array(words, dtype=str), task="classes")
    folded = [" ".join(word.split()).casefold() for word in words]
    known = np.isin(np.arange(len(words)), labels.rows)
    of = [
        labels.classes[labels.values[row].argmax()].casefold() if known[row] else ""
        for row in range(len(words))
    ]
    assert of == folded


@pytest.mark.parametrize(
    ("column", "options", "error", "message"),
    [
        (["a", "b", "c"], {"task": "binary"}, ValueError, "has 3 different values, not two; task='classes'"),
        (["a", "b"], {"task": "binary"}, ValueError, "is 'a' or 'b': make it True or False"),
        ([2, 3], {"task": "binary"}, ValueError, r"holds \[2, 3\], where yes or no is 1 or 0"),
        (["a", "b"], {"task": "regression"}, TypeError, "holds text"),
        ([1, 0], {"task": "wish"}, ValueError, "task='wish' is not one of 'binary', 'classes'"),
        ([1j, 2j], {}, TypeError, "holds complex128; give booleans, text"),
        (np.zeros((3, 2)), {}, ValueError, r"one value for each row, not shape \(3, 2\)"),
        (Time([50000, 50001], format="mjd"), {}, TypeError, "is a column of Time; give booleans, text"),
        (SkyCoord([1, 2], [3, 4], unit="deg"), {}, TypeError, "is a column of SkyCoord"),
    ],
)
def test_values_that_make_no_sense_are_refused(column, options, error, message):
    with pytest.raises(error, match=message):
        values(column, **options)


@pytest.mark.parametrize(
    ("label", "options", "error", "message"),
    [
        ("rung", {}, ValueError, r"neither a column of the table \(.*ring\) nor a schema"),
        (["ring", "rung"], {}, ValueError, "label='rung' is not a column"),
        ("gz_rings", {}, ValueError, "none of the vote columns"),
        (["ring", "dec"], {"task": "votes"}, ValueError, "must be named question_answer"),
        (
            ["ring", "ra"],
            {"task": "classes"},
            ValueError,
            "several columns are learned as .*not task=.classes",
        ),
        (3, {}, TypeError, "label must be a column, several columns or a schema, not 3"),
        (["ring", "ring"], {}, ValueError, "label names 'ring' more than once"),
        ([], {}, TypeError, r"label must be a column, several columns or a schema, not \[\]"),
    ],
)
def test_labels_that_are_not_there_are_refused(galaxies, label, options, error, message):
    with pytest.raises(error, match=message):
        gzr.finetune(galaxies, label, **options)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.full(200, NAN), "no row has a label in 'ring'"),
        (np.full(200, ""), "no row has a label in 'ring'"),
        (np.ones(200), r"are of one class \(0 not ring, 200 ring\)"),
        (np.where(np.arange(200) < 3, [1, 0, 1] + [0] * 197, NAN), "only one galaxy labelled not ring"),
        (np.where(np.arange(200) == 7, 1, 0), "only one galaxy labelled ring"),
        (["spiral"] * 100 + ["merger"] + ["smooth"] * 99, "only one galaxy labelled merger .*mask or merge"),
        (
            [f"G{row}" for row in range(200)],
            r"labelled G0, .* and 195 more in 'ring' \(1 G0, .* and 190 more\)",
        ),
        (np.where(np.arange(200) < 6, np.arange(200) + 0.5, NAN), "6 labelled galaxies .* label at least 10"),
        (np.full(200, 3.5), "all labels in 'ring' are 3.5: there is nothing to learn"),
        (np.linspace(1e199, 1e200, 200), r"labels in 'ring' reach 1e\+200, .* learn their logarithm"),
    ],
)
def test_labels_from_which_nothing_can_be_learned_are_refused(galaxies, column, message):
    galaxies["ring"] = column
    with pytest.raises(ValueError, match=message):
        gzr.finetune(galaxies, "ring")


def test_galaxies_that_look_the_same_are_refused(galaxies):
    galaxies["embedding"] = np.ones((len(galaxies), 300), np.float32)
    with pytest.raises(ValueError, match="all 60 galaxies labelled in 'ring' have the same embedding"):
        gzr.finetune(galaxies, "ring")


def test_one_labelled_galaxy_is_said_to_be_one(galaxies):
    with pytest.raises(ValueError, match="only one galaxy is labelled in 'ring' and has an embedding"):
        gzr.finetune(galaxies[:1], "ring")


def test_labels_without_embeddings_are_refused(galaxies):
    galaxies["embedding"][:60] = NAN
    with pytest.raises(ValueError, match="none of the 60 rows labelled in 'ring' has an embedding"):
        gzr.finetune(galaxies, "ring")


def test_a_class_without_embeddings_is_named(galaxies):
    galaxies["kind"] = np.array(["a", "b", "c"])[np.arange(200) % 3]
    galaxies["embedding"][galaxies["kind"] == "c"] = NAN
    with pytest.raises(ValueError, match="no galaxy labelled c in 'kind' has an embedding"):
        gzr.finetune(galaxies, "kind")


def test_two_images_of_one_galaxy_are_one_example(galaxies):
    galaxies["ring"] = np.where(np.arange(200) < 2, 1, 0)
    galaxies["ra"][1] = galaxies["ra"][0] + 1 / 3600
    with pytest.raises(ValueError, match="only one galaxy labelled ring"):
        gzr.finetune(galaxies, "ring")


def test_images_of_one_galaxy_with_different_labels_are_told(galaxies):
    galaxies["ra"][:3], galaxies["dec"][:3] = galaxies["ra"][3:6], galaxies["dec"][3:6]
    galaxies["ring"][:6] = [0, 1, 0, 1, 1, 1]
    with pytest.warns(
        gzr.GalzooWarning, match="2 of 57 galaxies have images with different labels in 'ring'"
    ):
        gzr.finetune(galaxies, "ring", members=2)


def test_few_galaxies_are_learned_from_with_a_warning(galaxies):
    galaxies["ring"] = np.where(np.arange(200) < 20, np.arange(200) < 3, NAN)
    with pytest.warns(gzr.GalzooWarning, match="has a class of 3 galaxies"):
        model = gzr.finetune(galaxies, "ring", members=2)
    assert model.report.n_folds == 3


def test_embeddings_that_are_missing_say_what_to_do(galaxies):
    galaxies.remove_column("embedding")
    with pytest.raises(ValueError, match="no column 'embedding'; call add_embeddings first"):
        gzr.finetune(galaxies, "ring")


@pytest.mark.parametrize("members", [1, 0, True, 2.5, "3"])
def test_an_ensemble_has_at_least_two_members(galaxies, members):
    with pytest.raises(ValueError, match="members must be a whole number from 2"):
        gzr.finetune(galaxies, "ring", members=members)


@pytest.mark.parametrize("task", [None, "classes"])
def test_names_of_galaxies_are_no_classes(task):
    with pytest.raises(ValueError, match="has 1001 different values; classes are at most 1000"):
        values([f"galaxy {i}" for i in range(1001)], task=task)
