"""A sky position becomes pixels on disk: services, fetching and the store."""

from galzoo_repr.cutouts._add import add_cutouts, cutout_requests
from galzoo_repr.cutouts._brick_survey import BrickSurvey
from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._fetch import fetch, fetch_into
from galzoo_repr.cutouts._hips_survey import HipsSurvey
from galzoo_repr.cutouts._legacy_survey import LegacySurvey
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._status import RETRYABLE, STATUSES, USABLE, error_for
from galzoo_repr.cutouts._store import CutoutStore
from galzoo_repr.cutouts._validate import validate_body

__all__ = [
    "RETRYABLE",
    "STATUSES",
    "USABLE",
    "Attempt",
    "BrickSurvey",
    "Coverage",
    "CutoutRequest",
    "CutoutStore",
    "CutoutStoreError",
    "HipsSurvey",
    "LegacySurvey",
    "Outcome",
    "Route",
    "add_cutouts",
    "cutout_requests",
    "error_for",
    "fetch",
    "fetch_into",
    "validate_body",
]
