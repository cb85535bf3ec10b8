"""Models on the Hugging Face hub, of which a folder stands in."""

import shutil

import huggingface_hub
import numpy as np
import pytest
from astroquery.exceptions import RemoteServiceError

import galzoo_repr as gzr
from galzoo_repr.finetuning._hub import _PATTERNS


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that publishes into the cache of its own client, and nothing else; there is no network."""
    root = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    calls = []

    class Api:
        def create_repo(self, repository, *, private, exist_ok):
            calls.append((repository, private, exist_ok))

        def upload_folder(self, *, repo_id, folder_path, commit_message, ignore_patterns):
            calls.append(commit_message)
            place = root / f"models--{repo_id.replace('/', '--')}"
            files = [path.relative_to(folder_path) for path in folder_path.rglob("*") if path.is_file()]
            kept = huggingface_hub.utils.filter_repo_objects(files, ignore_patterns=ignore_patterns, key=str)
            for path in kept:
                copy = place / "snapshots" / "abc123" / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder_path / path, copy)
            (place / "refs").mkdir()
            (place / "refs" / "main").write_text("abc123")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return calls


def test_a_published_model_is_loaded_by_its_name(hub, model, galaxies):
    model.push("me/ring", private=True)
    assert hub == [("me/ring", True, True), "Model of ring"]
    again = gzr.MorphologyModel.load("hf-hub:me/ring")
    assert str(again) == str(model)
    by_name = gzr.add_predictions(galaxies, "hf-hub:me/ring")["ring_probability"]
    np.testing.assert_array_equal(by_name, model.predict(galaxies["embedding"]).value[:, 0])


def test_a_fine_tuned_model_goes_with_its_encoder_and_nothing_hidden(hub, fine_tuned, tmp_path):
    fine_tuned.push("me/ring")
    place = tmp_path / "hub" / "models--me--ring" / "snapshots" / "abc123"
    files = [str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert not any(part.startswith(".") for name in files for part in name.split("/"))
    wanted = huggingface_hub.utils.filter_repo_objects(files, allow_patterns=_PATTERNS)
    assert sorted(wanted) == sorted(files)
    again = gzr.MorphologyModel.load("hf-hub:me/ring")
    assert again.encoder.digest == fine_tuned.encoder.digest


def test_without_network_or_copy_a_sentence_says_what_to_do(hub):
    with pytest.raises(
        RemoteServiceError, match=r"'me/gone' is not in the local cache.*give a folder"
    ) as caught:
        gzr.MorphologyModel.load("hf-hub:me/gone")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b/c", "a name/x"])
def test_names_that_no_repository_has_are_refused(hub, name):
    with pytest.raises(ValueError, match=f"'{name}' is no name of a repository, as hf-hub:owner/name"):
        gzr.MorphologyModel.load(f"hf-hub:{name}")


def test_what_the_hub_refuses_is_told(hub, model, monkeypatch):
    def refuse(self, *_arguments, **_options):
        raise RuntimeError("401 Unauthorized")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(RemoteServiceError, match=r"cannot be published as 'me/ring': 401 .* logged in"):
        model.push("me/ring")
