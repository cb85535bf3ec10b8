"""Room for the embeddings of a catalogue: in memory, or in a file that is mapped into it."""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from galzoo_repr._config import cache_path, conf
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["new_vectors"]


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


def _mapped(folder: Path, rows: int, dim: int) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    # Where files that are open cannot be removed, this one goes when the array is closed.
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            # A disk that is full is found out here, and not when a page is written.
            os.posix_fallocate(file.fileno(), 0, 4 * rows * dim)
        return np.memmap(
            file, np.float32, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=(rows, dim)
        )
