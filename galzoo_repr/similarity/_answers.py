"""Neighbours laid out as a table."""

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from galzoo_repr.similarity._segments import Segments

__all__ = ["answer_table"]


def answer_table(galaxies: Segments, places: np.ndarray, similarity: np.ndarray, metric: str) -> Table:
    """
    Say which galaxies were found.

    Parameters
    ----------
    galaxies : Segments
        Those that were searched.
    places : numpy.ndarray of int64, shape (m, n)
        Of the neighbours of each query, best first.
    similarity : numpy.ndarray of float64, shape (m, n)
        To the query.
    metric : {"cosine", "euclidean"}
        How vectors were compared.

    Returns
    -------
    astropy.table.Table
        As `galzoo_repr.SimilarityIndex.search` describes it.
    """
    queries, n = places.shape
    flat = places.ravel()
    positions = galaxies.take("positions", flat)
    what = "cosine similarity" if metric == "cosine" else "minus Euclidean distance"
    rank = np.tile(np.arange(1, n + 1), queries)
    return Table(
        {
            "query": Column(np.repeat(np.arange(queries), n), description="number of the query, from 0"),
            "similarity_rank": Column(rank, description="1 = most alike"),
            "id": Column(galaxies.take("ids", flat), description="name of the galaxy"),
            "row": Column(galaxies.take("rows", flat), description="row of the catalogue"),
            "similarity": Column(similarity.ravel(), description=f"{what}; higher is more alike"),
            "ra": Column(positions[:, 0], unit=u.deg, description="right ascension, ICRS"),
            "dec": Column(positions[:, 1], unit=u.deg, description="declination, ICRS"),
        }
    )
