"""Whether a catalogue is a table or a HATS folder, of which a verb sees one partition after the other."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

__all__ = ["by_partition", "is_hats", "refuse_for_table"]

# What only concerns catalogues of partitions.
_ONLY = ("out", "client", "part", "max_rate")


def is_hats(catalogue: object) -> bool:
    """Tell whether this is the folder, or the address, of a HATS catalogue, or what lsdb made of one."""
    if isinstance(catalogue, str | os.PathLike):
        return "://" in str(catalogue) or Path(catalogue).expanduser().is_dir()
    return type(catalogue).__module__.partition(".")[0] == "lsdb"


def by_partition(verb: str, arguments: Mapping[str, object]) -> object:
    """Give the same call, all its arguments by name, to the verb of this name that works by partition."""
    # By name, since the room stands above those whose verbs it calls, and takes long to import.
    return getattr(import_module("galzoo_repr.hats"), verb)(**arguments)


def refuse_for_table(arguments: Mapping[str, object]) -> None:
    """Refuse with a `ValueError` what has no meaning for a table in memory."""
    for name in _ONLY:
        if arguments.get(name) is not None:
            raise ValueError(
                f"{name}= is for HATS catalogues, which are worked on by partition; leave it out for a table, or give "
                "the folder of the catalogue"
            )
