"""The galaxies most alike to those pointed at, as a table; one table for each tag of a catalogue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr._angle import AngleLike
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr.catalogue import record_provenance, rows_of
from galzoo_repr.index import SimilarityIndex
from galzoo_repr.similarity._add import RANK_DESCRIPTION, describe_similarity, facts_of
from galzoo_repr.similarity._catalogue import Catalogue, Fetch
from galzoo_repr.similarity._query import Query
from galzoo_repr.similarity._rank import Criteria, rank
from galzoo_repr.similarity._sky import Region, nearest_separation
from galzoo_repr.similarity._tags import is_tags, most_tagged

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.cutouts import BrickSurvey, CutoutStore, HipsSurvey, LegacySurvey
    from galzoo_repr.encoders import Encoder

__all__ = ["find_similar"]

_TRIVIAL = 100 * u.arcsec  # matches so near to the query on the sky are its own parts and neighbours


def find_similar(
    table: Table,
    query: Query,
    n: int = 20,
    *,
    negatives: Query | None = None,
    weights: ArrayLike | str | None = None,
    combine: str | None = None,
    metric: str | None = None,
    components: int | None = None,
    whiten: bool = False,
    index: SimilarityIndex | bool | str | os.PathLike | None = None,
    include_query: bool = False,
    tags: Sequence[str] | None = None,
    max_separation: AngleLike = 5 * u.arcsec,
    min_separation: AngleLike | None = None,
    within: Region | None = None,
    beside: Mapping[str, float] | None = None,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    encoder: Encoder | str | os.PathLike | None = None,
    fov: AngleLike | None = None,
    survey: LegacySurvey | HipsSurvey | BrickSurvey | None = None,
    store: CutoutStore | str | os.PathLike | None = None,
    device: str | None = None,
    progress: bool = True,
    client: Client | None = None,
) -> Table | dict[str, Table]:
    """
    Find the galaxies of a catalogue that are most alike to the one, or the several, pointed at.

    With several examples the similarity says how much more a galaxy is like them than it is like the catalogue at
    large (``combine="contrast"``), or is the mean of the cosines to them (``"mean"``), or the largest (``"best"``).
    The similarity to negative examples, combined in the same way, is subtracted.

    Parameters
    ----------
    table : astropy.table.Table or astropy.table.QTable
        Catalogue with embeddings (`galzoo_repr.add_embeddings`). Or a HATS catalogue:
        its folder, or what LSDB made of it.
    query : Query
        What to look for, in any form that `galzoo_repr.add_similarity` takes; or the name of a column of
        tags: text (several tags with commas between them; a tag may be repeated to count more) or lists of
        text. Each tag is then a query of its own, for galaxies like the one with most uses of that tag, as in
        the first task of Walmsley et al. (2022).
    n : int
        Galaxies wanted; all there are when there are fewer.
    negatives, weights, combine, components, whiten, max_separation, within, beside, embedding, coords
        As for `galzoo_repr.add_similarity`.
    metric : {"cosine", "euclidean"}, optional
        As for `galzoo_repr.add_similarity`; by default cosine, or that of the index.
    index : SimilarityIndex, optional
        Index built from this table, to compare in its space without preparing it again. For a HATS catalogue True or a
        folder: see `galzoo_repr.hats.find_similar`.
    include_query : bool
        Begin with the examples themselves, at rank 0.
    tags : sequence of str, optional
        Which tags to look for; by default all, most used first.
    min_separation : astropy.units.Quantity, optional
        Leave out galaxies nearer than this on the sky to an example, or to a more similar galaxy found.
        For tags 100 arcsec by default, where the catalogue has positions.
    encoder, fov, survey, store, device
        As for `galzoo_repr.add_similarity`: used only for a query that is not in the catalogue.
    progress : bool
        For a HATS catalogue: show a bar of its partitions. A table is done before one would be seen.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.

    Returns
    -------
    astropy.table.Table or astropy.table.QTable, or dict of them by tag
        Of the class of `table`, best first, with columns

        - ``similarity_rank``, from 1;
        - ``similarity``, higher is more alike;
        - ``separation`` on the sky from the nearest example, in arcsec, NaN where a position is unknown;
        - ``row`` of `table`;

        and after them the columns of `table`. One that has such a name is called ``<name>_catalogue``.

    Raises
    ------
    TypeError, ValueError
        As for `galzoo_repr.add_similarity`, or if the index is not of this table.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import find_similar
    >>> cat = Table({"name": ["a", "b", "c"], "ra": [10.0, 10.1, 10.2], "dec": [0.0, 0.0, 0.0],
    ...              "embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> best = find_similar(cat, 0, n=1)
    >>> print(best["similarity_rank", "similarity", "row", "name"])
    similarity_rank similarity row name
    --------------- ---------- --- ----
                  1        0.8   2    c
    >>> best["separation"].round(3).tolist()
    [720.0]
    """
    if is_hats(table):
        return by_partition("find_similar", locals())
    refuse_for_table(locals())
    if index is not None and not isinstance(index, SimilarityIndex):
        raise TypeError(
            f"index must be a SimilarityIndex, such as SimilarityIndex.open(folder), not {type(index).__name__}"
        )
    if index is not None and (components is not None or whiten or metric not in (None, index.metric)):
        raise ValueError("metric, components and whiten are those of the index; leave them out with index=")
    catalogue = Catalogue(table, embedding, coords)
    criteria = Criteria(
        n=n,
        negatives=negatives,
        weights=weights,
        combine=combine,
        metric=metric or ("cosine" if index is None else index.metric),
        components=components,
        whiten=whiten,
        max_separation=max_separation,
        min_separation=min_separation,
        within=within,
        beside=beside,
        fetch=Fetch(encoder, fov, survey, store, device),
    )
    if isinstance(query, str) and query in catalogue.table.colnames and is_tags(catalogue.table[query]):
        if min_separation is None and catalogue.placed:
            criteria = replace(criteria, min_separation=_TRIVIAL)
        rows = most_tagged(catalogue.table[query], catalogue.embeddings.usable, tags)
        return {tag: _best(catalogue, row, criteria, index, include_query) for tag, row in rows.items()}
    if tags is not None:
        raise ValueError(f"tags= needs the name of a column of tags as the query, not {query!r}")
    return _best(catalogue, query, criteria, index, include_query)


def _best(
    catalogue: Catalogue,
    query: Query,
    criteria: Criteria,
    index: SimilarityIndex | None,
    include_query: bool,
) -> Table:
    """One query: rank, and lay out the answer."""
    ranking = rank(catalogue, query, criteria, index)
    own = ranking.examples.rows[ranking.examples.rows >= 0] if include_query else ranking.order[:0]
    own = own[np.sort(np.unique(own, return_index=True)[1])]
    rows = np.concatenate([own, ranking.order])
    separation = np.full(len(rows), np.nan) * u.arcsec
    if catalogue.placed:
        separation = nearest_separation(catalogue.points[rows], ranking.examples.points)
    ranks = np.concatenate([np.zeros(len(own), dtype=np.int64), np.arange(1, len(ranking.order) + 1)])
    columns = {
        "similarity_rank": Column(ranks, description=RANK_DESCRIPTION),
        "similarity": Column(ranking.similarity[rows], description=describe_similarity(ranking, criteria)),
        "separation": separation,
        "row": Column(rows, description="row of the catalogue"),
    }
    found = rows_of(catalogue.table, rows)
    for name in [name for name in columns if name in found.colnames]:
        other = f"{name}_catalogue"
        while other in found.colnames:  # an answer that is searched in turn has one
            other += "_catalogue"
        found.rename_column(name, other)
    found.add_columns(list(columns.values()), names=list(columns), indexes=[0] * len(columns))
    found["separation"].info.description = "angle on the sky from the nearest example"
    record_provenance(found, "find_similar", facts_of(ranking, criteria, catalogue.coords))
    return found
