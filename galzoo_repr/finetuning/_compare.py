"""Encoders compared by a user's own galaxies and labels."""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Unpack

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from numpy.typing import ArrayLike

from galzoo_repr._arguments import check_seed, check_whole_number
from galzoo_repr._config import log
from galzoo_repr._progress import progress_bar
from galzoo_repr._threads import cores
from galzoo_repr.catalogue import as_table, coords_fact, record_provenance
from galzoo_repr.encoders import Encoder
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.finetuning._compared_labels import LEAST, check_enough, labels_to_compare
from galzoo_repr.finetuning._contenders import Contender, check_images, read_contenders
from galzoo_repr.finetuning._folds import sky_groups
from galzoo_repr.finetuning._labels import Labels
from galzoo_repr.finetuning._predict import EmbeddingOptions
from galzoo_repr.finetuning._probe import FIGURES, NEIGHBOURS, corrected_error, probe, splits_of
from galzoo_repr.finetuning._training_set import Lesson

__all__ = ["compare_encoders"]

# Part of the galaxies of the fullest encoder below which one is left out, rather than taking them from all others.
_MOST_OF = 0.5


def compare_encoders(
    table: Table | SkyCoord,
    labels: str | ArrayLike,
    encoders: Sequence[Encoder | str | os.PathLike] = ("bundled", "bundled-int8"),
    *,
    task: str | None = None,
    repeats: int = 5,
    n_train: int | None = None,
    seed: int = 0,
    progress: bool = True,
    **images: Unpack[EmbeddingOptions],
) -> Table:
    """
    Measure which encoder serves one's own galaxies and labels best.

    The labelled galaxies are embedded by each encoder, and kept in the store of embeddings as always, so that the same
    call is quick the next time. Then the head of `galzoo_repr.finetune` learns from half of them and is tested on the
    others, several times, with the same galaxies for every encoder. Images within 5 arcsec of each other are one
    galaxy, which is never on both sides.

    Parameters
    ----------
    table : Table or QTable
        Catalogue; only labelled rows are looked at.
    labels : str or array-like, shape (n,)
        Column of labels, or the labels themselves: yes or no, or classes; missing ones are masked, NaN, None or blank.
    encoders : sequence of Encoder, str or os.PathLike
        Encoders, and names or folders for `Encoder.load` (``"bundled"``, ``"hf-hub:owner/repository"``, a Zoobot name,
        any timm model), and columns of embeddings that the table has, which come first where names coincide.
    task : {"binary", "classes"}, optional
        What the labels are, where they could be taken for something else.
    repeats : int
        Splits, at least 2.
    n_train : int, optional
        Galaxies to learn from in each; half of them by default.
    seed : int
        Of the splits.
    progress : bool
        Show progress bars.
    **images
        Options of `galzoo_repr.add_embeddings`: ``images``, ``coords``, ``fov``, ``survey``, ``store``,
        ``embedding_store``, ``device``...

    Returns
    -------
    Table
        One row for each encoder, in the order given, NaN where it has no such figure:

        - ``encoder``; ``status``: ``ok``, ``failed`` or ``few_embeddings`` (for less than half as many galaxies as
          others); and ``reason``, why a figure is missing;
        - ``accuracy`` of the head, for galaxies held out;
        - ``average_precision`` of its ranking of them, of classes the mean over classes;
        - ``precision_at_10``: share of the ten most alike (cosine, of embeddings less their mean) that are of a
          galaxy's class, among as many held-out galaxies of each class; NaN with fewer than eleven of one;
        - ``gain``: average precision less that of the first encoder with one, split by split, which says more of a
          difference than two errors do;
        - ``cost`` in ms of CPU time per image on this machine, all cores together, reading of images not included;
        - to each of these ``<name>_error``, the standard error of the mean over splits (of the cost, over rounds);
        - ``dim`` of its embeddings, ``size`` of its images in pixels (-1 where unknown), ``n`` galaxies compared.

        All encoders are compared on the rows that have an embedding by each of them.

    Raises
    ------
    ValueError, TypeError
        Before anything is loaded: if there is no such encoder (with those that are called alike), the labels are
        numbers, votes, of one class, or of fewer than four galaxies of a class, or there are neither images nor
        positions.

    Warns
    -----
    GalzooWarning
        If an encoder failed, which does not lose the others; if encoders look at images of different sizes; or if a
        class has few galaxies.

    Notes
    -----
    Splits share galaxies, so the error of a mean over J of them is that of Nadeau & Bengio (2003, *Machine Learning*
    52, 239): the variance of one, times 1/J + n_test/n_train.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> rng = np.random.default_rng(0)
    >>> galaxies = Table({"ring": np.arange(100) % 2 == 0, "mine": rng.normal(size=(100, 4))})
    >>> galaxies["other"] = galaxies["mine"] + 4 * galaxies["ring"][:, None]
    >>> board = gzr.compare_encoders(galaxies, "ring", ["mine", "other"], progress=False)
    >>> bool(board["accuracy"][1] > 0.9 > board["accuracy"][0])
    True
    """
    table = as_table(table, copy=False)
    _check_options(images)
    seed, repeats = check_seed(seed), check_whole_number("repeats", repeats, 2, ": an error needs two splits")
    contenders = read_contenders(table, encoders)
    found = labels_to_compare(table, labels, task)
    rows, coords = found.rows, images.get("coords")
    groups = sky_groups(table, rows, coords=coords)
    check_enough(found, rows, groups)
    _check_n_train(n_train, len(np.unique(groups)), 2 * len(np.unique(found.values[rows], axis=0)))
    check_images(table, images.get("images"), coords, contenders)
    _embed(table, rows, contenders, progress, images)
    compared = _compared(contenders, len(rows))
    counts = check_enough(found, rows[compared], groups[compared], what=" that all encoders have embedded")
    n_train, n_test = _measure(
        found,
        rows,
        groups,
        compared,
        contenders,
        n_train=n_train,
        repeats=repeats,
        seed=seed,
        progress=progress,
    )
    board = _board(contenders, n_train, n_test)
    facts = {
        "labels": found.name,
        "task": found.task,
        "classes": counts,
        "n_train": n_train,
        "n_test": n_test,
        "repeats": repeats,
        "seed": seed,
        "encoders": {one.name: one.digest for one in contenders},
        "backends": {one.name: one.backend for one in contenders if one.backend},
        "failed": {one.name: one.reason for one in contenders if not one.ok},
        "cores": cores(),
        **coords_fact(coords),
    }
    record_provenance(board, "compare_encoders", facts)
    return board


