"""Interest over catalogues of partitions: one model, and a score and a rank for every galaxy of the whole."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_choice, check_seed
from galzoo_repr._folder import locked
from galzoo_repr.anomaly import fit_interest, fit_unusual
from galzoo_repr.catalogue import parts_of, refuse_existing
from galzoo_repr.hats._folder import HatsFolder
from galzoo_repr.hats._rows import as_part, check_encoders, sample_of
from galzoo_repr.hats._sources import HatsLike, opened
from galzoo_repr.hats._verbs import SAMPLE, add_ranked

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.anomaly import InterestModel
    from galzoo_repr.hats._job import Job

__all__ = ["add_anomaly_scores"]

__doctest_requires__ = {"add_anomaly_scores": ["lsdb"]}

_USUAL = "interest"


def add_anomaly_scores(
    table: HatsLike,
    ratings: str | Sequence[str] | None = _USUAL,
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    progress: bool = True,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    unsupervised: str = "isolation_forest",
    embedding: str = "embedding",
    seed: int = 0,
    name: str = "anomaly",
    overwrite: bool = False,
    **options: object,
) -> HatsLike:
    """
    Add how interesting each galaxy of a HATS catalogue would be, and its rank among all.

    Parameters
    ----------
    table, out, client, progress
        As for `galzoo_repr.hats.add_embeddings`.
    part : (int, int), optional
        Score only one of several parts, such as ``(17, 200)``, for job arrays. When all parts are scored, the same
        call without it ranks them.
    ratings, model, noise, unsupervised, embedding, seed, name, overwrite
        As for `galzoo_repr.add_anomaly_scores`. The model is fitted once, on all rated galaxies; its components are
        found in these and a sample of 200,000. While nothing is rated, the isolation forest is grown in that sample;
        ``unsupervised="local_outlier_factor"`` cannot be told by partition.
    **options
        Of `galzoo_repr.add_anomaly_scores`.

    Returns
    -------
    pathlib.Path or lsdb.Catalog

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import add_anomaly_scores, from_hats, to_hats
    >>> cat = Table({"ra": [10.0, 10.1, 200.0, 200.1], "dec": [1.0, 1.0, 2.0, 2.0]})
    >>> cat["embedding"], cat["interest"] = [[1.0, 0.0], [0.6, 0.8], [0.9, 0.2], [0.0, 1.0]], [5.0, 0.0, np.nan, np.nan]
    >>> with tempfile.TemporaryDirectory() as place:
    ...     survey = to_hats(cat, f"{place}/survey", max_rows=2)
    ...     scored = from_hats(add_anomaly_scores(survey, out=f"{place}/scored", progress=False))
    >>> scored["ra", "anomaly_rank"].as_array().tolist()
    [(10.0, 1), (10.1, 3), (200.1, 4), (200.0, 2)]
    """
    check_choice("unsupervised", unsupervised, ("isolation_forest", "local_outlier_factor"))
    check_seed(seed)
    folder = opened(table, out, client)
    columns = [f"{name}_{end}" for end in ("score", "score_std", "rank", "unlike")]
    refuse_existing(as_part(folder, folder.pixels[0], []), columns, overwrite=overwrite)
    check_encoders(folder, embedding)
    raters = _raters(folder, ratings, noise)

    def prepared(job: "Job") -> dict[str, object]:
        fitted = model if _is_fitted(model) else None
        if fitted is None:
            fitted = _fitted(folder, job, raters, model, noise, embedding, unsupervised, seed)
        own = {"model": fitted, "ratings": (ratings if raters else None) if _is_fitted(fitted) else None}
        own |= {"unsupervised": unsupervised, "seed": seed, "embedding": embedding}
        return {**options, **own, "name": name, "overwrite": overwrite}

    told = {**options, "ratings": ratings, "model": _known(model), "noise": noise, "name": name, "seed": seed}
    told |= {"embedding": embedding, "unsupervised": unsupervised, "overwrite": overwrite}
    return add_ranked(
        "add_anomaly_scores",
        table,
        folder,
        prepared,
        told,
        out=out,
        stem=name,
        client=client,
        part=part,
        progress=progress,
    )


def _is_fitted(model: "InterestModel | None") -> bool:
    return model is not None and hasattr(model, "process_")


def _known(model: "InterestModel | None") -> object:
    """What tells one fitted model from another."""
    if not _is_fitted(model):
        return None if model is None else str(model)
    beside = getattr(model, "beside_", None)
    return [str(model), vars(model.process_), vars(model.reduction_), beside and beside.to_dict()]


def _raters(
    folder: HatsFolder, ratings: str | Sequence[str] | None, noise: str | Sequence[str] | None
) -> list[str]:
    """Columns of ratings; none where nobody rated yet."""
    raters = [ratings] if isinstance(ratings, str) else list(ratings or [])
    if raters == [_USUAL] and _USUAL not in folder.schema.names:
        return []
    parts_of(folder.schema, [*raters, *([noise] if isinstance(noise, str) else noise or [])])
    return raters


def _fitted(
    folder: HatsFolder,
    job: "Job",
    raters: list[str],
    model: "InterestModel | None",
    noise: str | Sequence[str] | None,
    embedding: str,
    unsupervised: str,
    seed: int,
) -> "InterestModel":
    """Fit a model to all rated galaxies and a sample of the others, once for all processes of the job."""
    from galzoo_repr.anomaly import InterestModel

    place = job.hidden / "interest"
    with locked(place, wait=24 * 3600.0):
        if place.exists():
            return InterestModel.load(place)
        rows = _rated(folder, raters)
        if not len(rows):
            if unsupervised != "isolation_forest":
                raise ValueError(
                    f"nothing is rated, and unsupervised={unsupervised!r} compares a galaxy with all others, which "
                    "cannot be done by partition; use 'isolation_forest', or rate some"
                )
            return fit_unusual(
                sample_of(folder, SAMPLE, [embedding]), model=model, embedding=embedding, seed=seed
            )
        spreads = [noise] if isinstance(noise, str) else list(noise or [])
        sample = sample_of(folder, SAMPLE, [embedding, *raters, *spreads], keep=rows)
        given = raters[0] if len(raters) == 1 else raters
        fitted = fit_interest(sample, given, model=model, noise=noise, embedding=embedding)
        fitted.save(place)
        return fitted


def _rated(folder: HatsFolder, raters: list[str]) -> np.ndarray:
    """Rows of the catalogue that anybody rated."""
    found = [np.zeros(0, dtype=np.int64)]
    columns = parts_of(folder.schema, raters)
    for number, pixel in enumerate(folder.pixels if raters else []):
        found.append(
            np.flatnonzero(_known_in(as_part(folder, pixel, columns), raters)) + folder.starts[number]
        )
    return np.concatenate(found)


def _known_in(table: Table, raters: list[str]) -> np.ndarray:
    values = [np.ma.filled(np.ma.asarray(table[rater], dtype=float), np.nan) for rater in raters]
    return np.isfinite(values).any(axis=0)
