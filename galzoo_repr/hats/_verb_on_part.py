"""A verb of the package, done to one partition in whatever process."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module

import numpy as np
import pyarrow as pa
from astropy.table import Table

from galzoo_repr._config import conf
from galzoo_repr.anomaly import known_before, ratings_of
from galzoo_repr.catalogue import columns_beside, parts_of, sky_positions, stacked
from galzoo_repr.cutouts import shared_pace
from galzoo_repr.hats._folder import HatsFolder, Pixel, rows_in, write_partition
from galzoo_repr.hats._job import Job
from galzoo_repr.hats._later import fill_in
from galzoo_repr.hats._ranks import rank_file, write_scores
from galzoo_repr.hats._rows import in_degrees

__all__ = ["VerbOnPart", "WithRanks", "verb_named"]

_ROOMS = {
    "add_cutouts": "cutouts",
    "add_embeddings": "encoders",
    "add_similarity": "similarity",
    "find_similar": "similarity",
    "add_anomaly_scores": "anomaly",
    "add_predictions": "finetuning",
}
_RATES = ("viewer_rate", "hips_rate", "brick_rate")
_LOADED = {"encoder": "Encoder", "model": "MorphologyModel"}


@dataclass(frozen=True)
class VerbOnPart:
    """
    Calls a verb for one partition, and publishes the partition with its new columns.

    Attributes
    ----------
    call : str
        Name of the verb.
    folder : HatsFolder
        The catalogue.
    job : Job or None
        Where the result goes.
    options : mapping
        Arguments of the verb; an encoder or model may be a name or folder, and is loaded once in each process.
    ranked : str
        Start of the names of columns of scores that are ranked only when all are known: the partition is set aside.
    rate : float or None
        Requests per second that all processes of the job together may send.
    facts : mapping
        What the provenance is to say besides.
    rows : (int, int) or None
        Number of the first row of the partition in the catalogue, and of the row after its last, if need be.
    """

    call: str
    folder: HatsFolder
    job: Job | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    ranked: str = ""
    rate: float | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[int, int] | None = None

    def narrowed(self, pixel: Pixel) -> "VerbOnPart":
        """Give the same without what concerns other partitions, to be sent to another process."""
        rows = None
        if hasattr(self.options.get("query"), "in_rows"):
            number = self.folder.pixels.index(pixel)
            rows = tuple(self.folder.starts[number : number + 2].tolist())
        job = None if self.job is None else replace(self.job, pixels=[pixel])
        return replace(self, folder=replace(self.folder, pixels=[pixel]), job=job, rows=rows)

    def __call__(self, pixel: Pixel) -> tuple[int, object]:
        """Do one partition; give its number of rows, and None."""
        with self.job.in_hand(pixel):
            for done in (self.job.aside(pixel), self.job.path_of(pixel)):
                if done.exists():  # by a process that was killed before it could tell
                    return rows_in(done), None
            arrow = self.folder.read(pixel)
            seen = arrow if self.needed is None else arrow.select(self.needed)
            table = in_degrees(self.folder, stacked([seen], self.folder.path_of(pixel)))
            made = self.new_columns(pixel, table, self.apply(pixel, table))
            if self.ranked:
                self._set_aside(pixel, table, made, arrow)
            else:
                write_partition(columns_beside(arrow, made), self.job.path_of(pixel))
        return len(table), None

    @property
    def needed(self) -> list[str] | None:
        """Columns of Arrow that scores are computed from; None for all of them."""
        scoring = self.ranked or self.call == "find_similar"
        if not scoring or any(self.options.get(name) is not None for name in ("within", "coords")):
            return None
        ratings = self.options.get("ratings") or []
        names = [ratings] if isinstance(ratings, str) else list(ratings)
        if (beside := getattr(self.options.get("model"), "beside_", None)) is not None:
            names += beside.names
        return parts_of(self.folder.schema, [self.options.get("embedding", "embedding"), *names])

    def apply(self, pixel: Pixel, table: Table) -> Table:
        """What the verb makes of a table of this partition."""
        options = dict(self.options)
        for name, kind in _LOADED.items():
            if isinstance(options.get(name), str | os.PathLike):
                options[name] = _loaded(kind, str(options[name]), options.get("device"))
        if (prepared := options.get("query")) is not None and hasattr(prepared, "in_rows"):
            options["query"] = prepared.in_rows(*(self.rows or self.narrowed(pixel).rows))
        if "coords" in options and options["coords"] is None:
            options["coords"] = _coords(self.folder, table)
        with ExitStack() as settings:
            if self.job is not None:
                settings.enter_context(shared_pace(self.job.hidden / "pace"))
            if self.rate is not None:
                for name in _RATES:
                    settings.enter_context(conf.set_temp(name, self.rate))
            return verb_named(self.call)(table, **options)

    def new_columns(self, pixel: Pixel, table: Table, result: Table) -> Table:
        """Only the columns that the verb made, with the meta of the whole, which says of what partition it is."""
        new = [
            name
            for name in result.colnames
            if name not in table.colnames
            or str((result[name].info.meta or {}).get("computed_by", "")).startswith(self.call)
        ]
        made = result[new]
        for call, record in made.meta.get("galzoo_repr", {}).items():
            if call.startswith(self.call):
                record |= {"partition": str(pixel), **self.facts}
                if (prepared := self.options.get("query")) is not None and "example_rows" in record:
                    record["example_rows"] = prepared.examples.rows.tolist()
        return made

    def _set_aside(self, pixel: Pixel, table: Table, made: Table, arrow: pa.Table) -> None:
        path, rank = self.job.aside(pixel), f"{self.ranked}_rank"
        path.parent.mkdir(parents=True, exist_ok=True)
        scores = np.asarray(made[score_of(made, self.ranked)], dtype=float)
        if self.options.get("known_first") and hasattr(model := self.options["model"], "scale_"):
            _, ratings, _ = ratings_of(table, self.options["ratings"])
            scores = known_before(scores, ratings, model.scale_[0])
        write_scores(self.job.scores_of(pixel), np.where(np.asarray(made[rank]) > 0, scores, np.nan))
        write_partition(columns_beside(arrow, made), path, rank)


@dataclass(frozen=True)
class WithRanks:
    """
    Publishes a partition that was set aside, with its ranks in the whole catalogue.

    Attributes
    ----------
    verb : VerbOnPart
        What scored it.
    n : int or None
        How many have a rank.
    chosen : (numpy.ndarray, numpy.ndarray) or None
        Rows of the catalogue and their ranks, where these are not those of the scores.
    """

    verb: VerbOnPart
    n: int | None = None
    chosen: tuple[np.ndarray, np.ndarray] | None = None

    def narrowed(self, pixel: Pixel) -> "WithRanks":
        """Give the same without what concerns other partitions."""
        return replace(self, verb=self.verb.narrowed(pixel))

    def __call__(self, pixel: Pixel) -> tuple[int, object]:
        """Do one partition; give its number of rows, and None."""
        with self.verb.job.in_hand(pixel):
            done = self.verb.job.path_of(pixel)
            return rows_in(done) if done.exists() else self._published(pixel), None

    def _published(self, pixel: Pixel) -> int:
        ranks = np.load(rank_file(self.verb.job.scores_of(pixel)))
        start, stop = self.verb.rows or self.verb.narrowed(pixel).rows or (0, len(ranks))
        if self.chosen is not None:
            rows, theirs = self.chosen
            here = (rows >= start) & (rows < stop)
            ranks[:] = -1
            ranks[rows[here] - start] = theirs[here]
        elif self.n is not None:
            ranks[ranks > self.n] = -1
        if (query := self.verb.options.get("query")) is not None:
            examples = query.in_rows(start, stop).examples.rows
            ranks[examples[examples >= 0]] = 0
        fill_in(self.verb.job.aside(pixel), ranks, self.verb.job.path_of(pixel))
        return len(ranks)


def verb_named(call: str) -> Callable[..., Table]:
    """Give a verb of the package."""
    return getattr(import_module(f"galzoo_repr.{_ROOMS[call]}"), call)


def score_of(table: Table, stem: str) -> str:
    """Name of the column that is ranked: ``anomaly_score``, but ``similarity``."""
    return f"{stem}_score" if f"{stem}_score" in table.colnames else stem


@lru_cache(maxsize=2)
def _loaded(kind: str, where: str, device: str | None) -> object:
    """Load an encoder or a model once for all partitions that a process works on."""
    if kind == "Encoder":
        from galzoo_repr.encoders import Encoder

        return Encoder.load(where, device=device)
    from galzoo_repr.finetuning import MorphologyModel

    return MorphologyModel.load(where)


def _coords(folder: HatsFolder, table: Table) -> tuple[str, str] | None:
    """Columns of positions that the catalogue names, where those of the table have unusual names."""
    try:
        sky_positions(table[:0])
    except ValueError:
        return folder.positions if set(folder.positions) <= set(table.colnames) else None
    return None