def _check_options(images: dict) -> None:
    unknown = set(images) - set(EmbeddingOptions.__annotations__) - {"fallback", "keep"}
    if unknown:
        raise TypeError(
            f"compare_encoders has no option {', '.join(sorted(unknown))}; see its documentation for those it has"
        )


def _check_n_train(n_train: int | None, galaxies: int, least: int) -> None:
    if n_train is not None and not least <= check_whole_number("n_train", n_train) <= galaxies - least:
        raise ValueError(
            f"n_train={n_train} of {galaxies} labelled galaxies leaves fewer than two of each class to learn from "
            f"or to test on; it may be {least} to {galaxies - least}"
        )


def _embed(table: Table, rows: np.ndarray, contenders: list[Contender], progress: bool, images: dict) -> None:
    """Embed the labelled galaxies by each; whatever goes wrong with one is its status."""
    options = {**images, "progress": progress}
    device = options.pop("device", None)
    for one in contenders:
        _try(one, lambda one=one: one.look(device))
    sizes = {one.name: one.size for one in contenders if one.ok and one.size > 0}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size} px" for name, size in sizes.items())
        warnings.warn(
            f"encoders look at images of different sizes: {said}; cost and detail differ with that.",
            GalzooWarning,
            stacklevel=3,
        )
    with progress_bar(len(contenders), "encoders", "encoder", shown=progress) as bar:
        for one in contenders:
            if one.ok:
                _try(one, lambda one=one: one.embed(table, rows, device, **options))
            bar.update()


