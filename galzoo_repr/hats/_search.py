"""Similarity over catalogues of partitions: one query, one background, and answers for the whole."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from galzoo_repr._angle import read_angle
from galzoo_repr._arguments import check_whole_number
from galzoo_repr._folder import published
from galzoo_repr.catalogue import read_embeddings, refuse_existing
from galzoo_repr.hats._engine import run_parts
from galzoo_repr.hats._folder import HatsFolder, Pixel
from galzoo_repr.hats._indices import NearestOfPart, place_of_indices
from galzoo_repr.hats._options import check_options
from galzoo_repr.hats._rows import (
    as_part,
    candidates,
    check_encoders,
    embeddings_of,
    rows_of,
    sample_of,
    tagged,
)
from galzoo_repr.hats._sources import HatsLike, opened
from galzoo_repr.hats._verb_on_part import VerbOnPart
from galzoo_repr.hats._verbs import SAMPLE, add_ranked
from galzoo_repr.similarity import Fetch, PreparedQuery, Query, prepare_query
from galzoo_repr.similarity import find_similar as find_in_table

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.hats._job import Job

__all__ = ["add_similarity", "find_similar"]

__doctest_requires__ = {("add_similarity", "find_similar"): ["lsdb"]}

_OF_QUERY = ("negatives", "weights", "combine", "metric", "components", "whiten", "max_separation")
_OF_FETCH = ("encoder", "fov", "survey", "store", "device")
_NEEDLESS = ("negatives", "weights", "components", "whiten", "max_separation", "min_separation", *_OF_FETCH)
# As for tags in a table: matches so near to the query on the sky are its own parts and neighbours.
_TRIVIAL = 100 * u.arcsec


def add_similarity(
    table: HatsLike,
    query: Query,
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
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
    part : (int, int), optional
        Score only one of several parts, such as ``(17, 200)``, for job arrays. When all parts are scored, the same
        call without it ranks them.
    query, n, name, overwrite
        As for `galzoo_repr.add_similarity`; rows count through all partitions, along the sky.
    **options
        Of `galzoo_repr.add_similarity`. Components are found in a sample of 200,000; ``min_separation`` needs `n`.

    Returns
    -------
    pathlib.Path or lsdb.Catalog

    Examples
    --------
    >>> import tempfile
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import add_similarity, from_hats, to_hats
    >>> cat = Table({"ra": [10.0, 10.1, 200.0], "dec": [1.0, 1.0, 2.0]})
    >>> cat["embedding"] = [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]
    >>> with tempfile.TemporaryDirectory() as place:
    ...     survey = to_hats(cat, f"{place}/survey", max_rows=2)
    ...     alike = from_hats(add_similarity(survey, 0, out=f"{place}/alike", progress=False))
    >>> alike["similarity"].round(2).tolist(), alike["similarity_rank"].tolist()
    ([1.0, 0.6, 0.8], [0, 2, 1])
    """
    if n is not None:
        check_whole_number("n", n)
    apart = options.get("min_separation")
    if apart is not None and n is None:
        raise ValueError(
            "min_separation= without n= would thin a whole HATS catalogue, which cannot be done by partition; say how "
            "many are wanted, such as n=1000"
        )
    folder = opened(table, out, client)
    refuse_existing(as_part(folder, folder.pixels[0], []), [name, f"{name}_rank"], overwrite=overwrite)

    def prepared(job: "Job") -> dict[str, object]:
        own = {"query": prepared_for(folder, query, options, job.hidden / "background.npy"), "name": name}
        return _of_part(options) | own | {"overwrite": overwrite}

    def chosen(own: Mapping[str, object]) -> tuple[np.ndarray, np.ndarray] | None:
        if apart is None:
            return None
        best = _best(
            folder, own["query"], n, {**_of_part(options), "min_separation": apart}, False, client, progress
        )
        return np.asarray(best["row"]), np.asarray(best["similarity_rank"])

    told = {**options, "query": query, "n": n, "name": name, "overwrite": overwrite}
    facts = {key: str(value) for key, value in {"min_separation": apart}.items() if value is not None}
    return add_ranked(
        "add_similarity",
        table,
        folder,
        prepared,
        told,
        out=out,
        stem=name,
        n=n,
        chosen=chosen,
        facts=facts | ({} if n is None else {"n": int(n)}),
        client=client,
        part=part,
        progress=progress,
    )


def _of_part(options: Mapping[str, object]) -> dict[str, object]:
    """Options that still matter where a query is prepared."""
    own = {key: value for key, value in options.items() if key not in _NEEDLESS}
    if options.get("components") is not None:
        own |= {"components": options["components"], "whiten": options.get("whiten", False)}
    return own | {"coords": options.get("coords")}


