import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import MaskedColumn, vstack
from PIL import Image

from galzoo_repr import Encoder, GalzooWarning, ImageRecipe, pretrain
from galzoo_repr.questions import Schema
from galzoo_repr.training import Augmentation

SMALL = {"architecture": "lcnet_035", "batch_size": 16, "epochs": 2, "progress": False, "device": "cpu"}

SCRIPT = """
import sys
import torch
sys.path.insert(0, {here!r})
from toy_galaxies import RECIPE, Renderer, galaxies
from galzoo_repr import pretrain

torch.set_num_threads(1)
table, images = galaxies()
pretrain(
    table, schema="gz_rings", images={images}, recipe=RECIPE, output={output!r}, architecture="lcnet_035",
    batch_size=16, epochs=4, progress=False, device="cpu",
)
"""


def _run(output, *, images, launcher=()):
    script = output.with_suffix(".py")
    script.write_text(SCRIPT.format(here=str(Path(__file__).parent), output=str(output), images=images))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(script)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_too_little_memory_names_the_batch_size(toy):
    def rendered(rows, device):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    table, _ = toy.galaxies(32)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="batch_size=16: give a smaller one"):
        pretrain(table, schema="gz_rings", images=rendered, recipe=toy.RECIPE, **SMALL)


@pytest.fixture(scope="module")
def plain(toy):
    """Encoder that so many epochs make of the toy galaxies, with nothing special: several tests compare with it."""

    @cache
    def trained(epochs):
        table, images = toy.galaxies()
        options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL}
        return pretrain(table, **{**options, "epochs": epochs})

    return trained


def _same_weights(one, other):
    one, other = one.model.state_dict(), other.model.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_encoder_learns_what_volunteers_see(toy, tmp_path):
    table, images = toy.galaxies(256)
    encoder = pretrain(
        table,
        schema="gz_rings",
        images=images,
        recipe=toy.RECIPE,
        output=tmp_path,
        **{**SMALL, "epochs": 12, "learning_rate": 3e-3, "ema_decay": 0.9, "batch_size": 32},
    )
    history = json.loads((tmp_path / "history.json").read_text())
    assert history[-1]["validation_loss"] < 0.8 * history[0]["validation_loss"]
    assert encoder.card["validation"]["questions"]["ring"]["fraction_error"] < 0.2
    assert encoder.card["validation"]["loss"] == min(epoch["validation_loss"] for epoch in history)
    loaded = Encoder.load(tmp_path, device="cpu")
    assert _same_weights(encoder, loaded)
    assert loaded.card["training"]["galaxies"] == 230
    assert Schema.from_dict(loaded.card["schema"]) == Schema.load("gz_rings")
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == [
        "encoder.json", "history.json", "model.safetensors", "run.json",
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_encoder_and_leaves_the_global_generator_alone(toy, plain):
    table, images = toy.galaxies()
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL}
    torch.manual_seed(5)
    first = pretrain(table, seed=3, **options)
    after = torch.rand(1)
    second = pretrain(table, seed=3, **options)
    assert _same_weights(first, second)
    assert not _same_weights(first, plain(2))
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))


