"""Encoders from folders, from the hub's cache, and the ways in which that goes wrong."""

import hashlib
import json
import pickle
import shutil
import time
import warnings

import huggingface_hub
import numpy as np
import pytest
import requests
import timm
import torch
from astroquery.exceptions import RemoteServiceError
from safetensors.torch import load_file, save_file

from galzoo_repr import Encoder, ImageRecipe
from galzoo_repr.encoders import _names, check_encoder_name, list_encoders, zoobot_recipe


class Bomb:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def saved(encoder, tmp_path):
    folder = tmp_path / "encoder"
    encoder.save(folder)
    return folder


@pytest.fixture
def change_description(saved):
    """Change entries of encoder.json; None takes one out."""

    def change(**entries):
        path = saved / "encoder.json"
        about = {**json.loads(path.read_text()), **entries}
        path.write_text(json.dumps({key: value for key, value in about.items() if value is not None}))
        return saved

    return change


@pytest.fixture
def hub_folder(make_network, tmp_path):
    """Make a folder as on the hub, with the settings of photographs that its config.json has by mistake."""

    def make(weights="model.safetensors", channels=3, head=True, folder=tmp_path / "zoobot-encoder-tiny"):
        folder.mkdir(parents=True)
        state = dict(make_network(in_chans=channels).state_dict())
        if head:
            state["classifier.weight"], state["classifier.bias"] = torch.zeros(7, 1280), torch.zeros(7)
        config = {
            "architecture": "lcnet_035",
            "num_classes": 0,
            "num_features": 1280,
            "pretrained_cfg": {
                "input_size": [channels, 224, 224],
                "test_input_size": [3, 288, 288],
                "interpolation": "bicubic",
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
            },
        }
        (folder / "config.json").write_text(json.dumps(config))
        if weights.endswith("safetensors"):
            save_file(state, folder / weights)
        else:
            torch.save(state, folder / weights)
        return folder

    return make


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a, b).min()


# --- folders written by save ---


def test_saved_encoder_comes_back(encoder, pictures, tmp_path):
    encoder = Encoder(
        encoder.model, encoder.recipe, name="tiny", views=2, licence="CC0", origin="here", card={"images": 8}
    )
    encoder.save(tmp_path / "new" / "folder")
    for folder in (tmp_path / "new" / "folder", str(tmp_path / "new" / "folder")):
        again = Encoder.load(folder)
        assert again.digest == encoder.digest
        assert (again.name, again.views, again.licence) == ("tiny", 2, "CC0")
        assert (again.origin, again.card, again.dim) == ("here", {"images": 8}, encoder.dim)
        assert again.recipe == encoder.recipe
        torch.testing.assert_close(again.embed(pictures), encoder.embed(pictures))


def test_half_precision_takes_half_the_space_and_little_else(encoder, pictures, tmp_path):
    encoder.save(tmp_path / "full")
    encoder.save(tmp_path / "half", half_precision=True)
    full, half = (next((tmp_path / name).glob("*.safetensors")).stat().st_size for name in ("full", "half"))
    assert half < 0.6 * full
    loaded = Encoder.load(tmp_path / "half")
    torch.testing.assert_close(loaded.embed(pictures), encoder.embed(pictures), rtol=0.02, atol=0.02)
    loaded.save(tmp_path / "again", half_precision=True)
    assert Encoder.load(tmp_path / "again").digest == loaded.digest


def test_saving_over_an_encoder_is_asked_for(encoder, saved, make_network):
    other = Encoder(make_network(seed=5), encoder.recipe, name="other")
    with pytest.raises(FileExistsError, match=r"already holds an encoder.*overwrite=True"):
        other.save(saved)
    assert Encoder.load(saved).digest == encoder.digest
    for _ in range(2):
        other.save(saved, overwrite=True)
        assert Encoder.load(saved).digest == other.digest
        assert len(list(saved.glob("[!.]*"))) == 2


