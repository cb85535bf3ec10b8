import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

import galzoo_repr as gzr

LABELLED = 60


def quick(table, label, **options):
    return gzr.finetune(table, label, **{"members": 3, "progress": False, **options})


@pytest.mark.parametrize("kind", [Table, QTable])
def test_a_column_of_probabilities_comes_back_on_the_same_rows(galaxies, has_ring, model, kind):
    before = kind(galaxies)
    after = gzr.add_predictions(before, model)
    assert type(after) is kind
    assert after.colnames == [*before.colnames, "ring_probability", "ring_probability_std", "ring_unlike"]
    unseen = np.arange(200) >= LABELLED
    assert np.mean((after["ring_probability"] > 0.5)[unseen] == has_ring[unseen]) > 0.8
    assert ((after["ring_probability"] >= 0) & (after["ring_probability"] <= 1)).all()
    assert 0 < np.mean(after["ring_probability_std"]) < 0.3
    assert "higher is more probable" in after["ring_probability"].description
    assert after.meta["galzoo_repr"]["add_predictions_ring"]["n_labelled"] == LABELLED


def test_a_column_whose_name_says_nothing_is_named_by_its_values(galaxies, has_ring):
    words = np.where(has_ring, "Ring", "not_ring")
    words[LABELLED:], words[150:] = "", "?"
    galaxies["label"] = words
    model = quick(galaxies, "label")
    text = str(model)
    assert "label: Ring / not Ring, from 60 labelled images" in text
    assert "without a label: 90 masked, NaN or blank, 50 '?'" in text
    assert model.report.classes == ("not Ring", "Ring")
    after = gzr.add_predictions(galaxies, model)
    assert after.colnames[-3:] == ["Ring_probability", "Ring_probability_std", "Ring_unlike"]
    with pytest.raises(ValueError, match=r"already has 'Ring_probability'.*choose another name with name="):
        gzr.add_predictions(after, model)
    assert gzr.add_predictions(after, model, name="again").colnames[-3] == "again_probability"
    chosen = gzr.which_to_label(galaxies, model, n=5)
    assert (chosen["row"] >= LABELLED).all()


def test_what_is_said_of_words_for_no_label_is_saved(galaxies, has_ring, tmp_path):
    galaxies["label"] = np.where(np.arange(200) < LABELLED, np.where(has_ring, "1", "0"), "?")
    model = quick(galaxies, "label")
    model.save(tmp_path / "model")
    assert gzr.MorphologyModel.load(tmp_path / "model").report.unlabelled == {"?": 140}


def test_rows_without_embedding_get_nan(galaxies, model):
    galaxies["embedding"][3] = np.nan
    after = gzr.add_predictions(galaxies, model)
    assert np.flatnonzero(np.isnan(after["ring_probability"])).tolist() == [3]
    assert np.flatnonzero(np.isnan(after["ring_probability_std"])).tolist() == [3]


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1)])
def test_short_catalogues(galaxies, model, rows):
    assert len(gzr.add_predictions(galaxies[rows], model)["ring_probability"]) == len(galaxies[rows])


def test_columns_are_not_overwritten_unless_asked(galaxies, model):
    once = gzr.add_predictions(galaxies, model)
    with pytest.raises(ValueError, match="already has 'ring_probability'"):
        gzr.add_predictions(once, model)
    assert gzr.add_predictions(once, model, overwrite=True).colnames == once.colnames
    assert "mine_probability" in gzr.add_predictions(once, model, name="mine").colnames


def test_embeddings_of_another_encoder_are_refused(galaxies, model):
    galaxies.meta["GZRENCD"] = "b" * 64
    with pytest.raises(ValueError, match=r"was made by encoder bbbbbbbbbbbb.*'tiny' \(aaaaaaaaaaaa\)"):
        gzr.add_predictions(galaxies, model)


def test_embeddings_of_another_length_are_refused(galaxies, model):
    galaxies["embedding"] = np.zeros((200, 9), np.float32) + 1
    with pytest.raises(ValueError, match=r"shape \(200, 9\).*reads \(n, 6\)"):
        gzr.add_predictions(galaxies, model)


def test_an_encoder_that_is_gone_is_named(model):
    with pytest.raises(FileNotFoundError, match=r"encoder 'tiny' of the model is not to be found.*encoder="):
        gzr.add_predictions(SkyCoord([150.0], [2.0], unit="deg"), model)


def test_options_of_embedding_need_something_to_embed(galaxies, model):
    with pytest.raises(TypeError, match="fov would be for embedding"):
        gzr.add_predictions(galaxies, model, fov=30 * u.arcsec)


def test_classes_get_a_probability_each_and_the_best_by_name(galaxies):
    x = np.asarray(galaxies["embedding"])
    kinds = np.array(["Smooth", "edge on", "Spiral"])[np.argmax(x[:, :3], axis=1)]
    galaxies["kind"] = np.where(np.arange(200) < 90, kinds, "")
    after = gzr.add_predictions(galaxies, quick(galaxies, "kind"))
    names = ["kind_Smooth_probability", "kind_edge_on_probability", "kind_Spiral_probability"]
    assert np.allclose(sum(after[name] for name in names), 1)
    assert np.mean((after["kind_class"] == kinds)[90:]) > 0.75


