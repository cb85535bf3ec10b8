"""Endpoints that answer cutout requests as the Legacy Survey viewer does, from the pixels of a simulation.

Every habit is that of the viewer's source (https://github.com/legacysurvey/imagine, ``map/cutouts.py``,
``map/views.py``), the odd ones included: an unknown layer is answered by code 200, a size above 3000 is
reduced and an unknown band replaced in silence, a FITS request outside the footprint fails with code 500 and
a JPEG one succeeds with a uniform grey, missing data are exact zeros.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image

from galzoo_repr.simulation._reply import Endpoint, Reply, Request, cache_headers, html_reply
from galzoo_repr.simulation._sky import SkyTiling
from galzoo_repr.simulation._sky_image import InCounts, SkySurvey, tangent_wcs
from galzoo_repr.simulation._viewer_layers import layer_grid, layer_image
from galzoo_repr.simulation._viewer_request import NATIVE_SCALE, ViewerRequest, read_request

__all__ = ["encode_jpeg", "fits_reply", "jpeg_bytes", "jpeg_reply", "viewer_endpoints", "viewer_routes"]

_SUFFIXES = {"fits": ("fits-cutout", "cutout.fits"), "jpeg": ("jpeg-cutout", "cutout.jpg")}
_JPEG_QUALITY = 90
_COARSE = 2 * NATIVE_SCALE  # from this pixel scale on the viewer has no inverse variance
# of g, r and i, in the viewer's layers of these bands
_GRI_SCALES, _GRI_PEDESTAL = (9.0, 5.1, 4.5), 0.02
_BRICK_STEP = 0.25
_BRICK_SIZE = 3600
_COMMENTS = (
    "FITS (Flexible Image Transport System) format is defined in 'Astronomy",
    "and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
)

Answer = Callable[[ViewerRequest], Reply]


def viewer_endpoints(fits_answer: Answer, jpeg_answer: Answer) -> dict[str, Endpoint]:
    """Endpoint of the viewer's four cutout addresses for each path prefix, for `SurveyService`."""

    def endpoint(answer: Answer) -> Endpoint:
        def respond(request: Request) -> Reply:
            asked = read_request(request.query)
            return asked if isinstance(asked, Reply) else answer(asked)

        return respond

    answers = {"fits": endpoint(fits_answer), "jpeg": endpoint(jpeg_answer)}
    return {f"/viewer/{suffix}": answers[kind] for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}


def viewer_routes(survey: SkySurvey, *, zero_point: float = 22.5) -> dict[str, Endpoint]:
    """
    Endpoint of a viewer that shows a simulated survey for each path prefix, for `SurveyService`.

    FITS files of all layers are in counts of another zero point, for 22.5 in that of the layer.
    """
    count = 10 ** (0.4 * (22.5 - zero_point))
    return viewer_endpoints(
        lambda asked: _fits_answer(InCounts(survey, count * asked.layer.count), asked),
        lambda asked: _jpeg_answer(survey, asked),
    )


def _fits_answer(survey: SkySurvey, asked: ViewerRequest) -> Reply:
    if asked.subimage:
        return _subimage_answer(survey, asked)
    image = layer_image(survey, asked, asked.bands)
    if not image.observed.any() and not _in_footprint(survey, asked):
        return html_reply(500, "Server Error (500)")
    header = _fits_header(asked, layer_grid(asked))
    hdus = [_image_hdu(fits.PrimaryHDU, _cube(image.pixels), header, "IMAGE")]
    if asked.pixel_scale < _COARSE:
        if asked.invvar:
            hdus.append(_image_hdu(fits.ImageHDU, _cube(image.invvar), header, "INVVAR"))
        if asked.maskbits:
            unmasked = np.zeros((asked.height, asked.width), np.int16)
            hdus.append(_image_hdu(fits.ImageHDU, unmasked, header, "MASKBITS"))
    return fits_reply(_fits_bytes(hdus), asked)


