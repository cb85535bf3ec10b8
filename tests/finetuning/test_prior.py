"""Probabilities for a catalogue with another class balance than the labels, stated or estimated."""

import warnings

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

import galzoo_repr as gzr
from galzoo_repr.finetuning import MorphologyModel
from galzoo_repr.finetuning._prior import corrected, estimated_balance

fraction = st.floats(0.001, 0.999)


def shares(k):
    return st.lists(st.floats(0.01, 1), min_size=k, max_size=k).map(
        lambda parts: np.array(parts) / sum(parts)
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), fraction)
def test_the_balance_of_the_labels_changes_nothing(probability, rate):
    probability = np.array(probability)[:, None]
    np.testing.assert_allclose(
        corrected(probability, np.array([rate]), np.array([rate]), "binary"), probability, atol=1e-12
    )


@given(fraction, fraction, fraction, fraction)
def test_more_of_a_class_makes_it_more_probable(probability, rate, one, other):
    low, high = (
        corrected(np.array([probability]), np.array([rate]), np.array([each]), "binary")[0]
        for each in sorted([one, other])
    )
    assert 0 <= low <= high <= 1


@given(shares(3), shares(3), shares(3))
def test_probabilities_of_classes_add_up_to_one_and_come_back(probability, trained, balance):
    there = corrected(probability, trained, balance, "classes")
    assert there.sum() == pytest.approx(1)
    np.testing.assert_allclose(corrected(there, balance, trained, "classes"), probability, atol=1e-9)


def posteriors(n_yes, n_no, *, apart=2.0, members=1, seed=0):
    """Probabilities by the true likelihoods, for labels half of which are yes."""
    generator = np.random.default_rng(seed)
    x = np.concatenate([generator.normal(apart, 1, n_yes), generator.normal(0, 1, n_no)])
    odds = apart * (x - apart / 2)
    return np.repeat((1 / (1 + np.exp(-odds)))[:, None, None], members, axis=1)


def test_expectation_maximisation_finds_the_balance_within_its_error():
    pulls = []
    for seed in range(20):
        found = estimated_balance(posteriors(100, 1900, seed=seed), np.array([0.5]), "binary", ["ring"])
        pulls.append((found.fractions[0] - 0.05) / found.std[0])
    assert np.abs(np.mean(pulls)) < 0.7
    assert 0.6 < np.std(pulls) < 1.5


def test_it_finds_that_of_several_classes():
    generator = np.random.default_rng(1)
    kinds = generator.choice(3, 3000, p=[0.7, 0.2, 0.1])
    x = 2.5 * np.eye(3)[kinds] + generator.normal(size=(3000, 3))
    probability = np.exp(2.5 * x)
    probability /= probability.sum(1, keepdims=True)
    found = estimated_balance(probability[:, None], np.full(3, 1 / 3), "classes", list("abc"))
    assert found.fractions.sum() == pytest.approx(1)
    assert (np.abs(found.fractions - [0.7, 0.2, 0.1]) < 3 * found.std).all()
    assert found.std.max() < 0.03


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (posteriors(10, 40, apart=3), "estimated from 50 galaxies: it takes 100"),
        (posteriors(0, 500, apart=4), "fraction of ring runs to 0: fewer than one"),
        (posteriors(60, 440, apart=0.3), "does not tell the classes well enough"),
        (posteriors(0, 0), "no galaxy to estimate the class balance from"),
    ],
)
def test_it_says_where_it_is_not_to_be_relied_on(probability, message):
    with pytest.warns(gzr.GalzooWarning) as caught:
        found = estimated_balance(probability, np.array([0.5]), "binary", ["ring"])
    assert any(message in str(warning.message) for warning in caught)
    assert 0 < found.fractions[0] < 1


@pytest.mark.parametrize(("labelled", "warned"), [(79, True), (80, False), (None, False)])
def test_few_labels_are_not_enough_to_estimate_a_balance(labelled, warned):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = ["ring"]
        estimated_balance(posteriors(100, 1900), np.array([0.5]), "binary", names, labelled=labelled)
    told = [f"model of {labelled} labels" in str(each.message) for each in caught]
    assert told == [True] * warned


