"""The query class: what it sends, what it accepts, and what it raises."""

import io
import threading
import time
from urllib.parse import parse_qs, urlsplit

import astropy.units as u
import astroquery
import numpy as np
import pytest
import requests
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astroquery.exceptions import (
    BlankResponseWarning,
    EmptyResponseError,
    InvalidQueryError,
    NoResultsWarning,
    RemoteServiceError,
)
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from astroquery.query import BaseQuery

from galzoo_repr import LegacySurvey, conf
from galzoo_repr.simulation._service import Reply, html_reply

HERE = SkyCoord(150.1, 2.2, unit="deg")
NORTH = SkyCoord(150.1, 70.0, unit="deg")
HEAD = "HTTP/1.1 200 OK\nContent-Type: image/fits\n"


def test_a_survey_shows_what_it_asks():
    shown = repr(LegacySurvey(server="http://127.0.0.1:8000/viewer/", layer="ls-dr9"))
    assert shown == "<LegacySurvey at http://127.0.0.1:8000/viewer, layer ls-dr9>"


@pytest.fixture
def good_body(viewer, service, survey):
    """What the viewer sends for `HERE` at 64 pixels."""
    kept = {}

    def keep(request):
        kept["reply"] = viewer.fits(request)
        return kept["reply"]

    viewer.overrides["fits"] = keep
    survey.get_images(HERE, size=64)
    viewer.overrides.clear()
    return kept["reply"].body


class TestPayload:
    def test_says_everything_the_service_would_otherwise_choose(self, survey):
        payload = survey.get_images(
            HERE, size=100, pixel_scale=0.5 * u.arcsec, bands="gr", layer="ls-dr9", get_query_payload=True
        )
        assert payload == {
            "ra": "150.1000000", "dec": "2.2000000", "size": 100, "pixscale": "0.500000",
            "layer": "ls-dr9", "bands": "gr",
        }  # fmt: skip

    def test_one_payload_per_position_and_nothing_sent(self, survey, service):
        payloads = survey.get_images(SkyCoord([1, 2], [3, 4], unit="deg"), get_query_payload=True)
        assert [p["ra"] for p in payloads] == ["1.0000000", "2.0000000"]
        assert not service.requests

    @pytest.mark.parametrize("frame", ["galactic", "fk5", "icrs"])
    def test_any_frame_is_sent_as_icrs(self, survey, frame):
        payload = survey.get_images(HERE.transform_to(frame), get_query_payload=True)
        assert float(payload["ra"]) == pytest.approx(150.1, abs=1e-6)
        assert float(payload["dec"]) == pytest.approx(2.2, abs=1e-6)

    def test_image_list_gives_urls(self, survey):
        url = urlsplit(survey.get_image_list(HERE, size=64, image_format="jpeg")[0])
        assert url.path == "/viewer/jpeg-cutout"
        assert parse_qs(url.query)["size"] == ["64"]

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"pixel_scale": 0.262}, TypeError, r"0\.262 \* u\.arcsec"),
            ({"pixel_scale": 1 * u.m}, TypeError, "pixel_scale must be an angle with its unit"),
            ({"pixel_scale": -1 * u.arcsec}, ValueError, "must be positive"),
            ({"pixel_scale": [1, 2] * u.arcsec}, ValueError, "one angle for all"),
            ({"pixel_scale": 1e-9 * u.arcsec}, ValueError, "at least 0.001 arcsec"),
            ({"pixel_scale": 1 * u.deg}, ValueError, "a field of 256 deg is not allowed.*up to 10 deg"),
            ({"layer": 10}, TypeError, "the name of an image layer"),
            ({"size": 4000}, ValueError, "1 to 3000 pixels"),
            ({"size": 0}, ValueError, "1 to 3000 pixels"),
            ({"size": 10.5}, ValueError, "1 to 3000 pixels"),
            ({"size": None}, TypeError, "not a number of pixels"),
            ({"size": "64"}, TypeError, "not a number of pixels"),
            ({"size": 30 * u.arcsec}, TypeError, "not a number of pixels"),
            ({"bands": "ggr"}, ValueError, "one letter per band"),
            ({"bands": ""}, ValueError, "one letter per band"),
            ({"image_format": "png"}, ValueError, "'fits' or 'jpeg'"),
        ],
    )
    def test_refuses_before_asking(self, survey, service, options, error, message):
        with pytest.raises(error, match=message):
            survey.get_images(HERE, **options)
        assert not service.requests


