"""One stream: while some images are encoded, the next are read, and the ones after them are fetched."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm.auto import tqdm

from galzoo_repr.encoders._encoder import Encoder
from galzoo_repr.encoders._store import Shelf
from galzoo_repr.images import ImageData, Picture

__all__ = ["Results", "embed_stream"]

Batch = list[tuple[int, Picture]]

# Batches read ahead of the one that is being encoded.
_AHEAD = 3
# Threads that read files for a GPU, which outruns one of them.
_READERS_FOR_GPU = 8


@dataclass
class Results:
    """What is known of each row so far; vectors are NaN until then."""

    vectors: np.ndarray
    paths: list[str]
    statuses: list[str]
    reasons: dict[int, str] = field(default_factory=dict)
    computed: int = 0

    @classmethod
    def empty(cls, rows: int, dim: int) -> "Results":
        """Results of a stream that has not begun."""
        return cls(np.full((rows, dim), np.nan, dtype=np.float32), [""] * rows, [""] * rows)


@dataclass
class _Work:
    """Images of a batch that have to be encoded: the rows, their keys, and the pixels."""

    size: int
    rows: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    images: list[ImageData] = field(default_factory=list)
    prepared: torch.Tensor | None = None


def embed_stream(
    encoder: Encoder,
    batches: Iterable[Batch],
    results: Results,
    *,
    shelf: Shelf | None,
    batch_size: int | None,
    progress: bool,
) -> None:
    """
    Fill in the results of all rows that the batches bring.

    Parameters
    ----------
    encoder : Encoder
        Encodes, in a thread of its own.
    batches : iterable of list of (int, Picture)
        Rows with their pictures; taken in the calling thread, where fetching them can be interrupted.
    results : Results
        Filled in place. Memory for images is bounded by a few batches.
    shelf : Shelf or None
        Embeddings computed before.
    batch_size : int or None
        Images in one pass of the network.
    progress : bool
        Show a progress bar.
    """
    stream = _Stream(encoder, results, shelf, batch_size)
    bar = tqdm(total=len(results.paths), desc="embedding", unit="galaxy", disable=not progress)
    with bar:
        for done in stream.run(batches):
            bar.update(done)
    stream.copy_duplicates()


class _Stream:
    def __init__(
        self, encoder: Encoder, results: Results, shelf: Shelf | None, batch_size: int | None
    ) -> None:
        self._encoder, self._results, self._shelf, self._batch_size = encoder, results, shelf, batch_size
        self._on_gpu = encoder.device.type != "cpu"
        self._first_row: dict[bytes, int] = {}
        self._duplicates: list[tuple[int, int]] = []
        self._stop = threading.Event()

    def run(self, batches: Iterable[Batch]) -> Iterator[int]:
        """Yield the numbers of rows as they are done."""
        waiting: deque[Future[int]] = deque()
        one = ThreadPoolExecutor(1, "galzoo_repr-read")
        other = ThreadPoolExecutor(1, "galzoo_repr-encode")
        files = ThreadPoolExecutor(_READERS_FOR_GPU if self._on_gpu else 1, "galzoo_repr-file")
        try:
            for batch in batches:
                ready = one.submit(self._read, batch, files)
                waiting.append(other.submit(self._encode, ready))
                while waiting and (waiting[0].done() or len(waiting) > _AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Reached early by an interrupt or an error: what is being encoded ends, the rest is dropped.
            self._stop.set()
            for pool in (one, other, files):
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, batch: Batch, files: ThreadPoolExecutor) -> _Work:
        work = _Work(len(batch))
        if self._stop.is_set():
            return work
        wanted = self._not_computed_before(
            [(row, picture) for row, picture in batch if self._note(row, picture)]
        )
        read = files.map if self._on_gpu else map
        images = list(read(lambda one: one[1].read(self._encoder.recipe.bands), wanted))
        fresh = []
        for (row, picture), image in zip(wanted, images, strict=True):
            if image.status != "ok":
                self._refuse(row, image)
            elif picture.key in self._first_row and self._first_row[picture.key] != row:
                self._duplicates.append((row, self._first_row[picture.key]))
            else:
                self._first_row[picture.key] = row
                fresh.append((row, picture.key, image))
        # Files whose content only reading told may have been embedded in an earlier run.
        unnamed = [key for _, key, _ in fresh]
        known = self._shelf.read(unnamed) if self._shelf is not None else {}
        for row, key, image in fresh:
            if key in known:
                self._results.vectors[row] = known[key]
            else:
                work.rows.append(row)
                work.keys.append(key)
                work.images.append(image)
        if work.images and not self._on_gpu:
            work.prepared = self._encoder.recipe.prepare(work.images)
            work.images = []
        return work

    def _note(self, row: int, picture: Picture) -> bool:
        """Write down what is known without reading; whether there is something to read."""
        self._results.paths[row], self._results.statuses[row] = picture.path, picture.status
        if picture.reason:
            self._results.reasons[row] = picture.reason
        return picture.source is not None

    def _refuse(self, row: int, image: ImageData) -> None:
        self._results.statuses[row] = image.status
        self._results.reasons[row] = image.reason

    def _not_computed_before(self, batch: Batch) -> Batch:
        """Leave out what is in the store, or comes a second time, as far as the keys are known."""
        keys = list({picture.key for _, picture in batch if picture.key} - set(self._first_row))
        known = self._shelf.read(keys) if self._shelf is not None and keys else {}
        left = []
        for row, picture in batch:
            if picture.key in self._first_row:
                self._duplicates.append((row, self._first_row[picture.key]))
                continue
            if picture.key:
                self._first_row[picture.key] = row
            if picture.key in known:
                self._results.vectors[row] = known[picture.key]
            else:
                left.append((row, picture))
        return left

    def _encode(self, ready: "Future[_Work]") -> int:
        work = ready.result()
        if work.rows and not self._stop.is_set():
            if work.prepared is None:
                work.prepared = self._encoder.recipe.prepare(work.images, device=self._encoder.device)
            vectors = self._encoder.embed(work.prepared, batch_size=self._batch_size).cpu().numpy()
            self._results.vectors[work.rows] = vectors
            self._results.computed += len(work.rows)
            if self._shelf is not None:
                self._shelf.write(work.keys, vectors)
        return work.size

    def copy_duplicates(self) -> None:
        """Give rows that show the same image the same result."""
        results = self._results
        for row, first in self._duplicates:
            results.vectors[row] = results.vectors[first]
            if results.statuses[first] not in ("ok", results.statuses[row]):
                results.statuses[row] = results.statuses[first]
                results.reasons[row] = results.reasons.get(first, "")