def test_a_regression_keeps_its_unit_and_covers_its_scatter(galaxies):
    noise = np.random.default_rng(0).normal(size=200)
    truth = 5 + 2 * np.asarray(galaxies["embedding"])[:, 1] + 0.5 * noise
    galaxies = QTable(galaxies)
    galaxies["size"] = np.where(np.arange(200) < 80, truth, np.nan) * u.kpc
    model = quick(galaxies, "size")
    after = gzr.add_predictions(galaxies, model)
    assert after["size_prediction"].unit == u.kpc
    residual = (after["size_prediction"].value - truth)[80:]
    assert np.std(residual) < 0.8
    assert 0.5 < np.mean(np.abs(residual) < after["size_prediction_std"].value[80:]) < 0.9
    assert model.report["R squared"] > 0.8
    plain = gzr.add_predictions(Table(galaxies), model)
    assert plain["size_prediction"].unit == u.kpc


@pytest.mark.parametrize(("unit", "zero"), [(1e44, 0), (1e-40, 0), (1.0, 2_459_000.5)])
def test_luminosities_and_dates_are_learned_as_other_numbers(galaxies, tmp_path, unit, zero):
    truth = 5 + 2 * np.asarray(galaxies["embedding"], float)[:, 1]
    truth += 0.5 * np.random.default_rng(0).normal(size=200)
    galaxies["size"] = np.where(np.arange(200) < 80, truth, np.nan)
    galaxies["other"] = galaxies["size"] * unit + zero
    plain, model = quick(galaxies, "size"), quick(galaxies, "other")
    model.save(tmp_path / "model")
    found = gzr.MorphologyModel.load(tmp_path / "model").predict(galaxies["embedding"])
    expected = plain.predict(galaxies["embedding"])
    np.testing.assert_allclose((found.value - zero) / unit, expected.value, atol=1e-5)
    np.testing.assert_allclose(found.std / unit, expected.std, rtol=1e-4)
    assert model.report["R squared"] == pytest.approx(plain.report["R squared"], abs=1e-5)
    assert "0.000" not in str(model.report)


def test_several_labels_may_be_missing_one_by_one(galaxies):
    x = np.asarray(galaxies["embedding"])
    galaxies["bar"] = MaskedColumn(x[:, 2] > 0, mask=(np.arange(200) < 20) | (np.arange(200) > 90))
    model = quick(galaxies, ["ring", "bar"])
    after = gzr.add_predictions(galaxies, model)
    assert np.mean((after["bar_probability"] > 0.5) == (x[:, 2] > 0)) > 0.85
    assert {metric.part for metric in model.report.metrics} == {"ring", "bar"}
    assert model.card["n_labelled"] == 91


@pytest.fixture(scope="module")
def voted(sky):
    """Votes on two questions, the second asked of those who say that the galaxy has a disk."""
    generator = np.random.default_rng(1)
    x = np.asarray(sky["embedding"], float)
    table = sky.copy()
    disk = generator.binomial(40, 1 / (1 + np.exp(-1.5 * x[:, 0])))
    bar = generator.binomial(disk, 1 / (1 + np.exp(-1.5 * x[:, 1])))
    table["disk_yes"], table["disk_no"] = disk, 40 - disk
    table["bar_yes"], table["bar_no"] = bar, disk - bar
    return table


SCHEMA = gzr.Schema.from_dict(
    {
        "name": "bars",
        "questions": [
            {"name": "disk", "answers": ["yes", "no"]},
            {"name": "bar", "answers": ["yes", "no"], "asked_after": "disk_yes"},
        ],
    }
)


def test_votes_are_predicted_with_their_interval_down_the_tree(voted):
    model = quick(voted[:100], SCHEMA)
    after = gzr.add_predictions(voted, model)
    np.testing.assert_allclose(after["disk_yes_fraction"] + after["disk_no_fraction"], 1)
    np.testing.assert_allclose(
        after["bar_yes_probability"], after["disk_yes_fraction"] * after["bar_yes_fraction"]
    )
    truth = 1 / (1 + np.exp(-1.5 * np.asarray(voted["embedding"])[100:, 0]))
    assert np.mean(np.abs(after["disk_yes_fraction"][100:] - truth)) < 0.06
    assert len(gzr.which_to_label(voted, model, 5)) == 0  # all have votes


