"""Weights files and cards of encoders that would run something, or fill the memory."""

import hashlib
import json
import os
import pickle
import warnings
import zipfile

import timm
import torch
from safetensors.torch import save_file

from galzoo_repr import Encoder, ImageRecipe

from . import attack, refused


class Runs:
    """Whoever unpickles this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Program(torch.nn.Module):
    """A TorchScript archive whose own code runs when it is loaded."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]
        raise RuntimeError("code of the file has run")

    def forward(self, images):
        return images


def as_on_the_hub(folder):
    (folder / "config.json").write_text(json.dumps({"architecture": "lcnet_035", "num_features": 512}))
    return folder / "pytorch_model.bin"


def script(path, _mark):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Program()).save(str(path))


def renamed_script(path, mark):
    """The program, with an innocent dictionary of tensors beside it."""
    script(path, mark)
    torch.save({"weight": torch.ones(2)}, path.with_suffix(".tmp"))
    with zipfile.ZipFile(path.with_suffix(".tmp")) as honest, zipfile.ZipFile(path, "a") as both:
        for name in honest.namelist():
            both.writestr(name, honest.read(name))


def packed(path, _mark):
    torch.save({"weight": torch.zeros(10)}, path)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x/data.pkl", "w") as bomb,
    ):
        for _ in range(64):
            bomb.write(bytes(1 << 24))


def with_pickle(content):
    def write(path, mark):
        torch.save({"weight": torch.ones(4)}, path.with_suffix(".tmp"))
        with zipfile.ZipFile(path.with_suffix(".tmp")) as honest, zipfile.ZipFile(path, "w") as other:
            for name in honest.namelist():
                other.writestr(name, content(mark) if name.endswith("data.pkl") else honest.read(name))

    return write


def view(shape, strides, start=0):
    """A pickle with one tensor that looks at its four numbers as it likes."""

    def content(_mark):
        def numbers(values):
            return (
                b"("
                + b"".join(b"\x8a\x08" + int(one).to_bytes(8, "little", signed=True) for one in values)
                + b"t"
            )

        storage = (
            b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
        )
        tail = b"\x89ccollections\nOrderedDict\n)RtR"
        tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers([start])[1:-1] + numbers(shape)
        return b"\x80\x02}X\x06\x00\x00\x00weight" + tensor + numbers(strides) + tail + b"s."

    return content


@attack(
    megabytes=500,
    write={
        "a TorchScript program": script,
        "a program beside tensors": renamed_script,
        "a plain pickle": lambda path, mark: path.write_bytes(pickle.dumps({"weight": Runs(mark)})),
        "a pickle of protocol 0": lambda path, mark: path.write_bytes(pickle.dumps(Runs(mark), 0)),
        "torch.save": lambda path, mark: torch.save({"weight": Runs(mark)}, path),
        "torch.save of old": lambda path, mark: torch.save(
            {"weight": Runs(mark)}, path, _use_new_zipfile_serialization=False
        ),
        "a whole network": lambda path, mark: torch.save(timm.create_model("lcnet_035"), path),
        "in its zip archive": with_pickle(lambda mark: pickle.dumps(Runs(mark), 2)),
        "a stack global": with_pickle(lambda mark: pickle.dumps(Runs(mark), 4)),
        "attributes of a tensor": with_pickle(lambda mark: view([4], [1])(mark)[:-1] + b"}b."),
        "a pickle of a gigabyte": packed,
        "text of 4 GB": with_pickle(lambda mark: b"\x80\x02X\xff\xff\xff\xffabc."),
        "bytes of 2**62": with_pickle(lambda mark: b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b"."),
        "a memo of 2**32": with_pickle(lambda mark: b"\x80\x02}r\xff\xff\xff\xff."),
        "lists in lists": with_pickle(lambda mark: b"\x80\x02" + b"]" * 10**5 + b"a" * 10**5 + b"."),
        "a tensor beyond its numbers": with_pickle(view([400], [1])),
        "a tensor before its numbers": with_pickle(view([2], [1], -8)),
        "a tensor with steps back": with_pickle(view([4], [-1], 3)),
        "a tensor of 10**12": with_pickle(view([10**12], [0])),
        "a tensor of 2**63": with_pickle(view([2**31, 2**31, 2], [0, 0, 0])),
        "nothing": lambda path, mark: path.write_bytes(b""),
        "a pipe": lambda path, mark: os.mkfifo(path),
    },
)
def a_weights_file_is(folder, write):
    path, mark = as_on_the_hub(folder), folder / "it-has-run"
    write(path, mark)
    said = refused(lambda: Encoder.load(folder))
    assert "has run" not in said
    assert not mark.exists(), "code of the file has run"


