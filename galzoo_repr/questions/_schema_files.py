"""Question trees in files: those that come with the package, and those of users."""

import os
from importlib.resources import files
from pathlib import Path

from galzoo_repr._arguments import did_you_mean

__all__ = ["schema_names", "schema_text"]


def schema_names() -> tuple[str, ...]:
    """
    Names of the schemas that come with the package.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from galzoo_repr.questions import schema_names
    >>> "gz_decals_dr5" in schema_names()
    True
    """
    folder = files(__package__) / "schemas"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


def schema_text(source: str | os.PathLike) -> str:
    """
    Read the description of a schema.

    Parameters
    ----------
    source : str or os.PathLike
        Name of a schema that comes with the package, or path of a TOML file.

    Returns
    -------
    str
        TOML.

    Raises
    ------
    ValueError
        If there is neither.
    """
    if str(source) in schema_names():
        return (files(__package__) / "schemas" / f"{source}.toml").read_text(encoding="utf-8")
    path = Path(source).expanduser()
    if not path.is_file():
        raise ValueError(
            f"there is no schema {str(source)!r}: neither a file nor one of {', '.join(schema_names())}"
            f"{did_you_mean(str(source), schema_names())}"
        )
    return path.read_text(encoding="utf-8")
