import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, QTable, Table, vstack

from galzoo_repr import GalzooWarning
from galzoo_repr.questions import Schema, votes_from_fractions, votes_from_table

RINGS = Schema.load("gz_rings")


@pytest.mark.parametrize("kind", [Table, QTable])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, ">f8", np.uint8])
def test_votes_come_in_the_order_of_the_schema(kind, dtype):
    table = kind(
        {"ring_no": np.array([1, 0], dtype), "name": ["a", "b"], "ring_yes": np.array([3, 9], dtype)}
    )
    votes = votes_from_table(table, RINGS)
    assert votes.dtype == np.float32
    assert votes.tolist() == [[3, 1], [9, 0]]


def test_masked_and_nan_mean_not_asked_and_surveys_mix():
    rings = Table({"ring_yes": [3, 1], "ring_no": [0, 2]})
    gz2 = Table({name: [5.0, np.nan] for name in Schema.load("gz2").columns})
    votes = votes_from_table(vstack([rings, gz2]), Schema.load(["gz_rings", "gz2"]))
    assert votes[:2, :2].tolist() == [[3, 0], [1, 2]]
    assert not votes[:2, 2:].any()
    assert (votes[2, 2:] == 5).all()
    assert not votes[3].any()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ring_yes": [1, 2]}, "lacks the vote columns ring_no"),
        ({"other": [1, 2]}, "none of the vote columns.*another schema"),
        ({"ring_yes": [1, -2], "ring_no": [1, 1]}, r"'ring_yes' is negative in 1 row\(s\), the first \[1\]"),
        ({"ring_yes": [1, np.inf], "ring_no": [1, 1]}, "infinite"),
        ({"ring_yes": [0, np.nan], "ring_no": [0, 0]}, "not one vote"),
        ({"ring_yes": [4, 2], "ring_no": [0, 0]}, "for one answer"),
        ({"ring_yes": np.array([], int), "ring_no": np.array([], int)}, "not one vote"),
    ],
)
def test_votes_that_teach_nothing_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        votes_from_table(Table(columns), RINGS)


@pytest.mark.parametrize("wrong", [["a", "b"], [[1, 2], [3, 4]]])
def test_columns_that_are_not_counts_are_refused(wrong):
    with pytest.raises(TypeError, match="'ring_yes'"):
        votes_from_table(QTable({"ring_yes": wrong, "ring_no": [1, 1]}), RINGS)


@pytest.mark.parametrize("missing", [np.nan, np.ma.masked])
def test_a_question_of_which_an_answer_is_missing_was_not_asked(missing):
    table = Table(
        {"ring_yes": np.ma.array([3.0, 5.0, 0.0, 2.0]), "ring_no": np.ma.array([1.0, 2.0, 3.0, 0.0])}
    )
    table["ring_no"][1] = missing
    table["ring_no"][2] = missing  # no vote is lost here, and none is counted in the warning
    with pytest.warns(
        GalzooWarning, match=r"Votes on 'ring' in 1 row\(s\) are left out.*fill these cells with 0"
    ):
        votes = votes_from_table(table, Schema.load("gz_rings"))
    assert votes.tolist() == [[3, 1], [0, 0], [0, 0], [2, 0]]


def test_suspicious_votes_warn():
    with pytest.warns(GalzooWarning, match="fractions"):
        votes_from_table(Table({"ring_yes": [0.3, 1], "ring_no": [0.7, 0]}), RINGS)
    table = Table({name: [1.0, 2.0] for name in Schema.load("gz2").columns})
    table["ring_yes"], table["ring_no"] = [1, 1], [0, 0]
    with pytest.warns(GalzooWarning, match="for one answer"):
        votes_from_table(table, Schema.load(["gz_rings", "gz2"]))


def test_fractions_become_votes_down_the_tree():
    schema = Schema.load("gz2").only("smooth-or-featured", "disk-edge-on", "something-odd")
    prefixes = [name for question in schema.questions for name in question.published]
    weighted = [0.5, 0.4, 0.1, 0.25, 0.75, 0.2, 0.8]
    debiased = [0.25, 0.65, 0.1, 0.5, 0.5, 0.2, 0.8]
    table = Table({"n": [40, 1]})
    for name, counted, fraction in zip(prefixes, weighted, debiased, strict=True):
        table[name + "_weighted_fraction"] = [counted, counted]
        table[name + "_debiased"] = [fraction, fraction]
    votes = votes_from_fractions(table, schema, total="n")
    assert [votes[name][0] for name in schema.columns] == pytest.approx([20, 16, 4, 4, 12, 7.2, 28.8])
    votes = votes_from_fractions(table, schema, total="n", fractions="_debiased")
    assert [votes[name][0] for name in schema.columns] == pytest.approx([10, 26, 4, 8, 8, 7.2, 28.8])
    assert np.isnan(votes["disk-edge-on-gz2_yes"][1])
    assert votes["smooth-or-featured-gz2_smooth"][1] == pytest.approx(0.25)
    assert "smooth-or-featured-gz2_smooth" not in table.colnames
    with pytest.raises(ValueError, match="lacks total"):
        votes_from_fractions(table, schema, total="total")


@pytest.mark.real_data
def test_real_galaxy_zoo_2_votes_add_up(real_data):
    table = Table.read(real_data / "gz2_votes.csv")
    schema = Schema.load("gz2")
    votes = votes_from_table(votes_from_fractions(table, schema, total="total_classifications"), schema)
    assert votes.sum() == pytest.approx(table["total_votes"].sum(), rel=0.02)


@pytest.mark.parametrize(
    "votes",
    [
        ["3", "?", "1"],
        [b"3", b"null", b"1"],
        Column([3, None, np.int16(1)], dtype=object),
        [[3.0], [np.nan], [1.0]],
        MaskedColumn(["3", "0", "1"], mask=[0, 1, 0]),
    ],
)
def test_votes_are_read_in_every_form(votes):
    table = Table({"ring_yes": votes, "ring_no": [1, np.nan, 2]})
    assert votes_from_table(table, RINGS).tolist() == [[3, 1], [0, 0], [1, 2]]


def test_numbers_that_nobody_counted_are_refused_or_said():
    table = Table({"ring_yes": [3, -99, 4], "ring_no": [1, 2, 9999]})
    with pytest.raises(
        ValueError, match=r"'ring_yes' is negative in 1 row.*as in table\['ring_yes'\] = np.ma.masked"
    ):
        votes_from_table(table, RINGS)
    table["ring_yes"][1] = 0
    with pytest.warns(GalzooWarning, match="'ring_no' is 9999 in 1 row, unlike the rest .1 to 2."):
        votes_from_table(table, RINGS)
    table["ring_no"][2] = 99  # a count
    votes_from_table(table, RINGS)


def test_published_fractions_that_are_no_numbers_are_refused():
    table = Table({"n": [40, 40], "ring_yes_fraction": [0.25, -999], "ring_no_fraction": ["0.75", "0.5"]})
    with pytest.raises(ValueError, match=r"'ring_yes_fraction' is negative in 1 row\(s\), the first \[1\]"):
        votes_from_fractions(table, RINGS, total="n", counted="_fraction")
