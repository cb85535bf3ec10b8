"""One stream: while some images are encoded, the next are read, and the ones after them are fetched."""

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
from galzoo_repr.encoders._forward import forward_pictures, images_per_pass
from galzoo_repr.encoders._outcome import Outcome
from galzoo_repr.encoders._recall import Batch, Recall
from galzoo_repr.encoders._store import Shelf
from galzoo_repr.images import ImageData, Picture

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["EmbeddingStream"]

Readied = tuple[list[int], list[bytes], list[ImageData] | np.ndarray]

_ROWS_PER_BATCH = 32
_ROWS_PER_BATCH_ON_GPU = 256
# Rows may come slowly; then a batch that is not full goes on after this time.
_PATIENCE_SECONDS = 5.0
# Rows that wait to be read, of which only the path is in memory: fetching goes on while the encoder is busy.
_ROWS_WAITING = 65_536
# Batches whose pixels are in memory at most, with the one that is being encoded.
_BATCHES_READ = 4
# Threads that read files for a GPU, which outruns one of them.
_READERS_FOR_GPU = 8
_NOT_FINITE = "the stretch or the network gives pixels or numbers that are not finite, or masked"
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
    outcome : Outcome
        What is known of each row.
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
        self.outcome = Outcome(rows, encoder.dim, after)
        self._unstretched: dict[int, str] = {}
        self.computed = 0
        self.figures = EmbedFigures()
        self._encoder, self._batch_size = encoder, batch_size
        self._recall = Recall(shelf, self.outcome)
        # A few pictures are not worth copies of the network.
        networks = encoder.on_each_device() if rows > _ROWS_PER_BATCH_ON_GPU else [encoder]
        self._on_gpu = encoder.device != "cpu" or len(networks) > 1
        self._networks = networks * (_BATCHES_PER_GPU if self._on_gpu else 1)
        self._idle: SimpleQueue[Encoder] = SimpleQueue()
        for network in self._networks:
            self._idle.put(network)
        self._size = max(batch_size or 0, _ROWS_PER_BATCH_ON_GPU if self._on_gpu else _ROWS_PER_BATCH)
        self._many = encoder.backend == "onnx" and not self._on_gpu
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
            progress_bar(len(self.outcome), "embedding", "galaxy", shown=progress) as bar,
            self._pools(bar) as submit,
        ):
            waiting: deque[Future[None]] = deque()
            for batch in self._batches(self._recall.not_known(pictures, bar)):
                waiting.append(submit(batch))
                while waiting and (waiting[0].done() or len(waiting) * self._size > _ROWS_WAITING):
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
        if self._unstretched and not self.outcome.embedded.any():
            for row, reason in self._unstretched.items():
                self.outcome.reasons[row] = f"{reason} (with every picture)"
        self.outcome.complete()

    def facts(self, failed: int) -> dict[str, float | str]:
        """Figures of the whole run, in which some rows failed, as `closing_line` takes them."""
        # A thread that never got a batch did not wait for anything.
        workers = min(cores(), -(-len(self.outcome) // self._size)) if self._many else 1
        repeated = int(self.outcome.copied.sum())
        return self.figures.facts(
            workers=workers,
            embedded=self.computed,
            embedded_before=len(self.outcome) - failed - self.computed - repeated,
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
        batch = [(row, picture) for row, picture in batch if self.outcome.note(row, picture)]
        contents = read(lambda one: self._recall.loaded(one[1]), batch)
        wanted = self._recall.wanted(
            [(row, content) for (row, _), content in zip(batch, contents, strict=True)]
        )
        recipe = self._encoder.recipe
        fluxes = recipe.takes_fluxes
        images = list(read(lambda one: one[1].read(recipe.bands, fluxes=fluxes), wanted))
        fresh = {}
        for (row, picture), image in zip(wanted, images, strict=True):
            if image.status != "ok":
                self.outcome.fail(row, image.status, image.reason)
            elif not self.outcome.comes_again(row, picture.key):
                fresh[row] = picture.key, image
        rows = self._recall.wanted_by_key({row: key for row, (key, _) in fresh.items()})
        keys, images = [fresh[row][0] for row in rows], [fresh[row][1] for row in rows]
        if images and not self._on_gpu:
            failed: dict[int, str] = {}
            made = recipe.prepare(images, failed=failed)
            self._unstretched |= {rows[number]: reason for number, reason in failed.items()}
            return rows, keys, made
        return rows, keys, images

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
        self.outcome.vectors[rows] = vectors
        finite = np.isfinite(vectors).all(axis=1)
        for row, good in zip(rows, finite, strict=True):
            if not good:
                self.outcome.fail(row, "corrupt", self._unstretched.get(row, _NOT_FINITE))
        kept = self._recall.keep(keys, vectors)
        self.outcome.have([row for row, good in zip(rows, finite, strict=True) if good], kept=kept)
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
