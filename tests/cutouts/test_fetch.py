"""Fetching under trouble: retries, pace, back-pressure, several processes at once."""

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import LegacySurvey, add_cutouts
from galzoo_repr.cutouts import CutoutStore, Outcome, _leases, _throttle, fetch_into
from galzoo_repr.cutouts._ask import _retry_after
from galzoo_repr.cutouts._leases import Leases
from galzoo_repr.cutouts._throttle import Throttle, backoff_seconds
from galzoo_repr.simulation import FAULTS, Faults, Reply
from galzoo_repr.simulation._service import html_reply


def _requests(survey, n):
    return [survey.request(0.9 * i, 0.0, 20, 0.262 * u.arcsec) for i in range(n)]


class TestFaults:
    """Each fault alone, and all together."""

    @pytest.mark.parametrize("kind", FAULTS)
    def test_passing_trouble_is_survived(self, survey, service, store, kind, fetch_all):
        service.faults = Faults(
            0.5, kinds=[kind], tries=1, retry_after=0.05, only=lambda request: "fits" in request.path
        )
        survey.timeout = 1 if kind in ("stall", "trickle") else 10
        outcomes = fetch_all(store, survey, _requests(survey, 8))
        assert {outcome.status for outcome in outcomes} == {"ok"}
        hit = service.faults.counts[kind]
        assert hit
        # A 500 is followed by the question whether there is a picture.
        assert len(service.requests) == 8 + hit * (2 if kind == "failure" else 1)
        assert max(outcome.attempts for outcome in outcomes) == 2

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("rate_limited", "rate_limited"),
            ("unavailable", "server_error"),
            ("failure", "server_error"),
            ("page", "server_error"),
            ("empty", "truncated"),
            ("short", "truncated"),
            ("short_unannounced", "truncated"),
            ("stall", "timeout"),
            ("trickle", "timeout"),
            ("reset", "server_error"),
        ],
    )
    def test_lasting_trouble_has_a_status(self, survey, service, store, kind, status, fetch_all):
        service.faults = Faults(
            1.0, kinds=[kind], tries=99, retry_after=0.02, only=lambda request: request.query["ra"][0] == "0"
        )
        survey.timeout = 0.3 if status == "timeout" else 10
        outcomes = fetch_all(store, survey, _requests(survey, 4))
        assert [outcome.status for outcome in outcomes] == [status, status, "ok", "ok"]
        assert 2 <= outcomes[0].attempts <= 8
        assert outcomes[0].reason
        assert not outcomes[0].final

    def test_one_request_in_five(self, survey, service, store, fetch_all):
        kinds = [kind for kind in FAULTS if kind not in ("stall", "trickle")]
        service.faults = Faults(0.2, kinds=kinds, retry_after=0.02)
        outcomes = fetch_all(store, survey, _requests(survey, 150))
        assert {outcome.status for outcome in outcomes} == {"ok"}
        assert sum(service.faults.counts.values()) > 20
        assert len(service.requests) < 1.5 * 150
        assert service.max_in_flight <= survey.workers
        assert len(store.verify()) == 0

    def test_what_cannot_succeed_is_asked_once(self, survey, service, store, fetch_all):
        gone = [
            survey.request(1.0, 0.0, 20, 0.262 * u.arcsec, layer="ls-dr99"),
            survey.request(2.0, 0.0, 20, 0.262 * u.arcsec, layer="ls-dr9", bands="griz"),
        ]
        assert [o.status for o in fetch_all(store, survey, gone)] == ["bad_request", "band_missing"]
        fetch_all(store, survey, gone)
        assert len(service.requests) == 2


