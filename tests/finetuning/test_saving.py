"""A model and its encoder on disk: never a mixture of two, and folders of earlier versions."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors.numpy import save

import galzoo_repr as gzr

# Two models, of which all parts tell to whom they belong; a child of this process saves one over the other, and is
# killed before its n-th call of the file system, for every n until it ends by itself.
KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import timm, torch
import galzoo_repr as gzr
from galzoo_repr.finetuning._calibration import Calibration
from galzoo_repr.finetuning._heads import Head
from galzoo_repr.finetuning import MorphologyModel, Report

torch.set_num_threads(1)

def model(owner):
    torch.manual_seed(owner)
    network = timm.create_model("lcnet_035", num_classes=0)
    encoder = gzr.Encoder(network, gzr.ImageRecipe(size=32), name=f"encoder {owner}")
    head = Head(np.full(1280, owner, "f4"), np.array(owner, "f4"), np.full((2, 1280, 1), owner, "f4"),
                np.full((2, 1), owner, "f4"))
    nothing = np.zeros((3, 0, 0), int)
    report = Report(0, 0, (), {}, (), *nothing)
    return MorphologyModel(label=f"label {owner}", task="binary", classes=("ring",), head=head,
                           calibration=Calibration.none(1), report=report, card={}, encoder=encoder)

def killed_before(number):
    left = [number]
    def counted(call):
        def wrapped(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return wrapped
    for name in ("mkdir", "fsync", "replace", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))

def owners_in(folder):
    found = MorphologyModel.load(folder)
    return {found.label, f"label {digests[found.encoder.digest]}", f"label {found.head.weights[0, 0, 0]:.0f}"}

models = {owner: model(owner) for owner in (1, 2)}
digests = {one.encoder.digest: owner for owner, one in models.items()}
folder = Path(sys.argv[1])
models[1].save(folder)
owner = 1
for number in range(1000):
    other = 3 - owner
    child = os.fork()
    if not child:
        killed_before(number)
        models[other].save(folder, overwrite=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = owners_in(folder)
    print(number, status, owner, sorted(found))
    assert found in ({f"label {owner}"}, {f"label {other}"}), "a mixture"
    owner = int(found.pop().split()[1])
    if status == 0:
        break
left = sorted(path.name for path in folder.glob("[!.]*"))
assert len(left) == 3, left
assert len(list((folder / left[0]).glob("[!.]*"))) == 2
print("moments", number)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_kill_at_any_moment_leaves_the_old_model_or_the_new_one(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "model")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert int(ended.stdout.split()[-1]) > 10


def old_folder(model, folder):
    """A fine-tuned model as versions before the encoder was named after its digest wrote it."""
    arrays = {
        f"{part}.{name}": np.ascontiguousarray(value)
        for part, of in {"head": model.head, "calibration": model.calibration}.items()
        for name, value in vars(of).items()
        if isinstance(value, np.ndarray)
    }
    body = save(arrays)
    digest = hashlib.sha256(body).hexdigest()
    folder.mkdir()
    (folder / f"head-{digest[:12]}.safetensors").write_bytes(body)
    card = {
        "format_version": 1,
        "label": model.label,
        "task": model.task,
        "classes": list(model.classes),
        "unit": model.unit,
        "schema": None,
        "calibration": model.calibration.method,
        "report": model.report.to_dict(),
        "card": model.card,
        "fine_tuned": model.encoder is not None,
        "arrays": f"head-{digest[:12]}.safetensors",
        "arrays_sha256": digest,
    }
    (folder / "morphology.json").write_text(json.dumps(card, indent=2) + "\n")
    if model.encoder is not None:
        model.encoder.save(folder / "encoder")
        (folder / "encoder" / ".encoder.json.lock").unlink()
    return folder


def test_folders_of_earlier_versions_are_read(model, fine_tuned, galaxies, tmp_path):
    for name, one in {"head": model, "all": fine_tuned}.items():
        again = gzr.MorphologyModel.load(old_folder(one, tmp_path / name))
        assert str(again) == str(one)
        assert again.digest == one.digest
        vectors = galaxies["embedding"]
        np.testing.assert_array_equal(again.predict(vectors).value, one.predict(vectors).value)


@pytest.mark.parametrize("kind", ["with its encoder", "a head alone"])
def test_what_replaces_a_model_of_an_earlier_version_replaces_its_encoder(kind, model, fine_tuned, tmp_path):
    new = fine_tuned if kind == "with its encoder" else model
    folder = old_folder(fine_tuned, tmp_path / "ring")
    with pytest.raises(FileExistsError, match="already holds a model"):
        new.save(folder)
    new.save(folder, overwrite=True)
    assert not (folder / "encoder").exists()
    assert gzr.MorphologyModel.load(folder).digest == new.digest
    assert len(list(folder.glob("[!.]*"))) == (3 if new.encoder else 2)


def test_a_folder_named_encoder_that_is_not_its_own_is_left_alone(model, fine_tuned, tmp_path):
    fine_tuned.encoder.save(tmp_path / "encoder")
    for one in (model, fine_tuned, model):
        one.save(tmp_path, overwrite=True)
    assert gzr.Encoder.load(tmp_path / "encoder").digest == fine_tuned.digest


def test_a_damaged_model_can_be_replaced(fine_tuned, tmp_path):
    fine_tuned.save(tmp_path)
    (tmp_path / "morphology.json").write_text("{")
    fine_tuned.save(tmp_path, overwrite=True)
    assert gzr.MorphologyModel.load(tmp_path).digest == fine_tuned.digest


def test_an_encoder_of_another_model_is_refused(fine_tuned, tmp_path):
    fine_tuned.save(tmp_path)
    (inner,) = tmp_path.glob("encoder-*")
    assert inner.name == f"encoder-{fine_tuned.digest[:12]}"
    torch.manual_seed(1)
    network = timm.create_model("lcnet_035", num_classes=0)
    gzr.Encoder(network, gzr.ImageRecipe(size=32), name="other").save(inner, overwrite=True)
    with pytest.raises(
        ValueError, match=r"encoder-[0-9a-f]{12} is not the encoder that head.* was trained with"
    ):
        gzr.MorphologyModel.load(tmp_path)


def test_a_model_that_lost_its_encoder_says_so(fine_tuned, tmp_path):
    fine_tuned.save(tmp_path)
    (inner,) = tmp_path.glob("encoder-*")
    inner.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=f"there is no folder .*{inner.name}"):
        gzr.MorphologyModel.load(tmp_path)


def test_regressions_keep_their_precision(model, tmp_path):
    head = replace(model.head, weights=model.head.weights.astype(float) + 1e-12)
    replace(model, head=head).save(tmp_path)
    again = gzr.MorphologyModel.load(tmp_path)
    assert again.head.weights.dtype == float
    np.testing.assert_array_equal(again.head.weights, head.weights)
    assert again.head.scale.shape == ()
