"""The service answers as the Legacy Survey viewer does, in its odd habits too."""

import io
from email.utils import parsedate_to_datetime

import numpy as np
import pytest
import requests
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from galzoo_repr.images import viewer_griz_stretch, viewer_grz_stretch
from galzoo_repr.simulation import SimulatedSurvey
from galzoo_repr.simulation._viewer_request import LAYERS, read_request

OUTSIDE = {"ra": 266.4, "dec": -29.0}
HERE = {"ra": 150.01, "dec": 2.02, "size": 24}


@pytest.fixture(scope="module")
def survey():
    return SimulatedSurvey(seed=3)


@pytest.fixture(scope="module")
def service(survey):
    with survey.serve() as running:
        yield running


@pytest.fixture(scope="module")
def session():
    with requests.Session() as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(service, session):
    def send(path="fits-cutout", **parameters):
        return session.get(f"{service.url}/{path}", params=parameters, timeout=30)

    return send


def hdus(answer):
    assert answer.status_code == 200
    with fits.open(io.BytesIO(answer.content)) as opened:
        return [(hdu.header.copy(), None if hdu.data is None else np.array(hdu.data)) for hdu in opened]


def picture(answer):
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("path", ["fits-cutout", "cutout.fits", "fits-cutout/", "cutout.fits?"])
def test_fits_addresses(ask, path):
    answer = ask(path, **HERE)
    assert answer.headers["Content-Type"] == "image/fits"
    assert answer.content.startswith(b"SIMPLE  =")


@pytest.mark.parametrize("path", ["jpeg-cutout", "cutout.jpg", "jpeg-cutout/"])
def test_jpeg_addresses(ask, path):
    answer = ask(path, **HERE)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert picture(answer).shape == (24, 24, 3)


def test_http_headers(ask):
    answer = ask(**HERE)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="cutout_150.0100_2.0200.fits"'
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    expires, modified = (parsedate_to_datetime(answer.headers[name]) for name in ("Expires", "Last-Modified"))
    assert (expires - modified).total_seconds() == 3600
    assert "ETag" not in answer.headers
    assert "Content-Disposition" not in ask("jpeg-cutout", **HERE).headers


def test_pixels_are_those_of_the_survey(ask, survey):
    [(header, data)] = hdus(ask(**HERE, layer="ls-dr9", bands="zg"))
    # With the oldest versions of numpy and scipy the two differ in the last bit of float32.
    alone = survey.cutout(150.01, 2.02, size=24, bands="zg")
    np.testing.assert_allclose(data, alone, rtol=1e-6, atol=1e-8)
    assert header["BITPIX"] == -32


def test_fits_header_is_that_of_the_viewer(ask):
    [(header, _)] = hdus(
        ask(ra=150.01, dec=2.02, width=30, height=20, pixscale=0.5, layer="ls-dr10", bands="grz")
    )
    expected = {
        "NAXIS": 3, "NAXIS1": 30, "NAXIS2": 20, "NAXIS3": 3, "SURVEY": "LegacySurvey", "VERSION": "DR10",
        "IMAGETYP": "IMAGE", "BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z", "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN", "CRVAL1": 150.01, "CRVAL2": 2.02, "CRPIX1": 15.5, "CRPIX2": 10.5, "CD1_2": 0.0,
        "CD2_1": 0.0, "IMAGEW": 30, "IMAGEH": 20,
    }  # fmt: skip
    assert {name: header[name] for name in expected} == expected
    assert header["CD1_1"] == pytest.approx(-0.5 / 3600)
    assert header["CD2_2"] == pytest.approx(0.5 / 3600)
    order = (
        "SIMPLE BITPIX NAXIS NAXIS1 NAXIS2 NAXIS3 EXTEND SURVEY VERSION IMAGETYP BANDS BAND0 BAND1 BAND2 "
        "CTYPE1 CTYPE2 CRVAL1 CRVAL2 CRPIX1 CRPIX2 CD1_1 CD1_2 CD2_1 CD2_2 IMAGEW IMAGEH"
    )
    assert [name for name in header if name != "COMMENT"] == order.split()
    middle = WCS(header, naxis=2).pixel_to_world(14.5, 9.5)
    assert middle.separation(SkyCoord(150.01, 2.02, unit="deg")).arcsec < 1e-3


