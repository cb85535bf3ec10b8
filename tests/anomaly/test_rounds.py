"""A round of a search computes nothing twice, and never takes an old result for a new one."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import galzoo_repr as gzr
from galzoo_repr.anomaly import RatingProcess, _scoring, fit_interest
from galzoo_repr.catalogue import Reduction


@pytest.fixture
def work(monkeypatch):
    """What was computed for a whole catalogue, in order."""
    done = []

    def counted(owner, name):
        usual = getattr(owner, name)

        def count(*args, **options):
            done.append(name)
            return usual(*args, **options)

        monkeypatch.setattr(owner, name, count)

    counted(Reduction, "fit")
    counted(Reduction, "transform")
    counted(RatingProcess, "predict")
    counted(_scoring, "unusual_scores")
    return done


def test_a_round_reduces_once_and_predicts_once(rated, truth, work):
    scored = gzr.add_anomaly_scores(rated)
    chosen = gzr.next_to_rate(scored)
    assert work == ["fit", "transform", "predict"]
    assert_array_equal(chosen["predicted_rating"], scored["anomaly_score"][chosen["row"]])
    scored["interest"][chosen["row"]] = truth[chosen["row"]]
    gzr.next_to_rate(scored)
    fit_interest(scored)
    assert work == ["fit", "transform", "predict", "predict"]


def test_before_any_rating_a_round_looks_for_the_unusual_once(galaxies, work):
    gzr.next_to_rate(gzr.add_anomaly_scores(galaxies), first="outliers")
    assert work == ["fit", "transform", "unusual_scores"]
    gzr.add_anomaly_scores(galaxies, seed=1)
    gzr.add_anomaly_scores(galaxies, seed=1, unsupervised="local_outlier_factor")
    assert work[3:] == ["unusual_scores"] * 2


def test_a_fitted_model_meets_another_catalogue_once(rated, work):
    model = fit_interest(rated[:300])
    del work[:]
    gzr.next_to_rate(gzr.add_anomaly_scores(rated, model=model), model=model)
    assert work == ["transform", "predict"]


def one_rating(table):
    table["interest"][79] += 1


def an_embedding(table):
    table["embedding"][200] *= -1


def a_spread(table):
    table["sigma"][3] = 4


def scale(table):
    table["interest"] *= 2


@pytest.mark.parametrize(
    "change", [one_rating, an_embedding, a_spread, scale], ids=lambda change: change.__name__
)
def test_what_changes_is_seen(rated, change):
    rated["sigma"] = 0.1
    old = gzr.add_anomaly_scores(rated, noise="sigma")["anomaly_score"].copy()
    change(rated)
    new = gzr.add_anomaly_scores(rated, noise="sigma")["anomaly_score"]
    with gzr.conf.set_temp("reductions_size", 0.0):
        gzr.add_anomaly_scores(rated[:200])  # forgets what it has seen
        assert_array_equal(gzr.add_anomaly_scores(rated, noise="sigma")["anomaly_score"], new)
    assert not np.array_equal(old, new)


def test_a_column_that_is_changed_does_not_change_what_is_remembered(rated):
    scored = gzr.add_anomaly_scores(rated)
    expected = scored["anomaly_score"].copy()
    scored["anomaly_score"] *= 0
    scored["anomaly_score_std"] *= 0
    again = gzr.add_anomaly_scores(rated)
    assert_array_equal(again["anomaly_score"], expected)
    assert (again["anomaly_score_std"] > 0).all()
