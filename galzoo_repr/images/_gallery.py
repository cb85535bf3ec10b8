"""Galaxies as people look at them: small colour pictures of their files, and many side by side."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import Table
from PIL import Image

from galzoo_repr._angle import read_angle
from galzoo_repr.catalogue import galaxy_names
from galzoo_repr.images._captions import captions as written_captions
from galzoo_repr.images._captions import cell_texts
from galzoo_repr.images._image_data import ImageData
from galzoo_repr.images._montage import montage
from galzoo_repr.images._palette import CLASS_COLOURS
from galzoo_repr.images._pictures import (
    Pictures,
    PictureSource,
    picture_column,
    picture_of,
    pictures_of,
    read_image,
)
from galzoo_repr.images._recipe import ImageRecipe
from galzoo_repr.images._sky_frame import sky_frames

__all__ = [
    "CENTRE",
    "SAME_FRAME",
    "catalogue_montage",
    "comparison",
    "on_the_sky",
    "pictures",
    "read_pictures",
    "small_jpeg",
]

NATIVE_SIDE = 424  # pixels of the images of Galaxy Zoo DECaLS
JPEG_QUALITY = 90
SIDE = 384  # pixels of one picture
PANEL = 176  # pixels of one picture among many: as wide as a designation
CENTRE = 0.65  # part of each side of the field that is shown
SAME_FRAME = CLASS_COLOURS[2]  # around galaxies of the class wanted


def read_pictures(
    images: Iterable[PictureSource | None], *, size: int = SIDE, crop: float = 1.0
) -> list[np.ndarray | None]:
    """
    Read pictures of galaxies in colour, in the stretch of Galaxy Zoo.

    Parameters
    ----------
    images : iterable of str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor or Picture
        FITS cutouts, JPEG or PNG files, or pictures in any form that `read_image` takes. Empty, masked or
        None where there is none.
    size : int, optional
        Pixels of each side of a picture.
    crop : float, optional
        Central part of each side of the image that is shown, up to 1. Of images that are no squares the central one
        is, so that galaxies keep their shape.

    Returns
    -------
    list of numpy.ndarray or None
        Shape (size, size, 3), uint8, north up as the file has it; None where there is none that can be read.

    Examples
    --------
    >>> from galzoo_repr.images import read_pictures
    >>> read_pictures(["", "gone.fits"])
    [None, None]
    """
    recipe = ImageRecipe(size=size, crop=crop)
    return [_shown(image, recipe) for image in images]


def _shown(image: PictureSource | None, recipe: ImageRecipe) -> np.ndarray | None:
    found = picture_of(image).read(recipe.bands, keyed=False)
    if found.pixels is None:
        return None
    return _in_colour(found, recipe)


def _in_colour(found: ImageData, recipe: ImageRecipe) -> np.ndarray:
    found = replace(found, pixels=_central_square(found))
    return np.rint(recipe.prepare([found])[0].transpose(1, 2, 0) * 255).astype(np.uint8)


def _central_square(found: ImageData) -> np.ndarray:
    pixels = found.pixels
    axes = (1, 2) if found.kind == "bands" else (0, 1)
    side = min(pixels.shape[axis] for axis in axes)
    for axis in axes:
        start = (pixels.shape[axis] - side) // 2
        pixels = pixels.take(range(start, start + side), axis) if pixels.shape[axis] > side else pixels
    return pixels


def small_jpeg(image: PictureSource, bands: str = "grz", *, flux: Sequence[float] | None = None) -> bytes:
    """
    Make a small colour picture to look at, in the stretch of Galaxy Zoo.

    Parameters
    ----------
    image : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
        Picture in any form that `read_image` takes.
    bands : str, optional
        Bands of a FITS file, of which the first, the middle and the last become blue, green and red.
    flux : sequence of float, optional
        Flux scale of a FITS file, as for `read_image`.

    Returns
    -------
    bytes
        A JPEG of all of the field, of at most 424 pixels on a side; empty where the picture cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import small_jpeg
    >>> len(small_jpeg(np.zeros((64, 64, 3)))) > 0, small_jpeg("gone.fits")
    (True, b'')
    """
    if len(bands) != 3:
        bands = bands[0] + bands[len(bands) // 2] + bands[-1]
    found = read_image(image, bands, flux=flux, any_scale=True)
    if found.pixels is None:
        return b""
    side = min(found.pixels.shape[1], NATIVE_SIDE)
    # Whatever bands they are, the picture is that of three.
    shown = _in_colour(found, ImageRecipe(size=side))
    content = io.BytesIO()
    Image.fromarray(shown).save(content, "JPEG", quality=JPEG_QUALITY)
    return content.getvalue()


def pictures(table: Table, rows: Sequence[int]) -> list[np.ndarray | None]:
    """
    Colour images of the middle of each cutout, in the stretch of Galaxy Zoo.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue with the column ``cutout``, or ``file_loc``.
    rows : sequence of int
        Which galaxies.

    Returns
    -------
    list of numpy.ndarray or None
        As for `read_pictures`, of shape (384, 384, 3).

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import pictures
    >>> galaxies = Table({"cutout": np.zeros((3, 64, 64, 3), np.uint8)})
    >>> [picture.shape for picture in pictures(galaxies, [2, 0])]
    [(384, 384, 3), (384, 384, 3)]
    """
    some = table[np.asarray(rows, dtype=int)]
    return read_pictures(pictures_of(some, picture_column(table) or "cutout"), size=SIDE, crop=CENTRE)


def comparison(
    table: Table,
    best: Sequence[int],
    row: int | None = None,
    *,
    column: str = "similarity",
    words: str = "similarity",
    kind: str | None = None,
    wanted: str | None = None,
    fov: u.Quantity | None = None,
    title: str = "",
) -> Image.Image:
    """
    Draw the galaxies that score best, beside a large picture of the one that they are compared with.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue with the column ``cutout``.
    best : sequence of int
        Rows of the galaxies, the best first.
    row : int, optional
        The galaxy that they are compared with, if there is one.
    column : str, optional
        Column of the score that is written under each of the best.
    words : str, optional
        What to call the score.
    kind : str, optional
        Column of a class to write under each galaxy.
    wanted : str, optional
        Class of the galaxies to frame, by default that of `row`.
    fov : `~astropy.units.Quantity`, optional
        Field of view of each row of the table, for scale bars; by default as `on_the_sky` finds it.
    title : str, optional
        Line above all.

    Returns
    -------
    `PIL.Image.Image`

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import comparison
    >>> galaxies = Table({"name": ["a", "b", "c"], "similarity": [1.0, 0.9, 0.2]})
    >>> galaxies["cutout"] = np.zeros((3, 64, 64, 3), np.uint8)
    >>> comparison(galaxies, best=[1, 2], row=0).size
    (826, 483)
    """
    asked = [] if row is None else [row]
    rows = [*asked, *best]
    shown = table[np.asarray(rows, dtype=int)]
    labels = [[name] for name in galaxy_names(shown)]
    for label, text in zip(labels[len(asked) :], cell_texts(shown[len(asked) :], column), strict=True):
        label.append(f"{words} {text}")
    frames = None
    if kind is not None:
        kinds = [str(of) for of in shown[kind]]
        for label, of in zip(labels, kinds, strict=True):
            label.append(of.replace("_", " "))
        wanted = kinds[0] if wanted is None else wanted
        frames = [None if i < len(asked) or of != wanted else SAME_FRAME for i, of in enumerate(kinds)]
    return montage(
        pictures(table, rows),
        ["\n".join(label) for label in labels],
        **on_the_sky(shown, fov=None if fov is None else read_angle(fov, "fov")[rows]),
        title=title,
        panel=PANEL,
        lead=bool(asked),
        frames=frames,
    )


def on_the_sky(
    table: Table, images: Pictures | None = None, fov: u.Quantity | None = None
) -> dict[str, u.Quantity]:
    """
    What `montage` is told of the sky when `read_pictures` has read the middle of the pictures of a catalogue.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue of n rows.
    images : str, sequence or array, optional
        Column of the pictures, or these; by default as `picture_column` finds it.
    fov : `~astropy.units.Quantity`, optional
        Field of view of the images, where it is known from elsewhere than from their headers or the record of how the
        cutouts were fetched.

    Returns
    -------
    dict
        ``fov``, ``north`` and ``east`` of the middle that is shown, NaN where they are not known.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import on_the_sky
    >>> on_the_sky(Table({"cutout": ["one.jpg"]}), fov="40 arcsec")
    {'fov': <Quantity 26. arcsec>, 'north': <Quantity [nan] deg>, 'east': <Quantity [nan] deg>}
    """
    frames = sky_frames(table, picture_column(table) or "cutout" if images is None else images)
    field = frames.fov if fov is None else read_angle(fov, "fov")
    return {"fov": field * CENTRE, "north": frames.north, "east": frames.east}


def catalogue_montage(
    table: Table,
    captions: str | Sequence[str] | None = None,
    *,
    images: Pictures = "cutout",
    fov: u.Quantity | None = None,
    title: str = "",
    columns: int = 5,
    panel: int = PANEL,
    light: bool = False,
) -> Image.Image:
    """
    Draw the galaxies of a catalogue with any of its columns under each.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue, or some of its rows, as ``cat[:20]``.
    captions : str or sequence of str, optional
        Columns to write under each picture, as for `galzoo_repr.images.captions`.
    images : str, sequence or array, optional
        Column of the pictures, or pictures in any form that `pictures_of` takes. A galaxy without one is a black panel.
    fov : `~astropy.units.Quantity`, optional
        Field of view of the images, one angle or one for each, for scale bars. By default FITS files tell it, and
        which way is north, or the record of how the cutouts were fetched.
    title : str, optional
        Line above all.
    columns : int, optional
        Panels in a row.
    panel : int, optional
        Side of a panel in pixels; letters grow with it.
    light : bool, optional
        Black letters on white, for a page that is printed.

    Returns
    -------
    `PIL.Image.Image`

    Raises
    ------
    TypeError, ValueError
        If there is no such column, or nothing to draw.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import catalogue_montage
    >>> galaxies = Table({"name": ["one", "two"], "z": [0.1, 0.2]})
    >>> catalogue_montage(galaxies, ["name", "z"], images=np.zeros((2, 64, 64, 3), np.uint8), panel=100).size
    (242, 172)
    """
    return montage(
        read_pictures(pictures_of(table, images), size=max(SIDE, panel), crop=CENTRE),
        written_captions(table, captions),
        **on_the_sky(table, images, fov),
        title=title,
        columns=columns,
        panel=panel,
        light=light,
    )
