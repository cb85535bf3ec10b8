"""HiPS, bricks and coverage: other ways to the same pixels, held to the viewer's contract."""

import shutil
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astroquery.exceptions import EmptyResponseError, InvalidQueryError, RemoteServiceError
from mocpy import MOC

from galzoo_repr import LegacySurvey, add_cutouts, conf
from galzoo_repr.catalogue import provenance
from galzoo_repr.cutouts import BrickSurvey, Coverage, CutoutStore, HipsSurvey
from galzoo_repr.cutouts._brick_grid import brick_at
from galzoo_repr.images import read_image
from galzoo_repr.simulation import Faults, Footprint, SimulatedSurvey, SurveyService
from galzoo_repr.simulation._brick_service import brick_routes
from galzoo_repr.simulation._hips_service import hips_routes
from galzoo_repr.simulation._viewer import viewer_routes

BRICK = brick_at(150.1, 2.1)
HERE = SkyCoord(BRICK.ra + 0.002, BRICK.dec - 0.001, unit="deg")
PLANE = SkyCoord(266.0, -29.0, unit="deg")
SIZE = 40


@pytest.fixture(scope="module")
def sky():
    """One service for all tests: small bricks, drawn once."""
    survey = SimulatedSurvey()
    routes = {**viewer_routes(survey), **hips_routes(survey), **brick_routes(survey, size=160)}
    with SurveyService(routes, base="/viewer") as running:
        yield running
        running.faults = None


@pytest.fixture(scope="module")
def base(sky):
    return sky.url.removesuffix("/viewer")


@pytest.fixture(scope="module")
def seen(sky):
    """What the viewer shows at `HERE`."""
    return LegacySurvey(server=sky.url).get_images(HERE, size=SIZE)[0][0]


@pytest.fixture
def hips(base):
    return HipsSurvey(server=f"{base}/hips-image-services/hips2fits", timeout=60)


@pytest.fixture(scope="module")
def brick_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bricks")


@pytest.fixture
def bricks(base, brick_folder):
    return BrickSurvey(server=f"{base}/bricks", folder=brick_folder, timeout=120)


