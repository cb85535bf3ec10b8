"""Files of torch.save: what is in them comes out as it was, and nothing in them runs."""

import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from galzoo_repr import _torch_file
from galzoo_repr._torch_file import read_torch_file


class MakesAFolder:
    """What a pickle can do: here it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def same(first, second):
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return type(first) is type(second) and all(map(same, first, second))
    return type(first) is type(second) and first == second


def layers():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    return network, optimizer


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(6.0).reshape(2, 3).t(),
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor(3),
        torch.empty(0, 4),
        torch.tensor([True, False]),
        {"a": [1, 2.5, -(2**40), None, True, "é", (1, "b")], "history": {"epoch": 3}},
    ],
    ids=["transposed", "bfloat16", "scalar", "empty", "bool", "plain"],
)
def test_what_was_saved_comes_out(tmp_path, value):
    torch.save(value, tmp_path / "state.pt")
    assert same(read_torch_file(tmp_path / "state.pt"), value)


def test_states_of_networks_and_optimizers(tmp_path):
    network, optimizer = layers()
    state = {"network": dict(network.state_dict()), "optimizer": optimizer.state_dict()}
    torch.save({**state, "network": network.state_dict()}, tmp_path / "state.pt")
    assert same(read_torch_file(tmp_path / "state.pt"), state)


def test_parameters_are_tensors_and_numbers_are_shared(tmp_path):
    whole = torch.arange(8.0)
    torch.save({"parameter": torch.nn.Parameter(whole), "part": whole[2:4]}, tmp_path / "state.pt")
    read = read_torch_file(tmp_path / "state.pt")
    assert torch.equal(read["parameter"], whole)
    read["part"][0] = 100
    assert read["parameter"][2] == 100


@pytest.mark.parametrize(
    "write",
    [
        lambda path, mark: torch.save({"a": MakesAFolder(mark)}, path),
        lambda path, mark: torch.save({"a": MakesAFolder(mark)}, path, pickle_protocol=4),
        lambda path, mark: torch.save({"a": MakesAFolder(mark)}, path, _use_new_zipfile_serialization=False),
        lambda path, mark: path.write_bytes(pickle.dumps(MakesAFolder(mark))),
        lambda path, mark: torch.save(layers()[0], path),
        lambda path, mark: torch.save({"a": {1, 2}}, path),
        lambda path, mark: path.write_bytes(b"PK\x03\x04 and no more"),
    ],
)
def test_what_is_no_tensor_is_refused_and_not_run(tmp_path, write):
    path, mark = tmp_path / "weights.bin", tmp_path / "made"
    write(path, mark)
    with pytest.raises(ValueError, match="it was not read, for a pickle can run code"):
        read_torch_file(path)
    assert not mark.exists()


def test_a_torchscript_program_is_refused_before_it_runs(tmp_path):
    path = tmp_path / "weights.bin"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ValueError, match="it is a TorchScript program"):
        read_torch_file(path)


def rewritten(path, change):
    """The archive with another content in some of its files."""
    torch.save({"a": torch.ones(4)}, path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, change(name.partition("/")[2], content))


@pytest.mark.parametrize(
    "change",
    [
        lambda name, content: content[:-4] if name == "data/0" else content,
        lambda name, content: b"big" if name == "byteorder" else content,
        lambda name, content: content.replace(b"K\x04", b"K\x05") if name == "data.pkl" else content,
        lambda name, content: (
            content.replace(b"FloatStorage", b"Double_torage") if name == "data.pkl" else content
        ),
        lambda name, content: content[:-20] if name == "data.pkl" else content,
        lambda name, content: b"\x80\x02X\xff\xff\xff\x7fa." if name == "data.pkl" else content,
        lambda name, content: (
            b"\x80\x02" + b"]" * 10**5 + b"a" * 10**5 + b"b." if name == "data.pkl" else content
        ),
    ],
)
def test_archives_that_do_not_hold_together(tmp_path, change):
    rewritten(tmp_path / "weights.bin", change)
    with pytest.raises(ValueError, match="is damaged or holds more than tensors"):
        read_torch_file(tmp_path / "weights.bin")


def test_what_unpacks_to_more_than_its_size(tmp_path, monkeypatch):
    path = tmp_path / "weights.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10**6))
    with pytest.raises(ValueError, match="unpacks to more than its size"):
        read_torch_file(path)
    torch.save({"a": torch.ones(4)}, path)
    monkeypatch.setattr(_torch_file, "_LARGEST_PICKLE", 10)
    with pytest.raises(ValueError, match="its pickle is larger"):
        read_torch_file(path)


def test_no_module_of_the_package_calls_what_unpickles():
    root = Path(_torch_file.__file__).parent
    words = (
        "torch.load(",
        "pickle.load",
        "load_state_dict_from_url",
        "joblib.load",
        "allow_pickle=True",
        "yaml.unsafe",
    )
    assert not [(path, word) for path in root.rglob("*.py") for word in words if word in path.read_text()]
