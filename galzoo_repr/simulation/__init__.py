"""A simulated survey with known morphology."""

from galzoo_repr.simulation._faults import FAULTS, Fault, Faults
from galzoo_repr.simulation._footprint import BandGap, Footprint
from galzoo_repr.simulation._instrument import add_field_objects, add_noise, apply_defects, blur
from galzoo_repr.simulation._population import KINDS, NATURAL_MIX, draw_galaxies, light_radii
from galzoo_repr.simulation._render import render_galaxies
from galzoo_repr.simulation._replay import Recording, ReplaySurvey, replay
from galzoo_repr.simulation._reply import html_reply
from galzoo_repr.simulation._service import LoggedRequest, Reply, Request, SurveyService
from galzoo_repr.simulation._sky_image import SkyImage
from galzoo_repr.simulation._survey import SimulatedSurvey
from galzoo_repr.simulation._truth import light_columns, truth_columns
from galzoo_repr.simulation._viewer import encode_jpeg
from galzoo_repr.simulation._volunteers import volunteer_votes

__all__ = [
    "FAULTS",
    "KINDS",
    "NATURAL_MIX",
    "BandGap",
    "Fault",
    "Faults",
    "Footprint",
    "LoggedRequest",
    "Recording",
    "ReplaySurvey",
    "Reply",
    "Request",
    "SimulatedSurvey",
    "SkyImage",
    "SurveyService",
    "add_field_objects",
    "add_noise",
    "apply_defects",
    "blur",
    "draw_galaxies",
    "encode_jpeg",
    "html_reply",
    "light_columns",
    "light_radii",
    "render_galaxies",
    "replay",
    "truth_columns",
    "volunteer_votes",
]
