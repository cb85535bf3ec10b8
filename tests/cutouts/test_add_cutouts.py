"""A catalogue with its cutouts: every form of catalogue, every way a row can end."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astroquery.exceptions import LargeQueryWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galzoo_repr import GalzooWarning, LegacySurvey, add_cutouts, conf
from galzoo_repr.catalogue import provenance
from galzoo_repr.cutouts import STATUSES, CutoutRequest, CutoutStore, CutoutStoreError
from galzoo_repr.images import ImageRecipe
from galzoo_repr.simulation._service import html_reply

FOV = 8 * u.arcsec


@pytest.fixture
def add(survey, store):
    """`add_cutouts` from the test service into the test store."""

    def call(table, **options):
        return add_cutouts(
            table, **{"survey": survey, "store": store, "fov": FOV, "progress": False, **options}
        )

    return call


def _table(kind=Table):
    degrees = u.deg if kind is QTable else 1
    return kind(
        {"name": ["a", "b", "c"], "ra": [10.0, 20.0, 30.0] * degrees, "dec": [1.0, 70.0, -3.0] * degrees}
    )


class TestForms:
    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    @pytest.mark.parametrize("kind", [Table, QTable])
    def test_tables(self, add, kind):
        table = _table(kind)
        result = add(table)
        assert type(result) is kind
        assert table.colnames == ["name", "ra", "dec"]
        assert table.meta == {}
        assert result.colnames == ["name", "ra", "dec", "cutout", "cutout_status"]
        assert list(result["cutout_status"]) == ["ok", "no_coverage", "ok"]
        assert [bool(path) for path in result["cutout"]] == [True, False, True]
        with fits.open(result["cutout"][2]) as image:
            assert image[0].header["CRVAL1"] == 30
        assert not np.shares_memory(np.asarray(result["ra"]), np.asarray(table["ra"]))
        assert result["cutout"].description

    def test_skycoord(self, add):
        result = add(SkyCoord([10, 20], [1, 2], unit="deg"))
        assert isinstance(result, QTable)
        assert list(result["cutout_status"]) == ["ok", "ok"]

    def test_one_scalar_position(self, add):
        assert list(add(SkyCoord(10, 1, unit="deg"))["cutout_status"]) == ["ok"]

    def test_empty(self, add, service):
        result = add(_table()[:0])
        assert len(result) == 0
        assert result["cutout"].dtype.kind == result["cutout_status"].dtype.kind == "U"
        assert not service.requests

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_rows_without_position_do_not_stop_the_others(self, add, service):
        table = Table(
            {"ra": MaskedColumn([10.0, 20.0, 30.0, np.nan], mask=[0, 1, 0, 0]), "dec": [1.0, 2, 99, 3]}
        )
        result = add(table)
        assert list(result["cutout_status"]) == ["ok", "bad_position", "bad_position", "bad_position"]
        assert list(provenance(result, "add_cutouts")["bad_positions"]) == ["1", "2", "3"]
        assert len(service.requests) == 1

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_fields_from_radii_and_rows_without(self, add):
        table = Table({"ra": [10.0, 20.0], "dec": [1.0, 2.0], "petro_th50": [2.0, np.nan] * u.arcsec})
        result = add(table, fov=None)
        assert list(result["cutout_status"]) == ["ok", "bad_position"]

    def test_without_radii_the_field_must_be_given(self, add):
        with pytest.raises(ValueError, match=r"fov=.30 arcsec"):
            add(_table(), fov=None)

    def test_field_needs_a_unit(self, add):
        with pytest.raises(TypeError, match="arcsec"):
            add(_table(), fov=30)

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_field_wider_than_any_image(self, add, service):
        with pytest.raises(ValueError, match=r"fov=50.0 deg is not allowed: LegacySurvey .* up to 10 deg"):
            add(_table(), fov=50 * u.deg)
        assert not service.requests
        result = add(_table(), fov=[8, 8, 180_000] * u.arcsec)
        assert list(result["cutout_status"]) == ["ok", "no_coverage", "bad_position"]
        assert "up to 10 deg" in provenance(result, "add_cutouts")["bad_positions"]["2"]

    @pytest.mark.parametrize(
        ("workers", "error"), [(-1, ValueError), (0, ValueError), (1000, ValueError), (1.5, TypeError)]
    )
    def test_number_of_workers(self, add, service, workers, error):
        with pytest.raises(error, match=rf"workers={workers} .*a whole number from 1 to 64"):
            add(_table(), workers=workers)
        assert not service.requests

    def test_no_store(self, add):
        with pytest.raises(TypeError, match="is a folder, not 5"):
            add(_table(), store=5)

    def test_no_positions(self, add):
        with pytest.raises(ValueError, match="coords="):
            add(Table({"flux": [1.0]}))

    @pytest.mark.parametrize("survey", ["https://www.legacysurvey.org/viewer", LegacySurvey])
    def test_no_service(self, add, survey):
        with pytest.raises(TypeError, match="give a LegacySurvey"):
            add(_table(), survey=survey)

    @pytest.mark.parametrize("recipe", ["galaxy_zoo_decals", ImageRecipe])
    def test_no_recipe(self, add, recipe):
        with pytest.raises(TypeError, match="give an ImageRecipe"):
            add(_table(), recipe=recipe)

    @pytest.mark.parametrize("name", ["", None, 3])
    def test_no_name(self, add, name):
        with pytest.raises(TypeError, match="no name of a column"):
            add(_table(), name=name)

    def test_no_catalogue(self, add):
        with pytest.raises(TypeError, match="Table"):
            add([[1, 2]])


class TestColumns:
    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_existing_columns_are_safe(self, add, service):
        table = add(_table())
        asked = len(service.requests)
        with pytest.raises(ValueError, match=r"already has 'cutout', 'cutout_status'; pass overwrite=True"):
            add(table)
        assert add(table, overwrite=True).colnames == table.colnames
        assert add(table, name="stamp").colnames[-2:] == ["stamp", "stamp_status"]
        assert len(service.requests) == asked

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_provenance(self, add, survey):
        result = add(_table())
        facts = provenance(result, "add_cutouts")
        assert facts["route"] == "viewer"
        assert facts["layer"] == result.meta["GZRLAYER"] == "ls-dr10"
        assert facts["survey"] == survey.server
        assert facts["summary"] == {"no_coverage": 1, "ok": 2}
        assert facts["fov"] == "8.0 arcsec"
        assert (facts["name"], facts["image_format"]) == ("cutout", "fits")
        assert ImageRecipe.from_dict(facts["recipe"]) == ImageRecipe()

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_provenance_of_chosen_positions_and_fields(self, add):
        table = _table()
        table.rename_columns(("ra", "dec"), ("x", "y"))
        facts = provenance(add(table, coords=("x", "y"), fov=[8, 8, 8] * u.arcsec), "add_cutouts")
        assert facts["coords"] == ["x", "y"]
        assert facts["fov_per_row"] is True
        here = SkyCoord(table["x"], table["y"], unit="deg")
        told = provenance(add(table, coords=here), "add_cutouts")["coords"]
        assert told.startswith(f"SkyCoord (icrs) beside the table, first {table['x'][0]:.6f} ")

    def test_recipe_decides_bands_and_grid(self, add, service):
        recipe = ImageRecipe(bands="griz", stretch="viewer_griz", max_pixels=20)
        add(_table()[:1], recipe=recipe)
        assert service.requests[0].query["bands"] == "griz"
        assert service.requests[0].query["size"] == "20"
        assert float(service.requests[0].query["pixscale"]) == pytest.approx(0.4)

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_default_store_is_the_cache(self, survey):
        result = add_cutouts(_table(), survey=survey, fov=FOV, progress=False)
        assert result["cutout"][0].startswith(conf.cache_dir)

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_store_by_folder(self, survey, tmp_path):
        result = add_cutouts(_table(), survey=survey, fov=FOV, store=tmp_path / "here", progress=False)
        assert result["cutout"][0].startswith(str(tmp_path / "here"))


class TestFetchedOnce:
    def test_same_position_twice_in_a_table(self, add, service):
        result = add(SkyCoord([10, 10, 10.00000001], [1, 1, 1], unit="deg"))
        assert len(service.requests) == 1
        assert len(set(result["cutout"])) == 1

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_called_again(self, add, service):
        add(_table())
        asked = len(service.requests)
        assert list(add(_table())["cutout_status"]) == ["ok", "no_coverage", "ok"]
        assert len(service.requests) == asked

    def test_two_recipes_that_want_the_same_pixels(self, add, service):
        add(_table()[:1], recipe=ImageRecipe(size=64))
        add(_table()[:1], recipe=ImageRecipe(size=224, crop=0.5))
        assert len(service.requests) == 1

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_failures_that_may_pass_are_asked_again(self, add, viewer):
        viewer.overrides["any"] = html_reply(503, "Busy")
        assert add(_table())["cutout_status"][0] == "server_error"
        viewer.overrides.clear()
        assert add(_table())["cutout_status"][0] == "ok"

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(ra=st.lists(st.sampled_from([1.0, 2.0, 3.0]), max_size=8))
    def test_every_row_gets_its_own_answer(self, add, ra):
        result = add(Table({"ra": np.array(ra, float), "dec": np.zeros(len(ra))}))
        for row in result:
            with fits.open(row["cutout"]) as image:
                assert image[0].header["CRVAL1"] == row["ra"]


class TestServiceTrouble:
    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_no_service(self, store):
        survey = LegacySurvey(server="http://127.0.0.1:9/viewer", timeout=2)
        started = time.monotonic()
        table = Table({"ra": np.arange(500.0) % 360, "dec": np.zeros(500)})
        result = add_cutouts(table, survey=survey, store=store, fov=FOV, progress=False)
        assert set(result["cutout_status"]) == {"server_error"}
        assert time.monotonic() - started < 5

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_service_that_never_answers(self, survey, store, viewer, raw):
        viewer.overrides["any"] = lambda request: raw("", first_pause=20)
        survey.timeout = 0.2
        result = add_cutouts(_table(), survey=survey, store=store, fov=FOV, progress=False)
        assert set(result["cutout_status"]) == {"timeout"}

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_comes_back_after_it_was_down(self, survey, store, viewer, add):
        viewer.overrides["any"] = html_reply(503, "Busy")
        many = SkyCoord(np.arange(40.0), np.zeros(40), unit="deg")
        assert set(add(many)["cutout_status"]) == {"server_error"}
        viewer.overrides.clear()
        assert set(add(many)["cutout_status"]) == {"ok"}

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_one_bad_row_does_not_end_the_batch(self, add, viewer):
        def sometimes(request):
            return html_reply(500, "Server Error (500)") if request.query["ra"].startswith("20.") else None

        viewer.overrides["fits"] = sometimes
        table = _table()
        table["dec"] = 0.0
        assert list(add(table)["cutout_status"]) == ["ok", "server_error", "ok"]

    def test_read_only_cache(self, survey, store):
        store.close()
        with (
            CutoutStore(store.root, read_only=True) as fixed,
            pytest.raises(CutoutStoreError, match="store="),
        ):
            add_cutouts(_table(), survey=survey, store=fixed, fov=FOV, progress=False)

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_large_requests_are_pointed_elsewhere(self, add, monkeypatch):
        monkeypatch.setattr("galzoo_repr.cutouts._fetch._LARGE", 2)
        with pytest.warns(LargeQueryWarning, match="BrickSurvey") as caught:
            table = add(_table())
        assert caught[0].filename == __file__
        forecast = re.search(r"3 cutouts, about ([\d.]+) MB in ", str(caught[0].message))
        taken = sum(os.path.getsize(path) for path in table["cutout"] if path)
        assert taken / 1e6 == pytest.approx(float(forecast[1]), abs=0.06)


def test_interrupt_is_prompt_and_keeps_what_came(survey, store, viewer, raw):
    """A Ctrl-C while requests hang: the call ends at once, and nothing that came is lost."""

    def hang_on_some(request):
        return raw("", first_pause=30) if float(request.query["ra"]) >= 8 else None

    viewer.overrides["fits"] = hang_on_some
    survey.timeout, survey.workers = 30, 4
    table = Table({"ra": np.arange(12.0), "dec": np.zeros(12)})
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    before = threading.active_count()
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        add_cutouts(table, survey=survey, store=store, fov=FOV, progress=False)
    assert time.monotonic() - started < 20  # long before the requests would end
    assert threading.active_count() <= before + 12  # the service's own, one per connection
    assert not [thread for thread in threading.enumerate() if "galzoo_repr-fetch" in thread.name]
    stats = store.stats()
    assert stats["n"][list(stats["status"]).index("ok")] == 8
    viewer.overrides.clear()
    assert set(add_cutouts(table, survey=survey, store=store, fov=FOV, progress=False)["cutout_status"]) == {
        "ok"
    }


def test_killed_process_is_resumed(survey, service, tmp_path, viewer):
    """Kill -9 in the middle; the next call fetches what is missing and only that."""
    code = textwrap.dedent(
        """
        import sys
        import astropy.units as u
        from galzoo_repr import CutoutStore, LegacySurvey
        from galzoo_repr.cutouts import fetch_into
        survey = LegacySurvey(server=sys.argv[1], layer="ls-dr10")
        requests = [survey.request(float(i), 0.0, 31, 0.262 * u.arcsec) for i in range(200)]
        list(fetch_into(CutoutStore(sys.argv[2]), survey, requests))
        """
    )

    def slowly(request):
        time.sleep(0.02)

    viewer.overrides["fits"] = slowly
    process = subprocess.Popen([sys.executable, "-c", code, survey.server, str(tmp_path / "store")])
    deadline = time.monotonic() + 60
    while len(service.requests) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    with CutoutStore(tmp_path / "store") as store:
        published = store.stats()["n"].sum()
        assert 0 < published < 200
        viewer.overrides.clear()
        before = len(service.requests)
        table = Table({"ra": np.arange(200.0), "dec": np.zeros(200)})
        result = add_cutouts(table, survey=survey, store=store, fov=FOV, progress=False)
        assert set(result["cutout_status"]) == {"ok"}
        assert len(service.requests) - before == 200 - published
        assert len(store.verify()) == 0


def test_statuses_of_the_design():
    assert list(STATUSES) == [
        "ok", "partial", "band_missing", "no_coverage", "bad_position", "bad_request", "rate_limited",
        "server_error", "timeout", "truncated", "corrupt", "missing", "cancelled",
    ]  # fmt: skip


def test_requests_are_hashable_and_canonical():
    rest = (2.0, 64, 0.262, "grz", "ls-dr10", "fits", "http://x", "viewer")
    assert CutoutRequest(-1.0, *rest).key == CutoutRequest(359.0, *rest).key
    assert len({CutoutRequest(1.0, *rest), CutoutRequest(1.0, *rest)}) == 1


class TestWarningOfFailures:
    def test_says_how_many_and_why(self, add, viewer):
        table = Table({"ra": [10.0, 20.0, np.nan, np.nan, 40.0], "dec": [1.0, 70.0, 0.0, 0.0, 2.0]})
        with pytest.warns(
            GalzooWarning, match=r"3 of 5 rows have no cutout \(bad_position 2, no_coverage 1\); "
        ) as caught:
            add(table)
        assert "as in row 2: " in str(caught[0].message)
        assert caught[0].filename == __file__

    def test_names_the_service_and_its_trouble(self, add, viewer, survey):
        viewer.overrides["any"] = html_reply(503, "Busy")
        many = SkyCoord(np.arange(40.0), np.zeros(40), unit="deg")
        words = rf"40 of 40 rows .*\(server_error 40\); .* from LegacySurvey at {survey.server}: HTTP 503"
        with pytest.warns(GalzooWarning, match=words):
            add(many)

    def test_is_short_without_a_network(self, add):
        nowhere = LegacySurvey(server="http://nowhere.invalid/viewer", timeout=2)
        words = "the name nowhere.invalid cannot be resolved .*proxy"
        with pytest.warns(GalzooWarning, match=words) as caught:
            add(_table(), survey=nowhere)
        assert len(str(caught[0].message)) < 300

    def test_names_several_services(self, add):
        down = [LegacySurvey(server=f"http://127.0.0.1:9/{name}", timeout=2) for name in "ab"]
        words = r"127.0.0.1:9/a: server_error, .*127.0.0.1:9/b: server_error, no answer: no connection"
        with pytest.warns(GalzooWarning, match=words):
            add(_table(), survey=down[0], fallback=down[1:])

    def test_names_the_proxy(self, add, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        nowhere = LegacySurvey(server="http://nowhere.invalid/viewer", timeout=2)
        words = r"the proxy gives no connection to nowhere.invalid \(see HTTPS_PROXY\): .*refused$"
        with pytest.warns(GalzooWarning, match=words):
            add(_table(), survey=nowhere)

    def test_is_not_there_when_all_is_well(self, add):
        assert set(add(_table()[::2])["cutout_status"]) == {"ok"}
