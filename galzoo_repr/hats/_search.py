"""Similarity and interest over catalogues of partitions: one query, one model, and answers for the whole."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from galzoo_repr._angle import read_angle
from galzoo_repr._arguments import check_whole_number
from galzoo_repr.anomaly import fit_interest
from galzoo_repr.catalogue import parts_of, read_embeddings, refuse_existing
from galzoo_repr.hats._engine import run_parts
from galzoo_repr.hats._folder import HatsFolder, Pixel
from galzoo_repr.hats._rows import as_part, candidates, embeddings_of, rows_of, sample_of
from galzoo_repr.hats._sources import HatsLike, opened
from galzoo_repr.hats._verb_on_part import VerbOnPart
from galzoo_repr.hats._verbs import SAMPLE, add_ranked
from galzoo_repr.similarity import Fetch, PreparedQuery, Query, prepare_query
from galzoo_repr.similarity import find_similar as find_in_table

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.anomaly import InterestModel

__all__ = ["add_anomaly_scores", "add_similarity", "find_similar"]

_OF_QUERY = ("negatives", "weights", "combine", "metric", "components", "whiten", "max_separation")
_OF_FETCH = ("encoder", "fov", "survey", "store", "device")
_NEEDLESS = ("negatives", "weights", "components", "whiten", "max_separation", *_OF_FETCH)


def add_similarity(
    table: HatsLike,
    query: Query,
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    progress: bool = True,
    n: int | None = None,
    name: str = "similarity",
    overwrite: bool = False,
    **options: object,
) -> HatsLike:
    """
    Add how alike each galaxy of a HATS catalogue is to those pointed at, and its rank among all.

    Parameters
    ----------
    table, out, client, progress
        As for `galzoo_repr.hats.add_embeddings`.
    query, n, name, overwrite
        As for `galzoo_repr.add_similarity`; rows count through all partitions, along the sky.
    **options
        Of `galzoo_repr.add_similarity`, except ``min_separation``. Components are found in a sample of 200,000.

    Returns
    -------
    pathlib.Path or lsdb.Catalog
    """
    if options.get("min_separation") is not None:
        raise ValueError(
            "min_separation= cannot be used to rank a whole HATS catalogue; find_similar(..., min_separation=) gives "
            "the best of it so"
        )
    if n is not None:
        check_whole_number("n", n)
    folder = opened(table, out, client)
    refuse_existing(as_part(folder, folder.pixels[0]), [name, f"{name}_rank"], overwrite=overwrite)
    prepared = prepared_for(folder, query, options)
    left = {key: value for key, value in options.items() if key not in _NEEDLESS}
    own = {**left, "query": prepared, "name": name, "overwrite": overwrite, "coords": options.get("coords")}
    if options.get("components") is not None:
        own |= {"components": options["components"], "whiten": options.get("whiten", False)}
    told = {**options, "query": query, "n": n, "name": name, "overwrite": overwrite}
    return add_ranked(
        "add_similarity", table, folder, own, told, out=out, stem=name, n=n, client=client, progress=progress
    )


def prepared_for(folder: HatsFolder, query: Query, options: dict) -> PreparedQuery:
    """Read a query for the whole catalogue: its examples, with their rows, and the space and the background."""
    embedding, coords = options.get("embedding", "embedding"), options.get("coords")
    criteria = {key: options[key] for key in _OF_QUERY if options.get(key) is not None}
    radius = read_angle(options.get("max_separation", 5 * u.arcsec), "max_separation")
    asked, rows = candidates(folder, query, radius, embedding, coords)
    if criteria.get("negatives") is not None:
        unlike, more = candidates(folder, criteria["negatives"], radius, embedding, coords)
        rows = np.union1d(rows, more)
        criteria["negatives"] = unlike(rows) if callable(unlike) else unlike
    carrier = rows if len(rows) else np.zeros(1, dtype=np.int64)
    known = rows_of(folder, carrier)
    spaced = criteria.get("components") is not None or criteria.get("metric") == "euclidean"
    sample = sample_of(folder, SAMPLE, [embedding]) if spaced else known
    try:
        prepared = prepare_query(
            known,
            asked(rows) if callable(asked) else asked,
            sample=read_embeddings(sample, embedding),
            parts=lambda: embeddings_of(folder, embedding),
            embedding=embedding,
            coords=coords,
            fetch=Fetch(**{key: options.get(key) for key in _OF_FETCH}),
            **criteria,
        )
    except ValueError as error:
        if not len(rows):
            raise
        raise ValueError(
            f"{error} (rows are counted among rows {rows[:10].tolist()} of the whole catalogue)"
        ) from error
    return _with_rows(prepared, carrier)


def _with_rows(prepared: PreparedQuery, rows: np.ndarray) -> PreparedQuery:
    """The same with rows of the catalogue for those of the table of candidates."""

    def moved(examples):  # noqa: ANN001
        return replace(examples, rows=np.where(examples.rows >= 0, rows[examples.rows], -1))

    negatives = None if prepared.negatives is None else moved(prepared.negatives)
    return replace(prepared, examples=moved(prepared.examples), negatives=negatives)


@dataclass(frozen=True)
class BestOfPart:
    """Finds the most similar galaxies of one partition: their rows in the catalogue, and how similar they are."""

    verb: VerbOnPart

    def narrowed(self, pixel: Pixel) -> "BestOfPart":
        """Give the same without what concerns other partitions."""
        return replace(self, verb=self.verb.narrowed(pixel))

    def __call__(self, pixel: Pixel) -> tuple[int, tuple[np.ndarray, np.ndarray]]:
        """Give the number of rows, and rows and similarities, best first."""
        start = (self.verb.rows or self.verb.narrowed(pixel).rows)[0]
        table = as_part(self.verb.folder, pixel)
        found = self.verb.apply(pixel, table)
        return len(table), (np.asarray(found["row"]) + start, np.asarray(found["similarity"]))


def find_similar(
    table: HatsLike,
    query: Query,
    n: int = 20,
    *,
    client: "Client | None" = None,
    progress: bool = True,
    include_query: bool = False,
    **options: object,
) -> Table:
    """
    Find the galaxies of a HATS catalogue that are most alike to those pointed at: exactly, partition by partition.

    Parameters
    ----------
    table, client, progress
        As for `galzoo_repr.hats.add_embeddings`.
    query, n, include_query
        As for `galzoo_repr.find_similar`; rows count through all partitions, along the sky.
    **options
        Of `galzoo_repr.find_similar`, except ``index`` and ``tags``.

    Returns
    -------
    astropy.table.Table
        As `galzoo_repr.find_similar` gives it; ``row`` counts through all partitions.
    """
    n = check_whole_number("n", n)
    for name in ("index", "tags"):
        if options.pop(name, None) is not None:
            raise ValueError(f"{name}= cannot be used over a HATS catalogue; leave it out")
    with _scratch() as scratch:
        folder = opened(table, scratch, client)
        prepared = prepared_for(folder, query, options)
        own = {key: value for key, value in options.items() if key not in _NEEDLESS}
        if options.get("components") is not None:
            own |= {"components": options["components"], "whiten": options.get("whiten", False)}
        apart = own.pop("min_separation", None)
        reach = n if apart is None else 4 * n
        while True:
            rows, similarity, exhausted = _merged(folder, prepared, own, reach, client, progress)
            known = np.unique(np.concatenate([rows, _own_rows(prepared)]))
            best = _final(folder, prepared, known, n, own | {"min_separation": apart}, include_query)
            # What no partition has told yet is less similar than the last of each; the answer must lie above.
            enough = (best["similarity_rank"] > 0).sum() == n and best["similarity"][-1] >= similarity
            if apart is None or exhausted or enough:
                return best
            reach *= 4


def _merged(
    folder: HatsFolder,
    prepared: PreparedQuery,
    own: dict,
    reach: int,
    client: "Client | None",
    progress: bool,
) -> tuple[np.ndarray, float, bool]:
    """Rows of the best of all partitions, the similarity down to which none is missing, and whether these are all."""
    verb = VerbOnPart(
        "find_similar", folder, None, {**own, "query": prepared, "n": reach, "coords": own.get("coords")}
    )
    outcomes = run_parts(
        BestOfPart(verb), folder.pixels, client=client, progress=progress, what="find_similar"
    )
    rows = np.concatenate([outcome.result[0] for outcome in outcomes])
    similarity = np.concatenate([outcome.result[1] for outcome in outcomes])
    cut_off = [outcome.result[1][-1] for outcome in outcomes if len(outcome.result[0]) == reach]
    order = np.lexsort([rows, -similarity])[:reach]
    floor = max(cut_off, default=-np.inf)
    if len(order) == reach:
        floor = max(floor, similarity[order[-1]])
    return rows[order], floor, not cut_off and len(order) == len(rows)


def _own_rows(prepared: PreparedQuery) -> np.ndarray:
    given = [prepared.examples] + ([] if prepared.negatives is None else [prepared.negatives])
    rows = np.concatenate([examples.rows for examples in given])
    return rows[rows >= 0]


def _final(
    folder: HatsFolder, prepared: PreparedQuery, known: np.ndarray, n: int, own: dict, include_query: bool
) -> Table:
    """The answer of the one-machine verb among the rows that can be in it."""

    def among(examples):  # noqa: ANN001
        places = np.searchsorted(known, examples.rows)
        return replace(examples, rows=np.where(examples.rows >= 0, places, -1))

    negatives = None if prepared.negatives is None else among(prepared.negatives)
    here = replace(prepared, examples=among(prepared.examples), negatives=negatives)
    best = find_in_table(rows_of(folder, known), here, n, include_query=include_query, **own)
    best["row"][:] = known[np.asarray(best["row"])]
    best.meta["galzoo_repr"]["find_similar"]["example_rows"] = prepared.examples.rows.tolist()
    best.remove_columns([name for name in ("_healpix_29", "_ra", "_dec") if name in best.colnames])
    return best


def add_anomaly_scores(
    table: HatsLike,
    ratings: str | Sequence[str] | None = "interest",
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    progress: bool = True,
    model: "InterestModel | None" = None,
    noise: str | Sequence[str] | None = None,
    embedding: str = "embedding",
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
    ratings, model, noise, embedding, name, overwrite
        As for `galzoo_repr.add_anomaly_scores`. The model is fitted once, on all rated galaxies; its components are
        found in these and a sample of 200,000.
    **options
        Of `galzoo_repr.add_anomaly_scores`, except ``known_first``.

    Returns
    -------
    pathlib.Path or lsdb.Catalog

    Raises
    ------
    ValueError
        If nothing is rated: how unusual a galaxy is cannot be told partition by partition.
    """
    if options.pop("known_first", False):
        raise ValueError("known_first= cannot be used over a HATS catalogue; leave it out")
    folder = opened(table, out, client)
    first = as_part(folder, folder.pixels[0])
    refuse_existing(
        first, [f"{name}_{end}" for end in ("score", "score_std", "rank", "unlike")], overwrite=overwrite
    )
    told = {**options, "ratings": ratings, "model": _known(model), "noise": noise, "name": name}
    told |= {"embedding": embedding, "overwrite": overwrite}
    if model is None or not hasattr(model, "process_"):
        model = _fitted(folder, ratings, model, noise, embedding)
    own = {**options, "ratings": None, "model": model, "embedding": embedding, "name": name}
    own |= {"overwrite": overwrite}
    return add_ranked(
        "add_anomaly_scores", table, folder, own, told, out=out, stem=name, client=client, progress=progress
    )