def _same_grid(image, other):
    keys = ("CTYPE1", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD2_2", "BANDS", "NAXIS1", "NAXIS3")
    for key in keys:
        expected = other.header[key]
        assert image.header[key] == (pytest.approx(expected) if isinstance(expected, float) else expected)


def _scatter(plane):
    """Pixel-to-pixel scatter, of the noise and not of the galaxies."""
    return np.diff(plane, axis=1).std() / np.sqrt(2)


class TestHips:
    def test_agrees_with_the_viewer(self, hips, seen):
        (image,) = hips.get_images(HERE, size=SIZE)
        _same_grid(image[0], seen)
        # The simulated service draws on the grid asked for, so nothing but rounding may differ.
        for ours, theirs in zip(image[0].data, seen.data, strict=True):
            assert np.abs(ours - theirs).max() < 0.01 * _scatter(theirs)

    def test_one_request_for_each_band(self, hips, sky):
        before = len(sky.requests)
        hips.get_images(HERE, size=8, bands="zr")
        assert [r.query["hips"][-1] for r in sky.requests[before:]] == ["z", "r"]
        assert "min_cut" not in sky.requests[-1].query

    def test_outside(self, hips):
        with pytest.raises(EmptyResponseError, match="no_coverage"):
            hips.get_images(PLANE, size=8)

    def test_band_without_data(self, hips):
        with pytest.raises(InvalidQueryError, match="band_missing: no data here in z"):
            hips.get_images(SkyCoord(160.0, 10.0, unit="deg"), size=8)

    def test_unknown_hips(self, hips):
        with pytest.raises(InvalidQueryError, match=r"HTTP 400.*Unknown HiPS"):
            hips.get_images(HERE, size=8, layer="CDS/P/nowhere")

    def test_pictures_are_refused(self, hips):
        with pytest.raises(ValueError, match="HipsSurvey knows 'fits'"):
            hips.get_images(HERE, image_format="jpeg")

    def test_trouble_of_one_band(self, hips, sky, monkeypatch):
        monkeypatch.setattr(sky, "faults", Faults(1.0, kinds=["short"], tries=99))
        with pytest.raises(RemoteServiceError, match="truncated: g: "):
            hips.get_images(HERE, size=8)

    def test_settings(self):
        survey = HipsSurvey()
        assert survey.server == conf.hips_server
        assert survey.layer == conf.hips
        assert survey.rate == 5
        with conf.set_temp("hips_server", "http://127.0.0.1:1/x"), conf.set_temp("timeout", 3.0):
            assert (survey.server, survey.timeout, survey.rate) == ("http://127.0.0.1:1/x", 3, float("inf"))

    def test_size(self):
        with pytest.raises(ValueError, match="1 to 7000 pixels"):
            HipsSurvey().get_images(HERE, size=8000)


class TestBricks:
    def test_agrees_with_the_viewer(self, bricks, seen):
        (image,) = bricks.get_images(HERE, size=SIZE)
        _same_grid(image[0], seen)
        # The noise of the brick is interpolated, that of the viewer is not; the light is the same.
        for ours, theirs in zip(image[0].data, seen.data, strict=True):
            assert (ours - theirs).std() < 0.4 * _scatter(theirs)
            assert abs(ours.mean() - theirs.mean()) < 0.02 * _scatter(theirs)
            turned = (theirs[::-1], theirs[:, ::-1], theirs.T)
            assert all((ours - other).std() > _scatter(theirs) for other in turned)

    def test_exact_on_the_grid_of_the_brick(self, bricks, brick_folder):
        (image,) = bricks.get_images(SkyCoord(BRICK.ra, BRICK.dec, unit="deg"), size=20, bands="r")
        (path,) = brick_folder.rglob(f"legacysurvey-{BRICK.name}-image-r.fits.fz")
        with fits.open(path) as hdus:
            middle = hdus[1].data[70:90, 70:90]
        assert np.allclose(image[0].data, middle, atol=1e-4)

    def test_each_file_is_fetched_once(self, base, sky, tmp_path, store, fetch_all):
        survey = BrickSurvey(server=f"{base}/bricks", folder=tmp_path, timeout=120, workers=3)
        before = len(sky.requests)
        requests = [
            survey.request(BRICK.ra + east, BRICK.dec, 8, 0.262 * u.arcsec, bands="gr")
            for east in np.linspace(-0.003, 0.003, 12)
        ]
        assert {outcome.status for outcome in fetch_all(store, survey, requests)} == {"ok"}
        assert len(sky.requests) - before == 2
        assert not list(tmp_path.rglob("*.part"))

    def test_local_folder_needs_no_service(self, bricks, brick_folder, sky, seen):
        bricks.get_images(HERE, size=SIZE)
        before = len(sky.requests)
        local = BrickSurvey(server=brick_folder)
        (image,) = local.get_images(HERE, size=SIZE)
        assert len(sky.requests) == before
        assert image[0].data.shape == seen.data.shape

    def test_coarse_pixels_keep_the_light(self, bricks, base):
        viewer = LegacySurvey(server=f"{base}/viewer")
        options = {"size": 10, "pixel_scale": 4 * 0.262 * u.arcsec, "bands": "r"}
        ours, theirs = (s.get_images(HERE, **options)[0][0].data for s in (bricks, viewer))
        assert ours.mean() == pytest.approx(theirs.mean(), abs=0.3 * theirs.std())

    def test_edge_comes_from_the_neighbour(self, tmp_path):
        """Two local bricks of constant light: a stamp across their border has both."""
        left, right = brick_at(150.24, 2.1), brick_at(150.26, 2.1)
        for brick, level in ((left, 1.0), (right, 2.0)):
            _write_brick(tmp_path, brick, level, 3600)
        border = SkyCoord((left.ra + right.ra) / 2, 2.1, unit="deg")
        survey = BrickSurvey(server=tmp_path)
        (image,) = survey.get_images(border, size=200, pixel_scale=0.524 * u.arcsec, bands="r")
        assert image[0].data.min() == pytest.approx(1.0, abs=0.02)
        assert image[0].data.max() == pytest.approx(2.0, abs=0.02)

    def test_no_such_brick(self, bricks, sky):
        with pytest.raises(EmptyResponseError, match="no_coverage"):
            bricks.get_images(PLANE, size=8)
        before = len(sky.requests)
        with pytest.raises(EmptyResponseError):
            bricks.get_images(PLANE, size=8)
        assert len(sky.requests) == before

    def test_broken_file_is_fetched_again(self, base, sky, tmp_path, monkeypatch):
        survey = BrickSurvey(server=f"{base}/bricks", folder=tmp_path, timeout=120)
        monkeypatch.setattr(sky, "faults", Faults(1.0, kinds=["short_unannounced"], tries=1))
        (image,) = survey.get_images(HERE, size=8, bands="r")
        assert image[0].data.shape == (8, 8)
        (path,) = tmp_path.rglob("*.fz")
        path.write_bytes(path.read_bytes()[:5000])
        (again,) = survey.get_images(HERE, size=8, bands="r")
        assert np.array_equal(again[0].data, image[0].data)

    def test_broken_local_file(self, brick_folder, bricks, tmp_path):
        bricks.get_images(HERE, size=8)
        shutil.copytree(brick_folder, tmp_path / "copy")
        for path in (tmp_path / "copy").rglob("*.fz"):
            path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(RemoteServiceError, match=r"corrupt: g: .* cannot be read"):
            BrickSurvey(server=tmp_path / "copy").get_images(HERE, size=8)

    def test_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(RemoteServiceError, match="server_error: there is no folder"):
            BrickSurvey(server=tmp_path / "nowhere").get_images(HERE, size=8)

    def test_folder_may_be_filled_further(self, bricks, brick_folder, tmp_path, store, fetch_all):
        bricks.get_images(HERE, size=8)
        survey = BrickSurvey(server=tmp_path)
        asked = [survey.request(HERE.ra.deg, HERE.dec.deg, 8, 0.262 * u.arcsec)]
        assert fetch_all(store, survey, asked)[0].status == "no_coverage"
        shutil.copytree(brick_folder, tmp_path, dirs_exist_ok=True)
        assert fetch_all(store, survey, asked)[0].status == "ok"

    def test_address_that_is_none(self):
        with pytest.raises(ValueError, match="http:// or https://"):
            BrickSurvey(server="ftp://somewhere/bricks")

    def test_layers(self):
        north = SkyCoord(200.0, 50.0, unit="deg")
        urls = {
            layer: BrickSurvey(server="/x", layer=layer).get_images(where, bands="r", get_query_payload=True)[
                0
            ]
            for layer, where in (("ls-dr10", north), ("ls-dr9", HERE), ("ls-dr10-south", north))
        }
        assert urls["ls-dr10"].startswith("/x/dr9/north/coadd/")
        assert urls["ls-dr9"].startswith("/x/dr9/south/coadd/")
        assert urls["ls-dr10-south"].startswith("/x/dr10/south/coadd/")
        with pytest.raises(ValueError, match="has no bricks"):
            BrickSurvey(layer="sdss").get_images(HERE)

    def test_requests_are_asked_brick_by_brick(self):
        survey = BrickSurvey(server="/x")
        rows = [survey.request(ra, 2.0, 8, 0.262 * u.arcsec) for ra in (150.1, 160.1, 150.12, 160.12)]
        assert [round(request.ra) for request in survey.arrange(rows)] == [150, 150, 160, 160]

    @pytest.mark.parametrize(
        ("ra", "dec", "name"),
        [
            (190.1086, 1.2005, "1901p012"),
            (0.0, 0.0, "0001p000"),
            (0.1, -0.2, "0001m002"),
            (10.0, 90.0, "1800p900"),
        ],
    )
    def test_names(self, ra, dec, name):
        assert brick_at(ra, dec).name == name


class TestCoverage:
    @pytest.fixture
    def cone(self):
        return MOC.from_cone(lon=150 * u.deg, lat=2 * u.deg, radius=1 * u.deg, max_depth=10)

    def test_from_the_server_and_then_from_the_cache(self, base, sky):
        options = {"bands": "gi", "server": f"{base}/MocServer/query"}
        coverage = Coverage.from_server(**options)
        before = len(sky.requests)
        again = Coverage.from_server(**options)
        assert len(sky.requests) == before
        ra, dec = np.array([150.0, 266.0, 150.0]), np.array([2.0, -29.0, 50.0])
        expected = Footprint().covers(ra, dec, "gi")
        assert np.array_equal(coverage.contains(ra, dec, "gi"), expected)
        assert np.array_equal(again.contains(ra, dec, "gi"), expected)
        assert "deg2" in repr(coverage)

    def test_unknown_hips(self, base):
        with pytest.raises(ValueError, match="no coverage of 'nowhere/g'"):
            Coverage.from_server(hips="nowhere", server=f"{base}/MocServer/query")

    def test_service_that_is_not_there(self):
        with pytest.raises(RemoteServiceError, match="does not answer"):
            Coverage.from_server("g", server="http://127.0.0.1:9/MocServer/query")

    @pytest.mark.parametrize("maps", [5, {"g": 5}])
    def test_no_maps(self, maps):
        with pytest.raises(TypeError, match=r"one mocpy\.MOC for each band"):
            Coverage(maps)

    def test_no_bands(self):
        with pytest.raises(ValueError, match="one letter per band"):
            Coverage.from_server("")

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no coverage map"):
            Coverage.from_files({"g": tmp_path / "none.fits"})

    def test_from_files(self, cone, tmp_path):
        cone.save(tmp_path / "moc.fits", format="fits")
        coverage = Coverage.from_files({"gr": tmp_path / "moc.fits"})
        assert coverage.contains([150.0, 160.0], [2.0, 2.0], "grz").tolist() == [
            [True, False], [True, False], [True, True],
        ]  # fmt: skip

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_saves_requests_but_is_not_the_last_word(self, cone, survey, service, store):
        table = Table({"ra": [150.0, 160.0], "dec": [2.0, 2.0]})
        options = {"survey": survey, "store": store, "fov": 5 * u.arcsec, "progress": False}
        survey.coverage = Coverage(dict.fromkeys("grz", cone))
        assert list(add_cutouts(table, **options)["cutout_status"]) == ["ok", "no_coverage"]
        assert len(service.requests) == 1
        survey.coverage = None
        assert list(add_cutouts(table, **options)["cutout_status"]) == ["ok", "ok"]

    def test_fields_that_reach_into_the_survey_are_asked_for(self, cone, survey):
        coverage = Coverage({"r": cone})
        beyond = survey.request(151.1, 2.0, 3000, 0.262 * u.arcsec, bands="r")
        assert coverage.outside([beyond]) == []
        assert len(coverage.outside([replace(beyond, size=50)])) == 1
        assert coverage.outside([]) == []

    def test_bands_with_different_maps(self, cone, survey):
        """A row is ruled out only where none of its bands has an image."""
        west = MOC.from_cone(lon=150 * u.deg, lat=-8 * u.deg, radius=1 * u.deg, max_depth=10)
        coverage = Coverage({"g": cone, "r": west})
        rows = [survey.request(150.0, dec, 50, 0.262 * u.arcsec, bands="gr") for dec in (2.0, -8.0, -30.0)]
        assert [request.dec for request, _ in coverage.outside(rows)] == [-30.0]


@pytest.mark.parametrize("unit", ["nJy", "nanomaggy"])
def test_bricks_say_their_unit(tmp_path, unit):
    """What a brick says of its flux comes with the stamp, so that it is not taken for nanomaggies."""
    brick = brick_at(150.24, 2.1)
    _write_brick(tmp_path, brick, 3631 + np.arange(600) / 600, 600, BUNIT=unit)
    survey = BrickSurvey(server=tmp_path)
    (image,) = survey.get_images(SkyCoord(brick.ra, brick.dec, unit="deg"), size=20, bands="r")
    assert image[0].header.get("BUNIT", "nanomaggy") == unit
    content = survey.attempt(survey.request(brick.ra, brick.dec, 20, 0.262 * u.arcsec, bands="r")).body
    assert read_image(content, "r", flux=survey.flux_scale.factors("r")).status == (
        "corrupt" if unit == "nJy" else "ok"
    )
    survey.zero_point = 1 * u.nJy
    pixels = read_image(content, "r", flux=survey.flux_scale.factors("r")).pixels
    assert unit == "nanomaggy" or pixels == pytest.approx(1.0, abs=1e-3)


def test_routes_do_not_answer_for_each_other(hips, sky, bricks, tmp_path):
    viewer = LegacySurvey(server=sky.url)
    table = Table({"ra": [HERE.ra.deg], "dec": [HERE.dec.deg]})
    with CutoutStore(tmp_path) as store:
        results = [
            add_cutouts(table, survey=s, store=store, fov=3 * u.arcsec, progress=False)
            for s in (viewer, hips, bricks)
        ]
        assert len(list(store.manifest.rows())) == 3
    assert [provenance(r, "add_cutouts")["route"] for r in results] == ["viewer", "hips", "bricks"]
    assert len({r["cutout"][0] for r in results}) == 3


def _write_brick(folder, brick, level, size, **cards):
    from galzoo_repr.cutouts._brick_survey import _path
    from galzoo_repr.simulation._sky_image import tangent_wcs

    path = folder / _path("ls-dr10", brick, "r")
    path.parent.mkdir(parents=True)
    header = tangent_wcs(brick.ra, brick.dec, width=size, height=size, pixel_scale=0.262).to_header()
    header.update(cards)
    pixels = np.full((size, size), level, np.float32)
    hdu = fits.CompImageHDU(pixels, header, tile_shape=(100, 100))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
