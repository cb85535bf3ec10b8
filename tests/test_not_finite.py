"""Numbers that are not finite in what is loaded: refused, since everything computed with them would be wrong."""

import hashlib
import json

import numpy as np
import pytest
from astropy.table import Table
from safetensors.numpy import load_file, save_file

import galzoo_repr as gzr
from galzoo_repr.anomaly import InterestModel
from galzoo_repr.finetuning import MorphologyModel

GENERATOR = np.random.default_rng(8)
X = GENERATOR.normal(size=(60, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return gzr.finetune(Table({"embedding": X, "ring": X[:, 0] > 0}), "ring", members=2, progress=False)


@pytest.fixture(scope="module")
def interest():
    return InterestModel(n_components=3, device="cpu").fit(X, np.where(np.arange(60) < 20, X[:, 1], np.nan))


def spoil(folder, card, name, value):
    """Another value in one place of an array, and a card that agrees with it."""
    path = next(folder.glob("*.safetensors"))
    arrays = load_file(path)
    arrays[name].flat[0] = value
    save_file(arrays, path)
    about = json.loads((folder / card).read_text())
    about["arrays_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / card).write_text(json.dumps(about))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["head.weights", "head.bias", "head.mean", "head.scale", "calibration.slope", "known.squares"]
)
def test_models(model, name, value, tmp_path):
    model.save(tmp_path / "model")
    spoil(tmp_path / "model", "morphology.json", name, value)
    with pytest.raises(ValueError, match=f"not finite in '{name}'"):
        MorphologyModel.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["process.features", "process.ratings", "reduction.axes", "known.distances"])
def test_interests(interest, name, tmp_path):
    interest.save(tmp_path / "interest")
    spoil(tmp_path / "interest", "interest.json", name, np.nan)
    with pytest.raises(ValueError, match=f"not finite in '{name}'"):
        InterestModel.load(tmp_path / "interest")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(("entry", "within"), [("process", "length_scale"), ("scale", 0)])
def test_cards(interest, text, entry, within, tmp_path):
    interest.save(tmp_path / "interest")
    path = tmp_path / "interest" / "interest.json"
    about = json.loads(path.read_text())
    about[entry][within] = "here"
    path.write_text(json.dumps(about).replace('"here"', text))
    with pytest.raises(ValueError, match=f"not finite in '{entry}'"):
        InterestModel.load(tmp_path / "interest")


def test_recipes(tmp_path):
    gzr.Encoder.load("bundled").save(tmp_path / "encoder")
    path = tmp_path / "encoder" / "encoder.json"
    about = json.loads(path.read_text())
    about["recipe"]["fov"] = "here"
    path.write_text(json.dumps(about).replace('"here"', "NaN"))
    with pytest.raises(ValueError, match="not finite in 'recipe'"):
        gzr.Encoder.load(tmp_path / "encoder")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.5])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_vectors_of_an_index(value, metric, tmp_path):
    index = tmp_path / "index"
    gzr.SimilarityIndex.build(X, metric=metric).save(index)
    _replace(index, "vectors", lambda vectors: np.where(np.arange(60)[:, None] == 3, value, vectors))
    if metric == "euclidean" and np.isfinite(value) and value < 1e19:
        gzr.SimilarityIndex.open(index).verify()
        return
    for use in (lambda one: one.search(X[0]), lambda one: one.neighbours(2), lambda one: one.verify()):
        with pytest.raises(ValueError, match="the index is damaged: vector 3 is not finite, or not of unit"):
            use(gzr.SimilarityIndex.open(index))


@pytest.mark.parametrize("place", [(0, 91), (np.inf, 0), (0, -1e30)])
def test_positions_of_an_index(place, tmp_path):
    index = tmp_path / "index"
    gzr.SimilarityIndex.build(X).save(index)
    _replace(index, "positions", lambda positions: np.where(np.arange(60)[:, None] == 3, place, positions))
    with pytest.raises(ValueError, match="positions that are not on the sky"):
        gzr.SimilarityIndex.open(index)


def _replace(index, field, change):
    card = json.loads((index / "index.json").read_text())
    entry = card["segments"][0]["arrays"][field]
    path = index / entry["file"]
    values = np.load(path)
    np.save(path, change(values).astype(values.dtype))
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (index / "index.json").write_text(json.dumps(card))
