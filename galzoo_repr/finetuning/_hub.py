"""Models on the Hugging Face hub."""

import tempfile
from pathlib import Path

from astroquery.exceptions import RemoteServiceError

__all__ = ["download", "upload"]


def download(repository: str) -> Path:
    """
    Fetch a model, or find it in the local cache.

    Parameters
    ----------
    repository : str
        ``"owner/name"``.

    Returns
    -------
    pathlib.Path
        Folder of the model. What the cache has is not looked for on the hub again.

    Raises
    ------
    ValueError
        If there is no such repository, or no repository can have this name.
    astroquery.exceptions.RemoteServiceError
        If the hub cannot be reached and the cache does not have it.
    """
    from huggingface_hub import errors, snapshot_download

    patterns = ["*.json", "*.safetensors"]
    try:
        return Path(snapshot_download(repository, allow_patterns=patterns, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    except errors.HFValidationError as error:
        raise ValueError(
            f"{repository!r} is no name of a repository, as hf-hub:owner/name: {error}"
        ) from error
    try:
        return Path(snapshot_download(repository, allow_patterns=patterns))
    except errors.RepositoryNotFoundError as error:
        raise ValueError(f"huggingface.co has no repository {repository!r} that you may read") from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise RemoteServiceError(
            f"the model {repository!r} is not in the local cache, and huggingface.co cannot be reached or does "
            "not allow it; connect to the network, or give a folder written by MorphologyModel.save"
        ) from error


def upload(model: object, repository: str, *, private: bool = False) -> None:
    """
    Publish a model.

    Parameters
    ----------
    model : MorphologyModel
    repository : str
        ``"owner/name"``; made if need be. The client of huggingface_hub must be logged in.
    private : bool
        Whether only its owner may see a new repository.

    Raises
    ------
    ValueError
        If no repository can have this name.
    astroquery.exceptions.RemoteServiceError
        If the hub cannot be reached or does not accept it.
    """
    from huggingface_hub import HfApi, errors

    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message=f"Model of {model.label}"
            )
        except errors.HFValidationError as error:
            raise ValueError(f"{repository!r} is no name of a repository, as owner/name: {error}") from error
        except Exception as error:  # of whichever HTTP client the version of huggingface_hub has
            raise RemoteServiceError(
                f"the model cannot be published as {repository!r}: {error}. Is there a network, and is the "
                "client logged in (hf auth login)?"
            ) from error