def saved_encoder(folder):
    torch.manual_seed(0)
    network = timm.create_model("lcnet_035", num_classes=0)
    Encoder(network, ImageRecipe(size=32), name="small").save(folder / "encoder")
    return folder / "encoder"


@attack(
    about={
        "depths of a billion": {"architecture": "convnext_nano", "model_kwargs": {"depths": [10**9] * 4}},
        "depths of thousands": {"architecture": "convnext_nano", "model_kwargs": {"depths": [3000] * 4}},
        "wide": {"architecture": "convnext_nano", "model_kwargs": {"dims": [90_000] * 4}},
        "layers": {"architecture": "resnet18", "model_kwargs": {"layers": [90_000, 1, 1, 1]}},
        "a large image": {"architecture": "vit_tiny_patch16_224", "model_kwargs": {"img_size": 96_000}},
        "a large window": {
            "architecture": "swin_tiny_patch4_window7_224",
            "model_kwargs": {"window_size": 90_000},
        },
        "a long list": {"model_kwargs": {"depths": [1] * 10**6}},
        "not finite": {"model_kwargs": {"drop_path_rate": 1e400}},
        "of another kind": {"model_kwargs": {"in_chans": {"a": [[]]}}},
        "a checkpoint": {"model_kwargs": {"checkpoint_path": "/etc/passwd"}},
        "from a service": {"architecture": "hf-hub:somebody/network"},
        "no name": {"architecture": ["lcnet_035"]},
        "a size of 10**9": {"recipe": {"size": 10**9}},
        "weights elsewhere": {"weights": "../../etc/passwd"},
    }
)
def the_card_of_an_encoder_asks_for(folder, about):
    saved = saved_encoder(folder)
    card = json.loads((saved / "encoder.json").read_text())
    about = {**about, "recipe": {**card["recipe"], **about.get("recipe", {})}}
    (saved / "encoder.json").write_text(json.dumps({**card, **about}))
    refused(lambda: Encoder.load(saved).embed(torch.zeros(1, 3, 32, 32)), TypeError)


@attack()
def weights_that_are_not_numbers(folder):
    saved = saved_encoder(folder)
    state = Encoder.load(saved).model.state_dict()
    weights = {
        name: (one * float("nan")).contiguous() if one.is_floating_point() else one
        for name, one in state.items()
    }
    save_file(weights, saved / "model.safetensors")
    card = json.loads((saved / "encoder.json").read_text())
    card["weights_sha256"] = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    (saved / "encoder.json").write_text(json.dumps(card))
    refused(lambda: Encoder.load(saved))


@attack(
    change={"header of 2**62": b"\xff" * 7 + b"\x3f", "header that lies": b"\x10" + bytes(7), "cut": None}
)
def a_safetensors_file_lies(folder, change):
    saved = saved_encoder(folder)
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000] if change is None else change + path.read_bytes()[8:])
    card = json.loads((saved / "encoder.json").read_text())
    card["weights_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (saved / "encoder.json").write_text(json.dumps(card))
    refused(lambda: Encoder.load(saved))
