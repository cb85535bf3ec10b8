"""Pictures of many galaxies side by side, with a scale bar and a few words under each."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from astropy import units as u
from PIL import Image, ImageDraw, ImageFont

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images._pictures import Pictures, PictureSource, picture_of

__all__ = ["montage"]

BACKGROUND = (16, 18, 22)
TEXT = (232, 234, 237)
FAINT_TEXT = (150, 156, 166)
LEAD_FRAME = (255, 193, 77)
BAR_LENGTHS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # arcsec
MARGIN, GAP = 16, 10
TEXT_SIZE, TITLE_SIZE, LINE = 13, 20, 17


def montage(
    images: Pictures,
    labels: Sequence[str] | None = None,
    *,
    fov: u.Quantity | None = None,
    title: str = "",
    columns: int = 5,
    panel: int = 160,
    lead: bool = False,
    frames: Sequence[str | None] | None = None,
) -> Image.Image:
    """
    Draw images side by side.

    Parameters
    ----------
    images : sequence of n PIL.Image.Image, numpy.ndarray or torch.Tensor
        Colour pictures as `read_image` takes them. Sizes may differ: each is scaled to its panel. None for a
        black panel.
    labels : sequence of n str, optional
        Lines under each image, separated by newlines. The first line is bright, the others are faint.
    fov : `~astropy.units.Quantity`, optional
        Side of each image on the sky: an angle, or n of them. Draws a scale bar into each panel.
    title : str, optional
        Line above all.
    columns : int, optional
        Panels in a row.
    panel : int, optional
        Side of a panel in pixels.
    lead : bool, optional
        Draw the first image larger and framed at the left of the others: the galaxy that the others are
        compared with.
    frames : sequence of n, optional
        Colour of a frame around each image as any Pillow colour, or None for no frame.

    Returns
    -------
    `PIL.Image.Image`
        The picture, in RGB.

    Raises
    ------
    ValueError
        If there is no image, or none that can be drawn, or labels, angles or frames do not match in number.
    TypeError
        If ``fov`` is not an angle.

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
    angles = _arcsec(fov, n)
    edges = [None] * n if frames is None else list(frames)
    for what, given in (("labels", texts), ("frames", edges)):
        if len(given) != n:
            raise ValueError(f"{len(given)} {what} were given for {n} images; give one for each")

    lines = max(text.count("\n") + 1 if text else 0 for text in texts)
    caption = lines * LINE + (6 if lines else 0)
    boxes, size = _layout(n, columns, panel, caption, lead, bool(title))
    canvas = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    if title:
        font = ImageFont.load_default(TITLE_SIZE)
        draw.text((MARGIN, MARGIN - 4), _fitted(title, font, size[0] - 2 * MARGIN), TEXT, font)
    for i, (x, y, side) in enumerate(boxes):
        canvas.paste(pictures[i].resize((side, side), Image.Resampling.LANCZOS), (x, y))
        if angles is not None and np.isfinite(angles[i]) and angles[i] > 0:
            _draw_scale_bar(draw, x, y, side, float(angles[i]))
        edge = edges[i] or (LEAD_FRAME if lead and i == 0 else None)
        if edge is not None:
            draw.rectangle((x - 3, y - 3, x + side + 2, y + side + 2), outline=edge, width=3)
        _draw_label(draw, texts[i], x, y + side + 5, side)
    return canvas


def _as_pictures(images: Iterable[PictureSource | None]) -> list[Image.Image]:
    """Panels of what can be drawn; black ones stand for the others, which a warning names."""
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
        panels.append(Image.new("RGB", (8, 8)))
        if picture.source is not None or picture.status != "missing":
            faults.append(f"image {i}: {found.reason or 'fluxes, of which read_pictures makes colours'}")
    if faults and len(faults) == len(panels):
        raise ValueError(f"there is nothing to draw; {faults[0]}")
    if faults:
        text = f"{len(faults)} of {len(panels)} images cannot be drawn and are black; {faults[0]}"
        warnings.warn(text, GalzooWarning, stacklevel=3)
    return panels


def _arcsec(fov: AngleLike | None, n: int) -> np.ndarray | None:
    if fov is None:
        return None
    angles = read_angle(fov, "fov").to_value(u.arcsec)
    if np.ndim(angles) and len(angles) != n:
        raise ValueError(
            f"{len(angles)} angles were given as fov for {n} images; give one angle, or one for each"
        )
    return np.broadcast_to(angles, (n,))


def _layout(
    n: int, columns: int, panel: int, caption: int, lead: bool, titled: bool
) -> tuple[list[tuple[int, int, int]], tuple[int, int]]:
    """Give left, top and side of every panel, and width and height of the picture, in pixels."""
    top = MARGIN + (TITLE_SIZE + 14 if titled else 0)
    step, row = panel + GAP, panel + caption + GAP
    others = n - 1 if lead else n
    columns = max(1, min(columns, others))
    rows = -(-others // columns)
    boxes, left, height = [], MARGIN, rows * row - GAP
    if lead:
        # As tall as two rows of the others, captions included, so that the two blocks end on one line.
        side = 2 * panel + GAP + caption
        boxes.append((left, top, side))
        left += side + 2 * GAP
        height = max(height, side + caption)
    boxes += [(left + i % columns * step, top + i // columns * row, panel) for i in range(others)]
    width = left + (columns * step - GAP if others else -2 * GAP) + MARGIN
    return boxes, (width, top + height + MARGIN)


def _draw_scale_bar(draw: ImageDraw.ImageDraw, x: int, y: int, side: int, fov: float) -> None:
    """Draw a bar of a round angle, a tenth to a third of the panel long, into its lower left corner."""
    length = max([angle for angle in BAR_LENGTHS if angle <= fov / 3], default=None)
    if length is None or length < fov / 12:
        return
    pixels = round(length / fov * side)
    pad = max(6, side // 24)
    label = f'{length:g}"' if length < 60 else f"{length / 60:g}'"
    left, bottom = x + pad, y + side - pad
    draw.line((left, bottom, left + pixels, bottom), TEXT, 2)
    draw.text(
        (left, bottom - 4),
        label,
        TEXT,
        ImageFont.load_default(12),
        anchor="ls",
        stroke_width=1,
        stroke_fill=(0, 0, 0),
    )


def _draw_label(draw: ImageDraw.ImageDraw, text: str, x: int, y: int, width: int) -> None:
    font = ImageFont.load_default(TEXT_SIZE)
    for i, line in enumerate(text.split("\n")):
        draw.text((x, y + i * LINE), _fitted(line, font, width), FAINT_TEXT if i else TEXT, font)


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
