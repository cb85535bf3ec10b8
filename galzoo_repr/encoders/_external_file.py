"""The file of published embeddings: its features are read for the galaxies that are wanted, and not all at once."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr.catalogue import read_catalogue
from galzoo_repr.encoders._external_columns import features_of, named_columns

__all__ = ["Published"]

# Columns that differ only by a number and are as many are features of some kind, and no ids or positions.
_FEATURES = 8


class Published:
    """
    What was published: ids and positions in memory, and features on demand.

    Attributes
    ----------
    table : Table
        All columns of a table; of a Parquet file those that may be ids or positions.
    names : list of str
        Columns of the features, in order.
    """

    def __init__(self, file: Path | Table, columns: str | Sequence[str], ids: str | None) -> None:
        self._parts = None
        if not isinstance(file, Table) and _is_parquet(file):
            from galzoo_repr.catalogue import ParquetParts

            self._parts = ParquetParts(file)
            head = self._parts.head()
            if ids is not None and ids not in head.colnames:
                raise ValueError(_no_ids(ids, head))
            self.names = named_columns(head, columns)
            others = _beside_features(self._parts.flat, self.names, ids)
            self.table = self._parts.table(others) if others else head
            return
        self.table = file if isinstance(file, Table) else read_catalogue(file)
        if ids is not None and ids not in self.table.colnames:
            raise ValueError(_no_ids(ids, self.table))
        self.names = named_columns(self.table, columns)

    def __len__(self) -> int:
        return len(self.table)

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Features of some rows, float32 of shape (len(rows), number of features), NaN where they are missing."""
        if self._parts is None:
            return features_of(self.table, self.names, rows)
        order = np.argsort(rows, kind="stable")
        ordered, found = rows[order], None
        for start, part in self._parts.parts(self.names):
            first, end = np.searchsorted(ordered, [start, start + len(part)])
            if first == end:
                continue
            values = features_of(part, named_columns(part, self.names), ordered[first:end] - start)
            if found is None or found.shape[1] < values.shape[1]:
                found = _wider(found, len(rows), values.shape[1])
            if values.shape[1] != found.shape[1] and not np.isnan(values).all():
                raise ValueError(
                    f"the vectors of {self.names[0]!r} are of several lengths, {found.shape[1]} and {values.shape[1]}; "
                    "give another column with columns="
                )
            found[order[first:end]] = values
        return np.empty((0, len(self.names)), np.float32) if found is None else found


def _wider(found: np.ndarray | None, rows: int, width: int) -> np.ndarray:
    """Room for features; what was there before are cells without any, which have no width."""
    if found is not None and np.isfinite(found).any():
        raise ValueError(
            f"the vectors of the file are of several lengths, {found.shape[1]} and {width}; give columns= with one "
            "number per row, or a column of vectors of one length"
        )
    return np.full((rows, width), np.nan, dtype=np.float32)


def _is_parquet(file: Path) -> bool:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(4) == b"PAR1"
    except OSError:
        return False  # which read_catalogue tells


def _beside_features(flat: list[str], features: list[str], ids: str | None) -> list[str]:
    """Columns that may be ids or positions."""
    family = {name: re.sub(r"\d+(?=\D*$)", "*", name) for name in flat}
    members = Counter(family.values())
    kept = [name for name in flat if name not in features and members[family[name]] < _FEATURES]
    return kept if ids is None or ids in kept else [*kept, ids]


def _no_ids(name: str, table: Table) -> str:
    return f"the file has no column {name!r} of match (columns: {', '.join(table.colnames[:20])})"
