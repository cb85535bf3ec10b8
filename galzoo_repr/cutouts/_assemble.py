"""Planes that came one by one, as the one FITS image that the viewer would have sent."""

import io
import math
from numbers import Real

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from galzoo_repr.cutouts._request import CutoutRequest

__all__ = ["assemble", "grid_of", "said_of_flux"]

_FLUX_KEYWORDS = ("BUNIT", "MAGZERO", "MAGZPT", "MAGZP", "ZP")

_LONGEST_VALUE = 60
"""Letters; what says more is no unit."""


def grid_of(request: CutoutRequest) -> WCS:
    """Grid of the viewer: gnomonic, north up, east left, the position at pixel (size + 1) / 2 counted from 1."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [request.ra % 360, request.dec]
    wcs.wcs.crpix = [(request.size + 1) / 2] * 2
    wcs.wcs.cdelt = [-request.pixel_scale / 3600, request.pixel_scale / 3600]
    # Plain integers: astroquery turns them into JSON.
    wcs.pixel_shape = (int(request.size), int(request.size))
    return wcs


def assemble(request: CutoutRequest, planes: list[np.ndarray], facts: dict[str, str]) -> bytes:
    """
    Write planes as a FITS file with the layout and the keywords of the viewer; the same bytes for the same planes.

    Each plane is of shape (size, size), row 0 south, with NaN or 0 where there are no data; ``facts`` are further
    keywords.
    """
    cube = np.nan_to_num(np.stack(planes).astype(">f4"), nan=0.0, posinf=0.0, neginf=0.0)
    header = fits.Header({"SURVEY": "LegacySurvey", "IMAGETYP": "IMAGE", "BANDS": request.bands, **facts})
    for i, band in enumerate(request.bands):
        header[f"BAND{i}"] = band
    size, scale = request.size, request.pixel_scale / 3600
    header.update(
        CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=request.ra % 360, CRVAL2=request.dec,
        CRPIX1=(size + 1) / 2, CRPIX2=(size + 1) / 2, CD1_1=-scale, CD1_2=0.0, CD2_1=0.0, CD2_2=scale,
    )  # fmt: skip
    body = io.BytesIO()
    fits.PrimaryHDU(cube if len(planes) > 1 else cube[0], header).writeto(body)
    return body.getvalue()


def said_of_flux(header: fits.Header) -> dict[str, str | float]:
    """Cards of a plane that say what its counts are, other than that they are nanomaggies, as is usual here."""
    said = {keyword: header[keyword] for keyword in _FLUX_KEYWORDS if keyword in header}
    return {
        key: one
        for key, one in said.items()
        if (isinstance(one, str) or (isinstance(one, Real) and math.isfinite(one)))
        and len(str(one)) <= _LONGEST_VALUE
        and str(one).strip().lower() not in ("", "nanomaggy", "22.5")
    }