@pytest.fixture(scope="module")
def thinned():
    """A model of labels half of which are yes, and a catalogue in which one in twenty is."""
    generator = np.random.default_rng(3)

    def some(n, share):
        ring = np.arange(n) < share * n
        x = generator.normal(size=(n, 6)).astype(np.float32)
        x[:, 0] += 3 * ring
        return Table({"embedding": x}), ring

    table, ring = some(300, 0.5)
    table["ring"] = ring
    return gzr.finetune(table, "ring", members=8, progress=False), *some(2000, 0.05)


@pytest.mark.parametrize("prior", [0.05, "catalogue"])
def test_a_catalogue_with_fewer_rings_than_the_labels(thinned, prior):
    model, catalogue, ring = thinned
    plain = gzr.add_predictions(catalogue, model)
    after = gzr.add_predictions(catalogue, model, prior=prior)
    assert plain["ring_probability"].mean() > 0.1
    assert after["ring_probability"].mean() == pytest.approx(0.05, abs=0.02)
    error = gzr.finetuning.expected_calibration_error
    assert error(ring, after["ring_probability"]) < 0.5 * error(ring, plain["ring_probability"])
    order = np.argsort(plain["ring_probability"])
    assert (np.diff(after["ring_probability"][order]) >= 0).all()
    told = after.meta["galzoo_repr"]["add_predictions_ring"]
    assert told["balance_of_labels"] == {"ring": 0.5}
    assert told["balance"]["ring"] == pytest.approx(0.05, abs=0.02)
    assert told["prior"] == ("catalogue" if prior == "catalogue" else "stated")
    assert ("balance_std" in told) == (prior == "catalogue")
    assert plain.meta["galzoo_repr"]["add_predictions_ring"]["prior"] == "labels"


def test_the_spread_is_that_of_the_corrected_members(thinned):
    model, catalogue, _ = thinned
    x = catalogue["embedding"]
    found = model.predict(x, balance=model.balance_for(0.05, x))
    members = model.calibration.apply(model.head.scores(np.asarray(x)), "binary")
    expected = corrected(members, np.array([0.5]), np.array([0.05]), "binary")
    np.testing.assert_allclose(found.value, expected[:, 0])
    assert found.std.mean() < model.predict(x).std.mean()


def test_labelled_galaxies_do_not_tell_the_balance(thinned):
    model, catalogue, _ = thinned
    alone = gzr.add_predictions(catalogue, model, prior="catalogue")
    labelled = Table(
        {"embedding": np.tile(catalogue["embedding"][:100], (20, 1)), "ring": np.ones(2000, bool)}
    )
    catalogue = catalogue.copy()
    catalogue["ring"] = np.ma.masked_all(len(catalogue), bool)
    from astropy.table import vstack

    both = gzr.add_predictions(vstack([catalogue, labelled]), model, prior="catalogue")
    found = [each.meta["galzoo_repr"]["add_predictions_ring"] for each in (alone, both)]
    assert found[0]["balance"] == found[1]["balance"]
    assert found[1]["balance_from_n"] == 2000


def test_the_model_says_which_balance_it_assumes(thinned):
    assert "as many are of each class as of these (else say prior=): 50% ring" in str(thinned[0])


@pytest.fixture(scope="module")
def of_kinds(thinned):
    x = np.asarray(thinned[1]["embedding"])[:200]
    kinds = np.array(["smooth", "spiral", "edge on"])[np.argmax(x[:, :3], axis=1)]
    return gzr.finetune(Table({"embedding": x, "kind": kinds}), "kind", members=3, progress=False), x