def test_a_killed_run_resumes_to_the_same_weights(toy, tmp_path):
    folder = tmp_path / "killed"
    # 3 steps and 1 validation batch in each epoch of 58 galaxies: the 11th call is in the third epoch.
    killed = _run(folder, images="Renderer(images, die_at=11)")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert [epoch["epoch"] for epoch in checkpoint["history"]] == [0, 1]
    table, images = toy.galaxies()
    renderer = toy.Renderer(images)
    options = {"schema": "gz_rings", "images": renderer, "recipe": toy.RECIPE, **SMALL, "epochs": 4}
    resumed = pretrain(table, output=folder, **options)
    assert renderer.calls == 2 * (3 + 1)
    history = json.loads((folder / "history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [0, 1, 2, 3]
    assert _same_weights(resumed, pretrain(table, **options))


def test_torchrun_trains_one_encoder_in_two_processes(plain, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone")
    done = _run(tmp_path / "both", images="images", launcher=launcher)
    assert done.returncode == 0, done.stderr
    together = Encoder.load(tmp_path / "both", device="cpu")
    alone = plain(4)
    losses = [encoder.card["validation"]["loss"] for encoder in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=0.2)
    assert together.card["training"]["galaxies"] == alone.card["training"]["galaxies"]


def test_a_finished_run_is_not_repeated_and_another_is_refused(toy, tmp_path):
    table, images = toy.galaxies()
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, "output": tmp_path, **SMALL}
    first = pretrain(table, **options)
    again = pretrain(table, **options)
    assert _same_weights(first, again)
    with pytest.raises(ValueError, match=r"other settings \(batch_size was 16, now 32\)"):
        pretrain(table, **{**options, "batch_size": 32})
    table["ring_yes"][0] += 1
    with pytest.raises(ValueError, match=r"other settings \(votes was"):
        pretrain(table, **options)
    (tmp_path / "run.json").unlink()
    with pytest.raises(ValueError, match="holds an encoder already"):
        pretrain(table, **options)
    replaced = pretrain(table, **options, resume=False)
    assert not _same_weights(first, replaced)


def test_unreadable_images_are_left_out_and_counted(toy, tmp_path):
    table, images = toy.galaxies()
    paths = [tmp_path / f"{i}.png" for i in range(len(table))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray((255 * image).astype(np.uint8).transpose(1, 2, 0)).save(path)
    paths[20].write_bytes(paths[20].read_bytes()[:100])
    paths[30].unlink()
    table["file_loc"] = [str(path) for path in paths]
    with pytest.warns(GalzooWarning, match=r"2 of 64 images cannot be read; the first is row 20.*left out"):
        encoder = pretrain(table, schema="gz_rings", recipe=toy.RECIPE, output=tmp_path / "run", **SMALL)
    assert encoder.card["training"]["galaxies"] + encoder.card["validation"]["galaxies"] == 62
    table["file_loc"] = [str(path) + ".gone" for path in paths]
    with pytest.raises(ValueError, match=r"64 of 64 images cannot be read.*nothing to train on"):
        pretrain(table, schema="gz_rings", recipe=toy.RECIPE, **SMALL)


def test_surveys_with_partial_votes_mix(toy):
    rings, images = toy.galaxies()
    shapes = rings["ringed",]
    for i, name in enumerate(Schema.load("gz1").columns):
        shapes[name] = MaskedColumn(np.arange(64) % (i + 2), mask=np.arange(64) % 2 == 0)
    encoder = pretrain(
        vstack([rings, shapes]),
        schema=["gz_rings", "gz1"],
        images=np.concatenate([images, images]),
        recipe=toy.RECIPE,
        **SMALL,
    )
    validated = encoder.card["validation"]
    assert set(validated["questions"]) == {"ring", "galaxy-type-gz1"}
    assert sum(question["n"] for question in validated["questions"].values()) == validated["galaxies"]
    # Every other row of the second survey has no votes.
    assert encoder.card["training"]["galaxies"] + validated["galaxies"] == 64 + 32


def test_consistency_lets_images_without_votes_take_part(toy):
    table, images = toy.galaxies()
    table["ring_yes"] = MaskedColumn(table["ring_yes"], mask=np.arange(64) >= 24)
    table["ring_no"] = MaskedColumn(table["ring_no"], mask=np.arange(64) >= 24)
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL}
    plain = pretrain(table, **options)
    consistent = pretrain(table, consistency=0.1, **options)
    assert plain.card["training"]["galaxies"] == 22
    assert consistent.card["training"]["galaxies"] == 62
    assert consistent.card["validation"]["galaxies"] == plain.card["validation"]["galaxies"] == 2
    assert not _same_weights(plain, consistent)
    assert plain.model.state_dict().keys() == consistent.model.state_dict().keys()


@pytest.mark.parametrize("form", ["channels last", "uint8", "tensor", "rendered"])
def test_images_come_in_many_forms(toy, plain, form):
    table, images = toy.galaxies()
    given = {
        "channels last": images.transpose(0, 2, 3, 1),
        "uint8": np.round(images * 255).astype(np.uint8),
        "tensor": torch.from_numpy(images),
        "rendered": lambda rows, device: torch.from_numpy(np.round(images[rows] * 255)).to(torch.uint8),
    }[form]
    options = {"schema": "gz_rings", "recipe": toy.RECIPE, **SMALL, "epochs": 1}
    assert _same_weights(pretrain(table, images=given, **options), plain(1))


def test_training_goes_on_from_an_encoder_with_its_recipe(toy, plain):
    table, images = toy.galaxies()
    options = {"schema": "gz_rings", "images": images, **SMALL}
    first = plain(2)
    before = {name: value.clone() for name, value in first.model.state_dict().items()}
    second = pretrain(table, start=first, **{**options, "learning_rate": 1e-5, "architecture": "ignored"})
    assert second.recipe == first.recipe
    assert second.architecture == "lcnet_035"
    moved = (second.model.state_dict()["conv_stem.weight"] - before["conv_stem.weight"]).abs().max()
    assert 0 < moved < 1e-3
    assert all(torch.equal(before[name], value) for name, value in first.model.state_dict().items())
    with pytest.raises(TypeError, match="start must be an Encoder"):
        pretrain(table, start="bundled", **options)


def test_early_stopping_weights_and_a_chosen_validation_set(toy, tmp_path):
    table, images = toy.galaxies()
    table["held"] = np.arange(64) < 10
    table["weight"] = np.where(np.arange(64) < 30, 1.0, 0.0)
    encoder = pretrain(
        table,
        schema="gz_rings",
        images=images,
        recipe=toy.RECIPE,
        validation="held",
        sampling_weight="weight",
        epoch_size=20,
        patience=1,
        output=tmp_path,
        # So fast that validation gets worse before long.
        **{**SMALL, "epochs": 40, "batch_size": 10, "learning_rate": 0.3, "ema_decay": 0.0},
    )
    assert encoder.card["validation"]["galaxies"] == 10
    assert encoder.card["training"]["galaxies"] == 20
    assert encoder.card["training"]["epochs"] == encoder.card["validation"]["epoch"] + 2 < 40


def test_each_epoch_can_be_looked_at_without_changing_the_outcome(toy, plain):
    table, images = toy.galaxies()
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL}
    seen = []

    def look(figures, encoder):
        torch.rand(3)
        seen.append((figures["epoch"], encoder.embed(torch.rand(2, 3, 32, 32)).shape))

    watched = pretrain(table, after_epoch=look, **options)
    assert seen == [(0, (2, 1280)), (1, (2, 1280))]
    assert _same_weights(watched, plain(2))


def test_without_validation_the_last_epoch_counts(toy):
    table, images = toy.galaxies()
    encoder = pretrain(
        table, schema="gz_rings", images=images, recipe=toy.RECIPE, validation_fraction=0, **SMALL
    )
    assert encoder.card["training"]["galaxies"] == 64
    assert encoder.card["validation"]["questions"] == {}


@pytest.mark.parametrize("architecture", ["vit_tiny_patch16_224", "mobilenetv4_conv_small_050"])
def test_architectures_of_several_kinds(toy, tmp_path, architecture):
    table, images = toy.galaxies(32)
    recipe = ImageRecipe(size=32, crop=0.8, channels=1)
    options = {**SMALL, "architecture": architecture, "epochs": 1}
    encoder = pretrain(table, schema="gz_rings", images=images, recipe=recipe, output=tmp_path, **options)
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(Encoder.load(tmp_path, device="cpu").embed(images), encoder.embed(images))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"schema": "gz_decals_dr5"}, ValueError, "none of the vote columns.*another schema"),
        ({"schema": "gz"}, ValueError, "there is no schema 'gz'"),
        ({"architecture": "lcnet_50"}, ValueError, "no architecture 'lcnet_50'; did you mean .*lcnet_050"),
        ({"images": "file_loc"}, ValueError, "'file_loc' names no column; the columns are"),
        ({"images": "ring_yes"}, TypeError, "column 'ring_yes', row 0: a picture is a file"),
        ({"images": 5}, TypeError, "not int"),
        ({"images": np.zeros((3, 3, 40, 40))}, ValueError, "holds 3 images, but the catalogue has 64 rows"),
        ({"images": np.zeros((64, 7, 40, 40))}, ValueError, "no axis of 3 colours"),
        ({"images": np.zeros((64, 40))}, TypeError, "array or tensor of 2 or 3 axes"),
        ({"images": np.full((64, 3, 8, 8), 255.0)}, ValueError, "reach from 255 to 255"),
        ({"images": np.zeros((64, 3, 8, 8), int)}, TypeError, "not int64"),
        ({"images": lambda rows, device: torch.zeros(1)}, ValueError, r"gave shape \(1,\)"),
        ({"recipe": "grz"}, TypeError, "ImageRecipe, not str"),
        ({"recipe": ImageRecipe(stretch="none")}, ValueError, "colour images"),
        ({"epochs": 0}, ValueError, "epochs must be a whole number from 1, not 0"),
        ({"batch_size": 1.5}, ValueError, "batch_size must be a whole number from 2, not 1.5"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"dropout": 1.0}, ValueError, "dropout must be a number from 0 and below 1"),
        ({"consistency": -1.0}, ValueError, "consistency"),
        ({"epoch_size": 0}, ValueError, "epoch_size"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction"),
        ({"validation": "fold"}, ValueError, "validation='fold' is not a column"),
        ({"validation": "ring_yes"}, TypeError, "must be boolean"),
        ({"validation": "ringed"}, ValueError, "nothing to tell apart"),
        ({"sampling_weight": "negative"}, ValueError, "not negative"),
        ({"device": "cuda:99"}, ValueError, "cuda:99"),
    ],
)
def test_bad_arguments_are_refused_before_training(toy, change, error, message):
    table, images = toy.galaxies()
    table["negative"] = -1.0
    if change.get("validation") == "ringed":
        table["ring_yes"] = np.where(table["ringed"], 20, 0)
        table["ring_no"] = 20 - table["ring_yes"]
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL}
    with pytest.raises(error, match=message):
        pretrain(table, **{**options, **change})