def prepared_for(
    folder: HatsFolder, query: Query, options: Mapping[str, object], kept: Path | None = None
) -> PreparedQuery:
    """
    Read a query for the whole catalogue: its examples, with their rows, and the space and the background.

    The background, for which all embeddings are read, is kept in a file for other processes of the job.
    """
    embedding, coords = options.get("embedding", "embedding"), options.get("coords")
    check_encoders(folder, embedding)
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
    there = kept is not None and kept.exists()
    try:
        prepared = prepare_query(
            known,
            asked(rows) if callable(asked) else asked,
            sample=read_embeddings(sample, embedding),
            parts=lambda: () if there else embeddings_of(folder, embedding),
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
    if there:
        prepared = replace(prepared, background=np.load(kept))
    elif kept is not None and prepared.background is not None:
        with published(kept) as draft:
            np.save(draft, prepared.background)
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
        table = as_part(self.verb.folder, pixel, self.verb.needed)
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
    tags: Sequence[str] | None = None,
    index: bool | str | os.PathLike | None = None,
    **options: object,
) -> Table | dict[str, Table]:
    """
    Find the galaxies of a HATS catalogue that are most alike to those pointed at: exactly, partition by partition.

    With `index`, nearly all of them, without reading the partitions again.

    Parameters
    ----------
    table, client, progress
        As for `galzoo_repr.hats.add_embeddings`.
    query, n, include_query, tags
        As for `galzoo_repr.find_similar`; rows count through all partitions, along the sky. The catalogue is read once
        for each tag.
    index : bool, str or os.PathLike, optional
        Keep a `~galzoo_repr.SimilarityIndex` of each partition, in the folder of the catalogue (True) or in another,
        and search these: built by the first call, used by later ones, built anew where the content is another.
        Partitions of 20,000 galaxies and more are searched by their graphs of neighbours, which miss some.
    **options
        Of `galzoo_repr.find_similar`. With `index` neither ``within``, ``beside``, ``components`` nor another metric.

    Returns
    -------
    astropy.table.Table, or dict of them by tag
        As `galzoo_repr.find_similar` gives it; ``row`` counts through all partitions.

    Examples
    --------
    >>> import tempfile
    >>> from astropy.table import Table
    >>> from galzoo_repr.hats import find_similar, to_hats
    >>> cat = Table({"ra": [10.0, 10.1, 200.0], "dec": [1.0, 1.0, 2.0]})
    >>> cat["embedding"] = [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]
    >>> with tempfile.TemporaryDirectory() as place:
    ...     best = find_similar(to_hats(cat, f"{place}/survey", max_rows=2), 0, n=2, progress=False)
    >>> best["row"].tolist(), best["similarity"].round(2).tolist()
    ([2, 1], [0.8, 0.6])
    """
    n = check_whole_number("n", n)
    check_options(options)
    with _scratch() as scratch:
        folder = opened(table, scratch, client)
        place = None
        if index is not None and index is not False:
            place = place_of_indices(folder, index, options, lasting=isinstance(table, str | os.PathLike))
        by_tag = tagged(folder, query, tags, options.get("embedding", "embedding"))
        if by_tag is None:
            prepared = prepared_for(folder, query, options)
            own = _of_part(options) | {"min_separation": options.get("min_separation")}
            return _best(folder, prepared, n, own, include_query, client, progress, place)
        apart = options.pop("min_separation", None) or _TRIVIAL
        own = _of_part(options) | {"min_separation": apart}
        return {
            tag: _best(
                folder, prepared_for(folder, row, options), n, own, include_query, client, progress, place
            )
            for tag, row in by_tag.items()
        }


def _best(
    folder: HatsFolder,
    prepared: PreparedQuery,
    n: int,
    own: Mapping[str, object],
    include_query: bool,
    client: "Client | None",
    progress: bool,
    place: Path | None = None,
) -> Table:
    """One query: as many of the best of each partition as it takes, and among these what one table would give."""
    apart = own["min_separation"]
    alone = {key: value for key, value in own.items() if key != "min_separation"}
    reach = n if apart is None else 4 * n
    while True:
        rows, similarity, exhausted = _merged(folder, prepared, alone, reach, client, progress, place)
        known = np.unique(np.concatenate([rows, _own_rows(prepared)]))
        best = _final(folder, prepared, known, n, dict(own), include_query)
        # What no partition has told yet is less similar than the last of each; the answer must lie above.
        if place is not None:
            best.meta["galzoo_repr"]["find_similar"]["index"] = "of each partition"
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
    place: Path | None = None,
) -> tuple[np.ndarray, float, bool]:
    """Rows of the best of all partitions, the similarity down to which none is missing, and whether these are all."""
    verb = VerbOnPart("find_similar", folder, None, {**own, "query": prepared, "n": reach})
    work = BestOfPart(verb)
    if place is not None:
        embedding = own.get("embedding", "embedding")
        work = NearestOfPart(folder, place, prepared, reach, own.get("combine"), embedding)
    outcomes = run_parts(work, folder.pixels, client=client, progress=progress, what="find_similar")
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


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="galzoo_repr-") as folder:
        yield Path(folder)
