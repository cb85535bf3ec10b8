"""Pixels become model input."""

from galzoo_repr.images._field_of_view import RADIUS_COLUMNS, galaxy_zoo_fields, radius_columns
from galzoo_repr.images._gallery import comparison, pictures
from galzoo_repr.images._montage import montage
from galzoo_repr.images._pictures import read_pictures
from galzoo_repr.images._read import MISSING_FRACTION, ImageData, read_image
from galzoo_repr.images._recipe import ImageRecipe
from galzoo_repr.images._stretch import galaxy_zoo_stretch, viewer_griz_stretch, viewer_grz_stretch

__all__ = [
    "MISSING_FRACTION",
    "RADIUS_COLUMNS",
    "ImageData",
    "ImageRecipe",
    "comparison",
    "galaxy_zoo_fields",
    "galaxy_zoo_stretch",
    "montage",
    "pictures",
    "radius_columns",
    "read_image",
    "read_pictures",
    "viewer_griz_stretch",
    "viewer_grz_stretch",
]
