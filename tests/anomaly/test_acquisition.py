import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from galzoo_repr.anomaly import InterestModel, expected_improvement
from galzoo_repr.anomaly._acquisition import choose_batch, choose_first_batch
from galzoo_repr.anomaly._gaussian_process import RatingProcess


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(-3, 6), std=st.floats(0.05, 3), best=st.floats(0, 5), tradeoff=st.floats(0, 1))
def test_expected_improvement_is_the_expectation_of_the_improvement(mean, std, best, tradeoff):
    above = best + tradeoff
    expected, _ = quad(lambda x: (x - above) * norm.pdf(x, mean, std), above, max(above, mean + 9 * std))
    assert expected_improvement([mean], [std], best, tradeoff)[0] == pytest.approx(expected, abs=1e-6)


def test_a_certain_prediction_improves_by_its_excess():
    assert expected_improvement([3.0, 1.0], [0.0, 0.0], best=2.0, tradeoff=0.5).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("std", [[0.5], [0.5, -0.1]])
def test_impossible_deviations_are_refused(std):
    with pytest.raises(ValueError, match="needs a standard deviation that is not negative"):
        expected_improvement([1.0, 2.0], std, best=1.0)
    with pytest.raises(ValueError, match="tradeoff must be a number from 0, not -1"):
        expected_improvement([1.0], [0.5], best=1.0, tradeoff=-1)


@pytest.fixture
def process():
    generator = np.random.default_rng(3)
    rated = generator.normal(size=(40, 3))
    return RatingProcess(rated, np.clip(3 * rated[:, 0], 0, 5), np.full(40, 0.05), 1.5)


def posterior_correlation(process, features):
    whitened = process.whitening @ process.covariance(process.features, features)
    covariance = process.covariance(features, features) - whitened.T @ whitened
    spread = np.sqrt(np.diag(covariance))
    return covariance / np.outer(spread, spread)


def test_a_distinct_batch_is_the_best_of_galaxies_that_are_not_alike(process):
    features = np.random.default_rng(4).normal(size=(600, 3))
    mean, std = process.predict(features.astype(np.float32))
    improvement = expected_improvement(mean, std, process.ratings.max())
    alike = posterior_correlation(process, features.astype(np.float32).astype(float)) > 0.95
    expected = []
    for row in np.argsort(-improvement):
        if len(expected) < 8 and not alike[row, expected].any():
            expected.append(row)
    assert choose_batch(process, features.astype(np.float32), mean, std, 8).tolist() == expected


def test_the_choice_does_not_depend_on_the_size_of_the_pool(process, monkeypatch):
    features = np.random.default_rng(5).normal(size=(4000, 3)).astype(np.float32)
    mean, std = process.predict(features)
    whole = choose_batch(process, features, mean, std, 30)
    monkeypatch.setattr("galzoo_repr.anomaly._acquisition.POOL", 1)
    assert np.array_equal(choose_batch(process, features, mean, std, 30), whole)


def test_a_distinct_batch_is_not_ten_of_the_same_galaxy(process):
    generator = np.random.default_rng(6)
    crowd = np.array([1.6, 0.4, 0.1]) + generator.normal(size=(30, 3)) * 0.01
    others = generator.normal(loc=0.5, size=(500, 3))
    features = np.concatenate([crowd, others]).astype(np.float32)
    mean, std = process.predict(features)
    mean = np.where(np.arange(530) < 30, 5.2, np.minimum(mean, 4.0))
    naive = choose_batch(process, features, mean, std, 10, method="top")
    distinct = choose_batch(process, features, mean, std, 10)
    assert (naive < 30).sum() == 10
    assert (distinct < 30).sum() == 1
    assert naive[0] == distinct[0]


def test_where_all_are_alike_the_batch_is_full_nevertheless(process):
    features = np.full((50, 3), 0.3, dtype=np.float32)
    mean, std = process.predict(features)
    rows = choose_batch(process, features, mean, std, 10)
    assert len(set(rows)) == 10


@pytest.mark.parametrize("batch", ["distinct", "top"])
def test_excluded_and_missing_rows_are_never_chosen(galaxies, truth, batch):
    embeddings = np.asarray(galaxies["embedding"]).copy()
    embeddings[390:] = np.nan
    ratings = np.where(np.arange(400) < 50, truth, np.nan)
    model = InterestModel(batch=batch).fit(embeddings, ratings)
    exclude = np.arange(400) < 380
    assert sorted(model.next_batch(embeddings, 20, exclude=exclude)) == list(range(380, 390))
    for n in (0, "a", 2.5):
        with pytest.raises(ValueError, match=f"n must be a whole number from 1, not {n!r}"):
            model.next_batch(embeddings, n)
    for rows in ([True], [390, 391], np.arange(400)):
        with pytest.raises(ValueError, match="exclude must be 400 booleans, one for each row"):
            model.next_batch(embeddings, exclude=rows)


def test_expected_improvement_is_on_the_scale_of_the_ratings(galaxies, truth):
    embeddings, ratings = np.asarray(galaxies["embedding"]), np.where(np.arange(400) < 50, truth, np.nan)
    plain = InterestModel(rating_scale=(0, 5)).fit(embeddings, ratings).expected_improvement(embeddings)
    percent = (
        InterestModel(rating_scale=(0, 100)).fit(embeddings, ratings * 20).expected_improvement(embeddings)
    )
    assert np.allclose(percent, 20 * plain, rtol=1e-3, atol=1e-9)


def test_a_diverse_first_batch_covers_what_a_random_one_misses():
    generator = np.random.default_rng(8)
    kinds = np.repeat(np.eye(8) * 20, [930, 10, 10, 10, 10, 10, 10, 10], axis=0)
    features = (kinds + generator.normal(size=(1000, 8))).astype(np.float32)
    found = {
        method: len({tuple(kinds[row]) for row in choose_first_batch(features, None, 10, method=method)})
        for method in ("diverse", "random")
    }
    assert found["diverse"] == 8
    assert found["random"] < 5


def test_a_first_batch_of_repeated_galaxies_names_each_row_once():
    features = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    features[14] = np.nan
    rows = choose_first_batch(features, None, 12)
    assert len(set(rows)) == 12
    assert 14 not in rows
    assert len(choose_first_batch(features[14:], None, 3)) == 0
