"""Heads from a few labels: how they are regularised, and beside those of scikit-learn."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

import galzoo_repr as gzr
from galzoo_repr.finetuning._averaging import choose
from galzoo_repr.finetuning._calibration import fit_calibration
from galzoo_repr.finetuning._heads import HeadSpace
from galzoo_repr.finetuning._votes import fit_votes, vote_losses
from galzoo_repr.training import concentrations, dirichlet_multinomial_loss


@pytest.fixture(scope="module")
def rectified():
    """Embeddings of 300 features that are never negative, of which a few tell of the ring."""
    generator = np.random.default_rng(3)
    hidden = generator.normal(size=(400, 12))
    embedding = np.maximum(hidden @ generator.normal(size=(12, 300)) + generator.normal(size=(400, 300)), 0)
    return embedding.astype(np.float32), hidden[:, 0] + 0.7 * generator.normal(size=400) > 0


@pytest.mark.parametrize("n", [20, 60])
def test_probabilities_are_better_than_those_of_scikit_learn(rectified, n):
    x, truth = rectified
    model = gzr.finetune(Table({"embedding": x[:n], "ring": truth[:n]}), "ring", members=2, progress=False)
    grid = {"C": np.logspace(-6, 0, 7)}  # as LogisticRegressionCV, whose arguments change with its versions
    theirs = GridSearchCV(LogisticRegression(max_iter=2000), grid, scoring="accuracy", cv=5)
    theirs.fit(x[:n] - x[:n].mean(0), truth[:n])
    ours = model.predict(x[n:]).value[:, 0]
    expected = theirs.predict_proba(x[n:] - x[:n].mean(0))[:, 1]
    assert log_loss(truth[n:], ours) < log_loss(truth[n:], expected)
    assert np.mean((ours > 0.5) == truth[n:]) > np.mean((expected > 0.5) == truth[n:]) - 0.03


def test_labelled_galaxies_have_the_same_length_for_every_encoder(rectified):
    x, _ = rectified
    for each in (x[:50], 1000 * x[:50], x[:50, :10]):
        assert_allclose((HeadSpace.of(each).reduce(each) ** 2).sum(1).mean(), 1)


def test_a_feature_that_hardly_varies_is_not_blown_up():
    generator = np.random.default_rng(0)
    truth = np.arange(200) % 2 == 1
    x = generator.normal(size=(200, 40))
    x[:, 0] += 3 * truth
    x[:, 1:] *= 1e-6
    model = gzr.finetune(Table({"embedding": x[:20], "ring": truth[:20]}), "ring", members=2, progress=False)
    assert np.mean((model.predict(x).value[:, 0] > 0.5) == truth) > 0.85


def test_scores_that_tell_nothing_give_the_frequencies_of_the_answers():
    generator = np.random.default_rng(0)
    y = (np.arange(40) < 10).astype(float)[:, None]
    scores = np.log(10 / 30) + 1e-3 * generator.normal(size=(40, 1))
    calibration = fit_calibration(scores, y, "binary")
    assert_allclose(calibration.apply(scores, "binary").mean(), 0.25, atol=0.05)
    three = np.eye(3)[np.repeat([0, 1, 2], [5, 10, 25])]
    scores = np.log([5 / 40, 10 / 40, 25 / 40]) + 1e-3 * generator.normal(size=(40, 3))
    calibration = fit_calibration(scores, three, "classes")
    assert_allclose(calibration.apply(scores, "classes").mean(0), [0.125, 0.25, 0.625], atol=0.06)


def test_regularisations_are_weighted_by_what_they_make_of_held_out_labels():
    generator = np.random.default_rng(0)
    y = (generator.random((200, 1)) < 0.5).astype(float)
    good = 2 * y - 1 + generator.normal(size=(200, 1))
    worse = 2 * y - 1 + 3 * generator.normal(size=(200, 1))
    blend = choose({0.1: good, 1.0: good + 1e-3, 10.0: worse}, y, "binary")
    assert_allclose(sum(blend.weights.values()), 1)
    # Where labels do not tell, the stronger one counts twice.
    assert_allclose(blend.weights[0.1], 2 * blend.weights[1.0], rtol=0.05)
    assert 10.0 not in blend.weights
    assert_allclose(blend.strength, 10 ** (-2 / 3), rtol=0.05)


def test_the_likelihood_of_votes_is_that_of_pretraining():
    import torch

    schema = gzr.Schema.load("gz2")
    generator = np.random.default_rng(0)
    votes = generator.integers(0, 9, (6, len(schema.columns))).astype(float)
    scores = generator.normal(size=(2, *votes.shape))
    ours, theirs = [], []
    for each in scores:
        alpha = concentrations(torch.from_numpy(each))
        ours.append(vote_losses(alpha.numpy(), votes, schema.question_index).sum())
        theirs.append(
            dirichlet_multinomial_loss(alpha, torch.from_numpy(votes), schema, reduction="sum").item()
        )
    assert_allclose(ours[1] - ours[0], theirs[1] - theirs[0])


def test_votes_are_fitted_to_the_least_loss():
    schema = gzr.Schema.from_dict({"name": "disk", "questions": [{"name": "disk", "answers": ["yes", "no"]}]})
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 3))
    yes = generator.binomial(30, 1 / (1 + np.exp(-x[:, 0])))
    votes = np.stack([yes, 30.0 - yes], 1)
    weights, bias = fit_votes(x, votes, 1.0, schema)

    def loss(weights, bias):
        alpha = 1 + 100 / (1 + np.exp(-(x @ weights + bias)))
        return vote_losses(alpha, votes, schema.question_index).sum() + 0.5 * (weights**2).sum()

    least = loss(weights, bias)
    for _ in range(20):
        assert loss(weights + 0.05 * generator.normal(size=weights.shape), bias) > least
