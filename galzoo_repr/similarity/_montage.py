"""A query and its answers as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from galzoo_repr.catalogue import name_column, texts_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["similarity_montage"]

_SIDE = 320  # pixels of one picture, before it is scaled to its panel


def similarity_montage(
    found: Table,
    *,
    cutout: str = "cutout",
    name: str | None = None,
    captions: str | Sequence[str] = (),
    fov: u.Quantity | None = None,
    title: str = "",
    columns: int = 5,
    panel: int = 160,
    light: bool = False,
) -> Image:
    """
    Draw the galaxies of an answer, each with its name, similarity and a scale bar.

    Parameters
    ----------
    found : astropy.table.Table
        From `galzoo_repr.find_similar`. Examples at rank 0 (``include_query=True``) come first; a single one
        is drawn large.
    cutout : str
        Column of image files (`galzoo_repr.add_cutouts`). A galaxy without an image is a black panel.
    name : str, optional
        Column of names; by default ``name``, ``iauname`` or the like where there is one, or else the row.
    captions : str or sequence of str
        Further columns to write under each galaxy, in a line each.
    fov : astropy.units.Quantity, optional
        Field of view of the images, one angle or one for each; by default that of their FITS headers or of the record
        of how they were fetched, or else of the Galaxy Zoo rule where the table has radii. Without it there are no
        scale bars.
    title : str
        Line above all.
    columns : int
        Panels in a row.
    panel : int
        Side of a panel in pixels; letters grow with it.
    light : bool
        Black letters on white, for a page that is printed.

    Returns
    -------
    PIL.Image.Image
        Shown by a notebook as it is; ``.save("similar.png")`` writes it.

    Raises
    ------
    ValueError
        If the table is not an answer, is empty, or has no column of image files.

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> from galzoo_repr.similarity import similarity_montage
    >>> sky = gzr.SimulatedSurvey(seed=1)
    >>> with sky.serve() as service:
    ...     galaxies = gzr.add_cutouts(sky.catalogue(4), survey=gzr.LegacySurvey(server=service.url), progress=False)
    >>> galaxies["embedding"] = [[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]
    >>> best = gzr.find_similar(galaxies, 0, n=3, include_query=True)
    >>> similarity_montage(best, title="Most like the first").save("similar.png")
    """
    from galzoo_repr.images import CENTRE, montage, on_the_sky, pictures_of, read_pictures
    from galzoo_repr.images import captions as written

    missing = [column for column in ("similarity", "similarity_rank", cutout) if column not in found.colnames]
    if missing:
        raise ValueError(
            f"the table has no column {', '.join(map(repr, missing))}; give an answer of find_similar for a "
            "catalogue with cutouts, or name their column with cutout="
        )
    if len(found) == 0:
        raise ValueError("the answer has no galaxies to draw")
    pictures = read_pictures(pictures_of(found, cutout), size=max(_SIDE, 2 * panel), crop=CENTRE)
    labels = []
    more = written(found, captions)
    for label, line, further in zip(_names(found, name), found, more, strict=True):
        rank, alike = line["similarity_rank"], f"similarity {line['similarity']:.3f}"
        lines = [label, "query" if rank == 0 else f"{rank}: {alike}", *further.splitlines()]
        labels.append("\n".join(lines))
    sky = on_the_sky(found, cutout)
    if fov is not None or np.isnan(sky["fov"]).any():
        sky["fov"] = _fields(found, fov, sky["fov"] / CENTRE) * CENTRE
    return montage(
        pictures,
        labels,
        **sky,
        title=title,
        columns=columns,
        panel=panel,
        lead=np.count_nonzero(found["similarity_rank"] == 0) == 1,
        light=light,
    )


def _names(found: Table, name: str | None) -> list[str]:
    rows = [f"row {row}" for row in found["row"]] if "row" in found.colnames else [""] * len(found)
    name = name or name_column(found)
    return [one or row for one, row in zip(texts_of(found[name]), rows, strict=True)] if name else rows


def _fields(found: Table, fov: u.Quantity | None, known: u.Quantity) -> u.Quantity:
    """Field of view of each image, as it is given, or else known, or else by the radii of the table."""
    from galzoo_repr.images import ImageRecipe

    try:
        fields = ImageRecipe().fields_of_view(found, fov)
    except ValueError:
        if fov is not None:
            raise
        return known
    return fields if fov is not None else np.where(np.isnan(known), fields, known)
