import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, RationalQuadratic, WhiteKernel

from galzoo_repr.anomaly import InterestModel
from galzoo_repr.catalogue import embedding_matrix


@pytest.fixture
def embeddings(galaxies):
    return np.asarray(galaxies["embedding"])


@pytest.fixture
def ratings(truth):
    return np.where(np.arange(400) < 80, truth, np.nan)


def test_the_papers_predictions_equal_those_of_scikit_learn(embeddings, ratings):
    model = InterestModel(n_components=8, method="paper", rating_scale=(0, 5)).fit(embeddings, ratings)
    features = model.reduction_.transform(embedding_matrix(embeddings)).astype(float)
    regressor = GaussianProcessRegressor(RationalQuadratic() + WhiteKernel())
    mean, std = regressor.fit(features[:80], ratings[:80]).predict(features, return_std=True)
    ours, our_std = model.predict(embeddings, return_std=True)
    assert np.abs(ours - mean).max() < 3e-5
    assert np.abs(our_std - std).max() < 3e-5
    assert np.array_equal(model.predict(embeddings), ours)


def test_nearly_noiseless_ratings_are_predicted_as_precisely(embeddings):
    smooth = np.where(np.arange(400) < 200, embeddings[:, 0], np.nan)
    model = InterestModel(n_components=3, method="paper").fit(embeddings[:, :3], smooth)
    features = model.reduction_.transform(embedding_matrix(embeddings[:, :3])).astype(float)
    unit = (model.scale_[1] - model.scale_[0]) / 5
    found = model.process_
    kernel = RationalQuadratic(found.length_scale, found.mixture) + WhiteKernel(found.noise[0])
    regressor = GaussianProcessRegressor(kernel, optimizer=None)
    regressor.fit(features[:200], (smooth[:200] - model.scale_[0]) / unit)
    mean, std = regressor.predict(features, return_std=True)
    ours, our_std = model.predict(embeddings[:, :3], return_std=True)
    assert found.noise.max() < 1e-4
    assert np.abs((ours - model.scale_[0]) / unit - mean).max() < 3e-5
    assert np.abs(our_std / unit - std).max() < 3e-5


def test_the_steady_process_is_a_gaussian_process_of_a_known_kernel(embeddings, ratings):
    model = InterestModel(rating_scale=(0, 5)).fit(embeddings, ratings)
    found, features = model.process_, model.reduction_.transform(embedding_matrix(embeddings)).astype(float)
    kernel = found.amplitude * ConstantKernel() * (
        RationalQuadratic(found.length_scale, found.mixture) + DotProduct(1e-6)
    ) + WhiteKernel(found.noise[0])
    regressor = GaussianProcessRegressor(kernel, optimizer=None).fit(features[:80], ratings[:80])
    mean, std = regressor.predict(features, return_std=True)
    ours, our_std = found.predict(features.astype(np.float32))
    assert np.allclose(ours, found.stretch * mean, atol=1e-4)
    assert np.allclose(our_std, std, atol=1e-4)


def test_each_rating_is_held_out_from_what_predicts_it(embeddings, ratings):
    process = InterestModel().fit(embeddings, ratings).process_
    without = np.arange(80) != 5
    rest = replace(
        process, **{name: getattr(process, name)[without] for name in ("features", "ratings", "noise")}
    )
    mean, std = rest.predict(process.features[5:6].astype(np.float32))
    held_out, variance = process.held_out
    assert process.stretch * held_out[5] == pytest.approx(mean[0], abs=1e-4)
    assert variance[5] == pytest.approx(std[0] ** 2, abs=1e-4)


