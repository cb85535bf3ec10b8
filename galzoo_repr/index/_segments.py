"""Vectors and what they belong to, kept together in the pieces in which they were added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from galzoo_repr._arguments import check_choice
from galzoo_repr.index._ids import common_type

if TYPE_CHECKING:
    import torch

__all__ = ["DTYPES", "METHODS", "Facts", "Segment", "Segments"]

DTYPES = ("float32", "float16")
METHODS = ("auto", "exact", "pynndescent")
_ROWS = 2**15  # looked at at a time
_ROUNDED = 0.01  # by which squared lengths of vectors of 16 bits may differ from one


@dataclass(frozen=True)
class Facts:
    """
    How an index was built, and from what.

    Attributes
    ----------
    given_dim : int
        Dimensions of the embeddings, before any reduction.
    source_rows : int
        Rows of the catalogue, those without an embedding too.
    encoder : str
        Digest of the encoder, "" where unknown.
    embedding : str
        Column of the embeddings.
    ids : str or None
        Column of the ids; "" where they were given by value, None where they are row numbers.
    dtype : {"float32", "float16"}
        How vectors are stored.
    method : {"auto", "exact", "pynndescent"}
        How to search where nothing else is said.
    seed : int
        Of the graph.
    """

    given_dim: int
    source_rows: int
    encoder: str
    embedding: str
    ids: str | None
    dtype: str
    method: str
    seed: int

    def __post_init__(self) -> None:
        texts = (self.encoder, self.embedding, self.dtype, self.method, self.ids or "")
        numbers = (self.given_dim, self.source_rows, self.seed)
        if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, int) for one in numbers):
            raise TypeError(f"{self} mixes texts and whole numbers up")
        if self.given_dim < 1 or self.source_rows < 0:
            raise ValueError(f"there is no index of {self.source_rows} rows of {self.given_dim} dimensions")
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("method", self.method, METHODS)


@dataclass(frozen=True)
class Segment:
    """
    Galaxies added to an index at once.

    Attributes
    ----------
    vectors : numpy.ndarray of float32 or float16, shape (n, k)
        In the space of the index; may be memory-mapped.
    ids : numpy.ndarray, shape (n,)
        Name or number of each galaxy: text, int64 or uint64.
    rows : numpy.ndarray of int64, shape (n,)
        Row of each in the catalogue it came from.
    positions : numpy.ndarray of float64, shape (n, 2)
        Right ascension and declination in degrees, NaN where unknown.
    """

    vectors: np.ndarray
    ids: np.ndarray
    rows: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def check(self, metric: str) -> None:
        """
        Look at all vectors: finite, and for the cosine metric of unit length or zero.

        A `ValueError` if one is not, whose galaxy would never be found, or always.
        """
        for start in range(0, len(self), _ROWS):
            block = self.vectors[start : start + _ROWS].astype(np.float32, copy=False)
            with np.errstate(over="ignore", invalid="ignore"):
                squares = np.vecdot(block, block)
                right = np.isfinite(squares)
                if metric == "cosine":
                    right &= (np.abs(squares - 1) < _ROUNDED) | (squares == 0)
            if not right.all():
                row = start + int(np.argmin(right))
                raise ValueError(
                    f"the index is damaged: vector {row} is not finite, or not of unit length; build it again"
                )


class Segments:
    """All segments of an index, in the order in which they were added, as if they were one array."""

    def __init__(self, pieces: list[Segment]) -> None:
        self.pieces = list(pieces)
        self._tensors: dict[str, list[torch.Tensor]] = {}

    def __reduce__(self) -> tuple:
        return Segments, (self.pieces,)

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def dim(self) -> int:
        """Dimensions of the vectors."""
        return self.pieces[0].vectors.shape[1]

    def tensors(self, device: torch.device) -> list[torch.Tensor]:
        """Vectors of each segment for torch: copied to the device, once, if they fit; else those in memory."""
        import torch

        if str(device) not in self._tensors:
            tensors = [torch.from_numpy(piece.vectors) for piece in self.pieces]
            size = sum(tensor.nbytes for tensor in tensors)
            if device.type == "cuda" and size < 0.7 * torch.cuda.mem_get_info(device)[0]:
                tensors = [tensor.to(device) for tensor in tensors]
            self._tensors[str(device)] = tensors
        return self._tensors[str(device)]

    def take(self, field: str, places: np.ndarray) -> np.ndarray:
        """One attribute (vectors, ids, rows or positions) of the galaxies at these places, shape (m, ...)."""
        parts = [getattr(piece, field) for piece in self.pieces]
        if len(parts) == 1:
            return np.asarray(parts[0][places])
        ends = np.cumsum([len(part) for part in parts])
        piece_of = np.searchsorted(ends, places, side="right")
        out = np.empty((len(places), *parts[0].shape[1:]), dtype=common_type(parts))
        for number in np.unique(piece_of):
            here = piece_of == number
            out[here] = parts[number][places[here] - (ends[number] - len(parts[number]))]
        return out

    def whole(self, field: str) -> np.ndarray:
        """One attribute of all galaxies, shape (n, ...)."""
        parts = [getattr(piece, field) for piece in self.pieces]
        return (
            np.asarray(parts[0])
            if len(parts) == 1
            else np.concatenate(parts, dtype=common_type(parts), casting="unsafe")
        )
