"""Whether the counts of a survey can become what a recipe takes, by which factors, and the column that keeps them."""

import re
import warnings
from collections.abc import Sequence

import numpy as np
from astropy.table import Column

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.cutouts._caller import level_of_the_caller
from galzoo_repr.cutouts._flux_scales import USUAL_LAYERS, known_scale, no_single_scale
from galzoo_repr.cutouts._route import Route
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import ImageRecipe

__all__ = ["flux_scale_column", "usable_factors", "warn_of_scale"]


def usable_factors(survey: Route, recipe: ImageRecipe) -> tuple[float, ...] | None:
    """
    Nanomaggies per pixel of 0.262 arcsec in one count of each band of a recipe.

    None for colour pictures, and where the scale is unknown and the recipe takes any; a `ValueError` where it needs
    one, or the survey lacks a band.

    Examples
    --------
    >>> from galzoo_repr.cutouts import LegacySurvey, usable_factors
    >>> from galzoo_repr.images import ImageRecipe
    >>> usable_factors(LegacySurvey(layer="ls-dr10"), ImageRecipe())
    (1.0, 1.0, 1.0)
    >>> [round(factor, 3) for factor in usable_factors(LegacySurvey(layer="des-dr1"), ImageRecipe())]
    [0.992, 0.992, 0.992]
    """
    if not isinstance(recipe.bands, str):
        raise ValueError(
            f"surveys are asked for bands of one letter, but the recipe takes {', '.join(recipe.bands)}; give files "
            "with these bands by images="
        )
    if survey.image_format != "fits":
        return None
    _refuse_what_is_no_layer(survey)
    scale, name = survey.flux_scale, f"layer {survey.layer!r} of {type(survey).__name__}"
    if scale is None:
        if recipe.takes_fluxes:
            return None
        raise ValueError(
            f"the flux scale of {name} is not known{_because(survey)}: give zero_point=, the AB magnitude of one count "
            "(and native_scale=, the size of the pixel that counts are per), or take a recipe with stretch='none', "
            "which needs none, or pictures by image_format='jpeg' where the service has them"
            + (did_you_mean(survey.layer, USUAL_LAYERS) if survey.route == "viewer" else "")
        )
    if scale.bands and (missing := [band for band in recipe.bands if band not in scale.bands]):
        raise ValueError(
            f"{name} has the bands {', '.join(scale.bands)}, but the recipe takes {', '.join(recipe.bands)}: "
            f"{', '.join(missing)} is missing; choose another layer, or a recipe with other bands"
        )
    return scale.factors(recipe.bands)


def warn_of_scale(survey: Route) -> None:
    """
    Warn of a zero point for pixels that are no fluxes.

    Examples
    --------
    >>> import warnings
    >>> from galzoo_repr.cutouts import HipsSurvey, warn_of_scale
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_scale(HipsSurvey(layer="CDS/P/DSS2", zero_point=25.0))
    >>> str(caught[0].message).partition(": ")[2]
    'it shows photographic plates'
    """
    why = no_single_scale(survey.route, survey.layer)
    if why and survey.flux_scale is not None:
        warnings.warn(
            f"zero_point= is taken for layer {survey.layer!r} of {type(survey).__name__}, whose pixels are no fluxes "
            f"under any zero point: {why}",
            GalzooWarning,
            stacklevel=level_of_the_caller(),
        )


def flux_scale_column(factors: Sequence[tuple[float, ...] | None], *, always: bool = False) -> Column | None:
    """
    Column with the flux scales of cutouts.

    Parameters
    ----------
    factors : sequence of tuple of float, or None
        For each row, nanomaggies per pixel of 0.262 arcsec in one count of each band; None where unknown.
    always : bool
        Make a column even if all are 1.

    Returns
    -------
    astropy.table.Column or None
        float64, ``(n,)``, or ``(n, bands)`` where bands differ; NaN where unknown. None where all that are known are
        1, the scale that files of the Legacy Surveys have, or none is known.

    Examples
    --------
    >>> from galzoo_repr.cutouts import flux_scale_column
    >>> flux_scale_column([(0.4, 0.4, 0.4), None]).tolist()
    [0.4, nan]
    >>> flux_scale_column([(1.0, 1.0, 1.0), None]) is None
    True
    """
    kinds = set(factors) - {None}
    if not always and all(set(one) == {1.0} for one in kinds):
        return None
    width = max((len(one) for one in kinds if len(set(one)) > 1), default=1)
    rows = {one: one if len(one) == width else one[:1] * width for one in kinds} | {None: (np.nan,) * width}
    table = np.array([rows[one] for one in factors], dtype=float).reshape(len(factors), width)
    return Column(
        table[:, 0] if width == 1 else table,
        description="Nanomaggies per pixel of 0.262 arcsec in one count of the file of the cutout",
    )


def _refuse_what_is_no_layer(survey: Route) -> None:
    """Refuse a HiPS that is a colour picture, or that is named with its band."""
    if survey.route != "hips":
        return
    head, _, last = survey.layer.rstrip("/").rpartition("/")
    if re.search("colou?r", last, re.IGNORECASE):
        raise ValueError(
            f"the HiPS {survey.layer!r} is a colour picture, not fluxes; give the HiPS of its bands, such as {head!r}"
        )
    if survey.flux_scale is None and (known := known_scale("hips", head)) and last in known.bands:
        raise ValueError(
            f"the HiPS {survey.layer!r} is one band; give it without its band, as layer={head!r}"
        )


def _because(survey: Route) -> str:
    why = no_single_scale(survey.route, survey.layer)
    return f" ({why})" if why else ""