class TestSettings:
    def test_configuration_is_read_at_call_time(self, service):
        survey = LegacySurvey()
        with conf.set_temp("viewer_server", service.url), conf.set_temp("timeout", 3.0):
            assert survey.timeout == 3
            survey.get_images(HERE, size=32)
        assert len(service.requests) == 1
        assert survey.server == "https://www.legacysurvey.org/viewer"

    def test_attributes_override_and_give_way_again(self, service):
        survey = LegacySurvey()
        survey.server, survey.timeout, survey.layer, survey.workers, survey.rate = (
            service.url,
            2,
            "ls-dr9",
            1,
            9,
        )
        assert (survey.timeout, survey.layer, survey.workers, survey.rate) == (2, "ls-dr9", 1, 9)
        survey.get_images(HERE, size=32)
        assert service.requests[0].query["layer"] == "ls-dr9"
        survey.layer = survey.timeout = survey.workers = survey.rate = survey.server = None
        assert (survey.layer, survey.timeout, survey.workers) == (conf.layer, conf.timeout, conf.workers)

    def test_default_pace_is_gentle_except_on_this_machine(self, survey):
        assert LegacySurvey().rate == 5
        assert survey.rate == float("inf")
        assert LegacySurvey(server="http://localhost:1/viewer").rate == float("inf")
        with conf.set_temp("viewer_rate", 2.0):
            assert survey.rate == 2

    def test_says_who_asks(self, survey, viewer):
        assert survey._session.headers["User-Agent"].startswith("galzoo_repr astroquery/")
        assert isinstance(survey, BaseQuery)

    @pytest.mark.parametrize(
        ("setting", "error", "message"),
        [
            ({"server": 8000}, TypeError, "the URL of the service"),
            ({"server": "nonsense"}, ValueError, "http:// or https://"),
            ({"layer": 10}, TypeError, "the name of an image layer"),
            ({"timeout": float("inf")}, ValueError, "up to 86400"),
            ({"coverage": 5}, TypeError, "is no coverage"),
            ({"timeout": -1}, ValueError, "a positive number of seconds"),
            ({"timeout": 3 * u.s}, TypeError, "a positive number of seconds"),
            ({"rate": -2.0}, ValueError, "requests per second"),
            ({"rate": "slow"}, TypeError, "requests per second"),
            ({"workers": 0}, ValueError, "a whole number from 1"),
            ({"workers": 1000}, ValueError, "from 1 to 64"),
            ({"workers": 2.5}, TypeError, "a whole number from 1"),
            ({"image_format": "gif"}, ValueError, "'fits' or 'jpeg'"),
            ({"image_format": ["fits"]}, ValueError, "'fits' or 'jpeg'"),
        ],
    )
    def test_settings_that_cannot_be_meant(self, setting, error, message):
        with pytest.raises(error, match=message):
            LegacySurvey(**setting)
        survey = LegacySurvey()
        with pytest.raises(error, match=message):
            setattr(survey, *setting.copy().popitem())

    @pytest.mark.parametrize(("name", "value"), [("workers", -1), ("timeout", 0.0), ("viewer_rate", -1.0)])
    def test_configuration_that_cannot_be_meant(self, survey, service, name, value):
        with (
            conf.set_temp(name, value),
            pytest.raises(ValueError, match=rf"conf\.{name}={value} is not allowed"),
        ):
            LegacySurvey(server=service.url).get_images(HERE, size=32)
        assert not service.requests


