"""Whether a name can be that of an encoder, told before anything is loaded, and what may have been meant."""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from galzoo_repr.encoders._external import refuse_external
from galzoo_repr.encoders._folder import FORMAT
from galzoo_repr.encoders._names import INT8, hub_repository, is_written_in_timm, list_encoders

__all__ = ["check_encoder_name"]

_ZOOBOT = "zoobot-encoder-"


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
    ValueError
        If there is no such encoder; the message names those that are called alike.

    Examples
    --------
    >>> from galzoo_repr.encoders import check_encoder_name
    >>> check_encoder_name("bundled")
    >>> try:
    ...     check_encoder_name("bundledd")
    ... except ValueError as error:
    ...     print(str(error).partition(":")[0])
    there is no encoder 'bundledd' (did you mean bundled?)
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(
            f"an encoder is an Encoder, the name of one or its folder, such as 'bundled', not {name!r}"
        )
    text = os.fspath(name)
    refuse_external(text)
    known = list_encoders()["name"].tolist()
    if text.partition("@")[0] in known or text in ("bundled", INT8):
        return
    folder = Path(name)
    if folder.is_dir():
        if not any((folder / file).is_file() for file in (FORMAT.card, "config.json")):
            raise ValueError(
                f"{folder} does not hold an encoder: it has neither {FORMAT.card} nor config.json"
            )
        return
    repository = hub_repository(text)
    if repository is not None and not text.startswith(_ZOOBOT):
        if repository.partition("@")[0].count("/") != 1:
            raise ValueError(f"encoder {text!r} does not name a repository as hf-hub:owner/repository")
        return
    if repository is None and isinstance(name, str) and is_written_in_timm(text):
        import timm

        if timm.is_model(text):
            return
    raise ValueError(f"there is no encoder {text!r}{_alike(text, [*known, *besides])}: {_ALLOWED}")


_ALLOWED = (
    "give 'bundled', 'bundled-int8', a folder written by Encoder.save, "
    "'zoobot-encoder-convnext_nano' or another of galzoo_repr.encoders.list_encoders(), "
    "'hf-hub:owner/repository', or the name of a timm model"
)


def _alike(name: str, known: list[str]) -> str:
    """Part of a message: names that are spelled alike."""
    near = get_close_matches(name, known, n=2, cutoff=0.75)
    # Its names are more than a thousand, and importing it takes seconds: only where nothing else is meant.
    if not near and not name.startswith(_ZOOBOT):
        import timm

        near = get_close_matches(name.partition(".")[0], timm.list_models(), n=2, cutoff=0.75)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
