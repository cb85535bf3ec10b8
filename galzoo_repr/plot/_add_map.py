"""A catalogue goes in, the same catalogue with a place on a map for each galaxy comes out."""

import warnings
from importlib.metadata import version

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._arguments import check_choice, check_number, check_seed, check_whole_number
from galzoo_repr._progress import progress_bar
from galzoo_repr.catalogue import (
    Embeddings,
    as_table,
    read_embeddings,
    reduce_embeddings,
    refuse_existing,
    with_columns,
)
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["add_map"]

METHODS = ("pca", "umap")
_COMPONENTS = 50  # that UMAP sees: of a wide embedding the others are little else than noise
_CHUNK = 20_000  # galaxies placed at once on a map that was made of others
_LEAST = 4  # galaxies of which UMAP makes a map


def add_map(
    table: Table | SkyCoord,
    *,
    method: str = "pca",
    embedding: str = "embedding",
    sample: int = 50_000,
    neighbours: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    name: str = "map",
    overwrite: bool = False,
    progress: bool = True,
) -> Table:
    """
    Give every galaxy a place on a map, on which galaxies that look alike are close together.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`
        Catalogue with embeddings; never changed.
    method : {"pca", "umap"}, optional
        Principal components, which take a moment and keep distances between far galaxies; or UMAP (McInnes, Healy
        and Melville 2018, arXiv:1802.03426), which is slow and keeps neighbours together. It needs umap-learn.
    embedding : str, optional
        Column of embeddings, shape (n, d).
    sample : int, optional
        For UMAP: how many galaxies to make the map of, chosen at random where there are more; the others are then
        placed among them.
    neighbours : int, optional
        For UMAP: how many neighbours of a galaxy are to stay close to it; with more the map shows larger structures.
    min_dist : float, optional
        For UMAP: how close galaxies may lie, from 0 to 1.
    seed : int, optional
        For UMAP: everything random follows from it.
    name : str, optional
        What the columns begin with.
    overwrite : bool, optional
        Replace columns of these names.
    progress : bool, optional
        Show a progress bar.

    Returns
    -------
    `~astropy.table.Table`
        Of the same class, with the columns ``map_x`` and ``map_y``, float32, NaN where a galaxy has no usable
        embedding. Principal components have a sign of their own, the same for the same embeddings.

    Raises
    ------
    TypeError, ValueError
        If an argument or the column of embeddings is not what it must be, or the columns are there already.
    ImportError
        If UMAP is asked for and umap-learn is not installed.

    Warns
    -----
    GalzooWarning
        If some galaxies have no usable embedding: how many.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"embedding": np.random.default_rng(1).normal(size=(200, 8))})
    >>> gzr.add_map(cat).colnames
    ['embedding', 'map_x', 'map_y']
    """
    table = as_table(table, copy=False)
    check_choice("method", method, METHODS)
    options = {
        "sample": check_whole_number("sample", sample, _LEAST),
        "neighbours": check_whole_number("neighbours", neighbours, 2),
        "min_dist": min_dist,
        "seed": check_seed(seed),
    }
    check_number("min_dist", min_dist, 0, 1)
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be text, not {type(name).__name__}")
    columns = [f"{name}_x", f"{name}_y"]
    refuse_existing(table, columns, overwrite=overwrite)
    embeddings = read_embeddings(table, embedding)
    make_umap = _umap() if method == "umap" else None
    _warn_of_unusable(embeddings, embedding)
    facts: dict[str, object] = {"method": method, "embedding": embedding, "name": name}
    if method == "pca" or not _varies(embeddings, _LEAST):
        places, more = _principal(embeddings)
        said = [f"{order} principal component of {embedding}" for order in ("First", "Second")]
    else:
        places, more = _neighbourly(embeddings, make_umap, **options, progress=progress)
        said = [f"{axis} on a map of {embedding} by UMAP" for axis in ("Across", "Up")]
    return with_columns(
        table,
        {
            column: Column(np.ascontiguousarray(places[:, axis]), description=said[axis])
            for axis, column in enumerate(columns)
        },
        overwrite=overwrite,
        provenance=facts | more,
        call="add_map",
    )


