"""How good a model is, as a picture for a light page and one for a dark page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

    from galzoo_repr.finetuning import MorphologyModel, Report

__all__ = ["pictures_of_model", "report_of_model"]

WIDTH, HEIGHT, SHARPNESS = 3.2, 2.6, 180  # inches of one drawing, and pixels to an inch
STYLES = ("default", "dark_background")


def pictures_of_model(model: MorphologyModel, curve: Table | None) -> tuple[bytes, bytes] | None:
    """
    Draw reliability, confusion and learning curve below one another.

    Returns
    -------
    tuple of bytes, or None
        PNG files for a light and for a dark page; None without matplotlib, or where there is nothing to draw.
    """
    try:
        import matplotlib.style
    except ImportError:
        return None
    drawn = []
    for style in STYLES:
        with matplotlib.style.context([style, {"font.size": 8, "text.parse_math": False}]):
            drawn.append(_picture(model, curve))
    return None if None in drawn else tuple(drawn)


def report_of_model(model: MorphologyModel) -> dict[str, str]:
    """Figures of a model with their intervals as ``"text"``, and what its pictures show as ``"alt"``."""
    report = model.report
    if not report.n_folds:
        return {"text": str(report), "alt": ""}
    lines = [f"{report.n_galaxies} galaxies, held out in turn", "(intervals of 95 per cent)"]
    lines += [f"{_named(one.part, one.name):<20} {one}" for one in report.metrics]
    lines += [f"- {sentence}" for sentence in report.caveats]
    counts = [
        f"labelled {true}, predicted {best}: {report.confusion[i, j]}"
        for i, true in enumerate(report.classes)
        for j, best in enumerate(report.classes)
    ]
    alt = "; ".join(["Reliability, confusion and learning curve", *counts])
    return {"text": "\n".join(lines), "alt": alt}


def _named(part: str, figure: str) -> str:
    return f"{part}: {figure}" if part else figure


def _picture(model: MorphologyModel, curve: Table | None) -> bytes | None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from galzoo_repr.plot import learning_curve, reliability

    report, parts = model.report, []
    if report.reliability:
        parts.append(lambda ax: reliability(report, ax=ax))
    if report.confusion.size:
        parts.append(lambda ax: _confusion(report, ax))
    if curve is not None and len(curve):
        parts.append(lambda ax: learning_curve(curve, ax=ax))
    if not parts:
        return None
    # A figure of its own, as those of pyplot belong to the main thread.
    figure = Figure(figsize=(WIDTH, HEIGHT * len(parts)), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    for ax, draw in zip(figure.subplots(len(parts), squeeze=False)[:, 0], parts, strict=True):
        ax.set_facecolor("none")
        draw(ax)
    content = io.BytesIO()
    figure.savefig(content, dpi=SHARPNESS, format="png", transparent=True)
    return content.getvalue()


def _confusion(report: Report, ax: Axes) -> None:
    """Galaxies by true and by predicted class."""
    counts = report.confusion
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.max()), 1) * 1.6)
    places = range(len(report.classes))
    for i in places:
        for j in places:
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", color="black")
    names = [name if len(name) < 14 else f"{name[:12]}…" for name in report.classes]
    ax.set_xticks(places, names, rotation=30 if len(names) > 3 else 0)
    ax.set_yticks(places, names)
    ax.set(xlabel="predicted", ylabel="label")
