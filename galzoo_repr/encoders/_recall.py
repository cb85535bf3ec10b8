"""What was embedded in an earlier run is found by the key of its image, and not computed again."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr.encoders._file_keys import state_of_file
from galzoo_repr.encoders._outcome import Outcome
from galzoo_repr.encoders._store import Shelf
from galzoo_repr.images import Picture

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Batch", "Recall"]

Batch = list[tuple[int, Picture]]

# Rows that are looked up in the store of embeddings at once, and the time in which they gather.
_ROWS_RECALLED = 2048
_RECALL_SECONDS = 0.5


class Recall:
    """
    Embeddings of earlier runs.

    Parameters
    ----------
    shelf : Shelf or None
        Where they are kept, if they are.
    outcome : Outcome
        What is known of each row; gets what is found.
    """

    def __init__(self, shelf: Shelf | None, outcome: Outcome) -> None:
        self._shelf, self._outcome = shelf, outcome

    def not_known(
        self, pictures: Iterable[tuple[int, Picture]], bar: "tqdm"
    ) -> Iterator[tuple[int, Picture]]:
        """Leave out what was embedded in an earlier run, many rows at once, and without reading any file."""
        if self._shelf is None:
            yield from pictures
            return
        portion: Batch = []
        size = 1
        for one in pictures:
            if not portion:
                began = time.monotonic()
            portion.append(one)
            if len(portion) < size and time.monotonic() - began < _RECALL_SECONDS:
                continue
            left = self._left_of(portion, bar)
            # Rows that are fetched now need not gather; those of an earlier run come one after another.
            size = 1 if left else min(2 * size, _ROWS_RECALLED)
            portion = []
            yield from left
        yield from self._left_of(portion, bar)

    def _left_of(self, portion: Batch, bar: "tqdm") -> Batch:
        """Take the embeddings of an earlier run; give what is left."""
        keys = self._keys_at_hand(portion)
        known, vectors = self._shelf.read_many(list({key for key in keys if key}))
        place = {key: number for number, key in enumerate(known)}
        rows, places, left = [], [], []
        for one, key in zip(portion, keys, strict=True):
            if key in place:
                self._outcome.note(*one)
                rows.append(one[0])
                places.append(place[key])
            else:
                left.append(one)
        if rows:
            self._outcome.vectors[rows] = vectors[places]
        self._outcome.have(rows, kept=True)
        bar.update(len(rows))
        return left

    def _keys_at_hand(self, portion: Batch) -> list[bytes]:
        """Keys of pictures that are known, or were when the file was read; empty for the others."""
        keys = [picture.key for _, picture in portion]
        if self._shelf.files is not None:
            files = [i for i, (_, picture) in enumerate(portion) if picture.path and not picture.key]
            names = [_name_of(portion[i][1]) for i in files]
            noted = self._shelf.files.known(names, [portion[i][1].path for i in files])
            for i, key in zip(files, noted, strict=True):
                keys[i] = key
        return keys

    def loaded(self, picture: Picture) -> Picture:
        """Picture with a key; that of its content takes as long as reading a file, and is noted."""
        if self._shelf is None:
            return picture.known_by_name()
        if picture.key or not picture.path or self._shelf.files is None:
            return picture.loaded()
        state = state_of_file(picture.path)
        loaded = picture.loaded()
        self._shelf.files.note(_name_of(picture), state, loaded.key)
        return loaded

    def wanted(self, batch: Batch) -> Batch:
        """Leave out what is in the store, or comes a second time, as far as the keys are known."""
        keys = {picture.key for _, picture in batch if picture.key}
        known = self._vectors_of([key for key in keys if not self._outcome.is_asked_for(key)])
        left = []
        for row, picture in batch:
            if picture.key and self._outcome.comes_again(row, picture.key):
                continue
            if picture.key in known:
                self._take(row, known[picture.key])
            else:
                left.append((row, picture))
        return left

    def wanted_by_key(self, keys: dict[int, bytes]) -> list[int]:
        """Rows whose key only reading told, less those that were embedded in an earlier run."""
        known = self._vectors_of(list(keys.values()))
        for row, key in keys.items():
            if key in known:
                self._take(row, known[key])
        return [row for row, key in keys.items() if key not in known]

    def keep(self, keys: list[bytes], vectors: np.ndarray) -> bool:
        """Keep embeddings for later runs; whether nothing is left to be kept."""
        return self._shelf is None or self._shelf.write(keys, vectors)

    def _vectors_of(self, keys: list[bytes]) -> dict[bytes, np.ndarray]:
        return self._shelf.read(keys) if self._shelf is not None and keys else {}

    def _take(self, row: int, vector: np.ndarray) -> None:
        self._outcome.vectors[row] = vector
        self._outcome.have([row], kept=True)


def _name_of(picture: Picture) -> str:
    """Name under which the key of a file is noted; the key covers the flux scale, too."""
    return f"{os.path.abspath(picture.path)} {picture.flux or ''}".rstrip()