class TestPoliteness:
    def test_rate_and_number_in_flight(self, survey, service, store, fetch_all):
        survey.rate, survey.workers = 40, 3
        fetch_all(store, survey, _requests(survey, 30))
        starts = np.sort([request.started for request in service.requests])
        assert service.max_in_flight <= 3
        assert starts[-1] - starts[0] >= 29 / 40 * 0.9
        # Evenly spaced, but for the scheduling of a busy machine.
        assert service.most_requests_within(0.5) <= 40 * 0.5 + 4

    def test_retry_after_holds_back_everything(self, survey, service, store, viewer, fetch_all):
        told = []

        def once(request):
            if not told:
                told.append(time.monotonic())
                return Reply(429, "text/plain", b"slow down", {"Retry-After": "1"})
            return None

        viewer.overrides["fits"] = once
        survey.workers = 2
        fetch_all(store, survey, _requests(survey, 12))
        # What was on its way when the service spoke has come by then, on a busy machine too.
        late = [r.started - told[0] for r in service.requests if r.started > told[0] + 0.5]
        assert min(late) > 0.98
        assert len(late) >= 8

    def test_long_pause_is_not_sat_out(self, survey, store, viewer, service, fetch_all):
        viewer.overrides["any"] = Reply(429, "text/plain", b"tomorrow", {"Retry-After": "86400"})
        started = time.monotonic()
        outcomes = fetch_all(store, survey, _requests(survey, 50))
        assert {outcome.status for outcome in outcomes} == {"rate_limited"}
        assert time.monotonic() - started < 5
        assert len(service.requests) <= survey.workers
        assert not any(outcome.final for outcome in outcomes)

    def test_service_that_is_down_is_left_alone(self, survey, store, viewer, service, fetch_all):
        viewer.overrides["any"] = html_reply(503, "Service Unavailable")
        outcomes = fetch_all(store, survey, _requests(survey, 500))
        assert {outcome.status for outcome in outcomes} == {"server_error"}
        assert len(service.requests) < 30
        assert "not asked" in outcomes[-1].reason

    def test_two_calls_share_one_gate(self, survey, service, tmp_path, fetch_all):
        other = LegacySurvey(server=survey.server, layer="ls-dr9", timeout=5)
        with CutoutStore(tmp_path / "a") as a, CutoutStore(tmp_path / "b") as b:
            calls = [
                threading.Thread(target=fetch_all, args=(store, each, _requests(each, 40)))
                for store, each in ((a, survey), (b, other))
            ]
            for call in calls:
                call.start()
            for call in calls:
                call.join()
        assert service.max_in_flight <= survey.workers
        assert len(service.requests) == 80


