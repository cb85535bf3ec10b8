"""An index of embeddings that can be saved, opened without being read, added to, and searched many times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_choice, check_whole_number
from galzoo_repr.catalogue import Embeddings, embedding_matrix, read_embeddings
from galzoo_repr.similarity._agreement import check_new_ids, check_same_encoder, check_same_rows
from galzoo_repr.similarity._answers import answer_table
from galzoo_repr.similarity._choice import METHODS
from galzoo_repr.similarity._galaxies import read_galaxies, to_segment
from galzoo_repr.similarity._saved import SavedIndex, save_index
from galzoo_repr.similarity._score import METRICS, mean_direction, similarities
from galzoo_repr.similarity._searcher import Searcher
from galzoo_repr.similarity._segments import Segments
from galzoo_repr.similarity._space import Space

__all__ = ["SimilarityIndex"]

DTYPES = ("float32", "float16")
_BATCH = 16384  # queries answered at a time


class SimilarityIndex:
    """
    Nearest galaxies of many, again and again.

    Make one with `build` or `open`. It holds, together, the vectors that are compared, an id for each, the
    row of the catalogue it came from and its sky position. Galaxies without an embedding are only counted.

    The exact search compares a query with every galaxy; its answers are those of double precision. For very
    many queries a neighbour graph (pynndescent) is quicker, once it is built, and finds nearly all the same
    neighbours. Unless a method is forced, the cheaper one is chosen from the numbers of galaxies and queries
    and the device.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr import SimilarityIndex
    >>> index = SimilarityIndex.build(np.eye(4), ids=["a", "b", "c", "d"])
    >>> index.search([0.0, 0.8, 0.6, 0.0], n=2)["id"].tolist()
    ['b', 'c']
    """

    def __init__(
        self,
        space: Space,
        galaxies: Segments,
        facts: dict[str, object],
        *,
        device: str | None = None,
        saved: SavedIndex | None = None,
    ) -> None:
        self.space, self._facts, self._galaxies, self._saved = space, facts, galaxies, saved
        self._searcher = Searcher(
            galaxies,
            space.metric,
            method=facts["method"],
            seed=facts["seed"],
            device=device,
            load=(lambda: None) if saved is None else saved.load_graph,
            keep=(lambda graph: None) if saved is None else saved.keep_graph,
        )

    @classmethod
    def build(
        cls,
        galaxies: Table | np.ndarray,
        *,
        ids: object = None,
        embedding: str = "embedding",
        coords: object = None,
        metric: str = "cosine",
        components: int | None = None,
        whiten: bool = False,
        dtype: str = "float32",
        method: str = "auto",
        seed: int = 0,
        device: str | None = None,
    ) -> SimilarityIndex:
        """
        Build an index.

        Parameters
        ----------
        galaxies : astropy.table.Table or array-like of float, shape (n, d)
            Catalogue with embeddings, or the embeddings alone.
        ids : str or array-like, shape (n,), optional
            Column of the table, or values, that name each galaxy: whole numbers or text, each once. By
            default the row number.
        embedding : str
            Column of the embeddings.
        coords : str or tuple of str or astropy.coordinates.SkyCoord, optional
            Where the sky positions of the table are, if not under their usual names.
        metric : {"cosine", "euclidean"}
            How embeddings are compared.
        components : int, optional
            Compare only so many principal components of these embeddings (Walmsley et al. 2022 used 10).
        whiten : bool
            Scale every component to unit variance.
        dtype : {"float32", "float16"}
            How vectors are stored. Half precision takes half the memory and disk, and changes a cosine
            similarity by about 1e-4.
        method : {"auto", "exact", "pynndescent"}
            How to search; pynndescent builds its graph at once.
        seed : int
            Of the graph.
        device : str, optional
            Where the exact search runs; by default a GPU if there is one.

        Returns
        -------
        SimilarityIndex

        Raises
        ------
        TypeError, ValueError
            If there are no usable embeddings, ids repeat, or an option has no such value.
        """
        check_choice("metric", metric, METRICS)
        check_choice("dtype", dtype, DTYPES)
        check_choice("method", method, METHODS)
        if not isinstance(seed, int | np.integer):
            raise TypeError(f"seed must be a whole number, not {seed!r}")
        read = read_galaxies(galaxies, ids, embedding, coords)
        if not read.embeddings.usable.any():
            raise ValueError(
                f"none of the {len(read)} galaxies has an embedding; see the column cutout_status for the reasons"
            )
        space = Space.fit(read.embeddings, metric, components, whiten=whiten)
        facts = {
            "given_dim": read.embeddings.dim,
            "source_rows": len(read),
            "encoder": read.embeddings.encoder,
            "embedding": embedding,
            "ids": ids if isinstance(ids, str) else "" if ids is not None else None,
            "dtype": dtype,
            "method": method,
            "seed": int(seed),
        }
        index = cls(space, Segments([to_segment(read, space, dtype, 0)]), facts, device=device)
        if method == "pynndescent":
            index._searcher.ready_graph()
        return index

    def __len__(self) -> int:
        return len(self._galaxies)

    def __repr__(self) -> str:
        reduced = "" if self.space.reduction is None else f" of {self._facts['given_dim']}"
        graph = ", with a neighbour graph" if self.has_graph else ""
        return (
            f"<SimilarityIndex of {len(self)} galaxies ({self.excluded} without embedding left out), "
            f"{self._galaxies.dim}{reduced} dimensions, {self.space.metric}, {self._facts['dtype']}{graph}>"
        )

    @property
    def ids(self) -> np.ndarray:
        """Name or number of each galaxy, shape (n,)."""
        return self._galaxies.whole("ids")

    @property
    def excluded(self) -> int:
        """Number of galaxies left out because they have no embedding."""
        return self._facts["source_rows"] - len(self)

    @property
    def metric(self) -> str:
        """How embeddings are compared."""
        return self.space.metric

    @property
    def explained_variance_ratio(self) -> np.ndarray | None:
        """Share of the variance along each principal component; None where there is no reduction."""
        return None if self.space.reduction is None else self.space.reduction.explained

    @property
    def has_graph(self) -> bool:
        """Whether the neighbour graph has been built."""
        return (self._saved is not None and self._saved.has_graph) or self._searcher.graph is not None

    @property
    def device(self) -> str:
        """Where the exact search runs."""
        return self._searcher.device

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """
        Write the index to a folder, the graph with it if it has been built.

        Parameters
        ----------
        folder : str or pathlib.Path
            Appears only once it is complete.
        overwrite : bool
            Replace an index that is there.

        Raises
        ------
        FileExistsError
            If there is something already.
        """
        save_index(
            Path(folder), self.space, self._galaxies, self._facts, self._searcher.graph, overwrite=overwrite
        )

    @classmethod
    def open(cls, folder: str | Path, *, device: str | None = None) -> SimilarityIndex:
        """
        Open a saved index; vectors are read from disk only as they are needed.

        Parameters
        ----------
        folder : str or pathlib.Path
            Written by `save`.
        device : str, optional
            Where the exact search runs; by default a GPU if there is one.

        Returns
        -------
        SimilarityIndex
            Galaxies added to it are added to the folder too.

        Raises
        ------
        FileNotFoundError
            If there is no index.
        ValueError
            If it is damaged, or was written by a later version.
        """
        saved = SavedIndex(Path(folder))
        return cls(saved.space(), saved.galaxies(), saved.facts, device=device, saved=saved)

    def add(self, galaxies: Table | np.ndarray, *, ids: object = None, coords: object = None) -> None:
        """
        Add galaxies.

        Those of an opened index are written to its folder at once. The principal components and the graph
        stay as they are: the new galaxies are searched exactly until they are a quarter of all; then the
        graph is built again.

        Parameters
        ----------
        galaxies : astropy.table.Table or array-like of float, shape (n, d)
            Embedded by the same encoder.
        ids : str or array-like, shape (n,), optional
            As for `build`; by default the same column, or further row numbers.
        coords : str or tuple of str or astropy.coordinates.SkyCoord, optional
            As for `build`.

        Raises
        ------
        ValueError
            If embeddings are of another encoder or dimension, or an id is in the index already.
        """
        named = self._facts["ids"]
        if ids is None and named == "":
            raise ValueError("the index was built with ids of its own; give ids= for those that are added")
        read = read_galaxies(galaxies, named if ids is None else ids, self._facts["embedding"], coords)
        check_same_encoder(read.embeddings, self._facts)
        offset = self._facts["source_rows"]
        if named is None and ids is None:
            read = read.renumbered(offset)
        check_new_ids(read.ids, self.ids)
        piece = to_segment(read, self.space, self._facts["dtype"], offset)
        facts = {**self._facts, "source_rows": offset + len(read)}
        if self._saved is not None:
            self._saved.add(piece, facts)
        self._facts = facts
        self._galaxies = Segments([*self._galaxies.pieces, piece])
        self._searcher = self._searcher.widened(self._galaxies)

    def search(self, query: Table | np.ndarray, n: int = 10, *, method: str | None = None) -> Table:
        """
        Find the galaxies nearest to each query.

        Parameters
        ----------
        query : array-like of float, shape (d,) or (m, d), or astropy.table.Table
            Embeddings, or a table with embeddings by the same encoder.
        n : int
            Neighbours of each; all galaxies when there are fewer.
        method : {"auto", "exact", "pynndescent"}, optional
            By default as said when the index was built.

        Returns
        -------
        astropy.table.Table
            For each query in turn, best first: ``query`` (its number), ``similarity_rank`` from 1, ``id``,
            ``row`` of the catalogue, ``similarity``, and ``ra`` and ``dec``, NaN where unknown.

        Raises
        ------
        ValueError
            If a query is not finite, is zero, or has other dimensions.
        """
        if isinstance(query, Table):
            embeddings = read_embeddings(query, self._facts["embedding"])
        else:
            embeddings = embedding_matrix(np.atleast_2d(query), "query")
        check_same_encoder(embeddings, self._facts)
        if not embeddings.usable.all():
            bad = np.flatnonzero(~embeddings.usable)
            raise ValueError(
                f"{len(bad)} of {len(embeddings)} queries have no embedding, such as {bad[0]}; leave them out"
            )
        n = min(check_whole_number("n", n), len(self))
        method = self._searcher.choose(len(embeddings), n, method, has_graph=self.has_graph)
        places, similarity = self._searcher.nearest(self.space.project(embeddings.vectors), n, method)
        return answer_table(self._galaxies, places, similarity, self.metric)

    def neighbours(self, n: int = 10, *, method: str | None = None, progress: bool = True) -> Table:
        """
        Find the nearest other galaxies of every galaxy.

        Parameters
        ----------
        n : int
            Neighbours of each; all others when there are fewer.
        method : {"auto", "exact", "pynndescent"}, optional
            By default as said when the index was built.
        progress : bool
            Show a progress bar.

        Returns
        -------
        astropy.table.Table
            As for `search`, where ``query`` is the place of the galaxy in `ids`.
        """
        from tqdm import tqdm

        n = min(check_whole_number("n", n), len(self) - 1)
        places = np.empty((len(self), n), dtype=np.int64)
        similarity = np.empty((len(self), n))
        method = self._searcher.choose(len(self), n, method, has_graph=self.has_graph)
        starts = range(0, len(self), _BATCH)
        for start in tqdm(starts, desc="neighbours", disable=not progress or len(starts) == 1):
            own = np.arange(start, min(start + _BATCH, len(self)))
            vectors = self._galaxies.take("vectors", own).astype(np.float32)
            found, alike = self._searcher.nearest(vectors, n + 1, method)
            # A galaxy comes first among its own neighbours, unless another one has the very same embedding.
            order = np.argsort(found == own[:, None], axis=1, kind="stable")[:, :n]
            places[own] = np.take_along_axis(found, order, axis=1)
            similarity[own] = np.take_along_axis(alike, order, axis=1)
        return answer_table(self._galaxies, places, similarity, self.metric)

    def similarities(
        self,
        examples: np.ndarray,
        negatives: np.ndarray | None = None,
        *,
        contrast: bool = False,
        **how: object,
    ) -> np.ndarray:
        """
        Similarity of every row of the catalogue to examples, in the space of the index.

        Parameters
        ----------
        examples, negatives : numpy.ndarray of float, shape (m, d)
            Embeddings to be like, and unlike.
        contrast : bool
            Subtract the mean similarity to the catalogue.
        **how : object
            `weights` and `combine`, as for `galzoo_repr.find_similar`.

        Returns
        -------
        numpy.ndarray of float64, shape (rows of the catalogue,)
            NaN for galaxies without an embedding.
        """
        examples, negatives = (v if v is None else self.space.project(v) for v in (examples, negatives))
        parts = [Embeddings(p.vectors, np.ones(len(p), dtype=bool)) for p in self._galaxies.pieces]
        how["background"] = None
        if contrast:
            how["background"] = sum(mean_direction(part) * len(part) for part in parts) / len(self)
        result = np.full(self._facts["source_rows"], np.nan)
        for piece, part in zip(self._galaxies.pieces, parts, strict=True):
            result[piece.rows] = similarities(part, examples, negatives, metric=self.metric, **how)
        return result

    def check_table(self, embeddings: Embeddings) -> None:
        """
        Check that a catalogue is the one the index was built from, by its length and a sample of its rows.

        Parameters
        ----------
        embeddings : Embeddings
            Of the catalogue.

        Raises
        ------
        ValueError
            If it is not.
        """
        check_same_encoder(embeddings, self._facts)
        check_same_rows(embeddings, self.space, self._galaxies, self._facts["source_rows"])
