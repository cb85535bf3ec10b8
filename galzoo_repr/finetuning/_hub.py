"""Models on the Hugging Face hub."""

from pathlib import Path

from astroquery.exceptions import RemoteServiceError

__all__ = ["download", "upload"]

_PATTERNS = ["*.json", "*.safetensors"]  # in folders within too


def download(repository: str) -> Path:
    """
    Fetch a model, ``"owner/name"``, or find it in the local cache, and give its folder.

    What the cache has is not looked for on the hub again. A `ValueError` if there is no such repository, or no
    repository can have this name; a `RemoteServiceError` if the hub cannot be reached and the cache does not have it.
    """
    from huggingface_hub import errors, snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=_PATTERNS, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    except errors.HFValidationError as error:
        raise ValueError(
            f"{repository!r} is no name of a repository, as hf-hub:owner/name: {error}"
        ) from error
    try:
        return Path(snapshot_download(repository, allow_patterns=_PATTERNS))
    except errors.RepositoryNotFoundError as error:
        raise ValueError(f"huggingface.co has no repository {repository!r} that you may read") from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise RemoteServiceError(
            f"the model {repository!r} is not in the local cache, and huggingface.co cannot be reached or does "
            "not allow it; connect to the network, or give a folder written by MorphologyModel.save"
        ) from error


def upload(folder: Path, repository: str, *, message: str, private: bool = False) -> None:
    """
    Publish a folder that `MorphologyModel.save` wrote, but what is hidden in it, such as the file of its lock.

    The repository, ``"owner/name"``, is made if need be. A `ValueError` if none can have this name, and a
    `RemoteServiceError` if the hub cannot be reached or does not accept it.
    """
    from huggingface_hub import HfApi, errors

    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository, folder_path=folder, commit_message=message, ignore_patterns=[".*", "*/.*"]
        )
    except errors.HFValidationError as error:
        raise ValueError(f"{repository!r} is no name of a repository, as owner/name: {error}") from error
    except Exception as error:  # of whichever HTTP client the version of huggingface_hub has
        raise RemoteServiceError(
            f"the model cannot be published as {repository!r}: {error}; check that there is a network, and "
            "that the client is logged in (hf auth login)"
        ) from error
