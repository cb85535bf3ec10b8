"""The table in which an index answers."""

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from galzoo_repr.index._segments import Segments

__all__ = ["answer_table"]


def answer_table(galaxies: Segments, metric: str, places: np.ndarray, similarity: np.ndarray) -> Table:
    """Lay neighbours out as `SimilarityIndex.search` says: of each query, best first; both arrays have shape (m, n)."""
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
