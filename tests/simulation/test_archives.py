"""The simulated hips2fits, MOC server and archive of bricks, and the faults, as a client sees them."""

import io
import json

import astropy.units as u
import numpy as np
import pytest
import requests
from astropy.io import fits
from astropy.wcs import WCS
from astroquery.hips2fits import hips2fitsClass
from mocpy import MOC

from galzoo_repr.simulation import FAULTS, Faults, Reply, Request, SimulatedSurvey, SurveyService
from galzoo_repr.simulation._brick_service import brick_routes
from galzoo_repr.simulation._hips_service import hips_routes

HIPS = "CDS/P/DESI-Legacy-Surveys/DR10/r"
FIELD = {"hips": HIPS, "ra": 150, "dec": 2, "fov": 0.002, "width": 20, "height": 10, "projection": "TAN"}


@pytest.fixture(scope="module")
def sky():
    return SimulatedSurvey()


@pytest.fixture(scope="module")
def service(sky):
    with SurveyService({**hips_routes(sky), **brick_routes(sky, size=60)}) as running:
        yield running


def _hips(service, **params):
    return requests.get(
        f"{service.url}/hips-image-services/hips2fits", params={**FIELD, **params}, timeout=60
    )


class TestHips2fits:
    def test_grid_by_parameters(self, service):
        [hdu] = fits.open(io.BytesIO(_hips(service).content))
        assert hdu.data.shape == (10, 20)
        assert hdu.data.dtype == ">f4"
        wcs = WCS(hdu.header)
        # Half a pixel off the middle, and as wide as the longer side says.
        assert list(wcs.wcs.crpix) == [10, 5]
        assert wcs.pixel_scale_matrix[1, 1] == pytest.approx(0.002 / 20, rel=1e-6)
        assert "HISTORY" in hdu.header

    def test_stock_query(self, service):
        query = hips2fitsClass()
        query.server = f"{service.url}/hips-image-services/hips2fits"
        options = {"width": 12, "height": 12, "projection": "TAN", "fov": 0.001 * u.deg}
        (hdu,) = query.query(HIPS, ra=150 * u.deg, dec=2 * u.deg, **options)
        assert hdu.data.shape == (12, 12)

    def test_grid_by_wcs(self, service, sky):
        cards = {
            "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 8.5, "CRPIX2": 8.5,
            "CDELT1": -0.262 / 3600, "CDELT2": 0.262 / 3600, "NAXIS1": 16, "NAXIS2": 16,
        }  # fmt: skip
        [hdu] = fits.open(io.BytesIO(_hips(service, wcs=json.dumps(cards)).content))
        assert np.allclose(hdu.data, sky.cutout(150, 2, size=16, bands="r")[0], atol=1e-6)

    def test_nan_outside(self, service):
        [hdu] = fits.open(io.BytesIO(_hips(service, ra=266, dec=-29).content))
        assert np.isnan(hdu.data).all()

    @pytest.mark.parametrize(
        "change",
        [
            {"hips": "CDS/P/none"},
            {"width": 10_000, "height": 6_000},
            {"width": "x"},
            {"projection": "SIN"},
            {"coordsys": "galactic"},
            {"rotation_angle": 30},
        ],
    )
    def test_refusals_are_json(self, service, change):
        answer = _hips(service, **change)
        assert answer.status_code == 400
        assert set(answer.json()) == {"title", "description"}

    def test_head_is_refused(self, service):
        url = f"{service.url}/hips-image-services/hips2fits"
        assert requests.head(url, timeout=60).status_code == 405

    def test_pictures_are_stretched_one_by_one(self, service):
        assert _hips(service, format="jpg").content.startswith(b"\xff\xd8")


class TestMocServer:
    def _moc(self, service, expr):
        params = {"get": "moc", "expr": expr, "order": 5}
        return MOC.from_string(requests.get(f"{service.url}/MocServer/query", params=params, timeout=60).text)

    def test_coverage_of_a_band(self, service):
        moc = self._moc(service, f"ID={HIPS}")
        assert moc.max_order == 5
        assert moc.contains_lonlat([150, 266] * u.deg, [2, -29] * u.deg).tolist() == [True, False]

    def test_unknown_is_empty(self, service):
        assert self._moc(service, "ID=CDS/P/none").empty()


