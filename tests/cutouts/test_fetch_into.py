"""One stream of cutouts: what comes first, what is asked how often, and how it ends early."""

import threading
import time
from collections import Counter
from contextlib import closing

import astropy.units as u
import pytest
from astropy.table import Table

from galzoo_repr import add_cutouts
from galzoo_repr.cutouts import CutoutStore, CutoutStoreError, Outcome, _fetch, fetch_into
from galzoo_repr.cutouts._leases import Leases
from galzoo_repr.simulation._service import html_reply


@pytest.fixture
def requests_(survey):
    return [survey.request(float(i), 0.0, 20, 0.262 * u.arcsec) for i in range(12)]


@pytest.fixture
def held(viewer):
    """Hold back the answers for right ascensions from 6 on; setting the event lets them go."""
    go = threading.Event()

    def wait(request):
        if float(request.query["ra"]) >= 6:
            go.wait(20)

    viewer.overrides["fits"] = wait
    yield go
    go.set()


def _leases(store):
    with store.manifest.transaction() as db:
        return [db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("claim", "owner")]


def _threads():
    return [thread for thread in threading.enumerate() if "galzoo_repr-fetch" in thread.name]


def test_rows_come_as_they_are_known(survey, store, requests_, fetch_all, held):
    """Those of the store first, and those that answer early before those that answer late."""
    fetch_all(store, survey, requests_[3:5])
    with closing(fetch_into(store, survey, requests_)) as stream:
        early = [next(stream)[0] for _ in range(6)]
        assert sorted(early[:2]) == [3, 4]
        assert sorted(early) == [0, 1, 2, 3, 4, 5]
        held.set()
        assert sorted(row for row, _ in stream) == [6, 7, 8, 9, 10, 11]


def test_equal_requests_are_asked_once_and_rows_without_one_are_passed_over(survey, store, service):
    one, other = (survey.request(ra, 0.0, 20, 0.262 * u.arcsec) for ra in (1.0, 2.0))
    outcomes = dict(fetch_into(store, survey, [one, None, other, one, None, one]))
    assert sorted(outcomes) == [0, 2, 3, 5]
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    assert len(service.requests) == 2


def test_the_manifest_is_asked_once_and_the_order_made_once(survey, store, requests_, service, monkeypatch):
    looked_up, arranged, asked_before = Counter(), [], []
    lookup = store.manifest.lookup

    def counting(keys):
        if not service.requests:
            asked_before.append(len(keys))
        looked_up.update(keys)
        return lookup(keys)

    def arrange(asked):
        arranged.append(len(asked))
        return asked[::-1]

    monkeypatch.setattr(store.manifest, "lookup", counting)
    monkeypatch.setattr(survey, "arrange", arrange)
    survey.workers = 1
    table = Table({"ra": range(12), "dec": [0.0] * 12})
    add_cutouts(table, survey=survey, store=store, fov=20 * 0.262 * u.arcsec, progress=False)
    assert arranged == [12]
    assert [float(request.query["ra"]) for request in service.requests] == list(range(12))[::-1]
    # Once for all rows, and once more with the lease, lest another call has settled one meanwhile.
    assert asked_before[0] == 12
    assert set(looked_up.values()) == {2}


def test_what_is_known_is_looked_up_as_it_is_taken(survey, store, requests_, fetch_all, monkeypatch):
    """So that the outcomes of a million rows are never in memory at once."""
    fetch_all(store, survey, requests_)
    monkeypatch.setattr(_fetch, "_LOOKED_UP_AT_ONCE", 5)
    seen = []
    lookup = store.manifest.lookup
    monkeypatch.setattr(store.manifest, "lookup", lambda keys: seen.append(len(keys)) or lookup(keys))
    with closing(fetch_into(store, survey, requests_)) as stream:
        next(stream)
        assert seen == [5]
        assert len(list(stream)) == 11
    assert seen == [5, 5, 2]


