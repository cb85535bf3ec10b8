import numpy as np
import pytest
import torch
from astropy.table import Table, vstack

from galzoo_repr.questions import Schema, schema_names, votes_from_table
from galzoo_repr.simulation import draw_galaxies, volunteer_votes
from galzoo_repr.simulation._truth import light_columns, truth_columns

GZ2 = Schema.load("gz2")


def _galaxies(n=300, **mix):
    galaxies = draw_galaxies(
        n, torch.Generator().manual_seed(1), mix=mix or {"smooth": 1, "spiral": 1, "edge_on": 1}
    )
    return Table(light_columns(galaxies) + truth_columns(galaxies))


def _fraction(table, question, answer, *, fewest=5, schema=GZ2):
    question = schema[question]
    counts = np.stack([np.asarray(table[name], float) for name in question.columns])
    enough = counts.sum(axis=0) >= fewest
    return np.where(
        enough, counts[question.answers.index(answer)] / np.maximum(counts.sum(axis=0), 1), np.nan
    )


@pytest.mark.parametrize("name", schema_names())
def test_volunteers_know_every_packaged_schema(name):
    schema = Schema.load(name)
    voted = volunteer_votes(_galaxies(60), schema)
    votes = votes_from_table(voted, schema)
    totals = {
        question.label: votes[:, schema.question_index == i].sum(axis=1)
        for i, question in enumerate(schema.questions)
    }
    for question in schema.questions:
        asked = sum(np.asarray(voted[column]) for column in question.asked_after)
        if question.asked_after:
            np.testing.assert_array_equal(totals[question.label], asked)
        else:
            assert totals[question.label].min() >= 5
            assert totals[question.label].max() <= 80


def test_votes_depend_on_galaxy_and_seed_alone():
    table = _galaxies(50)
    table["ra"], table["dec"] = np.linspace(10, 11, 50), np.linspace(-1, 1, 50)
    voted = volunteer_votes(table, "gz2", seed=4)
    order = np.random.default_rng(0).permutation(50)[:20]
    shuffled = volunteer_votes(table[order], "gz2", seed=4)
    other = volunteer_votes(table, "gz2", seed=5)
    twice = volunteer_votes(vstack([table, table]), "gz2", seed=4)
    for column in GZ2.columns:
        np.testing.assert_array_equal(shuffled[column], voted[column][order])
        np.testing.assert_array_equal(twice[column][50:], voted[column])
    assert any((other[column] != voted[column]).any() for column in GZ2.columns)
    assert GZ2.columns[0] not in table.colnames


def test_people_see_what_is_there_on_the_whole():
    table = _galaxies(600, smooth=1, spiral=1, edge_on=1, merger=1, artifact=1)
    kind = np.asarray(table["true_kind"])
    voted = volunteer_votes(table, "gz2", volunteers=(40, 40))
    smooth = _fraction(voted, "smooth-or-featured", "smooth")
    assert smooth[kind == "smooth"].mean() > 0.75 > 0.5 > smooth[kind == "spiral"].mean()
    assert 0 < smooth[kind == "smooth"].max() <= 1
    assert (smooth[kind == "smooth"] < 1).mean() > 0.5, "some see features in every smooth galaxy"
    edge_on = _fraction(voted, "disk-edge-on", "yes")
    assert np.nanmean(edge_on[kind == "edge_on"]) > 0.8 > 0.3 > np.nanmean(edge_on[kind == "spiral"])
    odd = _fraction(voted, "something-odd", "yes")
    assert np.nanmean(odd[kind == "merger"]) > 3 * np.nanmean(odd[kind == "smooth"])
    artifact = _fraction(voted, "smooth-or-featured", "artifact")
    assert artifact[kind == "artifact"].mean() > 10 * artifact[kind == "smooth"].mean()


def test_faint_arms_and_inclined_bars_are_missed():
    table = _galaxies(800, spiral=1)
    table["true_bar"] = 2
    voted = volunteer_votes(table, "gz2", volunteers=(60, 60))
    faint = np.asarray(table["true_arm_contrast"]) < np.median(table["true_arm_contrast"])
    arms = _fraction(voted, "has-spiral-arms", "yes")
    assert np.nanmean(arms[~faint]) > np.nanmean(arms[faint]) + 0.15
    inclined = np.asarray(table["true_axis_ratio"]) < 0.5
    bars = _fraction(voted, "bar", "yes")
    assert np.nanmean(bars[~inclined]) > np.nanmean(bars[inclined]) + 0.15


def test_worse_images_hide_structure():
    table = _galaxies(400, spiral=1)
    sharp = _fraction(volunteer_votes(table, "gz2"), "smooth-or-featured", "featured-or-disk")
    table["seeing"] = 3.0
    blurred = _fraction(
        volunteer_votes(table, "gz2", seeing="seeing", depth=np.full(400, 6.0)),
        "smooth-or-featured",
        "featured-or-disk",
    )
    assert blurred.mean() < 0.6 * sharp.mean()


def test_what_cannot_be_voted_on_is_refused():
    table = _galaxies(5)
    unknown = Schema.from_dict({"name": "a", "questions": [{"name": "colour", "answers": ["red", "blue"]}]})
    with pytest.raises(ValueError, match="do not know the questions colour"):
        volunteer_votes(table, unknown)
    odd = Schema.from_dict({"name": "a", "questions": [{"name": "bar", "answers": ["yes", "perhaps"]}]})
    with pytest.raises(ValueError, match="cannot answer perhaps"):
        volunteer_votes(table, odd)
    with pytest.raises(ValueError, match="lacks the columns true_kind, psf"):
        volunteer_votes(table["petro_th50", "mag_r", *table.colnames[6:]], seeing="psf")
    with pytest.raises(ValueError, match="smallest and a largest"):
        volunteer_votes(table, volunteers=(9, 5))
    assert len(volunteer_votes(table[:0], "gz2")) == 0
