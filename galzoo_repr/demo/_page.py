"""The page that shows what the demonstration found: one HTML file that needs no other."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template

from astropy.table import Column, Table
from PIL import Image

from galzoo_repr.demo._findings import Finding

__all__ = ["demo_page"]


def demo_page(
    facts: dict[str, object],
    summary: Table,
    findings: Iterable[Finding],
    catalogue: Table,
) -> str:
    """
    Write the page.

    Parameters
    ----------
    facts : dict
        ``n``, ``version``, ``date``, ``seconds``, ``encoder`` and ``recipe``, as they are to be read.
    summary : astropy.table.Table
        Figures to show at the top; columns of numbers are set to the right.
    findings : iterable of Finding
        Each becomes a section with its heading, text and picture.
    catalogue : astropy.table.Table
        Its columns are listed with unit and description.

    Returns
    -------
    str
        HTML.
    """
    template = Template((files("galzoo_repr.demo") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        {name: html.escape(str(value)) for name, value in facts.items()},
        summary=_table(
            [name.replace("_", " ") for name in summary.colnames],
            zip(*(map(html.escape, summary[name].iter_str_vals()) for name in summary.colnames), strict=True),
            numbers=[summary[name].dtype.kind in "if" for name in summary.colnames],
        ),
        sections="\n".join(_section(finding) for finding in findings),
        columns=_table(["column", "unit", "what it says"], map(_described, catalogue.columns.values())),
    )


def _section(finding: Finding) -> str:
    heading, picture = html.escape(finding.heading), finding.picture
    size = f'width="{picture.width}" height="{picture.height}"'
    image = f'<img src="{_as_data(picture)}" {size} alt="{heading}">'
    return f"<h2>{heading}</h2>\n<p>{html.escape(finding.text)}</p>\n{image}"


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
    return f"<table>\n<tr>{top}</tr>\n{body}\n</table>"


def _as_data(picture: Image.Image) -> str:
    """Give a picture as a URL that contains it."""
    body = io.BytesIO()
    picture.save(body, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(body.getvalue()).decode("ascii")
