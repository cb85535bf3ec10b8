"""Tags and labels that people give on the page: lines of a file for each of them, and columns of the catalogue."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from galzoo_repr._config import log
from galzoo_repr._folder import locked, publish
from galzoo_repr.app._mark_words import TAGS, checked_answers, checked_column, checked_tag, tags_in
from galzoo_repr.app._people import with_people
from galzoo_repr.catalogue import fingerprint, read_embeddings, texts_of

if TYPE_CHECKING:
    from astropy.table import Table

    from galzoo_repr.app._session import Desk

__all__ = ["Marks", "label_rows", "restore_marks", "tag_rows"]

META = "galzoo_repr_marks"
SETTLED = 1.0  # seconds after the last mark that the columns of the catalogue are made anew
ABOUT_TAGS = "Tags, separated by commas; one that several people gave is repeated"
ABOUT_LABELS = "Label given on the page; unsure, or empty, where there is none"
_NAME = re.compile(r"[\w.-]{1,64}")


class _Said:
    """Tags and labels that stand in the lines of one person's file."""

    def __init__(self) -> None:
        self.tags: dict[int, list[str]] = {}
        self.removed: dict[int, set[str]] = {}
        self.labels: dict[str, dict[int, str]] = {}
        self.questions: dict[str, list[str]] = {}
        self._before: dict[str, list[dict[int, str]]] = {}

    def take(self, line: dict) -> None:
        """Take the next line of a file."""
        rows = line.get("rows", [])
        if line["do"] == "tag":
            for row in rows:
                self._tag(row, line["tag"], line["on"])
        elif line["do"] == "label":
            given = self.labels.setdefault(line["column"], {})
            self._before.setdefault(line["column"], []).append({row: given.get(row, "") for row in rows})
            given.update(dict.fromkeys(rows, line["label"]))
        elif line["do"] == "undo":
            if before := self._before.get(line["column"]):
                self.labels[line["column"]].update(before.pop())
        elif line["do"] == "question":
            self.questions[line["column"]] = line["answers"]

    def last(self, column: str) -> list[int]:
        """Rows of the last label that was not taken back."""
        before = self._before.get(column)
        return list(before[-1]) if before else []

    def _tag(self, row: int, tag: str, on: bool) -> None:
        tags = self.tags.setdefault(row, [])
        if on:
            tags += [] if tag in tags else [tag]
            self.removed.get(row, set()).discard(tag)
        else:
            tags[:] = [one for one in tags if one != tag]
            self.removed.setdefault(row, set()).add(tag)


