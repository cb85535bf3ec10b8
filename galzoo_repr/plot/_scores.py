"""How a score falls from the first galaxy to the last, with its uncertainty and the galaxies that were rated."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_column
from galzoo_repr.catalogue import as_table, read_cells
from galzoo_repr.images import CLASS_COLOURS
from galzoo_repr.plot._axes import add_key, annotate_missing, axes_for, axis_label
from galzoo_repr.plot._colours import column_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PolyCollection

__all__ = ["scores"]

_DRAWN = 2000  # ranks at most, close together where the score is high
_FEW = 30  # galaxies that are seen one by one


def scores(
    table: Table, score: str = "anomaly_score", *, ratings: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """
    Draw a score against the rank of the galaxies, the highest first.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`
        Catalogue with a score, from `galzoo_repr.add_anomaly_scores`, say, or any column of numbers.
    score : str, optional
        Its column. If there is a column of this name with ``_std`` behind it, a band shows plus and minus one
        standard deviation.
    ratings : str, optional
        Column of ratings, drawn as points at the ranks of the galaxies that were rated.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The ranks are logarithmic for more than a thousand galaxies.

    Raises
    ------
    TypeError, ValueError
        If a column is missing or holds no numbers, or ``ax`` is something else.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"anomaly_score": [1.0, 3.0, 2.0], "anomaly_score_std": [0.1, 0.2, 0.1]})
    >>> axes = gzr.plot.scores(cat)
    >>> axes.get_ylabel()
    'anomaly_score'
    """
    table = as_table(table, copy=False)
    values = _numbers(table, "score", score)
    rated = None if ratings is None else _numbers(table, "ratings", ratings)
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(np.isfinite(values))]
    n = len(order)
    if not n:
        raise ValueError(f"there is nothing to draw: no galaxy has a value of {score!r}")
    ax = axes_for(ax)
    ranks = (
        np.unique(np.rint(np.geomspace(1, n, min(n, _DRAWN))).astype(int))
        if n > _DRAWN
        else np.arange(1, n + 1)
    )
    shown = order[ranks - 1]
    drawn = {}
    if (spread := f"{score}_std") in table.colnames:
        std = np.nan_to_num(_numbers(table, "score", spread)[shown])
        if std.any():  # scores without ratings have none
            probable = score.endswith("_probability")
            drawn["one standard deviation"] = _draw_spread(ax, ranks, values[shown], std, probable)
    style = {"color": CLASS_COLOURS[0], "marker": "o" if n <= _FEW else "", "markersize": 4}
    (drawn[score],) = ax.plot(ranks, values[shown], lw=1.5, **style)
    if rated is not None:
        places = np.flatnonzero(np.isfinite(rated[order]))
        style = {"color": CLASS_COLOURS[3], "marker": "D", "markersize": 3.5, "linestyle": "none"}
        (drawn[f"{ratings}, as rated"],) = ax.plot(places + 1, rated[order][places], **style)
    if len(drawn) > 1:
        add_key(ax, list(drawn.values()), list(drawn), loc="best", frameon=False)
    ax.set(xlabel="rank, 1 for the highest", ylabel=axis_label(column_label(table, score)))
    if n > 1000:
        ax.set_xscale("log")
    else:
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    annotate_missing(ax, n, len(table), "have no score")
    return ax


def _draw_spread(
    ax: "Axes", ranks: np.ndarray, values: np.ndarray, std: np.ndarray, probable: bool
) -> "PolyCollection | LineCollection":
    """Draw plus and minus a standard deviation: a band, or for a few galaxies bars; none is beyond 0 to 1."""
    low, high = values - std, values + std
    if probable:
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    style = {"color": CLASS_COLOURS[0], "alpha": 0.25}
    if len(values) <= _FEW:
        return ax.vlines(ranks, low, high, lw=3, **style)
    return ax.fill_between(ranks, low, high, lw=0, **style)


def _numbers(table: Table, argument: str, column: str) -> np.ndarray:
    cells = read_cells(table[check_column(argument, column, table.colnames)])
    if cells.texts or cells.values.ndim != 1 or cells.values.dtype.kind == "c":
        raise ValueError(f"{argument}={column!r} must hold one number for each row")
    return cells.numbers()