class TestThrottle:
    """The gate by itself."""

    @staticmethod
    def _answer(pace, status, code=200, retry_after=0.0, final=False):
        assert pace.enter() == ""
        pace.leave(Outcome(status, http_code=code, final=final), retry_after, time.monotonic())

    def test_halves_and_recovers(self):
        pace = Throttle(1000.0, 8)
        self._answer(pace, "rate_limited", 429)
        assert (pace.rate, pace.in_flight) == (500, 4)
        for _ in range(5):
            self._answer(pace, "ok", final=True)
        assert (pace.rate, pace.in_flight) == (600, 5)
        for _ in range(200):
            self._answer(pace, "ok", final=True)
        assert (pace.rate, pace.in_flight) == (1000, 8)

    def test_one_crowd_halves_once(self):
        pace = Throttle(float("inf"), 8)
        started = time.monotonic()
        for _ in range(4):
            assert pace.enter() == ""
        for _ in range(4):
            pace.leave(Outcome("timeout"), 0.0, started)
        assert pace.in_flight == 4

    def test_never_stops_entirely(self):
        pace = Throttle(3200.0, 4)
        for _ in range(20):
            self._answer(pace, "rate_limited", 429)
        assert (pace.rate, pace.in_flight) == (100, 1)

    def test_interrupted_while_waiting(self):
        pace = Throttle(0.1, 1)
        stop = threading.Event()
        assert pace.enter() == ""
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        assert pace.enter(stop) == "cancelled"
        assert time.monotonic() - started < 1

    def test_new_limits_hold_at_once(self):
        pace = Throttle(1.0, 1)
        pace.allow(50.0, 3)
        assert (pace.rate, pace.in_flight) == (50, 3)

    def test_trial_after_it_was_down(self, monkeypatch):
        monkeypatch.setattr(_throttle, "_PROBE_SECONDS", ())
        pace = Throttle(float("inf"), 2)
        for _ in range(8):
            self._answer(pace, "server_error", 503)
        assert pace.enter() == "server_error"
        pace.reopen()
        self._answer(pace, "ok", final=True)
        assert pace.enter() == ""

    @pytest.mark.parametrize("attempts", [1, 2, 5, 50])
    def test_backoff_is_full_jitter(self, attempts):
        waits = [backoff_seconds(attempts) for _ in range(300)]
        limit = min(30, 0.5 * 2 ** (attempts - 1))
        assert 0 <= min(waits) < 0.1 * limit
        assert 0.9 * limit < max(waits) <= limit


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7), (" 0 ", 0), ("", 0), ("soon", 0), (formatdate(0, usegmt=True), 0), ("date", 90), ("\u00b2", 0),
        ("-1", 0), ("Mon, 01 Jan 0001 00:00:00 -0000", 0), ("Mon, 01 Jan 2030 00:00:00 +9999", 0), ("9" * 400, 1e18),
    ],
)  # fmt: skip
def test_retry_after_in_both_forms(header, seconds):
    if header == "date":
        header = formatdate(time.time() + 90, usegmt=True)
    assert _retry_after({"Retry-After": header}) == pytest.approx(seconds, abs=2)


def test_retry_after_counts_from_the_clock_of_the_service():
    headers = {"Retry-After": formatdate(2e9 + 30, usegmt=True), "Date": formatdate(2e9, usegmt=True)}
    assert _retry_after(headers) == 30


_FETCH = textwrap.dedent(
    """
    import sys
    import astropy.units as u
    from galzoo_repr import CutoutStore, LegacySurvey
    from galzoo_repr.cutouts import fetch_into
    survey = LegacySurvey(server=sys.argv[1], layer="ls-dr10")
    requests = [survey.request(0.9 * i, 0.0, 20, 0.262 * u.arcsec) for i in range(int(sys.argv[3]))]
    with CutoutStore(sys.argv[2]) as store:
        assert {outcome.status for _, outcome in fetch_into(store, survey, requests)} == {"ok"}
    """
)


def test_two_processes_share_the_work(survey, service, tmp_path):
    command = [sys.executable, "-c", _FETCH, survey.server, str(tmp_path / "store"), "150"]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    asked = Counter(request.query["ra"] for request in service.requests)
    assert len(asked) == 150
    assert max(asked.values()) == 1
    with CutoutStore(tmp_path / "store") as store:
        assert store.stats()["n"].sum() == 150
        assert len(store.verify()) == 0


def test_two_threads_share_the_work(survey, service, store, fetch_all):
    requests_ = _requests(survey, 60)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: fetch_all(store, survey, requests_), range(2)))
    assert [{outcome.status for outcome in outcomes} for outcomes in both] == [{"ok"}] * 2
    assert len(service.requests) == 60


@pytest.fixture
def soon_stale(monkeypatch):
    monkeypatch.setattr(_leases, "_STALE_SECONDS", 0.7)
    monkeypatch.setattr(_leases, "_BEAT_SECONDS", 0.2)


@pytest.mark.usefixtures("soon_stale")
@pytest.mark.parametrize("ahead", [-60, 0, 3e7], ids=["behind", "now", "a year ahead"])
@pytest.mark.parametrize(
    "owner", [f"elsewhere 1 {'0' * 32}", "nonsense", f"{socket.gethostname()} {'9' * 30} 0"]
)
def test_work_of_a_dead_process_is_taken_over(survey, store, service, fetch_all, owner, ahead):
    """Wherever its clock stood: what counts is how long it was seen to be silent."""
    requests_ = _requests(survey, 3)
    dead = Leases(store)
    dead.owner = owner
    assert dead.take({request.key: request for request in requests_[:2]}, 2) == (requests_[:2], [])
    with store.manifest.transaction() as db:
        db.execute("UPDATE owner SET beat = beat + ?", (ahead,))
    assert {outcome.status for outcome in fetch_all(store, survey, requests_)} == {"ok"}
    assert len(service.requests) == 3


