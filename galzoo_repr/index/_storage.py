"""An index in a folder: plain arrays under names that are never used again, and a card, replaced last, that names them.

Whoever opens the folder finds what the card named, before or after it was replaced. Whoever writes holds its lock and
reads the card again first. What no card names, an earlier index or the beginnings of one, is removed after that.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from galzoo_repr._config import log
from galzoo_repr._folder import locked, publish, read_json
from galzoo_repr.catalogue import Reduction
from galzoo_repr.index._ann import NeighbourGraph
from galzoo_repr.index._arrays import check_name, damaged, read_array, verify_array, write_array
from galzoo_repr.index._segments import Facts, Segment, Segments
from galzoo_repr.index._space import Space

__all__ = ["SavedIndex", "save_index"]

_CARD = "index.json"
# Version 1 kept the arrays of the space under names that were used again; 2 noted neither type, shape nor digest.
_VERSION = 3
_FIELDS = ("vectors", "ids", "rows", "positions")
_OURS = re.compile(
    r"\.?(vectors|ids|rows|positions|mean|axes|explained|centre)-[0-9a-f]{4,12}(\.[0-9a-f]{12}\.part)?\.npy"
    r"|graph-[0-9a-f]{8,12}|reduction|centre|\.index\.[0-9a-f]{12}\.part\.json|\.index\.json\.lock"
)
_GRAPH = re.compile(r"graph-[0-9a-f]{8,12}")
_SEGMENT = re.compile(r"[0-9a-f]{4,12}")


class SavedIndex:
    """
    The folder of an index, as it was when it was last read here.

    Attributes
    ----------
    folder : pathlib.Path
        Written by `save_index`, of this or an earlier version of the package.
    galaxies : Segments
        What it holds, the vectors memory-mapped.
    space : Space
        In which galaxies are compared.
    facts : Facts
        How the index was built, and from what.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    ValueError
        If it is damaged, or was written by a later version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, card = folder, None
        while True:
            last, card = card, _read_card(self.folder)
            try:
                self._take(card, Segments([]), card["segments"])
            except ValueError:
                # A writer may have replaced the card, and removed what it named, since it was read.
                if card == last:
                    raise
            else:
                return

    def _take(self, card: dict, known: Segments, new: list) -> None:
        """Take over what a card says, once all that is new in it has been read."""
        try:
            facts = Facts(**card["facts"])
        except (TypeError, ValueError) as error:
            raise damaged(self.folder / _CARD, f"does not say how it was built ({error})") from error
        space = _read_space(self.folder, card["space"], facts)
        dim = space.dim(facts.given_dim)
        pieces = [_read_segment(self.folder, entry, facts, dim) for entry in new]
        galaxies = Segments([*known.pieces, *pieces])
        if not galaxies.pieces or len(galaxies) > facts.source_rows:
            raise damaged(self.folder / _CARD, f"counts {len(galaxies)} galaxies of {facts.source_rows} rows")
        self.facts, self.space, self.galaxies, self._card = facts, space, galaxies, card

    @property
    def has_graph(self) -> bool:
        """Whether a neighbour graph is there."""
        return self._card["graph"] is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other writers out, once what they have added since the folder was read has been taken over."""
        with locked(self.folder / _CARD):
            card, known = _read_card(self.folder), self._card["segments"]
            if card["segments"][: len(known)] != known:
                raise ValueError(
                    f"the index in {self.folder} has been replaced since it was opened; open it again with "
                    "SimilarityIndex.open"
                )
            self._take(card, self.galaxies, card["segments"][len(known) :])
            yield

    def add(self, piece: Segment, facts: Facts) -> None:
        """Write more galaxies, and what is true of the index with them, while it is held."""
        entry = _write_segment(self.folder, piece)
        card = {**self._card, "facts": asdict(facts), "segments": [*self._card["segments"], entry]}
        self._card = _publish(self.folder, card)
        self.facts, self.galaxies = facts, Segments([*self.galaxies.pieces, piece])

    def load_graph(self) -> NeighbourGraph | None:
        """Give the graph, if there is one that this version of pynndescent can use."""
        if not self.has_graph:
            return None
        try:
            settings = dict(self._card["graph"])
            folder = check_name(self.folder, settings.pop("folder"), _GRAPH)
            entries = settings.pop("arrays", None) or {
                path.stem: path.name for path in sorted(folder.glob("*.npy"))
            }
            arrays = {name: read_array(folder, entry) for name, entry in entries.items()}
            return NeighbourGraph.from_arrays(arrays, settings, self.galaxies)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # Another process may have replaced it.
            log.warning(
                "The neighbour graph in %s cannot be used (%s): it is built again.", self.folder, error
            )
            return None

    def keep_graph(self, graph: NeighbourGraph) -> None:
        """Write a graph that has just been built, unless the folder cannot be written to or has another one by now."""
        before = self._card["graph"]
        try:
            with self.held():
                if self._card["graph"] == before:
                    entry = _write_graph(self.folder, graph)
                    self._card = _publish(self.folder, {**self._card, "graph": entry})
        except (OSError, ValueError) as error:
            log.info("The neighbour graph is not kept in %s: %s", self.folder, error)

    def verify(self) -> int:
        """Compare every array with its digest; how many have one. A `ValueError` if one is another than was written."""
        card = _read_card(self.folder)
        entries = [(self.folder, one) for one in card["space"].get("arrays", {}).values()]
        entries += [
            (self.folder, one) for piece in card["segments"] for one in piece.get("arrays", {}).values()
        ]
        if card["graph"] is not None:
            folder = check_name(self.folder, card["graph"].get("folder"), _GRAPH)
            entries += [(folder, one) for one in card["graph"].get("arrays", {}).values()]
        entries = [(folder, one) for folder, one in entries if isinstance(one, Mapping)]
        for folder, one in entries:
            verify_array(folder, one)
        for piece in self.galaxies.pieces:
            piece.check(self.space.metric)
        return len(entries)


def save_index(
    folder: Path,
    space: Space,
    galaxies: Segments,
    facts: Facts,
    graph: NeighbourGraph | None,
    *,
    overwrite: bool,
) -> SavedIndex:
    """Write an index to a folder, which holds the old one, or none, until the new one is complete; and open it."""
    _check_free(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _CARD):
        _check_free(folder, overwrite)
        try:
            card = {
                "space": _write_space(folder, space),
                "facts": asdict(facts),
                "segments": [_write_segment(folder, piece) for piece in galaxies.pieces],
                "graph": None if graph is None else _write_graph(folder, graph),
            }
            _publish(folder, card)
        except BaseException:
            with suppress(ValueError):
                _remove_unnamed(folder)
            raise
        return SavedIndex(folder)


def _check_free(folder: Path, overwrite: bool) -> None:
    """Refuse to replace what may not be; what a save that was killed has left is no obstacle."""
    if (folder / _CARD).is_file():
        if not overwrite:
            raise FileExistsError(f"{folder} exists already; give overwrite=True to replace it")
    elif folder.exists():
        found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        if not found or not all(map(_OURS.fullmatch, found)):
            raise FileExistsError(f"{folder} exists already; it is no index")


def _read_card(folder: Path) -> dict:
    path = folder / _CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no similarity index (no {_CARD})")
    try:
        card = read_json(path)
    except ValueError as error:
        raise damaged(path, f"cannot be read ({error})") from error
    version = card.get("format_version") if isinstance(card, dict) else None
    if version not in range(1, _VERSION + 1):
        raise ValueError(
            f"{folder} has format {version!r}, this version of galzoo_repr reads "
            f"1 to {_VERSION}; build the index again"
        )
    kinds = {"space": dict, "facts": dict, "segments": list, "graph": dict | None}
    if any(name not in card or not isinstance(card[name], kind) for name, kind in kinds.items()):
        raise damaged(path, f"does not have the parts {', '.join(kinds)}")
    if not all(isinstance(entry, dict) for entry in card["segments"]):
        raise damaged(path, "names segments that are none")
    return card


def _publish(folder: Path, card: dict) -> dict:
    """Make all that a card names the index, and remove the rest."""
    card = {**card, "format_version": _VERSION}
    publish(folder / _CARD, (json.dumps(card, indent=1) + "\n").encode())
    _remove_unnamed(folder)
    return card


def _remove_unnamed(folder: Path) -> None:
    """Remove arrays that the card in place does not name; others may have them open, which does not harm these."""
    named = {_CARD, f".{_CARD}.lock"}
    if (folder / _CARD).is_file():
        card = _read_card(folder)
        named |= {f"{field}-{entry['name']}.npy" for entry in card["segments"] for field in _FIELDS}
        space = _arrays_of_space(card["space"]).values()
        named |= {inner or (one if isinstance(one, str) else one["file"]) for inner, one in space}
        named |= {(card["graph"] or {}).get("folder")}
    for path in folder.iterdir():
        if path.name not in named and _OURS.fullmatch(path.name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _write_segment(folder: Path, segment: Segment) -> dict:
    name = _fresh()
    arrays = {field: write_array(folder, f"{field}-{name}.npy", getattr(segment, field)) for field in _FIELDS}
    return {"name": name, "rows": len(segment), "arrays": arrays}


def _read_segment(folder: Path, entry: dict, facts: Facts, dim: int) -> Segment:
    name = check_name(folder, entry.get("name"), _SEGMENT).name
    files = {field: f"{field}-{name}.npy" for field in _FIELDS}
    arrays, arrays_of = {}, entry.get("arrays", files)
    for field, file in files.items():
        noted = arrays_of.get(field) if isinstance(arrays_of, dict) else None
        if isinstance(noted, dict) and noted.get("file") != file:
            raise damaged(folder / _CARD, f"does not name {file}")
        arrays[field] = array = read_array(folder, noted, mapped=field == "vectors")
        if array.ndim == 0 or len(array) != entry.get("rows"):
            raise damaged(folder / file, f"has {array.size and len(array)} rows, not {entry.get('rows')}")
    shapes = {field: array.shape[1:] for field, array in arrays.items()}
    if shapes != {"vectors": (dim,), "ids": (), "rows": (), "positions": (2,)}:
        raise damaged(
            folder / files["vectors"], f"and its companions have shapes {shapes}, for {dim} dimensions"
        )
    types = {field: array.dtype for field, array in arrays.items()}
    if (
        types["vectors"] != facts.dtype
        or types["rows"] != np.int64
        or types["positions"] != np.float64
        or not (types["ids"].kind == "U" or types["ids"] in (np.int64, np.uint64))
    ):
        raise damaged(
            folder / files["vectors"], f"and its companions are of types that no index has: {types}"
        )
    positions = arrays["positions"]
    if np.isinf(positions).any() or (np.abs(positions[:, 1]) > 90).any():
        raise damaged(folder / files["positions"], "holds positions that are not on the sky")
    return Segment(**arrays)


def _write_space(folder: Path, space: Space) -> dict:
    arrays = {} if space.reduction is None else dict(vars(space.reduction))
    if space.centre is not None:
        arrays["centre"] = space.centre
    name = _fresh()
    files = {field: write_array(folder, f"{field}-{name}.npy", array) for field, array in arrays.items()}
    return {"metric": space.metric, "arrays": files}


def _read_space(folder: Path, entry: dict, facts: Facts) -> Space:
    try:
        files = _arrays_of_space(entry).items()
        arrays = {field: read_array(folder / inner, one) for field, (inner, one) in files}
        centre = arrays.pop("centre", None)
        return Space(entry["metric"], Reduction(**arrays) if arrays else None, centre).checked(
            facts.given_dim
        )
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if "the index is damaged" in str(error):
            raise
        raise damaged(folder / _CARD, f"does not describe a space ({error})") from error


def _arrays_of_space(entry: dict) -> dict[str, tuple[str, dict | str]]:
    """Folder within, and entry of each array of a space; version 1 had folders, and did not name the files."""
    if "arrays" in entry:
        return {field: ("", one) for field, one in entry["arrays"].items()}
    files = {"centre": ("centre", "centre.npy")} if entry["centred"] else {}
    reduction = ("mean", "axes", "explained") if entry["reduced"] else ()
    return files | {field: ("reduction", f"{field}.npy") for field in reduction}


def _write_graph(folder: Path, graph: NeighbourGraph) -> dict:
    arrays, settings = graph.arrays()
    name = f"graph-{_fresh()}"
    (folder / name).mkdir()
    entries = {field: write_array(folder / name, f"{field}.npy", array) for field, array in arrays.items()}
    return {**settings, "folder": name, "arrays": entries}


def _fresh() -> str:
    return uuid.uuid4().hex[:12]
