"""Embeddings that others have published, as columns of a catalogue."""

import hashlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import some_of
from galzoo_repr.catalogue import (
    SkyPositions,
    as_table,
    coords_fact,
    refuse_existing,
    sky_positions,
    with_columns,
)
from galzoo_repr.encoders._external_file import Published
from galzoo_repr.encoders._external_match import Matched, match_by_id, match_by_position
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["EXTERNAL", "add_external_embeddings", "refuse_external"]

#: How the name of an encoder begins of which there are only embeddings.
EXTERNAL = "external: "


def add_external_embeddings(
    table: Table | SkyCoord,
    file: str | os.PathLike | Table,
    *,
    match: str | tuple[str, str] | None = None,
    radius: AngleLike | None = None,
    columns: str | Sequence[str] = "feat_*",
    encoder: str | None = None,
    coords: str | tuple[str, str] | SkyCoord | None = None,
    file_coords: str | tuple[str, str] | SkyCoord | None = None,
    name: str = "embedding",
    overwrite: bool = False,
) -> Table:
    """
    Add embeddings that somebody has published, such as features or principal components for each galaxy of a survey.

    Similarity, anomaly scores and heads work on them as on those of an encoder, without an image. What looks at an
    image, such as a query that is not in the catalogue or fine-tuning deeper than the head, does not.

    Parameters
    ----------
    table : Table, QTable or SkyCoord
        Catalogue of n rows; never changed.
    file : str, os.PathLike or Table
        Table with one row per galaxy, in any format that `galzoo_repr.catalogue.read_catalogue` reads (Parquet, FITS,
        CSV, ...): ids or positions, and the features. Features in Parquet are read in parts, and kept for the
        galaxies of the catalogue alone; other files are read whole.
    match : str or tuple of two str, optional
        Column of ids, or that of the catalogue and that of the file where they are called differently. Whole numbers
        and text are the same id if they are written the same. A negative number such as -1 among others that are not
        is no id.
    radius : Quantity or str, optional
        Match by position instead: the nearest galaxy of the file within this angle. With `match`, the farthest that
        two positions of one id may be apart; 1 arcmin where both tables have positions.
    columns : str or sequence of str
        Features: a name in which ``*`` stands for their numbers, by which they are put in order (``feat_2`` before
        ``feat_10``); or the names themselves, in order; or one column of vectors.
    encoder : str, optional
        What made them. The encoder is called ``"external: <encoder>"``. Tables are compared with each other if this
        name and the names of the features are the same. By default the name of the file without its ending.
    coords, file_coords : str, tuple of str or SkyCoord, optional
        Where the positions of the catalogue, and of the file, are, if not under their usual names.
    name : str
        Name of the column of embeddings, and beginning of the others'.
    overwrite : bool
        Replace columns of these names.

    Returns
    -------
    Table or QTable
        Same class and rows, with columns

        - ``embedding``, float32 of shape (n, number of features), NaN where there is none;
        - ``embedding_status``, str: ``ok``; ``nearest_of_several`` if there were others within the radius;
          ``no_match``, ``no_id``, ``bad_position``; ``duplicate_id`` if the file has several rows of the id that
          differ; ``other_position`` if the positions of one id are farther apart than the radius; ``not_finite`` if
          the features are NaN, infinite, missing, all zero, or more than two of one number such as -999;
        - ``embedding_separation``, float64 in arcsec, where positions were compared.

    Raises
    ------
    ValueError
        If a column is not there, ids are real numbers that have lost digits, no row has a match, or most of the same
        id are at different places, as where ids are mere row numbers.
    TypeError
        If features are no numbers, or an angle has no unit.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    GalzooWarning
        If rows have no embedding, several galaxies are within the radius, or numbers of features are left out.

    Examples
    --------
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> galaxies = Table({"id": [7, 8, 9]})
    >>> published = Table({"id": [9, 8, 7], "feat_0": [0.9, 0.8, 0.7], "feat_1": [1.0, 1.0, 1.0]})
    >>> galaxies = gzr.add_external_embeddings(galaxies, published, match="id", encoder="some survey")
    >>> galaxies["embedding"][:, 0].tolist() == [0.699999988079071, 0.800000011920929, 0.8999999761581421]
    True
    >>> galaxies.meta["GZRENC"]
    'external: some survey'
    """
    catalogue = as_table(table, copy=False)
    angle = _checked_radius(radius)
    if match is None and angle is None:
        raise ValueError(
            "say how galaxies are matched: by match= with a column of ids, or by radius= with an angle, '1 arcsec'"
        )
    ids = _columns_of_ids(match)
    encoder = _name_of(file, encoder)
    if ids is not None and ids[0] not in catalogue.colnames:
        raise ValueError(
            f"the catalogue has no column {ids[0]!r} of match (columns: {some_of(catalogue.colnames)})"
        )
    compared = ids is None or angle is not None or _both_placed(catalogue, coords)
    made = [name, f"{name}_status", *([f"{name}_separation"] if compared else [])]
    refuse_existing(catalogue, made, overwrite=overwrite)
    source = Published(file if isinstance(file, Table) else Path(file), columns, ids and ids[1])
    published, names = source.table, source.names
    if ids is None:
        found = match_by_position(
            sky_positions(catalogue, coords=coords), _places_in_file(published, file_coords), angle
        )
    else:
        places = None
        if compared and (angle is not None or _both_placed(published, file_coords, of_file=True)):
            places = (sky_positions(catalogue, coords=coords), _places_in_file(published, file_coords))
        found = match_by_id(catalogue[ids[0]], published[ids[1]], ids[1], places, angle)
    vectors, statuses = _vectors(source, found, ids is not None)
    facts = {
        "encoder": EXTERNAL + encoder,
        "encoder_digest": _digest(encoder, names),
        "recipe_digest": "",
        **_facts_of_file(file, len(published)),
        "columns": names,
        "match": list(ids) if ids else "position",
        "radius": angle if angle is not None else "",
        "name": name,
        **coords_fact(coords),
        **coords_fact(file_coords, "file_coords"),
        "summary": dict(sorted(Counter(statuses.tolist()).items())),
    }
    _warn(statuses, found, angle)
    made_by = {key: facts[key] for key in ("encoder", "encoder_digest", "recipe_digest")}
    new = {
        name: Column(
            vectors,
            description=f"What the galaxy looks like to {facts['encoder']}; NaN where there is none",
            meta={**made_by, "encoders": [facts["encoder_digest"]]},
        ),
        f"{name}_status": Column(statuses, description="How matching with the published embeddings ended"),
    }
    if found.separation is not None:
        new[f"{name}_separation"] = Column(
            found.separation, unit=u.arcsec, description="Angle on the sky to the galaxy of the embedding"
        )
    return with_columns(catalogue, new, overwrite=overwrite, provenance=facts, call="add_external_embeddings")