def test_what_is_not_a_table_or_too_little_is_refused(toy):
    table, images = toy.galaxies(3)
    with pytest.raises(TypeError, match="not dict"):
        pretrain({"ring_yes": [1]}, schema="gz_rings")
    table["ring_yes"], table["ring_no"] = [1, 2, 1], [2, 1, 1]
    with pytest.raises(ValueError, match="too few"):
        pretrain(
            table[:2],
            schema="gz_rings",
            images=images[:2],
            recipe=toy.RECIPE,
            **SMALL,
            validation_fraction=0.5,
        )


def test_a_damaged_checkpoint_is_refused(toy, tmp_path):
    table, images = toy.galaxies()
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, "output": tmp_path, **SMALL}
    pretrain(table, **options)
    (tmp_path / "encoder.json").unlink()
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged.*resume=False"):
        pretrain(table, **options)


def test_training_that_diverges_is_reported(toy):
    table, _ = toy.galaxies()

    def broken(rows, device):
        return torch.full((len(rows), 3, 40, 40), float("nan"))

    with pytest.raises(RuntimeError, match="the loss is nan in epoch 0; lower learning_rate"):
        pretrain(
            table, schema="gz_rings", images=broken, recipe=toy.RECIPE, augmentation=Augmentation(), **SMALL
        )


@pytest.mark.gpu
def test_a_gpu_learns_the_same(toy):
    table, images = toy.galaxies(128)
    options = {"schema": "gz_rings", "images": images, "recipe": toy.RECIPE, **SMALL, "epochs": 6}
    losses = [
        pretrain(table, **{**options, "device": device}).card["validation"]["loss"]
        for device in ("cuda", "cpu")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.3)
    first, second = (pretrain(table, **{**options, "device": "cuda"}).to("cpu") for _ in range(2))
    assert _same_weights(first, second)
