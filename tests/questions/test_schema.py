import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galzoo_repr.questions import Question, Schema, schema_names

RING_TREE = {
    "name": "rings",
    "campaign": "x",
    "questions": [
        {"name": "disk", "answers": ["yes", "no"]},
        {"name": "ring", "answers": ["inner", "outer", "none"], "asked_after": "disk_yes"},
    ],
}


@pytest.mark.parametrize("name", schema_names())
def test_packaged_schemas_are_valid_and_round_trip(name):
    schema = Schema.load(name)
    assert schema.name == name
    assert schema.title
    assert schema.source
    assert all(question.text for question in schema.questions)
    assert Schema.from_dict(schema.to_dict()) == schema
    assert len(schema.question_index) == len(schema.columns) == len(set(schema.columns))


@pytest.mark.parametrize(
    ("name", "n_questions", "n_answers"),
    [
        ("gz_decals_dr5", 10, 34),
        ("gz_decals_dr8", 10, 34),
        ("gz_desi", 10, 34),
        ("gz_decals_dr12", 10, 30),
        ("gz2", 11, 37),
        ("gz_cosmic_dawn", 13, 45),
        ("gz_euclid", 13, 46),
        ("gz_rings", 1, 2),
    ],
)
def test_packaged_schemas_have_the_published_size(name, n_questions, n_answers):
    schema = Schema.load(name)
    assert (len(schema.questions), len(schema.columns)) == (n_questions, n_answers)


def test_decals_columns_and_parents_are_those_of_galaxy_zoo():
    schema = Schema.load("gz_decals_dr5")
    assert schema["bar"].columns == ("bar-dr5_strong", "bar-dr5_weak", "bar-dr5_no")
    assert schema["bulge-size"].answers == ("dominant", "large", "moderate", "small", "none")
    assert schema["spiral-arm-count-dr5"].asked_after == ("has-spiral-arms-dr5_yes",)
    assert schema["bar"].asked_after == ("disk-edge-on-dr5_no",)
    assert schema["edge-on-bulge"].asked_after == ("disk-edge-on-dr5_yes",)
    assert schema.parent("smooth-or-featured") is None
    assert schema.parent("how-rounded").name == "smooth-or-featured"
    assert Schema.load("gz_desi").columns[0] == "smooth-or-featured_smooth"


def test_galaxy_zoo_2_asks_for_the_odd_feature():
    schema = Schema.load("gz2")
    assert schema["odd-feature"].answers == (
        "ring", "lens-or-arc", "disturbed", "irregular", "other", "merger", "dust-lane",
    )  # fmt: skip
    assert schema.parent("odd-feature").name == "something-odd"


def test_a_schema_comes_from_a_file_a_path_or_a_mapping(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "rings"\ncampaign = "x"\n'
        '[[questions]]\nname = "disk"\nanswers = ["yes", "no"]\n'
        '[[questions]]\nname = "ring"\nanswers = ["inner", "outer", "none"]\nasked_after = "disk_yes"\n'
    )
    expected = Schema.from_dict(RING_TREE)
    assert Schema.load(path) == Schema.load(str(path)) == Schema.load(RING_TREE) == Schema.load(expected)
    assert expected.columns == ("disk-x_yes", "disk-x_no", "ring-x_inner", "ring-x_outer", "ring-x_none")
    assert expected["ring"].asked_after == ("disk-x_yes",)


def test_parents_may_be_given_as_columns_and_questions_in_any_order():
    questions = [
        {"name": "ring", "answers": ["yes", "no"], "asked_after": "disk-x_yes"},
        {"name": "disk", "answers": ["yes", "no"]},
    ]
    schema = Schema.from_dict({"name": "a", "campaign": "x", "questions": questions})
    assert [question.name for question in schema.questions_in_order] == ["disk", "ring"]
    assert schema.joint_probability([0.5, 0.5, 0.2, 0.8]) == pytest.approx([0.1, 0.1, 0.2, 0.8])


def test_the_tree_is_printed_with_the_way_to_each_question():
    text = str(Schema.load("gz_decals_dr5"))
    assert text.splitlines()[0].startswith("gz_decals_dr5: Galaxy Zoo DECaLS")
    assert "└─ after smooth or featured-or-disk: merging-dr5: none" in text
    assert "│  │  └─ after yes: spiral-arm-count-dr5: 1 | 2 | 3" in text