def test_the_number_of_threads_changes_no_prediction(embeddings, ratings):
    model = InterestModel().fit(embeddings, ratings)
    many = np.tile(embeddings, (10, 1))
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = model.predict(many, return_std=True)
        torch.set_num_threads(3)
        together = model.predict(many, return_std=True)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(usual)
    assert np.allclose(alone, together, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::galzoo_repr.GalzooWarning")  # some look like words for no value
@settings(max_examples=25, deadline=None)
@given(
    values=arrays(float, 30, elements=st.one_of(st.just(np.nan), st.floats(-50, 50, allow_subnormal=False))),
    seed=st.integers(0, 5),
)
def test_any_ratings_give_finite_scores(values, seed):
    embeddings = np.random.default_rng(seed).normal(size=(30, 5))
    values[0] = np.round(np.nan_to_num(values[0]))
    scores, std = InterestModel(n_components=4).fit(embeddings, values).predict(embeddings, return_std=True)
    assert np.isfinite(scores).all()
    assert (std > 0).all()


@pytest.mark.parametrize("method", ["steady", "paper"])
@pytest.mark.parametrize("count", [1, 10])
def test_equal_ratings_fade_with_distance_from_them(embeddings, method, count):
    ratings = np.where(np.arange(400) < count, 3.0, np.nan)
    model = InterestModel(method=method, rating_scale=(0, 3)).fit(embeddings, ratings)
    scores, std = model.predict(embeddings, return_std=True)
    assert np.isfinite(scores).all()
    assert (std > 0).all()
    assert scores[:count].mean() > scores[count:].mean()


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
@pytest.mark.parametrize("scale", [None, (-2, 4)])
def test_equal_ratings_count_as_the_lowest_unless_the_scale_says_otherwise(embeddings, value, scale):
    ratings = np.where(np.arange(400) < 10, value, np.nan)
    model = InterestModel(rating_scale=scale).fit(embeddings, ratings)
    assert model.nothing_found_ == (scale is None or value == -2)


def test_while_nothing_is_found_faint_differences_count_too():
    """A rare kind may differ from the rest where galaxies vary little."""
    generator = np.random.default_rng(2)
    many = generator.normal(size=(1000, 12)).astype(np.float32) * np.geomspace(3, 0.1, 12, dtype=np.float32)
    many[-10:, 10] += 2.5
    ratings = np.where(np.arange(1000) < 20, 0.0, np.nan)
    model = InterestModel(rating_scale=(0, 5)).fit(many, ratings)
    chosen = model.next_batch(many, 20, exclude=np.isfinite(ratings))
    assert (chosen >= 990).sum() >= 8
    ratings[:2] = 5
    assert InterestModel(rating_scale=(0, 5)).fit(many, ratings).emphasis_ is None


def test_four_ratings_already_tell_galaxies_apart(embeddings):
    ratings = np.full(400, np.nan)
    ratings[:4] = [3, 3, 0, 3]
    scores = InterestModel().fit(embeddings, ratings).predict(embeddings)
    assert scores[[0, 1, 3]].min() > np.quantile(scores, 0.7) > scores[2]


def test_a_galaxy_like_those_rated_best_is_predicted_near_them(embeddings):
    many = np.random.default_rng(5).normal(size=(1200, 12)).astype(np.float32)
    many[:, 0] += np.where(np.arange(1200) % 3 == 0, 4, 0)
    truth = np.where(np.arange(1200) % 3 == 0, 5.0, 0.0)
    ratings = np.where(np.arange(1200) < 60, truth, np.nan)
    scores, std = InterestModel().fit(many, ratings).predict(many, return_std=True)
    assert np.median(scores[60:][truth[60:] == 5]) > 4.2
    assert np.median(scores[60:][truth[60:] == 0]) < 0.8
    assert np.median(std[60:]) < 1.2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scatter", [0.4, 0.9])
def test_two_in_three_ratings_are_within_a_standard_deviation(seed, scatter):
    generator = np.random.default_rng(seed)
    many = generator.normal(size=(3000, 12)).astype(np.float32)
    many[:, 3:] *= 0.2
    truth = np.clip(2.5 + 0.9 * many[:, 0] + scatter * generator.normal(size=3000), 0, 5)
    ratings = np.where(np.arange(3000) < 80, truth, np.nan)
    model = InterestModel(rating_scale=(0, 5)).fit(many, ratings)
    scores, std = model.predict(many, return_std=True)
    within = (np.abs(truth - scores) < std)[80:].mean()
    assert 0.58 < within < 0.82
    assert model.process_.held_out_within_std == pytest.approx(within, abs=0.15)


def test_contradictory_ratings_of_the_same_galaxy_meet_in_the_middle(embeddings):
    twice = np.concatenate([embeddings, embeddings[:40]])
    ratings = np.full(440, np.nan)
    ratings[:40], ratings[400:] = 4.0, 0.0
    model = InterestModel(rating_scale=(0, 5)).fit(twice, ratings)
    scores = model.predict(twice)
    assert np.allclose(scores[:40], scores[400:])
    assert 0.5 < scores[:40].mean() < 2.5
    assert np.sqrt(model.process_.noise.min()) > 1.5


def test_a_rating_known_to_be_noisy_counts_less(embeddings):
    ratings = np.where(np.arange(400) < 60, np.round(embeddings[:, 0] > 0) * 4.0, np.nan)
    ratings[60] = 4.0
    embeddings = embeddings.copy()
    embeddings[60] = embeddings[:60][ratings[:60] == 0][0]
    noise = np.where(np.arange(400) == 60, 10.0, np.nan)
    model = InterestModel(rating_scale=(0, 5))
    plain = model.fit(embeddings, ratings).predict(embeddings[60:61])
    assert model.fit(embeddings, ratings, noise=noise).predict(embeddings[60:61]) < plain
    for wrong in (-noise, noise * np.inf, noise * 1e15):
        with pytest.raises(ValueError, match=r"400 standard deviations, none negative or above 1e\+15"):
            model.fit(embeddings, ratings, noise=wrong)
    with pytest.raises(ValueError, match=r"400 galaxies, but noise of shape \(399,\)"):
        model.fit(embeddings, ratings, noise=noise[1:])
    with pytest.raises(
        TypeError, match="noise must be numbers, and blank, NaN or masked where there are none"
    ):
        model.fit(embeddings, ratings, noise=["a"] * 400)


@pytest.mark.parametrize("method", ["steady", "paper"])
def test_ratings_known_to_say_nothing_leave_all_uncertain(embeddings, ratings, method):
    model = InterestModel(method=method, rating_scale=(0, 5))
    informed, usual = model.fit(embeddings, ratings).predict(embeddings, return_std=True)
    noiseless = model.fit(embeddings, ratings, noise=np.zeros(400)).predict(embeddings, return_std=True)
    assert np.array_equal(noiseless, (informed, usual))
    mean, std = model.fit(embeddings, ratings, noise=np.full(400, 1e4)).predict(embeddings, return_std=True)
    assert np.abs(mean).max() < 0.01
    # What is known to scatter is the ratings given, not one that would be given with care.
    assert std.max() < 5
    if method == "steady":
        assert model.process_.scatter == pytest.approx(2)


def test_constant_and_repeated_dimensions_change_nothing(embeddings, ratings):
    padded = np.concatenate([embeddings, np.full((400, 3), 7.5), embeddings[:, :2]], axis=1)
    padded[:, -2:] = 0.25
    plain = InterestModel().fit(embeddings, ratings)
    same = InterestModel().fit(padded, ratings)
    assert same.reduction_.n_components == plain.reduction_.n_components == 12
    assert np.allclose(same.predict(padded), plain.predict(embeddings), atol=1e-3)


def test_embeddings_without_any_variation_are_refused(ratings):
    with pytest.raises(ValueError, match="all 400 embeddings are the same"):
        InterestModel().fit(np.ones((400, 6)), ratings)


@pytest.mark.parametrize("method", ["steady", "paper"])
def test_components_are_those_of_the_covariance(embeddings, method):
    shifted = embeddings * 3 + 1000
    shifted[5] = np.nan
    ratings = np.where(np.arange(400) < 10, np.arange(400), np.nan)
    reduction = InterestModel(n_components=5, method=method).fit(shifted, ratings).reduction_
    features = reduction.transform(embedding_matrix(shifted))
    rest = np.delete(features, 5, axis=0)
    assert np.isnan(features[5]).all()
    # Whitened for the paper's method, else under one scale, on which the median distance is one.
    variance = np.ones(5)
    if method == "steady":
        assert np.median(np.linalg.norm(rest, axis=1)) == pytest.approx(1, rel=1e-5)
        variance = reduction.explained / reduction.explained[0] * rest[:, 0].var()
    assert np.allclose(np.cov(rest.T, bias=True), np.diag(variance), atol=1e-3)
    assert np.allclose(rest.mean(axis=0), 0, atol=1e-3)
    assert (np.diff(reduction.explained) <= 0).all()


def test_rows_without_embeddings_are_left_out(embeddings, ratings):
    holes = embeddings.copy()
    holes[[2, 300]] = np.nan
    scores, std = InterestModel().fit(holes, ratings).predict(holes, return_std=True)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [2, 300]
    assert np.flatnonzero(np.isnan(std)).tolist() == [2, 300]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"ratings": np.full(400, np.nan)},
            "1 to 10000 ratings of galaxies with a finite embedding are needed, not 0",
        ),
        (
            {"ratings": np.zeros(3)},
            "one rating per galaxy is needed: 400 galaxies, but ratings of shape .3,.",
        ),
        ({"X": np.full((400, 4), np.nan)}, "at least two galaxies need a finite embedding, but 0 of 400"),
        ({"X": np.zeros(400)}, "X must have shape .galaxies, dimensions., not .400,."),
    ],
)
def test_bad_arrays_are_refused(embeddings, ratings, change, message):
    with pytest.raises(ValueError, match=message):
        InterestModel().fit(**{"X": embeddings, "ratings": ratings, **change})


