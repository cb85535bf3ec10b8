"""The image recipe as plain values, for files and provenance, and the digest of them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping

from galzoo_repr.images._any_bands import name_of, token_of

__all__ = ["digest_of", "plain", "read_plain"]

_FORMAT_VERSION = 1
# Left out where they are not used, so that recipes have the digests that they had before there were any.
_LATER_FIELDS = frozenset({"matrix"})
_FUNCTION = "function "


def _used(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in _LATER_FIELDS or value is not None}


def digest_of(values: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of the fields of a recipe in canonical JSON; functions by their tokens."""
    canonical = {key: _canonical(value) for key, value in _used(values).items()}
    text = json.dumps({"recipe_version": _FORMAT_VERSION, **canonical}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: float | str | tuple | Callable | None) -> float | str | list | None:
    """Floats as text of 12 digits, which no machine and no file format rounds differently."""
    if isinstance(value, float):
        return format(value, ".12g")
    if callable(value):
        return _FUNCTION + token_of(value)
    return [_canonical(one) for one in value] if isinstance(value, tuple) else value


def plain(values: Mapping[str, object]) -> dict:
    """Fields of a recipe as numbers, strings and lists; of a function its name alone."""
    return {"recipe_version": _FORMAT_VERSION, **{key: _plain(value) for key, value in _used(values).items()}}


def _plain(value: object) -> object:
    if callable(value):
        return _FUNCTION + name_of(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def read_plain(values: dict, known: Iterable[str]) -> dict:
    """Fields of a recipe out of what `plain` gave; errors as `ImageRecipe.from_dict` has them."""
    if not isinstance(values, dict):
        raise TypeError(f"a recipe is a dictionary, not {type(values).__name__}")
    version = values.get("recipe_version")
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"this image recipe has recipe_version {version!r}, but this galzoo_repr reads version "
            f"{_FORMAT_VERSION}; update galzoo_repr"
        )
    known = set(known)
    unknown = sorted(set(values) - known - {"recipe_version"})
    if unknown:
        raise ValueError(
            f"an image recipe has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    if str(values.get("stretch")).startswith(_FUNCTION):
        raise ValueError(
            f"the stretch of this image recipe was the {values['stretch']}, which is in no file; make the recipe anew "
            "with it: ImageRecipe(stretch=...)"
        )
    return {key: value for key, value in values.items() if key in known}