def test_single_band_has_two_axes(ask):
    [(header, data)] = hdus(ask(**HERE, bands="r"))
    assert header["NAXIS"] == 2
    assert data.shape == (24, 24)
    assert header["BANDS"] == "r"


@pytest.mark.parametrize("path", ["fits-cutout", "jpeg-cutout"])
@pytest.mark.parametrize(
    ("parameters", "status", "body"),
    [
        ({"ra": 1, "dec": 2, "layer": "ls-dr99"}, 200, "no such layer"),
        ({"layer": "ls-dr99"}, 200, "no such layer"),
        ({"ra": 1}, 400, "Need ra,dec keywords"),
        ({"dec": 1}, 400, "Need ra,dec keywords"),
        ({"ra": "x", "dec": 2}, 500, "Server Error (500)"),
        ({"ra": 1, "dec": 2, "size": "big"}, 500, "Server Error (500)"),
        ({"ra": 1, "dec": 2, "size": 0}, 500, "Server Error (500)"),
        ({"ra": 1, "dec": 92}, 500, "Server Error (500)"),
        ({"ra": 1, "dec": 2, "pixscale": -1}, 500, "Server Error (500)"),
        ({"ra": 1, "dec": 2, "rotate": 30}, 500, "Server Error (500)"),
        ({"ra": 150, "dec": 2, "layer": "ls-dr9-south", "rotate": "x"}, 500, "Server Error (500)"),
        ({"ra": 150, "dec": 2, "layer": "ls-dr9-south", "rotate": "inf"}, 500, "Server Error (500)"),
    ],
)
def test_refusals(ask, path, parameters, status, body):
    answer = ask(path, **parameters)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert body in answer.text


@pytest.mark.parametrize(
    ("layer", "asked", "sent"),
    [
        ("ls-dr9", "griz", "grz"),
        ("ls-dr9", "y", "grz"),
        ("ls-dr9", "zr", "zr"),
        ("ls-dr9", "", "grz"),
        ("ls-dr10", "griz", "griz"),
        ("ls-dr10", "gu", "griz"),
        ("ls-dr11", "qq", "grz"),
        ("ls-dr11", "i", "i"),
    ],
)
def test_unknown_bands_are_replaced_in_silence(ask, layer, asked, sent):
    [(header, data)] = hdus(ask(ra=150.01, dec=2.02, size=4, layer=layer, bands=asked))
    assert header["BANDS"] == sent
    assert np.atleast_3d(data.T).shape[2] == len(sent)


def test_defaults():
    request = read_request({"ra": "150", "dec": "2"})
    assert request.layer is LAYERS["ls-dr9"]
    assert (request.width, request.height, request.pixel_scale, request.bands) == (256, 256, 0.262, "grz")
    assert (request.invvar, request.maskbits, request.subimage) == (False, False, False)


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        ({"size": "3001"}, (3000, 3000)),
        ({"width": "9000", "height": "10"}, (3000, 10)),
        ({"size": "5000", "height": "7"}, (3000, 7)),
        ({"size": "3000"}, (3000, 3000)),
    ],
)
def test_large_sizes_are_reduced_in_silence(parameters, shape):
    request = read_request({"ra": "150", "dec": "2", **parameters})
    assert (request.width, request.height) == shape


@pytest.mark.parametrize(
    ("parameters", "scale"),
    [({"zoom": "14"}, 0.262), ({"zoom": "12"}, 1.048), ({"zoom": "1", "pixscale": "0.3"}, 0.3)],
)
def test_zoom_counts_without_a_pixel_scale(parameters, scale):
    assert read_request({"ra": "150", "dec": "2", **parameters}).pixel_scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("layer", "level"),
    [("ls-dr9", 32), ("ls-dr10", 32), ("ls-dr10-gri", 22), ("ls-dr11-south-gri", 22), ("ls-dr9-resid", 32)],
)
def test_outside_the_footprint(ask, layer, level):
    assert ask(**OUTSIDE, size=16, layer=layer).status_code == 500
    grey = picture(ask("jpeg-cutout", **OUTSIDE, size=16, layer=layer))
    assert (grey == level).all()


