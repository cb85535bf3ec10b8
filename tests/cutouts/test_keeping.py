"""What stays in a store and what goes, also while other processes fetch, publish and read."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import add_cutouts, conf
from galzoo_repr.cutouts import CutoutStore, Outcome, fetch_into
from galzoo_repr.images import read_pictures

FOV = 8 * u.arcsec

_PUBLISH = textwrap.dedent(
    """
    import sys, time
    from galzoo_repr.cutouts import Attempt, CutoutRequest, CutoutStore, Outcome
    with CutoutStore(sys.argv[1], keep="fits") as store:
        print("ready", flush=True)
        for i in range(int(sys.argv[2])):
            layer = sys.argv[3] if i % 2 else "other"
            request = CutoutRequest(i / 100, 1.0, 16, 0.262, "grz", layer, "fits", "http://service", "viewer")
            outcome = Outcome("ok", final=True, time=time.time())
            store.publish(request, Attempt(outcome, b"SIMPLE  =" + str(i).encode()))
            store.record([(request, outcome)])
    """
)


def _publisher(root, n, layer):
    process = subprocess.Popen(
        [sys.executable, "-c", _PUBLISH, str(root), str(n), layer], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def requests_(survey):
    return [survey.request(10.0 + i, 2.0, 32, 0.262 * u.arcsec) for i in range(5)]


@pytest.fixture
def filled(store, survey, requests_, fetch_all):
    fetch_all(store, survey, requests_)
    store.release()
    return store


def _there(store, requests):
    return [outcome is not None for outcome in store.lookup(requests)]


class TestTwoProcesses:
    @pytest.mark.parametrize("condition", [{"layer": "no such layer"}, {"older_than": 1 * u.day}, {}])
    def test_what_another_publishes_stays(self, tmp_path, condition):
        writer = _publisher(tmp_path, 300, "mine")
        with CutoutStore(tmp_path) as store, writer:
            while writer.poll() is None:
                assert store.prune(**condition) == 0
            assert writer.wait() == 0
            assert store.stats()["n"].sum() == 300
            assert len(store.verify()) == 0

    def test_nothing_is_left_without_its_file(self, tmp_path):
        """Also where the entries that another process writes are those that are to go."""
        writer = _publisher(tmp_path, 300, "mine")
        with CutoutStore(tmp_path) as store, writer:
            while writer.poll() is None:
                store.prune(layer="mine")
            assert writer.wait() == 0
            store.prune(layer="mine")
            assert store.stats()["n"].sum() == 150
            assert len(store.verify(repair=True)) == 0

    def test_bodies_in_use_do_not_make_room_for_others(self, tmp_path):
        writer = _publisher(tmp_path, 100, "mine")
        with CutoutStore(tmp_path, max_size=500 * u.byte) as store, writer:
            while store.size < 800 and writer.poll() is None:
                store.shrink()
            held = store.size
            assert held > 500
            assert writer.wait() == 0
            # What is held by a process that has ended is free.
            store.shrink()
            assert store.size <= 500


class TestSize:
    def test_used_longest_ago_goes_first(self, filled, requests_):
        each = filled.size / 5
        time.sleep(0.01)
        filled.lookup(requests_[:2])
        filled.release()
        assert filled.prune(max_size=3.2 * each * u.byte) == 2
        assert _there(filled, requests_)[:2] == [True, True]
        assert sum(_there(filled, requests_)) == 3
        assert filled.size <= 3.2 * each
        assert len(filled.verify()) == 0
        assert filled.stats()["n"].sum() == 5

    def test_what_went_is_fetched_again(self, filled, requests_, survey, service, fetch_all):
        filled.prune(max_size="1 B")
        assert filled.size == 0
        asked = len(service.requests)
        assert {outcome.status for outcome in fetch_all(filled, survey, requests_)} == {"ok"}
        assert len(service.requests) == asked + 5
        assert _there(filled, requests_) == [True] * 5

    def test_what_is_needed_no_more_is_not_fetched_again(self, filled, requests_, survey, service):
        filled.prune(max_size="1 B")
        asked = len(service.requests)
        rows = dict(fetch_into(filled, survey, requests_, enough=lambda gone: [True] * len(gone)))
        assert {outcome.status for outcome in rows.values()} == {"ok"}
        assert not any(filled.name(requests_[row], outcome) for row, outcome in rows.items())
        assert len(service.requests) == asked

    def test_it_is_kept_while_a_call_fetches(self, survey, tmp_path):
        # One body of 32 pixels has 15 kB: what a call has done with makes room for what comes.
        requests_ = [survey.request(10.0 + i, 2.0, 32, 0.262 * u.arcsec) for i in range(30)]
        with CutoutStore(tmp_path, max_size=100 * u.kbyte) as store:
            for _, outcome in fetch_into(store, survey, requests_):
                store.release([outcome.digest])
                assert store.size < 250_000
            store.shrink()
            assert 0 < store.size <= 100_000

    def test_a_call_that_wants_the_files_has_them_all(self, survey, tmp_path):
        table = Table({"ra": np.arange(10.0), "dec": np.ones(10)})
        with conf.set_temp("max_cache_size", "20 kB"):
            table = add_cutouts(table, survey=survey, store=tmp_path, fov=FOV, progress=False)
        assert all(os.path.isfile(path) for path in table["cutout"])

    @pytest.mark.parametrize("size", ["20 GB", "20GB", "20 gb", 20 * u.Gbyte, "2e10 B", "20000 MB"])
    def test_sizes_as_people_write_them(self, tmp_path, size):
        with CutoutStore(tmp_path, max_size=size) as store:
            assert store.max_size == pytest.approx(20e9)

    @pytest.mark.parametrize(
        ("size", "error", "match"),
        [
            ("much", ValueError, "cannot be read; give a size such as '20 GB'"),
            ("-1 GB", ValueError, "give a size above 0"),
            ("20", TypeError, "is no amount of data"),
            (20, TypeError, "is no amount of data"),
            (3 * u.s, TypeError, "is no amount of data"),
        ],
    )
    def test_what_is_no_size(self, filled, size, error, match):
        with pytest.raises(error, match=match):
            CutoutStore(filled.root, max_size=size)
        with pytest.raises(error, match=match):
            filled.prune(max_size=size)
        assert filled.stats()["n"].sum() == 5

    def test_for_good(self, tmp_path):
        with CutoutStore(tmp_path) as store:
            assert store.max_size is None
            assert store.keep == "fits"
            with conf.set_temp("max_cache_size", "3 GB"), conf.set_temp("keep", "jpeg"):
                assert store.max_size == 3e9
                assert store.keep == "jpeg"
            with (
                conf.set_temp("keep", "some"),
                pytest.raises(ValueError, match=r"conf\.keep='some' is not one"),
            ):
                _ = store.keep

    @pytest.mark.parametrize(("name", "value"), [("max_cache_size", "much"), ("keep", "some")])
    def test_what_cannot_be_meant_is_said_before_anything_is_fetched(self, tmp_path, name, value):
        with conf.set_temp(name, value), pytest.raises(ValueError, match=rf"conf\.{name}='{value}'"):
            CutoutStore(tmp_path)

    def test_by_the_environment(self):
        script = "from galzoo_repr import conf; print(conf.keep, conf.max_cache_size)"
        environment = {**os.environ, "GALZOO_REPR_KEEP": "none", "GALZOO_REPR_MAX_CACHE_SIZE": "7 GB"}
        command = [sys.executable, "-c", script]
        assert (
            subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "none 7 GB\n"
        )


class TestDrop:
    @pytest.fixture
    def passing(self, store, survey, requests_, fetch_all):
        store.keep = "none"
        return [outcome.digest for outcome in fetch_all(store, survey, requests_)]

    def test_what_was_fetched_to_pass_goes(self, store, passing, requests_):
        assert store.drop(dict.fromkeys(passing, b"")) == set(passing)
        assert store.size == 0
        assert _there(store, requests_) == [False] * 5
        assert len(store.verify()) == 0

    def test_what_another_wants_for_good_stays(self, store, passing, requests_):
        with CutoutStore(store.root, keep="fits") as other:
            other.lookup(requests_[:1])
        assert store.drop(dict.fromkeys(passing, b"")) == set(passing[1:])
        assert _there(store, requests_) == [True] + [False] * 4

    def test_what_another_is_about_to_read_stays(self, store, passing, requests_):
        with CutoutStore(store.root, keep="none") as other:
            other.lookup(requests_[:1])
            assert store.drop({passing[0]: b""}) == set()
            assert other.drop({passing[0]: b""}) == {passing[0]}

    def test_what_was_there_before_stays(self, filled, requests_):
        digests = [outcome.digest for outcome in filled.lookup(requests_)]
        with CutoutStore(filled.root, keep="none") as other:
            other.lookup(requests_)
            assert other.drop(dict.fromkeys(digests, b"")) == set()
        assert _there(filled, requests_) == [True] * 5

    def test_pictures_count_and_go_with_their_entries(self, store, passing, requests_):
        store.drop({passing[0]: b"a picture", passing[1]: b""})
        assert Path(store.picture(passing[0])).read_bytes() == b"a picture"
        assert store.picture(passing[1]) == ""
        store.prune()
        assert store.picture(passing[0])
        store.prune(older_than=0 * u.s)
        assert store.picture(passing[0]) == ""
        assert not list(store.root.glob("??/??/*"))

    def test_a_damaged_manifest_leads_to_no_other_file(self, store, requests_, tmp_path):
        outside = tmp_path / "outside.fits"
        outside.write_bytes(b"x")
        store.record([(requests_[0], Outcome("ok", digest="../../outside", n_bytes=1, final=True))])
        with pytest.raises(OSError, match="is no SHA-256"):
            store.prune(layer=requests_[0].layer)
        assert outside.exists()


class TestPicturesInPlaceOfCutouts:
    @pytest.fixture
    def table(self):
        return Table({"ra": [10.0, 11.0, 12.0], "dec": [2.0, 2.0, 70.0]})

    def test_a_picture_is_left(self, table, survey, service, tmp_path):
        with pytest.warns(match="no_coverage 1"):
            with_pictures = add_cutouts(
                table, survey=survey, store=tmp_path, fov=FOV, keep="jpeg", progress=False
            )
        paths = list(with_pictures["cutout"])
        assert paths[2] == ""
        assert [picture.shape for picture in read_pictures(paths[:2], size=31)] == [(31, 31, 3)] * 2
        assert not list(tmp_path.glob("??/??/*.fits"))
        asked = len(service.requests)
        with pytest.warns(match="no_coverage 1"):
            again = add_cutouts(table, survey=survey, store=tmp_path, fov=FOV, keep="jpeg", progress=False)
        assert list(again["cutout"]) == paths
        assert len(service.requests) == asked
        with pytest.warns(match="no_coverage 1"):
            whole = add_cutouts(table, survey=survey, store=tmp_path, fov=FOV, progress=False)
        assert all(path.endswith(".fits") for path in whole["cutout"][:2])

    @pytest.mark.parametrize(
        ("keep", "match"),
        [("none", "would leave nothing"), ("png", "is not one of 'fits', 'jpeg'"), (None, "keep=None")],
    )
    def test_what_cannot_be_kept(self, table, survey, keep, match):
        with pytest.raises(ValueError, match=match):
            add_cutouts(table, survey=survey, fov=FOV, keep=keep, progress=False)
