"""Fine-tuning the blocks of an encoder on labelled images."""

import numpy as np
import pytest
import timm
import torch
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.finetuning._backbone_loop import parameter_groups
from galzoo_repr.finetuning._plan import TuningPlan

N = 48
# Networks as small as these, trained for a moment, need not tell anything.
pytestmark = pytest.mark.filterwarnings(
    "ignore:the labels in .* do not show:galzoo_repr.exceptions.GalzooWarning"
)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    network = timm.create_model("lcnet_035", num_classes=0).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain average of what it sees, so that features vary
    with torch.no_grad():
        for _ in range(2):
            network(torch.nn.functional.interpolate(torch.rand(16, 3, 8, 8), size=(32, 32), mode="bilinear"))
    return gzr.Encoder(network, gzr.ImageRecipe(size=32, crop=0.8), name="tiny")


@pytest.fixture(scope="module")
def pictures():
    """Rings and blobs in noise, uint8 of shape (n, 40, 40, 3); every other one is a ring."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:40j, -1:1:40j]
    radius = np.hypot(x, y)
    ring, blob = np.exp(-(((radius - 0.5) / 0.1) ** 2)), np.exp(-((radius / 0.35) ** 2))
    shapes = np.stack([ring if i % 2 else blob for i in range(N)])[..., None]
    noisy = 60 * shapes + generator.normal(0, 60, (N, 40, 40, 3)) + 60
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def galaxies(encoder, pictures):
    table = Table({"id": np.arange(N), "ring": np.where(np.arange(N) < 40, np.arange(N) % 2, np.nan)})
    return gzr.add_embeddings(table, encoder=encoder, images=pictures, embedding_store=False, progress=False)


def tuned(galaxies, encoder, pictures, depth=1, **options):
    options = {"epochs": 2, "members": 2, "batch_size": 16, "patience": 5, "progress": False, **options}
    return gzr.finetune(galaxies, "ring", depth=depth, images=pictures, encoder=encoder, **options)


@pytest.fixture(scope="module")
def model(galaxies, encoder, pictures):
    return tuned(galaxies, encoder, pictures, epochs=4, learning_rate=1e-3)


def test_only_the_blocks_on_top_change(model, encoder):
    before, after = encoder.model.state_dict(), model.encoder.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("conv_head") for name in changed)
    assert model.digest != encoder.digest
    assert model.card["encoder"]["digest"] == encoder.digest


def test_all_blocks_change_but_no_statistics(galaxies, encoder, pictures):
    model = tuned(galaxies, encoder, pictures, "all", epochs=1, learning_rate=1e-2)
    if model.card["epochs"] and model.digest != encoder.digest:
        before, after = encoder.model.state_dict(), model.encoder.model.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)


def test_its_galaxies_are_embedded_again_and_their_column_stays(galaxies, model, pictures):
    with pytest.warns(gzr.GalzooWarning, match="was fine-tuned: the 48 galaxies are embedded again"):
        after = gzr.add_predictions(galaxies, model, images=pictures, embedding_store=False, progress=False)
    np.testing.assert_array_equal(after["embedding"], galaxies["embedding"])
    assert after.colnames == [*galaxies.colnames, "ring_probability", "ring_probability_std", "ring_unlike"]
    again = gzr.add_embeddings(
        galaxies["id",], encoder=model.encoder, images=pictures, embedding_store=False, progress=False
    )
    expected = model.predict(again["embedding"]).value[:, 0]
    np.testing.assert_array_equal(after["ring_probability"], expected)
    # Nothing is left to embed, nor to warn of.
    np.testing.assert_array_equal(gzr.add_predictions(again, model)["ring_probability"], expected)


def test_the_next_to_label_are_chosen_by_what_its_encoder_sees(galaxies, model, pictures):
    with pytest.warns(gzr.GalzooWarning, match="embedded again with it"):
        chosen = gzr.which_to_label(
            galaxies, model, 3, images=pictures, embedding_store=False, progress=False
        )
    assert len(set(chosen["row"])) == 3
    assert (chosen["row"] >= 40).all()
    np.testing.assert_array_equal(chosen["embedding"], galaxies["embedding"][chosen["row"]])


def test_the_encoder_is_saved_with_the_model(model, galaxies, pictures, tmp_path):
    model.save(tmp_path / "ring")
    again = gzr.MorphologyModel.load(tmp_path / "ring", device="cpu")
    assert again.digest == model.digest
    assert "encoder fine-tuned from tiny" in str(again)


class Killed(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_end(galaxies, encoder, pictures, tmp_path, monkeypatch):
    from galzoo_repr.finetuning._backbone_loop import Tuning

    whole = tuned(galaxies, encoder, pictures, epochs=3)
    finish = Tuning._finish_epoch

    def killed_after_two(self, loss):
        finish(self, loss)
        if len(self.history) == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Tuning, "_finish_epoch", killed_after_two)
        with pytest.raises(Killed):
            tuned(galaxies, encoder, pictures, epochs=3, output=tmp_path / "run")
    resumed = tuned(galaxies, encoder, pictures, epochs=3, output=tmp_path / "run")
    assert resumed.encoder.card["held_out_loss"] == whole.encoder.card["held_out_loss"]
    np.testing.assert_array_equal(resumed.head.weights, whole.head.weights)


def test_a_run_with_other_settings_is_not_continued(galaxies, encoder, pictures, tmp_path):
    tuned(galaxies, encoder, pictures, epochs=1, output=tmp_path / "run")
    with pytest.raises(ValueError, match="other settings"):
        tuned(galaxies, encoder, pictures, epochs=2, output=tmp_path / "run")


def test_too_little_memory_names_the_batch_size(galaxies, encoder, pictures, monkeypatch):
    def step(self, closure=None):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="batch_size=16: give a smaller one"):
        tuned(galaxies, encoder, pictures)


def test_lower_blocks_learn_more_slowly():
    network = timm.create_model("lcnet_035", num_classes=0)
    groups = parameter_groups(network, TuningPlan(depth=3, learning_rate=1e-3, layer_decay=0.5))
    rates = sorted({group["lr"] for group in groups}, reverse=True)
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 2.5e-4])
    n_trained = sum(each.requires_grad for each in network.parameters())
    assert n_trained == sum(len(group["params"]) for group in groups) < len(list(network.parameters()))
    assert all(group["weight_decay"] == 0 for group in groups for each in group["params"] if each.ndim == 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"depth": 0}, ValueError, "depth must be 'head', 'all' or a number of blocks from 1, not 0"),
        ({"depth": "most"}, ValueError, "not 'most'"),
        ({"depth": 99}, ValueError, "depth=99, but this encoder has 8 blocks"),
        ({"depth": 1, "epoch": 3}, TypeError, "finetune has no option epoch"),
        ({"depth": 1, "seed": -1}, ValueError, "seed must be a whole number from 0, not -1"),
        ({"depth": 1, "epochs": 0}, ValueError, "epochs must be a whole number from 1"),
        (
            {"depth": 1, "learning_rate": 0},
            ValueError,
            "learning_rate must be a number above 0 and at most 1, not 0",
        ),
        ({"depth": "head", "epochs": 3}, TypeError, "epochs, images would be for fine-tuning"),
    ],
)
def test_settings_that_make_no_sense_are_refused(galaxies, encoder, pictures, options, error, message):
    with pytest.raises(error, match=message):
        gzr.finetune(galaxies, "ring", images=pictures, encoder=encoder, progress=False, **options)


def test_images_and_their_encoder_must_be_there(galaxies, encoder, pictures):
    with pytest.raises(FileNotFoundError, match="encoder 'tiny' of the model is not to be found"):
        gzr.finetune(galaxies, "ring", depth=1, images=pictures)
    bare = galaxies["id", "ring", "embedding"]
    with pytest.raises(ValueError, match="needs images: call add_cutouts"):
        gzr.finetune(bare, "ring", depth=1, encoder=encoder)
    torch.manual_seed(1)
    other = gzr.Encoder(timm.create_model("lcnet_035", num_classes=0), encoder.recipe, name="other")
    with pytest.raises(ValueError, match="encoder 'other' has digest"):
        gzr.finetune(galaxies, "ring", depth=1, images=pictures, encoder=other)
