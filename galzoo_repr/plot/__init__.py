"""Pictures of a catalogue: thumbnails, and axes of matplotlib."""

from galzoo_repr.images import CLASS_COLOURS
from galzoo_repr.plot._add_map import add_map
from galzoo_repr.plot._axes import MOST_POINTS
from galzoo_repr.plot._colours import Colouring, column_label, read_colouring
from galzoo_repr.plot._map import map, map_label, map_points
from galzoo_repr.plot._models import learning_curve, reliability
from galzoo_repr.plot._mollweide import HALF_WIDTH, from_mollweide, mollweide, right_ascensions
from galzoo_repr.plot._plane import PlanePoints, inside_polygon, shades
from galzoo_repr.plot._scores import scores
from galzoo_repr.plot._show import Thumbnails, show
from galzoo_repr.plot._sky import sky

__all__ = [
    "CLASS_COLOURS",
    "HALF_WIDTH",
    "MOST_POINTS",
    "Colouring",
    "PlanePoints",
    "Thumbnails",
    "add_map",
    "column_label",
    "from_mollweide",
    "inside_polygon",
    "learning_curve",
    "map",
    "map_label",
    "map_points",
    "mollweide",
    "read_colouring",
    "reliability",
    "right_ascensions",
    "scores",
    "shades",
    "show",
    "sky",
]
