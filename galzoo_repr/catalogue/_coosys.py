"""What a VOTable says of the frames of its columns: in their meta, where every format keeps it, and back."""

import re
from collections.abc import Iterator, Mapping

from astropy.io.votable.tree import CooSys, FieldRef, Group, Param, TableElement, VOTableFile
from astropy.table import Table

from galzoo_repr.catalogue._frames import COOSYS

__all__ = ["declare_frames", "note_frames"]

_KEYS = ("system", "equinox", "epoch")
_POSITION = re.compile(
    r"_?(ra|de|dec|decl|alpha|delta|lon|lat)(?![a-z])|_?(ra|de|dec)[bj]?(19|20)\d\d", re.IGNORECASE
)
# The end of the utype of parameters by which VOTables of about 2010 describe a frame, and what it stands for.
_UTYPES = {"coordrefframe": "system", "coordrefframe.equinox": "equinox", "epoch": "epoch"}


def note_frames(document: VOTableFile, element: TableElement, table: Table) -> None:
    """
    Note in the meta of each column, as ``coosys``, the coordinate system that its VOTable refers it to.

    A field refers to a COOSYS itself, or stands in a group that does, or that describes the frame by parameters.
    The only COOSYS of a file in which nothing refers to one is that of its columns of positions.

    Parameters
    ----------
    document : `~astropy.io.votable.tree.VOTableFile`
        The whole file.
    element : `~astropy.io.votable.tree.TableElement`
        One table of it.
    table : `~astropy.table.Table`
        The same as a table, with as many columns as the element has fields, in their order.
    """
    systems = {system.ID: _facts(system) for system in document.iter_coosys()}
    said = {}
    for group in element.iter_groups():
        facts = systems.get(group.ref) or _described_frame(group)
        if facts:
            said.update(dict.fromkeys(_members(group), facts))
    by_field = [
        systems.get(field.ref) or said.get(field.ID) or said.get(field.name) for field in element.fields
    ]
    if len(systems) == 1 and not any(by_field):
        only = next(iter(systems.values()))
        by_field = [only if _is_position(field) else None for field in element.fields]
    for name, facts in zip(table.colnames, by_field, strict=True):
        if facts:
            table[name].meta[COOSYS] = dict(facts)


def _facts(system: CooSys) -> dict[str, str]:
    facts = {key: getattr(system, key, None) for key in _KEYS}
    return {key: str(fact) for key, fact in facts.items() if fact is not None}


def _described_frame(group: Group) -> dict[str, str]:
    """Frame that the parameters of a group describe, as the notes on STC in VOTable had it."""
    facts = {}
    for entry in group.entries:
        ending = str(getattr(entry, "utype", None) or "").lower().partition("spaceframe.")[2]
        if isinstance(entry, Param) and ending in _UTYPES:
            facts[_UTYPES[ending]] = str(entry.value)
    return facts if "system" in facts else {}


def _members(group: Group) -> Iterator[str]:
    """Ids of the fields in a group, those in the groups within it included."""
    for entry in group.entries:
        if isinstance(entry, FieldRef):
            yield entry.ref
        elif isinstance(entry, Group):
            yield from _members(entry)


def _is_position(field: object) -> bool:
    ucd = str(getattr(field, "ucd", None) or "").lower()
    return ucd.startswith(("pos.eq", "pos_eq", "pos.gal", "pos.ecl")) or bool(
        _POSITION.match(str(field.name))
    )


def declare_frames(document: VOTableFile, columns: Mapping[str, Mapping]) -> None:
    """Refer the fields of a new file to what the meta of the columns says of their frame, for other programs."""
    systems: dict[tuple, CooSys] = {}
    for field in document.get_first_table().fields:
        facts = columns.get(field.name, {}).get("meta", {}).get(COOSYS)
        if isinstance(facts, Mapping) and facts.get("system"):
            facts = {key: str(facts[key]) for key in _KEYS if facts.get(key) is not None}
            key = tuple(facts.values())
            systems.setdefault(key, CooSys(ID=f"frame{len(systems) + 1}", **facts))
            field.ref = systems[key].ID
    document.resources[0].coordinate_systems.extend(systems.values())
