"""Pixels become model input."""

from galzoo_repr.images._bounds import LARGEST_FLUX
from galzoo_repr.images._captions import caption_columns, captions, cell_texts
from galzoo_repr.images._field_of_view import RADIUS_COLUMNS, galaxy_zoo_fields, radius_columns
from galzoo_repr.images._fits import MISSING_FRACTION
from galzoo_repr.images._fits_structure import sound_part
from galzoo_repr.images._flux import REFERENCE_SCALE
from galzoo_repr.images._gallery import (
    CENTRE,
    SAME_FRAME,
    catalogue_montage,
    comparison,
    on_the_sky,
    pictures,
    read_pictures,
    small_jpeg,
)
from galzoo_repr.images._image_data import ImageData
from galzoo_repr.images._lettering import typeset
from galzoo_repr.images._montage import montage
from galzoo_repr.images._palette import CLASS_COLOURS, CLASS_MARKERS
from galzoo_repr.images._pictures import (
    KEY_BYTES,
    Picture,
    Pictures,
    PictureSource,
    flux_scales,
    picture_column,
    picture_of,
    pictures_of,
    read_image,
)
from galzoo_repr.images._recipe import ImageRecipe
from galzoo_repr.images._sky_frame import SkyFrames, sky_frames
from galzoo_repr.images._stretch import galaxy_zoo_stretch, viewer_griz_stretch, viewer_grz_stretch

__all__ = [
    "CENTRE",
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "KEY_BYTES",
    "LARGEST_FLUX",
    "MISSING_FRACTION",
    "RADIUS_COLUMNS",
    "REFERENCE_SCALE",
    "SAME_FRAME",
    "ImageData",
    "ImageRecipe",
    "Picture",
    "PictureSource",
    "Pictures",
    "SkyFrames",
    "caption_columns",
    "captions",
    "catalogue_montage",
    "cell_texts",
    "comparison",
    "flux_scales",
    "galaxy_zoo_fields",
    "galaxy_zoo_stretch",
    "montage",
    "on_the_sky",
    "picture_column",
    "picture_of",
    "pictures",
    "pictures_of",
    "radius_columns",
    "read_image",
    "read_pictures",
    "sky_frames",
    "small_jpeg",
    "sound_part",
    "typeset",
    "viewer_griz_stretch",
    "viewer_grz_stretch",
]