class TestBricks:
    URL = "/bricks/dr10/south/coadd/150/1501p020/legacysurvey-1501p020-image-r.fits.fz"

    def test_compressed_coadd(self, service, sky):
        hdus = fits.open(io.BytesIO(requests.get(service.url + self.URL, timeout=60).content))
        assert hdus[1].shape == (60, 60)
        assert hdus[1].compression_type == "RICE_1"
        header = hdus[1].header
        assert (header["CRVAL1"], header["CRVAL2"], header["BRICKNAM"]) == (150.125, 2.0, "1501p020")
        drawn = sky.cutout(150.125, 2.0, size=60, bands="r")[0]
        assert np.abs(hdus[1].data - drawn).max() < drawn.std()

    @pytest.mark.parametrize(
        "change",
        [
            ("1501p020", "1501p021"),
            ("image-r", "image-u"),
            ("coadd/150", "coadd/151"),
            ("1501p020", "2660m290"),
        ],
    )
    def test_not_found(self, service, change):
        url = service.url + self.URL.replace(*change)
        assert requests.get(url, timeout=60).status_code == 404


class TestFaults:
    @pytest.fixture
    def faulty(self):
        answer = Reply(200, "image/fits", b"x" * 1000)
        with SurveyService({"/": lambda request: answer}) as running:
            yield running

    @pytest.mark.parametrize(
        ("kind", "code"),
        [("rate_limited", 429), ("unavailable", 503), ("failure", 500), ("page", 200), ("empty", 200)],
    )
    def test_codes(self, faulty, kind, code):
        faulty.faults = Faults(1.0, kinds=[kind], retry_after=7)
        answer = requests.get(faulty.url, timeout=10)
        assert answer.status_code == code
        assert answer.headers.get("Retry-After") == ("7" if code == 429 else None)
        assert answer.content != b"x" * 1000

    def test_short_with_length(self, faulty):
        faulty.faults = Faults(1.0, kinds=["short"])
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            requests.get(faulty.url, timeout=10)

    def test_short_without_length(self, faulty):
        faulty.faults = Faults(1.0, kinds=["short_unannounced"])
        answer = requests.get(faulty.url, timeout=10)
        assert "Content-Length" not in answer.headers
        assert len(answer.content) == 500

    def test_stall(self, faulty):
        faulty.faults = Faults(1.0, kinds=["stall"], stall=0.3)
        assert requests.get(faulty.url, timeout=10).elapsed.total_seconds() >= 0.3
        faulty.faults = Faults(1.0, kinds=["stall"])
        with pytest.raises(requests.exceptions.ReadTimeout, match="timed out"):
            requests.get(faulty.url, timeout=0.2)

    def test_trickle(self, faulty):
        faulty.faults = Faults(1.0, kinds=["trickle"])
        assert requests.get(faulty.url, timeout=10).content == b"x" * 1000

    def test_reset(self, faulty):
        faulty.faults = Faults(1.0, kinds=["reset"])
        with pytest.raises(requests.exceptions.ConnectionError, match="closed connection"):
            requests.get(faulty.url, timeout=10)

    def test_same_in_every_run(self):
        def draw(seed):
            faults = Faults(0.3, seed=seed)
            made = [faults(Request("GET", "/", {"ra": str(i)}, i)) for i in range(400)]
            return [fault and fault.kind for fault in made], faults

        kinds, faults = draw(1)
        assert draw(1)[0] == kinds
        assert draw(2)[0] != kinds
        hit = [kind for kind in kinds if kind]
        assert 80 < len(hit) < 160
        assert set(hit) == set(FAULTS)
        assert sum(faults.counts.values()) == len(hit)

    @pytest.mark.parametrize(("tries", "expected"), [(2, [True, True, False, False]), (99, [True] * 4)])
    def test_tries(self, tries, expected):
        faults = Faults(1.0, tries=tries)
        request = Request("GET", "/", {"ra": "1"}, 0)
        assert [faults(request) is not None for _ in range(4)] == expected

    def test_some_requests_alone(self):
        faults = Faults(1.0, only=lambda request: request.path == "/hit")
        assert faults(Request("GET", "/miss", {}, 0)) is None
        assert faults(Request("GET", "/hit", {}, 0)) is not None

    @pytest.mark.parametrize(
        "options", [{"fraction": 2}, {"kinds": ["fire"]}, {"kinds": []}, {"tries": -1}, {"stall": -1.0}]
    )
    def test_bad_arguments(self, options):
        with pytest.raises(ValueError, match=r"fraction is|kinds of faults|from 0 on"):
            Faults(**options)