def test_a_model_that_was_not_fitted_says_so(embeddings, tmp_path):
    with pytest.raises(ValueError, match="call fit"):
        InterestModel().predict(embeddings)
    with pytest.raises(ValueError, match="call fit"):
        InterestModel().save(tmp_path)


def test_it_is_a_scikit_learn_estimator():
    model = InterestModel(n_components=7, rating_scale=(1, 3))
    assert clone(model).get_params() == model.get_params()
    assert "n_components=7" in repr(model)


def test_a_saved_model_predicts_the_same(embeddings, ratings, tmp_path):
    model = InterestModel(n_components=6, rating_scale=(0, 5), batch="top").fit(embeddings, ratings)
    model.save(tmp_path / "rings")
    again = InterestModel.load(tmp_path / "rings")
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.predict(embeddings), model.predict(embeddings))
    assert np.array_equal(again.next_batch(embeddings), model.next_batch(embeddings))
    names = {path.name for path in (tmp_path / "rings").glob("[!.]*")}
    assert names == {"interest.json", "interest.safetensors"}
    with pytest.raises(FileExistsError, match="already holds an interest"):
        model.save(tmp_path / "rings")
    model.fit(embeddings, 5 - ratings).save(tmp_path / "rings", overwrite=True)
    assert len(list((tmp_path / "rings").glob("[!.]*"))) == 2
    changed = InterestModel.load(tmp_path / "rings").predict(embeddings)
    assert np.array_equal(changed, model.predict(embeddings))


