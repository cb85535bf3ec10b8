"""The function `look`: a page to look, rate, tag and explore, in a notebook, a script or at the shell."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from galzoo_repr._arguments import check_column, check_number, check_whole_number, did_you_mean, some_of
from galzoo_repr.catalogue import Beside, as_table, fingerprint, read_embeddings, with_columns

if TYPE_CHECKING:
    from galzoo_repr.app._session import Desk
    from galzoo_repr.cutouts import Route
    from galzoo_repr.images import Pictures

__all__ = ["Look", "look"]

__doctest_requires__ = {("look", "Look", "Look.close"): ["panel"]}

STILL = 10  # galaxies that are shown where a notebook was exported
MOST_KEYS = 10  # ratings that can each have a key of their own
# Pages that are open in this program, by folder, name of the ratings and rater.
_OPEN: WeakValueDictionary[tuple[Path, str, str], Desk] = WeakValueDictionary()


def look(
    table: Table | SkyCoord,
    *,
    folder: str | os.PathLike | None = None,
    ratings: str = "interest",
    rater: str = "",
    scale: Sequence[float] = (0, 1, 2, 3, 4, 5),
    n: int = 10,
    show: Sequence[str] = (),
    images: Pictures | None = None,
    embedding: str = "embedding",
    beside: Mapping[str, float] | None = None,
    survey: Route | None = None,
    serve: bool | None = None,
    browser: bool = True,
    port: int = 0,
    prefix: str = "",
    origins: Sequence[str] = (),
    announce: Callable[[str], None] = print,
) -> Look:
    """
    Look at the galaxies of a catalogue on a page, rate, tag and explore them by keys and mouse.

    In a notebook, the page is what the last line of a cell shows, and the next cells run while it is used. In a
    script, the page is served until Ctrl-C, to this machine alone and to whoever has the address that is printed.

    Parameters
    ----------
    table : Table or QTable
        Catalogue; never changed. Rating needs a column of embeddings.
    folder : str or pathlib.Path, optional
        Where ratings, tags, labels and the state of the page are kept, and found again when `look` is called the next
        time; by default ``galzoo-look/`` and part of the catalogue's fingerprint, in the current folder.
    ratings : str
        Name of what is looked for: the column of ratings, which count if `table` has it.
    rater : str
        Name of the person, where several rate the same catalogue. Each has a file and a column of her own,
        ``<ratings>_<rater>``, and what she learns from is what all of them gave.
    scale : sequence of float
        Ratings that can be given, at most ten. Their keys are their digits, or else 1, 2, 3... in order.
    n : int
        Galaxies in a batch.
    show : list of str
        Columns whose values are shown with each galaxy.
    images : str or sequence, optional
        Column of image files, or one picture for each row; by default ``cutout`` or ``file_loc``.
    embedding : str
        Column of embeddings.
    beside : mapping of str to float, optional
        Columns that count beside the picture where ratings are learned from, and their weights, as for
        `galzoo_repr.add_anomaly_scores`. Searches and labels on the page go by the picture alone.
    survey : LegacySurvey or another Route, optional
        Where a wider field is fetched from, when asked for; the Legacy Survey viewer when not given.
    serve : bool, optional
        Whether to serve until Ctrl-C; by default everywhere but in a notebook.
    browser : bool
        Open a browser when serving.
    port : int
        Port to serve on; 0 takes a free one.
    prefix : str
        Start of the address behind a proxy that keeps it, such as ``"/user/ann/proxy/5006"``.
    origins : list of str
        Hosts, other than this machine, that a proxy may call the page by.
    announce : callable
        Called with the address when the page is ready.

    Returns
    -------
    Look
        With the catalogue and its new columns as ``.table``.

    Raises
    ------
    ImportError
        If Panel is not installed.
    ValueError
        If a column does not exist or an argument is not allowed.
    BlockingIOError
        If another page rates under the same name. In a notebook, the page that was there before is closed, so that
        a cell can be run again.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"embedding": np.random.default_rng(1).normal(size=(200, 4))})
    >>> with gzr.look(cat, folder="kept", serve=False) as looked:
    ...     looked.table.colnames
    ['embedding', 'interest']
    """
    table = as_table(table)
    check_whole_number("n", n)
    check_whole_number("port", port, 0)
    if port > 65535:
        raise ValueError(f"port={port} is no port: give 0 (any that is free) to 65535")
    _check_page(serve, browser, prefix, survey, announce)
    values = checked_scale(scale)
    show, origins = _checked_names("show", show), _checked_names("origins", origins)
    for name in show:
        if name not in table.colnames:
            raise ValueError(
                f"show names no column {name!r}; the columns are {some_of(table.colnames)}"
                f"{did_you_mean(name, table.colnames)}"
            )
    if (
        embedding != "embedding"
    ):  # without any, galaxies can still be looked at; a name that was given is meant
        check_column("embedding", embedding, table.colnames)
    _check_panel()
    from galzoo_repr.app._marks import restore_marks
    from galzoo_repr.app._pictures import RowPictures
    from galzoo_repr.app._session import Desk

    pictures = RowPictures(table, images)
    rated = embedding in table.colnames
    if beside is not None:
        # Before files are opened; without embeddings, there is nothing that it could count beside.
        Beside.of(table, beside, read_embeddings(table, embedding))
    folder = Path(folder) if folder is not None else _usual_folder(table, embedding if rated else None)
    _make(folder)
    place = (folder.resolve(), ratings, rater)
    if _in_notebook() and (before := _OPEN.get(place)) is not None:
        before.close()  # a cell that is run again takes the place of the page that it showed before
    desk = Desk(table, folder, pictures, None, show=show, survey=survey, rater=rater)
    if rated:
        from galzoo_repr.app._ratings import RatingDesk

        desk.ratings = RatingDesk(
            table,
            folder,
            interest=ratings,
            rater=rater,
            values=values,
            n=n,
            embedding=embedding,
            beside=beside,
            get_ready=desk.get_ready,
        )
        desk.ratings.learned = lambda: desk.tell("learned")
    try:
        restore_marks(desk)
    except BaseException:  # so that it can be tried again
        desk.close()
        raise
    _OPEN[place] = desk
    looked = Look(desk)
    if _in_notebook() if serve is None else not serve:
        return looked
    from galzoo_repr.app._serve import serve_page

    with looked:
        serve_page(desk, browser=browser, port=port, prefix=prefix, origins=origins, announce=announce)
    return looked


class Look:
    """
    A page of `look`: shown by a notebook as it is, and the catalogue with what was given on it.

    Attributes
    ----------
    table : Table
        The catalogue with the columns that were made on the page; a new one each time.

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> looked = gzr.look(gzr.SimulatedSurvey(seed=1).catalogue(20), folder="kept", serve=False)
    >>> looked
    <Look at 20 galaxies, kept in kept>
    >>> len(looked.table)
    20
    >>> looked.close()
    """

    def __init__(self, desk: Desk):
        self._desk = desk
        self._page: Any = None

    @property
    def table(self) -> Table:
        """The catalogue with all columns so far: ratings and scores, tags, labels."""
        return self._desk.result()

    def close(self) -> None:
        """
        Let go of the files, so that another page may be opened on them.

        Examples
        --------
        >>> import galzoo_repr as gzr
        >>> catalogue = gzr.SimulatedSurvey(seed=1).catalogue(20)
        >>> gzr.look(catalogue, folder="kept", serve=False).close()
        >>> gzr.look(catalogue, folder="kept", serve=False).close()
        """
        self._desk.close()

    def __enter__(self) -> Look:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Look at {len(self._desk.table)} galaxies, kept in {self._desk.folder}>"

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> Any:
        """Page as a notebook shows it."""
        from galzoo_repr.app._page import notebook_page

        if self._page is None:
            self._page = notebook_page(self._desk)
        bundle = self._page._repr_mimebundle_(include, exclude)
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle,)
        if "text/html" in data:
            data["text/html"] = f'<div class="galzoo-look">{self._still()}{data["text/html"]}</div>'
        return (data, *rest) if rest else data

    def _still(self) -> str:
        """What stands in an exported notebook, where nothing answers; the page hides it when it is answered."""
        from galzoo_repr.plot import show

        desk = self._desk
        rows, captions = np.arange(min(STILL, len(desk.table))), list(desk.show)
        table = desk.table
        if desk.ratings is not None:
            # Those rated highest, and then the first of the catalogue.
            ratings, column = desk.ratings.ratings(), desk.ratings.column
            rows = np.argsort(-np.nan_to_num(ratings, nan=-np.inf), kind="stable")[:STILL]
            table = with_columns(table, {column: Column(ratings)}, overwrite=True, copy=False)
            captions = [column, *captions]
        images = desk.pictures.images
        if images is not None and not isinstance(images, str):
            images = [images[row] for row in rows]
        shown = "" if images is None else show(table[rows], captions, images=images)._repr_html_()
        told = html.escape(f"{self!r}. Run the cell again for the page.")
        return f'<div class="galzoo-still">{shown}<p>{told}</p></div>'


def checked_scale(scale: Sequence[float]) -> list[float]:
    """Ratings that can be given, rising, whole ones as int."""
    try:
        values = [] if isinstance(scale, str) else sorted(float(value) for value in scale)
    except (TypeError, ValueError):
        values = []
    if not 2 <= len(set(values)) == len(values) <= MOST_KEYS:
        raise ValueError(
            f"scale must be the ratings that can be given, 2 to {MOST_KEYS} different numbers such as (0, 1, 2, 3, 4, "
            f"5), not {scale!r}"
        )
    for value in values:
        check_number("scale", value, least=-1e15)
    return [int(value) if value == int(value) else value for value in values]


def _check_page(serve: object, browser: object, prefix: object, survey: object, announce: object) -> None:
    """Refuse what would only be noticed when the page is in use, or mean something else."""
    if serve is not None and not isinstance(serve, bool | np.bool_):
        raise TypeError(f"serve must be True, False or None, not {serve!r}")
    if not isinstance(browser, bool | np.bool_):
        raise TypeError(f"browser must be True or False, not {browser!r}")
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be the start of an address such as '/user/ann', not {prefix!r}")
    if not re.fullmatch(r"[\w.~/@%-]*", prefix, re.ASCII):
        raise ValueError(f"prefix={prefix!r} is no start of an address: give a path such as '/user/ann'")
    if survey is not None and (isinstance(survey, type) or not hasattr(survey, "get_images")):
        raise TypeError(f"survey must be a survey such as galzoo_repr.LegacySurvey(), not {survey!r}")
    if not callable(announce):
        raise TypeError(f"announce must be a function that takes the text to announce, not {announce!r}")


def _checked_names(argument: str, names: Sequence[str]) -> list[str]:
    """Give a list of names; one name alone is no list of its letters."""
    names = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be a list of names, not {names!r}")
    return names


def _make(folder: Path) -> None:
    """Make the folder of what is kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "it may not be written to")
    except OSError as error:
        raise type(error)(
            f"what is given on the page cannot be kept in {folder}: {error.strerror}; give another folder"
        ) from error


def _check_panel() -> None:
    try:
        import panel as pn  # noqa: F401
    except ImportError:
        raise ImportError(
            'the page is made with Panel, which is not installed: pip install "galzoo_repr[app]"'
        ) from None


def _usual_folder(table: Table, embedding: str | None) -> Path:
    """Folder of what is kept of a catalogue that has no file."""
    if embedding is not None:
        name = fingerprint(read_embeddings(table, embedding))
    else:
        import hashlib

        name = hashlib.sha256(repr((len(table), table.colnames, str(table[:3]))).encode()).hexdigest()
    return Path("galzoo-look") / name[:12]


def _in_notebook() -> bool:
    """Whether a kernel runs this, rather than a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
