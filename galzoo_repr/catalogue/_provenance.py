"""Where columns came from, written so that every file format keeps some of it."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime

import numpy as np
from astropy import units as u
from astropy.coordinates import BaseCoordinateFrame, SkyCoord
from astropy.table import Table

__all__ = ["coords_fact", "provenance", "record_provenance"]

_NESTED = "galzoo_repr"

# FITS keeps keys of at most eight upper-case characters; each of these is also a fact of the nested record.
_FLAT_KEYS = {
    "version": "GZRVERS",
    "date": "GZRDATE",
    "encoder": "GZRENC",
    "encoder_digest": "GZRENCD",
    "recipe_digest": "GZRRECIP",
    "survey": "GZRSURV",
    "layer": "GZRLAYER",
    "route": "GZRROUTE",
}


def record_provenance(table: Table, call: str, facts: Mapping[str, object]) -> None:
    """
    Record in the meta of a table how one call computed its columns.

    Written twice: as short upper-case keys, which FITS keeps (``GZRVERS`` package version, ``GZRDATE`` UTC
    date, ``GZRENC`` and ``GZRENCD`` encoder and its digest, ``GZRRECIP`` digest of how images were prepared,
    ``GZRSURV``, ``GZRLAYER``, ``GZRROUTE`` survey, layer and route of the images; those of the latest call
    that knew them), and with all facts under ``meta["galzoo_repr"][call]``.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Changed in place.
    call : str
        Name of the function that computed the columns, such as ``"add_embeddings"``.
    facts : mapping
        What determined the result. ``encoder``, ``encoder_digest``, ``recipe_digest``, ``survey``,
        ``layer`` and ``route`` get a short key too. Quantities are kept as text with their unit, arrays of
        them as a list of such texts.

    Raises
    ------
    ValueError
        If ``call`` is empty.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.catalogue import provenance, record_provenance
    >>> galaxies = Table({"ra": [10.0], "dec": [1.0]})
    >>> record_provenance(galaxies, "add_embeddings", {"encoder": "bundled", "name": "embedding"})
    >>> galaxies.meta["GZRENC"]
    'bundled'
    >>> provenance(galaxies, "add_embeddings")["name"]
    'embedding'
    """
    if not call:
        raise ValueError(
            "call is empty; provenance is recorded under the name of the function, such as 'add_cutouts'"
        )
    # Here, because the package imports its modules.
    from galzoo_repr import __version__

    record = {
        "version": __version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        **{str(key): _plain(value) for key, value in facts.items()},
    }
    for fact, key in _FLAT_KEYS.items():
        if isinstance(record.get(fact), str):
            table.meta[key] = record[fact]
    nested = table.meta.get(_NESTED)
    table.meta[_NESTED] = {**(nested if isinstance(nested, Mapping) else {}), call: record}


def provenance(table: Table, call: str | None = None) -> dict:
    """
    Look up what `record_provenance` recorded of a call.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A catalogue that the package computed columns for.
    call : str, optional
        Name of the function, such as ``"add_embeddings"``; all of them when not given.

    Returns
    -------
    dict
        A copy of the facts, with ``version`` and ``date``; empty if the table records nothing of this call. Of all
        calls, these by the name of each.

    Examples
    --------
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.catalogue import provenance
    >>> galaxies = Table({"name": ["A", "B", "C"], "embedding": [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]})
    >>> galaxies = gzr.add_similarity(galaxies, "A")
    >>> provenance(galaxies, "add_similarity")["metric"]
    'cosine'
    >>> list(provenance(galaxies))
    ['add_similarity']
    """
    nested = table.meta.get(_NESTED)
    if call is None:
        return deepcopy(dict(nested)) if isinstance(nested, Mapping) else {}
    record = nested.get(call) if isinstance(nested, Mapping) else None
    return deepcopy(dict(record)) if record else {}


def coords_fact(
    coords: str | tuple[str, str] | SkyCoord | None, name: str = "coords"
) -> dict[str, str | list[str]]:
    """
    Give the fact that tells which positions a call was told to use.

    Parameters
    ----------
    coords : str, tuple of two str or `~astropy.coordinates.SkyCoord`, optional
        As the functions take it.
    name : str
        Name of the argument.

    Returns
    -------
    dict
        Empty where nothing was given. Columns by their names; positions that were given beside the table, which a
        reader of the result does not have, by their frame and the first of them.

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from galzoo_repr.catalogue import coords_fact
    >>> coords_fact(("RA_NUC", "DEC_NUC"))
    {'coords': ['RA_NUC', 'DEC_NUC']}
    >>> coords_fact(SkyCoord([10.5, 20.0], [-1.0, 2.0], unit="deg"))
    {'coords': 'SkyCoord (icrs) beside the table, first 10.500000 -1.000000 deg'}
    """
    if coords is None:
        return {}
    if not isinstance(coords, SkyCoord | BaseCoordinateFrame):
        return {name: coords if isinstance(coords, str) else list(coords)}
    said = f"SkyCoord ({coords.name}) beside the table"
    if coords.size:
        first = coords.reshape(-1)[0].spherical
        said += f", first {first.lon.deg:.6f} {first.lat.deg:+.6f} deg"
    return {name: said}


def _plain(value: object) -> object:
    """Reduce a value to what YAML, JSON and every reader of them understand."""
    if isinstance(value, u.Quantity):
        return str(value) if value.isscalar else [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
