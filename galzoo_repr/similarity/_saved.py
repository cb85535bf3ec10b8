"""A saved index: what its folder holds, and what is added to it while it is open."""

import shutil
import uuid
from pathlib import Path

from galzoo_repr._config import log
from galzoo_repr.similarity import _files as files
from galzoo_repr.similarity._graph import NeighbourGraph
from galzoo_repr.similarity._segments import Segment, Segments
from galzoo_repr.similarity._space import Space

__all__ = ["SavedIndex", "save_index"]


class SavedIndex:
    """
    The folder of an index.

    Parameters
    ----------
    folder : pathlib.Path
        Written by `save_index`.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    ValueError
        If it is damaged, or was written by a later version.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._contents = folder, files.read_contents(folder)
        self._galaxies: Segments | None = None

    @property
    def facts(self) -> dict[str, object]:
        """How the index was built, and from what."""
        return self._contents["facts"]

    @property
    def has_graph(self) -> bool:
        """Whether a neighbour graph is there."""
        return self._contents["graph"] is not None

    def space(self) -> Space:
        """Read the space in which galaxies are compared."""
        return files.read_space(self._folder, self._contents["space"])

    def galaxies(self) -> Segments:
        """Open the galaxies, their vectors memory-mapped."""
        if self._galaxies is None:
            entries = self._contents["segments"]
            self._galaxies = Segments([files.read_segment(self._folder, entry) for entry in entries])
        return self._galaxies

    def add(self, piece: Segment, facts: dict[str, object]) -> None:
        """Write more galaxies, and what is true of the index with them."""
        entry = files.write_segment(self._folder, uuid.uuid4().hex[:8], piece)
        self._publish(segments=[*self._contents["segments"], entry], facts=facts)

    def load_graph(self) -> NeighbourGraph | None:
        """Give the graph, if there is one that this version of pynndescent can use."""
        if not self.has_graph:
            return None
        saved = dict(self._contents["graph"])
        arrays = files.read_arrays(self._folder / saved.pop("folder"))
        return NeighbourGraph.from_arrays(arrays, saved, self.galaxies())

    def keep_graph(self, graph: NeighbourGraph) -> None:
        """Write a graph that has just been built, if the folder can be written to."""
        try:
            self._publish(graph=_write_graph(self._folder, graph))
        except OSError as error:
            log.info("The neighbour graph is not kept in %s: %s", self._folder, error)

    def _publish(self, **changed: object) -> None:
        """Write what belongs to the index now."""
        self._contents = {**self._contents, **changed}
        files.write_contents(self._folder, self._contents)


def save_index(
    folder: Path,
    space: Space,
    galaxies: Segments,
    facts: dict[str, object],
    graph: NeighbourGraph | None,
    *,
    overwrite: bool,
) -> None:
    """
    Write an index to a folder, which appears only once it is complete.

    Parameters
    ----------
    folder : pathlib.Path
        Where.
    space : Space
        In which galaxies are compared.
    galaxies : Segments
        What is searched.
    facts : dict
        How the index was built, and from what: numbers, text and None.
    graph : NeighbourGraph or None
        Written too, if there is one.
    overwrite : bool
        Replace an index that is there.

    Raises
    ------
    FileExistsError
        If there is something already that may not be replaced.
    """
    fresh = files.new_folder(folder, overwrite=overwrite)
    try:
        pieces = galaxies.pieces
        contents = {
            "space": files.write_space(fresh, space),
            "facts": facts,
            "segments": [files.write_segment(fresh, f"{i:04d}", piece) for i, piece in enumerate(pieces)],
            "graph": None if graph is None else _write_graph(fresh, graph),
        }
        files.write_contents(fresh, contents)
        files.put_in_place(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _write_graph(folder: Path, graph: NeighbourGraph) -> dict[str, object]:
    arrays, settings = graph.arrays()
    name = f"graph-{uuid.uuid4().hex[:8]}"
    files.write_arrays(folder / name, arrays)
    return {**settings, "folder": name}
