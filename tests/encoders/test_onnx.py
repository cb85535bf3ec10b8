"""Networks by ONNX Runtime: the same embeddings as by torch, and without it."""

import pickle
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import timm
import torch

from galzoo_repr import Encoder, ImageRecipe
from galzoo_repr._config import conf
from galzoo_repr.encoders import _graph
from galzoo_repr.encoders._views import VIEWS

RECIPE = ImageRecipe(size=64)


@pytest.fixture(scope="module")
def untrained(make_network):
    """Make small encoders with other random weights."""
    return lambda seed, **changes: Encoder(make_network(seed), RECIPE, **{"name": "untrained", **changes})


@pytest.fixture(scope="module")
def kept(untrained):
    """File name and content of the graph of the small network, which takes torch some seconds."""
    pytest.importorskip(
        "onnxscript", reason='graphs are made with onnxscript: pip install "galzoo_repr[onnx]"'
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as folder,
        conf.set_temp("cache_dir", folder),
    ):
        # The load of the machine would decide.
        patch.setattr(_graph, "_is_faster", lambda *_: True)
        assert untrained(5).accelerate().backend == "onnx"
        (file,) = Path(folder, "graphs").iterdir()
        return file.name, file.read_bytes()


@pytest.fixture(autouse=True)
def _graphs_of_the_test(tmp_path, monkeypatch, kept):
    """A cache with that graph alone, which was made with other weights."""
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / kept[0]).write_bytes(kept[1])
    with conf.set_temp("cache_dir", str(tmp_path)):
        yield


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((7, 3, 64, 64), dtype=np.float32)