class TestPositions:
    NOWHERE = SkyCoord(np.nan, 2.2, unit="deg")

    def test_one_that_is_not_finite_is_not_asked_for(self, survey, service):
        for payload in (False, True):
            with pytest.raises(InvalidQueryError, match="bad_position: not a finite number"):
                survey.get_images(self.NOWHERE, get_query_payload=payload)
        assert not service.requests

    def test_the_others_are_asked_for(self, survey, service):
        positions = SkyCoord([np.nan, 150.1], [2.2, 2.2], unit="deg")
        with pytest.warns(NoResultsWarning, match="1 of 2 positions: bad_position 1"):
            nothing, image = survey.get_images(positions, size=32)
        assert nothing is None
        assert image[0].data.shape == (3, 32, 32)
        assert len(service.requests) == 1
        payloads = survey.get_images(positions, get_query_payload=True)
        assert payloads[0] is None
        assert payloads[1]["ra"] == "150.1000000"

    def test_none_and_too_many_dimensions(self, survey, service):
        assert survey.get_images(SkyCoord([], [], unit="deg")) == []
        with pytest.raises(ValueError, match=r"shape \(1, 2\).*ravel"):
            survey.get_images(SkyCoord([[1, 2]], [[3, 4]], unit="deg"))
        assert not service.requests


class TestImages:
    def test_fits_planes_on_the_grid_asked_for(self, survey):
        (image,) = survey.get_images(HERE, size=65, pixel_scale=0.4 * u.arcsec, bands="griz")
        assert image[0].data.shape == (4, 65, 65)
        wcs = WCS(image[0].header, naxis=2)
        centre = wcs.pixel_to_world(32, 32)
        assert centre.separation(HERE) < 1e-3 * u.arcsec

    def test_one_band_is_a_plane(self, survey):
        (image,) = survey.get_images(HERE, size=32, bands="r")
        assert image[0].data.shape == (32, 32)

    def test_smallest_image(self, survey):
        (image,) = survey.get_images(HERE, size=1)
        assert image[0].data.shape == (3, 1, 1)

    def test_jpeg_is_an_array(self, survey):
        (image,) = survey.get_images(HERE, size=48, image_format="jpeg")
        assert image.shape == (48, 48, 3)
        assert image.dtype == np.uint8

    def test_many_positions_keep_their_order(self, survey):
        positions = SkyCoord([10, 20, 30], [1, 70, 3], unit="deg")
        with pytest.warns(NoResultsWarning, match=r"1 of 3 positions: no_coverage 1"):
            images = survey.get_images(positions, size=32)
        assert images[1] is None
        assert [images[i][0].header["CRVAL1"] for i in (0, 2)] == [10, 30]


