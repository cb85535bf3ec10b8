"""Surveys asked in turn: which is used, what is recorded, and what the next call does."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import LegacySurvey, add_cutouts
from galzoo_repr.catalogue import provenance
from galzoo_repr.cutouts import BrickSurvey, HipsSurvey
from galzoo_repr.simulation import Footprint, SimulatedSurvey, SurveyService
from galzoo_repr.simulation._hips_service import hips_routes
from galzoo_repr.simulation._reply import html_reply
from galzoo_repr.simulation._viewer import viewer_routes

FIELD = {"fov": 4 * u.arcsec, "progress": False}
HERE = Table({"ra": [150.0, 150.002, 150.004], "dec": [2.0, 2.002, 2.004]})


@pytest.fixture
def sky():
    """Viewer, and a HiPS of the whole sky; tests set `broken` to the path of what is down."""
    survey = SimulatedSurvey()
    whole = SimulatedSurvey(footprint=Footprint.everywhere())
    with SurveyService({**viewer_routes(survey), **hips_routes(whole)}, base="/viewer") as service:
        service.broken = ()
        service.faults = lambda request: (
            html_reply(503, "down") if request.path.startswith(tuple(service.broken)) else None
        )
        yield service


@pytest.fixture
def viewer(sky):
    return LegacySurvey(server=sky.url, timeout=30)


@pytest.fixture
def hips(sky):
    return HipsSurvey(server=sky.url.replace("/viewer", "/hips-image-services/hips2fits"), timeout=30)


def asked(sky, word):
    return sum(word in request.path for request in sky.requests)


def test_nothing_is_asked_of_the_second_where_the_first_answers(sky, viewer, hips, store):
    found = add_cutouts(HERE, survey=viewer, fallback=[hips], store=store, **FIELD)
    assert list(found["cutout_status"]) == ["ok"] * 3
    assert list(found["cutout_survey"]) == ["ls-dr10 by viewer"] * 3
    assert asked(sky, "hips2fits") == 0
    assert "cutout_survey" not in add_cutouts(HERE, survey=viewer, store=store, **FIELD).colnames


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_outside_the_first(sky, viewer, hips, store):
    rows = Table({"ra": [150.0, 266.0, np.nan], "dec": [2.0, -29.0, 0.0]})
    found = add_cutouts(rows, survey=viewer, fallback=[hips], store=store, **FIELD)
    assert list(found["cutout_status"]) == ["ok", "ok", "bad_position"]
    assert list(found["cutout_survey"]) == ["ls-dr10 by viewer", "CDS/P/DESI-Legacy-Surveys/DR10 by hips", ""]
    facts = provenance(found, "add_cutouts")
    assert facts["route"] == ["viewer", "hips"]
    assert facts["surveys"] == {"ls-dr10 by viewer": 1, "CDS/P/DESI-Legacy-Surveys/DR10 by hips": 1}


def test_first_is_down(sky, viewer, hips, store):
    sky.broken = ["/viewer"]
    found = add_cutouts(HERE, survey=viewer, fallback=hips, store=store, **FIELD)
    assert list(found["cutout_status"]) == ["ok"] * 3
    assert set(found["cutout_survey"]) == {"CDS/P/DESI-Legacy-Surveys/DR10 by hips"}
    assert provenance(found, "add_cutouts")["route"] == "hips"
    # While it is down nothing that has come is asked for again; when it is back it has the first word.
    before = asked(sky, "hips2fits")
    again = add_cutouts(HERE, survey=viewer, fallback=hips, store=store, **FIELD)
    assert list(again["cutout"]) == list(found["cutout"])
    assert asked(sky, "hips2fits") == before
    sky.broken = []
    back = add_cutouts(HERE, survey=viewer, fallback=hips, store=store, **FIELD)
    assert set(back["cutout_survey"]) == {"ls-dr10 by viewer"}


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_no_survey_has_it(sky, viewer, hips, store):
    """Trouble that may pass is told, so that the next call asks again."""
    sky.broken = ["/hips"]
    rows = Table({"ra": [266.0], "dec": [-29.0]})
    found = add_cutouts(rows, survey=viewer, fallback=[hips], store=store, **FIELD)
    assert found["cutout_status"][0] == "server_error"
    assert (found["cutout"][0], found["cutout_survey"][0]) == ("", "")
    sky.broken = []
    assert add_cutouts(rows, survey=viewer, fallback=[hips], store=store, **FIELD)["cutout_status"][0] == "ok"


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_final_everywhere(sky, viewer, store):
    other = LegacySurvey(server=sky.url, layer="ls-dr9", timeout=30)
    rows = Table({"ra": [266.0], "dec": [-29.0]})
    found = add_cutouts(rows, survey=viewer, fallback=[other], store=store, **FIELD)
    assert found["cutout_status"][0] == "no_coverage"


def test_in_their_order(sky, viewer, hips, store, tmp_path):
    empty = BrickSurvey(server=tmp_path)
    found = add_cutouts(HERE[:1], survey=empty, fallback=[viewer, hips], store=store, **FIELD)
    assert found["cutout_survey"][0] == "ls-dr10 by viewer"
    found = add_cutouts(HERE[:1], survey=empty, fallback=[hips, viewer], store=store, **FIELD)
    assert found["cutout_survey"][0].endswith("by hips")


def test_each_with_its_own_scale(sky, viewer, store):
    sky.broken = ()
    outside = LegacySurvey(server=sky.url, layer="hsc-dr3", timeout=30)
    down = LegacySurvey(server="http://127.0.0.1:9/viewer", timeout=5)
    found = add_cutouts(HERE[:1], survey=down, fallback=[outside], store=store, **FIELD)
    assert found["cutout_flux_scale"][0] == pytest.approx(10**-1.8 * (0.262 / 0.168) ** 2)


def test_servers_that_mirror_each_other_are_told_apart(sky, viewer, store):
    down = LegacySurvey(server="http://127.0.0.1:9/viewer", timeout=5)
    found = add_cutouts(HERE[:1], survey=down, fallback=[viewer], store=store, **FIELD)
    assert found["cutout_survey"][0] == f"ls-dr10 by viewer at {sky.url}"


@pytest.mark.parametrize("fallback", ["hips", HipsSurvey, [HipsSurvey], [None], 5])
def test_no_services(fallback, viewer):
    with pytest.raises(TypeError, match="fallback="):
        add_cutouts(HERE, survey=viewer, fallback=fallback, **FIELD)


def test_twice_the_same(viewer):
    with pytest.raises(ValueError, match="a survey twice"):
        add_cutouts(HERE, survey=viewer, fallback=[viewer], **FIELD)


def test_pictures_and_fluxes(viewer, hips):
    viewer.image_format = "jpeg"
    with pytest.raises(ValueError, match="image_format fits and jpeg"):
        add_cutouts(HERE, survey=viewer, fallback=[hips], **FIELD)


def test_all_are_checked_before_anything_is_asked(sky, viewer, store):
    with pytest.raises(ValueError, match="flux scale of layer 'nowhere' of HipsSurvey is not known"):
        add_cutouts(HERE, survey=viewer, fallback=[HipsSurvey(layer="nowhere")], store=store, **FIELD)
    with pytest.raises(ValueError, match="BrickSurvey makes images of up to 1 deg"):
        add_cutouts(HERE, survey=viewer, fallback=[BrickSurvey()], store=store, fov=2 * u.deg, progress=False)
    assert not sky.requests


def test_columns_are_not_overwritten(viewer, hips):
    table = HERE.copy()
    table["cutout_survey"] = "mine"
    with pytest.raises(ValueError, match="cutout_survey"):
        add_cutouts(table, survey=viewer, fallback=[hips], **FIELD)