def test_failed_save_leaves_the_old_encoder(encoder, saved, make_network, monkeypatch):
    def full_disk(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Encoder(make_network(seed=5), encoder.recipe, name="other").save(saved, overwrite=True)
    assert Encoder.load(saved).digest == encoder.digest
    assert sorted(path.name for path in saved.glob("[!.]*")) == ["encoder.json", "model.safetensors"]


def test_network_that_timm_does_not_know_cannot_be_saved(tmp_path):
    class Mean(torch.nn.Module):
        def forward(self, images):
            return images.mean((2, 3))

    with pytest.raises(ValueError, match="only networks of timm can be saved"):
        Encoder(Mean(), ImageRecipe(), name="mean").save(tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_recipe_can_be_replaced(saved):
    recipe = ImageRecipe(size=96)
    assert Encoder.load(saved, recipe=recipe).recipe == recipe


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"format_version": 2}, "format_version 2.*update galzoo_repr"),
        ({"format_version": None}, "format_version None"),
        ({"weights_sha256": "0" * 64}, "has changed since it was saved"),
        ({"architecture": None}, "lacks architecture"),
        ({"colour": "red"}, "entries that are unknown: colour"),
        ({"architecture": "no_such_net"}, "names the network 'no_such_net'"),
        ({"architecture": "hf-hub:someone/net"}, "names the network 'hf-hub:someone/net'"),
        ({"architecture": "resnet18"}, "do not fit the network.*and [0-9]+ more"),
        ({"model_kwargs": {"num_classes": 0, "checkpoint_path": "x.pth"}}, r"\['checkpoint_path'\]"),
        ({"model_kwargs": {"num_classes": 0, "wings": 2}}, "timm cannot build lcnet_035"),
        ({"weights": "../model.safetensors"}, "weights outside its folder"),
        ({"feature_dim": 3}, "promises 3 features, but its network makes 1280"),
        ({"recipe": {"recipe_version": 9}}, "recipe_version 9"),
        ({"views": 5}, "views must be one of"),
    ],
)
def test_description_that_does_not_hold_is_refused(entries, message, change_description):
    with pytest.raises(ValueError, match=message):
        Encoder.load(change_description(**entries))


def test_description_that_is_not_json_is_refused(saved):
    (saved / "encoder.json").write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        Encoder.load(saved)


def test_missing_weights_are_named(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing; copy the whole folder"):
        Encoder.load(saved)


def test_changed_weights_are_noticed(saved):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"its SHA-256 is not the one in encoder.json"):
        Encoder.load(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "model.bin", "model.pkl"])
def test_pickle_in_place_of_weights_is_not_run(name, saved, change_description, tmp_path):
    target = tmp_path / "was_run"
    (saved / name).write_bytes(pickle.dumps({"weight": Bomb(target)}))
    digest = _names_digest(saved / name)
    with pytest.raises(ValueError, match=r"not a safetensors file|can run code|no kind of weights file"):
        Encoder.load(change_description(weights=name, weights_sha256=digest))
    assert not target.exists()


def _names_digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_of_another_shape_are_refused(saved, change_description):
    state = load_file(saved / "model.safetensors")
    name = next(iter(state))
    state[name] = torch.zeros(3)
    save_file(state, saved / "model.safetensors")
    with pytest.raises(ValueError, match=rf"{name} has shape \(3,\) instead of"):
        Encoder.load(change_description(weights_sha256=_names_digest(saved / "model.safetensors")))


# --- folders laid out as on the hub ---


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_hub_folder_gets_the_true_preprocessing(weights, hub_folder, make_network):
    folder = hub_folder(weights)
    encoder = Encoder.load(folder)
    assert encoder.name == "zoobot-encoder-tiny"
    assert encoder.recipe == zoobot_recipe()
    assert (encoder.recipe.size, encoder.recipe.mean, encoder.recipe.std) == (224, (0, 0, 0), (1, 1, 1))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = make_network()(images)
    torch.testing.assert_close(encoder.embed(images), expected, rtol=1e-3, atol=1e-4)


def test_format_of_the_weights_does_not_change_the_digest(hub_folder, tmp_path):
    one = Encoder.load(hub_folder("model.safetensors", folder=tmp_path / "one"))
    other = Encoder.load(hub_folder("pytorch_model.bin", folder=tmp_path / "other"))
    assert one.digest == other.digest


def test_safetensors_are_preferred_to_a_pickle(hub_folder):
    folder = hub_folder("model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"not weights")
    assert Encoder.load(folder).dim == 1280


def test_greyscale_hub_folder_has_one_channel(hub_folder):
    encoder = Encoder.load(hub_folder(channels=1))
    assert encoder.recipe.channels == 1
    assert encoder.recipe.mean == (0,)


def test_loaded_hub_folder_can_be_saved(hub_folder, tmp_path):
    encoder = Encoder.load(hub_folder())
    encoder.save(tmp_path / "own")
    assert Encoder.load(tmp_path / "own").digest == encoder.digest


def test_incomplete_hub_folder_is_refused(hub_folder, tmp_path):
    folder = hub_folder()
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither model.safetensors nor pytorch_model.bin"):
        Encoder.load(folder)
    (folder / "config.json").write_text("[]")
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="does not describe a timm model"):
        Encoder.load(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"neither encoder\.json nor config\.json"):
        Encoder.load(tmp_path / "empty")


