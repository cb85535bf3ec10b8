"""Surveys with another flux scale: the same sky gives the same embedding, whatever one count is."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr import Encoder, ImageRecipe, LegacySurvey, add_cutouts, add_embeddings, find_similar
from galzoo_repr.catalogue import provenance, read_catalogue, write_catalogue
from galzoo_repr.cutouts import CutoutStore, HipsSurvey
from galzoo_repr.images import pictures, read_pictures
from galzoo_repr.simulation import Footprint, SimulatedSurvey, _viewer_request

FIELD = 20 * u.arcsec


@pytest.fixture(scope="module")
def sky():
    return SimulatedSurvey(footprint=Footprint.everywhere())


@pytest.fixture(scope="module")
def galaxies(sky):
    return sky.catalogue(3)["name", "ra", "dec"]


@pytest.fixture(scope="module")
def services(sky):
    """Address of a viewer for each zero point, made when asked for."""
    running = {}

    def at(zero_point):
        if zero_point not in running:
            running[zero_point] = sky.serve(zero_point=zero_point).start()
        return running[zero_point].url

    yield at
    for service in running.values():
        service.stop()


def hips_of(url):
    return url.replace("/viewer", "/hips-image-services/hips2fits")


@pytest.fixture
def embed(encoder, tmp_path):
    def call(table, **options):
        options = {"store": tmp_path / "cutouts", "embedding_store": tmp_path / "embeddings"} | options
        return add_embeddings(table, encoder=encoder, fov=FIELD, progress=False, **options)

    return call


@pytest.fixture
def truth(embed, galaxies, services):
    return embed(galaxies, survey=LegacySurvey(server=services(22.5), layer="ls-dr9"))


def same(table, other):
    assert set(table["cutout_status"]) == {"ok"}
    assert np.abs(table["embedding"] - other["embedding"]).max() < 2e-4 * np.abs(other["embedding"]).max()
    return True


@pytest.mark.parametrize("zero_point", [20.0, 25.0, 27.0, 31.4])
@pytest.mark.parametrize("route", ["viewer", "hips"])
def test_same_sky_same_embedding(embed, galaxies, services, truth, route, zero_point):
    url = services(zero_point)
    of_route = {
        "viewer": lambda **scale: LegacySurvey(server=url, layer="ls-dr9", **scale),
        "hips": lambda **scale: HipsSurvey(server=hips_of(url), **scale),
    }[route]
    found = embed(galaxies, survey=of_route(zero_point=zero_point))
    assert same(found, truth)
    assert provenance(found, "add_embeddings")["zero_point"] == zero_point
    # Without it the numbers are another galaxy.
    taken_for_nanomaggies = embed(galaxies, survey=of_route())
    assert np.abs(taken_for_nanomaggies["embedding"] - truth["embedding"]).max() > 0.02


@pytest.mark.parametrize("layer", ["hsc-dr3", "des-dr1"])
def test_documented_layers_of_the_viewer(embed, galaxies, services, truth, layer):
    found = embed(galaxies, survey=LegacySurvey(server=services(22.5), layer=layer))
    assert same(found, truth)
    assert not np.allclose(found["cutout_flux_scale"], 1)


def test_documented_hips(embed, galaxies, services, truth):
    found = embed(galaxies, survey=HipsSurvey(server=hips_of(services(22.5)), layer="CDS/P/SDSS9"))
    assert same(found, truth)
    assert found["cutout_flux_scale"].shape == (3, 3)


def test_unknown_layer_with_all_given(embed, galaxies, services, truth, monkeypatch):
    layer = _viewer_request.Layer("X", "grz", "grz", zero_point=26.0, native_scale=0.5)
    monkeypatch.setitem(_viewer_request.LAYERS, "mine", layer)
    survey = LegacySurvey(server=services(22.5), layer="mine")
    with pytest.raises(ValueError, match="flux scale of layer 'mine' of LegacySurvey is not known"):
        embed(galaxies, survey=survey)
    survey.zero_point, survey.native_scale = 26 * u.mag, 0.5 * u.arcsec
    assert same(embed(galaxies, survey=survey), truth)


def test_another_zero_point_is_never_a_cached_embedding(embed, galaxies, services, encoder):
    """One body in the store, read with three scales, there and back."""
    found = {}
    for zero_point in (22.5, 25.0, 27.5, 25.0, 22.5):
        survey = LegacySurvey(server=services(22.5), layer="ls-dr9", zero_point=zero_point)
        kept = embed(galaxies, survey=survey)
        fresh = embed(galaxies, survey=survey, embedding_store=False)
        assert np.allclose(kept["embedding"], fresh["embedding"], rtol=1e-4, atol=1e-5)
        found[zero_point] = kept
    assert len({table["cutout"][0] for table in found.values()}) == 1
    first = [table["embedding"][0] for table in found.values()]
    assert min(np.abs(a - b).max() for i, a in enumerate(first) for b in first[:i]) > 1e-3


@pytest.mark.parametrize("name", ["a.fits", "a.ecsv", "a.vot", "a.parquet"])
def test_cutouts_fetched_before(embed, galaxies, services, truth, tmp_path, name):
    """The scale goes with the rows, through files, selections and other surveys named later."""
    store = CutoutStore(tmp_path / "cutouts")
    survey = LegacySurvey(server=services(25.0), layer="ls-dr9", zero_point=25)
    write_catalogue(
        add_cutouts(galaxies, survey=survey, store=store, fov=FIELD, progress=False), tmp_path / name
    )
    table = read_catalogue(tmp_path / name)
    assert same(embed(table, store=store, mixed_routes=True), truth)
    assert same(embed(table[[2, 0]], store=store, mixed_routes=True), truth[[2, 0]])
    bare = Table(table, copy=True)
    del bare["cutout_status"]
    assert same(embed(bare, images="cutout", overwrite=True), truth)


def test_layer_tells_where_the_column_was_lost(embed, galaxies, services, truth, tmp_path):
    store = CutoutStore(tmp_path / "cutouts")
    survey = LegacySurvey(server=services(22.5), layer="hsc-dr3")
    table = add_cutouts(galaxies, survey=survey, store=store, fov=FIELD, progress=False)
    table["cutout_flux_scale"][1] = np.nan
    assert same(embed(table, store=store), truth)
    del table["cutout_flux_scale"]
    assert same(embed(table, store=store), truth)


def test_cutouts_of_an_unknown_layer(embed, galaxies, services, tmp_path, monkeypatch):
    monkeypatch.setitem(_viewer_request.LAYERS, "mine", _viewer_request.Layer("X", "grz", "grz"))
    survey = LegacySurvey(server=services(22.5), layer="mine")
    options = {"store": CutoutStore(tmp_path / "cutouts")}
    anything = ImageRecipe(stretch="none", max_pixels=512)
    table = add_cutouts(galaxies, survey=survey, recipe=anything, fov=FIELD, progress=False, **options)
    assert "cutout_flux_scale" not in table.colnames
    with pytest.raises(ValueError, match="flux scale of the cutouts of mine by viewer is not known"):
        embed(table, **options)
    survey.zero_point = 22.5
    assert set(embed(table, survey=survey, **options)["cutout_status"]) == {"ok"}


def test_pictures_look_alike(galaxies, services, tmp_path):
    seen = []
    for layer in ("ls-dr9", "hsc-dr3"):
        survey = LegacySurvey(server=services(22.5), layer=layer)
        table = add_cutouts(galaxies, survey=survey, store=tmp_path, fov=FIELD, progress=False)
        seen.append(pictures(table, [0, 2]))
    for one, other in zip(*seen, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert len(read_pictures(table["cutout"])) == 3


def test_query_is_fetched_as_the_catalogue_was(embed, encoder, galaxies, services, tmp_path):
    for survey in (
        LegacySurvey(server=services(25.0), layer="ls-dr9", zero_point=25),
        HipsSurvey(server=hips_of(services(25.0)), zero_point=25),
    ):
        table = embed(galaxies, survey=survey)
        here = table[:1]
        query = u.Quantity([here["ra"][0], here["dec"][0] + 0.02 / 3600], u.deg)
        answer = find_similar(
            table,
            SkyCoord(*query),
            n=1,
            max_separation=0.01 * u.arcsec,
            encoder=encoder,
            store=tmp_path / "cutouts",
        )
        assert answer["similarity"][0] > 0.99
        assert answer["name"][0] == here["name"][0]


class TestFallback:
    def test_recorded_per_row(self, embed, galaxies, services, truth):
        down = LegacySurvey(server="http://127.0.0.1:9/viewer", layer="ls-dr9", timeout=5)
        other = LegacySurvey(server=services(25.0), layer="hsc-dr3", zero_point=29.5)
        found = embed(galaxies, survey=down, fallback=[other])
        assert same(found, truth)
        assert set(found["cutout_survey"]) == {"hsc-dr3 by viewer"}
        assert "hsc-dr3" in provenance(found, "add_embeddings")["layer"]

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_rows_that_had_no_image(self, sky, embed, galaxies, services, tmp_path):
        """Rows that failed for good are tried elsewhere, the others are left as they are."""
        options = {"store": CutoutStore(tmp_path / "cutouts")}
        rows = Table({"ra": [galaxies["ra"][0], 266.0], "dec": [galaxies["dec"][0], -29.0]})
        with SimulatedSurvey().serve() as service:
            viewer = LegacySurvey(server=service.url, layer="ls-dr9")
            first = embed(rows, survey=viewer, **options)
            assert list(first["cutout_status"]) == ["ok", "no_coverage"]
            before = len(service.requests)
            hips = HipsSurvey(server=hips_of(services(22.5)))
            found = embed(first, survey=viewer, fallback=[hips], name="again", **options)
            assert len(service.requests) == before
        assert list(found["cutout_status"]) == ["ok", "ok"]
        assert found["cutout_survey"][1].endswith("by hips")
        assert np.array_equal(found["again"][0], first["embedding"][0])
        facts = provenance(found, "add_embeddings")
        assert sorted(facts["route"]) == ["hips", "viewer"]

    def test_mixtures_stay_refused_without(self, embed, galaxies, services, tmp_path):
        options = {"store": CutoutStore(tmp_path / "cutouts")}
        viewer = LegacySurvey(server=services(22.5), layer="ls-dr9")
        table = add_cutouts(galaxies, survey=viewer, fov=FIELD, progress=False, **options)
        table["cutout_status"] = ["ok", "timeout", "ok"]
        hips = HipsSurvey(server=hips_of(services(22.5)))
        with pytest.raises(ValueError, match="whose pixels differ"):
            embed(table, survey=hips, **options)


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_stretch_that_needs_none(make_network, galaxies, services, tmp_path):
    """Fluxes as they are, of a layer of which nothing is known."""
    recipe = ImageRecipe(size=64, stretch="none")
    raw = Encoder(make_network(), recipe, name="raw")
    survey = LegacySurvey(server=services(22.5), layer="galex")
    found = add_embeddings(
        galaxies, encoder=raw, survey=survey, fov=FIELD, store=tmp_path, embedding_store=False, progress=False
    )
    assert provenance(found, "add_embeddings")["zero_point"] is None
