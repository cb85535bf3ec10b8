"""Ratings on disk: one line each, there before the next galaxy is shown."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import TracebackType

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_path, some_of
from galzoo_repr._config import log
from galzoo_repr._folder import locked, publish, read_json
from galzoo_repr.catalogue import Embeddings

__all__ = ["RatingsFile", "catalogue_facts", "interests_in", "ratings_in", "read_ratings"]

ENDING = ".ratings.ecsv"  # of files in a folder that may hold several interests
META = "galzoo_repr_ratings"
_ROWS = 16_384  # embeddings digested at once
COLUMNS = {
    "round": (
        "int64",
        "Batch of galaxies that this one was chosen with; negative: its last rating is taken back",
    ),
    "row": ("int64", "Row of the catalogue, counted from 0"),
    "rating": ("float64", "Rating, higher is more interesting; nan if not given"),
    "time": ("str", "When the rating was given, UTC"),
}


def catalogue_facts(embeddings: Embeddings, ratings: str) -> dict:
    """
    Facts by which a file of ratings of some interest recognises its catalogue.

    Examples
    --------
    >>> from galzoo_repr.anomaly import catalogue_facts
    >>> from galzoo_repr.catalogue import embedding_matrix
    >>> facts = catalogue_facts(embedding_matrix([[1.0, 0.0], [0.6, 0.8]]), "rings")
    >>> facts["galaxies"], facts["interest"], facts["embeddings"][:8]
    (2, 'rings', 'e1941ff8')
    """
    return {"galaxies": len(embeddings), "embeddings": _fingerprint(embeddings), "interest": ratings}


def _fingerprint(embeddings: Embeddings) -> str:
    """SHA-256 of the shape and the values in single precision, in whatever float and byte order they are kept."""
    digest = hashlib.sha256(repr(embeddings.vectors.shape).encode())
    for start in range(0, len(embeddings), _ROWS):
        rows = np.ascontiguousarray(embeddings.vectors[start : start + _ROWS], dtype="<f4")
        digest.update(np.where(np.isnan(rows), np.float32(np.nan), rows).astype("<f4").tobytes())
    return digest.hexdigest()


class RatingsFile:
    """
    An ECSV file of ratings that is only ever appended to, held by one process at a time.

    Use it as a context manager. Each line goes to the disk (``fsync``) before `append` returns. A line that a
    crash cut short is dropped when the file is opened again; every line before it is kept. The lock is the
    operating system's, so that it ends with the process that holds it, however that ends.

    Parameters
    ----------
    path : str or pathlib.Path
        Made if it does not exist, with all folders above it.
    catalogue : dict
        Facts by which the catalogue is recognised, written into a new file; an existing file must have the
        same.

    Raises
    ------
    BlockingIOError
        If another process, or another loop in this one, holds the file.
    ValueError
        If the file is none of ratings, or was written for another catalogue.

    Examples
    --------
    >>> import tempfile
    >>> from galzoo_repr.anomaly import RatingsFile
    >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {"galaxies": 3}) as file:
    ...     file.append(1, 2, 5.0)
    ...     file.last_round, file.given()
    (1, [(1, 2, 5.0)])
    """

    def __init__(self, path: str | Path, catalogue: dict):
        self.path = check_path(path, "a file of ratings")
        self.catalogue = catalogue
        self._entries: list[tuple[int, int, float]] = []

    def __enter__(self) -> "RatingsFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(locked(self.path, wait=0, by="another rating loop"))
            self._read()
            self._file = held.enter_context(self.path.open("ab", buffering=0))
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _read(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            publish(self.path, _header(self.catalogue).encode())
        else:
            _drop_torn_line(self.path)
        table = read_ratings(self.path)
        for name, value in self.catalogue.items():
            found = table.meta[META].get(name)
            if found != value:
                if name == "interest":
                    raise ValueError(
                        f"{self.path} holds ratings of another interest, {found!r}, not {value!r}: name that one, or "
                        "keep this one in another file or folder"
                    )
                raise ValueError(
                    f"{self.path} holds ratings of another catalogue ({name}: {found!r}, not {value!r}); "
                    "use the catalogue it was made with, or give another path"
                )
        self._entries = list(zip(*(table[name].tolist() for name in ("round", "row", "rating")), strict=True))

    @property
    def last_round(self) -> int:
        """Number of the latest batch anything was rated of, or 0."""
        return max((abs(entry[0]) for entry in self._entries), default=0)

    def given(self) -> list[tuple[int, int, float]]:
        """
        Round, row and rating of everything that was shown and not taken back, in the order of the answers.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, 5.0)
        ...     file.given()
        [(1, 2, 5.0)]
        """
        return standing(self._entries)

    def asked(self) -> list[int]:
        """
        Rows that were shown, rated or not.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, float("nan"))
        ...     file.asked()
        [2]
        """
        return [row for _, row, _ in self.given()]

    def ratings(self, given: np.ndarray, *, before: int | None = None) -> np.ndarray:
        """
        Ratings of every row: those given, float64 of shape (n,), replaced by those in the file, the later the better.

        With `before`, that round and those after it are left out.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, 5.0)
        ...     file.ratings(np.array([1.0, np.nan, 2.0]))
        array([ 1., nan,  5.])
        """
        ratings = given.copy()
        for number, row, rating in self.given():
            if before is None or number < before:
                ratings[row] = rating
        return ratings

    def take_back(self) -> int | None:
        """
        Take back the last answer that still stands, and give its row; None where there is none.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, 5.0)
        ...     file.take_back(), file.given()
        (2, [])
        """
        if not (given := self.given()):
            return None
        number, row, _ = given[-1]
        self.append(-number, row, float("nan"))
        return row

    def append(self, number: int, row: int, rating: float) -> None:
        """
        Add one rating, NaN if the galaxy was looked at but not rated; it is on the disk when this returns.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile, read_ratings
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, 5.0)
        ...     read_ratings(file.path)["rating"].tolist()
        [5.0]
        """
        line = f"{number},{row},{float(rating)!r},{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}\n".encode()
        written = os.write(self._file.fileno(), line)
        if written != len(line):
            raise OSError(f"only part of a rating could be written to {self.path}: is the disk full?")
        os.fsync(self._file.fileno())
        self._entries.append((number, row, rating))

    def plan(self, number: int, rows: list[int], *, sync: bool = True) -> None:
        """
        Note which rows a round shows, before it shows the first; without `sync` a power cut may lose the note.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.plan(1, [2, 0])
        ...     file.unfinished()
        (1, [2, 0])
        """
        publish(self._plan_path, json.dumps({"round": number, "rows": rows}).encode(), sync=sync)

    def unfinished(self) -> tuple[int, list[int]]:
        """
        Give the round that was interrupted and all its rows, or the next round and none.

        Examples
        --------
        >>> import tempfile
        >>> from galzoo_repr.anomaly import RatingsFile
        >>> with tempfile.TemporaryDirectory() as folder, RatingsFile(f"{folder}/mine.ecsv", {}) as file:
        ...     file.append(1, 2, 5.0)
        ...     file.unfinished()
        (2, [])
        """
        try:
            noted = read_json(self._plan_path)
            number, rows = int(noted["round"]), [int(row) for row in noted["rows"]]
        except FileNotFoundError:
            return self.last_round + 1, []
        except (ValueError, KeyError, TypeError):
            log.warning("%s is unreadable; the next galaxies are chosen anew", self._plan_path)
            return self.last_round + 1, []
        if number >= self.last_round and set(rows) - set(self.asked()):
            return number, rows
        return self.last_round + 1, []

    @property
    def _plan_path(self) -> Path:
        return self.path.with_name(self.path.name + ".next")


def read_ratings(path: str | Path) -> Table:
    """
    Read a file of ratings, also while a loop writes to it.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Table
        Columns ``round``, ``row``, ``rating`` and ``time``, in the order in which the ratings were given. A line with
        a negative round takes back the last one of this round and row; `ratings_in` heeds that.

    Raises
    ------
    ValueError
        If it is no such file.

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.anomaly import read_ratings
    >>> sky = gzr.SimulatedSurvey(seed=1).catalogue(20)
    >>> sky["embedding"] = [[mag, radius] for mag, radius in sky["mag_r", "petro_th50"].iterrows()]
    >>> rated = gzr.rate(sky, lambda galaxy: 20 - galaxy["mag_r"], path="bright.ecsv", max_ratings=3, progress=False)
    >>> read_ratings("bright.ecsv").colnames
    ['round', 'row', 'rating', 'time']
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        raise ValueError(f"{path} is not a file of ratings: it has not one whole line")
    try:
        # As lines: text of one line would be taken for the name of a file.
        table = Table.read(whole.splitlines(), format="ascii.ecsv")
    except Exception as error:
        raise ValueError(f"{path} is not a file of ratings: {error}") from error
    if table.colnames != list(COLUMNS) or META not in table.meta:
        raise ValueError(f"{path} is not a file of ratings: it has columns {some_of(table.colnames)}")
    return table


