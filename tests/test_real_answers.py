"""What labels of real galaxies are taken to mean when the bundled encoder is trained: benchmarks/real_answers.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import Schema

ROWS = {
    "kaggle_37_fractions": {"file": ["a.jpg"]}
    | {
        f"Class{question}.{answer}": [share]
        for question, shares in {
            1: (0.1, 0.9, 0.0), 2: (0.1, 0.8), 3: (0.6, 0.2), 4: (0.8, 0.0), 5: (0.4, 0.3, 0.1, 0.0), 6: (0.5, 0.5),
            7: (0.1, 0.0, 0.0), 8: (0.5, 0, 0, 0, 0, 0, 0), 9: (0.1, 0.0, 0.0), 10: (0.0, 0.1, 0.7),
            11: (0.0, 0.6, 0.2, 0, 0, 0),
        }.items()
        for answer, share in enumerate(shares, start=1)
    },
    "gz1_votes": {
        "file": ["d.jpg", "e.jpg"], "NVOTE": [30.0, np.nan], "P_EL": [0.1, np.nan], "P_CW": [0.5, np.nan],
        "P_ACW": [0.2, np.nan], "P_EDGE": [0.1, np.nan], "P_MG": [0.1, np.nan], "P_DK": [0.0, np.nan],
    },
    "kaggle_implied_answers": {
        "file": ["b.jpg", "c.jpg"], "p_smooth_ge_half": [0, np.nan], "p_featured_ge_half": [1, np.nan],
        "p_spiral_gt_half": [1, np.nan], "p_odd_ge_half": [1, 0],
    },
}  # fmt: skip


@pytest.fixture
def real_answers(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    yield __import__("real_answers")
    for name in ("real_answers", "real_galaxies"):
        sys.modules.pop(name, None)


@pytest.fixture
def schema():
    return Schema.load(["gz_decals_dr5", "gz_rings", "gz2", "gz1"])


def most(votes, schema, label, row=0):
    """Answer with the most votes on a question, None without votes."""
    question = next(one for one in schema.questions if one.label == label)
    counts = [votes[column][row] for column in question.columns]
    return question.answers[int(np.argmax(counts))] if np.isfinite(counts).all() else None


@pytest.mark.parametrize(
    ("question", "answer", "meant"),
    [
        (
            "How tightly wound do the spiral arms appear?",
            "Loose",
            {"spiral-winding-gz2": "loose", "spiral-winding-dr5": "loose", "has-spiral-arms-dr5": "yes",
             "disk-edge-on-gz2": "no", "smooth-or-featured-gz2": "featured-or-disk", "spiral-arm-count-gz2": None},
        ),
        (
            "Is there any sign of a bar feature through the center of the galaxy?",
            "Bar",
            {"bar-gz2": "yes", "bar-dr5": None, "disk-edge-on-gz2": "no", "has-spiral-arms-gz2": None},
        ),
        ("Is there any sign of a bar feature through the centre of the galaxy?", "No bar", {"bar-dr5": "no"}),
        ("Is the galaxy simply smooth and rounded?", "Star or artifact", {"smooth-or-featured-gz2": "artifact"}),
        ("How many spiral arms are there?", "Can't tell", {"spiral-arm-count-dr5": "cant-tell"}),
        ("How many spiral arms are there?", "More than 4", {"spiral-arm-count-gz2": "more-than-4"}),
        ("How rounded is it?", "Cigar shaped", {"how-rounded-gz2": "cigar", "how-rounded-dr5": "cigar-shaped"}),
        ("Does the galaxy have a bulge at its centre?", "No bulge", {"edge-on-bulge-dr5": "none"}),
        ("Does the galaxy have a bulge at its centre?", "Yes", {"bulge-shape-gz2": None, "bulge-size-gz2": None}),
        (
            "What are the odd features?",
            "Ring",
            {"odd-feature-gz2": "ring", "something-odd-gz2": "yes", "ring": "yes", "smooth-or-featured-gz2": None},
        ),
        ("Do you see any of these odd features?", "None", {"odd-feature-gz2": None, "something-odd-gz2": None}),
        ("Is the galaxy currently merging?", "Tidal debris", {"merging-dr5": None, "galaxy-type-gz1": None}),
        ("Does the galaxy have a mostly clumpy appearance?", "Yes", {"something-odd-gz2": None, "bar-gz2": None}),
    ],
)  # fmt: skip
def test_an_example_means_its_answer_and_what_leads_to_the_question(
    real_answers, schema, question, answer, meant
):
    votes = real_answers.worded_votes([question], [answer], schema)
    assert {label: most(votes, schema, label) for label in meant} == meant


def test_what_is_known_of_sdss_galaxies(real_answers, schema, monkeypatch, tmp_path):
    (tmp_path / "more").mkdir()
    for name, columns in ROWS.items():
        Table(columns).write(tmp_path / "more" / f"{name}.csv")
    monkeypatch.setenv("GALZOO_REAL_DATA", str(tmp_path))
    featured, odd_no = "argmax37:featured_or_disk", "argmax37:odd_no"
    labels = [featured, featured, odd_no, "spiral_cw", "elliptical", "edge_on"]
    table = Table({"file": [f"{letter}.jpg" for letter in "abcdeg"], "label": labels})
    votes = real_answers.sdss_votes(table, schema)
    said = {label: [most(votes, schema, label, row) for row in range(6)] for label in schema.labels}
    assert said["spiral-winding-gz2"] == ["loose", *[None] * 5]
    assert said["bulge-size-gz2"] == ["no", *[None] * 5]
    assert said["something-odd-gz2"][1:] == ["yes", "no", None, None, None]
    assert said["has-spiral-arms-gz2"] == ["yes", "yes", None, "yes", None, None]
    feature = "featured-or-disk"
    assert said["smooth-or-featured-gz2"] == [feature, feature, None, feature, None, None]
    assert said["galaxy-type-gz1"] == [None, None, None, "spiral", "elliptical", "edge-on"]
    assert said["disk-edge-on-gz2"] == ["no", "no", None, "no", None, "yes"]
    # Fractions of Kaggle are of all volunteers: 0.6 of 40 saw a bar.
    assert votes["bar-gz2_yes"][0] == pytest.approx(24)


def test_only_clear_types_of_face_on_galaxies_say_anything_of_bars_and_rings(real_answers, schema):
    types = Table({
        "hubble_type": ["SBb", "SBb", "E", "SABa", "Sb"],
        "minor_axis_arcmin": [0.9, 0.2, 0.9, 0.9, 0.9],
        "major_axis_arcmin": [1.0, 1.0, 1.0, 1.0, np.nan],
        "efigi_T": [3.0, np.nan, -5, 1, 3], "efigi_Bar_Length": [np.nan, np.nan, 0, 0.25, 0],
        "efigi_Arm_Strength": [0.5, np.nan, 0, 0.25, 0], "efigi_Inner_Ring": [0.0, np.nan, 0, 1, 0],
        "efigi_Outer_Ring": [0.0, np.nan, 0, 0, 0], "efigi_Pseudo_Ring": [0.0, np.nan, 0, 0, 0],
    })  # fmt: skip
    votes = real_answers.catalogue_votes(types, schema)
    said = {label: [most(votes, schema, label, row) for row in range(5)] for label in schema.labels}
    assert said["bar-gz2"] == ["yes", None, None, None, None]
    assert said["ring"] == ["no", None, None, "yes", None]
    assert said["has-spiral-arms-dr5"] == ["yes", None, None, None, None]
    assert said["smooth-or-featured-dr5"] == ["featured-or-disk", None, "smooth", None, None]


def test_votes_of_decals_count_where_the_answers_are_the_same(real_answers, schema):
    table = Table({
        "gzd12:bar_total-votes": [10], "gzd12:bar_yes_fraction": [0.4], "gzd12:bar_no_fraction": [0.6],
        "gzd12:how-rounded_total-votes": [5], "gzd12:how-rounded_completely_fraction": [1.0],
    })  # fmt: skip
    votes = real_answers.decals_votes(table, schema)
    assert (votes["bar-gz2_yes"][0], votes["bar-gz2_no"][0]) == (4, 6)
    assert np.isnan(votes["bar-dr5_no"][0])
    assert np.isnan(votes["how-rounded-gz2_round"][0])