def _jpeg_answer(survey: SkySurvey, asked: ViewerRequest) -> Reply:
    """Colour image in the bands of the layer, or in g, r, z where just these are asked for."""
    bands = asked.bands if asked.bands in ("grz", "griz") else asked.layer.default
    return jpeg_reply(jpeg_bytes(layer_image(survey, asked, bands).pixels, bands))


def _in_footprint(survey: SkySurvey, asked: ViewerRequest) -> bool:
    """Whether any band has data at the centre: then zeros are sent, as of a place that one band missed."""
    covered = survey.footprint.covers(asked.ra, asked.dec, asked.layer.bands, half=asked.layer.half)
    return bool(covered.any())


def _cube(planes: NDArray) -> NDArray:
    """As FITS data: a single band has two axes."""
    return planes[0] if len(planes) == 1 else planes


def _fits_header(asked: ViewerRequest, wcs: WCS) -> fits.Header:
    header = fits.Header()
    header["SURVEY"] = "LegacySurvey"
    header["VERSION"] = asked.layer.version
    header["IMAGETYP"] = "IMAGE"
    header["BANDS"] = asked.bands
    for i, band in enumerate(asked.bands):
        header[f"BAND{i}"] = band
    header.update(_wcs_cards(wcs))
    return header


def _wcs_cards(wcs: WCS) -> fits.Header:
    cards = fits.Header()
    cards["CTYPE1"], cards["CTYPE2"] = ("RA---TAN", "TANgent plane"), ("DEC--TAN", "TANgent plane")
    for i, name in ((1, "RA"), (2, "Dec")):
        cards[f"CRVAL{i}"] = float(wcs.wcs.crval[i - 1]), f"Reference {name}"
    for i, name in ((1, "x"), (2, "y")):
        cards[f"CRPIX{i}"] = float(wcs.wcs.crpix[i - 1]), f"Reference {name}"
    for i in (1, 2):
        for j in (1, 2):
            cards[f"CD{i}_{j}"] = float(wcs.wcs.cd[i - 1][j - 1]), "CD matrix"
    cards["IMAGEW"] = wcs.pixel_shape[0], "Image width"
    cards["IMAGEH"] = wcs.pixel_shape[1], "Image height"
    return cards


def _image_hdu(kind: type, data: NDArray | None, header: fits.Header, image_type: str) -> fits.PrimaryHDU:
    hdu = kind(data)
    if kind is fits.PrimaryHDU:
        for line in _COMMENTS:
            hdu.header["COMMENT"] = line
    hdu.header.extend(header.copy(), end=True)
    if image_type:
        hdu.header["IMAGETYP"] = image_type
    return hdu


def _subimage_answer(survey: SkySurvey, asked: ViewerRequest) -> Reply:
    """Send native pixels of each brick that holds part of the field, every band in an extension."""
    header = fits.Header({"SURVEY": "LegacySurvey", "VERSION": asked.layer.version})
    hdus = [_image_hdu(fits.PrimaryHDU, None, header, "")]
    radius = 0.2 + max(asked.width, asked.height) * NATIVE_SCALE / 3600
    for brick in SkyTiling(_BRICK_STEP).cells_near(asked.ra, asked.dec, radius):
        ra0, dec0 = sum(brick.ra_limits) / 2, sum(brick.dec_limits) / 2
        wcs = tangent_wcs(ra0, dec0, width=_BRICK_SIZE, height=_BRICK_SIZE, pixel_scale=NATIVE_SCALE)
        part = _part_of_brick(wcs, asked)
        if part is None:
            continue
        x0, y0, sub = part
        image = survey.image(sub, bands=asked.bands, half=asked.layer.half)
        if not image.observed.any():
            continue
        for band, pixels, invvar in zip(asked.bands, image.pixels, image.invvar, strict=True):
            cards = header.copy()
            cards.update({"BRICK": _brick_name(ra0, dec0), "BRICK_X0": x0, "BRICK_Y0": y0, "BAND": band})
            cards["IMAGETYP"] = "image"
            cards.update(_wcs_cards(sub))
            hdus.append(_image_hdu(fits.ImageHDU, pixels, cards, "image"))
            hdus.append(_image_hdu(fits.ImageHDU, invvar, cards, "invvar"))
    if len(hdus) == 1:
        return html_reply(500, "Server Error (500)")
    return fits_reply(_fits_bytes(hdus), asked)


