"""Saved folders on the Hugging Face hub: published with a model card, and found again."""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from astroquery.exceptions import LoginError, RemoteServiceError

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

__all__ = ["CARD", "code_block", "download", "front_matter", "markdown_table", "repository_name", "upload"]

CARD = "README.md"
"""The model card, which the hub shows."""

_HUB = "hf-hub:"
_PATTERNS = ["*.json", "*.safetensors"]  # in folders within too
# Files that tell what a repository holds.
_KINDS = {
    "encoder.json": "an encoder",
    "morphology.json": "a model of a feature",
    "config.json": "a network of another package",
}
# Names of licences on the hub (https://huggingface.co/docs/hub/repositories-licenses).
_LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "odbl", "other"),
        *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
        *("gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0"),
    }
)


def repository_name(name: str) -> str:
    """Give ``owner/name``, with or without ``hf-hub:`` before it; a `ValueError` if no repository can have the name."""
    from huggingface_hub import errors
    from huggingface_hub.utils import validate_repo_id

    if not isinstance(name, str):
        raise TypeError(f"a repository is named by text, as 'owner/name', not {name!r}")
    bare = name.removeprefix(_HUB)
    try:
        validate_repo_id(bare)
    except errors.HFValidationError as error:
        raise ValueError(f"{bare!r} is no name of a repository, as {_HUB}owner/name: {error}") from error
    if bare.count("/") != 1:
        raise ValueError(f"{bare!r} is no name of a repository, as {_HUB}owner/name: its owner is missing")
    return bare