def _with(**changes):
    return {**RING_TREE, **changes}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (_with(questions=[]), "no question"),
        (_with(questions=[{"name": "a", "answers": ["yes"]}]), "at least two"),
        (_with(questions=[{"name": "a", "answers": ["yes", "yes"]}]), "more than once"),
        (_with(questions=[{"name": "", "answers": ["yes", "no"]}]), "needs a name"),
        (_with(questions=[{"name": "a"}]), "lacks answers"),
        (_with(questions=[RING_TREE["questions"][0]] * 2), "disk-x more than once"),
        (_with(questions=[RING_TREE["questions"][1]]), "asked after disk_yes, which is the answer of no"),
        (_with(colour="red"), r"unknown key\(s\) colour"),
        ({"questions": RING_TREE["questions"]}, "lacks name"),
        (
            _with(
                questions=[
                    {"name": "a", "answers": ["yes", "no"], "asked_after": "b_yes"},
                    {"name": "b", "answers": ["yes", "no"], "asked_after": "a_yes"},
                ]
            ),
            "in a circle: a-x <- b-x <- a-x",
        ),
        (
            _with(
                questions=[
                    {"name": "a", "answers": ["yes", "no"]},
                    {"name": "b", "answers": ["yes", "no"]},
                    {"name": "c", "answers": ["yes", "no"], "asked_after": ["a_yes", "b_yes"]},
                ]
            ),
            "answers of several questions",
        ),
        (
            _with(
                campaign="",
                questions=[
                    {"name": "a", "answers": ["b_c", "no"]},
                    {"name": "a_b", "answers": ["c", "no"]},
                ],
            ),
            r"column\(s\) a_b_c more than once",
        ),
    ],
)
def test_invalid_schemas_are_refused(description, message):
    with pytest.raises(ValueError, match=message):
        Schema.from_dict(description)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (_with(questions="disk"), "list of tables"),
        (_with(questions=["disk"]), "a table with a name"),
        (_with(questions=[{"name": "a", "answers": "yes"}]), "list of strings"),
        (_with(questions=[{"name": "a", "answers": [1, 2]}]), "list of strings"),
    ],
)
def test_schemas_of_wrong_types_are_refused(description, message):
    with pytest.raises(TypeError, match=message):
        Schema.from_dict(description)


def test_what_is_not_a_schema_is_refused(tmp_path):
    with pytest.raises(ValueError, match="neither a file nor one of gz1"):
        Schema.load("gz_decalz")
    with pytest.raises(TypeError, match="a name, a path"):
        Schema.load(5)
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(ValueError, match=re.escape(str(broken))):
        Schema.load(broken)
    with pytest.raises(ValueError, match="published columns"):
        Question("a", ("yes", "no"), published=("x",))


def test_union_mixes_surveys_and_refuses_contradictions():
    both = Schema.load(["gz_decals_dr5", "gz2", "gz_decals_dr5"])
    assert len(both.columns) == 34 + 37
    assert both.name == "gz_decals_dr5+gz2"
    with pytest.raises(ValueError, match="2 questions 'bar'"):
        both["bar"]
    assert both["bar-gz2"].answers == ("yes", "no")
    other = Schema.from_dict(_with(questions=[{"name": "disk", "answers": ["yes", "no", "maybe"]}]))
    with pytest.raises(ValueError, match="different questions of the name 'disk-x'"):
        Schema.from_dict(RING_TREE).union(other)


def test_only_keeps_some_questions():
    schema = Schema.load("gz_decals_dr5")
    assert schema.only("smooth-or-featured").columns == schema.columns[:3]
    assert schema.only("bar").questions[0].asked_after == ()
    with pytest.raises(ValueError, match="0 questions 'colour'"):
        schema.only("colour")


def test_joint_probability_multiplies_down_the_tree():
    schema = Schema.load("gz_decals_dr5").only("smooth-or-featured", "disk-edge-on", "merging")
    fractions = [0.2, 0.7, 0.1, 0.4, 0.6, 0.5, 0.0, 0.0, 0.5]
    joint = schema.joint_probability(np.tile(fractions, (3, 1)))
    assert joint.shape == (3, 9)
    assert joint[1] == pytest.approx([0.2, 0.7, 0.1, 0.28, 0.42, 0.45, 0, 0, 0.45])
    assert schema.probability_asked(fractions) == pytest.approx([1, 0.7, 0.9])
    with pytest.raises(ValueError, match="9 answers"):
        schema.joint_probability([0.2, 0.8])


@given(st.integers(0, 2**32 - 1), st.sampled_from(schema_names()))
def test_the_answers_of_a_question_share_out_the_probability_of_being_asked(seed, name):
    schema = Schema.load(name)
    raw = np.random.default_rng(seed).gamma(1.0, size=len(schema.columns)) + 1e-9
    sums = np.bincount(schema.question_index, raw)
    fractions = raw / sums[schema.question_index]
    joint = schema.joint_probability(fractions)
    assert np.bincount(schema.question_index, joint) == pytest.approx(schema.probability_asked(fractions))
    assert joint.min() >= 0
    assert joint.max() <= 1
