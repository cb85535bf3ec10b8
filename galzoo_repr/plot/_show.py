"""Thumbnails of galaxies, as a notebook shows them and as text."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table
from PIL import Image

from galzoo_repr._arguments import check_number, check_whole_number
from galzoo_repr.catalogue import as_table, galaxy_names, name_column, texts_of
from galzoo_repr.images import (
    CENTRE,
    Pictures,
    caption_columns,
    cell_texts,
    pictures_of,
    read_pictures,
    typeset,
)

__all__ = ["Thumbnails", "show"]

_PLACES = ("ra", "dec", "raj2000", "dej2000", "target_ra", "target_dec")
_QUALITY = 85  # of a JPEG, at which no difference is seen
_GRID = "display:flex;flex-wrap:wrap;gap:12px;font:12px/1.4 sans-serif;font-variant-numeric:tabular-nums"
_NO_PICTURE = (
    "display:flex;align-items:center;justify-content:center;text-align:center;padding:8px;box-sizing:border-box;"
    "border:1px dashed;opacity:.75"
)
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    # Browsers choose black on white or white on black, as the reader has set.
    '<meta name="color-scheme" content="light dark"><title>{}</title>'
)


@dataclass(frozen=True)
class Thumbnails:
    """
    Small pictures of galaxies with a few words under each.

    A notebook shows them; ``print`` gives the words as a table.

    Attributes
    ----------
    names : list of str
        What the galaxies are called.
    words : dict of str to list of str
        Columns under the pictures, by name, one text for each galaxy.
    jpegs : list of bytes or None
        Pictures, None where there is none.
    reasons : list of str
        Why there is none; empty where there is one.
    size : int
        Side of a picture in pixels.
    n_rows : int
        Rows of the catalogue, which may be more than are shown.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"name": ["one", "two"], "z": [0.1, 0.25]})
    >>> shown = gzr.show(cat, "z", images=np.zeros((2, 64, 64, 3), np.uint8))
    >>> len(shown), shown.names, shown.words
    (2, ['one', 'two'], {'z': ['0.100', '0.250']})
    """

    names: list[str]
    words: dict[str, list[str]]
    jpegs: list[bytes | None]
    reasons: list[str]
    size: int
    n_rows: int

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        pictures = [
            "yes" if jpeg is not None else reason
            for jpeg, reason in zip(self.jpegs, self.reasons, strict=True)
        ]
        names = _distinct(["galaxy", *self.words, "picture"])
        texts = Table([self.names, *self.words.values(), pictures], names=names, dtype=[str] * len(names))
        lines = texts.pformat(max_lines=-1, max_width=-1, align="<")
        return "\n".join(
            [*lines, self._count(), "A notebook shows the pictures; .save('galaxies.html') writes them."]
        )

    def _repr_html_(self) -> str:
        figures = "".join(self._figure(row) for row in range(len(self)))
        rest = "" if len(self) == self.n_rows else f"<div>{html.escape(self._count())}</div>"
        return f'<div style="{_GRID}">{figures}</div>{rest}'

    def _count(self) -> str:
        shown = f"{len(self):,} galaxies" if len(self) != 1 else "1 galaxy"
        return shown if len(self) == self.n_rows else f"the first {len(self):,} of {self.n_rows:,} galaxies"

    def _figure(self, row: int) -> str:
        name, side = html.escape(self.names[row]), f"width:{self.size}px;max-width:100%;aspect-ratio:1"
        if (jpeg := self.jpegs[row]) is not None:
            data = base64.b64encode(jpeg).decode()
            alt, shape = f"Colour image of {name}", f"{side};display:block;margin:0"
            picture = f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" style="{shape}">'
        else:
            reason = html.escape(self.reasons[row])
            alt = f"No image of {name}: {reason}"
            picture = f'<div role="img" aria-label="{alt}" style="{side};{_NO_PICTURE}">{reason}</div>'
        lines = [f"<b>{name}</b>"]
        lines += [html.escape(typeset(f"{column} {texts[row]}")) for column, texts in self.words.items()]
        return (
            f'<figure style="margin:0;width:{self.size}px;overflow-wrap:anywhere;break-inside:avoid">{picture}'
            f"<figcaption>{'<br>'.join(lines)}</figcaption></figure>"
        )

    def save(self, path: str | Path) -> None:
        """
        Write a page of HTML that needs nothing else, light or dark as the reader's browser is set.

        Parameters
        ----------
        path : str or pathlib.Path
            File, replaced if it is there.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> shown = gzr.show(Table({"name": ["one"]}), images=np.zeros((1, 64, 64, 3), np.uint8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     shown.save(Path(folder, "galaxies.html"))
        ...     Path(folder, "galaxies.html").read_text().count("<img")
        1
        """
        head = _HEAD.format(self._count())
        Path(path).write_text(f"{head}<main>{self._repr_html_()}</main></html>", encoding="utf-8")


def show(
    table: Table,
    captions: str | Sequence[str] | None = None,
    *,
    images: Pictures | None = None,
    most: int = 100,
    size: int = 160,
    crop: float = CENTRE,
) -> Thumbnails:
    """
    Show galaxies of a catalogue as thumbnails, with any of its columns under each.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.QTable`
        Catalogue with cutouts, or some of its rows, as ``cat[:20]``.
    captions : str or sequence of str, optional
        Columns to write under each picture, of any type; by default right ascension and declination, and the scores
        that this package has added, as far as there are any. What the galaxies are called, or else where they are,
        stands first.
    images : str, sequence or array, optional
        Column of the pictures, or pictures in any form, as for `galzoo_repr.images.pictures_of`; by default
        ``cutout``, or ``file_loc`` where there is no such column.
    most : int, optional
        Galaxies shown at most, the first of the table.
    size : int, optional
        Side of a picture in pixels.
    crop : float, optional
        Central part of each side of the cutout that is shown, up to 1.

    Returns
    -------
    Thumbnails
        Which a notebook shows, also when it is exported, without any file or network. As text it is a table.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, or a number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> cat = Table({"name": ["one", "two"], "cutout": ["one.jpg", ""], "z": [0.1, 0.25]})
    >>> gzr.show(cat, "z", images=np.zeros((2, 64, 64, 3), np.uint8))
    galaxy   z   picture
    ------ ----- -------
    one    0.100 yes
    two    0.250 yes
    2 galaxies
    A notebook shows the pictures; .save('galaxies.html') writes them.
    """
    table, n_rows = as_table(table, copy=False), len(table)
    most = check_whole_number("most", most)
    size = check_whole_number("size", size, 16)
    check_number("crop", crop, 0, 1, above=True)
    columns = [*(_places(table) if captions is None else []), *caption_columns(table, captions)]
    if images is None:
        images = "file_loc" if "file_loc" in table.colnames and "cutout" not in table.colnames else "cutout"
    if n_rows > most:
        if not isinstance(images, str) and len(images) == n_rows:
            images = images[:most]
        table = table[:most]
    sources = pictures_of(table, images)
    statuses = f"{images}_status" if isinstance(images, str) else ""
    known = texts_of(table[statuses]) if statuses in table.colnames else [""] * len(table)
    jpegs, reasons = [], []
    for picture, shown, status in zip(
        sources, read_pictures(sources, size=size, crop=crop), known, strict=True
    ):
        jpegs.append(None if shown is None else _jpeg(shown))
        reasons.append("" if shown is not None else _reason(picture.read(keyed=False), status))
    names = galaxy_names(table)
    words = {column: cell_texts(table, column) for column in columns if column != name_column(table)}
    return Thumbnails(names, words, jpegs, reasons, size, n_rows)


def _places(table: Table) -> list[str]:
    """Columns of right ascension and declination, where a galaxy is not called by them."""
    if not name_column(table):
        return []
    return [name for name in table.colnames if name.lower().lstrip("_") in _PLACES]


def _jpeg(pixels: object) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=_QUALITY, optimize=True)
    return written.getvalue()


def _reason(found: object, status: str) -> str:
    """Why there is no picture: what fetching it said, if there was none to fetch."""
    if found.status == "missing" and status not in ("", "ok"):
        return status
    return f"{found.status}: {found.reason}" if found.reason else found.status


def _distinct(names: list[str]) -> list[str]:
    """Names of columns that are not the same, should the catalogue have one that is called as one of ours."""
    seen: list[str] = []
    for name in names:
        while name in seen:
            name += "_"
        seen.append(name)
    return seen
