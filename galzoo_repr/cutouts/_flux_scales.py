"""What one count in the images of a survey is: bands, zero point and pixel of those whose documents say it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import astropy.units as u

from galzoo_repr.images import REFERENCE_SCALE

__all__ = [
    "USUAL_LAYERS",
    "FluxScale",
    "ZeroPoint",
    "check_native_scale",
    "check_zero_point",
    "known_scale",
    "no_single_scale",
]

ZeroPoint = float | u.Quantity | Mapping[str, float | u.Quantity]
"""AB magnitude of one count, or the flux of one; for all bands, or by band."""

_NANOMAGGY = 22.5
_SCALES = (
    "the AB magnitude of one count, such as zero_point=25.0, its flux, such as 1 * u.nJy, or a dict by band"
)


@dataclass(frozen=True)
class FluxScale:
    """
    What the pixels of a survey mean.

    Parameters
    ----------
    zero_point : float or dict of str to float
        AB magnitude of one count, in all bands or by band.
    native_scale : float
        Arcsec: counts are per pixel of this size, whatever the pixels of a cutout are.
    bands : str
        Bands that the survey has, empty where that is not known.
    source : str
        Where it is written.

    Examples
    --------
    >>> from galzoo_repr.cutouts import FluxScale
    >>> FluxScale(zero_point=22.5, native_scale=0.262).factors("grz")
    (1.0, 1.0, 1.0)
    """

    zero_point: float | Mapping[str, float]
    native_scale: float = REFERENCE_SCALE
    bands: str = ""
    source: str = "given by the caller"

    def factors(self, bands: str) -> tuple[float, ...]:
        """
        Nanomaggies per pixel of 0.262 arcsec in one count.

        Parameters
        ----------
        bands : str
            One letter each.

        Returns
        -------
        tuple of float
            One for each band.

        Raises
        ------
        ValueError
            If there are zero points by band, and none for one of these.

        Examples
        --------
        >>> from galzoo_repr.cutouts import FluxScale
        >>> FluxScale(zero_point={"g": 22.5, "r": 25.0}).factors("gr")
        (1.0, 0.1)
        """
        # Exactly 1 where nothing is to be done.
        area = 1.0 if self.native_scale == REFERENCE_SCALE else (REFERENCE_SCALE / self.native_scale) ** 2
        found = []
        for band in bands:
            if isinstance(self.zero_point, Mapping):
                if band not in self.zero_point:
                    raise ValueError(
                        f"there are zero points for the bands {', '.join(self.zero_point)}, but none for {band}; give "
                        "zero_point= for all bands"
                    )
                found.append(area * 10 ** (0.4 * (_NANOMAGGY - self.zero_point[band])))
            else:
                found.append(area * 10 ** (0.4 * (_NANOMAGGY - self.zero_point)))
        return tuple(found)


_LEGACY = (
    "nanomaggies per native pixel, 22.5 AB (https://www.legacysurvey.org/svtips and .../dr10/description; also of "
    "other pixel scales, as the viewer interpolates: legacysurvey/imagine, map/views.py)"
)
_IMAGINE = "legacysurvey/imagine, map/views.py of August 2026, {}"
# https://www.sdss.org/dr16/algorithms/fluxcal: u_AB = u - 0.04, z_AB = z + 0.02
_SDSS = {"u": 22.46, "g": 22.5, "r": 22.5, "i": 22.5, "z": 22.52}

# Route, layers, and what they hold. Layers whose scale no document gives are not here.
_KNOWN: tuple[tuple[str, str, FluxScale], ...] = (
    ("viewer", r"(ls-)?dr8(-north|-south)?(-model|-resid)?", FluxScale(22.5, 0.262, "grz", _LEGACY)),
    ("viewer", r"ls-dr(8|9)(-mid)?(-north|-south)?(-model|-resid)?", FluxScale(22.5, 0.262, "grz", _LEGACY)),
    ("viewer", r"ls-dr(10|11)(-mid)?(-south)?(-griz)?(-model|-resid)?", FluxScale(22.5, 0.262, "griz", _LEGACY)),
    ("viewer", r"ls-dr10(-south)?-grz|ls-dr11-north(-model|-resid)?", FluxScale(22.5, 0.262, "grz", _LEGACY)),
    ("viewer", r"ls-dr(10|11)(-south)?-gri", FluxScale(22.5, 0.262, "gri", _LEGACY)),
    ("viewer", r"decals-dr[57]|mzls\+bass-dr6|ls-dr67", FluxScale(22.5, 0.262, "grz", _LEGACY)),
    (
        "viewer", "sdss|sdss2|sdssco",
        FluxScale(_SDSS, 0.396, "gri", f"nanomaggies, as the SDSS frames ({_IMAGINE.format('class SdssLayer')}; "
                  "https://dr16.sdss.org/datamodel/files/BOSS_PHOTOOBJ/frames/RERUN/RUN/CAMCOL/frame.html)"),
    ),
    (
        "viewer", "des-dr1",
        FluxScale(22.5, 0.263, "grz", f"tiles of zero point 30, divided by 1000 ({_IMAGINE.format('class DesLayer')})"),
    ),
    (
        "viewer", "ps1",
        FluxScale(22.5, 0.25, "gri", "asinh undone, divided by exposure time, 25 made 22.5 "
                  f"({_IMAGINE.format('class PS1Layer')}; https://outerspace.stsci.edu/display/PANSTARRS)"),
    ),
    ("viewer", "hsc2?|hsc-dr[23]", FluxScale(27.0, 0.168, "grz", f"{_IMAGINE.format('class HscLayer')}")),
    ("viewer", "ztf", FluxScale(22.5, 1.0, "gri", f"scaled to 22.5 by MAGZP ({_IMAGINE.format('class ZtfLayer')})")),
    (
        "viewer", "unwise-(w1w2|neo[0-9]+)",
        FluxScale({"1": 25.199, "2": 25.839}, 2.75, "12", "Vega nanomaggies (https://catalog.unwise.me); AB less Vega "
                  "2.699 and 3.339 (WISE Explanatory Supplement IV.4.h, table 3)"),
    ),
    (
        "viewer", "2mass",
        FluxScale({"j": 23.41, "h": 23.89, "k": 24.35}, 1.0, "jhk", "Vega nanomaggies by MAGZP "
                  f"({_IMAGINE.format('class TwoMassLayer')}); AB less Vega by Blanton and Roweis (2007, AJ 133, 734)"),
    ),
    (
        "bricks", r"ls-dr9(-north|-south)?",
        FluxScale(22.5, 0.262, "grz", "BUNIT nanomaggy (https://www.legacysurvey.org/dr9/files)"),
    ),
    (
        "bricks", r"ls-dr10(-south)?",
        FluxScale(22.5, 0.262, "griz", "BUNIT nanomaggy (https://www.legacysurvey.org/dr10/files)"),
    ),
    (
        "hips", "CDS/P/DESI-Legacy-Surveys/DR10",
        FluxScale(22.5, 0.262, "griz", "made of the coadds, which are nanomaggies per native pixel "
                  "(https://www.legacysurvey.org/dr10/files)"),
    ),
    (
        "hips", "CDS/P/SDSS9",
        FluxScale(_SDSS, 0.396, "ugriz", "made of the frames of DR9, which are nanomaggies "
                  "(https://dr16.sdss.org/datamodel/files/BOSS_PHOTOOBJ/frames/RERUN/RUN/CAMCOL/frame.html)"),
    ),
)  # fmt: skip

USUAL_LAYERS = (
    "ls-dr9",
    "ls-dr10",
    "ls-dr11",
    "sdss",
    "des-dr1",
    "ps1",
    "hsc-dr3",
    "ztf",
    "unwise-neo7",
    "2mass",
)
"""Layers of the viewer that may be meant by a name which is nearly one of them."""

# Layers of which documents say that no zero point makes fluxes of them.
_NO_SINGLE_SCALE = (
    (
        "hips", r"CDS/P/PanSTARRS/DR1",
        "the stacks behind it have a zero point that depends on their exposure time, and some of its bands are "
        "compressed by an inverse hyperbolic sine (https://outerspace.stsci.edu/display/PANSTARRS); in g, r and i the "
        "viewer has layer 'ps1' in nanomaggies",
    ),
    ("hips", r"CDS/P/(2MASS|2MASS6X|allWISE|WISE)", "each image behind it has a zero point of its own"),
    ("hips", r"CDS/P/DSS.*", "it shows photographic plates"),
)  # fmt: skip


def known_scale(route: str, layer: str) -> FluxScale | None:
    """
    What is documented of a layer, or None.

    Examples
    --------
    >>> from galzoo_repr.cutouts import known_scale
    >>> scale = known_scale("viewer", "ls-dr10")
    >>> scale.zero_point, scale.native_scale, scale.bands
    (22.5, 0.262, 'griz')
    >>> known_scale("viewer", "ls-dr99") is None
    True
    """
    for known_route, pattern, scale in _KNOWN:
        if route == known_route and re.fullmatch(pattern, layer.rstrip("/")):
            return scale
    return None


def no_single_scale(route: str, layer: str) -> str:
    """Why no zero point makes fluxes of a layer; empty where one may."""
    found = (
        why for known, pattern, why in _NO_SINGLE_SCALE if known == route and re.fullmatch(pattern, layer)
    )
    return next(found, "")


def check_zero_point(zero_point: ZeroPoint | None) -> float | dict[str, float] | None:
    """AB magnitude of one count, in all bands or by band, refusing what is none."""
    if zero_point is None:
        return None
    if isinstance(zero_point, Mapping):
        if not zero_point or not all(isinstance(band, str) and len(band) == 1 for band in zero_point):
            raise ValueError(
                f"zero_point={zero_point!r} is not allowed; give a number for each band, by its letter"
            )
        return {band: _magnitude(one) for band, one in zero_point.items()}
    return _magnitude(zero_point)


def _magnitude(zero_point: float | u.Quantity) -> float:
    value = zero_point
    if isinstance(value, u.Quantity) and value.isscalar:
        value = _magnitude_of(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"zero_point={zero_point!r} is not {_SCALES}")
    if not (math.isfinite(value) and -20 < value < 60):
        raise ValueError(f"zero_point={zero_point!r} is not the magnitude of one count; give {_SCALES}")
    return float(value)


def _magnitude_of(value: u.Quantity) -> float | None:
    """AB magnitude of a magnitude or a flux, None where it is neither."""
    if value.unit == u.mag:
        # Of `mag` it is said that they are AB; those of another system have a unit that tells.
        return value.to_value(u.mag)
    if value.unit.is_equivalent(u.mgy) or value.unit.is_equivalent(u.Jy):
        if not (isinstance(value, u.Magnitude) or value.value > 0):
            return math.nan
        if value.unit.is_equivalent(u.mgy):
            return _NANOMAGGY - 2.5 * math.log10(value.to_value(u.nmgy))
        return value.to(u.ABmag).value
    return None


def check_native_scale(native_scale: u.Quantity | None) -> float | None:
    """Arcsec of a pixel, refusing plain numbers."""
    if native_scale is None:
        return None
    if not isinstance(native_scale, u.Quantity) or not native_scale.unit.is_equivalent(u.arcsec):
        raise TypeError(f"native_scale={native_scale!r} is no angle; give a unit, such as 0.25 * u.arcsec")
    if not native_scale.isscalar or not 0 < native_scale.to_value(u.arcsec) < 3600:
        raise ValueError(f"native_scale={native_scale!r} is not allowed; give the angle of one pixel")
    return float(native_scale.to_value(u.arcsec))