def interests_in(folder: Path) -> dict[str, list[str]]:
    """For each interest of which a folder has files ``*.ratings.ecsv``, what these are called, without the ending."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            interest = read_ratings(path).meta[META]["interest"]
        except (OSError, ValueError, LookupError, TypeError):  # damaged, which whoever opens it is told
            continue
        found.setdefault(str(interest), []).append(path.name.removesuffix(ENDING))
    return found


def ratings_in(table: Table, n_rows: int) -> np.ndarray:
    """
    Ratings that stand in what `read_ratings` gave.

    Parameters
    ----------
    table : Table
    n_rows : int
        Of the catalogue.

    Returns
    -------
    float64 array of shape (n_rows,)
        NaN where a galaxy is not rated, or its rating was taken back.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.anomaly import ratings_in
    >>> given = Table({"round": [1, 1, -1], "row": [2, 0, 0], "rating": [5.0, 3.0, float("nan")]})
    >>> ratings_in(given, 3)
    array([nan, nan,  5.])
    """
    values = np.full(n_rows, np.nan)
    entries = zip(*(table[name].tolist() for name in ("round", "row", "rating")), strict=True)
    for _, row, rating in standing(list(entries)):
        if 0 <= row < n_rows:
            values[row] = rating
    return values


def standing(entries: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Entries (round, row, rating) without those that were taken back, and without the lines that say so."""
    left: list[tuple[int, int, float]] = []
    for number, row, rating in entries:
        if number >= 0:
            left.append((number, row, rating))
            continue
        # Only the last answer is ever taken back, but a file may have been edited.
        at = next((i for i in range(len(left) - 1, -1, -1) if left[i][:2] == (-number, row)), None)
        if at is not None:
            del left[at]
    return left


def _header(catalogue: dict) -> str:
    table = Table(names=list(COLUMNS), dtype=[dtype for dtype, _ in COLUMNS.values()], meta={META: catalogue})
    for name, (_, description) in COLUMNS.items():
        table[name].description = description
    text = StringIO()
    table.write(text, format="ascii.ecsv", delimiter=",")
    return text.getvalue()


def _drop_torn_line(path: Path) -> None:
    """Cut off what a crash left of a line."""
    body = path.read_bytes()
    whole = body.rfind(b"\n") + 1
    if whole < len(body):
        log.warning("%s ended within a line, which was dropped: %r", path, body[whole:])
        with path.open("rb+") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