def test_arguments_are_checked_before_anything_is_taken(survey, store, requests_):
    with pytest.raises(ValueError, match="a whole number from 1 to 64"):
        fetch_into(store, survey, requests_, workers=0)


def test_closed_early(survey, store, requests_, service, held):
    """What is in flight is broken off, what came is kept, and others may go on with the rest."""
    stream = fetch_into(store, survey, requests_, workers=4)
    assert next(stream)[1].status == "ok"
    while len(service.requests) < 10:  # six answered, four held back
        time.sleep(0.01)
    assert _leases(store)[1] == 1
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 5
    assert not _threads()
    assert _leases(store) == [0, 0]
    assert [outcome.status for outcome in store.lookup(requests_[:6])] == ["ok"] * 6
    held.set()
    assert {outcome.status for _, outcome in fetch_into(store, survey, requests_)} == {"ok"}
    asked = Counter(float(request.query["ra"]) for request in service.requests)
    assert [asked[ra] for ra in range(6)] == [1] * 6


def test_dropped_in_the_middle_of_a_loop(survey, store, requests_):
    for row, _ in fetch_into(store, survey, requests_):
        if row >= 0:
            break
    assert not _threads()
    assert _leases(store) == [0, 0]


def test_error_of_the_caller(survey, store, requests_):
    def trip():
        with closing(fetch_into(store, survey, requests_)) as stream:
            for _ in stream:
                raise RuntimeError("the machine trips over its cable")

    with pytest.raises(RuntimeError, match="cable"):
        trip()
    assert not _threads()
    assert _leases(store) == [0, 0]


def test_rows_that_another_call_was_interrupted_at_are_fetched(survey, store, requests_, service):
    """Its ``cancelled`` is no answer to this call."""
    request = requests_[0]
    with CutoutStore(store.root) as other:
        leases = Leases(other)
        leases.take({request.key: request}, 1)
        done = []
        call = threading.Thread(target=lambda: done.extend(fetch_into(store, survey, [request])))
        call.start()
        time.sleep(0.2)
        assert not service.requests
        other.record([(request, Outcome("cancelled", "interrupted", time=time.time()))])
        leases.release()
        call.join(10)
    assert [(row, outcome.status) for row, outcome in done] == [(0, "ok")]


def test_a_failure_that_another_call_has_just_seen_is_not_asked_for_again(survey, store, requests_, service):
    request = requests_[0]
    with CutoutStore(store.root) as other:
        Leases(other).take({request.key: request}, 1)
        done = []
        call = threading.Thread(target=lambda: done.extend(fetch_into(store, survey, [request])))
        call.start()
        time.sleep(0.2)
        other.record([(request, Outcome("server_error", time=time.time()))])
        call.join(10)
    assert [(row, outcome.status) for row, outcome in done] == [(0, "server_error")]
    assert not service.requests


def test_one_trial_of_a_service_that_is_down(survey, store, service, viewer):
    """However many rows there are, a call finds out once."""
    viewer.overrides["any"] = html_reply(503, "Busy")
    many = [survey.request(i * 0.1, 0.0, 20, 0.262 * u.arcsec) for i in range(700)]
    assert {outcome.status for _, outcome in fetch_into(store, survey, many)} == {"server_error"}
    found_out = len(service.requests)
    assert found_out < 30
    assert {outcome.status for _, outcome in fetch_into(store, survey, many)} == {"server_error"}
    assert len(service.requests) == found_out + 1


def test_read_only_store_hands_on_what_it_has(survey, store, requests_, fetch_all):
    fetch_all(store, survey, requests_[:3])
    store.close()
    with CutoutStore(store.root, read_only=True) as fixed:
        stream = fetch_into(fixed, survey, requests_)
        assert sorted(next(stream)[0] for _ in range(3)) == [0, 1, 2]
        with pytest.raises(CutoutStoreError, match=r"cutouts are missing \(9\).*store="):
            next(stream)
