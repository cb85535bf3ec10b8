"""An index in a folder: plain arrays under names that are never used again, and a card, replaced last, that names them.

Whoever opens the folder finds what the card named, before or after it was replaced. Whoever writes holds its lock and
reads the card again first. What no card names, an earlier index or the beginnings of one, is removed after that.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from galzoo_repr._config import log
from galzoo_repr._folder import locked, publish, published
from galzoo_repr.catalogue import Reduction
from galzoo_repr.index._ann import NeighbourGraph
from galzoo_repr.index._segments import Facts, Segment, Segments
from galzoo_repr.index._space import Space

__all__ = ["SavedIndex", "save_index"]

_CARD = "index.json"
_VERSION = 2  # version 1 kept the arrays of the space under names that were used again
_FIELDS = ("vectors", "ids", "rows", "positions")
_OURS = re.compile(
    r"\.?(vectors|ids|rows|positions|mean|axes|explained|centre)-[0-9a-f]{4,12}(\.[0-9a-f]{12}\.part)?\.npy"
    r"|graph-[0-9a-f]{8,12}|reduction|centre|\.index\.[0-9a-f]{12}\.part\.json|\.index\.json\.lock"
)


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
                self.space = _read_space(self.folder, card["space"])
                self.galaxies = Segments([_read_segment(self.folder, entry) for entry in card["segments"]])
            except ValueError:
                # A writer may have replaced the card, and removed what it named, since it was read.
                if card == last:
                    raise
            else:
                self._card = card
                return

    @property
    def facts(self) -> Facts:
        """How the index was built, and from what."""
        return Facts(**self._card["facts"])

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
            new = [_read_segment(self.folder, entry) for entry in card["segments"][len(known) :]]
            self.galaxies, self._card = Segments([*self.galaxies.pieces, *new]), card
            yield

    def add(self, piece: Segment, facts: Facts) -> None:
        """Write more galaxies, and what is true of the index with them, while it is held."""
        entry = _write_segment(self.folder, piece)
        card = {**self._card, "facts": asdict(facts), "segments": [*self._card["segments"], entry]}
        self._card = _publish(self.folder, card)
        self.galaxies = Segments([*self.galaxies.pieces, piece])

    def load_graph(self) -> NeighbourGraph | None:
        """Give the graph, if there is one that this version of pynndescent can use."""
        if not self.has_graph:
            return None
        settings = dict(self._card["graph"])
        # Copy on write, as compiled code wants arrays that could be written to; and plain arrays, not memory maps.
        paths = sorted((self.folder / settings.pop("folder")).glob("*.npy"))
        try:
            arrays = {
                path.stem: np.asarray(np.load(path, mmap_mode="c", allow_pickle=False)) for path in paths
            }
            return NeighbourGraph.from_arrays(arrays, settings, self.galaxies)
        except (OSError, ValueError, KeyError) as error:
            # Another process may have replaced it.
            log.info("The neighbour graph in %s cannot be read (%r): it is built again.", self.folder, error)
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
            _publish(folder, {"format_version": _VERSION, **card})
        except BaseException:
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
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"the index is damaged: {path} cannot be read ({error}); build it again") from error
    version = card.get("format_version") if isinstance(card, dict) else None
    if version not in range(1, _VERSION + 1):
        raise ValueError(
            f"{folder} has format {version!r}, this version of galzoo_repr reads "
            f"1 to {_VERSION}; build the index again"
        )
    return card


def _publish(folder: Path, card: dict) -> dict:
    """Make all that a card names the index, and remove the rest."""
    publish(folder / _CARD, (json.dumps(card, indent=1) + "\n").encode())
    _remove_unnamed(folder)
    return card


def _remove_unnamed(folder: Path) -> None:
    """Remove arrays that the card in place does not name; others may have them open, which does not harm these."""
    named = {_CARD, f".{_CARD}.lock"}
    if (folder / _CARD).is_file():
        card = _read_card(folder)
        named |= {f"{field}-{entry['name']}.npy" for entry in card["segments"] for field in _FIELDS}
        named |= {Path(name).parts[0] for name in _arrays_of_space(card["space"]).values()}
        named |= {(card["graph"] or {}).get("folder")}
    for path in folder.iterdir():
        if path.name not in named and _OURS.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _write(folder: Path, name: str, array: np.ndarray) -> str:
    with published(folder / name) as draft:
        np.save(draft, array, allow_pickle=False)
    return name


def _read(path: Path, *, mapped: bool = False) -> np.ndarray:
    try:
        # Copy on write: torch wants arrays that could be written to, and the file is never touched.
        return np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"the index is damaged: {path} cannot be read ({error}); build it again") from error


def _write_segment(folder: Path, segment: Segment) -> dict:
    name = _fresh()
    for field in _FIELDS:
        _write(folder, f"{field}-{name}.npy", getattr(segment, field))
    return {"name": name, "rows": len(segment)}


def _read_segment(folder: Path, entry: dict) -> Segment:
    arrays = []
    for field in _FIELDS:
        path = folder / f"{field}-{entry['name']}.npy"
        arrays.append(_read(path, mapped=field == "vectors"))
        if len(arrays[-1]) != entry["rows"]:
            raise ValueError(
                f"the index is damaged: {path} has {len(arrays[-1])} rows, not {entry['rows']}; build it again"
            )
    return Segment(*arrays)


def _write_space(folder: Path, space: Space) -> dict:
    arrays = {} if space.reduction is None else dict(vars(space.reduction))
    if space.centre is not None:
        arrays["centre"] = space.centre
    name = _fresh()
    files = {field: _write(folder, f"{field}-{name}.npy", array) for field, array in arrays.items()}
    return {"metric": space.metric, "arrays": files}


def _read_space(folder: Path, entry: dict) -> Space:
    arrays = {field: _read(folder / name) for field, name in _arrays_of_space(entry).items()}
    centre = arrays.pop("centre", None)
    return Space(entry["metric"], Reduction(**arrays) if arrays else None, centre)


def _arrays_of_space(entry: dict) -> dict[str, str]:
    """Files of the arrays of a space, which version 1 did not name."""
    if "arrays" in entry:
        return entry["arrays"]
    files = {"centre": "centre/centre.npy"} if entry["centred"] else {}
    reduction = ("mean", "axes", "explained") if entry["reduced"] else ()
    return files | {field: f"reduction/{field}.npy" for field in reduction}


def _write_graph(folder: Path, graph: NeighbourGraph) -> dict:
    arrays, settings = graph.arrays()
    name = f"graph-{_fresh()}"
    (folder / name).mkdir()
    for field, array in arrays.items():
        _write(folder / name, f"{field}.npy", array)
    return {**settings, "folder": name}


def _fresh() -> str:
    return uuid.uuid4().hex[:12]