def _try(one: Contender, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:  # of any kind: the other encoders are not to be lost
        log.info("encoder %s failed", one.name, exc_info=True)
        one.fail(error)
        warnings.warn(f"encoder {one.name!r} is left out: {one.reason}", GalzooWarning, stacklevel=4)


def _compared(contenders: list[Contender], n: int) -> np.ndarray:
    """Which labelled rows have an embedding by all, leaving out encoders that have embedded few: int."""
    if not any(one.ok for one in contenders):
        raise ValueError(
            "no encoder can be compared: " + "; ".join(f"{one.name}: {one.reason}" for one in contenders)
        )
    most = max(one.embeddings.usable.sum() for one in contenders if one.ok)
    usable = np.ones(n, dtype=bool)
    for one in contenders:
        if not one.ok:
            continue
        has = int(one.embeddings.usable.sum())
        if has < max(_MOST_OF * most, LEAST):
            one.status, one.reason = (
                "few_embeddings",
                f"only {has} of {n} labelled galaxies have an embedding",
            )
            warnings.warn(f"encoder {one.name!r} is left out: {one.reason}.", GalzooWarning, stacklevel=3)
        else:
            usable &= one.embeddings.usable
    return np.flatnonzero(usable)


def _measure(
    labels: Labels,
    rows: np.ndarray,
    groups: np.ndarray,
    compared: np.ndarray,
    contenders: list[Contender],
    *,
    n_train: int | None,
    repeats: int,
    seed: int,
    progress: bool,
) -> tuple[int, int]:
    """Figures of each encoder in the same splits; gives the galaxies learned from and tested on."""
    y, groups = labels.values[rows[compared]], groups[compared]
    galaxies = len(np.unique(groups))
    wanted = galaxies // 2 if n_train is None else n_train
    splits = splits_of(y, groups, labels.task, wanted, repeats=repeats, seed=seed)
    with progress_bar(len(contenders), "heads", "encoder", shown=progress) as bar:
        for one in contenders:
            if one.ok:
                x = np.asarray(one.embeddings.vectors[compared], np.float32)
                lesson = Lesson(x, y, groups, labels.task, seed=seed)
                _try(one, lambda one=one, lesson=lesson: _figures(one, lesson, splits, seed))
            bar.update()
    learned = len(np.unique(groups[splits[0][0]]))
    return learned, galaxies - learned


def _figures(one: Contender, lesson: Lesson, splits: list[tuple[np.ndarray, np.ndarray]], seed: int) -> None:
    each = [probe(lesson, split, seed + i) for i, split in enumerate(splits)]
    one.figures = {name: np.array([of[name] for of in each]) for name in FIGURES}
    if np.isnan(one.figures["precision_at_10"]).any():
        one.reason = (
            f"no precision at {NEIGHBOURS}: fewer than {NEIGHBOURS + 1} galaxies of a class were held out"
        )


def _board(contenders: list[Contender], n_train: int, n_test: int) -> Table:
    first = next((one for one in contenders if one.figures), None)
    board = Table(
        {
            "encoder": Column([one.name for one in contenders], description="As it was given"),
            "status": Column([one.status for one in contenders], description="ok, failed or few_embeddings"),
            "reason": Column(
                [one.reason for one in contenders], description="Why it, or a figure, is missing"
            ),
        }
    )
    about = {
        "accuracy": "Share of held-out galaxies that a linear head tells right",
        "average_precision": "Of held-out galaxies ranked by a linear head; of classes, the mean",
        "precision_at_10": "Share of the ten most alike that are of the same class; classes of equal size",
        "gain": "Average precision less that of the first encoder, split by split",
    }
    for name, description in about.items():
        values = [_values(one, first, name) for one in contenders]
        board[name] = Column([np.mean(of) for of in values], description=f"{description}; higher is better")
        errors = [corrected_error(of, n_train, n_test) for of in values]
        board[f"{name}_error"] = Column(errors, description=f"Standard error of {name} over splits")
    costs = np.array([one.cost for one in contenders], dtype=float)
    board["cost"] = Column(
        costs[:, 0], unit=u.ms, description="CPU time per image on this machine, all cores together"
    )
    board["cost_error"] = Column(costs[:, 1], unit=u.ms, description="Standard error of cost over rounds")
    board["dim"] = Column([one.dim for one in contenders], description="Length of an embedding; -1 unknown")
    sizes = [one.size for one in contenders]
    board["size"] = Column(sizes, unit=u.pix, description="Side of the images it looks at; -1 unknown")
    n = [_number(one, n_train + n_test) for one in contenders]
    board["n"] = Column(n, description="Labelled galaxies")
    for name in board.colnames:
        if board[name].dtype.kind == "f":
            board[name].info.format = ".3f"
    return board


def _values(one: Contender, first: Contender | None, name: str) -> np.ndarray:
    """Figure of each split; NaN, twice, where there is none."""
    if not one.figures:
        return np.full(2, np.nan)
    if name == "gain":
        return one.figures["average_precision"] - first.figures["average_precision"]
    return one.figures[name]


def _number(one: Contender, compared: int) -> int:
    if one.ok:
        return compared
    return 0 if one.embeddings is None else int(one.embeddings.usable.sum())
