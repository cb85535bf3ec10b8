"""A sky position becomes pixels on disk: services, fetching and the store."""

from galzoo_repr.cutouts._add import add_cutouts, cutout_requests
from galzoo_repr.cutouts._bodies import PICTURE
from galzoo_repr.cutouts._brick_survey import BrickSurvey
from galzoo_repr.cutouts._calibration import flux_scale_column, usable_factors, warn_of_scale
from galzoo_repr.cutouts._checks import KEEP, configuration_faults
from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._failures import warn_of_failures
from galzoo_repr.cutouts._fallback import (
    FALLBACK_ON,
    check_surveys,
    fetch_in_turn,
    survey_facts,
    survey_names,
)
from galzoo_repr.cutouts._fetch import fetch, fetch_into
from galzoo_repr.cutouts._figures import FetchFigures
from galzoo_repr.cutouts._flux_scales import FluxScale, known_scale
from galzoo_repr.cutouts._hips_survey import HipsSurvey
from galzoo_repr.cutouts._legacy_survey import LegacySurvey
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Enough, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._shared_pace import shared_pace
from galzoo_repr.cutouts._status import RETRYABLE, STATUSES, USABLE, error_for
from galzoo_repr.cutouts._store import CutoutStore, opened
from galzoo_repr.cutouts._validate import validate_body

__all__ = [
    "FALLBACK_ON",
    "KEEP",
    "PICTURE",
    "RETRYABLE",
    "STATUSES",
    "USABLE",
    "Attempt",
    "BrickSurvey",
    "Coverage",
    "CutoutRequest",
    "CutoutStore",
    "CutoutStoreError",
    "Enough",
    "FetchFigures",
    "FluxScale",
    "HipsSurvey",
    "LegacySurvey",
    "Outcome",
    "Route",
    "add_cutouts",
    "check_surveys",
    "configuration_faults",
    "cutout_requests",
    "error_for",
    "fetch",
    "fetch_in_turn",
    "fetch_into",
    "flux_scale_column",
    "known_scale",
    "opened",
    "shared_pace",
    "survey_facts",
    "survey_names",
    "usable_factors",
    "validate_body",
    "warn_of_failures",
    "warn_of_scale",
]
