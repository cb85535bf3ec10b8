import numpy as np
import pytest
from sklearn.neighbors import KNeighborsTransformer, LocalOutlierFactor

from galzoo_repr.anomaly import unusual_scores


@pytest.mark.parametrize("method", ["isolation_forest", "local_outlier_factor"])
def test_the_odd_one_out_scores_highest(method):
    features = np.random.default_rng(0).normal(size=(300, 4))
    features[42] = [9, -9, 9, 9]
    features[43] = np.nan
    scores = unusual_scores(features, method=method)
    assert np.nanargmax(scores) == 42
    assert np.isnan(scores[43])
    assert np.array_equal(scores, unusual_scores(features, method=method), equal_nan=True)


def test_what_cannot_be_scored_is_refused():
    features = np.zeros((5, 2))
    with pytest.raises(ValueError, match="method='svm' is not one of 'isolation_forest'"):
        unusual_scores(features, method="svm")
    with pytest.raises(ValueError, match="seed must be a whole number from 0, not 'a'"):
        unusual_scores(features, seed="a")
    for wrong in (features[:, 0], features.astype(str)):
        with pytest.raises(ValueError, match="features must be numbers of shape"):
            unusual_scores(wrong)


@pytest.mark.parametrize("method", ["isolation_forest", "local_outlier_factor"])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_galaxies_are_scored_too(method, rows):
    scores = unusual_scores(np.arange(rows * 3.0).reshape(rows, 3), method=method)
    assert scores.shape == (rows,)
    assert np.isfinite(scores).all()


def test_outlier_factors_of_a_neighbour_graph_are_those_of_exact_neighbours(monkeypatch):
    def exact_graph(features, neighbours, seed):
        return KNeighborsTransformer(n_neighbors=neighbours).fit_transform(features)

    features = np.random.default_rng(1).normal(size=(1500, 6)).astype(np.float32)
    monkeypatch.setattr("galzoo_repr.anomaly._unsupervised.EXACT_NEIGHBOURS", 1000)
    # The real graph takes half a minute to compile; it is measured by the benchmark.
    monkeypatch.setattr("galzoo_repr.anomaly._unsupervised._neighbour_graph", exact_graph)
    exact = -LocalOutlierFactor(n_neighbors=20).fit(features).negative_outlier_factor_
    assert np.allclose(unusual_scores(features, method="local_outlier_factor"), exact, rtol=1e-4)
