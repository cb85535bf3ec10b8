import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from galzoo_repr.anomaly import InterestModel, expected_improvement
from galzoo_repr.anomaly._acquisition import _best_rows, choose_batch, choose_first_batch
from galzoo_repr.anomaly._process import RatingProcess


@settings(max_examples=30, deadline=None)
@given(mean=st.floats(-3, 6), std=st.floats(0.05, 3), best=st.floats(0, 5), tradeoff=st.floats(0, 1))
def test_expected_improvement_is_the_expectation_of_the_improvement(mean, std, best, tradeoff):
    above = best + tradeoff
    expected, _ = quad(lambda x: (x - above) * norm.pdf(x, mean, std), above, max(above, mean + 9 * std))
    assert expected_improvement([mean], [std], best, tradeoff)[0] == pytest.approx(expected, abs=1e-6)


def test_a_certain_prediction_improves_by_its_excess():
    assert expected_improvement([3.0, 1.0], [0.0, 0.0], best=2.0, tradeoff=0.5).tolist() == [0.5, 0.0]


@pytest.fixture
def process():
    generator = np.random.default_rng(3)
    rated = generator.normal(size=(40, 3))
    return RatingProcess(
        rated, np.clip(3 * rated[:, 0], 0, 5), np.zeros(40), "rational_quadratic", 1.5, 1.0, 0.05
    )


def refit_with(process, features, ratings):
    """The process with further ratings and the same hyperparameters, from scratch."""
    return RatingProcess(
        np.concatenate([process.features, features]),
        np.concatenate([process.ratings, ratings]),
        np.zeros(len(process.ratings) + len(ratings)),
        *(getattr(process, name) for name in ("kernel", "length_scale", "mixture", "noise")),
    )


def test_believing_equals_refitting_with_the_believed_ratings(process):
    features = np.random.default_rng(4).normal(size=(3000, 3)).astype(np.float32)
    mean, std = process.predict(features)
    chosen = choose_batch(process, features, mean, std, 6)
    believed = []
    for row in chosen:
        refitted = refit_with(process, features[believed], mean[believed])
        improvement = expected_improvement(*refitted.predict(features), refitted.ratings.max())
        improvement[believed] = -1
        assert improvement[row] == pytest.approx(improvement.max(), rel=1e-3)
        believed.append(row)


def test_the_choice_does_not_depend_on_the_size_of_the_pool(process, monkeypatch):
    features = np.random.default_rng(5).normal(size=(4000, 3)).astype(np.float32)
    mean, std = process.predict(features)
    whole = choose_batch(process, features, mean, std, 30)
    sizes = []

    def tiny(improvement, size):
        sizes.append(size)
        return _best_rows(improvement, size // 100)

    monkeypatch.setattr("galzoo_repr.anomaly._acquisition._best_rows", tiny)
    assert np.array_equal(choose_batch(process, features, mean, std, 30), whole)
    assert len(sizes) > 1


def test_a_diverse_batch_is_not_ten_of_the_same_galaxy(process):
    generator = np.random.default_rng(6)
    crowd = np.array([1.6, 0.4, 0.1]) + generator.normal(size=(30, 3)) * 0.01
    others = generator.normal(loc=0.5, size=(500, 3))
    features = np.concatenate([crowd, others]).astype(np.float32)
    mean, std = process.predict(features)
    mean = np.where(np.arange(530) < 30, 5.2, np.minimum(mean, 5.0))
    naive = choose_batch(process, features, mean, std, 10, method="top")
    diverse = choose_batch(process, features, mean, std, 10)
    assert (naive < 30).sum() == 10
    assert (diverse < 30).sum() < 6
    assert naive[0] == diverse[0]


@pytest.mark.parametrize("batch", ["believer", "top"])
def test_excluded_and_missing_rows_are_never_chosen(galaxies, truth, batch):
    embeddings = np.asarray(galaxies["embedding"]).copy()
    embeddings[390:] = np.nan
    ratings = np.where(np.arange(400) < 50, truth, np.nan)
    model = InterestModel(batch=batch).fit(embeddings, ratings)
    exclude = np.arange(400) < 380
    assert sorted(model.next_batch(embeddings, 20, exclude=exclude)) == list(range(380, 390))
    with pytest.raises(ValueError, match="n must be at least 1, not 0"):
        model.next_batch(embeddings, 0)


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