@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage"])
def test_damaged_bin_is_refused(content, hub_folder):
    folder = hub_folder("pytorch_model.bin")
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or holds more than tensors"):
        Encoder.load(folder)


def test_bin_that_runs_code_is_refused(hub_folder, tmp_path):
    folder = hub_folder("pytorch_model.bin")
    torch.save({"weight": Bomb(tmp_path / "was_run")}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="it was not read, for a pickle can run code"):
        Encoder.load(folder)
    assert not (tmp_path / "was_run").exists()


def test_a_program_in_place_of_weights_is_refused(hub_folder):
    folder = hub_folder("pytorch_model.bin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "pytorch_model.bin"))
    with pytest.raises(ValueError, match="it is a TorchScript program"):
        Encoder.load(folder)


@pytest.mark.parametrize(
    ("architecture", "kwargs"),
    [
        ("convnext_nano", {"depths": [10**9, 1, 1, 1]}),
        ("convnext_nano", {"depths": [2000] * 4}),
        ("convnext_nano", {"dims": [90_000] * 4}),
        ("vit_tiny_patch16_224", {"img_size": 96_000}),
        ("swin_tiny_patch4_window7_224", {"window_size": 90_000}),
        ("lcnet_035", {"drop_path_rate": [1] * 10**5}),
    ],
)
def test_a_network_much_larger_than_its_weights_is_not_built(saved, change_description, architecture, kwargs):
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"much larger than the weights|arguments that no network has"):
        Encoder.load(change_description(architecture=architecture, model_kwargs={"num_classes": 0, **kwargs}))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "architecture", ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224", "eva02_tiny_patch14_224"]
)
def test_networks_with_masks_and_positions_are_built(tmp_path, architecture):
    network = timm.create_model(architecture, num_classes=0)
    Encoder(network, zoobot_recipe(), name="other").save(tmp_path / "encoder")
    assert Encoder.load(tmp_path / "encoder").dim == network.num_features


def test_weights_that_are_not_numbers_are_refused(saved, change_description):
    state = load_file(saved / "model.safetensors")
    name = next(name for name, one in state.items() if one.is_floating_point())
    state[name].view(-1)[0] = float("nan")
    save_file(state, saved / "model.safetensors")
    with pytest.raises(ValueError, match=f"NaN in {name}"):
        Encoder.load(change_description(weights_sha256=_names_digest(saved / "model.safetensors")))


def test_a_timm_model_whose_weights_are_a_pickle_somewhere_is_refused():
    with pytest.raises(ValueError, match="only as a pickle"):
        Encoder.load("legacy_seresnet18.in1k")


# --- names ---


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """Put a folder into the hub's cache, as if it had been downloaded; there is no network."""

    def no_network(*_arguments, **_options):
        raise requests.ConnectionError("Name or service not known")

    root = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(requests, "head", no_network)

    def put(folder, repository):
        place = root / f"models--{repository.replace('/', '--')}"
        shutil.copytree(folder, place / "snapshots" / "abc123")
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("abc123")

    return put


@pytest.mark.parametrize("prefix", ["", "hf-hub:mwalmsley/", "hf_hub:mwalmsley/"])
@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_cached_zoobot_needs_no_network(prefix, weights, hub_folder, hub_cache):
    hub_cache(hub_folder(weights), "mwalmsley/zoobot-encoder-lcnet")
    encoder = Encoder.load(f"{prefix}zoobot-encoder-lcnet")
    assert encoder.name == f"{prefix}zoobot-encoder-lcnet"
    assert encoder.recipe == zoobot_recipe()
    assert encoder.card["commit"] == "abc123"
    assert encoder.licence == "Apache-2.0"
    assert encoder.origin == "https://huggingface.co/mwalmsley/zoobot-encoder-lcnet"


