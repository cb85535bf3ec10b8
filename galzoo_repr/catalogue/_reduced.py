"""Catalogues in their principal components, kept from call to call and from run to run."""

import hashlib
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from galzoo_repr._config import cache_path, conf, log
from galzoo_repr._folder import published
from galzoo_repr.catalogue._embeddings import Embeddings
from galzoo_repr.catalogue._fingerprint import fingerprint
from galzoo_repr.catalogue._reduction import Reduction

__all__ = ["ReducedEmbeddings", "reduce_embeddings"]

# Catalogues in memory; while one is searched, ratings may be carried to another.
IN_MEMORY = 2
# Numbers among the embeddings from which on reducing them takes a second or so, more than a file does.
WORTH_A_FILE = 50_000_000
_GIGABYTE = 1e9
_ARRAYS = ("mean", "axes", "explained", "features")
_VERSION = "3"  # of what is computed and how it is written: another one is computed anew


@dataclass(frozen=True)
class ReducedEmbeddings:
    """
    Embeddings of a catalogue in some principal components.

    Attributes
    ----------
    reduction : Reduction
        Which components.
    features : numpy.ndarray of float32, shape (n, k)
        NaN in rows that are not usable. Not to be changed, as they may be given to others too.
    latest : dict
        What was last computed from the features, by name: room for whoever does so, for as long as they are kept.

    Examples
    --------
    >>> from galzoo_repr.catalogue import embedding_matrix, reduce_embeddings
    >>> reduced = reduce_embeddings(embedding_matrix([[1.0, 0.0], [3.0, 0.0], [float("nan"), 1.0]]), 2)
    >>> reduced.reduction.n_components, reduced.features.round(3).tolist()
    (1, [[-1.0], [1.0], [nan]])
    """

    reduction: Reduction
    features: np.ndarray
    latest: dict[str, object] = field(default_factory=dict, compare=False, repr=False)


_kept: OrderedDict[str, ReducedEmbeddings] = OrderedDict()
_keeping = threading.Lock()


def reduce_embeddings(
    embeddings: Embeddings, components: int | Reduction, *, whiten: bool = True, normalise: bool = False
) -> ReducedEmbeddings:
    """
    Express a catalogue in its principal components, or look up what was found when that was last done.

    The two catalogues used last are kept in memory, and recognised by all values of their embeddings, which are read
    for every call. Components that took more than a second or so to find are kept on disk too, for other processes and
    later runs: in the folder ``reductions`` of the package's cache, the ones used last up to ``conf.reductions_size``
    gigabytes. It may be deleted at any time; a file that is damaged is replaced.

    Parameters
    ----------
    embeddings : Embeddings
    components : int or Reduction
        How many components to find, or components that were found before, in this catalogue or another.
    whiten : bool
        Whether to scale every component that is found to unit variance.
    normalise : bool
        Whether to scale all of them by the same number instead, as `Reduction.fit`.

    Returns
    -------
    ReducedEmbeddings

    Raises
    ------
    ValueError
        As from `Reduction.fit` and `Reduction.transform`.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.catalogue import embedding_matrix, reduce_embeddings
    >>> embeddings = embedding_matrix(np.random.default_rng(0).normal(size=(500, 8)))
    >>> once = reduce_embeddings(embeddings, 3)
    >>> once.features.shape
    (500, 3)
    >>> reduce_embeddings(embeddings, 3).features is once.features
    True
    """
    digest = hashlib.sha256(f"{_VERSION} {fingerprint(embeddings)}".encode())
    if isinstance(components, Reduction):
        digest.update(_digest_of(components.mean, components.axes).encode())
    else:
        digest.update(f"{components} {whiten} {normalise}".encode())
    key = digest.hexdigest()
    found = _kept.get(key)
    if found is None and isinstance(components, Reduction):
        found = ReducedEmbeddings(components, components.transform(embeddings))
    elif found is None:
        worth_a_file = embeddings.vectors.size >= WORTH_A_FILE and conf.reductions_size > 0
        found = _from_disk(key) if worth_a_file else None
        if found is None:
            reduction = Reduction.fit(embeddings, components, whiten=whiten, normalise=normalise)
            found = ReducedEmbeddings(reduction, reduction.transform(embeddings))
            if worth_a_file:
                _to_disk(key, found)
    with _keeping:
        _kept[key] = found
        _kept.move_to_end(key)
        while len(_kept) > (IN_MEMORY if conf.reductions_size > 0 else 0):
            _kept.popitem(last=False)
    return found


def _digest_of(*arrays: np.ndarray) -> str:
    """SHA-256 of some arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _path(key: str) -> Path:
    return cache_path("reductions") / f"{key[:32]}.safetensors"


def _to_disk(key: str, found: ReducedEmbeddings) -> None:
    """Write a file for other runs, and remove the ones that were not used for longest."""
    path, parts = _path(key), {**vars(found.reduction), "features": found.features}
    arrays = {name: np.ascontiguousarray(parts[name]) for name in _ARRAYS}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A power cut may cost the file, which can be made again, so nobody waits for the disk.
        with published(path, sync=False) as draft:
            save_file(arrays, draft, metadata={"key": key, "sha256": _digest_of(*arrays.values())})
        _remove_unused(path.parent)
    except (OSError, SafetensorError) as error:
        log.warning("the reduced catalogue is not kept in %s: %s", path.parent, error)


def _remove_unused(folder: Path) -> None:
    """Keep the files that were used last, up to the size allowed; drafts of writers that were killed count as well."""
    left = conf.reductions_size * _GIGABYTE
    files = [(path.stat(), path) for path in folder.glob("*.safetensors")]
    for status, path in sorted(files, key=lambda file: -file[0].st_mtime):
        left -= status.st_size
        if left < 0:
            path.unlink(missing_ok=True)


def _from_disk(key: str) -> ReducedEmbeddings | None:
    """Read what this or another process wrote, if it is there and whole."""
    path = _path(key)
    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            about = file.metadata()
        if about != {"key": key, "sha256": _digest_of(*arrays.values())}:
            raise ValueError("its SHA-256 is not the one it was written with")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, SafetensorError) as error:
        log.warning("%s cannot be used, and the catalogue is reduced anew: %s", path, error)
        return None
    with suppress(OSError):
        # So that it is among those used last; a cache of somebody else can be read all the same.
        os.utime(path)
    features = arrays.pop("features")
    return ReducedEmbeddings(Reduction(**arrays), features)
