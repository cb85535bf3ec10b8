"""What is known of each row of a catalogue that is being embedded: its image, how that went, and the embedding."""

from collections.abc import Callable

import numpy as np

from galzoo_repr.encoders._vectors import new_vectors
from galzoo_repr.images import Picture

__all__ = ["Outcome"]


class Outcome:
    """
    Rows in the making; threads fill in different ones.

    Parameters
    ----------
    rows, dim : int
        Rows of the catalogue, and length of an embedding.
    after : callable, optional
        Called in a thread with rows whose embeddings are there and, if they are kept anywhere, kept.

    Attributes
    ----------
    vectors : numpy.ndarray
        float32, shape (rows, dim); NaN where there is none. Large ones are a file: see `new_vectors`.
    embedded : numpy.ndarray
        bool, shape (rows,): which rows have one.
    copied : numpy.ndarray
        bool, shape (rows,): which have that of another row with the same image.
    paths, statuses : list of str
        Of each row.
    reasons : dict of int to str
        Why a status is what it is, for some rows.
    """

    def __init__(self, rows: int, dim: int, after: Callable[[list[int]], None] | None = None) -> None:
        self.vectors = new_vectors(rows, dim)
        self.embedded, self.copied = np.zeros((2, rows), dtype=bool)
        self.paths, self.statuses = [""] * rows, [""] * rows
        self.reasons: dict[int, str] = {}
        self._after = after
        self._first_row: dict[bytes, int] = {}
        self._duplicates: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.paths)

    def note(self, row: int, picture: Picture) -> bool:
        """Write down what is known without reading; whether there is something to read."""
        self.paths[row], self.statuses[row] = picture.path, picture.status
        self.reasons.pop(row, None)
        if picture.reason:
            self.reasons[row] = picture.reason
        return picture.source is not None or bool(picture.key)

    def fail(self, row: int, status: str, reason: str) -> None:
        """Write down why a row has no embedding."""
        self.statuses[row], self.reasons[row] = status, reason

    def have(self, rows: list[int], *, kept: bool) -> None:
        """Write down that the vectors of rows are their embeddings."""
        self.embedded[rows] = True
        if self._after is not None and rows and kept:
            self._after(rows)

    def is_asked_for(self, key: bytes) -> bool:
        """Whether a row with this image is on its way."""
        return key in self._first_row

    def comes_again(self, row: int, key: bytes) -> bool:
        """Whether another row with the same image is on its way, from which this one will have its embedding."""
        first = self._first_row.setdefault(key, row)
        if first != row:
            self._duplicates.append((row, first))
        return first != row

    def complete(self) -> None:
        """Give rows that show the same image the same result, and NaN to those that have none."""
        for row, first in self._duplicates:
            self.vectors[row], self.embedded[row] = self.vectors[first], self.embedded[first]
            if self.statuses[first] not in ("ok", self.statuses[row]):
                self.statuses[row] = self.statuses[first]
            if first in self.reasons:
                self.reasons[row] = self.reasons[first]
            self.copied[row] = self.embedded[first]
        # In another try the rows that failed may show something else.
        self._duplicates.clear()
        self._first_row = {key: row for key, row in self._first_row.items() if self.embedded[row]}
        self.vectors[~self.embedded] = np.nan