def test_other_hub_models_keep_their_own_mean(hub_folder, hub_cache):
    hub_cache(hub_folder(), "timm/lcnet_035.photographs")
    encoder = Encoder.load("hf-hub:timm/lcnet_035.photographs")
    assert encoder.recipe.mean == (0.485, 0.456, 0.406)
    assert encoder.recipe.size == 224


def test_timm_name_keeps_its_own_mean(hub_folder, hub_cache, make_network):
    settings = timm.get_pretrained_cfg("lcnet_050")
    folder = hub_folder()
    torch.manual_seed(0)
    network = timm.create_model("lcnet_050")
    save_file(network.state_dict(), folder / "model.safetensors")
    hub_cache(folder, settings.hf_hub_id)
    encoder = Encoder.load("lcnet_050")
    assert encoder.recipe.mean == tuple(settings.mean)
    assert encoder.architecture == "lcnet_050"
    weights = encoder.model.state_dict()
    assert all(
        torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items() if name in weights
    )


@pytest.mark.parametrize(
    "name", ["zoobot-encoder-convnext_nano", "hf-hub:mwalmsley/zoobot-encoder-resnet50", "convnext_nano"]
)
def test_no_network_gives_one_sentence_that_says_what_to_do(name, hub_cache):
    message = f"'{name}' are not in the local cache and huggingface.co cannot be reached.*encoder='bundled'"
    with pytest.raises(RemoteServiceError, match=message) as caught:
        Encoder.load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_encoder", "hf-hub:alone"])
def test_unknown_names_are_refused(name, hub_cache):
    with pytest.raises(ValueError, match=f"'{name}'"):
        Encoder.load(name)


def test_timm_model_without_weights_is_refused(hub_cache):
    with pytest.raises(ValueError, match="timm has no weights for 'lcnet_035'"):
        Encoder.load("lcnet_035")


def test_bundled_encoder_is_found_by_its_name(saved, monkeypatch, tmp_path):
    monkeypatch.setattr("galzoo_repr.encoders._named.BUNDLED", saved)
    monkeypatch.setattr(_names, "BUNDLED", saved)
    assert Encoder.load().name == "bundled"
    listed = list_encoders()
    assert listed["name"][0] == "bundled"
    assert not listed["network"][0]
    monkeypatch.setattr("galzoo_repr.encoders._named.BUNDLED", tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="install galzoo_repr again"):
        Encoder.load("bundled")


def test_list_names_the_zoobot_family():
    table = list_encoders()
    assert {"zoobot-encoder-convnext_nano", "zoobot-encoder-greyscale-convnext_nano"} <= set(table["name"])
    assert (table["dim"] >= 512).sum() >= 13
    zoobot = table[[name.startswith("zoobot") for name in table["name"]]]
    assert {"zoobot-encoder-euclid", "zoobot-encoder-evo-maxvit_base"} <= set(zoobot["name"])
    assert set(zoobot["normalisation"]) == {"none"}
    assert set(zoobot["size"]) == {224}
    assert zoobot["source"][0] == f"https://huggingface.co/mwalmsley/{zoobot['name'][0]}"
    assert table["normalisation"][0] == "mean 0.498, std 0.502"


def test_what_is_not_known_of_an_encoder_is_masked():
    table = list_encoders()
    newer = np.array(["euclid" in name or "evo" in name for name in table["name"]])
    for name in ("dim", "parameters", "channels", "licence"):
        assert table[name].mask.tolist() == newer.tolist(), name
    assert table["dim"].compressed().min() >= 512


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zoobot-encoder-convnext_nanoo", "'hf-hub:mwalmsley/.*did you mean 'zoobot-encoder-convnext_nano'"),
        ("convnext_nanoo.in12k", "did you mean 'convnext_nano"),
        ("external: features of DESI", "were read from a file"),
    ],
)
def test_loading_refuses_what_the_check_of_names_refuses(name, message):
    for read in (Encoder.load, check_encoder_name):
        with pytest.raises(ValueError, match=message):
            read(name)


def test_loading_and_the_check_of_names_agree_on_folders(tmp_path):
    for folder, message in (
        (tmp_path, "does not hold an encoder"),
        (tmp_path / "none", "there is no folder"),
    ):
        for read in (Encoder.load, check_encoder_name):
            with pytest.raises(FileNotFoundError, match=message):
                read(folder)


@pytest.mark.parametrize("name", [None, 5, ["bundled"]])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(TypeError, match="the name of one or its folder, such as 'bundled', not"):
        Encoder.load(name)
