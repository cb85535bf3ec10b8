"""One question that is being answered: what was learned from the labels so far, and which galaxy to label next."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import log
from galzoo_repr.app._learned import pictures_of_model, report_of_model
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
    report: dict[str, str] = field(default_factory=dict)
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
        self._exhausted = False
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
            self._exhausted = False

    def batch(self) -> list[int]:
        """Rows that are being labelled."""
        with self._lock:
            return self._rows or self.next_batch()

    def next_batch(self) -> list[int]:
        """Begin a new batch; empty while nothing is known, or where nothing is left."""
        with self._lock:
            self._rows = self.following()
            if self._own is None and len(self._rows) < self.n and not self._exhausted:
                self._wanted.set()
            return self._rows

    def following(self) -> list[int]:
        """Rows that a new batch would have now."""
        with self._lock:
            queue = self._reserve() if self._own is None else self._own
            return self._left(queue)[: self.n]

    def _left(self, rows: list[int]) -> list[int]:
        with self._lock:
            seen = self._passed | set(self._rows) | self._desk.marks.own_answers(self.column)
        return [row for row in rows if row not in seen]

    # -- what is known ------------------------------------------------------------------------------------------------

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
        known = int(self._known(labels).sum())
        fresh = self.learned.model is not None and n_given - self.learned.n_labelled < EVERY
        if known < EVERY or fresh:
            self._choose(labels, self.learned.model)
            return
        if not self.learned.reserve:
            self._choose(labels, None)
        # It takes a second or two, which only this thread has.
        from galzoo_repr.finetuning import finetune, learning_curve

        table = self._table(labels)
        try:
            model = finetune(table, self.column, embedding=self._embedding, progress=False)
        except ValueError:
            self.learned = Learned(n_given)
            self._choose(labels, None)
            raise
        self.learned = replace(self.learned, n_labelled=n_given, model=model, report=report_of_model(model))
        self._choose(labels, model)
        try:
            sizes = [size for size in SIZES if size <= known - 10]
            curve = learning_curve(
                table, self.column, sizes, repeats=REPEATS, embedding=self._embedding, progress=False
            )
        except ValueError:  # a class is too rare for any of the sizes
            curve = None
        self.learned = replace(self.learned, pictures=pictures_of_model(model, curve))

    def _table(self, labels: np.ndarray) -> Table:
        return with_columns(self._desk.table, {self.column: Column(labels)}, overwrite=True, copy=False)

    def _choose(self, labels: np.ndarray, model: MorphologyModel | None) -> None:
        """Choose the next galaxies, and tell of them once their pictures are read."""
        with self._lock:
            passed = self._passed.copy()
        if model is None:
            rows, opinions = self._first(labels, passed), {}
        else:
            from galzoo_repr.finetuning import which_to_label

            # Among them may be some that nobody was sure of.
            n = AHEAD * self.n + int((labels == UNSURE).sum()) + len(passed)
            table = self._table(labels)
            chosen = which_to_label(table, model, n, embedding=self._embedding, progress=False)
            rows = np.asarray(chosen["row"]).tolist()
            opinions = self._opinions(table, model, rows)
        self.learned = replace(self.learned, reserve=rows, opinions=opinions)
        self._exhausted = not self._left(rows)
        if self._stop.is_set():
            return
        for row in self.following():
            self._desk.pictures.jpeg(row)
        self._desk.tell("taught")

    def _first(self, labels: np.ndarray, passed: set[int]) -> list[int]:
        """Galaxies that are not alike, while no model tells which would teach most."""
        from sklearn.cluster import kmeans_plusplus

        free = self._usable[labels[self._usable] == ""]
        free = free[~np.isin(free, list(passed))]
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

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._wanted.set()