def _part_of_brick(brick: WCS, asked: ViewerRequest) -> tuple[int, int, WCS] | None:
    """Corner, from 0, and grid of the part of a brick that lies in the field asked for."""
    [[x, y]] = brick.wcs_world2pix([[asked.ra, asked.dec]], 0)
    if not np.isfinite([x, y]).all():
        return None
    first = np.rint([x - asked.width / 2, y - asked.height / 2]).astype(int)
    low = np.clip(first, 0, _BRICK_SIZE)
    high = np.clip(first + np.array([asked.width, asked.height]), 0, _BRICK_SIZE)
    if (high <= low).any():
        return None
    part = brick.deepcopy()
    part.wcs.crpix = brick.wcs.crpix - low
    part.pixel_shape = tuple(int(length) for length in high - low)
    return int(low[0]), int(low[1]), part


def _brick_name(ra: float, dec: float) -> str:
    """Name of a brick after its centre, such as ``1500p020``."""
    return f"{int(ra * 10):04d}{'p' if dec >= 0 else 'm'}{int(abs(dec) * 10):03d}"


def fits_reply(body: bytes, asked: ViewerRequest) -> Reply:
    """Send a FITS file as the viewer does, under its name for the request."""
    name = f"cutout_{asked.ra:.4f}_{asked.dec:.4f}.fits"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **cache_headers()}
    return Reply(200, "image/fits", body, headers)


def _fits_bytes(hdus: list) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(hdus).writeto(buffer)
    return buffer.getvalue()


def jpeg_reply(body: bytes) -> Reply:
    """Send a JPEG file as the viewer does."""
    return Reply(200, "image/jpeg", body, cache_headers())


def jpeg_bytes(planes: NDArray, bands: str) -> bytes:
    """
    Colour image in the viewer's stretch, north at the top, quality 90, colour at half resolution.

    Planes are float32 (nbands, height, width), nanomaggies per native pixel, north at the last row; bands
    ``grz``, ``griz`` or ``gri``.
    """
    from galzoo_repr.images import viewer_griz_stretch, viewer_grz_stretch

    stretch = {"grz": viewer_grz_stretch, "griz": viewer_griz_stretch, "gri": _gri_stretch}[bands]
    with torch.no_grad():
        rgb = stretch(torch.from_numpy(np.ascontiguousarray(planes[:, ::-1]))[None])[0]
    picture = Image.fromarray((rgb.permute(1, 2, 0) * 255).to(torch.uint8).numpy())
    return encode_jpeg(picture)


def _gri_stretch(planes: torch.Tensor) -> torch.Tensor:
    """Colours of the layers of g, r and i, after Lupton et al. (2004, PASP 116, 133) with Q = 20."""
    scaled = planes * planes.new_tensor(_GRI_SCALES).view(1, 3, 1, 1) + _GRI_PEDESTAL
    intensity = scaled.clamp_min(0).mean(dim=1, keepdim=True).clamp_min(1e-6)
    gain = torch.asinh(20 * intensity) / (math.sqrt(20) * intensity)
    return (scaled * gain).clamp(0, 1).flip(1)


def encode_jpeg(picture: Image.Image) -> bytes:
    """
    Encode as the viewer does, with quality 90 and colour at half resolution.

    Parameters
    ----------
    picture : PIL.Image.Image
        Colour image.

    Returns
    -------
    bytes
        A JPEG file.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from galzoo_repr.simulation import encode_jpeg
    >>> body = encode_jpeg(Image.new("RGB", (64, 48), "navy"))
    >>> Image.open(io.BytesIO(body)).size
    (64, 48)
    """
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()