def test_colours_of_g_r_and_i(ask, survey):
    row = survey.catalogue(5)[2]
    here = {"ra": float(row["ra"]), "dec": float(row["dec"]), "size": 64, "layer": "ls-dr10-gri"}
    [(header, planes)] = hdus(ask(**here))
    assert header["BANDS"] == "gri"
    # The formula of the viewer's layers of these bands, for the brightest pixel.
    scaled = planes * np.array([9.0, 5.1, 4.5])[:, None, None] + 0.02
    intensity = np.maximum(scaled, 0).mean(0)
    colours = np.clip(scaled * np.arcsinh(20 * intensity) / np.sqrt(20) / intensity, 0, 1)[::-1]
    sent = picture(ask("jpeg-cutout", **here))[::-1]
    assert np.abs(255 * colours.mean(0) - sent.mean(2)).mean() < 6
    np.testing.assert_allclose(sent.mean((0, 1)), 255 * colours.mean((1, 2)), atol=2)


def test_model_and_residual_are_parts_of_the_image(ask):
    parts = {
        content: hdus(ask(**HERE, layer=f"ls-dr9{content}", invvar=""))[0][1]
        for content in ("", "-model", "-resid")
    }
    np.testing.assert_allclose(parts[""], parts["-model"] + parts["-resid"], atol=1e-6)
    roughness = {content: np.diff(planes, axis=-1).std() for content, planes in parts.items()}
    assert roughness["-model"] < 0.2 * roughness["-resid"]
    assert abs(np.corrcoef(parts["-model"].ravel(), parts["-resid"].ravel())[0, 1]) < 0.2


def test_residual_of_a_missing_band_is_zero(ask):
    [(_, planes)] = hdus(ask(ra=150.0, dec=50.0, size=16, layer="ls-dr10-resid", bands="ri"))
    assert (planes[0] != 0).all()
    assert (planes[1] == 0).all()


@pytest.mark.parametrize("rotate", [90, -30, 0])
def test_turned_cutouts(ask, survey, rotate):
    """Whatever the turn, a pixel holds the light of the place that the header gives it."""
    row = survey.catalogue(5)[2]
    here = {
        "ra": float(row["ra"]),
        "dec": float(row["dec"]) + 6 / 3600,
        "layer": "ls-dr9-south",
        "bands": "r",
    }
    [(plain, upright)] = hdus(ask(**here, size=96))
    [(header, turned)] = hdus(ask(**here, width=60, height=40, rotate=rotate))
    assert turned.shape == (40, 60)
    up = WCS(header).pixel_to_world([29.5, 29.5], [19.5, 39.5])
    angle = (up[0].position_angle(up[1]).deg - rotate + 180) % 360 - 180
    assert angle == pytest.approx(0, abs=0.01)
    y, x = np.mgrid[:40, :60]
    column, line = WCS(plain).world_to_pixel(WCS(header).pixel_to_world(x, y))
    expected = upright[np.rint(line).astype(int), np.rint(column).astype(int)]
    assert np.corrcoef(expected.ravel(), turned.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("layer", "dec"), [("ls-dr9-south", 50.0), ("ls-dr10-south", 50.0), ("ls-dr9-north", 2.0)]
)
def test_outside_the_half_of_a_layer(ask, layer, dec):
    assert ask(ra=150.0, dec=dec, size=8, layer=layer).status_code == 500
    assert ask(ra=150.0, dec=52 - dec, size=8, layer=layer).status_code == 200


def test_missing_bands_are_zeros(ask):
    [(_, north)] = hdus(ask(ra=150.0, dec=50.0, size=16, layer="ls-dr10", bands="griz"))
    assert (north[2] == 0).all()
    assert (north[[0, 1, 3]] != 0).all()
    [(_, gap)] = hdus(ask(ra=160.0, dec=10.0, size=16, bands="z"))
    assert (gap == 0).all()