class Marks:
    """
    Tags and labels of a catalogue, by this person and by others who have files beside hers.

    Whatever a method is told is on the disk when it returns. The columns of the catalogue follow a moment later, or at
    once by `refresh`. All methods may be called in several threads.

    Parameters
    ----------
    desk : Desk

    Raises
    ------
    BlockingIOError
        If another page has the file of this person.
    ValueError
        If the folder holds marks of another catalogue, or the file is unreadable.
    """

    def __init__(self, desk: Desk):
        name = desk.rater
        if name and not _NAME.fullmatch(name):
            raise ValueError(
                f"rater={name!r} becomes the name of a file; it may have letters, digits, _ . and -"
            )
        self._desk, self._lock = desk, threading.RLock()
        self._path = desk.folder / (f"marks_{name}.jsonl" if name else "marks.jsonl")
        self._facts = {META: 1, "galaxies": len(desk.table), "catalogue": _catalogue(desk)}
        self._base: dict[str, np.ndarray] = {}
        self.others: dict[str, _Said] = {}
        self._read_at: dict[str, float] = {}
        self._timer: threading.Timer | None = None
        self._stale: set[str] = set()
        with ExitStack() as held:
            held.enter_context(locked(self._path, wait=0, by="another page"))
            if not self._path.exists() or not self._path.stat().st_size:
                publish(self._path, _line(self._facts))
            self._own = self._read(self._path, drop_torn=True)
            self._file = held.enter_context(self._path.open("ab", buffering=0))
            self._held = held.pop_all()
        self._read_others()
        self._stale = {TAGS} if self._all_tagged() else set()
        self._stale |= {column for said in self._everybody() for column in said.labels}

    # -- what a person does ---------------------------------------------------------------------------------

    def tag(self, rows: np.ndarray | list[int], tag: str, on: bool = True) -> str:
        """Give galaxies a tag, or take it from them, and say how it is spelled."""
        tag = self._spelled(checked_tag(tag))
        with self._lock:
            self.base(TAGS)
            self._write({"do": "tag", "rows": self._checked(rows), "tag": tag, "on": on})
        self._changed(TAGS)
        return tag

    def label(self, rows: np.ndarray | list[int], column: str, label: str) -> None:
        """Label galaxies in a column."""
        checked_column(column)
        (label,) = checked_answers([label], least=1)
        with self._lock:
            self.base(column)
            self._write({"do": "label", "rows": self._checked(rows), "column": column, "label": label})
        self._changed(column)

    def undo(self, column: str) -> list[int]:
        """Take back the last label of this person in a column, and give its rows; none where there is none."""
        with self._lock:
            rows = self._own.last(column)
            if rows:
                self._write({"do": "undo", "column": column})
        self._changed(column)
        return rows

    def ask(self, column: str, answers: list[str]) -> None:
        """Begin, or change, a column of labels with the answers that there are keys for."""
        checked_column(column)
        answers = checked_answers(answers)
        with self._lock:
            self.base(column)
            if self.questions().get(column) != answers:
                self._write({"do": "question", "column": column, "answers": answers})

    # -- what is known --------------------------------------------------------------------------------------------

    def questions(self) -> dict[str, list[str]]:
        """Columns of labels and their answers."""
        with self._lock:
            return {
                column: answers for said in self._everybody() for column, answers in said.questions.items()
            }

    def tags(self, row: int) -> list[str]:
        """Tags of a galaxy, each once."""
        with self._lock:
            return list(dict.fromkeys(self._tags(row)))

    def known_tags(self) -> list[str]:
        """All tags, those of most galaxies first."""
        with self._lock:
            times = Counter(tag for said in self._everybody() for tags in said.tags.values() for tag in tags)
            times.update(self._base_tags)
        return [tag for tag, _ in sorted(times.items(), key=lambda item: (-item[1], item[0]))]

    @cached_property
    def _base_tags(self) -> Counter:
        """How many galaxies have each tag in the catalogue itself."""
        times: Counter = Counter()
        for text, n in zip(*np.unique(self.base(TAGS), return_counts=True), strict=True):
            times.update(dict.fromkeys(tags_in(str(text)), int(n)))
        return times

    def answer(self, row: int, column: str) -> str:
        """Label of a galaxy by this person, or else in the catalogue; empty where there is none."""
        with self._lock:
            return self._own.labels.get(column, {}).get(row) or str(self.base(column)[row])

    def answers(self, column: str) -> np.ndarray:
        """Labels of all galaxies: what most people say, empty where as many say otherwise; str of shape (n,)."""
        with self._lock:
            base = self.base(column)
            given = [of for said in self._everybody() if (of := said.labels.get(column))]
            rows = {row for of in given for row in of}
            changed = {}
            for row in rows:
                votes = Counter(label for of in given if (label := of.get(row)))
                ranked = votes.most_common(2)
                tied = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
                changed[row] = "" if tied else ranked[0][0] if ranked else str(base[row])
        return _changed_texts(base, changed)

    def counts(self, column: str) -> dict[str, int]:
        """How often this person gave each label."""
        with self._lock:
            return Counter(label for label in self._own.labels.get(column, {}).values() if label)

    def own_answers(self, column: str) -> set[int]:
        """Rows that this person has answered."""
        with self._lock:
            return {row for row, label in self._own.labels.get(column, {}).items() if label}

    def by_person(self, column: str) -> dict[str, dict[int, str]]:
        """Labels that each person gave in a column, by row; this person first, whose name may be empty."""
        with self._lock:
            named = {self._desk.rater: self._own}
            named |= {
                name[6:-6]: said for name, said in self.others.items()
            }  # marks_NAME.jsonl, or marks.jsonl
            given = {name: dict(said.labels.get(column, {})) for name, said in named.items()}
        return {name: {row: label for row, label in of.items() if label} for name, of in given.items()}

    def base(self, column: str) -> np.ndarray:
        """Texts that the catalogue itself has in a column, str of shape (n,)."""
        with self._lock:
            if column not in self._base:
                self._base[column] = _texts(self._desk, column)
            return self._base[column]

    # -- columns ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Make the columns of the catalogue agree with all that was given, by others too."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._read_others()
            stale, self._stale = self._stale, set()
            made = {}
            for column in sorted(stale):
                try:
                    made[column] = self._tag_texts() if column == TAGS else self.answers(column)
                except ValueError as error:  # of another person, whose columns do not suit this catalogue
                    log.warning("%s", error)
        for column, values in made.items():
            self._desk.add_column(column, values, ABOUT_TAGS if column == TAGS else ABOUT_LABELS)

    def with_people(self, table: Table) -> Table:
        """Add to a catalogue what each of several people said."""
        return with_people(table, {column: self.by_person(column) for column in self.questions()})

    def close(self) -> None:
        """Make the last columns, and let go of the file."""
        self.refresh()
        self._held.close()

    def _changed(self, column: str) -> None:
        with self._lock:
            self._stale.add(column)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(SETTLED, self.refresh)
            self._timer.daemon = True
            self._timer.start()
        self._desk.tell("marked", column)

    def _everybody(self) -> list[_Said]:
        return [*self.others.values(), self._own]

    def _all_tagged(self) -> set[int]:
        return {row for said in self._everybody() for of in (said.tags, said.removed) for row in of}

    def _tags(self, row: int) -> list[str]:
        gone = set().union(*(said.removed.get(row, ()) for said in self._everybody()))
        tags = [tag for tag in tags_in(str(self.base(TAGS)[row])) if tag not in gone]
        for said in self._everybody():
            tags += [tag for tag in said.tags.get(row, []) if tag not in tags or len(self.others)]
        return tags

    def _tag_texts(self) -> np.ndarray:
        return _changed_texts(
            self.base(TAGS), {row: ", ".join(sorted(self._tags(row))) for row in self._all_tagged()}
        )

    def _spelled(self, tag: str) -> str:
        """Spelling that the tag has already, if in other case."""
        return next((known for known in self.known_tags() if known.casefold() == tag.casefold()), tag)

    def _checked(self, rows: np.ndarray | list[int]) -> list[int]:
        rows = np.asarray(rows, dtype=np.int64).ravel()
        if not len(rows):
            raise ValueError("no galaxy is meant: go to one, or select some")
        if rows.min() < 0 or rows.max() >= len(self._desk.table):
            raise ValueError(f"the catalogue has no row {rows.min() if rows.min() < 0 else rows.max()}")
        return rows.tolist()

    # -- the files ----------------------------------------------------------------------------------------------------

    def _write(self, entry: dict) -> None:
        line = _line({**entry, "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"})
        if os.write(self._file.fileno(), line) != len(line):
            raise OSError(f"only part of a line could be written to {self._path}: is the disk full?")
        os.fsync(self._file.fileno())
        self._own.take(entry)

    def _read(self, path: Path, *, drop_torn: bool = False) -> _Said:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]  # a crash may have cut the last line short
        if drop_torn and len(whole) < len(content):
            os.truncate(path, len(whole))
        said = _Said()
        try:
            first, *entries = [json.loads(line) for line in whole.splitlines()]
            for entry in entries:
                said.take(entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no readable file of tags and labels: {error}") from error
        if first != self._facts:
            raise ValueError(
                f"{path} holds tags and labels of another catalogue; use the one it was made with, or give another "
                "folder"
            )
        return said

    def _read_others(self) -> None:
        for path in sorted(self._desk.folder.glob("marks*.jsonl")):
            if path == self._path or self._read_at.get(path.name) == path.stat().st_mtime:
                continue
            self._read_at[path.name] = path.stat().st_mtime
            try:
                said = self.others[path.name] = self._read(path)
            except (OSError, ValueError) as error:
                log.warning("tags and labels of another person are left out: %s", error)
                continue
            self._stale |= {TAGS, *said.labels} if said.tags else set(said.labels)


def tag_rows(desk: Desk, rows: np.ndarray, tag: str) -> None:
    """Give galaxies a tag, in the column ``tags``, at once; a `ValueError` if it is none."""
    desk.marks.tag(rows, tag)
    desk.marks.refresh()


def label_rows(desk: Desk, rows: np.ndarray, column: str, label: str) -> None:
    """Label galaxies in a column, at once; a `ValueError` if the column cannot be called so, or holds other things."""
    desk.marks.label(rows, column, label)
    desk.marks.refresh()


def restore_marks(desk: Desk) -> None:
    """Put tags and labels of earlier runs back onto the catalogue, and hold the file of new ones."""
    desk.marks = Marks(desk)
    desk.marks.refresh()


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _changed_texts(base: np.ndarray, changed: dict[int, str]) -> np.ndarray:
    width = max([1, base.dtype.itemsize // 4, *map(len, changed.values())])
    texts = base.astype(f"U{width}")
    for row, text in changed.items():
        texts[row] = text
    return texts


def _texts(desk: Desk, column: str) -> np.ndarray:
    """Texts of a column that the catalogue has, as far as they can be tags or labels."""
    if column not in desk.table.colnames:
        return np.full(len(desk.table), "", dtype="U1")
    if desk.table[column].dtype.kind not in "SUO" or desk.table[column].ndim != 1:
        raise ValueError(f"the column {column!r} is there already and holds no words; choose another name")
    texts = np.array([text.strip() for text in texts_of(desk.table[column])], dtype=str)
    if column != TAGS and len(np.unique(texts)) > MOST_LABELS:
        raise ValueError(f"the column {column!r} is there already and holds no labels; choose another name")
    return texts


MOST_LABELS = 40  # different texts in a column, beyond which it holds names or files


def _catalogue(desk: Desk) -> str:
    """Fact by which the catalogue is recognised: where its galaxies are, or else their embeddings."""
    if desk.positions is not None:
        degrees = np.column_stack([desk.positions.ra, desk.positions.dec])
        degrees = np.where(desk.positions.valid[:, None], degrees, -1000)
        return hashlib.sha256(np.round(degrees * 1e6).astype("<i8").tobytes()).hexdigest()
    if desk.ratings is not None:
        return fingerprint(read_embeddings(desk.table, desk.ratings.embedding))
    return ""
