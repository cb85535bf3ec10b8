"""The verbs that add columns, for catalogues of partitions: the same calls, the same numbers."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Union

import numpy as np

from galzoo_repr._folder import locked
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats._declare import flat_provenance
from galzoo_repr.hats._engine import part_of, run_parts
from galzoo_repr.hats._folder import HatsFolder
from galzoo_repr.hats._job import Job
from galzoo_repr.hats._options import check_options, name_bulk_route, sendable
from galzoo_repr.hats._ranks import rank_all
from galzoo_repr.hats._rows import check_encoders, rows_of, sample_of
from galzoo_repr.hats._sources import HatsLike, answer, opened
from galzoo_repr.hats._verb_on_part import VerbOnPart, WithRanks, verb_named

if TYPE_CHECKING:
    from distributed import Client

    from galzoo_repr.finetuning import MorphologyModel

__all__ = [
    "SAMPLE",
    "add_by_part",
    "add_cutouts",
    "add_embeddings",
    "add_predictions",
    "add_ranked",
    "check_options",
]

__doctest_requires__ = {("add_cutouts", "add_embeddings", "add_predictions"): ["lsdb"]}

#: Galaxies, at even steps through the catalogue, in which principal components and class balances are found.
SAMPLE = 200_000
# Seconds to wait for another process that ranks the same scores.
_DAY = 24 * 3600.0
# How the work is done, which does not change its result: a call may go on with another.
_MANNER = (
    *("device", "batch_size", "progress", "workers", "store", "embedding_store", "keep", "overwrite"),
    *("out", "client"),
)


def add_cutouts(
    table: HatsLike,
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
    progress: bool = True,
    overwrite: bool = False,
    **options: object,
) -> HatsLike:
    """
    Fetch an image of every galaxy of a HATS catalogue; see `add_embeddings` for how, and `galzoo_repr.add_cutouts`.

    Parameters
    ----------
    table, out, client, part, max_rate, progress, overwrite
        As for `galzoo_repr.hats.add_embeddings`.
    **options
        Of `galzoo_repr.add_cutouts`.

    Returns
    -------
    pathlib.Path or lsdb.Catalog

    Examples
    --------
    >>> import tempfile
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.hats import add_cutouts, from_hats, to_hats
    >>> sky = gzr.SimulatedSurvey(seed=1)
    >>> with sky.serve() as service, tempfile.TemporaryDirectory() as place:
    ...     survey = to_hats(sky.catalogue(2), f"{place}/survey")
    ...     source = gzr.LegacySurvey(server=service.url)
    ...     from_hats(add_cutouts(survey, survey=source, out=f"{place}/cut", progress=False))["cutout_status"].tolist()
    ['ok', 'ok']
    """
    how = {"out": out, "client": client, "part": part, "max_rate": max_rate, "progress": progress}
    return add_by_part("add_cutouts", table, options | {"overwrite": overwrite}, **how)


def add_embeddings(
    table: HatsLike,
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
    progress: bool = True,
    overwrite: bool = False,
    **options: object,
) -> HatsLike:
    """
    Describe what every galaxy of a HATS catalogue looks like by a vector, one partition after the other.

    A partition that is done is never done again: after a kill of a worker, of the client, or of the machine the same
    call goes on where it was. One that fails is noted with its reason and tried again by the next call.

    Parameters
    ----------
    table : str, os.PathLike or lsdb.Catalog
        Folder of the catalogue, or what LSDB made of one; without margins.
    out : str or os.PathLike
        Folder of the new catalogue, with all columns of the old one. It is complete when it has ``hats.properties``.
    client : distributed.Client, optional
        Client of Dask whose workers do the partitions; this process when not given.
    part : (int, int), optional
        Do only one of several parts, such as ``(17, 200)``: for job arrays.
    max_rate : float, optional
        Requests per second to a service, of all processes of the job together, on whatever hosts; that which the
        keepers of the service ask for when not given.
    progress : bool, optional
        Show a bar.
    overwrite : bool, optional
        Replace columns of these names; and an `out` that holds the result of another such call.
    **options
        Of `galzoo_repr.add_embeddings`; what it takes row by row must be the name of a column.

    Returns
    -------
    pathlib.Path or lsdb.Catalog
        The new catalogue, in the form of the old one.

    Raises
    ------
    ValueError
        If `out` is missing or holds something else, or an option cannot be used by partition.

    Warns
    -----
    GalzooWarning
        If partitions failed, or rows have no embedding.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from PIL import Image
    >>> from galzoo_repr.hats import add_embeddings, from_hats, to_hats
    >>> with tempfile.TemporaryDirectory() as place:
    ...     Image.fromarray(np.eye(64, dtype="uint8") * 255).save(f"{place}/a.png")
    ...     survey = to_hats(Table({"ra": [10.0], "dec": [1.0], "file": [f"{place}/a.png"]}), f"{place}/survey")
    ...     how = {"images": "file", "embedding_store": False, "device": "cpu", "progress": False}
    ...     from_hats(add_embeddings(survey, out=f"{place}/embedded", **how))["embedding"].shape
    (1, 1280)
    """
    how = {"out": out, "client": client, "part": part, "max_rate": max_rate, "progress": progress}
    return add_by_part("add_embeddings", table, options | {"overwrite": overwrite}, **how)


def add_predictions(
    table: HatsLike,
    model: Union["MorphologyModel", str, os.PathLike],
    *,
    out: str | os.PathLike | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
    progress: bool = True,
    overwrite: bool = False,
    **options: object,
) -> HatsLike:
    """
    Add what a model predicts for every galaxy of a HATS catalogue; see `add_embeddings` for how.

    Parameters
    ----------
    table, out, client, part, max_rate, progress, overwrite
        As for `galzoo_repr.hats.add_embeddings`.
    model : MorphologyModel, str or os.PathLike
        As for `galzoo_repr.add_predictions`.
    **options
        Of `galzoo_repr.add_predictions`. A class balance of ``"catalogue"`` is that of a sample of 200,000.

    Returns
    -------
    pathlib.Path or lsdb.Catalog

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.hats import add_predictions, from_hats, to_hats
    >>> embedding = np.random.default_rng(0).normal(size=(100, 4)).astype("float32")
    >>> cat = Table({"ra": np.linspace(10, 50, 100), "dec": np.zeros(100), "embedding": embedding})
    >>> cat["ring"] = embedding[:, 0] > 0
    >>> model = gzr.finetune(cat, "ring", members=2)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     survey = to_hats(cat, f"{place}/survey")
    ...     told = from_hats(add_predictions(survey, model, out=f"{place}/told", progress=False))
    >>> bool(np.mean((told["ring_probability"] > 0.5) == told["ring"]) > 0.8)
    True
    """
    from galzoo_repr.finetuning import MorphologyModel

    if isinstance(model, str | os.PathLike):
        model = MorphologyModel.load(model)
    folder, embedding = opened(table, out, client), options.get("embedding", "embedding")
    if embedding in folder.schema.names:
        check_encoders(folder, embedding)
    if options.get("prior") == "catalogue":
        options["prior"] = _balance(folder, model, embedding)
    how = {"out": out, "client": client, "part": part, "max_rate": max_rate, "progress": progress}
    options |= {"overwrite": overwrite, "model": model}
    return add_by_part("add_predictions", table, options, **how, folder=folder)


def _balance(folder: HatsFolder, model: object, embedding: str) -> dict[str, float] | float:
    """Class balance of a sample of the catalogue, as a prior that is stated."""
    from galzoo_repr.catalogue import provenance
    from galzoo_repr.finetuning import add_predictions

    labels = [name for name in (model.label, *model.classes) if name in folder.schema.names]
    seen = sample_of(folder, SAMPLE, [embedding, *dict.fromkeys(labels)])
    seen = add_predictions(
        seen, model, prior="catalogue", embedding=embedding, name="_balance", progress=False
    )
    return provenance(seen, "add_predictions__balance")["balance"]


def add_by_part(
    call: str,
    table: HatsLike,
    options: Mapping[str, object],
    *,
    out: str | os.PathLike | None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    max_rate: float | None = None,
    progress: bool = True,
    folder: HatsFolder | None = None,
) -> HatsLike:
    """Call a verb for every partition that is not done, and declare the new catalogue complete when all are."""
    check_options(options, max_rate)
    folder = folder or opened(table, out, client)
    mine = part_of(folder.pixels, part)
    job = _begun(call, folder, options, out)
    work = VerbOnPart(call, folder, job, sendable(call, options, job, client), rate=max_rate)
    todo = job.missing(mine)
    if todo and call in ("add_cutouts", "add_embeddings") and options.get("images") is None:
        name_bulk_route(folder, options.get("survey"), max_rate)
    with _nothing_left_of_wrong_arguments(job, part):
        run_parts(work, todo, job=job, client=client, progress=progress, what=call)
    return _ended(table, job, folder, quiet=part is not None)


def add_ranked(
    call: str,
    table: HatsLike,
    folder: HatsFolder,
    prepared: Callable[[Job], dict[str, object]],
    told: Mapping[str, object],
    *,
    out: str | os.PathLike | None,
    stem: str,
    n: int | None = None,
    chosen: Callable[[Mapping[str, object]], tuple[np.ndarray, np.ndarray] | None] | None = None,
    facts: Mapping[str, object] | None = None,
    client: "Client | None" = None,
    part: tuple[int, int] | None = None,
    progress: bool = True,
) -> HatsLike:
    """
    Call a verb for every partition, rank the scores of all, and publish the partitions with both.

    `prepared` gives the options of the verb. `told` are the arguments as the user gave them, by which the job is known
    again; `stem` is the start of the names of the columns. `chosen` gives rows of the catalogue and their ranks, where
    the others have none. `facts` are for the provenance. With a `part` nothing is ranked yet.
    """
    check_options(told)
    mine = part_of(folder.pixels, part)
    job = _begun(call, folder, told, out)
    if job.missing():
        with _nothing_left_of_wrong_arguments(job, part):
            options = prepared(job)
            work = VerbOnPart(call, folder, job, options, ranked=stem, facts=facts or {})
            todo = [pixel for pixel in mine if not job.is_scored(pixel)]
            outcomes = run_parts(work, todo, job=job, client=client, progress=progress, what=call)
        if part is None and not any(outcome.reason for outcome in outcomes):
            with locked(job.hidden / "ranks", wait=_DAY, by="another process, which ranks the scores"):
                if left := job.missing():
                    rank_all([job.scores_of(pixel) for pixel in job.pixels], folder.lengths.tolist())
                    ranking = WithRanks(work, n, None if chosen is None else chosen(options))
                    run_parts(ranking, left, job=job, client=client, progress=progress, what="Ranks")
    return _ended(table, job, folder, quiet=part is not None)


@contextmanager
def _nothing_left_of_wrong_arguments(job: Job, part: tuple[int, int] | None = None) -> Iterator[None]:
    """Remove a job whose arguments were refused, so that the folder is free for the right ones."""
    try:
        yield
    except (TypeError, ValueError):
        if part is None:
            job.give_up()
        raise


def _begun(
    call: str, folder: HatsFolder, options: Mapping[str, object], out: str | os.PathLike | None
) -> Job:
    parameters = signature(verb_named(call)).parameters.values()
    takes_more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if not takes_more and (unknown := set(options) - {parameter.name for parameter in parameters}):
        raise TypeError(f"{call} has no argument {sorted(unknown)[0]!r}")
    # What is left out is the same as its default.
    told = {p.name: p.default for p in parameters if p.default is not p.empty} | dict(options)
    told = {name: value for name, value in told.items() if value is not None and name not in _MANNER}
    return Job.begin(out, call, folder, told, overwrite=bool(options.get("overwrite")))


def _ended(table: HatsLike, job: Job, folder: HatsFolder, *, quiet: bool = False) -> HatsLike:
    told = {
        key: value
        for key, value in folder.properties.items()
        if not key.startswith(("hats_n", "hats_skymap", "hats_estsize"))
    }
    if not job.missing():
        told |= flat_provenance(rows_of(HatsFolder(job.out, told, job.pixels[:1]), np.zeros(0)).meta)
    if job.finish({**told, "hats_builder": "galzoo_repr"}):
        for aside in ("aside", "input-*", "interest", "pace"):
            for path in job.hidden.glob(aside):
                shutil.rmtree(path, ignore_errors=True)
        return answer(table, job.out)
    missing = job.missing()
    failed = [pixel for pixel in missing if job.reason_of(pixel)]
    if failed or not quiet:
        reason = f" ({failed[0]}: {job.reason_of(failed[0])})" if failed else ""
        warnings.warn(
            f"{len(missing)} of {len(job.pixels)} partitions of {job.out} are missing, {len(failed)} of them failed"
            f"{reason}; the same call tries them again, and galzoo-repr parts {job.out} lists them",
            GalzooWarning,
            stacklevel=4,
        )
    return job.out