def download(repository: str) -> Path:
    """
    Fetch a folder, ``"owner/name"``, or find it in the local cache, and give its path.

    What the cache has is not looked for on the hub again. A `ValueError` if there is no such repository, or no
    repository can have this name; a `RemoteServiceError` if the hub cannot be reached and the cache does not have it.
    """
    from huggingface_hub import errors, snapshot_download

    repository = repository_name(repository)
    try:
        return Path(snapshot_download(repository, allow_patterns=_PATTERNS, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(repository, allow_patterns=_PATTERNS))
    except errors.RepositoryNotFoundError as error:
        raise ValueError(f"huggingface.co has no repository {repository!r} that you may read") from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise RemoteServiceError(
            f"the model {repository!r} is not in the local cache, and huggingface.co cannot be reached or does "
            "not allow it; connect to the network, or give a folder written by MorphologyModel.save"
        ) from error


def upload(
    folder: Path,
    repository: str,
    *,
    message: str,
    private: bool = False,
    token: str | None = None,
    overwrite: bool = False,
    replaced: Sequence[str] = (),
) -> str:
    """
    Publish a saved folder with its card, but what is hidden in it, such as the file of its lock; give its address.

    Parameters
    ----------
    folder : pathlib.Path
        Written by a `save`, with the card in it.
    repository : str
        ``"owner/name"``, made if need be.
    message : str
        Of the commit.
    private : bool
        Whether only its owner may see a new repository.
    token : str, optional
        Of the hub; that of the login when not given.
    overwrite : bool
        Replace files of the same names. Those of other names stay as they are.
    replaced : sequence of str
        Patterns of files that an earlier version of the folder may have left, which go with it.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If no repository can have this name, it holds something else, or everybody can see it who shall not.
    FileExistsError
        If it has files of the same names, and they may not be replaced.
    astroquery.exceptions.LoginError
        If there is no token, or the hub does not accept it.
    astroquery.exceptions.RemoteServiceError
        If the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi, get_token

    repository = repository_name(repository)
    if not (token or get_token()):
        raise LoginError(
            f"publishing {repository!r} takes a token of huggingface.co that may write: log in once (hf auth login), "
            "set HF_TOKEN, or give token="
        )
    api = HfApi(token=token or None)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    names = {name for name in names if not any(part.startswith(".") for part in name.split("/"))}
    with _in_our_words(repository):
        there = _found(api, repository)
    _refuse(there, names, repository, private=private, overwrite=overwrite)
    with _in_our_words(repository):
        if there is None:
            api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=message,
            allow_patterns=sorted(names),
            delete_patterns=list(replaced) if overwrite else None,
            parent_commit=None if there is None else there.sha,
        )
    return str(getattr(done, "repo_url", "") or f"{api.endpoint}/{repository}")


def _found(api: "HfApi", repository: str) -> "ModelInfo | str | None":
    """What is known of a repository of models, or else of what other kind it is, if there is any."""
    from huggingface_hub import errors

    try:
        return api.model_info(repository)
    except errors.RepositoryNotFoundError:
        kinds = (kind for kind in ("dataset", "space") if api.repo_exists(repository, repo_type=kind))
        return next(kinds, None)


def _refuse(
    found: "ModelInfo | str | None", names: Set[str], repository: str, *, private: bool, overwrite: bool
) -> None:
    """Refuse to publish files of these names where they would not belong, be seen, or replace others unasked."""
    if found is None:
        return
    if isinstance(found, str):
        raise ValueError(
            f"{repository!r} is a {found} on the hub, not a repository of models; give another name"
        )
    if private and not found.private:
        raise ValueError(
            f"{repository!r} is there already, and everybody can see it: make it private on its page before, or give "
            "another name"
        )
    there = {one.rfilename for one in found.siblings or ()}
    if there & set(_KINDS) and not there & names & set(_KINDS):
        mark = min(there & set(_KINDS))
        raise ValueError(
            f"{repository!r} holds {_KINDS[mark]} ({mark}), which stays there; give another name"
        )
    if (taken := sorted(there & names)) and not overwrite:
        raise FileExistsError(
            f"{repository!r} already has {', '.join(taken)}; give another name, or overwrite=True, which replaces "
            "these files and leaves all others"
        )


@contextmanager
def _in_our_words(repository: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of whichever HTTP client the version of huggingface_hub has
        raise _refusal(error, repository) from error


def _refusal(error: Exception, repository: str) -> Exception:
    """What the answer of the hub, or that there is none, means for who publishes."""
    # The client wraps some of its errors into others.
    causes = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    error = next((one for one in causes if getattr(one, "response", None) is not None), error)
    code = getattr(getattr(error, "response", None), "status_code", None)
    said = str(getattr(error, "server_message", None) or error).strip().splitlines() or [type(error).__name__]
    start, owner = f"{repository!r} cannot be published", repository.partition("/")[0]
    if code == 401:
        return LoginError(
            f"{start}: the hub does not accept the token ({said[0]}); log in again (hf auth login), or give token="
        )
    if code in (403, 404):
        return RemoteServiceError(
            f"{start}: there is no user or organisation {owner!r} on the hub, or your token may not write there "
            f"({said[0]})"
        )
    if code == 412:
        return RemoteServiceError(f"{start}: it was changed meanwhile ({said[0]}); publish again")
    if code is not None:
        return RemoteServiceError(f"{start}: the hub answers {code} ({said[0]})")
    return RemoteServiceError(
        f"{start}: {said[0]}; check that there is a network, and that the client is logged in (hf auth login)"
    )


def front_matter(*, licence: str, tags: Iterable[str], **facts: str | None) -> str:
    """Lines in YAML that begin a model card, by which the hub finds and sorts it."""
    from huggingface_hub import ModelCardData

    known = licence.lower() if licence.lower() in _LICENCES else "other" if licence else None
    named = {"license_name": licence} if known == "other" and licence.lower() != "other" else {}
    data = ModelCardData(
        license=known,
        library_name="galzoo_repr",
        tags=[*tags],
        **named,
        **{key: value for key, value in facts.items() if value},
    )
    return f"---\n{data.to_yaml()}\n---\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table in Markdown; cells are one line each."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(str(cell).split()).replace("|", r"\|") for cell in row) + " |"
        for row in lines
    )


def code_block(code: str, language: str = "python") -> str:
    """Show code in Markdown."""
    return f"```{language}\n{code}\n```"
