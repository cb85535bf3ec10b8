"""From a query and its conditions to every row's similarity and the order of the rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_choice, check_whole_number
from galzoo_repr.catalogue import Beside, Embeddings, spread_of
from galzoo_repr.index import METRICS, SimilarityIndex, Space
from galzoo_repr.similarity._beside import best_beside, distances_beside, less_beside
from galzoo_repr.similarity._catalogue import Catalogue, Fetch
from galzoo_repr.similarity._query import ExampleVectors, Query, read_examples
from galzoo_repr.similarity._score import COMBINE, mean_direction, similarities
from galzoo_repr.similarity._sky import Region, angle, inside, thin

__all__ = ["Criteria", "PreparedQuery", "Ranking", "prepare_query", "rank"]


@dataclass(frozen=True)
class Criteria:
    """Everything that `find_similar` is told besides the table and the query."""

    n: int | None = None
    negatives: Query | None = None
    weights: ArrayLike | str | None = None
    combine: str | None = None
    metric: str = "cosine"
    components: int | None = None
    whiten: bool = False
    max_separation: AngleLike = 5 * u.arcsec
    min_separation: AngleLike | None = None
    within: Region | None = None
    beside: Mapping[str, float] | None = None
    fetch: Fetch = field(default_factory=Fetch)

    def __post_init__(self) -> None:
        check_choice("metric", self.metric, METRICS)
        if self.combine is None:
            object.__setattr__(self, "combine", "contrast" if self.metric == "cosine" else "mean")
        check_choice("combine", self.combine, COMBINE)
        if self.combine == "contrast" and self.metric != "cosine":
            raise ValueError(
                "combine='contrast' is for cosines; with metric='euclidean' use 'mean' or 'best'"
            )
        for name in ("max_separation", "min_separation"):
            if (given := getattr(self, name)) is not None:
                angle(given, name)
                object.__setattr__(self, name, read_angle(given, name))
        if self.n is not None:
            check_whole_number("n", self.n)
        if self.weights is not None and self.combine == "best":
            raise ValueError("weights have no meaning with combine='best': use 'contrast' or 'mean'")


class CriteriaOptions(TypedDict, total=False):
    """What of `Criteria` must be known when a query is read."""

    negatives: Query | None
    weights: ArrayLike | str | None
    combine: str | None
    metric: str
    components: int | None
    whiten: bool
    max_separation: AngleLike


@dataclass(frozen=True)
class PreparedQuery:
    """
    A query read once, for a catalogue that is searched one part after the other.

    Attributes
    ----------
    examples : ExampleVectors
        The galaxies to be like; their rows are those of the part that is searched.
    negatives : ExampleVectors or None
        The galaxies to be unlike.
    weights : numpy.ndarray of float64, shape (m,), or None
        Of the examples.
    space : Space
        Where galaxies are compared.
    background : numpy.ndarray of float64, shape (d,), or None
        Mean direction of the whole catalogue in this space, where the similarity is in contrast to it.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import read_embeddings
    >>> from galzoo_repr.similarity import prepare_query
    >>> cat = Table({"embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> prepared = prepare_query(cat, [0, 2], sample=(all_of := read_embeddings(cat)), parts=lambda: [all_of])
    >>> prepared.examples.rows.tolist(), prepared.space.metric, prepared.needs_background, prepared.background.shape
    ([0, 2], 'cosine', True, (2,))
    """

    examples: ExampleVectors
    negatives: ExampleVectors | None
    weights: np.ndarray | None
    space: Space
    background: np.ndarray | None = None

    @property
    def needs_background(self) -> bool:
        """Whether the mean direction of the catalogue matters, where similarities are in contrast to it."""
        return len(self.examples) > 1 and self.negatives is None

    def in_rows(self, start: int, stop: int) -> "PreparedQuery":
        """
        Give the same query to a part of the catalogue: rows from `start` to before `stop`.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr.catalogue import read_embeddings
        >>> from galzoo_repr.similarity import prepare_query
        >>> cat = Table({"embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
        >>> prepared = prepare_query(cat, [0, 2], sample=(all_of := read_embeddings(cat)), parts=lambda: [all_of])
        >>> prepared.in_rows(1, 3).examples.rows.tolist()
        [-1, 1]
        """
        return replace(
            self,
            examples=_in_rows(self.examples, start, stop),
            negatives=None if self.negatives is None else _in_rows(self.negatives, start, stop),
        )


def _in_rows(examples: ExampleVectors, start: int, stop: int) -> ExampleVectors:
    here = (examples.rows >= start) & (examples.rows < stop)
    return replace(examples, rows=np.where(here, examples.rows - start, -1))


@dataclass(frozen=True)
class Ranking:
    """
    Outcome of one query.

    Attributes
    ----------
    examples : ExampleVectors
        The galaxies to be like.
    negatives : ExampleVectors or None
        The galaxies to be unlike.
    similarity : numpy.ndarray of float64, shape (n,)
        Of every row; NaN without an embedding.
    order : numpy.ndarray of int64
        The ranked rows, best first, without the examples.
    space : Space
        Where the galaxies were compared.
    beside : Beside or None
        What else was.
    """

    examples: ExampleVectors
    negatives: ExampleVectors | None
    similarity: np.ndarray
    order: np.ndarray
    space: Space
    beside: Beside | None = None


def rank(
    catalogue: Catalogue,
    query: Query | PreparedQuery,
    criteria: Criteria,
    index: SimilarityIndex | None = None,
) -> Ranking:
    """Score and order every row of a catalogue; with an index of it, in the space of the index."""
    if isinstance(query, PreparedQuery):
        if criteria.beside is not None:
            raise ValueError(
                "columns beside the embedding are scaled over a whole catalogue, not by partition"
            )
        beside, prepared = None, query
        space, project, parts = _in_space(catalogue, prepared.space)
    else:
        # What can be wrong with the columns is said before a query is fetched.
        beside = None if criteria.beside is None else Beside.of(catalogue.table, criteria.beside)
        read = _read(catalogue, query, criteria)
        space, project, parts = _compared(catalogue, criteria, index)
        prepared = PreparedQuery(*read, space)
        if criteria.combine == "contrast" and prepared.needs_background:
            prepared = replace(prepared, background=mean_direction(part for _, part in parts))
    examples, negatives = prepared.examples, prepared.negatives
    positive, negative = (
        given if given is None else project(given.vectors) for given in (examples, negatives)
    )

    def alike_to(some: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
        similarity = np.full(len(catalogue), np.nan)
        for rows, part in parts:
            similarity[rows] = similarities(
                part,
                some,
                others,
                weights=prepared.weights,
                combine=criteria.combine,
                metric=space.metric,
                background=prepared.background,
            )
        return similarity

    if beside is None:
        similarity = alike_to(positive, negative)
    elif space.metric == "euclidean":
        beside = replace(beside, length=spread_of(max((part for _, part in parts), key=len)))
        options = {"combine": criteria.combine, "weights": prepared.weights}
        similarity = distances_beside(alike_to, positive, catalogue, examples, beside, **options)
        if negatives is not None:
            options = {"combine": criteria.combine}
            similarity -= distances_beside(alike_to, negative, catalogue, negatives, beside, **options)
    elif criteria.combine == "best":
        similarity = best_beside(alike_to, positive, catalogue, examples, beside)
        if negatives is not None:
            similarity -= best_beside(alike_to, negative, catalogue, negatives, beside)
    else:
        similarity = alike_to(positive, negative) - less_beside(catalogue, examples, beside, prepared.weights)
        if negatives is not None:
            similarity += less_beside(catalogue, negatives, beside)
    order = _order(catalogue, examples, negatives, similarity, criteria)
    return Ranking(examples, negatives, similarity, order, space, beside)


def _read(
    catalogue: Catalogue, query: Query, criteria: Criteria
) -> tuple[ExampleVectors, ExampleVectors | None, np.ndarray | None]:
    """Examples, negative examples and weights."""
    examples = read_examples(catalogue, query, criteria.max_separation, criteria.fetch)
    negatives = None
    if criteria.negatives is not None:
        negatives = read_examples(catalogue, criteria.negatives, criteria.max_separation, criteria.fetch)
        both = np.intersect1d(examples.rows[examples.rows >= 0], negatives.rows)
        if len(both):
            raise ValueError(f"row {both.tolist()} is an example and a negative example; it can be only one")
    return examples, negatives, _weights(criteria.weights, catalogue, examples)


def prepare_query(
    table: Table,
    query: Query,
    *,
    sample: Embeddings,
    parts: Callable[[], Iterable[Embeddings]],
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    fetch: Fetch | None = None,
    **criteria: Unpack[CriteriaOptions],
) -> PreparedQuery:
    """
    Read a query once, for a catalogue that is searched one part after the other.

    Parameters
    ----------
    table : astropy.table.Table or astropy.table.QTable
        The galaxies of the catalogue that the query can mean; `PreparedQuery.examples` has their rows.
    query : Query
        As for `galzoo_repr.find_similar`.
    sample : Embeddings
        Galaxies of the catalogue in which principal components are found.
    parts : callable
        Gives the embeddings of the catalogue one part after the other; called where they are all needed.
    embedding, coords
        As for `galzoo_repr.find_similar`.
    fetch : Fetch, optional
        How galaxies outside the catalogue are embedded.
    **criteria
        ``negatives``, ``weights``, ``combine``, ``metric``, ``components``, ``whiten`` and ``max_separation`` of
        `galzoo_repr.find_similar`.

    Returns
    -------
    PreparedQuery
        To be given as the query to `galzoo_repr.add_similarity` or `galzoo_repr.find_similar`, with the same
        criteria.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import add_similarity
    >>> from galzoo_repr.catalogue import read_embeddings
    >>> from galzoo_repr.similarity import prepare_query
    >>> cat = Table({"embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6], [0.0, 1.0]]})
    >>> prepared = prepare_query(cat, 0, sample=(all_of := read_embeddings(cat)), parts=lambda: [all_of])
    >>> second = add_similarity(cat[2:], prepared.in_rows(2, 4))
    >>> second["similarity"].round(2).tolist()
    [0.8, 0.0]
    """
    catalogue = Catalogue(table, embedding, coords)
    wanted = Criteria(fetch=fetch or Fetch(), **criteria)
    space = Space.fit(sample, wanted.metric, wanted.components, whiten=wanted.whiten)
    prepared = PreparedQuery(*_read(catalogue, query, wanted), space)
    if wanted.combine != "contrast" or not prepared.needs_background:
        return prepared
    return replace(prepared, background=mean_direction(_reduced(part, space) for part in parts()))


def _reduced(embeddings: Embeddings, space: Space) -> Embeddings:
    if space.reduction is None:
        return embeddings
    return replace(embeddings, vectors=space.reduction.transform(embeddings))


def _in_space(
    catalogue: Catalogue, space: Space
) -> tuple[Space, Callable[[np.ndarray], np.ndarray], list[tuple[np.ndarray | slice, Embeddings]]]:
    project = np.asarray if space.reduction is None else space.reduction.project
    return space, project, [(slice(None), _reduced(catalogue.embeddings, space))]


def _compared(
    catalogue: Catalogue, criteria: Criteria, index: SimilarityIndex | None
) -> tuple[Space, Callable[[np.ndarray], np.ndarray], list[tuple[np.ndarray | slice, Embeddings]]]:
    """Space, how examples are put into it, and the galaxies in it, some rows of the catalogue after the other."""
    if index is not None:
        index.check_table(catalogue.embeddings)
        parts = [(rows, Embeddings(v, np.ones(len(v), dtype=bool))) for rows, v in index.pieces()]
        return index.space, index.space.project, parts
    fitted = Space.fit(catalogue.embeddings, criteria.metric, criteria.components, whiten=criteria.whiten)
    return _in_space(catalogue, fitted)


def _weights(
    weights: ArrayLike | str | None, catalogue: Catalogue, examples: ExampleVectors
) -> np.ndarray | None:
    if weights is None:
        return None
    if isinstance(weights, str):
        if weights not in catalogue.table.colnames or (examples.rows < 0).any():
            raise ValueError(
                f"weights={weights!r} must name a column of the catalogue that holds all the examples"
            )
        weights = catalogue.table[weights][examples.rows]
    values = np.ma.filled(np.ma.asarray(weights, dtype=np.float64), np.nan)
    if values.shape != (len(examples),):
        raise ValueError(
            f"weights must hold one number for each of the {len(examples)} examples, not {values.shape}"
        )
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() == 0:
        raise ValueError(f"weights must be finite, not negative and not all zero, not {values.tolist()}")
    return values


def _order(
    catalogue: Catalogue,
    examples: ExampleVectors,
    negatives: ExampleVectors | None,
    similarity: np.ndarray,
    criteria: Criteria,
) -> np.ndarray:
    eligible = np.isfinite(similarity)
    for known in (examples, negatives):
        if known is not None:
            eligible[known.rows[known.rows >= 0]] = False
    if criteria.within is not None:
        eligible &= inside(catalogue.points, catalogue.skycoord, criteria.within, examples.points)
    rows = np.flatnonzero(eligible)
    wanted = len(rows) if criteria.n is None else min(criteria.n, len(rows))
    if criteria.min_separation is not None:
        order = rows[np.argsort(-similarity[rows], kind="stable")]
        return thin(
            order, catalogue.points, examples.points, angle(criteria.min_separation, "min_separation"), wanted
        )
    return _best(rows, similarity, wanted)


def _best(rows: np.ndarray, similarity: np.ndarray, wanted: int) -> np.ndarray:
    """Sort only the best; ties in the order of the catalogue, whatever `wanted` is."""
    if 0 < wanted < len(rows):
        scores = similarity[rows]
        rows = rows[scores >= np.partition(scores, len(scores) - wanted)[len(scores) - wanted]]
    return rows[np.argsort(-similarity[rows], kind="stable")][:wanted]
