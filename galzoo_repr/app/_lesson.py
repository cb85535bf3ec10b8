"""One question that is being answered: what was learned from the labels so far, and which galaxy to label next."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import log
from galzoo_repr.app._learned import pictures_of_model
from galzoo_repr.app._mark_words import UNSURE
from galzoo_repr.catalogue import read_embeddings, with_columns

if TYPE_CHECKING:
    from galzoo_repr.app._session import Desk
    from galzoo_repr.finetuning import MorphologyModel

__all__ = ["Learned", "Lesson"]

EVERY = 20  # labels after which a model learns anew
AHEAD = 3  # batches that are chosen ahead
AT_FIRST = 20_000  # galaxies at most, of which the first are drawn
SIZES, REPEATS = (10, 20, 40, 80, 160, 320, 640), 3  # of the learning curve


@dataclass(frozen=True)
class Learned:
    """What was learned from so many labels."""

    n_labelled: int
    model: MorphologyModel | None = None
    reserve: list[int] = field(default_factory=list)
    opinions: dict[int, str] = field(default_factory=dict)
    report: str = ""
    pictures: tuple[bytes, bytes] | None = None


class Lesson:
    """
    Labels of one column, held for as long as the page is served.

    A thread learns from them after each twenty, and tells ``"taught"`` to all views.

    Parameters
    ----------
    desk : Desk
    column : str
        Of the labels.
    embedding : str or None
        Column of embeddings; without, nothing is learned and galaxies come in the order of the catalogue.
    n : int
        Galaxies in a batch.
    """

    def __init__(self, desk: Desk, column: str, *, embedding: str | None, n: int = 10):
        self._desk, self.column, self._embedding, self.n = desk, column, embedding, n
        self.learned, self.failure, self.working = Learned(0), "", False
        self._own: list[int] | None = None
        self._lock = threading.RLock()
        self._passed: set[int] = set()
        self._rows: list[int] = []
        self._stop, self._wanted = threading.Event(), threading.Event()
        self._usable = np.arange(len(desk.table))
        if embedding is not None:
            self._usable = np.flatnonzero(read_embeddings(desk.table, embedding).usable)
            self._thread = threading.Thread(target=self._learn, name="galzoo_repr lesson", daemon=True)
            self._thread.start()
        self._wanted.set()

    @property
    def answers(self) -> list[str]:
        """Answers that there are keys for, but unsure."""
        return self._desk.marks.questions().get(self.column, [])

    # -- what a person does, as the grid asks for it ----------------------------------------------------------

    def rate(self, row: int, value: str | None) -> None:
        """Note a label, which is on the disk then, or with None that the galaxy was skipped."""
        if value is None:
            self._passed.add(row)
            return
        if value not in [*self.answers, UNSURE]:
            raise ValueError(f"{value!r} is none of the answers: {', '.join(self.answers)}")
        self._desk.marks.label([row], self.column, value)
        if self.n_new >= EVERY:
            self._wanted.set()

    def undo(self) -> int | None:
        """Take back the last label that stands, and give its row; None if there is none."""
        rows = self._desk.marks.undo(self.column)
        return rows[0] if rows else None

    def pass_on(self, rows: Sequence[int]) -> None:
        """Do not show these again in this run."""
        with self._lock:
            self._passed.update(rows)

    def only(self, rows: Sequence[int] | None) -> None:
        """Show these galaxies, or with None those that teach most."""
        with self._lock:
            self._own = None if rows is None else [int(row) for row in rows]
            self._rows = []
            self._passed.clear()

    def batch(self) -> list[int]:
        """Rows that are being labelled."""
        with self._lock:
            return self._rows or self.next_batch()

    def next_batch(self) -> list[int]:
        """Begin a new batch; empty while nothing is known, or where nothing is left."""
        with self._lock:
            self._rows = self.following()
            return self._rows

    def following(self) -> list[int]:
        """Rows that a new batch would have now."""
        with self._lock:
            queue = self._reserve() if self._own is None else self._own
            seen = self._passed | set(self._rows) | self._desk.marks.own_answers(self.column)
            return [row for row in queue if row not in seen][: self.n]

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def n_labelled(self) -> int:
        """Labels that can be learned from."""
        return int(self._known(self._desk.marks.answers(self.column)).sum())

    @property
    def n_new(self) -> int:
        """Labels since the last model."""
        return len(self._desk.marks.own_answers(self.column)) - self.learned.n_labelled

    @staticmethod
    def _known(labels: np.ndarray) -> np.ndarray:
        return (labels != "") & (labels != UNSURE)

    def _reserve(self) -> list[int]:
        return self._usable.tolist() if self._embedding is None else self.learned.reserve

    def _learn(self) -> None:
        while self._wanted.wait() and not self._stop.is_set():
            self._wanted.clear()
            self.working = True
            self._desk.tell("taught")
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # they are for a script
                    self._think()
                self.failure = ""
            except Exception as error:  # the page goes on with what was known
                # With one answer alone, or very few of one, there is nothing wrong: more labels will do.
                if not isinstance(error, ValueError):
                    log.exception("learning from the labels failed")
                self.failure = str(error)
            self.working = False
            if not self._stop.is_set():
                self._desk.tell("taught")

    def _think(self) -> None:
        labels = self._desk.marks.answers(self.column)
        n_given = len(self._desk.marks.own_answers(self.column))
        if not self.learned.reserve:
            self.learned = Learned(0, reserve=self._first(labels))
            self._ready()
        if self._known(labels).sum() < EVERY:
            return
        # It takes a second or two, which only this thread has.
        from galzoo_repr.finetuning import finetune, which_to_label

        table = with_columns(self._desk.table, {self.column: Column(labels)}, overwrite=True)
        try:
            model = finetune(table, self.column, embedding=self._embedding, progress=False)
        except ValueError:
            self.learned = Learned(n_given, reserve=self._first(labels))
            raise
        # Among them may be some that nobody was sure of.
        n = AHEAD * self.n + int((labels == UNSURE).sum())
        chosen = which_to_label(table, model, n, embedding=self._embedding, progress=False)
        reserve = np.asarray(chosen["row"]).tolist()
        opinions = self._opinions(table, model, reserve)
        self.learned = Learned(n_given, model, reserve, opinions, str(model.report), self.learned.pictures)
        self._ready()
        known = int(self._known(labels).sum())
        curve = self._curve(table, known) if known >= EVERY else None
        pictures = pictures_of_model(model, curve)
        self.learned = Learned(n_given, model, reserve, opinions, str(model.report), pictures)

    def _ready(self) -> None:
        """Tell that there are galaxies to label, once their pictures are read."""
        if self._stop.is_set():
            return
        for row in self.following():
            self._desk.pictures.jpeg(row)
        self._desk.tell("taught")

    def _first(self, labels: np.ndarray) -> list[int]:
        """Galaxies that are not alike, while no model tells which would teach most."""
        from sklearn.cluster import kmeans_plusplus

        free = self._usable[labels[self._usable] == ""]
        generator = np.random.default_rng(len(free))
        if len(free) > AT_FIRST:
            free = generator.choice(free, AT_FIRST, replace=False)
        n = min(AHEAD * self.n + EVERY, len(free))
        if not n:
            return []
        vectors = np.asarray(
            read_embeddings(self._desk.table, self._embedding).vectors[free], dtype=np.float32
        )
        _, drawn = kmeans_plusplus(vectors, n, random_state=0)
        return free[np.unique(drawn)][generator.permutation(len(np.unique(drawn)))].tolist()

    def _opinions(self, table: Table, model: MorphologyModel, rows: list[int]) -> dict[int, str]:
        """What the model thinks of some galaxies, in a few words."""
        found = model.predict(read_embeddings(table, self._embedding).vectors[rows])
        said = {}
        for row, value, std in zip(rows, found.value, found.std, strict=True):
            best = int(value.argmax())
            said[row] = f"{model.classes[best]} {value[best]:.0%} ± {std[best]:.0%}"
        return said

    def _curve(self, table: Table, n: int) -> Table | None:
        from galzoo_repr.finetuning import learning_curve

        sizes = [size for size in SIZES if size <= n - 10]
        try:
            return learning_curve(
                table, self.column, sizes, repeats=REPEATS, embedding=self._embedding, progress=False
            )
        except ValueError:  # a class is too rare for any of the sizes
            return None

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._wanted.set()
