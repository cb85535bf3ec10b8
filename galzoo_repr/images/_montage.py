"""Pictures of many galaxies side by side, with a scale bar, north and east, and a few words under each."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from PIL import Image, ImageColor, ImageDraw, ImageOps

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images._lettering import font_of, set_in, wrapped
from galzoo_repr.images._palette import CLASS_COLOURS
from galzoo_repr.images._pictures import Pictures, PictureSource, picture_of
from galzoo_repr.images._sky_marks import draw_compass, draw_scale_bar

__all__ = ["montage"]

NO_IMAGE = "no image"
_PANEL = 160  # pixels of a panel around which letters and gaps have the sizes below; larger ones enlarge them
_MARGIN, _GAP, _TEXT, _TITLE = 16, 10, 12, 18
_HEADS, _HEAD_LINE = 3, 24  # lines of a title at most, and the height of each
_SMALLEST = 9  # letters, where words are long
_LINES = 2  # of each label at most, before words are cut off


@dataclass(frozen=True)
class _Paper:
    ground: str
    text: str
    faint: str
    lead: str


_DARK = _Paper("#101216", "#e8eaed", "#a6adb8", CLASS_COLOURS[1])
_LIGHT = _Paper("#ffffff", "#000000", "#4c4c4c", CLASS_COLOURS[3])


def montage(
    images: Pictures,
    labels: Sequence[str] | None = None,
    *,
    fov: u.Quantity | None = None,
    north: u.Quantity | None = None,
    east: u.Quantity | None = None,
    title: str = "",
    columns: int = 5,
    panel: int = _PANEL,
    lead: bool = False,
    frames: Sequence[str | None] | None = None,
    light: bool = False,
) -> Image.Image:
    """
    Draw images side by side.

    Parameters
    ----------
    images : sequence of n PIL.Image.Image, numpy.ndarray or torch.Tensor
        Colour pictures as `read_image` takes them. Sizes may differ: each is scaled to its panel, which what is no
        square does not fill. None for a black panel, on which "no image" is written.
    labels : sequence of n str, optional
        Lines under each image, separated by newlines. The first line is bright, the others are faint. Long ones go
        on in a second line.
    fov : `~astropy.units.Quantity`, optional
        Longer side of each image on the sky: an angle, or n of them. Draws a scale bar into each panel; NaN for none.
    north, east : `~astropy.units.Quantity`, optional
        Directions in each image, counter-clockwise from up: an angle, or n of them; east is a quarter of a turn beyond
        north by default. Draws arrows, into the first panel alone where they are the same in all; NaN for none.
    title : str, optional
        Line above all.
    columns : int, optional
        Panels in a row.
    panel : int, optional
        Side of a panel in pixels. Letters and lines grow with it: of 5 panels of 400 pixels a page in print is sharp.
    lead : bool, optional
        Draw the first image larger and framed at the left of the others: the galaxy that the others are
        compared with.
    frames : sequence of n, optional
        Colour of a frame around each image as any Pillow colour, or None for no frame.
    light : bool, optional
        Black letters on white, for a page that is printed.

    Returns
    -------
    `PIL.Image.Image`
        The picture, in RGB.

    Raises
    ------
    ValueError
        If there is no image, or none that can be drawn, or labels, angles or frames do not match in number.
    TypeError
        If ``fov``, ``north`` or ``east`` is not an angle.

    Warns
    -----
    GalzooWarning
        If some of the images cannot be drawn, and why the first one.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy import units as u
    >>> from galzoo_repr.images import montage
    >>> picture = montage(np.zeros((7, 64, 64, 3), np.uint8), columns=4, panel=100, fov=30 * u.arcsec)
    >>> picture.size
    (462, 242)
    """
    pictures = _as_pictures(images)
    n = len(pictures)
    if not n:
        raise ValueError("no image was given to draw; give one or more")
    if columns < 1 or panel < 16:
        raise ValueError(
            f"columns must be at least 1 and panel at least 16 pixels, not {columns} and {panel}"
        )
    texts = [""] * n if labels is None else [str(label) for label in labels]
    drawn = np.array([picture is not None for picture in pictures])
    fields, towards = _angles("fov", fov, n, u.arcsec), _compasses(north, east, drawn)
    edges = [None] * n if frames is None else list(frames)
    for what, given in (("labels", texts), ("frames", edges)):
        if len(given) != n:
            raise ValueError(f"{len(given)} {what} were given for {n} images; give one for each")

    scale, paper = max(panel / _PANEL, 1), _LIGHT if light else _DARK
    letters = _size_of_letters(texts, panel, scale)
    labels = [_lines(text, letters, panel) for text in texts]
    line = round(1.4 * letters)
    lines = max(map(len, labels))
    shape = (n, columns, panel, lines * line + 6 if lines else 0, lead, scale)
    font, margin = font_of(round(_TITLE * scale)), round(_MARGIN * scale)
    (width, _) = _layout(*shape, 0)[1]
    heads = wrapped(font, title, width - 2 * margin, _HEADS) if title else []
    boxes, size = _layout(*shape, len(heads))
    canvas = Image.new("RGB", size, paper.ground)
    draw = ImageDraw.Draw(canvas)
    for at, head in enumerate(heads):
        draw.text((margin, margin - 4 + round(at * _HEAD_LINE * scale)), head, paper.text, font)
    for i, (x, y, side) in enumerate(boxes):
        canvas.paste(_panel(pictures[i], side, letters), (x, y))
        marks = round(11 * max(side / _PANEL, 0.8))
        if drawn[i] and fields[i] > 0:
            draw_scale_bar(draw, (x, y, side), fields[i], marks)
        if np.isfinite(towards[i]).all():
            draw_compass(draw, (x, y, side), *towards[i], marks)
        edge = edges[i] or (paper.lead if lead and i == 0 else None)
        if edge is not None:
            wide = round(3 * scale)
            box = (x - wide, y - wide, x + side + wide - 1, y + side + wide - 1)
            draw.rectangle(box, outline=ImageColor.getrgb(edge), width=wide)
        for at, (text, bright) in enumerate(labels[i]):
            place = (x, y + side + round(4 * scale) + at * line)
            draw.text(place, text, paper.text if bright else paper.faint, font_of(letters))
    return canvas


def _as_pictures(images: Iterable[PictureSource | None]) -> list[Image.Image | None]:
    """Give what can be drawn; None stands for the others, which a warning names."""
    panels, faults = [], []
    for i, image in enumerate(images):
        picture = picture_of(image)
        found = picture.read(keyed=False)
        if found.kind == "rgb":
            pixels = found.pixels
            if pixels.dtype != np.uint8:
                pixels = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
            panels.append(Image.fromarray(pixels))
            continue
        panels.append(None)
        if picture.source is not None or picture.status != "missing":
            faults.append(f"image {i}: {found.reason or 'fluxes, of which read_pictures makes colours'}")
    if faults and len(faults) == len(panels):
        raise ValueError(f"there is nothing to draw; {faults[0]}")
    if faults:
        text = f"{len(faults)} of {len(panels)} images cannot be drawn and are black; {faults[0]}"
        warnings.warn(text, GalzooWarning, stacklevel=3)
    return panels


def _angles(name: str, given: AngleLike | None, n: int, unit: u.Unit) -> np.ndarray:
    """Numbers of an angle for each of n images, NaN where it is not known."""
    if given is None:
        return np.full(n, np.nan)
    angles = read_angle(given, name, example="30 arcsec" if unit == u.arcsec else "90 deg")
    masked = np.asarray(getattr(angles, "mask", False))
    angles = np.where(masked, np.nan, getattr(angles, "unmasked", angles).to_value(unit))
    if np.ndim(angles) and len(angles) != n:
        raise ValueError(
            f"{len(angles)} angles were given as {name} for {n} images; give one angle, or one for each"
        )
    return np.broadcast_to(angles, (n,))


def _compasses(north: AngleLike | None, east: AngleLike | None, drawn: np.ndarray) -> np.ndarray:
    """Degrees of the two arrows in each panel, shape (n, 2), NaN for none; once where all are the same."""
    up = _angles("north", north, len(drawn), u.deg)
    left = up + 90 if east is None else _angles("east", east, len(drawn), u.deg)
    arrows = np.where(drawn & np.isfinite(up + left), [up, left], np.nan).T
    first = int(drawn.argmax())
    if np.allclose(np.exp(1j * np.radians(arrows - arrows[first]))[drawn], 1, atol=0.01):
        arrows[np.arange(len(drawn)) != first] = np.nan
    return arrows


def _size_of_letters(texts: list[str], panel: int, scale: float) -> int:
    """Largest size at which all lines fit below their panels, but those that are too long at any size."""
    largest, smallest = round(_TEXT * scale), round(_SMALLEST * scale)
    lines = {line for text in texts for line in text.split("\n") if _width(line, smallest) <= panel}
    sizes = range(largest, smallest, -1)
    return next((size for size in sizes if all(_width(line, size) <= panel for line in lines)), smallest)


def _width(line: str, size: int) -> float:
    return font_of(size).getlength(set_in(font_of(size), line))


def _lines(text: str, letters: int, width: int) -> list[tuple[str, bool]]:
    """Lines below a panel, and which of them are bright."""
    if not text:
        return []
    return [
        (line, not i)
        for i, part in enumerate(text.split("\n"))
        for line in wrapped(font_of(letters), part, width, _LINES)
    ]


def _panel(picture: Image.Image | None, side: int, letters: int) -> Image.Image:
    if picture is not None:
        return ImageOps.pad(picture, (side, side), Image.Resampling.LANCZOS)
    panel = Image.new("RGB", (side, side))
    middle = (side / 2, side / 2)
    ImageDraw.Draw(panel).text(middle, NO_IMAGE, _DARK.faint, font_of(letters), anchor="mm")
    return panel


def _layout(
    n: int, columns: int, panel: int, caption: int, lead: bool, scale: float, heads: int
) -> tuple[list[tuple[int, int, int]], tuple[int, int]]:
    """Give left, top and side of every panel, and width and height of the picture, in pixels."""
    margin, gap = round(_MARGIN * scale), round(_GAP * scale)
    top = margin + (round(scale * (heads * _HEAD_LINE + 10)) if heads else 0)
    step, row = panel + gap, panel + caption + gap
    others = n - 1 if lead else n
    columns = max(1, min(columns, others))
    rows = -(-others // columns)
    boxes, left, height = [], margin, rows * row - gap
    if lead:
        # As tall as two rows of the others, captions included, so that the two blocks end on one line.
        side = 2 * panel + gap + caption
        boxes.append((left, top, side))
        left += side + 2 * gap
        height = max(height, side + caption)
    boxes += [(left + i % columns * step, top + i // columns * row, panel) for i in range(others)]
    width = left + (columns * step - gap if others else -2 * gap) + margin
    return boxes, (width, top + height + margin)
