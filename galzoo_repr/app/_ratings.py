"""One rater's ratings of a catalogue: on disk at once, learned from meanwhile, and what to look at next."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import log
from galzoo_repr.anomaly import (
    InterestModel,
    Judgement,
    RatingsFile,
    ReducedCatalogue,
    add_anomaly_scores,
    catalogue_facts,
    ratings_in,
    read_ratings,
    say_what_begins,
)
from galzoo_repr.app._progress import Progress, progress_of
from galzoo_repr.catalogue import Beside, as_table, read_embeddings, with_columns
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["Opinion", "RatingDesk"]

# Galaxies chosen ahead, in batches, so that the page need not wait for the next fit.
AHEAD = 10
# Of each batch, so many that others have rated, until there are enough to say how far raters agree.
SHARED_IN_BATCH = 1
ENOUGH_SHARED = 30
REST, LONGEST_REST = 1.0, 3.0  # seconds between one fit and the next
# Columns that the page writes beside the ratings.
OTHERS_OF_THE_PAGE = ("tags", "anomaly_score", "anomaly_score_std", "anomaly_rank", "anomaly_unlike")
_NAME = re.compile(r"[\w.-]{1,64}")


@dataclass(frozen=True)
class Opinion:
    """What was learned from the ratings so far."""

    judgement: Judgement
    n_rated: int
    reserve: list[int] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)


class RatingDesk:
    """
    Ratings of one person, held for as long as the page is served.

    Whatever `rate`, `skip` and `undo` are told is on the disk when they return. A thread learns from it, and tells
    `learned` when it has.

    Parameters
    ----------
    table : Table
        With embeddings.
    folder : pathlib.Path
        Of the files of ratings, one for each rater.
    interest : str
        Name of what is looked for: column of the ratings, which count if `table` has it.
    rater : str
        Name of the person, empty for the only one.
    values : sequence of float
        Ratings that can be given, rising.
    n : int
        Galaxies in a batch.
    beside : mapping of str to float, optional
        As for `galzoo_repr.add_anomaly_scores`.
    get_ready : callable
        Called in the thread that learns, with rows that will soon be shown.

    Raises
    ------
    BlockingIOError
        If somebody else rates under this name.
    """

    def __init__(
        self,
        table: Table,
        folder: Path,
        *,
        interest: str = "interest",
        rater: str = "",
        values: Sequence[float] = (0, 1, 2, 3, 4, 5),
        n: int = 10,
        embedding: str = "embedding",
        beside: Mapping[str, float] | None = None,
        seed: int = 0,
        get_ready: Callable[[list[int]], None] = lambda rows: None,
    ):
        for what, name in (("ratings", interest), ("rater", rater or "me")):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(
                    f"{what}={name!r} becomes the name of a file; it may have up to 64 letters, digits, underscores, "
                    "points and hyphens"
                )
        self.values, self.n, self.seed = list(values), n, seed
        self.interest, self.rater, self.folder = interest, rater, folder
        self.column = f"{interest}_{rater}" if rater else interest
        self.embedding = embedding
        self.get_ready = get_ready
        self.learned: Callable[[], None] = lambda: None
        self._embeddings = read_embeddings(table, embedding)
        self._given = _given(table, self.column, self.values, {embedding, *OTHERS_OF_THE_PAGE})
        self._n_given = int(np.isfinite(self._given).sum())
        self._n_found = int((self._given >= self.interesting_from).sum())
        self._facts = catalogue_facts(self._embeddings, interest)
        self._beside = beside
        if beside is not None:
            scaled = Beside.of(table, beside, self._embeddings)
            self._embeddings = scaled.beside_embeddings(self._embeddings, table)
        say_what_begins(table, interest, folder / f"{self.column}.ratings.ecsv", rater)
        self._file = RatingsFile(folder / f"{self.column}.ratings.ecsv", self._facts).__enter__()
        self._lock = threading.RLock()
        self._stop, self._wanted = threading.Event(), threading.Event()
        self._thinking = True
        self._passed: set[int] = set()
        self._read_at: dict[str, float] = {}
        self.others: dict[str, np.ndarray] = {}
        self._reduced: ReducedCatalogue | None = None
        self.opinion: Opinion | None = None
        self.failure = ""
        self._asked: set[int] = set(self._file.asked())
        self._round, self._rows = self._file.unfinished()
        self._thread = threading.Thread(target=self._learn, name="galzoo_repr ratings", daemon=True)
        self._thread.start()
        self._wanted.set()

    # -- what a person does ---------------------------------------------------------------------------------

    def rate(self, row: int, value: float | None) -> None:
        """Note a rating, or with None that the galaxy was looked at and skipped."""
        if value is not None and value not in self.values:
            raise ValueError(f"{value!r} is none of the ratings that can be given: {self.values}")
        if not 0 <= row < len(self._given):
            raise ValueError(f"the catalogue has no row {row}")
        with self._lock:
            self._file.append(max(self._round, 1), row, float("nan") if value is None else float(value))
            self._asked.add(row)
        self._wanted.set()

    def undo(self) -> int | None:
        """Take back the last answer that stands, also of an earlier run, and give its row; None if there is none."""
        with self._lock:
            row = self._file.take_back()
            self._asked = set(self._file.asked())
        self._wanted.set()
        return row

    def pass_on(self, rows: Sequence[int]) -> None:
        """Do not show these again in this run, though nothing was said of them."""
        with self._lock:
            self._passed.update(rows)

    # -- what is known ----------------------------------------------------------------------------------------

    def ratings(self) -> np.ndarray:
        """Ratings of this rater, float64 of shape (n,), NaN where there is none."""
        with self._lock:
            return self._file.ratings(self._given)

    def read_others(self) -> dict[str, np.ndarray]:
        """Ratings by others who rate the same catalogue for the same interest, by name of their column."""
        ending = ".ratings.ecsv"
        found: dict[str, np.ndarray] = {}
        for path in sorted(self.folder.glob(f"{self.interest}*{ending}")):
            column = path.name.removesuffix(ending)
            if column == self.column or not f"{column}_".startswith(f"{self.interest}_"):
                continue
            changed = path.stat().st_mtime
            if column in self.others and self._read_at[column] == changed:
                found[column] = self.others[column]
            elif (values := self._read(path)) is not None:
                found[column] = values
            self._read_at[column] = changed
        self.others = found
        return found

    def answer(self, row: int) -> float | None:
        """Answer of this rater for a row: a rating, NaN for a skipped galaxy, None where there is none."""
        with self._lock:
            if row not in self._asked:
                return None if np.isnan(self._given[row]) else float(self._given[row])
            return next(rating for _, at, rating in reversed(self._file.given()) if at == row)

    def counts(self) -> tuple[int, int]:
        """How many ratings stand, and how many of them are of interesting galaxies."""
        with self._lock:
            latest = {row: rating for _, row, rating in self._file.given()}
        own = self._given[list(latest)]
        values = np.array(list(latest.values()))
        n = self._n_given - np.isfinite(own).sum() + np.isfinite(values).sum()
        found = self._n_found - (own >= self.interesting_from).sum() + (values >= self.interesting_from).sum()
        return int(n), int(found)

    def with_columns(self, table: Table) -> Table:
        """Add the ratings of all raters to a catalogue, and the scores that follow from them."""
        columns = {self.column: self.ratings(), **self.read_others()}
        about = "Rating, higher is more interesting; NaN where not rated"
        described = {name: Column(values, description=about) for name, values in columns.items()}
        table = with_columns(table, described, overwrite=True, call="look", copy=False)
        if not any(np.isfinite(values).any() for values in columns.values()):
            return as_table(table)
        scale = (float(self.values[0]), float(self.values[-1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GalzooWarning)
            return add_anomaly_scores(
                table,
                list(columns),
                model=InterestModel(rating_scale=scale),
                embedding=self.embedding,
                beside=self._beside,
                overwrite=True,
            )

    @property
    def interesting_from(self) -> float:
        """Lowest rating of an interesting galaxy: three fifths up the scale."""
        low, high = self.values[0], self.values[-1]
        return min(value for value in self.values if value >= low + 0.6 * (high - low) - 1e-9)

    # -- what comes next -----------------------------------------------------------------------------------------

    def batch(self) -> list[int]:
        """Rows of the batch that is being rated: that of the last run if it was interrupted, or a new one."""
        with self._lock:
            return self._rows or self.next_batch()

    def next_batch(self) -> list[int]:
        """Begin a new batch, with what is known by now; empty while nothing is known, or where nothing is left."""
        with self._lock:
            rows = self.following()
            if rows:
                self._round = self._file.last_round + 1
                # Whoever rates does not wait for the disk: without the note the galaxies are chosen anew.
                self._file.plan(self._round, rows, sync=False)
                self._wanted.set()
            self._rows = rows
        return rows

    def following(self) -> list[int]:
        """Rows that a new batch would have now."""
        with self._lock:
            if self.opinion is None:
                return []
            seen = self._asked | self._passed | set(self._rows)
            return [row for row in self.opinion.reserve if row not in seen][: self.n]

    @property
    def learning(self) -> bool:
        """Whether there will be an opinion that knows more than the present one."""
        return self._wanted.is_set() or self._thinking

    def _coming(self, opinion: Opinion) -> list[int]:
        """Rows of the present batch, and of the next one by an opinion; of the first opinion those it shows at once."""
        with self._lock:
            following = [row for row in opinion.reserve if row not in self._asked]
            return [*self._rows, *following[: self.n]]

    def _learn(self) -> None:
        """Learn whenever there are new ratings, until the end."""
        warm = False
        while self._wanted.wait() and not self._stop.is_set():
            self._thinking = True
            self._wanted.clear()
            begun = time.monotonic()
            try:
                with warnings.catch_warnings():
                    # They are for a script; the page shows what they are about.
                    warnings.simplefilter("ignore", GalzooWarning)
                    opinion = self._think()
                    self.get_ready(self._coming(opinion))
                    self.opinion = opinion
                self.failure = ""
            except Exception as error:  # the page goes on with what was known
                log.exception("learning from the ratings failed")
                self.failure = str(error)
            self._thinking = False
            if not self._stop.is_set():
                self.learned()
                if not warm:
                    warm = _warm_up()
                # About as long a rest as the work took: the page comes first, and ratings come in tens.
                self._stop.wait(min(max(REST, time.monotonic() - begun), LONGEST_REST))

    def _think(self) -> Opinion:
        if self._reduced is None:
            scale = (float(self.values[0]), float(self.values[-1]))
            self._reduced = ReducedCatalogue(self._embeddings, InterestModel(rating_scale=scale))
        own, others = self.ratings(), self.read_others()
        raters = [self.column, *others]
        low, high = self.values[0], self.values[-1]
        theirs = [np.clip(values, low, high) for values in others.values()]
        known = np.column_stack([np.clip(own, low, high), *theirs])
        learnable = np.isfinite(known).any(axis=1) & self._reduced.usable
        judgement = self._reduced.judge(known, raters=raters) if learnable.any() else self._reduced.unjudged()
        _ = judgement.rating_std  # computed for all rows when first asked for, which the page would wait for
        with self._lock:
            shown = np.isfinite(own)
            shown[list(self._asked | self._passed | set(self._rows))] = True
        foreign = np.isfinite(known[:, 1:]).any(axis=1)
        reserve = judgement.choose(AHEAD * self.n, shown | foreign, seed=self.seed).tolist()
        reserve = self._with_shared(reserve, np.flatnonzero(foreign & ~shown), int((foreign & shown).sum()))
        progress = progress_of(judgement, shown | foreign, self.interesting_from, self.values)
        return Opinion(judgement, int(np.isfinite(own).sum()), reserve, progress)

    def _with_shared(self, reserve: list[int], rated_by_others: np.ndarray, n_shared: int) -> list[int]:
        """Put galaxies that others have rated among the next, so that it is known how far raters agree."""
        n = min(AHEAD * SHARED_IN_BATCH, ENOUGH_SHARED - n_shared, len(rated_by_others))
        if n <= 0:
            return reserve
        some = np.random.default_rng(self.seed + n_shared).permutation(rated_by_others)[:n].tolist()
        for batch, row in enumerate(some):
            reserve.insert(batch * self.n + self.n // 2, row)
        return reserve

    def _read(self, path: Path) -> np.ndarray | None:
        try:
            table = read_ratings(path)
        except (OSError, ValueError) as error:
            log.warning("ratings of another rater are left out: %s", error)
            return None
        if table.meta["galzoo_repr_ratings"] != self._facts:
            log.warning("%s holds ratings of another catalogue, which are left out", path)
            return None
        return ratings_in(table, len(self._given))

    def close(self) -> None:
        """End the thread, and let go of the file."""
        self._stop.set()
        self._wanted.set()
        self._thread.join(timeout=30)
        with self._lock:
            self._file.__exit__(None, None, None)


def _warm_up() -> bool:
    """Import what the first fit needs, while the first galaxies are looked at and not after the first rating."""
    features = np.random.default_rng(0).normal(size=(20, 2))
    InterestModel(n_components=2).fit(features, np.arange(20) % 2.0).predict(features, return_std=True)
    return True


def _given(table: Table, column: str, values: list[float], taken: set[str]) -> np.ndarray:
    """Ratings that the catalogue has already; a `ValueError` if it has something else there, which would be lost."""
    from galzoo_repr.catalogue import read_cells

    if column in taken:
        raise ValueError(f"ratings={column!r} is a column for other things; give another name")
    if column not in table.colnames:
        return np.full(len(table), np.nan)
    cells = read_cells(table[column]) if table[column].shape == (len(table),) else None
    if cells is None or cells.texts or cells.values.dtype.kind not in "buif":
        raise ValueError(
            f"column {column!r} holds no ratings, and would be replaced by them; give another name"
        )
    given = np.asarray(cells.numbers(), dtype=float)
    known = given[np.isfinite(given)]
    if len(known) and not values[0] <= known.min() <= known.max() <= values[-1]:
        raise ValueError(
            f"column {column!r} holds numbers from {known.min():g} to {known.max():g}, but the scale is "
            f"{values[0]:g} to {values[-1]:g}; give their scale, or another name for the ratings"
        )
    return given