def cosines(one, other):
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_bundled_encoder_needs_no_torch(tmp_path):
    code = f"""
import sys
import numpy as np
from galzoo_repr import Encoder
from galzoo_repr.images import read_image
encoder = Encoder.load("bundled", device="cpu")
pixels = np.random.default_rng(0).random((4, 150, 150, 3), dtype=np.float32)
prepared = encoder.recipe.prepare([read_image(one) for one in pixels])
np.savez({str(tmp_path / "result.npz")!r}, prepared=prepared, embedded=encoder.embed(prepared))
assert encoder.backend == "onnx"
print(encoder.digest, *{{"torch", "timm", "sklearn", "onnxscript", "matplotlib"}} & set(sys.modules))
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    by_torch = Encoder.load("bundled", device="cpu", backend="torch")
    assert by_torch.backend == "torch"
    assert told == [by_torch.digest]
    assert by_torch.model is not None
    assert told == [by_torch.digest], "built, it has the digest that its file has"
    with np.load(tmp_path / "result.npz") as result:
        assert cosines(result["embedded"], by_torch.embed(result["prepared"])).min() > 0.99999
        np.testing.assert_allclose(
            result["embedded"], by_torch.embed(result["prepared"]), rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_embeddings_are_those_of_torch(untrained, images, views, batch_size):
    encoder = untrained(0, views=views)
    expected = encoder.embed(images)
    assert encoder.backend == "torch"
    assert encoder.accelerate().backend == "onnx"
    result = encoder.embed(images, batch_size=batch_size)
    assert (result.shape, result.dtype) == (expected.shape, np.float32)
    assert cosines(result, expected).min() > 0.99999
    np.testing.assert_array_equal(encoder.embed(images, threads=1), encoder.embed(images, threads=3))


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_arrays_give_arrays_and_tensors_give_tensors(untrained, images, backend):
    encoder = untrained(0)
    if backend == "onnx":
        encoder.accelerate()
    array, tensor = encoder.embed(images), encoder.embed(torch.from_numpy(images))
    assert isinstance(array, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(array, tensor.numpy())
    assert encoder.embed(images[:0]).shape == (0, encoder.dim)


def test_a_graph_is_made_once_for_all_weights_of_an_architecture(untrained, images, monkeypatch):
    def again(*_):
        raise AssertionError("the graph was there")

    monkeypatch.setattr(_graph, "export_graph", again)
    for seed in (1, 2):
        encoder = untrained(seed)
        expected = encoder.embed(images)
        assert encoder.accelerate().backend == "onnx"
        assert cosines(encoder.embed(images), expected).min() > 0.99999


def test_a_saved_encoder_finds_the_graph_when_it_is_loaded(untrained, images, tmp_path):
    encoder = untrained(0)
    encoder.save(tmp_path / "saved")
    loaded = Encoder.load(tmp_path / "saved", device="cpu")
    assert loaded.backend == "onnx"
    assert Encoder.load(tmp_path / "saved", device="cpu", backend="torch").backend == "torch"
    (graph,) = (tmp_path / "graphs").iterdir()
    graph.unlink()
    assert Encoder.load(tmp_path / "saved", device="cpu").backend == "torch"
    assert cosines(loaded.embed(images), encoder.embed(images)).min() > 0.99999


def test_what_a_network_becomes_afterwards_counts(untrained, images):
    encoder = untrained(0).accelerate()
    before = encoder.embed(images)
    with torch.no_grad():
        encoder.model.conv_stem.weight.mul_(-1)
    assert encoder.backend == "torch"
    after = encoder.embed(images)
    assert not np.allclose(before, after, rtol=1e-3)
    assert encoder.accelerate().backend == "onnx"
    assert cosines(encoder.embed(images), after).min() > 0.99999


def test_a_change_that_torch_does_not_count_counts(untrained, images):
    encoder = untrained(0).accelerate()
    before = encoder.embed(images)
    for one in encoder.model.parameters():
        one.data.mul_(1.01)
    assert encoder.backend == "torch"
    assert np.abs(encoder.embed(images) - before).max() > 1e-3 * np.abs(before).max()


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08"])
def test_a_damaged_graph_costs_only_time(content, untrained, images, kept, tmp_path):
    expected = untrained(0).embed(images)
    (tmp_path / "graphs" / kept[0]).write_bytes(content)
    encoder = untrained(0)
    with pytest.raises(ValueError, match=r"so torch computes|so it computes"):
        encoder.accelerate()
    np.testing.assert_allclose(encoder.embed(images), expected, rtol=1e-4, atol=1e-6)


def test_a_graph_that_cannot_be_kept_is_used(untrained, images, kept, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(_graph, "_is_faster", lambda *_: True)
    monkeypatch.setattr(_graph, "export_graph", lambda *_: kept[1])
    with conf.set_temp("cache_dir", str(tmp_path / "file")):
        assert untrained(0).accelerate().backend == "onnx"


def test_a_network_that_is_not_what_its_name_says_stays_with_torch(untrained, images):
    other = untrained(0)
    other.model.global_pool = timm.layers.SelectAdaptivePool2d(pool_type="max")
    expected = other.embed(images)
    with pytest.raises(ValueError, match=r"graph in .*lcnet_035.* is not of this network"):
        other.accelerate()
    np.testing.assert_array_equal(other.embed(images), expected)


def test_where_torch_is_faster_it_stays(untrained, monkeypatch, kept, tmp_path):
    (tmp_path / "graphs" / kept[0]).unlink()
    monkeypatch.setattr(_graph, "_is_faster", lambda *_: False)
    monkeypatch.setattr(_graph, "export_graph", lambda *_: kept[1])
    for _ in range(2):
        encoder = untrained(0)
        with pytest.raises(ValueError, match="torch is at least as fast with lcnet_035"):
            encoder.accelerate()
        assert encoder.backend == "torch"


def test_without_onnx_runtime_torch_serves(monkeypatch):
    monkeypatch.setattr(_graph, "find_spec", lambda _: None)
    assert Encoder.load("bundled", device="cpu").backend == "torch"
    with pytest.raises(ValueError, match="no ONNX Runtime for this machine"):
        Encoder.load("bundled", device="cpu", backend="onnx")


def test_a_network_that_torch_cannot_export_says_so():
    class Choosy(torch.nn.Module):
        def forward(self, images):
            return images.mean((2, 3)) if float(images.sum()) > 0 else images.amax((2, 3))

    encoder = Encoder(Choosy(), RECIPE, name="choosy")
    with pytest.raises(ValueError, match="torch cannot make a graph of the network"):
        encoder.accelerate()
    assert encoder.embed(np.ones((1, 3, 64, 64), np.float32)).shape == (1, 3)


def test_an_encoder_travels_to_another_process(untrained, images):
    encoder = untrained(0).accelerate()
    expected = encoder.embed(images)
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_allclose(again.embed(images), expected, rtol=1e-4, atol=1e-5)


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="backend='tpu' is not one of 'auto', 'onnx', 'torch'"):
        Encoder.load("bundled", backend="tpu")


def test_without_onnxscript_other_networks_are_computed_by_torch(untrained, monkeypatch, tmp_path):
    from importlib import util

    monkeypatch.setattr(
        _graph, "find_spec", lambda name: None if name == "onnxscript" else util.find_spec(name)
    )
    encoder = untrained(6)
    with conf.set_temp("cache_dir", str(tmp_path / "empty")):
        with pytest.raises(ValueError, match=r'pip install "galzoo_repr\[onnx\]"'):
            encoder.accelerate()
        encoder.accelerate_if_possible()
    assert encoder.backend == "torch"
    assert Encoder.load("bundled", device="cpu").backend == "onnx"
