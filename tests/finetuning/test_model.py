"""A model on disk and in print, and the figures of its report."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, roc_auc_score

import galzoo_repr as gzr
from galzoo_repr.app._learned import report_of_model
from galzoo_repr.finetuning import Report, expected_calibration_error, learning_curve
from galzoo_repr.finetuning._calibration import fit_calibration
from galzoo_repr.finetuning._metrics import measure


def test_a_saved_model_predicts_the_same(galaxies, model, tmp_path):
    model.save(tmp_path / "ring")
    again = gzr.MorphologyModel.load(tmp_path / "ring")
    assert str(again) == str(model)
    ours, theirs = model.predict(galaxies["embedding"]), again.predict(galaxies["embedding"])
    np.testing.assert_array_equal(ours.value, theirs.value)
    np.testing.assert_array_equal(ours.std, theirs.std)
    by_folder = gzr.add_predictions(galaxies, tmp_path / "ring")
    np.testing.assert_array_equal(by_folder["ring_probability"], ours.value[:, 0])


def test_nothing_in_the_folder_is_pickled(model, tmp_path):
    model.save(tmp_path)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"morphology.json", "head.safetensors"}
    json.loads((tmp_path / "morphology.json").read_text(), parse_constant=pytest.fail)


def test_saving_again_must_be_wanted(model, tmp_path):
    model.save(tmp_path)
    with pytest.raises(FileExistsError, match="already holds a model"):
        model.save(tmp_path)
    model.save(tmp_path, overwrite=True)
    assert len(list(tmp_path.glob("[!.]*"))) == 2


def edit(folder, **changes):
    path = folder / "morphology.json"
    about = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in about.items() if value is not None}))


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (
            lambda folder: edit(folder, format_version=2),
            ValueError,
            "format_version 2.*reads version 1; update",
        ),
        (lambda folder: edit(folder, card=None), ValueError, "lacks card"),
        (lambda folder: (folder / "morphology.json").write_text("["), ValueError, "not valid JSON"),
        (lambda folder: (folder / "morphology.json").unlink(), FileNotFoundError, "does not hold a model"),
        (lambda folder: next(folder.glob("head*")).unlink(), FileNotFoundError, "copy the whole folder"),
        (lambda folder: next(folder.glob("head*")).write_bytes(b"x"), ValueError, "has changed since"),
    ],
)
def test_folders_that_cannot_be_trusted_are_refused(model, tmp_path, spoil, error, message):
    model.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(error, match=message):
        gzr.MorphologyModel.load(tmp_path)


def test_a_model_prints_its_report(model):
    text = str(model)
    assert "ring: yes or no, from 60 labelled images" in text
    assert "embeddings of tiny (aaaaaaaaaaaa)" in text
    for figure in ("accuracy", "ROC AUC", "average precision", "Brier score", "calibration error"):
        assert figure in text
    assert "true \\ predicted" in text
    assert len(model.report.table) == len(model.report.metrics)
    with pytest.raises(KeyError, match="the report has no 'beauty'; it has accuracy"):
        model.report["beauty"]


def test_intervals_contain_their_figures(model):
    for metric in model.report.metrics[:-1]:  # the calibration error is biased upwards in resampled galaxies
        assert metric.low <= metric.value <= metric.high
    assert model.report.confusion.sum() == 60
    assert (model.report.confusion_low <= model.report.confusion_high).all()


def test_a_report_survives_json(model):
    again = Report.from_dict(json.loads(json.dumps(model.report.to_dict())))
    assert str(again) == str(model.report)


def test_reliability_is_drawn(model):
    pytest.importorskip("matplotlib").use("agg")
    axes = model.report.plot_reliability()
    assert axes.get_xlabel() == "predicted probability"
    axes.figure.clear()


def test_drawing_without_matplotlib_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "galzoo_repr\[plot\]"'):
        model.report.plot_reliability()


def test_figures_are_those_of_scikit_learn():
    generator = np.random.default_rng(3)
    y = generator.random((90, 1)) < 0.3
    p = np.round(np.clip(0.3 * y + generator.random((90, 1)) * 0.7, 0, 1), 1)  # with ties
    found = {
        m.name: m.value for m in measure(y * 1.0, p, [np.arange(90)] * 3, task="binary", names=("ring",))
    }
    assert_allclose(found["ROC AUC"], roc_auc_score(y, p))
    assert_allclose(found["average precision"], average_precision_score(y, p))


def test_galaxies_are_ranked_among_those_that_one_head_predicted():
    """Heads that say no more than how frequent a class was among what they learned from are no better than chance."""
    y = np.repeat([1.0, 0.0], 20)[:, None]
    folds = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 8))
    share = np.array([y[folds != fold].mean() for fold in range(5)])
    p = share[folds][:, None]
    for more, area in ((0.0, 0.5), (1e-4 * y, 1.0)):
        kept = {"task": "binary", "names": ("ring",)}
        of_all, of_folds = (measure(y, p + more, [np.arange(40)] * 3, folds=f, **kept) for f in (None, folds))
        of_all, of_folds = ({m.name: m.value for m in each}["ROC AUC"] for each in (of_all, of_folds))
        assert of_all < area == of_folds


def test_calibration_error_is_zero_for_certain_and_right():
    y = np.repeat([0, 1], 50)
    assert expected_calibration_error(y, y * 1.0) == 0
    assert expected_calibration_error(y, 1.0 - y) == 1
    assert np.isnan(expected_calibration_error(np.zeros(0), np.zeros(0)))


def test_overconfident_scores_are_calibrated():
    generator = np.random.default_rng(0)
    score = generator.normal(size=4000)
    y = (generator.random(4000) < 1 / (1 + np.exp(-(score - 0.5)))).astype(float)
    calibration = fit_calibration(6 * score[:, None], y[:, None], "binary")
    assert calibration.method == "platt"
    assert_allclose([6 * calibration.slope[0], calibration.offset[0]], [1, -0.5], atol=0.12)
    few = fit_calibration(6 * score[:40, None], y[:40, None], "binary")
    assert 0 < few.slope[0] < 1
    three = np.stack([np.zeros(4000), score - 0.5], 1)
    classes = fit_calibration(6 * three, np.stack([1 - y, y], 1), "classes")
    assert_allclose(6 * classes.slope, 1, atol=0.15)


def test_rare_classes_keep_probabilities_of_the_catalogue(galaxies):
    x = np.asarray(galaxies["embedding"])[:, 0]
    galaxies["rare"] = x > np.sort(x)[-12]
    model = gzr.finetune(galaxies, "rare", members=2)
    predicted = gzr.add_predictions(galaxies, model)["rare_probability"]
    assert 0.02 < predicted.mean() < 0.12
    assert predicted[galaxies["rare"]].mean() > 3 * predicted[~galaxies["rare"]].mean()


def test_more_labels_make_a_better_model(sky, has_ring):
    table = sky.copy()
    table["ring"] = has_ring
    curve = learning_curve(table, "ring", (10, 150, 195), repeats=3, progress=False)
    auc = curve[curve["figure"] == "ROC AUC"]
    assert auc["n"].tolist() == [10, 150]
    assert auc["value"][1] > auc["value"][0]
    with pytest.raises(ValueError, match="with 200 labelled galaxies, sizes may be from 4 to 190"):
        learning_curve(table, "ring", (2, 300))
    with pytest.raises(TypeError, match=r"sizes must be several numbers of galaxies, such as .*, not 40"):
        learning_curve(table, "ring", 40)
    for wrong, message in [
        ({"sizes": [0]}, "a number of sizes must be a whole number from 1, not 0"),
        ({"sizes": [10.5]}, "a number of sizes must be a whole number from 1, not 10.5"),
        ({"repeats": 0}, "repeats must be a whole number from 1, not 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            learning_curve(table, "ring", **wrong)
    with pytest.raises(ValueError, match="with 12 labelled galaxies, label 14 at least"):
        learning_curve(
            table[np.concatenate([np.flatnonzero(has_ring)[:6], np.flatnonzero(~has_ring)[:6]])], "ring"
        )


@pytest.mark.parametrize(("low", "said"), [(0.4, True), (0.6, False)])
def test_a_report_says_where_chance_would_do_as_well(model, low, said):
    metrics = [replace(m, low=low) if m.name == "ROC AUC" else m for m in model.report.metrics]
    report = replace(model.report, metrics=metrics)
    assert ("not shown to be better than chance" in str(report)) is said
    # The page, which has no room for the whole report, says it too.
    on_page = report_of_model(replace(model, report=report))["text"]
    assert ("not shown to be better than chance" in on_page) is said


@pytest.mark.parametrize("task", ["binary", "classes"])
def test_accuracy_stands_beside_that_of_one_answer_for_all(task):
    true = np.repeat([0, 1], [30, 10])
    y = np.eye(2)[true] if task == "classes" else true[:, None].astype(float)
    p = np.where(np.arange(40) % 8 == 7, 0.9, 0.2)[:, None]
    p = np.hstack([1 - p, p]) if task == "classes" else p
    generator = np.random.default_rng(0)
    draws = [np.arange(40), *generator.integers(0, 40, (200, 40))]
    found = {m.name: m for m in measure(y, p, draws, task=task, names=("no", "yes")[-y.shape[1] :])}
    assert found["one answer for all"].value == 0.75
    gain = found["gain over one answer"]
    assert_allclose(gain.value, found["accuracy"].value - 0.75)
    assert gain.low < gain.value < gain.high


@pytest.mark.parametrize(("n", "low"), [(2, 0.342), (20, 0.839)])
def test_intervals_of_what_was_never_wrong_have_a_width(n, low):
    """Those of Wilson (1927), for as many galaxies as there are of the rarer class."""
    y = np.repeat([1.0, 0.0], [n, 40])[:, None]
    generator = np.random.default_rng(0)
    draws = [np.arange(n + 40), *generator.integers(0, n + 40, (100, n + 40))]
    found = {m.name: m for m in measure(y, 0.1 + 0.8 * y, draws, task="binary", names=("ring",))}
    for name in ("ROC AUC", "average precision"):
        assert found[name].value == found[name].high == 1
        assert_allclose(found[name].low, low, atol=1e-3)
    assert 0.8 < found["accuracy"].low < 1


def test_labels_that_teach_nothing_come_with_a_warning(sky):
    table = sky.copy()
    table["ring"] = np.where(np.arange(200) < 40, np.random.default_rng(1).permutation(200) % 2, np.nan)
    with pytest.warns(gzr.GalzooWarning, match=r"'ring' do not show that.*chance: ROC AUC 0\.\d\d \(.*label"):
        model = gzr.finetune(table, "ring", members=2, progress=False)
    assert "not shown to be better than chance" in str(model)


@pytest.mark.parametrize(("auc", "gain", "said"), [(0.7, -0.1, True), (0.7, 0.1, False), (0.4, -0.1, False)])
def test_a_report_says_where_the_order_tells_more_than_the_answers(model, auc, gain, said):
    lows = {"ROC AUC": auc, "gain over one answer": gain}
    metrics = [replace(m, low=lows.get(m.name, m.low)) for m in model.report.metrics]
    text = str(replace(model.report, metrics=metrics))
    assert ("rank by probability" in text) is said
    assert "no galaxy is predicted to be" not in text
    one_sided = replace(model.report, confusion=np.array([[40, 0], [20, 0]]))
    assert "no galaxy is predicted to be ring" in str(one_sided)
