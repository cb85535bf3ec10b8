"""Similarity to one galaxy or several, as columns of the catalogue."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr._angle import AngleLike
from galzoo_repr._by_partition import by_partition, is_hats, refuse_for_table
from galzoo_repr.catalogue import coords_fact, refuse_existing, with_columns
from galzoo_repr.similarity._catalogue import Catalogue, Fetch
from galzoo_repr.similarity._query import Query
from galzoo_repr.similarity._rank import Criteria, Ranking, rank
from galzoo_repr.similarity._sky import Region

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.cutouts import BrickSurvey, CutoutStore, HipsSurvey, LegacySurvey
    from galzoo_repr.encoders import Encoder

__all__ = ["add_similarity", "describe_similarity", "facts_of"]

RANK_DESCRIPTION = "1 = most alike; 0 = an example itself; -1 = not ranked"


def add_similarity(
    table: Table,
    query: Query,
    *,
    n: int | None = None,
    negatives: Query | None = None,
    weights: ArrayLike | str | None = None,
    combine: str | None = None,
    metric: str = "cosine",
    components: int | None = None,
    whiten: bool = False,
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
    name: str = "similarity",
    overwrite: bool = False,
    out: str | os.PathLike | None = None,
    client: Client | None = None,
    part: tuple[int, int] | None = None,
) -> Table:
    """
    Add columns that say how alike each galaxy is to the one, or the several, pointed at.

    Parameters
    ----------
    table : astropy.table.Table or astropy.table.QTable
        Catalogue with embeddings (`galzoo_repr.add_embeddings`). Or a HATS catalogue:
        its folder, or what LSDB made of it.
    query : Query
        The example, or examples:

        - a position, or many: a `~astropy.coordinates.SkyCoord`, text (``"150.1 2.2"`` in degrees,
          ``"10h00m24s +02d12m00s"``, ``"J100024.00+021200.0"``), or a pair of angles with units: the galaxy of the
          catalogue there (within `max_separation`), or, where there is none, the galaxy that the survey has
          there, fetched and embedded with the encoder and recipe of the catalogue;
        - the name of a galaxy, or several, in a column such as ``name`` or ``id``;
        - a row index or several; a row of the table; a boolean mask; the name of a boolean column;
        - a picture, or several: a file or its content, an image of Pillow, an array or tensor of pixels;
        - an embedding of shape (d,) or several of shape (m, d), as floats;
        - another table, with embeddings by the same encoder or with sky positions only.
    n : int, optional
        Rank only the `n` most alike; by default every galaxy.
    negatives : Query, optional
        Galaxies to be unlike, in any of the same forms. The similarity to them is subtracted.
    weights : array-like of float, shape (m,), or str, optional
        Weight of each example, or the column that holds it; equal by default.
    combine : {"contrast", "mean", "best"}, optional
        What the similarity to several examples is: how much more a galaxy is like them than it is like the
        catalogue at large, that is the mean of its cosines to the examples minus the mean of its cosines to all
        galaxies ("contrast", the default); the first of these means alone ("mean"); or the largest cosine
        ("best"). With negative examples, contrast is to these instead of the catalogue.
        With one example all three are the same. For distances the default is the mean.
    metric : {"cosine", "euclidean"}
        Cosine of the angle between embeddings, or minus the distance between them.
    components : int, optional
        Compare only the first principal components of the catalogue's embeddings. Walmsley et al. (2022) used
        10.
    whiten : bool
        Scale every component to unit variance.
    max_separation : astropy.units.Quantity or str
        Farthest a galaxy of the catalogue may be from a queried position to be the one that is meant.
    min_separation : astropy.units.Quantity or str, optional
        Leave unranked whatever lies nearer than this on the sky to an example or to a more similar galaxy.
    within : astropy.units.Quantity or str or tuple or mocpy.MOC or pathlib.Path, optional
        Rank only galaxies in a region: a radius around the examples, ``(centre, radius)``, a MOC, or its FITS
        file.
    beside : mapping of str to float, optional
        Columns that count beside the picture, and their weights, such as ``{"z": 0.5, "mag_r": 0.2}``. From the cosine
        to an example, each takes off its weight times ``1 - exp(-d**2 / 2)``: nothing where values agree, and the
        weight where they are far apart. The difference d is in units of 1.4826 times the median absolute deviation
        of the column, so that its unit does not matter; of fluxes and masses take the logarithm first. Of Euclidean
        distances they are further dimensions, as far as five of these units, and with weight 1 one varies as much as
        the whole embedding. Galaxies
        without a value lose what the others lose on average; an example without one takes nothing off. An example
        that is not in the catalogue needs the columns too: give it as a table.
    embedding : str
        Column of the embeddings, shape (n, d).
    coords : str or tuple of str or astropy.coordinates.SkyCoord, optional
        Where the sky positions are, if not under their usual names.
    encoder : galzoo_repr.encoders.Encoder or str, optional
        The encoder that made the embeddings, where the catalogue's provenance does not lead to it. Used only,
        like `fov`, `survey`, `store` and `device`, for a query that is not in the catalogue.
    fov : astropy.units.Quantity or str, optional
        Field of view for a queried position; by default the one that the catalogue was embedded with, or else the
        median of its galaxies' own, with a warning.
    survey, store, device
        As for `galzoo_repr.add_embeddings`.
    name : str
        Name of the new column; the rank is called ``<name>_rank``.
    overwrite : bool
        Replace columns of these names.
    progress : bool
        For a HATS catalogue: show a bar of its partitions. A table is done before one would be seen.
    out : str or os.PathLike, optional
        For a HATS catalogue: folder of the new one, see `galzoo_repr.hats.add_embeddings`.
    client : distributed.Client, optional
        For a HATS catalogue: client of Dask whose workers do its partitions; this process when not given.
    part : optional
        For a HATS catalogue: as for `galzoo_repr.hats.add_similarity`.

    Returns
    -------
    astropy.table.Table or astropy.table.QTable
        A new table of the same class and rows, with columns

        - ``similarity``, float64: cosine similarity, -1 to 1 (for several examples, see `combine`), higher is
          more alike; NaN where there is no embedding;
        - ``similarity_rank``, int64: 1 for the most alike galaxy, 2 for the next; 0 for the examples
          themselves; -1 for galaxies that are not ranked (no embedding, a negative example, excluded by
          `within` or `min_separation`, or beyond the first `n`).

    Raises
    ------
    TypeError
        If the query has none of these forms, or an angle has no unit.
    ValueError
        If the catalogue has no embeddings or those of several encoders, if an example has none, if the query
        has other dimensions or was made by another encoder, if it can be neither found nor fetched, or if a
        column of this name exists.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import add_similarity
    >>> cat = Table({"ra": [10.0, 20.0, 30.0], "dec": [0.0, 0.0, 0.0],
    ...              "embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> cat = add_similarity(cat, 0)
    >>> print(cat["similarity", "similarity_rank"])
    similarity similarity_rank
    ---------- ---------------
           1.0               0
           0.6               2
           0.8               1
    """
    if is_hats(table):
        return by_partition("add_similarity", locals())
    refuse_for_table(locals())
    catalogue = Catalogue(table, embedding, coords)
    refuse_existing(catalogue.table, [name, f"{name}_rank"], overwrite=overwrite)
    criteria = Criteria(
        n=n,
        negatives=negatives,
        weights=weights,
        combine=combine,
        metric=metric,
        components=components,
        whiten=whiten,
        max_separation=max_separation,
        min_separation=min_separation,
        within=within,
        beside=beside,
        fetch=Fetch(encoder, fov, survey, store, device),
    )
    ranking = rank(catalogue, query, criteria)
    ranks = np.full(len(catalogue), -1, dtype=np.int64)
    ranks[ranking.order] = np.arange(1, len(ranking.order) + 1)
    ranks[ranking.examples.rows[ranking.examples.rows >= 0]] = 0
    columns = {
        name: Column(ranking.similarity, description=describe_similarity(ranking, criteria)),
        f"{name}_rank": Column(ranks, description=RANK_DESCRIPTION),
    }
    facts = facts_of(ranking, criteria, coords)
    return with_columns(table, columns, overwrite=overwrite, provenance=facts, call="add_similarity")


def describe_similarity(ranking: Ranking, criteria: Criteria) -> str:
    """Say in one line what the similarities of a ranking are."""
    what = "cosine similarity" if criteria.metric == "cosine" else "minus Euclidean distance"
    several = len(ranking.examples) > 1
    how = "largest" if criteria.combine == "best" else "mean"
    text = f"{how} {what} to {len(ranking.examples)} examples" if several else f"{what} to the query"
    if several and criteria.combine == "contrast" and ranking.negatives is None:
        text += ", less that to the catalogue"
    if ranking.negatives is not None:
        text += f", less that to {len(ranking.negatives)} negative"
    if criteria.components is not None:
        text += f", in {criteria.components} {'whitened ' if criteria.whiten else ''}principal components"
    if ranking.beside is not None:
        what = "less what differs" if criteria.metric == "cosine" else "with the distance"
        text += f", {what} in {ranking.beside}"
    return f"{text}; higher is more alike"


def facts_of(
    ranking: Ranking, criteria: Criteria, coords: str | tuple[str, str] | SkyCoord | None
) -> dict[str, str | int | float | list[int] | list[str]]:
    """Arguments and outcome of a query, for the provenance: plain scalars, strings and lists."""
    facts = {
        "examples": len(ranking.examples),
        "example_rows": ranking.examples.rows.tolist(),
        "negatives": len(ranking.negatives) if ranking.negatives is not None else 0,
        "combine": criteria.combine,
        "metric": criteria.metric,
        "without_embedding": int(np.isnan(ranking.similarity).sum()),
    }
    if criteria.n is not None:
        facts["n"] = int(criteria.n)
    if criteria.components is not None:
        facts |= {"components": int(criteria.components), "whiten": criteria.whiten}
        facts["explained_variance"] = ranking.space.explained_variance
    if criteria.min_separation is not None:
        facts["min_separation"] = str(criteria.min_separation)
    if criteria.within is not None:
        facts["within"] = str(criteria.within)[:200]
    if ranking.beside is not None:
        facts["beside"] = ranking.beside.to_dict()
    return facts | coords_fact(coords)