@pytest.mark.parametrize("scale", [[0, 5], np.array([0, 5]), (np.int64(0), np.float32(5))])
def test_options_of_any_numeric_type_are_saved(embeddings, ratings, tmp_path, scale):
    model = InterestModel(n_components=np.int64(5), tradeoff=np.float32(0.25), rating_scale=scale)
    model.fit(embeddings, ratings).save(tmp_path / "mine")
    again = InterestModel.load(tmp_path / "mine")
    assert (again.n_components, again.tradeoff, again.rating_scale) == (5, 0.25, (0, 5))
    assert np.array_equal(again.predict(embeddings), model.predict(embeddings))


def test_damaged_folders_are_refused(embeddings, ratings, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not hold an interest"):
        InterestModel.load(tmp_path)
    InterestModel().fit(embeddings, ratings).save(tmp_path)
    (arrays_file,) = tmp_path.glob("*.safetensors")
    whole = arrays_file.read_bytes()
    arrays_file.write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(ValueError, match="has changed since it was saved"):
        InterestModel.load(tmp_path)
    description = tmp_path / "interest.json"
    description.write_text(description.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(ValueError, match="update galzoo_repr"):
        InterestModel.load(tmp_path)
    description.write_text("{")
    with pytest.raises(ValueError, match="is not valid JSON"):
        InterestModel.load(tmp_path)


def test_an_interest_that_an_earlier_version_saved_predicts_as_it_did(embeddings, ratings, tmp_path):
    model = InterestModel(method="paper", batch="top").fit(embeddings, ratings)
    model.save(tmp_path)
    card, process = json.loads((tmp_path / "interest.json").read_text()), model.process_
    options = {"kernel": "rational_quadratic", "max_length": 1.0, **card["options"]}
    del options["method"]
    (arrays_file,) = tmp_path.glob("*.safetensors")
    arrays = load_file(arrays_file)
    noise = arrays.pop("process.noise")
    save_file({**arrays, "process.variance": noise - noise.min()}, arrays_file)
    scales = {"length_scale": process.length_scale, "mixture": process.mixture, "noise": float(noise.min())}
    card |= {
        "options": options,
        "process": {"kernel": "rational_quadratic", **scales},
        "arrays_sha256": hashlib.sha256(arrays_file.read_bytes()).hexdigest(),
    }
    (tmp_path / "interest.json").write_text(json.dumps(card))
    again = InterestModel.load(tmp_path)
    for ours, theirs in zip(
        *(each.predict(embeddings, return_std=True) for each in (again, model)), strict=True
    ):
        assert np.allclose(ours, theirs)
    assert np.array_equal(again.next_batch(embeddings), model.next_batch(embeddings))
    card["process"]["kernel"] = "matern"
    (tmp_path / "interest.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="Matern kernel, which this galzoo_repr no longer has; fit it again"):
        InterestModel.load(tmp_path)


@pytest.mark.gpu
def test_a_graphics_card_predicts_the_same(embeddings, ratings):
    on_cpu = InterestModel(device="cpu").fit(embeddings, ratings).predict(embeddings, return_std=True)
    on_gpu = InterestModel(device="cuda").fit(embeddings, ratings).predict(embeddings, return_std=True)
    assert np.allclose(on_cpu, on_gpu, atol=3e-5)
