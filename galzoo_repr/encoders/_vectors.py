"""Room for the embeddings of a catalogue: in memory, or in a file that is mapped into it."""

import os
import tempfile
import warnings
import weakref
from pathlib import Path

import numpy as np

from galzoo_repr._config import cache_path, conf
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["new_vectors", "settled"]


def new_vectors(rows: int, dim: int) -> np.ndarray:
    """
    Zeros of shape ``(rows, dim)``, float32.

    More than ``conf.mapped_above`` gigabytes are a file below the cache, which the system reads and writes as they are
    used. It has no name, lives as long as the array or any view of it, and is gone when the process ends, however
    that comes.
    """
    size = 4 * rows * dim
    if size <= conf.mapped_above * 1e9:
        return np.zeros((rows, dim), dtype=np.float32)
    folder = cache_path("columns")
    try:
        return _mapped(folder, rows, dim)
    except OSError as error:
        warnings.warn(
            f"{size / 1e9:.1f} GB of embeddings stay in memory, because no file for them can be made in {folder}: "
            f"{error}. Another folder: conf.cache_dir.",
            GalzooWarning,
            stacklevel=2,
        )
        return np.zeros((rows, dim), dtype=np.float32)


def settled(vectors: np.ndarray) -> np.ndarray:
    """
    Give what has been filled in as a column is to have it.

    Of a file, what is written from now on is seen by who writes alone, as of any array: processes that were forked
    would share it otherwise.
    """
    if not isinstance(vectors, np.memmap):
        return vectors
    return np.memmap(vectors.file, np.float32, "c", shape=vectors.shape)


def _mapped(folder: Path, rows: int, dim: int) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    # Where files that are open cannot be removed, this one goes when it is closed, and no array needs it.
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    try:
        if hasattr(os, "posix_fallocate"):
            # A disk that is full is found out here, and not when a page is written.
            os.posix_fallocate(file.fileno(), 0, 4 * rows * dim)
        mode = "r+" if hasattr(os, "posix_fallocate") else "w+"
        array = np.memmap(file, np.float32, mode, shape=(rows, dim))
    except BaseException:
        file.close()
        raise
    array.file = file
    weakref.finalize(array, file.close)
    return array
