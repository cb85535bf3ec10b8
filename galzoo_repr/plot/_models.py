"""How good a fine-tuned model is: probabilities against what was found, and what more labels would bring."""

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr._arguments import check_choice
from galzoo_repr.images import CLASS_COLOURS, CLASS_MARKERS
from galzoo_repr.plot._axes import KEY_WIDTH, add_key, axes_for, axis_label
from galzoo_repr.plot._words import in_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from galzoo_repr.finetuning import MorphologyModel, Report

__all__ = ["learning_curve", "reliability"]

_STEP = 1.015  # between the same numbers of galaxies of two curves
_APART = 1.3  # times that a number of galaxies is larger than the one that is written before it


def reliability(model: "MorphologyModel | Report", *, ax: "Axes | None" = None) -> "Axes":
    """
    Draw the share of galaxies that have a feature against the probability that was predicted for them.

    Of each galaxy the probability is by a model that has not seen its label. Where probabilities are right, points
    lie on the diagonal. Each point is of as many galaxies; bars are one standard error.

    Parameters
    ----------
    model : MorphologyModel or Report
        Model of `galzoo_repr.finetune`, or its ``report``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If this is no model, it predicts no probabilities, or ``ax`` is something else.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    >>> model = gzr.finetune(Table({"embedding": embedding, "ring": embedding[:, 0] > 0}), "ring", members=2)
    >>> gzr.plot.reliability(model).get_xlabel()
    'predicted probability'
    """
    report = getattr(model, "report", model)
    if not hasattr(report, "plot_reliability"):
        raise TypeError(
            f"model must be a MorphologyModel, as galzoo_repr.finetune gives, or its report, not "
            f"{type(model).__name__}"
        )
    ax = report.plot_reliability(axes_for(ax, size=(4.5, 4.5)))
    if any(report.reliability):
        for text, name in zip(ax.get_legend().get_texts(), report.reliability, strict=True):
            text.set_text(in_lines(name, KEY_WIDTH))
    return ax


def learning_curve(curve: Table, figure: str | None = None, *, ax: "Axes | None" = None) -> "Axes":
    """
    Draw how much better a model gets with more labels.

    Parameters
    ----------
    curve : `~astropy.table.Table`
        From `galzoo_repr.finetuning.learning_curve`.
    figure : str, optional
        Which of its figures, such as ``"ROC AUC"``; the first by default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        With a line for each label or question; bars are standard deviations over the choices of galaxies.

    Raises
    ------
    TypeError, ValueError
        If this is no learning curve, there is no such figure in it, or ``ax`` is something else.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> rows = [(20, "", "accuracy", 0.8, 0.05), (40, "", "accuracy", 0.9, 0.03)]
    >>> axes = gzr.plot.learning_curve(Table(rows=rows, names=["n", "part", "figure", "value", "std"]))
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('labelled galaxies to learn from', 'accuracy')
    """
    if not isinstance(curve, Table):
        raise TypeError(
            "curve must be a table, as galzoo_repr.finetuning.learning_curve gives, not "
            f"{type(curve).__name__}"
        )
    missing = [name for name in ("n", "part", "figure", "value", "std") if name not in curve.colnames]
    if missing:
        raise ValueError(
            f"the table has no column {', '.join(repr(name) for name in missing)}; give one that "
            "galzoo_repr.finetuning.learning_curve made"
        )
    names = list(dict.fromkeys(str(name) for name in curve["figure"]))
    if not names:
        raise ValueError("the learning curve has no rows to draw")
    figure = names[0] if figure is None else check_choice("figure", figure, names)
    chosen = curve[np.asarray(curve["figure"], dtype=str) == figure]
    ax = axes_for(ax, size=(5.2, 4))
    parts = list(dict.fromkeys(str(part) for part in chosen["part"]))
    drawn = []
    for turn, part in enumerate(parts):
        of = chosen[np.asarray(chosen["part"], dtype=str) == part]
        of.sort("n")
        n, value, std = (np.asarray(of[name], dtype=float) for name in ("n", "value", "std"))
        look = {
            "color": CLASS_COLOURS[turn % len(CLASS_COLOURS)],
            "marker": CLASS_MARKERS[turn % len(CLASS_MARKERS)],
        }
        # A little further right for each, so that no bar hides another.
        drawn.append(ax.errorbar(n * _STEP**turn, value, std, markersize=4, capsize=2, lw=1.2, **look))
    if any(parts):
        add_key(ax, drawn, parts, loc="best", frameon=False)
    ax.set(xlabel="labelled galaxies to learn from", ylabel=axis_label(figure), xscale="log")
    sizes = np.unique(np.asarray(chosen["n"], dtype=int))
    ax.set_xticks(sizes, _far_apart(sizes))
    ax.minorticks_off()
    return ax


def _far_apart(sizes: np.ndarray) -> list[str]:
    """Write numbers of galaxies below their ticks, but those so close to the next that they would overlap."""
    written, last = [], np.inf
    for size in reversed(sizes.tolist()):
        written.append(str(size) if size * _APART <= last else "")
        last = size if written[-1] else last
    return written[::-1]