@pytest.mark.parametrize("scatter", [0.0, 0.7])
def test_the_interval_of_a_fraction_holds_the_true_one_as_often_as_it_says(scatter):
    """What endless volunteers would say of a galaxy, of which its embedding tells all or only a part."""
    generator = np.random.default_rng(4)
    x = generator.normal(size=(600, 6)).astype(np.float32)
    truth = 1 / (1 + np.exp(-1.5 * x[:, :2] - scatter * generator.normal(size=(600, 2))))
    votes = generator.binomial(40, truth)
    inside = []
    for i in range(2):
        table = Table({"embedding": x, "disk_yes": votes[:, i], "disk_no": 40 - votes[:, i]})
        model = quick(table[:100], ["disk_yes", "disk_no"], task="votes", members=10)
        after = gzr.add_predictions(table[100:], model)
        low, high = after["disk_yes_fraction_low"], after["disk_yes_fraction_high"]
        inside.append(np.mean((low < truth[100:, i]) & (truth[100:, i] < high)))
    # 68 per cent, or somewhat more where a hundred galaxies hardly tell how little they scatter.
    assert 0.6 < np.mean(inside) < (0.85 if scatter else 0.96)


def test_one_question_can_be_given_by_its_columns(voted):
    model = quick(voted[:60], ["disk_yes", "disk_no"], task="votes")
    assert gzr.add_predictions(voted, model).colnames[-2:] == [
        "disk_no_probability",
        "disk_unlike",
    ]


def test_votes_that_contradict_the_tree_are_named(voted):
    table = voted[:60]
    table["bar_yes"][:7] = 90
    with pytest.warns(gzr.GalzooWarning, match="in 7 of 60 galaxies more votes answer a question"):
        quick(table, SCHEMA)


def test_models_are_the_same_for_the_same_seed(galaxies, model):
    again = gzr.finetune(galaxies, "ring", members=5, progress=False)
    np.testing.assert_array_equal(again.head.weights, model.head.weights)
    assert again.report["accuracy"] == model.report["accuracy"]
    assert again.card["data_digest"] == model.card["data_digest"]


def test_the_report_is_of_galaxies_that_were_held_out(galaxies, has_ring):
    """Labels without any relation to embeddings cannot be predicted, however many images a galaxy has."""
    galaxies["ring"] = np.random.default_rng(2).permutation(has_ring)
    twice = Table(galaxies[np.repeat(np.arange(80), 2)], copy=True)
    with pytest.warns(gzr.GalzooWarning, match="do not show that galaxies are told apart"):
        accuracy = quick(twice, "ring").report["accuracy"]
    assert accuracy < 0.72


def test_the_next_to_label_are_uncertain_distinct_and_unlabelled(galaxies, model):
    chosen = gzr.which_to_label(galaxies, model, 8)
    assert len(set(chosen["row"])) == 8
    assert (chosen["row"] >= LABELLED).all()
    probability = gzr.add_predictions(galaxies, model)["ring_probability"]
    assert chosen["uncertainty"].mean() > 2 * np.minimum(probability, 1 - probability).mean()
    assert (np.diff(chosen["uncertainty"]) <= 0).all()
    assert len(gzr.which_to_label(galaxies, model, 500)) == 200 - LABELLED
    for n in (0, 2.5, "a"):
        with pytest.raises(ValueError, match=f"n must be a whole number from 1, not {n!r}"):
            gzr.which_to_label(galaxies, model, n)


@pytest.mark.parametrize("name", ["", "  "])
def test_a_blank_name_for_new_columns_is_refused(galaxies, model, name):
    with pytest.raises(ValueError, match="name is blank; say how the names of the new columns begin"):
        gzr.add_predictions(galaxies, model, name=name)


def test_what_is_no_model_is_refused(galaxies):
    with pytest.raises(TypeError, match="model must be a MorphologyModel, or the folder or name of one"):
        gzr.add_predictions(galaxies, 3)


def test_galaxies_unlike_all_labelled_ones_are_told(galaxies, model, tmp_path):
    galaxies["embedding"][150:170] += 30
    after = gzr.add_predictions(galaxies, model)
    assert (after["ring_unlike"][150:170] > 0.99).all()
    others = np.r_[LABELLED:150, 170:200]
    assert 0.35 < np.mean(after["ring_unlike"][others]) < 0.65
    assert (after["ring_unlike"][:LABELLED] < 0.05).all()
    assert "near 1 is unlike" in after["ring_unlike"].description
    model.save(tmp_path / "ring")
    again = gzr.add_predictions(galaxies, tmp_path / "ring")
    np.testing.assert_array_equal(again["ring_unlike"], after["ring_unlike"])


def test_classes_whose_names_differ_by_a_blank_have_columns_of_their_own(galaxies):
    x = np.asarray(galaxies["embedding"])[:, :3]
    galaxies["kind"] = np.array(["edge on", "edge_on", "round"])[np.argmax(x, axis=1)]
    after = gzr.add_predictions(galaxies, quick(galaxies, "kind"))
    names = [name for name in after.colnames if name.endswith("_probability")]
    assert names == ["kind_edge on_probability", "kind_edge_on_probability", "kind_round_probability"]
    np.testing.assert_allclose(sum(after[name] for name in names), 1)
