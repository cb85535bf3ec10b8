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
from galzoo_repr.finetuning._heads import HeadSpace
from galzoo_repr.finetuning._training_set import Lesson, _held_out_scores, learn
from galzoo_repr.finetuning._votes import fit_votes, vote_losses
from galzoo_repr.training import concentrations, dirichlet_multinomial_loss


@pytest.fixture(scope="module")
def rectified():
    """Embeddings of 300 features that are never negative, of which a few tell of the ring."""
    generator = np.random.default_rng(3)
    hidden = generator.normal(size=(400, 12))
    embedding = np.maximum(hidden @ generator.normal(size=(12, 300)) + generator.normal(size=(400, 300)), 0)
    return embedding.astype(np.float32), hidden[:, 0] + 0.7 * generator.normal(size=400) > 0


@pytest.mark.filterwarnings("ignore:the labels in 'ring' do not show")  # twenty may, by the draw
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


def blended(scores, y, task):
    """Probabilities that held-out scores of one regularisation are given."""
    blend = choose({1.0: scores}, y, task)
    return blend.calibrations[1.0].apply(scores, task)


def test_scores_that_tell_nothing_give_the_frequencies_of_the_answers():
    generator = np.random.default_rng(0)
    y = (np.arange(40) < 10).astype(float)[:, None]
    scores = np.log(10 / 30) + 1e-3 * generator.normal(size=(40, 1))
    found = blended(scores, y, "binary")
    assert_allclose(found.mean(), 0.25, atol=0.05)
    assert found.std() < 0.06
    three = np.eye(3)[np.repeat([0, 1, 2], [5, 10, 25])]
    scores = np.log([5 / 40, 10 / 40, 25 / 40]) + 1e-3 * generator.normal(size=(40, 3))
    found = blended(scores, three, "classes")
    assert_allclose(found.mean(0), [0.125, 0.25, 0.625], atol=0.06)
    assert found.std(0).max() < 0.08


def test_the_class_is_told_nearly_as_well_as_the_order_of_galaxies_allows():
    """Of twenty labels a fifth are wrong; a calibration by these alone leaves all on one side of a half."""
    lost = []
    for seed in range(15):
        generator = np.random.default_rng([seed, 10])
        truth = np.arange(420) < 210
        x = generator.normal(size=(420, 30)) / np.sqrt(1 + np.arange(30))
        x[:, 3] += 2.4 * truth
        order = generator.permutation(420)
        x, truth = x[order], truth[order]
        rows = np.concatenate([np.flatnonzero(each)[:10] for each in (truth, ~truth)])
        label = truth[rows] ^ (generator.random(20) < 0.2)
        head, blend = learn(Lesson(x[rows], label[:, None] * 1.0, np.arange(20), "binary"))
        rest = np.setdiff1d(np.arange(420), rows)
        p = blend.calibration.apply(head.scores(x[rest])[:, 0], "binary")[:, 0]
        right = [np.mean((p > cut) == truth[rest]) for cut in [0.5, *np.unique(p)]]
        lost.append(max(right) - right[0])
    assert np.mean(lost) < 0.14


def test_held_out_scores_do_not_depend_on_how_many_of_a_class_were_held_out_with_them():
    """Embeddings that tell nothing, of galaxies seen several times each, which folds cannot share out evenly."""
    generator = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), [9, 1, 7, 2, 5, 1, 8, 3, 6, 1, 4, 2])
    y = (generator.permutation(12) < 6)[groups].astype(float)[:, None]
    lesson = Lesson(generator.normal(size=(len(y), 8)), y, groups, "binary")
    scores = _held_out_scores(lesson, lesson.folds())[0.01]
    assert abs(scores[y == 1].mean() - scores[y == 0].mean()) < 0.1


def test_labels_given_by_chance_are_not_believed():
    generator = np.random.default_rng(1)
    spread = []
    for _ in range(8):
        x = generator.normal(size=(40, 30))
        lesson = Lesson(x, (generator.permutation(40) < 20)[:, None] * 1.0, np.arange(40), "binary")
        head, blend = learn(lesson)
        found = blend.calibration.apply(head.scores(generator.normal(size=(200, 30)))[:, 0], "binary")
        spread.append(found.std())
    assert np.mean(spread) < 0.15


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
