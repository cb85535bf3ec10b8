"""The bundled encoder in 8 bits: another encoder, nearly alike, that ONNX Runtime alone computes."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import Encoder, add_embeddings, add_similarity
from galzoo_repr.encoders import list_encoders


@pytest.fixture(scope="module")
def small():
    return Encoder.load("bundled-int8")


@pytest.fixture(scope="module")
def full():
    return Encoder.load("bundled", device="cpu")


@pytest.fixture(scope="module")
def pictures():
    """Discs of different size, slope and colour."""
    y, x = np.mgrid[:100, :100] - 50
    rng = np.random.default_rng(0)
    discs = [
        np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / rng.uniform(4, 15))[..., None] * rng.uniform(0.3, 1, 3)
        for _ in range(24)
    ]
    return np.clip(np.array(discs) + rng.normal(0, 0.02, (24, 100, 100, 3)), 0, 1)


def embedded(pictures, encoder):
    table = Table({"number": np.arange(len(pictures))})
    return add_embeddings(table, encoder=encoder, images=pictures, embedding_store=False, progress=False)


def test_it_is_alike_and_yet_another_encoder(small, full, pictures):
    one, other = (np.asarray(embedded(pictures, each)["embedding"]) for each in (small, full))
    cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert np.median(cosine) > 0.97, "make it again with benchmarks/bundled_int8.py when the weights change"
    assert not np.array_equal(one, other)
    assert small.digest != full.digest
    assert (small.dim, small.views, small.recipe) == (full.dim, full.views, full.recipe)


def test_the_two_are_never_mixed(small, full, pictures):
    table = embedded(pictures, small)
    assert table.meta["GZRENC"] == "bundled-int8"
    with pytest.raises(ValueError, match="encoder"):
        add_similarity(table, pictures[3], encoder=full)
    found = add_similarity(table, pictures[3])
    assert np.argmax(found["similarity"]) == 3, "a query is embedded by the encoder of the catalogue"


@pytest.mark.parametrize(
    "act",
    [
        lambda small, folder: small.model,
        lambda small, folder: small.save(folder / "saved"),
        lambda small, folder: Encoder.load("bundled-int8", backend="torch").embed(np.zeros((1, 3, 112, 112))),
    ],
    ids=["model", "save", "torch"],
)
def test_what_torch_would_compute_is_refused(act, small, tmp_path):
    with pytest.raises(ValueError, match="8 bits computes with ONNX Runtime"):
        act(small, tmp_path)


def test_it_survives_pickling(small, full):
    images = np.random.default_rng(0).random((2, 3, 112, 112), dtype=np.float32)
    again = pickle.loads(pickle.dumps(small))
    assert again.digest == small.digest
    np.testing.assert_array_equal(again.embed(images), small.embed(images))


def test_it_is_listed_and_needs_no_torch():
    assert "bundled-int8" in list_encoders()["name"]
    code = "import sys, galzoo_repr; galzoo_repr.Encoder.load('bundled-int8'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
