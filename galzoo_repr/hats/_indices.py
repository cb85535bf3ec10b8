"""An index for each partition, built once and kept, and the galaxies that it finds nearest."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from galzoo_repr._arguments import check_path
from galzoo_repr._folder import locked, publish
from galzoo_repr.catalogue import parts_of, read_embeddings
from galzoo_repr.hats._folder import HatsFolder, Pixel, files_of
from galzoo_repr.hats._rows import as_part
from galzoo_repr.index import SimilarityIndex
from galzoo_repr.similarity import PreparedQuery

__all__ = ["NearestOfPart", "place_of_indices"]

# Rows from which a graph of neighbours is worth its time; fewer are compared one by one, from a file that is mapped.
_GRAPH = 20_000
_HOUR = 3600.0
# What an index of single vectors cannot know.
_OTHERWISE = {"within": None, "components": None, "metric": "cosine"}


def place_of_indices(
    folder: HatsFolder, index: bool | str | os.PathLike, options: Mapping[str, object], *, lasting: bool
) -> Path:
    """Folder in which the indices of a catalogue are kept: within it, if that lasts, or the one that was given."""
    if "://" in str(folder.root):
        raise ValueError(
            "index= needs a catalogue on a file system that is mounted here; copy it, or leave index= out"
        )
    if index is True:
        if not lasting:
            raise ValueError(
                "a catalogue of LSDB has no folder for its indices; give one, such as index='indices'"
            )
        place = folder.root / ".galzoo_repr" / "index"
    elif isinstance(index, str | os.PathLike):
        place = check_path(index, "indices")
    else:
        raise ValueError(
            "index= of one table cannot be used over a HATS catalogue, which has an index for each partition: "
            "index=True keeps these in the folder of the catalogue, index=FOLDER elsewhere"
        )
    for name, usual in _OTHERWISE.items():
        if options.get(name) not in (None, usual):
            raise ValueError(
                f"{name}= cannot be used with index=, which finds the nearest by cosine; leave one out"
            )
    if options.get("combine") == "best" and options.get("negatives") is not None:
        raise ValueError("combine='best' with negatives= cannot be used with index=; leave one out")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            error.errno, f"no indices can be kept in {place}: {error.strerror or error}; give index=FOLDER"
        ) from error
    return place.resolve()


@dataclass(frozen=True)
class NearestOfPart:
    """
    Finds galaxies of one partition that are nearest to a query, by an index that is built where it is not there.

    Attributes
    ----------
    folder : HatsFolder
    place : pathlib.Path
        Where indices are kept.
    query : PreparedQuery
        Its rows are those of the catalogue.
    n : int
    combine : str or None
        As for `galzoo_repr.add_similarity`.
    embedding : str
    start : int or None
        Number of the first row of the partition in the catalogue.
    """

    folder: HatsFolder
    place: Path
    query: PreparedQuery
    n: int
    combine: str | None
    embedding: str
    start: int | None = None

    def narrowed(self, pixel: Pixel) -> "NearestOfPart":
        """Give the same without what concerns other partitions."""
        start = int(self.folder.starts[self.folder.pixels.index(pixel)])
        return replace(self, folder=replace(self.folder, pixels=[pixel]), start=start)

    def __call__(self, pixel: Pixel) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
        """Give the number of rows that were searched, and rows and similarities, best first."""
        start = self.narrowed(pixel).start if self.start is None else self.start
        index = index_of(self.folder, pixel, self.place, self.embedding)
        if index is None:
            return 0, (np.zeros(0, dtype=np.int64), np.zeros(0))
        own = np.concatenate(
            [given.rows for given in (self.query.examples, self.query.negatives) if given is not None]
        )
        directions = self._directions()
        found = index.search(directions, self.n + len(own))
        rows = np.asarray(found["row"]) + start
        # Where there are several directions, a galaxy is as similar as to the nearest of them.
        size = np.linalg.norm(directions, axis=1)[np.asarray(found["query"])]
        order = np.lexsort([rows, -np.asarray(found["similarity"]) * size])
        rows, similarity = rows[order], (np.asarray(found["similarity"]) * size)[order]
        first = np.sort(np.unique(rows, return_index=True)[1])
        first = first[~np.isin(rows[first], own)][: self.n]
        return len(index), (rows[first], similarity[first])

    def _directions(self) -> np.ndarray:
        """Vectors whose product with the direction of a galaxy is its similarity; for the best of them, to each."""
        positive = _unit(self.query.examples.vectors)
        if self.combine == "best":
            return positive
        weights = np.ones(len(positive)) if self.query.weights is None else self.query.weights
        direction = np.average(positive, axis=0, weights=weights)
        if self.query.negatives is not None:
            direction = direction - _unit(self.query.negatives.vectors).mean(axis=0)
        elif self.query.background is not None and self.query.needs_background and self.combine != "mean":
            direction = direction - self.query.background
        return direction[None]


def index_of(folder: HatsFolder, pixel: Pixel, place: Path, embedding: str) -> SimilarityIndex | None:
    """
    Open the index of a partition, built now if there is none of this very content; None where no row has an embedding.

    A card beside it tells the digest of the partition, and its size and time, by which it need not be read again.
    """
    name = f"{hashlib.sha256(embedding.encode()).hexdigest()[:12]}-{pixel.order}_{pixel.number}"
    kept, card = place / name, place / f"{name}.json"
    with locked(card, wait=_HOUR):
        files = files_of(folder.path_of(pixel))
        stamp = [[file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        try:
            known = json.loads(card.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            known = {}
        known = known if isinstance(known, dict) else {}
        if known.get("stamp") == stamp and (opened := _opened(kept, known)) is not None:
            return opened[0]
        digest = _digest(files)
        if known.get("digest") != digest or _opened(kept, known) is None:
            card.unlink(missing_ok=True)
            known = {"digest": digest, "rows": _built(folder, pixel, kept, embedding)}
        publish(card, json.dumps({**known, "stamp": stamp}).encode())
        return _opened(kept, known)[0]


def _opened(kept: Path, known: Mapping[str, object]) -> tuple[SimilarityIndex | None] | None:
    """The index as its card says, if it is there and whole."""
    if known.get("rows") == 0:
        return (None,)
    try:
        index = SimilarityIndex.open(kept)
    except (FileNotFoundError, ValueError):
        return None
    return (index,) if len(index) == known.get("rows") else None


def _built(folder: HatsFolder, pixel: Pixel, kept: Path, embedding: str) -> int:
    part = as_part(folder, pixel, parts_of(folder.schema, [embedding]))
    rows = int(read_embeddings(part, embedding).usable.sum()) if len(part) else 0
    if rows:
        method = "pynndescent" if rows >= _GRAPH else "exact"
        SimilarityIndex.build(part, embedding=embedding, method=method).save(kept, overwrite=True)
    return rows


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
