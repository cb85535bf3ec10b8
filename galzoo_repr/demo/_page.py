"""The page that shows what the demonstration found: one HTML file that needs no other."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template

from astropy.table import Column, Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.demo._findings import Finding

__all__ = ["demo_page"]

COLUMN_HEADS = ("column", "unit", "what it says")


def demo_page(
    facts: dict[str, object],
    findings: Sequence[Finding],
    summary: Table,
    catalogue: Table,
) -> str:
    """
    Write the page.

    Parameters
    ----------
    facts : dict
        ``n``, ``version``, ``date``, ``seconds``, ``encoder`` and ``recipe``, as they are to be read.
    findings : sequence of Finding
        Each becomes a section with its heading, picture and caption.
    summary : astropy.table.Table
        Figures to show below them; columns of numbers are set to the right.
    catalogue : astropy.table.Table
        Its columns are listed with unit and description; those that only a simulation has are folded away.

    Returns
    -------
    str
        HTML.
    """
    template = Template((files("galzoo_repr.demo") / "page.html").read_text(encoding="utf-8"))
    votes = gzr.Schema.load("gz_decals_dr5").columns
    real: list[Column] = []
    simulated: list[Column] = []
    for column in catalogue.columns.values():
        (simulated if column.name.startswith("true_") or column.name in votes else real).append(column)
    return template.substitute(
        {name: html.escape(str(value)) for name, value in facts.items()},
        first=_section(findings[0]),
        others="\n".join(map(_section, findings[1:])),
        summary=_table(
            [name.replace("_", " ") for name in summary.colnames],
            zip(*(map(html.escape, summary[name].iter_str_vals()) for name in summary.colnames), strict=True),
            numbers=[summary[name].dtype.kind in "if" for name in summary.colnames],
        ),
        columns=_table(COLUMN_HEADS, map(_described, real)),
        n_simulated=len(simulated),
        simulated=_table(COLUMN_HEADS, map(_described, simulated)),
    )


def _section(finding: Finding) -> str:
    heading, caption, alt = map(html.escape, (finding.heading, finding.caption, finding.alt))
    size = f'width="{finding.picture.width}" height="{finding.picture.height}"'
    image = f'<img src="{_as_data(finding.picture)}" {size} alt="{alt}">'
    return (
        f'<section id="{finding.name}">\n<h2>{heading}</h2>\n<figure>\n<div class="wide" tabindex="0">{image}</div>\n'
        f"<figcaption>{caption}</figcaption>\n</figure>\n</section>"
    )


def _described(column: Column) -> tuple[str, str, str]:
    info = column.info
    unit, words = (html.escape(str(value or "")) for value in (info.unit, info.description))
    return f"<code>{html.escape(info.name)}</code>", unit, words


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[bool] | None = None) -> str:
    marks = [' class="number"' if right else "" for right in numbers or [False] * len(heads)]
    top = "".join(f"<th{mark}>{head}</th>" for mark, head in zip(marks, heads, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{mark}>{cell}</td>" for mark, cell in zip(marks, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>\n<tr>{top}</tr>\n{body}\n</table></div>'


def _as_data(picture: Image.Image) -> str:
    """Give a picture as a URL that contains it."""
    body = io.BytesIO()
    picture.save(body, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(body.getvalue()).decode("ascii")
