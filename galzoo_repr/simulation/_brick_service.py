"""An endpoint that serves coadded bricks in the layout of the Legacy Surveys' archive, drawn when asked for."""

import io
import math
import re
from functools import lru_cache

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from galzoo_repr.simulation._reply import Endpoint, Reply, Request, html_reply
from galzoo_repr.simulation._sky_image import SkyImage, SkySurvey, tangent_wcs

__all__ = ["brick_routes"]

_FILE = re.compile(
    r"/(?P<release>dr9/north|dr9/south|dr10/south)/coadd/(?P<aaa>\d{3})/(?P<name>(?P=aaa)\d[pm]\d{3})"
    r"/legacysurvey-(?P=name)-image-(?P<band>[griz])\.fits\.fz"
)
_ROWS = 0.25
_NATIVE_SCALE = 0.262
# fpack's default of the Legacy Surveys: tiles of 100 x 100 pixels, noise sampled 16 times
_TILE = 100
_QUANTIZE = 16


def brick_routes(survey: SkySurvey, *, size: int = 3600) -> dict[str, Endpoint]:
    """
    Endpoint of the archive of bricks for each path prefix, for `SurveyService`.

    The real 3600 pixels on a side take this machine long to draw; fewer leave the outer part of a brick out.
    """
    draw = lru_cache(4)(lambda name, release: _image(survey, name, release, size))

    def endpoint(request: Request) -> Reply:
        asked = _FILE.fullmatch(request.path.removeprefix("/bricks"))
        drawn = draw(asked["name"], asked["release"]) if asked else None
        plane = None if drawn is None else drawn[0].pixels["griz".index(asked["band"])]
        if plane is None or not plane.any():
            return html_reply(404, "Not Found")
        body = _compressed(plane, drawn[1], asked["name"], asked["band"])
        return Reply(200, "application/octet-stream", body)

    return {"/bricks": endpoint}


def _image(survey: SkySurvey, name: str, release: str, size: int) -> "tuple[SkyImage, WCS] | None":
    """All bands of a brick, None when there is no such brick."""
    centre = _centre(name)
    if centre is None:
        return None
    wcs = tangent_wcs(*centre, width=size, height=size, pixel_scale=_NATIVE_SCALE)
    return survey.image(wcs, bands="griz", half=release.split("/")[1]), wcs


def _compressed(plane: np.ndarray, wcs: WCS, name: str, band: str) -> bytes:
    header = wcs.to_header()
    header.update(BRICKNAM=name, IMTYPE="image", BUNIT="nanomaggy", FILTER=band)
    image = fits.CompImageHDU(
        plane, header, compression_type="RICE_1", tile_shape=(_TILE, _TILE), quantize_level=_QUANTIZE,
        quantize_method=2, dither_seed=1,
    )  # fmt: skip
    body = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(body)
    return body.getvalue()


def _centre(name: str) -> tuple[float, float] | None:
    """Centre of the brick of a name: of the row and column whose centre, cut off to tenths, makes that name."""
    tenths = int(name[5:]) * (1 if name[4] == "p" else -1)
    for step in range(-1, 2):
        dec = round(tenths / 10 / _ROWS + step) * _ROWS
        if math.trunc(abs(dec) * 10) != abs(tenths) or (dec < 0) != (name[4] == "m"):
            continue
        columns = 2 * math.ceil(360 / _ROWS * math.cos(math.radians(abs(dec) - _ROWS / 2)) / 2)
        first = math.floor(int(name[:4]) / 10 * columns / 360 - 0.5)
        for column in (first, first + 1):
            ra = (column + 0.5) * 360 / columns
            if math.floor(ra * 10) == int(name[:4]):
                return ra, dec
    return None
