"""An index of embeddings that can be saved, opened without being read, added to, and searched many times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike

from galzoo_repr._arguments import check_choice, check_path, check_whole_number
from galzoo_repr.catalogue import Embeddings
from galzoo_repr.index._answer import answer_table
from galzoo_repr.index._engine import Engine
from galzoo_repr.index._ids import check_new_ids
from galzoo_repr.index._ingest import (
    check_same_encoder,
    check_same_rows,
    read_galaxies,
    read_queries,
    to_segment,
)
from galzoo_repr.index._segments import DTYPES, METHODS, Facts, Segments
from galzoo_repr.index._space import METRICS, Space
from galzoo_repr.index._storage import SavedIndex, save_index

__all__ = ["SimilarityIndex"]


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
    >>> index.ids.tolist(), index.metric, index.excluded, index.has_graph
    (['a', 'b', 'c', 'd'], 'cosine', 0, False)
    >>> fewer = SimilarityIndex.build(np.eye(4), components=2, device="cpu")
    >>> fewer.explained_variance_ratio.round(2).tolist(), fewer.device
    ([0.33, 0.33], 'cpu')
    """

    def __init__(
        self,
        space: Space,
        galaxies: Segments,
        facts: Facts,
        *,
        device: str | None = None,
        saved: SavedIndex | None = None,
    ) -> None:
        self.space, self._facts, self._galaxies, self._saved = space, facts, galaxies, saved
        self._engine = Engine(
            galaxies, space.metric, method=facts.method, seed=facts.seed, device=device, saved=saved
        )

    @classmethod
    def build(
        cls,
        galaxies: Table | ArrayLike,
        *,
        ids: str | ArrayLike | None = None,
        embedding: str = "embedding",
        coords: str | tuple[str, str] | SkyCoord | None = None,
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
            Column of the table, or values, that name each galaxy: whole numbers of up to 64 bits, signed or not,
            or text, each once. They are kept exactly. By default the row number.
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
            If there are no usable embeddings; ids repeat, are missing, or are real numbers, which may have lost
            digits; or an option has no such value.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build(np.eye(4), ids=["a", "b", "c", "d"])
        >>> len(index)
        4
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
        facts = Facts(
            given_dim=read.embeddings.dim,
            source_rows=len(read),
            encoder=read.embeddings.encoder,
            embedding=embedding,
            ids=ids if isinstance(ids, str) else "" if ids is not None else None,
            dtype=dtype,
            method=method,
            seed=int(seed),
        )
        index = cls(space, Segments([to_segment(read, space, facts)]), facts, device=device)
        if method == "pynndescent":
            index._engine.ready_graph()
        return index

    def __len__(self) -> int:
        return len(self._galaxies)

    def __repr__(self) -> str:
        reduced = "" if self.space.reduction is None else f" of {self._facts.given_dim}"
        graph = ", with a neighbour graph" * self.has_graph
        return (
            f"<SimilarityIndex of {len(self)} galaxies ({self.excluded} without embedding left out), "
            f"{self._galaxies.dim}{reduced} dimensions, {self.space.metric}, {self._facts.dtype}{graph}>"
        )

    @property
    def ids(self) -> np.ndarray:
        """Name or number of each galaxy, shape (n,), read-only."""
        return _to_be_read(self._galaxies.whole("ids"))

    @property
    def excluded(self) -> int:
        """Number of galaxies left out because they have no embedding."""
        return self._facts.source_rows - len(self)

    @property
    def metric(self) -> str:
        """How embeddings are compared."""
        return self.space.metric

    @property
    def explained_variance_ratio(self) -> np.ndarray | None:
        """Share of the variance along each principal component; None where there is no reduction."""
        return None if self.space.reduction is None else _to_be_read(self.space.reduction.explained)

    @property
    def has_graph(self) -> bool:
        """Whether the neighbour graph has been built."""
        return self._engine.has_graph

    @property
    def device(self) -> str:
        """Where the exact search runs."""
        return self._engine.device

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """
        Write the index to a folder, the graph with it if it has been built.

        Parameters
        ----------
        folder : str or pathlib.Path
            Holds no index until this one is complete, or the one that was there.
        overwrite : bool
            Replace an index that is there, all at once.

        Raises
        ------
        FileExistsError
            If there is something already.
        BlockingIOError
            If another process goes on writing to the folder.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build(np.eye(4))
        >>> index.save("galaxies.index")
        >>> index.save("galaxies.index", overwrite=True)
        """
        folder = check_path(folder, "an index")
        saved = save_index(
            folder, self.space, self._galaxies, self._facts, self._engine.graph, overwrite=overwrite
        )
        if self._saved is not None and self._saved.folder.resolve() == folder.resolve():
            self._saved = self._engine.saved = saved

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

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> SimilarityIndex.build(np.eye(4)).save("galaxies.index")
        >>> len(SimilarityIndex.open("galaxies.index"))
        4
        """
        saved = SavedIndex(check_path(folder, "an index"))
        return cls(saved.space, saved.galaxies, saved.facts, device=device, saved=saved)

    def verify(self) -> None:
        """
        Read the whole folder of an index that was opened, and compare every array with its digest.

        `open` looks at all but the values of the vectors and the graph (0.1 s for 10^6 galaxies), this at all (1 s/GB).

        Raises
        ------
        ValueError
            If a file is another than was written, or there are no digests, as of an index in memory.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> SimilarityIndex.build(np.eye(4)).save("galaxies.index")
        >>> SimilarityIndex.open("galaxies.index").verify()
        """
        if self._saved is None or not self._saved.verify():
            raise ValueError("there are no digests to compare with: save the index, and open what was saved")

    def __reduce__(self) -> tuple:
        """Other processes open the folder of an opened index; one in memory goes whole, without its graph."""
        device = self._engine.asked_device
        if saved := self._saved:
            return partial(type(self).open, device=device), (str(saved.folder.resolve()),)
        return partial(type(self), device=device), (self.space, self._galaxies, self._facts)

    def add(
        self,
        galaxies: Table | ArrayLike,
        *,
        ids: str | ArrayLike | None = None,
        coords: str | tuple[str, str] | SkyCoord | None = None,
    ) -> None:
        """
        Add galaxies.

        Those of an opened index are written to its folder at once, after those that other processes have
        added since it was opened; these are found by this index from then on, too. The principal components
        and the graph stay as they are: the new galaxies are searched exactly until they are a quarter of all;
        then the graph is built again.

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
            If embeddings are of another encoder or dimension, an id is in the index already, or another index
            has been saved to its folder since it was opened.
        BlockingIOError
            If another process goes on writing to the folder.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build(np.eye(4), ids=["a", "b", "c", "d"])
        >>> index.add([[0.0, 0.0, 1.0, 1.0]], ids=["e"])
        >>> index.search([0.0, 0.0, 1.0, 1.0], n=1)["id"].tolist()
        ['e']
        """
        named = self._facts.ids
        if ids is None and named == "":
            raise ValueError("the index was built with ids of its own; give ids= for those that are added")
        read = read_galaxies(galaxies, named if ids is None else ids, self._facts.embedding, coords)
        check_same_encoder(read.embeddings, self._facts)
        with nullcontext() if self._saved is None else self._saved.held():
            if self._saved is not None:
                self._grow(self._saved.galaxies, self._saved.facts)
            offset = self._facts.source_rows
            if named is None and ids is None:
                read = read.renumbered(offset)
            check_new_ids(read.ids, self.ids)
            piece = to_segment(read, self.space, self._facts, offset)
            facts = replace(self._facts, source_rows=offset + len(read))
            if self._saved is not None:
                self._saved.add(piece, facts)
            self._grow(Segments([*self._galaxies.pieces, piece]), facts)

    def _grow(self, galaxies: Segments, facts: Facts) -> None:
        self._galaxies = self._engine.galaxies = galaxies
        self._facts = facts

    def search(self, query: Table | ArrayLike, n: int = 10, *, method: str | None = None) -> Table:
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

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build(np.eye(4), ids=["a", "b", "c", "d"])
        >>> index.search([0.0, 0.8, 0.6, 0.0], n=2)["id"].tolist()
        ['b', 'c']
        """
        vectors = read_queries(query, self._facts)
        n = min(check_whole_number("n", n), len(self))
        method = self._engine.choose(len(vectors), n, method)
        places, similarity = self._engine.nearest(self.space.project(vectors), n, method)
        return answer_table(self._galaxies, self.metric, places, similarity)

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

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> index.neighbours(1, progress=False)["row"].tolist()
        [1, 0, 3, 2]
        """
        n = min(check_whole_number("n", n), len(self) - 1)
        method = self._engine.choose(len(self), n, method)
        found = self._engine.nearest_others(n, method, progress=progress)
        return answer_table(self._galaxies, self.metric, *found)

    def pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Give the vectors of all galaxies, in the pieces in which they were added; the arrays are read-only.

        Yields
        ------
        rows : numpy.ndarray of int64, shape (n,)
            Rows of the catalogue.
        vectors : numpy.ndarray of float32 or float16, shape (n, k)
            In the space of the index.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> index = SimilarityIndex.build(np.eye(4))
        >>> [vectors.shape for rows, vectors in index.pieces()]
        [(4, 4)]
        """
        for piece in self._galaxies.pieces:
            yield _to_be_read(piece.rows), _to_be_read(piece.vectors)

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

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimilarityIndex
        >>> from galzoo_repr.catalogue import Embeddings
        >>> index = SimilarityIndex.build(np.eye(4))
        >>> index.check_table(Embeddings(np.eye(4), np.ones(4, bool)))
        """
        check_same_rows(embeddings, self.space, self._galaxies, self._facts)


def _to_be_read(array: np.ndarray) -> np.ndarray:
    """View of an array of the index, which nobody may change through it."""
    view = array.view()
    view.flags.writeable = False
    return view