def refuse_external(name: str) -> None:
    """Say with a `ValueError` that there is no encoder behind embeddings that were read from a file."""
    if name.startswith(EXTERNAL):
        raise ValueError(
            f"the embeddings of {name!r} were read from a file, and there is no encoder here that makes them: use "
            "galaxies that the catalogue has, or embed it with an encoder by add_embeddings"
        )


def _checked_radius(radius: AngleLike | None) -> u.Quantity | None:
    if radius is None:
        return None
    angle = read_angle(radius, "radius")
    if not angle.isscalar or not 0 < angle.to_value(u.deg) <= 180:
        raise ValueError(f"radius must be one angle above 0, such as 1 * u.arcsec, not {angle}")
    return angle


def _columns_of_ids(match: str | tuple[str, str] | None) -> tuple[str, str] | None:
    if match is None:
        return None
    pair = (match, match) if isinstance(match, str) else match
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(isinstance(one, str) and one for one in pair)
    ):
        raise TypeError(
            f"match must be a column of ids, or those of the catalogue and the file, not {match!r}"
        )
    return tuple(pair)


def _name_of(file: str | os.PathLike | Table, encoder: str | None) -> str:
    if not isinstance(file, Table | str | os.PathLike):
        raise TypeError(f"file must be the name of a file or a Table, not {type(file).__name__}")
    if encoder is None and not isinstance(file, Table):
        encoder = Path(file).name.partition(".")[0]
    if not isinstance(encoder, str) or not encoder.strip():
        raise ValueError("say what made the embeddings, such as encoder='zoobot DESI features'")
    return encoder.strip().removeprefix(EXTERNAL)


