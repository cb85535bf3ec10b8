"""Encoders and models are published with a card, and come back as they were; of the hub a server stands in."""

import json
import re
import shutil
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import yaml
from astroquery.exceptions import LoginError, RemoteServiceError
from typer.testing import CliRunner

import galzoo_repr as gzr
from galzoo_repr.cli import app

# The hub's client warns of itself when it sends large files.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ENCODER_FILES = {"encoder.json", "model.safetensors", "README.md"}
MODEL_FILES = {"morphology.json", "head.safetensors", "README.md"}


def card_of(hub, name):
    """Front matter, and the text after it."""
    _, facts, text = hub.models[name].files["README.md"].decode().split("---\n", 2)
    return yaml.safe_load(facts), text


def own_files(hub, name):
    return set(hub.models[name].files) - {".gitattributes"}


def run_first_code(text):
    """Run the code of a card that loads what it describes."""
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    names = {}
    exec(code, names)
    assert code.count("\n") == 2
    return names


# --- there and back ---


def test_an_encoder_comes_back_as_it_was(hub, encoder):
    address = encoder.push("me/mine")
    assert address == f"{hub.endpoint}/me/mine"
    assert own_files(hub, "me/mine") == ENCODER_FILES
    again = run_first_code(card_of(hub, "me/mine")[1])["encoder"]
    assert (again.digest, again.recipe, again.views) == (encoder.digest, encoder.recipe, encoder.views)
    images = np.random.default_rng(1).random((3, 3, 48, 48), dtype=np.float32)
    np.testing.assert_array_equal(again.embed(images), encoder.embed(images))
    assert (again.licence, again.card["data"]) == ("BSD-3-Clause", {"real": "80 galaxies"})
    assert again.card["repository"] == "me/mine"
    before = len(hub.seen)
    gzr.Encoder.load("hf-hub:me/mine")
    assert hub.seen[before:] == []


def test_an_encoder_of_a_revision_is_found(hub, encoder):
    encoder.push("me/mine")
    commit = hub.models["me/mine"].sha
    assert gzr.Encoder.load(f"hf-hub:me/mine@{commit}").digest == encoder.digest


def test_an_encoder_that_was_loaded_is_published_again(hub, encoder):
    encoder.push("me/mine")
    gzr.Encoder.load("hf-hub:me/mine").push("our-survey/theirs")
    assert gzr.Encoder.load("hf-hub:our-survey/theirs").digest == encoder.digest
    assert card_of(hub, "our-survey/theirs")[0]["base_model"] == "me/mine"


def test_a_model_comes_back_as_it_was(hub, model, galaxies):
    model.push("hf-hub:me/ring", private=True, licence="CC-BY-4.0")
    assert hub.models["me/ring"].private
    assert own_files(hub, "me/ring") == MODEL_FILES
    again = run_first_code(card_of(hub, "me/ring")[1])["model"]
    assert str(again) == str(model)
    by_name = gzr.add_predictions(galaxies, "hf-hub:me/ring")["ring_probability"]
    np.testing.assert_array_equal(by_name, model.predict(galaxies["embedding"]).value[:, 0])


def test_a_fine_tuned_model_goes_with_its_encoder_and_nothing_hidden(hub, fine_tuned):
    fine_tuned.push("me/ring")
    files = own_files(hub, "me/ring")
    assert len(files) == 5
    assert not any(part.startswith(".") for name in files for part in name.split("/"))
    assert gzr.MorphologyModel.load("hf-hub:me/ring").encoder.digest == fine_tuned.encoder.digest


# --- the card ---


def test_the_card_of_an_encoder_tells_what_a_user_asks(hub, encoder):
    encoder.push("me/mine")
    facts, text = card_of(hub, "me/mine")
    assert facts["license"] == "bsd-3-clause"
    assert facts["library_name"] == "galzoo_repr"
    for words in (
        "| bands | VIS, NIR_Y |", "| stretch | asinh |", "| size | 48 x 48 px |", "| views averaged | 2 |",
        "| shares of the bands in each channel | 0, 1; 0.5, 0.5; 1, 0 |", "| pixel scale | 0.262 arcsec",
        "| data: real | 80 galaxies |", "| bar | 20 | 0.125 |", "- It knows | nothing.", encoder.digest,
        "## Licence\n\nBSD-3-Clause",
    ):  # fmt: skip
        assert words in text
    assert text.strip() in encoder.model_card("me/mine")


