"""A simulated survey with known morphology."""

from galzoo_repr.simulation._observe import add_field_objects, add_noise, apply_defects, blur
from galzoo_repr.simulation._population import KINDS, NATURAL_MIX, draw_galaxies, light_radii
from galzoo_repr.simulation._render import render_galaxies

__all__ = [
    "KINDS",
    "NATURAL_MIX",
    "add_field_objects",
    "add_noise",
    "apply_defects",
    "blur",
    "draw_galaxies",
    "light_radii",
    "render_galaxies",
]