@pytest.mark.usefixtures("soon_stale")
def test_a_call_that_pauses_keeps_its_work(survey, store, service, fetch_all):
    requests_ = _requests(survey, 20)
    with CutoutStore(store.root) as other, ThreadPoolExecutor(1) as pool:
        rows = fetch_into(store, survey, requests_)
        next(rows)
        call = pool.submit(fetch_all, other, survey, requests_)
        time.sleep(1.5)
        assert not call.done()
        list(rows)
        assert {outcome.status for outcome in call.result(20)} == {"ok"}
    assert len(service.requests) == 20


def test_failures_known_before_are_asked_again_whatever_their_time(survey, store, service, fetch_all):
    request = _requests(survey, 1)[0]
    store.record([(request, Outcome("server_error", time=time.time() + 3e7))])
    assert [outcome.status for outcome in fetch_all(store, survey, [request])] == ["ok"]


def test_work_of_a_living_process_is_waited_for(survey, store, service, fetch_all):
    requests_ = _requests(survey, 3)
    with CutoutStore(store.root) as other:
        Leases(other).take({requests_[0].key: requests_[0]}, 1)
        done = []
        call = threading.Thread(target=lambda: done.extend(fetch_all(store, survey, requests_)))
        call.start()
        time.sleep(0.3)
        assert call.is_alive()
        assert len(service.requests) == 2
        other.record([(requests_[0], Outcome("no_coverage", final=True))])
        call.join(10)
    assert [outcome.status for outcome in done] == ["no_coverage", "ok", "ok"]


class TestKilled:
    """At the two moments that matter: before a body has its name, and before the call has heard of it."""

    @pytest.fixture
    def arrived(self, survey, store):
        request = _requests(survey, 1)[0]
        Leases(store).take({request.key: request}, 1)
        return request, survey.attempt(request)

    def test_what_was_published_is_not_fetched_again(self, survey, service, store, arrived, fetch_all):
        request, attempt = arrived
        store.publish(request, attempt)
        with CutoutStore(store.root) as again:
            assert [outcome.status for outcome in fetch_all(again, survey, [request])] == ["ok"]
        assert len(service.requests) == 1

    @pytest.mark.usefixtures("soon_stale")
    def test_what_was_not_is_no_damage_and_fetched_again(
        self, survey, service, store, arrived, monkeypatch, fetch_all
    ):
        request, attempt = arrived
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", lambda source, target: None)
            store.publish(request, attempt)
        with CutoutStore(store.root) as again:
            assert again.lookup([request]) == [None]
            assert len(again.verify()) == 0
            assert [outcome.status for outcome in fetch_all(again, survey, [request])] == ["ok"]
        assert len(service.requests) == 2


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_lookup_of_many_rows(survey, store):
    """What the cache answers costs far less than any request: 20,000 rows per second on a slow machine."""
    requests_ = [survey.request(i * 1e-3, 1.0, 20, 0.262 * u.arcsec) for i in range(5_000)]
    store.record([(request, Outcome("no_coverage", final=True)) for request in requests_])
    table = Table({"ra": np.arange(5_000) * 1e-3, "dec": np.ones(5_000)})
    started = time.process_time()
    result = add_cutouts(table, survey=survey, store=store, fov=20 * 0.262 * u.arcsec, progress=False)
    assert set(result["cutout_status"]) == {"no_coverage"}
    assert 5_000 / (time.process_time() - started) > 5_000
