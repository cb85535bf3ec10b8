"""Whether a name can be that of an encoder, told before anything is loaded, and what may have been meant."""

import os
from collections.abc import Sequence
from pathlib import Path

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.encoders._external import refuse_external
from galzoo_repr.encoders._folder import FORMAT
from galzoo_repr.encoders._names import (
    INT8,
    ZOOBOT,
    hub_repository,
    is_written_in_timm,
    list_encoders,
    timm_names,
)

__all__ = ["check_encoder_name"]


def check_encoder_name(name: str | os.PathLike, *, besides: Sequence[str] = ()) -> None:
    """
    Refuse what cannot be the name or folder of an encoder, without loading or downloading it.

    Parameters
    ----------
    name : str or os.PathLike
        As for `Encoder.load`.
    besides : sequence of str
        Other names that may have been meant, for the message.

    Raises
    ------
    TypeError
        If it is neither text nor a path.
    FileNotFoundError
        If there is no such folder, or no encoder in it.
    ValueError
        If there is no such encoder; the message names those that are called alike.

    Examples
    --------
    >>> from galzoo_repr.encoders import check_encoder_name
    >>> check_encoder_name("bundled")
    >>> try:
    ...     check_encoder_name("bundledd")
    ... except ValueError as error:
    ...     print(str(error).rpartition("; ")[2])
    did you mean 'bundled' or 'bundled-int8'?
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(
            f"an encoder is an Encoder, the name of one or its folder, such as 'bundled', not {name!r}"
        )
    text = os.fspath(name)
    refuse_external(text)
    if name in ("bundled", INT8):
        return
    folder = Path(name)
    if folder.is_dir():
        if not any((folder / file).is_file() for file in (FORMAT.card, "config.json")):
            raise FileNotFoundError(
                f"{folder} does not hold an encoder: it has neither {FORMAT.card} nor config.json"
            )
        return
    if not isinstance(name, str):
        raise FileNotFoundError(f"there is no folder {folder}")
    known = list_encoders()["name"].tolist()
    repository = hub_repository(name)
    if repository is not None and repository.partition("@")[0].count("/") != 1:
        raise ValueError(f"encoder {name!r} does not name a repository as hf-hub:owner/repository")
    if repository is None:
        there = is_written_in_timm(name) and _is_of_timm(name)
    else:
        there = not name.startswith(ZOOBOT) or name.partition("@")[0] in known or _is_cached(repository)
    if there:
        return
    alike = did_you_mean(name, [*known, *besides]) or did_you_mean(name.partition(".")[0], timm_names())
    newer = f" (one that is newer than this list is 'hf-hub:{repository}')" if repository else ""
    raise ValueError(
        f"there is no encoder {name!r}{newer}: give 'bundled', 'bundled-int8', a folder written by Encoder.save, "
        "'zoobot-encoder-convnext_nano' or another of galzoo_repr.encoders.list_encoders(), "
        "'hf-hub:owner/repository', or the name of a timm model"
        f"{alike}"
    )


def _is_of_timm(name: str) -> bool:
    # Timm, and torch with it, take seconds to be imported.
    import timm

    return timm.is_model(name)


def _is_cached(repository: str) -> bool:
    """Whether an encoder that the list does not know has been downloaded before."""
    from huggingface_hub import try_to_load_from_cache

    repo_id, _, revision = repository.partition("@")
    return isinstance(try_to_load_from_cache(repo_id, "config.json", revision=revision or None), str)
