"""Every galaxy's nearest: the graph behind maps of a catalogue, its clusters, and its duplicates."""

from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import Column, Table

from galzoo_repr._arguments import check_whole_number
from galzoo_repr.catalogue import as_table, coords_fact, record_provenance
from galzoo_repr.index._index import SimilarityIndex

__all__ = ["neighbour_table"]


def neighbour_table(
    table: Table,
    n: int = 10,
    *,
    metric: str = "cosine",
    components: int | None = None,
    whiten: bool = False,
    method: str = "auto",
    seed: int = 0,
    embedding: str = "embedding",
    coords: str | tuple[str, str] | SkyCoord | None = None,
    device: str | None = None,
    progress: bool = True,
) -> Table:
    """
    Find the n most alike galaxies of every galaxy.

    Parameters
    ----------
    table : astropy.table.Table or astropy.table.QTable
        Catalogue with embeddings.
    n : int
        Neighbours of each galaxy; all others when there are fewer.
    metric, components, whiten, method, seed, device
        As for `SimilarityIndex.build`.
    embedding : str
        Column of the embeddings.
    coords : str or tuple of str or astropy.coordinates.SkyCoord, optional
        Where the sky positions are, if not under their usual names.
    progress : bool
        Show a progress bar.

    Returns
    -------
    astropy.table.Table
        One line for each galaxy and neighbour, in the order of the catalogue and best first: ``row`` and
        ``neighbour_row`` of `table`, ``similarity_rank`` from 1, ``similarity``, and ``separation`` on the
        sky in arcsec, NaN where unknown. Galaxies without an embedding are not in it; their number is in its
        provenance, as ``without_embedding``.

    Raises
    ------
    TypeError, ValueError
        If the table has no usable embeddings, or an option has no such value.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import neighbour_table
    >>> cat = Table({"embedding": [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]})
    >>> print(neighbour_table(cat, 1)["row", "neighbour_row"])
    row neighbour_row
    --- -------------
      0             2
      1             2
      2             1
    """
    check_whole_number("n", n)
    index = SimilarityIndex.build(
        as_table(table, copy=False),
        embedding=embedding,
        coords=coords,
        metric=metric,
        components=components,
        whiten=whiten,
        method="exact" if method == "pynndescent" else method,
        seed=seed,
        device=device,
    )
    found = index.neighbours(n, method=method, progress=progress)
    here = index._galaxies.take("positions", found["query"]).T * u.deg
    separation = angular_separation(*here, found["ra"].quantity, found["dec"].quantity).to_value(u.arcsec)
    result = Table(
        {
            "row": Column(index._galaxies.take("rows", found["query"]), description="row of the catalogue"),
            "neighbour_row": Column(found["row"], description="row of the neighbour"),
            "similarity_rank": found["similarity_rank"],
            "similarity": found["similarity"],
            "separation": Column(separation, unit=u.arcsec, description="angle on the sky between the two"),
        }
    )
    facts = {"n": n, "metric": metric, "method": method, "without_embedding": index.excluded}
    facts |= coords_fact(coords)
    record_provenance(result, "neighbour_table", facts)
    return result