def test_classes_take_fractions_by_name_or_in_order(of_kinds):
    model, x = of_kinds
    by_name = model.balance_for({"smooth": 0.7, "spiral": 0.2, "edge on": 0.1}, x)
    in_order = model.balance_for([0.1, 0.7, 0.2], x)
    np.testing.assert_array_equal(by_name.fractions, in_order.fractions)
    assert model.classes == ("edge on", "smooth", "spiral")
    value = model.predict(x, balance=by_name).value
    np.testing.assert_allclose(value.sum(1), 1)
    assert value[:, 1].mean() > model.predict(x).value[:, 1].mean()
    same = model.predict(x, balance=model.balance_for(model.balance, x))
    np.testing.assert_allclose(same.value, model.predict(x).value, atol=1e-12)


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (0.3, TypeError, "a fraction for each of edge on, smooth, spiral"),
        ([0.3, 0.7], ValueError, "prior has 2 fractions, but there are 3 classes"),
        ([0.3, 0.3, 0.3], ValueError, "add up to 1, not to 0.9"),
        ([0.5, 0.5, 0.0], ValueError, "prior must be a number above 0 and below 1, not 0.0"),
        ({"smooth": 0.3, "spiral": 0.7}, ValueError, "it lacks edge on"),
        ({"ring": 0.3}, ValueError, "it names ring"),
        ("catalog", ValueError, "prior='catalog' is neither fractions nor 'catalogue'"),
    ],
)
def test_fractions_that_make_no_sense_are_refused(of_kinds, prior, error, message):
    with pytest.raises(error, match=message):
        of_kinds[0].balance_for(prior, of_kinds[1])


def test_a_label_of_yes_or_no_may_be_named(thinned):
    model, catalogue, _ = thinned
    named = model.balance_for({"ring": 0.05}, catalogue["embedding"])
    assert named.fractions.tolist() == [0.05]
    for prior, wrong in (({"bar": 0.05}, "it names bar"), ({}, "it lacks ring")):
        with pytest.raises(ValueError, match=wrong):
            model.check_prior(prior)


@pytest.mark.parametrize(("prior", "error"), [(1.0, ValueError), (np.nan, ValueError), ([0.5], TypeError)])
def test_a_label_of_yes_or_no_takes_one_fraction(thinned, prior, error):
    with pytest.raises(error, match="prior must be"):
        gzr.add_predictions(thinned[1], thinned[0], prior=prior)


def test_a_prior_is_refused_before_anything_is_embedded(thinned):
    nothing_to_embed = Table({"name": ["a galaxy without position or image"]})
    with pytest.raises(ValueError, match="prior must be a number above 0"):
        gzr.add_predictions(nothing_to_embed, thinned[0], prior=7)


def test_of_several_labels_those_not_named_keep_theirs(thinned):
    x = np.asarray(thinned[1]["embedding"])[:120]
    table = Table({"embedding": x, "bar": x[:, 1] > 0, "ring": x[:, 2] > 0})
    model = gzr.finetune(table, ["bar", "ring"], members=3, progress=False)
    after = gzr.add_predictions(table[["embedding"]], model, prior={"ring": 0.1})
    plain = gzr.add_predictions(table[["embedding"]], model)
    np.testing.assert_allclose(after["bar_probability"], plain["bar_probability"])
    assert after["ring_probability"].mean() < 0.8 * plain["ring_probability"].mean()
    assert after.colnames[-1] == "bar+ring_unlike"


def test_numbers_have_no_class_balance(thinned):
    x = np.asarray(thinned[1]["embedding"])[:60]
    table = Table({"embedding": x, "size": x[:, 0]})
    model = gzr.finetune(table, "size", members=3, progress=False)
    with pytest.raises(ValueError, match="a model of numbers has no classes; leave prior out"):
        gzr.add_predictions(table, model, prior=0.1)
    assert "as many are of each class" not in str(model)


def test_models_of_earlier_versions_tell_the_balance_by_their_counts(thinned, tmp_path):
    model = thinned[0]
    card = {key: value for key, value in model.card.items() if key != "balance"}
    old = MorphologyModel(**{**vars(model), "card": card, "known": None})
    old.save(tmp_path / "old")
    again = MorphologyModel.load(tmp_path / "old")
    assert again.balance.tolist() == [0.5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = gzr.add_predictions(thinned[1], again, prior=0.05)
    assert np.isnan(after["ring_unlike"]).all()
    assert "Not known" in after["ring_unlike"].description