class TestServerHabits:
    """Answers of code 200 that are not the image asked for, and errors that are none."""

    def test_unknown_layer_answered_with_200(self, survey):
        for image_format in ("fits", "jpeg"):
            with pytest.raises(InvalidQueryError, match="no such layer"):
                survey.get_images(HERE, layer="ls-dr99", image_format=image_format)

    def test_silent_fall_back_of_bands(self, survey):
        with pytest.raises(InvalidQueryError, match="band_missing: asked for bands 'griz', got 'grz'"):
            survey.get_images(HERE, layer="ls-dr9", bands="griz", size=32)

    def test_silent_clamp_of_the_size(self, survey, viewer):
        viewer.overrides["fits"] = lambda request: viewer.fits(_with(request, size="40"))
        with pytest.raises(InvalidQueryError, match="asked for 64 x 64 pixels, got 40 x 40"):
            survey.get_images(HERE, size=64)

    def test_failure_outside_the_survey_is_no_failure(self, survey, service):
        with pytest.raises(EmptyResponseError, match="no_coverage"):
            survey.get_images(NORTH, size=32)
        # One FITS, and one JPEG that tells a position without data from a service in trouble.
        assert [request.path for request in service.requests] == [
            "/viewer/fits-cutout",
            "/viewer/jpeg-cutout",
        ]

    def test_failure_inside_the_survey_is_one(self, survey, viewer):
        viewer.overrides["fits"] = html_reply(500, "Server Error (500)")
        with pytest.raises(RemoteServiceError, match="HTTP 500"):
            survey.get_images(HERE, size=32)

    @pytest.mark.parametrize(("layer", "level"), [("ls-dr10", 32), ("ls-dr10-gri", 22)])
    def test_uniformly_grey_jpeg(self, survey, layer, level):
        with pytest.raises(EmptyResponseError, match=rf"uniformly grey \({level}\)"):
            survey.get_images(NORTH, size=64, layer=layer, image_format="jpeg")
        with pytest.raises(EmptyResponseError, match="fails on FITS here and draws a grey JPEG"):
            survey.get_images(NORTH, size=64, layer=layer, bands="gri")

    def test_zeros_in_part_of_a_band_warn(self, survey, viewer):
        viewer.holes = {"r": 0.5}
        with pytest.warns(BlankResponseWarning, match=r"50\.0% of r without data"):
            (image,) = survey.get_images(HERE, size=32)
        assert image[0].data.shape == (3, 32, 32)

    def test_zeros_in_a_whole_band(self, survey, viewer):
        viewer.holes = {"z": 1.0}
        with pytest.raises(InvalidQueryError, match="band_missing: no data here in z"):
            survey.get_images(HERE, size=32)

    def test_zeros_everywhere(self, survey, viewer):
        viewer.holes = dict.fromkeys("grz", 1.0)
        with pytest.raises(EmptyResponseError, match="no band has data"):
            survey.get_images(HERE, size=32)

    def test_short_body_with_length(self, survey, viewer, raw, good_body):
        head = f"{HEAD}Content-Length: {len(good_body)}\n\n"
        viewer.overrides["fits"] = lambda request: raw(head, good_body[:20000])
        with pytest.raises(RemoteServiceError, match="truncated: the answer broke off"):
            survey.get_images(HERE, size=64)

    @pytest.mark.parametrize("n_bytes", [20000, 1000, 0])
    def test_short_body_without_length(self, survey, viewer, raw, good_body, n_bytes):
        viewer.overrides["fits"] = lambda request: raw(f"{HEAD}\n", good_body[:n_bytes])
        with pytest.raises(RemoteServiceError, match="truncated"):
            survey.get_images(HERE, size=64)

    def test_half_a_jpeg(self, survey, viewer, raw):
        def half(request):
            body = viewer.jpeg(request).body
            return raw("HTTP/1.1 200 OK\nContent-Type: image/jpeg\n\n", body[: len(body) // 2])

        viewer.overrides["jpeg"] = half
        with pytest.raises(RemoteServiceError, match="truncated: the JPEG cannot be decoded"):
            survey.get_images(HERE, size=64, image_format="jpeg")

    @pytest.mark.parametrize("page", ["<html>We are down for maintenance</html>", "Bad gateway"])
    def test_page_instead_of_an_image(self, survey, viewer, page):
        viewer.overrides["any"] = Reply(200, "text/html", page.encode())
        with pytest.raises(RemoteServiceError, match="a text came instead of an image"):
            survey.get_images(HERE, size=32)

    def test_bytes_that_are_nothing(self, survey, viewer):
        viewer.overrides["fits"] = Reply(200, "image/fits", bytes(range(128, 256)) * 50)
        with pytest.raises(RemoteServiceError, match="corrupt: the answer is not a FITS image"):
            survey.get_images(HERE, size=32)

    def test_image_of_another_place(self, survey, viewer):
        viewer.overrides["fits"] = lambda request: viewer.fits(_with(request, ra="150.2"))
        with pytest.raises(
            RemoteServiceError, match=r"centred on 150\.200000 \+2\.200000, 1373\.\d pixels away"
        ):
            survey.get_images(HERE, size=32)

    def test_half_a_pixel_is_the_same_place(self, survey, viewer):
        viewer.header = {"CRPIX1": 16.0, "CRPIX2": 16.0}
        assert len(survey.get_images(HERE, size=32)) == 1

    def test_image_on_another_scale(self, survey, viewer):
        viewer.overrides["fits"] = lambda request: viewer.fits(_with(request, pixscale="0.524"))
        with pytest.raises(RemoteServiceError, match=r"asked for 0\.262 arcsec per pixel, got 0\.524"):
            survey.get_images(HERE, size=32)

    @pytest.mark.parametrize("change", [{"CRVAL1": "east"}, {"CD1_1": "x"}])
    def test_image_without_a_grid(self, survey, viewer, change):
        viewer.header = change
        with pytest.raises(RemoteServiceError, match="no celestial grid"):
            survey.get_images(HERE, size=32)

    def test_integers_instead_of_fluxes(self, survey, viewer):
        stream = io.BytesIO()
        fits.PrimaryHDU(np.ones((32, 32), np.int16)).writeto(stream)
        viewer.overrides["fits"] = Reply(200, "image/fits", stream.getvalue())
        with pytest.raises(RemoteServiceError, match="expected 32-bit float planes"):
            survey.get_images(HERE, size=32)

    @pytest.mark.parametrize(
        ("code", "error", "message"),
        [
            (400, InvalidQueryError, "bad_request: HTTP 400"),
            (404, InvalidQueryError, "bad_request: HTTP 404"),
            (503, RemoteServiceError, "server_error: HTTP 503"),
            (429, RemoteServiceError, "rate_limited: HTTP 429"),
        ],
    )
    def test_codes(self, survey, viewer, code, error, message):
        viewer.overrides["any"] = html_reply(code, "Sorry")
        with pytest.raises(error, match=message):
            survey.get_images(HERE, size=32)


class TestClientFaults:
    """What astroquery's own request method does, and this one does not."""

    def test_deadline_holds_for_a_trickling_body(self, survey, viewer, raw, good_body):
        viewer.overrides["fits"] = lambda request: raw(f"{HEAD}\n", good_body, pause=0.05, piece=10)
        survey.timeout = 0.3
        started = time.monotonic()
        with pytest.raises(QueryTimeoutError, match=r"within 0\.3 s"):
            survey.get_images(HERE, size=64)
        assert time.monotonic() - started < 3

    def test_deadline_holds_for_trickling_headers(self, survey, viewer, raw):
        slow = b"X-Slow: " + b"x" * 4000
        viewer.overrides["fits"] = lambda request: raw("HTTP/1.1 200 OK\n", slow, pause=0.05, piece=1)
        survey.timeout = 0.3
        started = time.monotonic()
        with pytest.raises(QueryTimeoutError, match="timeout"):
            survey.get_images(HERE, size=64)
        assert time.monotonic() - started < 3

    def test_deadline_holds_for_a_slow_first_byte(self, survey, viewer, raw, good_body):
        viewer.overrides["fits"] = lambda request: raw(f"{HEAD}\n", good_body, first_pause=30)
        survey.timeout = 0.3
        with pytest.raises(QueryTimeoutError, match="timeout"):
            survey.get_images(HERE, size=64)

    def test_bodies_are_not_turned_into_text(self, survey, monkeypatch):
        decoded = property(lambda response: pytest.fail("the body was decoded"))
        monkeypatch.setattr(requests.Response, "text", decoded)
        assert len(survey.get_images(HERE, size=64)) == 1

    def test_process_wide_cache_switch_is_left_alone(self, survey, monkeypatch):
        touched = []
        monkeypatch.setattr(astroquery.cache_conf, "set_temp", lambda *a, **k: touched.append(a))
        positions = SkyCoord(np.arange(40.0), np.zeros(40), unit="deg")
        survey.get_images(positions, size=16)
        assert not touched
        assert astroquery.cache_conf.cache_active

    def test_one_session_per_thread(self, survey):
        sessions = [survey._thread_session()]
        thread = threading.Thread(target=lambda: sessions.append(survey._thread_session()))
        thread.start()
        thread.join()
        assert sessions[0] is not sessions[1]
        assert sessions[0] is survey._thread_session()

    def test_connections_are_kept_alive(self, survey, service, caplog):
        survey.workers = 2
        positions = SkyCoord(np.arange(30.0), np.zeros(30), unit="deg")
        with caplog.at_level("WARNING", logger="urllib3"):
            survey.get_images(positions, size=16)
        assert "pool is full" not in caplog.text

    def test_nothing_is_cached_by_url(self, survey, service):
        survey.get_images(HERE, size=16)
        survey.get_images(HERE, size=16)
        assert len(service.requests) == 2


def _with(request, **changes):
    return type(request)(request.method, request.path, {**request.query, **changes}, request.number)
