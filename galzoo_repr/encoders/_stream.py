"""One stream: while some images are encoded, the next are read, and the ones after them are fetched."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._progress import progress_bar
from galzoo_repr._threads import cores, one_thread
from galzoo_repr.encoders._encoder import Encoder
from galzoo_repr.encoders._figures import EmbedFigures
from galzoo_repr.encoders._file_keys import state_of_file
from galzoo_repr.encoders._forward import forward_pictures, images_per_pass
from galzoo_repr.encoders._store import Shelf
from galzoo_repr.encoders._vectors import new_vectors
from galzoo_repr.images import ImageData, Picture

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["EmbeddingStream"]

Batch = list[tuple[int, Picture]]
Readied = tuple[list[int], list[bytes], list[ImageData] | np.ndarray]

_ROWS_PER_BATCH = 32
_ROWS_PER_BATCH_ON_GPU = 256
# Rows that are looked up in the store of embeddings at once, and the time in which they gather.
_ROWS_RECALLED = 2048
_RECALL_SECONDS = 0.5
# Rows may come slowly; then a batch that is not full goes on after this time.
_PATIENCE_SECONDS = 5.0
# Rows that wait to be read, of which only the path is in memory: fetching goes on while the encoder is busy.
_ROWS_WAITING = 65_536
# Batches whose pixels are in memory at most, with the one that is being encoded.
_BATCHES_READ = 4
# Threads that read files for a GPU, which outruns one of them.
_READERS_FOR_GPU = 8
_NOT_FINITE = "the stretch or the network gives numbers that are not finite"
# Batches that each GPU has at once: of two, one is copied there while the other is computed.
_BATCHES_PER_GPU = 2


class EmbeddingStream:
    """
    Rows with their pictures go in, as they come; what is known of each row comes out.

    Parameters
    ----------
    encoder : Encoder
        Encodes, in a thread of its own.
    rows : int
        Rows of the catalogue.
    shelf : Shelf or None
        Embeddings computed before.
    batch_size : int or None
        Images in one pass of the network.
    after : callable, optional
        Called in a thread with rows whose embeddings are there and, if there is a shelf, kept on it.

    Attributes
    ----------
    vectors : numpy.ndarray
        float32, shape (rows, dim); NaN where there is none. Large ones are a file: see `new_vectors`.
    embedded : numpy.ndarray
        bool, shape (rows,): which rows have one.
    paths, statuses : list of str
        Of each row.
    reasons : dict of int to str
        Why a status is what it is, for some rows.
    computed : int
        Embeddings that were computed now.
    figures : EmbedFigures
        What the time went into.
    """

    def __init__(
        self,
        encoder: Encoder,
        rows: int,
        *,
        shelf: Shelf | None,
        batch_size: int | None,
        after: Callable[[list[int]], None] | None = None,
    ) -> None:
        self.vectors = new_vectors(rows, encoder.dim)
        self.embedded = np.zeros(rows, dtype=bool)
        self._after = after
        self.paths, self.statuses = [""] * rows, [""] * rows
        self.reasons: dict[int, str] = {}
        self._unstretched: dict[int, str] = {}
        self.computed = 0
        self.figures = EmbedFigures()
        self._encoder, self._shelf, self._batch_size = encoder, shelf, batch_size
        # A few pictures are not worth copies of the network.
        networks = encoder.on_each_device() if rows > _ROWS_PER_BATCH_ON_GPU else [encoder]
        self._on_gpu = encoder.device != "cpu" or len(networks) > 1
        self._networks = networks * (_BATCHES_PER_GPU if self._on_gpu else 1)
        self._idle: SimpleQueue[Encoder] = SimpleQueue()
        for network in self._networks:
            self._idle.put(network)
        self._size = max(batch_size or 0, _ROWS_PER_BATCH_ON_GPU if self._on_gpu else _ROWS_PER_BATCH)
        self._many = encoder.backend == "onnx" and not self._on_gpu
        self._first_row: dict[bytes, int] = {}
        self._duplicates: list[tuple[int, int]] = []
        self._copied = np.zeros(rows, dtype=bool)
        self._counting = threading.Lock()

    def run(self, pictures: Iterable[tuple[int, Picture]], *, progress: bool) -> None:
        """
        Fill in rows; the pictures are taken in the calling thread, where fetching can be interrupted.

        It may be called again with rows that shall have another try.
        """
        self._stop = threading.Event()
        # A GPU's batches are large.
        room = len(self._networks) + 2 if self._on_gpu else max(_BATCHES_READ, cores())
        self._room = threading.Semaphore(room)
        with (
            progress_bar(len(self.paths), "embedding", "galaxy", shown=progress) as bar,
            self._pools(bar) as submit,
        ):
            waiting: deque[Future[None]] = deque()
            for batch in self._batches(self._not_known(pictures, bar)):
                waiting.append(submit(batch))
                while waiting and (waiting[0].done() or len(waiting) * self._size > _ROWS_WAITING):
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
        if self._unstretched and not self.embedded.any():
            self.reasons |= {
                row: f"{reason} (with every picture)" for row, reason in self._unstretched.items()
            }
        self._copy_duplicates()
        self.vectors[~self.embedded] = np.nan

    def facts(self, failed: int) -> dict[str, float | str]:
        """Figures of the whole run, in which some rows failed, as `closing_line` takes them."""
        # A thread that never got a batch did not wait for anything.
        workers = min(cores(), -(-len(self.paths) // self._size)) if self._many else 1
        repeated = int(self._copied.sum())
        return self.figures.facts(
            workers=workers,
            embedded=self.computed,
            embedded_before=len(self.paths) - failed - self.computed - repeated,
            repeated=repeated,
            failed=failed,
        )

    @contextmanager
    def _pools(self, bar: "tqdm") -> Iterator[Callable[[Batch], "Future[None]"]]:
        """
        Give the function that takes a batch on its way.

        On a CPU, workers that each do everything for their batch lose no time in handing over; ONNX Runtime has one
        thread in each of them. Torch has threads of its own, or a GPU, and another thread reads for it meanwhile.
        """
        if self._many:
            workers = ThreadPoolExecutor(cores(), "galzoo_repr-embed")
            pools = [workers]

            def submit(batch: Batch) -> "Future[None]":
                return workers.submit(self._through, batch, bar)

        else:
            # One thread says what is read next, so that room goes to the batch that is encoded next.
            reader = ThreadPoolExecutor(1, "galzoo_repr-read")
            coder = ThreadPoolExecutor(len(self._networks), "galzoo_repr-encode")
            at_once = max(_READERS_FOR_GPU, cores()) if self._on_gpu else 1
            files = ThreadPoolExecutor(at_once, "galzoo_repr-file")
            pools = [reader, coder, files]

            def submit(batch: Batch) -> "Future[None]":
                ready = reader.submit(self._read, batch, files.map if self._on_gpu else map)
                return coder.submit(self._encode, ready, len(batch), bar)

        try:
            # Sharing the small products of one picture costs more than it gives.
            with one_thread() if self._many else nullcontext():
                yield submit
        finally:
            # Reached early by an interrupt or an error: what is being encoded ends, the rest is dropped.
            self._stop.set()
            self._room.release(len(pools))
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)

    def _through(self, batch: Batch, bar: "tqdm") -> None:
        done: Future[Readied] = Future()
        done.set_result(self._read(batch, map))
        self._encode(done, len(batch), bar)

    def _not_known(
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
            left = self._recall(portion, bar)
            # Rows that are fetched now need not gather; those of an earlier run come one after another.
            size = 1 if left else min(2 * size, _ROWS_RECALLED)
            portion = []
            yield from left
        yield from self._recall(portion, bar)

    def _recall(self, portion: Batch, bar: "tqdm") -> Batch:
        """Take the embeddings of an earlier run; give what is left."""
        keys = self._keys_at_hand(portion)
        known, vectors = self._shelf.read_many(list({key for key in keys if key}))
        place = {key: number for number, key in enumerate(known)}
        rows, places, left = [], [], []
        for one, key in zip(portion, keys, strict=True):
            if key in place:
                self._note(*one)
                rows.append(one[0])
                places.append(place[key])
            else:
                left.append(one)
        if rows:
            self.vectors[rows] = vectors[places]
        self._have(rows, kept=True)
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

    def _have(self, rows: list[int], *, kept: bool) -> None:
        self.embedded[rows] = True
        if self._after is not None and rows and kept:
            self._after(rows)

    def _loaded(self, picture: Picture) -> Picture:
        """Picture with a key; that of its content takes as long as reading a file, and is noted."""
        if self._shelf is None:
            return picture.known_by_name()
        if picture.key or not picture.path or self._shelf.files is None:
            return picture.loaded()
        state = state_of_file(picture.path)
        loaded = picture.loaded()
        self._shelf.files.note(_name_of(picture), state, loaded.key)
        return loaded

    def _batches(self, pictures: Iterable[tuple[int, Picture]]) -> Iterator[Batch]:
        batch: Batch = []
        for one in pictures:
            if not batch:
                began = time.monotonic()
            batch.append(one)
            if len(batch) == self._size or time.monotonic() - began > _PATIENCE_SECONDS:
                yield batch
                batch = []
        if batch:
            yield batch

    def _read(self, batch: Batch, read: Callable[..., Iterable[ImageData]]) -> Readied:
        """Rows that have to be encoded, their keys, and their images, made into model input for a CPU."""
        self._room.acquire()
        if self._stop.is_set():
            return [], [], []
        with self.figures.spent("reading"):
            return self._readied(batch, read)

    def _readied(self, batch: Batch, read: Callable[..., Iterable[ImageData]]) -> Readied:
        batch = [(row, picture) for row, picture in batch if self._note(row, picture)]
        contents = read(lambda one: self._loaded(one[1]), batch)
        wanted = self._not_computed_before(
            [(row, content) for (row, _), content in zip(batch, contents, strict=True)]
        )
        recipe = self._encoder.recipe
        fluxes = recipe.takes_fluxes
        images = list(read(lambda one: one[1].read(recipe.bands, fluxes=fluxes), wanted))
        fresh = []
        for (row, picture), image in zip(wanted, images, strict=True):
            if image.status != "ok":
                self.statuses[row], self.reasons[row] = image.status, image.reason
            elif self._first_row.setdefault(picture.key, row) != row:
                self._duplicates.append((row, self._first_row[picture.key]))
            else:
                fresh.append((row, picture.key, image))
        # Pictures whose key only reading told may have been embedded in an earlier run.
        known = self._computed_before([key for _, key, _ in fresh])
        for row, key, _ in fresh:
            if key in known:
                self.vectors[row] = known[key]
                self._have([row], kept=True)
        fresh = [one for one in fresh if one[1] not in known]
        rows, keys, images = (list(column) for column in zip(*fresh, strict=True)) if fresh else ([], [], [])
        if images and not self._on_gpu:
            failed: dict[int, str] = {}
            made = recipe.prepare(images, failed=failed)
            self._unstretched |= {rows[number]: reason for number, reason in failed.items()}
            return rows, keys, made
        return rows, keys, images

    def _note(self, row: int, picture: Picture) -> bool:
        """Write down what is known without reading; whether there is something to read."""
        self.paths[row], self.statuses[row] = picture.path, picture.status
        self.reasons.pop(row, None)
        if picture.reason:
            self.reasons[row] = picture.reason
        return picture.source is not None or bool(picture.key)

    def _computed_before(self, keys: list[bytes]) -> dict[bytes, np.ndarray]:
        return self._shelf.read(keys) if self._shelf is not None and keys else {}

    def _not_computed_before(self, batch: Batch) -> Batch:
        """Leave out what is in the store, or comes a second time, as far as the keys are known."""
        keys = {picture.key for _, picture in batch if picture.key}
        known = self._computed_before([key for key in keys if key not in self._first_row])
        left = []
        for row, picture in batch:
            if picture.key and (first := self._first_row.setdefault(picture.key, row)) != row:
                self._duplicates.append((row, first))
            elif picture.key in known:
                self.vectors[row] = known[picture.key]
                self._have([row], kept=True)
            else:
                left.append((row, picture))
        return left

    def _encode(self, ready: "Future[Readied]", size: int, bar: "tqdm") -> None:
        rows, keys, images = ready.result()
        self._count(bar, size - len(rows))
        # The bar moves, and an interrupt is obeyed, between passes of the network.
        least = images_per_pass(self._encoder.recipe.size)
        step = len(rows) or 1 if self._on_gpu else max(self._batch_size or 0, least)
        with self.figures.spent("encoding"):
            for start in range(0, len(rows), step):
                if self._stop.is_set():
                    break
                some = slice(start, start + step)
                self._embed(rows[some], keys[some], images[some])
                self._count(bar, len(rows[some]))
        self._room.release()

    def _embed(self, rows: list[int], keys: list[bytes], images: list[ImageData] | np.ndarray) -> None:
        failed: dict[int, str] = {}
        vectors = self._embedded(images, failed)
        self._unstretched |= {rows[number]: reason for number, reason in failed.items()}
        self.vectors[rows] = vectors
        finite = np.isfinite(vectors).all(axis=1)
        for row, good in zip(rows, finite, strict=True):
            if not good:
                self.statuses[row] = "corrupt"
                self.reasons[row] = self._unstretched.get(row, _NOT_FINITE)
        kept = self._shelf is None or self._shelf.write(keys, vectors)
        self._have([row for row, good in zip(rows, finite, strict=True) if good], kept=kept)
        with self._counting:
            self.computed += int(finite.sum())

    def _count(self, bar: "tqdm", rows: int) -> None:
        with self._counting:
            bar.update(rows)

    def _embedded(self, images: list[ImageData] | np.ndarray, failed: dict[int, str]) -> np.ndarray:
        if not self._on_gpu:
            vectors = self._encoder.embed(images, batch_size=self._batch_size, threads=1)
            # A function as stretch may make no numbers, which some networks hide.
            vectors[~np.isfinite(images).all(axis=(1, 2, 3))] = np.nan
            return vectors
        network = self._idle.get()
        try:
            return forward_pictures(
                network.model,
                images,
                network.recipe,
                views=network.views,
                dim=network.dim,
                batch_size=self._batch_size,
                failed=failed,
            )
        finally:
            self._idle.put(network)

    def _copy_duplicates(self) -> None:
        """Give rows that show the same image the same result."""
        for row, first in self._duplicates:
            self.vectors[row], self.embedded[row] = self.vectors[first], self.embedded[first]
            if self.statuses[first] not in ("ok", self.statuses[row]):
                self.statuses[row] = self.statuses[first]
            if first in self.reasons:
                self.reasons[row] = self.reasons[first]
            self._copied[row] = self.embedded[first]
        # In another try the rows that failed may show something else.
        self._duplicates.clear()
        self._first_row = {key: row for key, row in self._first_row.items() if self.embedded[row]}


def _name_of(picture: Picture) -> str:
    """Name under which the key of a file is noted; the key covers the flux scale, too."""
    return f"{os.path.abspath(picture.path)} {picture.flux or ''}".rstrip()