def _places_in_file(published: Table, coords: str | tuple[str, str] | SkyCoord | None) -> SkyPositions:
    """Positions of the file, of which errors say that they are meant, and not those of the catalogue."""
    try:
        return sky_positions(published, coords=coords)
    except (TypeError, ValueError) as error:
        said = re.sub(r"\bcoords\b", "file_coords", str(error))
        raise type(error)(f"in the file of embeddings: {said}") from error


def _both_placed(
    table: Table, coords: str | tuple[str, str] | SkyCoord | None, *, of_file: bool = False
) -> bool:
    """Whether a table has positions; a `ValueError` if those are not there that were named."""
    try:
        places = _places_in_file if of_file else sky_positions
        places(table[:0] if not isinstance(coords, SkyCoord) else table, coords=coords)
    except ValueError:
        if coords is not None:
            raise
        return False
    return True


def _digest(encoder: str, names: list[str]) -> str:
    """Stands for the digest of weights that nobody has: by what is said of the features."""
    return hashlib.sha256("\n".join([EXTERNAL, encoder, *names]).encode()).hexdigest()


def _facts_of_file(file: str | os.PathLike | Table, rows: int) -> dict[str, str | int]:
    if isinstance(file, Table):
        return {"file": "", "file_rows": rows}
    with open(file, "rb") as opened:
        return {
            "file": Path(file).name,
            "file_sha256": hashlib.file_digest(opened, "sha256").hexdigest(),
            "file_rows": rows,
        }


def _vectors(published: Published, found: Matched, by_id: bool) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings in the order of the catalogue, NaN where there is none, and the status of each row."""
    statuses = found.statuses
    if by_id and len(found.others):
        # Rows of one id that say the same are no reason to doubt.
        row, first, other = found.others.T
        differ = (published.features(first) != published.features(other)).any(axis=1)
        statuses[row[differ]] = "duplicate_id"
    has = np.flatnonzero(np.isin(statuses, ("ok", "nearest_of_several")))
    taken = published.features(found.rows[has])
    good = np.isfinite(taken).all(axis=1) & taken.any(axis=1)
    if taken.shape[1] > 2:  # as of which no galaxy has all alike
        good &= (taken != taken[:, :1]).any(axis=1)
    statuses[has[~good]] = "not_finite"
    vectors = np.full((len(statuses), taken.shape[1]), np.nan, dtype=np.float32)
    vectors[has[good]] = taken[good]
    return vectors, statuses.astype(str)


def _warn(statuses: np.ndarray, found: Matched, radius: u.Quantity | None) -> None:
    failed = Counter(one for one in statuses.tolist() if one not in ("ok", "nearest_of_several"))
    said = []
    if failed:
        counts = ", ".join(f"{status} {n}" for status, n in failed.most_common())
        said.append(f"{failed.total()} of {len(statuses)} rows have no embedding: {counts}")
    if several := found.several:
        said.append(
            f"{several} row{'s' * (several > 1)} had several galaxies of the file within {radius}: the nearest is taken"
        )
    if shared := found.shared:
        said.append(
            f"{shared} row{'s' * (shared > 1)} took the galaxy of the file that another row took too, within {radius}: "
            "rows of one galaxy, or neighbours of which the file has one; a smaller radius= may tell them apart"
        )
    for sentence in said:
        warnings.warn(f"{sentence}.", GalzooWarning, stacklevel=3)