def test_the_card_of_a_model_tells_what_a_user_asks(hub, model, fine_tuned):
    model.push("me/ring", licence="CC-BY-4.0")
    facts, text = card_of(hub, "me/ring")
    assert facts["license"] == "cc-by-4.0"
    for words in (
        "| labelled images | 60 |", "| digest of the encoder | " + "a" * 64, "held out in turn in",
        "| true, predicted as |", f"| average precision | {model.report['average precision']:.4g} |", "## Limits",
    ):  # fmt: skip
        assert words in text
    inner = fine_tuned.model_card("me/ring")
    assert "license: apache-2.0" in inner
    assert "| size | 32 x 32 px |" in inner


@pytest.mark.parametrize(
    ("licence", "written"),
    [
        ("", {}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("ESA data policy", {"license": "other", "license_name": "ESA data policy"}),
    ],
)
def test_licences_are_told_as_the_hub_knows_them(encoder, licence, written):
    encoder.licence = licence
    facts = yaml.safe_load(encoder.model_card().split("---\n")[1])
    assert {key: facts[key] for key in facts if key.startswith("license")} == written
    assert (licence or "None is stated") in encoder.model_card().rpartition("## Licence")[2]


def test_odd_words_do_not_break_a_card(network):
    card = {"a|b": "one\ntwo", "limits": "just one", "validation": 3, "nested": [{"x": 1}, 2], "none": None}
    text = gzr.Encoder(network, gzr.ImageRecipe(size=32), name="# odd: 'name'", card=card).model_card()
    assert r"| a\|b | one two |" in text
    assert "- just one" in text
    assert "None were measured" in text
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "galzoo_repr"


def test_a_model_without_figures_says_so(model):
    empty = replace(model.report, n_folds=0, metrics=(), confusion=np.empty((0, 0)))
    assert "too few labelled galaxies" in replace(model, report=empty).model_card()


# --- the shell ---


def test_the_shell_shares_models_and_encoders(hub, encoder, model, tmp_path):
    encoder.save(tmp_path / "encoder")
    model.save(tmp_path / "model")
    run = CliRunner().invoke
    shown = run(app, ["push", str(tmp_path / "model"), "me/ring", "--card", "--licence", "CC-BY-4.0"])
    assert "license: cc-by-4.0" in shown.output
    as_json = run(
        app, ["push", str(tmp_path / "model"), "me/ring", "--card", "--licence", "CC-BY-4.0", "--json"]
    )
    assert json.loads(as_json.output)["card"].strip() == shown.output.strip()
    assert hub.models == {}
    for what, name in (("encoder", "me/mine"), ("model", "me/ring")):
        done = run(app, ["push", str(tmp_path / what), name, "--private"])
        assert f"Published at {hub.endpoint}/{name}" in done.output
        assert hub.models[name].private
        again = run(app, ["push", str(tmp_path / what), name])
        assert again.exit_code == 1
        assert "already has README.md" in again.output
        assert run(app, ["push", str(tmp_path / what), name, "--overwrite"]).exit_code == 0


# --- what is there already ---


@pytest.mark.parametrize("kind", ["encoder", "model"])
def test_nothing_is_replaced_unless_it_is_asked_for(hub, kind, request):
    shared = request.getfixturevalue(kind)
    shared.push("me/mine")
    files = hub.models["me/mine"].files
    files["README.md"], files["notes.txt"] = b"my own words", b"keep me"
    with pytest.raises(FileExistsError, match=r"'me/mine' already has README\.md, .*overwrite=True"):
        shared.push("me/mine")
    assert files["README.md"] == b"my own words"
    shared.push("me/mine", overwrite=True)
    assert files["README.md"].startswith(b"---")
    assert files["notes.txt"] == b"keep me"


def test_a_repository_with_a_card_alone_keeps_it(hub, encoder):
    hub.models["me/mine"] = type(hub).repository(**{"README.md": b"soon", "data.csv": b"1"})
    with pytest.raises(FileExistsError, match=r"already has README\.md; give another name"):
        encoder.push("me/mine")
    assert set(hub.models["me/mine"].files) == {"README.md", "data.csv"}


def test_the_encoder_of_an_earlier_model_goes_with_it(hub, fine_tuned):
    fine_tuned.push("me/ring")
    hub.models["me/ring"].files["pictures/encoder.png"] = b"mine"
    other = replace(fine_tuned, encoder=gzr.Encoder(
        fine_tuned.encoder.model, gzr.ImageRecipe(size=40), name="other"
    ))  # fmt: skip
    other.push("me/ring", overwrite=True)
    files = own_files(hub, "me/ring")
    assert len({name.split("/")[0] for name in files if name.startswith("encoder-")}) == 1
    assert "pictures/encoder.png" in files
    assert gzr.MorphologyModel.load("hf-hub:me/ring").encoder.recipe.size == 40


def test_something_else_is_never_replaced(hub, encoder, model):
    encoder.push("me/mine")
    with pytest.raises(ValueError, match=r"'me/mine' holds an encoder \(encoder\.json\), which stays there"):
        model.push("me/mine", overwrite=True)
    model.push("me/ring")
    with pytest.raises(ValueError, match=r"holds a model of a feature \(morphology\.json\)"):
        encoder.push("me/ring", overwrite=True)
    hub.models["me/bert"] = type(hub).repository(**{"config.json": b"{}"})
    with pytest.raises(ValueError, match="holds a network of another package"):
        encoder.push("me/bert", overwrite=True)


def test_what_shall_be_private_does_not_go_where_all_can_see_it(hub, encoder):
    encoder.push("me/mine")
    with pytest.raises(
        ValueError, match="'me/mine' is there already, and everybody can see it: make it private"
    ):
        encoder.push("me/mine", private=True, overwrite=True)
    hub.models["me/mine"].private = True
    encoder.push("me/mine", overwrite=True)


def test_a_data_set_of_the_name_is_told(hub, encoder):
    hub.datasets.add("me/galaxies")
    with pytest.raises(ValueError, match="'me/galaxies' is a dataset on the hub, not a repository of models"):
        encoder.push("me/galaxies")
    assert hub.models == {}


# --- what cannot be ---


def test_without_a_token_it_is_said_how_to_get_one(hub, encoder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(LoginError, match=r"takes a token .*hf auth login.*HF_TOKEN, or give token="):
        encoder.push("me/mine")
    assert hub.seen == []
    encoder.push("me/mine", token="hf_writes")
    assert own_files(hub, "me/mine") == ENCODER_FILES


def test_a_token_that_is_not_accepted_is_told(hub, model):
    with pytest.raises(LoginError, match=r"does not accept the token \(.*\); log in again") as caught:
        model.push("me/ring", token="hf_wrong")
    assert "hf_wrong" not in str(caught.value)


def test_no_such_organisation(hub, encoder):
    with pytest.raises(
        RemoteServiceError, match="no user or organisation 'nobody' on the hub, or your token may not"
    ):
        encoder.push("nobody/mine")


def test_a_hub_that_fails_is_told_in_one_line(hub, encoder):
    hub.fails_with = 500
    with pytest.raises(RemoteServiceError, match=r"cannot be published: the hub answers 500 \(.*") as caught:
        encoder.push("me/mine")
    assert "\n" not in str(caught.value)


def test_no_network(hub, encoder, monkeypatch):
    hub.close()
    with pytest.raises(
        RemoteServiceError, match=r"'me/mine' cannot be published: .*check that there is a network"
    ):
        encoder.push("me/mine")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        RemoteServiceError, match=r"'me/gone' is not in the local cache.*give a folder"
    ) as caught:
        gzr.MorphologyModel.load("hf-hub:me/gone")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b/c", "a name/x", "alone", "", "me/..", "hf-hub:alone"])
def test_names_that_no_repository_has_are_refused(hub, encoder, model, name):
    for call in (encoder.push, model.push):
        with pytest.raises(ValueError, match="is no name of a repository, as hf-hub:owner/name"):
            call(name)
    with pytest.raises(ValueError, match="is no name of a repository, as hf-hub:owner/name"):
        gzr.MorphologyModel.load(f"hf-hub:{name.removeprefix('hf-hub:')}")
    with pytest.raises(TypeError, match="a repository is named by text"):
        encoder.push(None)
    assert hub.seen == []


def test_what_is_not_there_is_told(hub):
    with pytest.raises(ValueError, match=r"huggingface\.co has no such repository"):
        gzr.Encoder.load("hf-hub:me/gone")
    with pytest.raises(ValueError, match="has no repository 'me/gone' that you may read"):
        gzr.MorphologyModel.load("hf-hub:me/gone")


def test_a_function_as_stretch_is_not_published(hub, network):
    encoder = gzr.Encoder(network, gzr.ImageRecipe(size=32, stretch=np.cbrt), name="own")
    with pytest.raises(ValueError, match=r"the function (numpy\.)?cbrt, which no file can hold"):
        encoder.push("me/own")
    assert hub.seen == []


def test_weights_that_are_not_those_of_the_card_are_refused(hub, encoder):
    encoder.push("me/mine")
    files = hub.models["me/mine"].files
    files["model.safetensors"] = files["model.safetensors"][:-4] + b"\0\0\0\1"
    with pytest.raises(ValueError, match="has changed since it was saved"):
        gzr.Encoder.load("hf-hub:me/mine")


def test_a_folder_that_was_saved_has_no_card_of_its_own(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir() if path.name[0] != "."} == ENCODER_FILES - {
        "README.md"
    }
    shutil.rmtree(tmp_path / "saved")