def _known(model: "InterestModel | None") -> object:
    """What tells one fitted model from another."""
    if model is None or not hasattr(model, "process_"):
        return None if model is None else str(model)
    return [model.process_.ratings, model.reduction_.axes]


def _fitted(
    folder: HatsFolder,
    ratings: str | Sequence[str] | None,
    model: "InterestModel | None",
    noise: str | Sequence[str] | None,
    embedding: str,
) -> "InterestModel":
    """Fit an interest on all rated galaxies and a sample of the others."""
    raters = [ratings] if isinstance(ratings, str) else list(ratings or [])
    spreads = [noise] if isinstance(noise, str) else list(noise or [])
    columns = parts_of(folder.schema, [*raters, *spreads]) if raters else []
    if not raters:
        raise ValueError("nothing is rated: give the column of ratings, or a fitted model=")
    rated = []
    for number, pixel in enumerate(folder.pixels):
        part = as_part(folder, pixel, columns)
        known = np.zeros(len(part), dtype=bool)
        for rater in raters:
            known |= np.isfinite(np.ma.filled(np.ma.asarray(part[rater], dtype=float), np.nan))
        rated.append(np.flatnonzero(known) + folder.starts[number])
    rows = np.concatenate(rated)
    if not len(rows):
        raise ValueError(
            f"nothing is rated in {', '.join(map(repr, raters))}, and how unusual a galaxy is cannot be told by "
            "partition; rate some, or fit an InterestModel on a part of the catalogue and give it as model="
        )
    list(embeddings_of(folder, embedding))
    sample = sample_of(folder, SAMPLE, [embedding, *raters, *spreads], keep=rows)
    return fit_interest(sample, ratings, model=model, noise=noise, embedding=embedding)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="galzoo_repr-") as folder:
        yield Path(folder)
