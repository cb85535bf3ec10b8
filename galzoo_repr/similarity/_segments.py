"""Vectors and what they belong to, kept together in the pieces in which they were added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["Segment", "Segments"]


@dataclass(frozen=True)
class Segment:
    """
    Galaxies added to an index at once.

    Attributes
    ----------
    vectors : numpy.ndarray of float32 or float16, shape (n, k)
        In the space of the index; may be memory-mapped.
    ids : numpy.ndarray, shape (n,)
        Name or number of each galaxy.
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


class Segments:
    """
    All segments of an index as if they were one array.

    Parameters
    ----------
    pieces : list of Segment
        In the order in which they were added.
    """

    def __init__(self, pieces: list[Segment]) -> None:
        self.pieces = list(pieces)
        self._tensors: dict[str, list[torch.Tensor]] = {}

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def dim(self) -> int:
        """Dimensions of the vectors."""
        return self.pieces[0].vectors.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return sum(piece.vectors.nbytes for piece in self.pieces)

    def tensors(self, device: str | torch.device) -> list[torch.Tensor]:
        """
        Give the vectors of each segment to torch.

        Parameters
        ----------
        device : str or torch.device
            They are copied to it, once, if they fit; otherwise they share the memory of the arrays.

        Returns
        -------
        list of torch.Tensor
        """
        import torch

        if str(device) not in self._tensors:
            tensors = [torch.from_numpy(piece.vectors) for piece in self.pieces]
            device = torch.device(device)
            if device.type == "cuda" and self.nbytes < 0.7 * torch.cuda.mem_get_info(device)[0]:
                tensors = [tensor.to(device) for tensor in tensors]
            self._tensors[str(device)] = tensors
        return self._tensors[str(device)]

    def take(self, field: str, places: np.ndarray) -> np.ndarray:
        """
        Gather one attribute of some galaxies.

        Parameters
        ----------
        field : {"vectors", "ids", "rows", "positions"}
            Which.
        places : numpy.ndarray of int64, shape (m,)
            Which galaxies.

        Returns
        -------
        numpy.ndarray, shape (m, ...)
        """
        parts = [getattr(piece, field) for piece in self.pieces]
        if len(parts) == 1:
            return np.asarray(parts[0][places])
        ends = np.cumsum([len(part) for part in parts])
        piece_of = np.searchsorted(ends, places, side="right")
        out = np.empty((len(places), *parts[0].shape[1:]), dtype=np.result_type(*parts))
        for number in np.unique(piece_of):
            here = piece_of == number
            out[here] = parts[number][places[here] - (ends[number] - len(parts[number]))]
        return out

    def whole(self, field: str) -> np.ndarray:
        """
        Give one attribute of all galaxies.

        Parameters
        ----------
        field : {"vectors", "ids", "rows", "positions"}
            Which.

        Returns
        -------
        numpy.ndarray, shape (n, ...)
        """
        parts = [getattr(piece, field) for piece in self.pieces]
        return np.asarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)