def _warn_of_unusable(embeddings: Embeddings, embedding: str) -> None:
    n = len(embeddings) - int(embeddings.usable.sum())
    if n:
        text = f"{n} of {len(embeddings)} galaxies have no usable embedding in column {embedding!r} and get no place"
        warnings.warn(text, GalzooWarning, stacklevel=3)


def _varies(embeddings: Embeddings, least: int = 2) -> bool:
    """Whether there are galaxies that differ, so many at least."""
    rows = np.flatnonzero(embeddings.usable)
    if len(rows) < least:
        return False
    first = embeddings.vectors[rows[0]]
    return any(
        (embeddings.vectors[part] != first).any() for part in np.array_split(rows, len(rows) // 8192 + 1)
    )


def _principal(embeddings: Embeddings) -> tuple[np.ndarray, dict]:
    """Two principal components; galaxies all of which are the same lie on one place."""
    places = np.full((len(embeddings), 2), np.nan, dtype=np.float32)
    places[embeddings.usable] = 0
    explained: list[float] = []
    if _varies(embeddings):
        reduced = reduce_embeddings(embeddings, 2, whiten=False)
        places[embeddings.usable, : reduced.features.shape[1]] = reduced.features[embeddings.usable]
        explained = reduced.reduction.explained.tolist()
    return places, {"explained_variance": explained}


def _umap() -> type:
    try:
        import umap
    except ImportError as error:
        raise ImportError(
            'method="umap" needs umap-learn: pip install "galzoo_repr[umap]"; method="pca" needs nothing more'
        ) from error
    return umap.UMAP


def _neighbourly(
    embeddings: Embeddings,
    make_umap: type,
    *,
    sample: int,
    neighbours: int,
    min_dist: float,
    seed: int,
    progress: bool,
) -> tuple[np.ndarray, dict]:
    """Map of a sample by UMAP, on which all others are placed."""
    features = reduce_embeddings(
        embeddings, min(_COMPONENTS, embeddings.dim), whiten=False, normalise=True
    ).features
    rows = np.flatnonzero(embeddings.usable)
    chosen = rows
    if len(rows) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    others = np.setdiff1d(rows, chosen, assume_unique=True)
    # One thread, as several give another map each time.
    mapper = make_umap(
        n_neighbors=min(neighbours, len(chosen) - 1),
        min_dist=min_dist,
        random_state=seed,
        n_jobs=1,
        # Its spectral start fails for catalogues in pieces, and needs much memory for large ones.
        init=_start(features[chosen]),
    )
    places = np.full((len(embeddings), 2), np.nan, dtype=np.float32)
    with progress_bar(len(rows), "map", "galaxy", shown=progress) as bar:
        places[chosen] = mapper.fit_transform(features[chosen])
        bar.update(len(chosen))
        for start in range(0, len(others), _CHUNK):
            part = others[start : start + _CHUNK]
            places[part] = mapper.transform(features[part])
            bar.update(len(part))
    facts = {
        "sample": len(chosen),
        "neighbours": neighbours,
        "min_dist": float(min_dist),
        "seed": seed,
        "components": features.shape[1],
        "umap_learn": version("umap-learn"),
    }
    return places, facts


def _start(features: np.ndarray) -> np.ndarray:
    """First two components in the range in which UMAP begins, with a little noise that tells copies apart."""
    first = np.zeros((len(features), 2), dtype=np.float32)
    first[:, : min(2, features.shape[1])] = features[:, :2]
    noise = np.random.default_rng(0).normal(0, 1e-3, first.shape)
    return (10 * first / max(float(np.abs(first).max()), 1e-12) + noise).astype(np.float32)
