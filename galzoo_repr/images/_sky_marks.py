"""Marks that say how a picture lies on the sky: a bar of a round angle, and arrows to the north and the east."""

import numpy as np
from PIL import ImageDraw

from galzoo_repr.images._lettering import font_of, set_in

__all__ = ["draw_compass", "draw_scale_bar"]

_BRIGHT, _EDGE = (255, 255, 255), (0, 0, 0)
_BAR_LENGTHS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # arcsec
_SHARES = (1 / 12, 1 / 3)  # of the side of a picture, between which a bar is long

_PRIMES, _QUOTES = "\N{PRIME}\N{DOUBLE PRIME}", "'\""
_CLEAR = 16  # pixels of letters from which on one prime is told from two

Box = tuple[int, int, int]
"""Left, top and side of a picture, in pixels."""


def draw_scale_bar(draw: ImageDraw.ImageDraw, box: Box, fov: float, letters: int) -> None:
    """Draw a bar of a round angle into the lower left corner of a picture that is so many arcsec wide."""
    x, y, side = box
    length = max((angle for angle in _BAR_LENGTHS if angle <= fov * _SHARES[1]), default=0)
    if not length >= fov * _SHARES[0]:
        return
    pad, thick = max(6, side // 24), max(2, side // 80)
    left, bottom = x + pad, y + side - pad
    line = (left, bottom, left + round(length / fov * side) - 1, bottom)
    draw.rectangle((line[0] - 1, bottom - thick, line[2] + 1, bottom + 1), _EDGE)
    draw.rectangle((line[0], bottom - thick + 1, line[2], bottom), _BRIGHT)
    minute, second = _PRIMES if letters >= _CLEAR else _QUOTES
    label = f"{length:g}{second}" if length < 60 else f"{length / 60:g}{minute}"
    _write(draw, (left, bottom - thick - 2), label, letters, "ls")


def draw_compass(draw: ImageDraw.ImageDraw, box: Box, north: float, east: float, letters: int) -> None:
    """Draw arrows to the north and the east, in degrees counter-clockwise from up, into the upper right corner."""
    x, y, side = box
    reach = max(14, side // 8)
    # Around a middle from which the arrows and their letters, whichever way they point, stay within the picture.
    directions = [np.array([-np.sin(angle), -np.cos(angle)]) for angle in np.radians([north, east])]
    tips = np.array([(reach + 0.8 * letters) * to for to in directions] + [(0, 0)])
    room = 0.7 * letters + 2
    foot = np.array([x + side - room - tips[:, 0].max(), y + room - tips[:, 1].min()])
    for name, to in zip("NE", directions, strict=True):
        _draw_arrow(draw, foot, foot + reach * to, side)
        _write(draw, tuple(foot + (reach + 0.8 * letters) * to), name, letters, "mm")


def _draw_arrow(draw: ImageDraw.ImageDraw, foot: np.ndarray, tip: np.ndarray, side: int) -> None:
    along = (tip - foot) / np.hypot(*(tip - foot))
    across = np.array([-along[1], along[0]])
    thick = max(1, side // 120)
    head = 2.5 + 1.5 * thick
    corners = [tip, tip - 2 * head * along + head * across, tip - 2 * head * along - head * across]
    shaft = [tuple(foot), tuple(tip - head * along)]
    draw.line(shaft, _EDGE, thick + 2)
    draw.polygon([tuple(corner) for corner in corners], _BRIGHT, _EDGE)
    draw.line(shaft, _BRIGHT, thick)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, letters: int, anchor: str
) -> None:
    font = font_of(letters)
    draw.text(place, set_in(font, text), _BRIGHT, font, anchor=anchor, stroke_width=2, stroke_fill=_EDGE)
