"""Embedding while fetching: one stream from the service to the column, also when one end is slow or fails."""

import signal
import threading
import time
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from astroquery.exceptions import LargeQueryWarning

from galzoo_repr import Encoder, LegacySurvey, add_cutouts, add_embeddings
from galzoo_repr._progress import closing_line
from galzoo_repr.cutouts import CutoutStore
from galzoo_repr.cutouts._manifest import Manifest
from galzoo_repr.simulation import Reply, SurveyService, html_reply

FOV = 8 * u.arcsec


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Retry without the pauses that real services deserve."""
    from galzoo_repr.cutouts import _pool, _throttle

    monkeypatch.setattr(_pool, "backoff_seconds", lambda attempts: 0.001)
    monkeypatch.setattr(_throttle, "_PROBE_SECONDS", (0.01, 0.02))


@pytest.fixture
def small_batches(monkeypatch):
    from galzoo_repr.encoders import _stream

    monkeypatch.setattr(_stream, "_ROWS_PER_BATCH", 4)


class Service:
    """A viewer on the loopback interface; `trouble`, given the number of a request, may answer in its place."""

    def __init__(self, survey):
        self._survey = survey
        self.trouble = lambda number: None
        self.done = threading.Event()

    def answer(self, request):
        reply = self.trouble(len(self.running.requests))
        if reply is not None:
            return reply
        query = request.query
        asked = self._survey.request(
            float(query["ra"]), float(query["dec"]), int(query["size"]), float(query["pixscale"]) * u.arcsec
        )
        return Reply(200, "image/fits", self._survey.body(asked))

    def hang(self, number):
        self.done.wait(20)
        return html_reply(504, "Gateway Time-out")

    def dead(self, number):
        return html_reply(503, "Service Unavailable")


@pytest.fixture
def service(survey):
    made = Service(survey)
    routes = {f"/viewer/{kind}-cutout": made.answer for kind in ("fits", "jpeg")}
    with SurveyService(routes, base="/viewer") as made.running:
        yield made
        made.done.set()


@pytest.fixture
def embed(encoder, service, tmp_path):
    """Call add_embeddings with the service over HTTP and a store of its own."""

    def call(table, timeout=20, **options):
        there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=timeout, workers=8)
        options = {"survey": there, "store": tmp_path / "store", "fov": FOV, "progress": False, **options}
        return add_embeddings(table, encoder=encoder, **options)

    return call


def catalogue(n):
    return Table({"ra": np.linspace(10.0, 20.0, n), "dec": np.ones(n)})


def has_embedding(table):
    return np.isfinite(np.asarray(table["embedding"])).all(axis=1)


class TestService:
    """Several times the rows of a batch, so that a new start for every batch would show."""

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    @pytest.mark.parametrize(
        ("kind", "statuses"), [("dead", {"server_error"}), ("hang", {"server_error", "timeout"})]
    )
    def test_that_is_down_costs_embeddings_what_it_costs_cutouts(
        self, kind, statuses, embed, service, tmp_path
    ):
        service.trouble = getattr(service, kind)
        started = time.monotonic()
        result = embed(catalogue(400), timeout=0.3)
        assert time.monotonic() - started < 8  # a handful of time-outs of 0.3 s, on a busy machine too
        assert len(result) == 400
        assert set(result["cutout_status"]) == statuses
        assert not has_embedding(result).any()
        assert set(result["cutout"]) == {""}
        # Eight failures, two trials, and what was in flight when they failed.
        assert 8 <= len(service.running.requests) <= 8 + 2 + 8
        with CutoutStore(tmp_path / "store") as store:
            assert store.stats()["n"].sum() == 400

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_that_cannot_be_reached(self, embed):
        nowhere = LegacySurvey(server="http://127.0.0.1:9/viewer", timeout=0.3)
        started = time.monotonic()
        result = embed(catalogue(400), survey=nowhere)
        assert set(result["cutout_status"]) == {"server_error"}
        assert time.monotonic() - started < 5

    def test_that_recovers_within_the_call(self, embed, service):
        service.trouble = lambda number: service.dead(number) if number <= 6 else None
        result = embed(catalogue(100))
        assert set(result["cutout_status"]) == {"ok"}
        assert has_embedding(result).all()
        assert len(service.running.requests) == 106

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    @pytest.mark.parametrize("kind", ["dead", "hang"])
    def test_that_recovers_after_the_call(self, kind, embed, service):
        service.trouble = lambda number: getattr(service, kind)(number) if number > 50 else None
        first = embed(catalogue(100), timeout=1)
        fetched = np.asarray(first["cutout_status"] == "ok")
        assert 0 < fetched.sum() <= 50
        assert has_embedding(first).tolist() == fetched.tolist()
        service.done.set()
        service.trouble = lambda number: None
        before = len(service.running.requests)
        second = embed(catalogue(100))
        assert set(second["cutout_status"]) == {"ok"}
        assert has_embedding(second).all()
        assert len(service.running.requests) - before == 100 - fetched.sum()


def test_one_warning_for_a_large_call(embed, service, monkeypatch):
    monkeypatch.setattr("galzoo_repr.cutouts._fetch._LARGE", 10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embed(catalogue(150))
    assert [one.category for one in caught] == [LargeQueryWarning]
    assert "150 cutouts" in str(caught[0].message)
    assert caught[0].filename == __file__  # the line that asked, not one of the package


def test_the_manifest_is_asked_once_and_the_order_made_once(embed, service, monkeypatch):
    looked_up, arranged, lookup = [], [], Manifest.lookup

    def counting(self, keys):
        looked_up.append((len(keys), len(service.running.requests)))
        return lookup(self, keys)

    monkeypatch.setattr(Manifest, "lookup", counting)
    monkeypatch.setattr(LegacySurvey, "arrange", lambda self, asked: arranged.append(len(asked)) or asked)
    embed(catalogue(150))
    assert arranged == [150]
    assert looked_up[0] == (150, 0)
    # The others are of rows being leased, lest another call has settled one meanwhile.
    assert sum(n for n, _ in looked_up[1:]) == 150
    assert sum(n for n, asked in looked_up[1:] if asked == 0) <= 64


def test_same_rows_from_the_store_and_from_the_service(embed, service, encoder, tmp_path):
    table = catalogue(30)
    there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=5)
    options = {"survey": there, "store": tmp_path / "store", "fov": FOV, "progress": False}
    add_cutouts(table[::2], **options)
    result = embed(table, embedding_store=False)
    assert len(service.running.requests) == 30
    again = embed(table, embedding_store=False)
    assert list(again["cutout"]) == list(result["cutout"])
    np.testing.assert_allclose(again["embedding"], result["embedding"], rtol=1e-3, atol=1e-4)
    assert len({tuple(vector) for vector in np.asarray(result["embedding"])}) == 30


def test_fetching_goes_on_while_the_encoder_is_busy(embed, service, small_batches, monkeypatch):
    free, original = threading.Event(), Encoder.embed
    monkeypatch.setattr(
        Encoder, "embed", lambda self, images, **options: free.wait(20) and original(self, images, **options)
    )
    results = []
    call = threading.Thread(target=lambda: results.append(embed(catalogue(60))))
    call.start()
    deadline = time.monotonic() + 20
    while len(service.running.requests) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    fetched = len(service.running.requests)
    free.set()
    call.join(20)
    assert fetched == 60, "far more than the four batches of four whose pixels are in memory"
    assert has_embedding(results[0]).all()


def test_encoding_goes_on_while_the_service_is_slow(embed, service, small_batches, monkeypatch):
    """The last rows come only when the first ones have been encoded."""
    encoded, original = threading.Semaphore(0), Encoder.embed

    def counting(self, images, **options):
        vectors = original(self, images, **options)
        encoded.release(len(images))
        return vectors

    def late(number):
        if number > 8:
            assert encoded.acquire(timeout=10)

    monkeypatch.setattr(Encoder, "embed", counting)
    service.trouble = late
    there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=20, workers=2)
    result = embed(catalogue(16), survey=there)
    assert has_embedding(result).all()


def test_batches_that_fill_slowly_are_not_waited_for(embed, service, monkeypatch):
    from galzoo_repr.encoders import _stream

    monkeypatch.setattr(_stream, "_PATIENCE_SECONDS", 0.05)
    sizes, original = [], Encoder.embed

    def noting(self, images, **options):
        sizes.append(len(images))
        return original(self, images, **options)

    monkeypatch.setattr(Encoder, "embed", noting)
    service.trouble = lambda number: time.sleep(0.1)
    there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=20, workers=1)
    assert has_embedding(embed(catalogue(6), survey=there)).all()
    assert len(sizes) >= 3
    assert sum(sizes) == 6


@pytest.mark.parametrize("where", ["fetching", "encoding"])
def test_interrupt_is_prompt_and_keeps_what_came(where, embed, service, small_batches, monkeypatch, tmp_path):
    """A Ctrl-C while requests hang, and one while the encoder is far behind."""
    from galzoo_repr.encoders import _stream

    encoded, interrupted, original = [], [], Encoder.embed

    def counting(self, images, **options):
        if where == "encoding" and not interrupted:
            time.sleep(0.5)
        vectors = original(self, images, **options)
        encoded.append(len(images))
        return vectors

    monkeypatch.setattr(Encoder, "embed", counting)
    if where == "fetching":
        service.trouble = lambda number: service.hang(number) if number > 8 else None
    else:
        monkeypatch.setattr(_stream, "_ROWS_WAITING", 8)
    there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=30, workers=4)
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        embed(catalogue(100), survey=there)
    assert time.monotonic() - started < 10
    interrupted.append(True)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("galzoo_repr-f")]
    assert not [thread.name for thread in threading.enumerate() if "encode" in thread.name]
    with CutoutStore(tmp_path / "store") as store:
        kept = dict(zip(*(store.stats()[name].tolist() for name in ("status", "n")), strict=True))["ok"]
        with store.manifest.transaction() as db:
            assert db.execute("SELECT COUNT(*) FROM claim").fetchone() == (0,)
    assert kept == 8 if where == "fetching" else kept >= sum(encoded)
    service.done.set()
    service.trouble = lambda number: None
    before = len(service.running.requests)
    assert has_embedding(embed(catalogue(100), survey=there)).all()
    assert len(service.running.requests) - before == 100 - kept
    assert sum(encoded) == 100, "nothing is encoded twice"


@pytest.mark.parametrize(
    ("limit", "rate", "slow_answer", "slow_encoder", "fetched_before"),
    [
        ("the pace at which the survey may be asked", 4, 0, 0, False),
        ("the answers of the survey", 1e4, 0.2, 0, False),
        ("the encoder", 1e4, 0, 1, True),
    ],
)
def test_what_limited_is_measured(
    limit,
    rate,
    slow_answer,
    slow_encoder,
    fetched_before,
    embed,
    service,
    tmp_path,
    monkeypatch,
    caplog,
    capsys,
):
    there = LegacySurvey(server=service.running.url, layer="ls-dr10", timeout=20, rate=rate, workers=1)
    if fetched_before:
        add_cutouts(catalogue(8), survey=there, store=tmp_path / "store", fov=FOV, progress=False)
    service.trouble = lambda number: time.sleep(slow_answer)
    original = Encoder.embed
    monkeypatch.setattr(
        Encoder, "embed", lambda self, *a, **o: time.sleep(slow_encoder) or original(self, *a, **o)
    )
    caplog.clear()
    result = embed(catalogue(8), survey=there, progress=True)
    figures = result.meta["galzoo_repr"]["add_embeddings"]["figures"]
    assert figures["limited_by"] == limit
    assert (figures["embedded"], figures["fetched"]) == (8, 0 if fetched_before else 8)
    assert f"limited by {limit}." in caplog.text
    bars = capsys.readouterr().err
    assert "embedding: 100%" in bars
    assert "fetching: 100%" in bars


def test_figures_add_up_with_repetitions_that_fail(encoder, survey, galaxies, tmp_path):
    """The first galaxy, which comes again as the last, has too little data; the others are embedded before."""
    survey.missing_at = {10.0: 0.4}
    for embedded, before in ((4, 0), (0, 4)):
        with pytest.warns(match="2 of 6 rows have no embedding"):
            table = add_embeddings(
                galaxies,
                encoder=encoder,
                survey=survey,
                store=tmp_path / "cutouts",
                embedding_store=tmp_path / "embeddings",
                progress=False,
            )
        figures = table.meta["galzoo_repr"]["add_embeddings"]["figures"]
        assert (figures["embedded"], figures["embedded_before"], figures["failed"]) == (embedded, before, 2)
        assert figures["repeated"] == 0


def test_figures_add_up_with_repetitions(encoder, survey, galaxies, tmp_path):
    table = add_embeddings(
        galaxies, encoder=encoder, survey=survey, store=tmp_path, embedding_store=False, progress=False
    )
    figures = table.meta["galzoo_repr"]["add_embeddings"]["figures"]
    counted = ("embedded", "embedded_before", "repeated", "failed")
    assert [figures[name] for name in counted] == [5, 0, 1, 0]
    assert ", 1 repeated, none failed" in closing_line(6, figures)