def test_extensions(ask):
    (image, pixels), (inverse, weights), (mask, bits) = hdus(ask(**HERE, invvar="", maskbits=""))
    assert [header["IMAGETYP"] for header in (image, inverse, mask)] == ["IMAGE", "INVVAR", "MASKBITS"]
    assert weights.shape == pixels.shape
    assert (weights > 0).all()
    assert bits.shape == (24, 24)
    assert bits.dtype.kind == "i"
    assert inverse["CRPIX1"] == image["CRPIX1"]


def test_extensions_are_absent_from_coarse_images(ask):
    assert len(hdus(ask(**HERE, pixscale=0.523, invvar=""))) == 2
    assert len(hdus(ask(**HERE, pixscale=0.524, invvar="", maskbits=""))) == 1


def test_subimage_has_native_pixels_of_every_brick(ask, survey):
    first, *rest = hdus(ask(ra=150.01, dec=2.001, size=40, subimage="", bands="gr"))
    assert first[1] is None
    assert len(rest) == 8  # two bricks, two bands, image and inverse variance
    assert [header["IMAGETYP"] for header, _ in rest] == ["image", "invvar"] * 4
    assert [header["BAND"] for header, _ in rest] == ["g", "g", "r", "r"] * 2
    assert len({header["BRICK"] for header, _ in rest}) == 2
    for header, data in rest:
        assert data.shape == (40, 40)
        assert header["CRVAL2"] in (1.875, 2.125)
        assert header["CRPIX1"] == pytest.approx(1800.5 - header["BRICK_X0"])
        x, y = WCS(header).world_to_pixel(SkyCoord(150.01, 2.001, unit="deg"))
        assert abs(x - 19.5) <= 1
        assert abs(y - 19.5) <= 1


def test_subimage_outside_the_footprint_fails(ask):
    assert ask(**OUTSIDE, size=16, subimage="").status_code == 500


@pytest.mark.parametrize(
    ("layer", "bands", "stretch"),
    [
        ("ls-dr9", "grz", viewer_grz_stretch),
        ("ls-dr10-grz", "grz", viewer_grz_stretch),
        ("ls-dr10", "griz", viewer_griz_stretch),
    ],
)
def test_jpeg_is_the_stretched_image_with_north_at_the_top(ask, survey, layer, bands, stretch):
    row = survey.catalogue(5)[2]
    ra, dec = float(row["ra"]), float(row["dec"]) - 5 / 3600
    sent = picture(ask("jpeg-cutout", ra=ra, dec=dec, size=96, layer=layer))
    planes = torch.from_numpy(survey.cutout(ra, dec, size=96, bands=bands))
    expected = (stretch(planes[None])[0].flip(1) * 255).permute(1, 2, 0).numpy()
    assert np.abs(sent.mean(2) - expected.mean(2)).mean() < 4
    assert np.abs(sent.mean(2)[::-1] - expected.mean(2)).mean() > 4


def test_jpeg_has_quality_90_and_colour_at_half_resolution(ask):
    with Image.open(io.BytesIO(ask("jpeg-cutout", **HERE).content)) as sent:
        again = io.BytesIO()
        sent.save(again, "JPEG", quality=90, subsampling="4:2:0")
        with Image.open(again) as expected:
            assert sent.quantization == expected.quantization
            assert [part[1:3] for part in sent.layer] == [part[1:3] for part in expected.layer]


def test_many_at_once_get_what_each_gets_alone(ask, service, survey):
    from concurrent.futures import ThreadPoolExecutor

    rows = survey.catalogue(8)
    places = [(float(row["ra"]), float(row["dec"])) for row in rows]
    fresh = SimulatedSurvey(seed=3)
    with fresh.serve() as other, ThreadPoolExecutor(8) as pool:
        bodies = list(
            pool.map(
                lambda at: (
                    requests.get(
                        f"{other.url}/cutout.fits?ra={at[0]}&dec={at[1]}&size=16", timeout=30
                    ).content
                ),
                places,
            )
        )
        assert other.max_in_flight > 1
    for (ra, dec), body in zip(places, bodies, strict=True):
        assert body == ask("cutout.fits", ra=ra, dec=dec, size=16).content
