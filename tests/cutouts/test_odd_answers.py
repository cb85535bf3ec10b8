"""Answers that no service should give: each is a status on its own row, within limits of time and of memory."""

import gzip
import io
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from galzoo_repr import LegacySurvey, add_cutouts
from galzoo_repr.cutouts import HipsSurvey, fetch_into
from galzoo_repr.simulation._service import Reply

pytestmark = pytest.mark.filterwarnings("ignore:.* rows have no ")

OK = "HTTP/1.1 200 OK\n"
ODD_HEADS = {
    "no status line": "hello\n\n",
    "code abc": "HTTP/1.1 abc x\n\n",
    "code 101": "HTTP/1.1 101 x\n\n",
    "code 206": "HTTP/1.1 206 x\nContent-Length: 0\n\n",
    "code 304": "HTTP/1.1 304 x\n\n",
    "code 999": "HTTP/1.1 999 x\nContent-Length: 0\n\n",
    "length abc": f"{OK}Content-Length: abc\n\n",
    "length superscript": f"{OK}Content-Length: \u00b2\n\n",
    "length of twenty digits": f"{OK}Content-Length: 99999999999999999999\n\n",
    "length of many digits": f"{OK}Content-Length: {'9' * 5000}\n\n",
    "two lengths": f"{OK}Content-Length: 1\nContent-Length: 2\n\n",
    "chunk ZZZ": f"{OK}Transfer-Encoding: chunked\n\nZZZ\n",
    "chunk -1": f"{OK}Transfer-Encoding: chunked\n\n-1\n",
    "header without colon": f"{OK}nonsense\nContent-Length: 0\n\n",
    "200 headers": f"{OK}{'X: a' + chr(10)}" * 200 + "\n",
    "pause superscript": "HTTP/1.1 404 x\nRetry-After: \u00b2\nContent-Length: 0\n\n",
    "redirect to brackets": "HTTP/1.1 302 x\nLocation: http://[::1\nContent-Length: 0\n\n",
    "redirect to a file": "HTTP/1.1 302 x\nLocation: file:///etc/passwd\nContent-Length: 0\n\n",
    "redirect to a port": "HTTP/1.1 302 x\nLocation: http://127.0.0.1:99999999/\nContent-Length: 0\n\n",
    "redirect to nowhere": "HTTP/1.1 302 x\nContent-Length: 0\n\n",
    "unknown packing": f"{OK}Content-Encoding: zstd\nContent-Length: 2\n\nhi",
    "packed 500 times": f"{OK}Content-Encoding: {', '.join(['gzip'] * 500)}\nContent-Length: 2\n\nhi",
    "packed, but plain": f"{OK}Content-Encoding: gzip\nContent-Length: 2\n\nhi",
}


@pytest.fixture
def four_rows(survey, store, viewer):
    """Statuses of four rows, of which the service answers one as it is told."""

    def fetch(reply, kind="fits", *, timeout=2):
        def odd(request):
            if request.query["ra"].startswith("3."):
                return reply(request) if callable(reply) else reply
            return None

        viewer.overrides[kind] = odd
        survey.timeout = timeout
        table = Table({"ra": [1.0, 2.0, 3.0, 4.0], "dec": [0.0] * 4})
        found = add_cutouts(table, survey=survey, store=store, fov=38 * 0.262 * u.arcsec, progress=False)
        statuses = found["cutout_status"].tolist()
        assert statuses[:2] + statuses[3:] == ["ok"] * 3
        return statuses[2]

    return fetch


@pytest.fixture
def request_(survey):
    return survey.request(3.0, 0.0, 38, 0.262 * u.arcsec)


@pytest.mark.parametrize("head", ODD_HEADS.values(), ids=ODD_HEADS)
def test_an_odd_head_is_a_status_on_its_row(four_rows, raw, head):
    assert four_rows(raw(head)) in ("server_error", "corrupt", "truncated", "bad_request")


def test_words_of_a_service_are_short_and_harmless(survey, viewer, raw, request_):
    viewer.overrides["any"] = raw(f"HTTP/1.1 404 \x1b[2J{'a' * 9000}\nContent-Length: 4\n\n\x1b[2J")
    reason = survey.attempt(request_).outcome.reason
    assert reason.isprintable()
    assert len(reason) < 600


def test_a_pause_of_a_year_is_capped_and_told(survey, viewer, request_):
    viewer.overrides["any"] = Reply(429, "text/plain", b"", {"Retry-After": str(31_536_000)})
    assert (
        "asks for a pause of 31536000 s, of which 3600 s are kept" in survey.attempt(request_).outcome.reason
    )
    assert survey.attempt(request_).outcome.reason == "not asked: the service wants to be left alone"


class TestRedirects:
    @staticmethod
    def _to(place):
        return lambda request: Reply(302, "text/plain", b"", {"Location": place})

    def test_to_another_host_is_not_followed(self, survey, viewer, service, request_):
        viewer.overrides["fits"] = self._to(f"{service.url.replace('127.0.0.1', 'localhost')}/jpeg-cutout")
        outcome = survey.attempt(request_).outcome
        assert (outcome.status, outcome.http_code) == ("server_error", 302)
        assert "another host" in outcome.reason
        assert len(service.requests) == 1

    def test_within_the_service_is_followed(self, survey, viewer, service, request_):
        viewer.overrides["fits"] = lambda request: (
            None
            if "again" in request.query
            else Reply(
                302,
                "text/plain",
                b"",
                {"Location": "fits-cutout?again=1&" + "&".join(map("=".join, request.query.items()))},
            )
        )
        assert survey.attempt(request_).outcome.status == "ok"
        assert len(service.requests) == 2

    def test_to_a_host_of_the_survey_is_allowed(self, survey, viewer, request_, monkeypatch):
        monkeypatch.setattr(LegacySurvey, "redirect_hosts", ("galaxies.invalid",))
        viewer.overrides["fits"] = self._to("http://galaxies.invalid/x")
        # Allowed, but there is no such host.
        assert "another host" not in survey.attempt(request_).outcome.reason

    @pytest.mark.parametrize("grows", [False, True])
    def test_without_end_are_given_up_early_and_paced(self, survey, viewer, service, request_, grows):
        survey.rate = 4

        def onward(request):
            query = "&".join(map("=".join, request.query.items()))
            return Reply(
                302,
                "text/plain",
                b"",
                {"Location": f"fits-cutout?{query}{'&x=1' * grows * len(service.requests)}"},
            )

        viewer.overrides["fits"] = onward
        assert survey.attempt(request_).outcome.status == "server_error"
        assert len(service.requests) <= 4
        starts = [request.started for request in service.requests]
        assert starts[-1] - starts[0] >= (len(starts) - 1) / 4 * 0.5


class TestBounds:
    @staticmethod
    def _bomb(megabytes):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        start = packer.flush(zlib.Z_FULL_FLUSH)
        piece = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
        return start + piece * megabytes

    @pytest.mark.parametrize("kind", ["plain", "chunks", "bomb"])
    def test_no_more_is_taken_in_than_was_asked_for(self, survey, viewer, raw, request_, kind):
        head, body = {
            "plain": ("\n", bytes(2**26)),
            "chunks": ("Transfer-Encoding: chunked\n\n", (b"100000\r\n" + bytes(2**20) + b"\r\n") * 64),
            "bomb": ("Content-Encoding: gzip\n\n", self._bomb(64)),
        }[kind]
        viewer.overrides["any"] = raw(OK + head, body)
        tracemalloc.start()
        outcome = survey.attempt(request_).outcome
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert outcome.status == "corrupt"
        assert "larger than what was asked for" in outcome.reason
        assert peak < 2**24

    @pytest.mark.parametrize("head", ["\n", "Content-Length: 99999999999\n\n"])
    def test_what_breaks_a_bound_is_not_asked_for_again(
        self, survey, viewer, service, raw, store, request_, head
    ):
        viewer.overrides["any"] = raw(OK + head, bytes(2**22))
        ((_, outcome),) = fetch_into(store, survey, [request_])
        assert (outcome.status, outcome.attempts) == ("corrupt", 1)
        assert len(service.requests) == 1

    def test_a_length_beyond_the_bound_is_not_waited_for(self, survey, viewer, raw, request_):
        viewer.overrides["any"] = raw(f"{OK}Content-Length: 99999999999\n\n", b"x" * 9, pause=30)
        assert "99999999999 bytes are announced" in survey.attempt(request_).outcome.reason

    def test_an_honest_packed_answer_is_unpacked(self, survey, viewer, raw, request_):
        def packed(request):
            body = gzip.compress(viewer.fits(request).body)
            return raw(f"{OK}Content-Encoding: gzip\nContent-Length: {len(body)}\n\n", body)

        viewer.overrides["fits"] = packed
        outcome = survey.attempt(request_).outcome
        assert outcome.status == "ok", outcome.reason

    @pytest.mark.parametrize("cut", [-9, 200])
    def test_a_packed_answer_without_end_is_truncated(self, survey, viewer, raw, request_, cut):
        viewer.overrides["fits"] = lambda request: raw(
            f"{OK}Content-Encoding: gzip\n\n", gzip.compress(viewer.fits(request).body)[:cut]
        )
        assert survey.attempt(request_).outcome.status == "truncated"

    @pytest.mark.parametrize(
        "start", [f"{OK}X: ", f"{OK}Transfer-Encoding: chunked\n\n"], ids=["header", "chunk size"]
    )
    def test_what_is_no_body_is_bounded_too(self, survey, viewer, raw, request_, start):
        viewer.overrides["any"] = raw(start, b"0" * 2**25)
        tracemalloc.start()
        outcome = survey.attempt(request_).outcome
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert outcome.status in ("corrupt", "server_error", "truncated")
        assert peak < 2**25

    def test_cookies_are_not_kept(self, survey, viewer, service, request_):
        seen = []

        def answer(request):
            seen.append(request)
            return Reply(404, "text/plain", b"", {"Set-Cookie": "a=b"})

        viewer.overrides["any"] = answer
        survey.attempt(request_)
        assert not survey._thread_session().cookies


class TestDeadline:
    def test_holds_while_a_name_is_looked_up(self, survey, request_, monkeypatch):
        release = threading.Event()
        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kw: release.wait(20) and real(*args, **kw))
        survey.timeout = 0.3
        began = time.monotonic()
        assert survey.attempt(request_).outcome.status == "timeout"
        assert time.monotonic() - began < 2
        release.set()

    def test_a_connection_that_comes_too_late_is_hung_up(self, monkeypatch):
        release = threading.Event()
        real = socket.getaddrinfo
        with socket.create_server(("127.0.0.1", 0)) as listener:
            monkeypatch.setattr(
                socket, "getaddrinfo", lambda *args, **kw: release.wait(20) and real(*args, **kw)
            )
            listener.settimeout(20)
            survey = LegacySurvey(server=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3)
            request = survey.request(3.0, 0.0, 38, 0.262 * u.arcsec)
            assert survey.attempt(request).outcome.status == "timeout"
            release.set()
            with listener.accept()[0] as connection:
                connection.settimeout(20)
                assert connection.recv(1) == b""

    def test_holds_while_tls_trickles(self, request_):
        done = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def trickle():
                connection, _ = listener.accept()
                with connection:
                    while not done.wait(0.05):
                        try:
                            connection.sendall(b"\x16")
                        except OSError:
                            return

            thread = threading.Thread(target=trickle)
            thread.start()
            survey = LegacySurvey(server=f"https://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)
            began = time.monotonic()
            outcome = survey.attempt(survey.request(3.0, 0.0, 38, 0.262 * u.arcsec)).outcome
            assert outcome.status in ("timeout", "server_error")
            assert time.monotonic() - began < 2.5
            done.set()
            thread.join()


def _cards(body, **cards):
    for keyword, value in cards.items():
        at = body.index(f"{keyword:<8}=".encode())
        body = body[:at] + f"{keyword:<8}= {value:>20}".encode().ljust(80) + body[at + 80 :]
    return body


class TestImages:
    @pytest.mark.parametrize(
        "cards",
        [{"NAXIS": 10**9}, {"NAXIS": "3.0"}, {"NAXIS1": "9" * 60}, {"NAXIS1": -38}, {"BITPIX": "-32.0"},
         {"CRVAL1": "nan"}, {"CD1_1": "inf"}],
        ids=str,
    )  # fmt: skip
    def test_headers_that_lie(self, four_rows, viewer, cards):
        def reply(request):
            return Reply(200, "image/fits", _cards(viewer.fits(request).body, **cards))

        assert four_rows(reply) in ("corrupt", "bad_request", "truncated")

    @pytest.mark.parametrize("card", [b"BSCALE  =                nan", b"BZERO   =               1E30"])
    def test_fluxes_that_are_scaled(self, four_rows, viewer, card):
        def reply(request):
            body = viewer.fits(request).body
            at = body.index(b"IMAGETYP=")
            return Reply(200, "image/fits", body[:at] + card.ljust(80) + body[at + 80 :])

        assert four_rows(reply) == "corrupt"

    @pytest.mark.parametrize("named", [{"BAND0": "z", "BAND1": "r", "BAND2": "g"}])
    @pytest.mark.parametrize(("bands", "status"), [("COMMENT", "band_missing"), ("BANDS", "corrupt")])
    def test_bands_in_another_order(self, four_rows, viewer, named, bands, status):
        def reply(request):
            viewer.header = named
            body = viewer.fits(request).body
            viewer.header = {}
            return Reply(200, "image/fits", body.replace(b"BANDS   =", f"{bands:<8}=".encode()))

        assert four_rows(reply) == status

    def test_pixels_that_are_no_fluxes(self, four_rows, viewer):
        def reply(request):
            body = bytearray(viewer.fits(request).body)
            body[2880 + 400 : 2880 + 404] = struct.pack(">f", 3e38)
            return Reply(200, "image/fits", bytes(body))

        assert four_rows(reply) == "corrupt"

    @pytest.mark.parametrize("claimed", [(65_000, 65_000), (0, 0), (37, 38)])
    def test_a_jpeg_is_not_decoded_before_its_size_is_known(self, survey, store, four_rows, claimed):
        survey.image_format = "jpeg"
        body = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (38, 38, 3), np.uint8)).save(body, "JPEG")
        body = bytearray(body.getvalue())
        at = body.index(b"\xff\xc0") + 5
        body[at : at + 4] = struct.pack(">HH", *claimed)
        assert four_rows(Reply(200, "image/jpeg", bytes(body)), "jpeg") in ("corrupt", "bad_request")

    def test_a_jpeg_of_very_many_scans_is_not_decoded(self, survey, four_rows):
        survey.image_format = "jpeg"
        reply = Reply(200, "image/jpeg", b"\xff\xd8" + b"\xff\xda\0\0" * 200)
        assert four_rows(reply, "jpeg") == "corrupt"


@pytest.mark.parametrize(
    "card", ["BUNIT   = 'nJ", "MAGZERO =                1E999", "BUNIT   = 'abc'", "\xff" * 8]
)
def test_a_hips_plane_with_odd_cards_is_a_status(viewer, survey, card, monkeypatch):
    """The planes of a HiPS come one by one, and are put together here."""
    hips = HipsSurvey(
        server=f"{survey.server}/fits-cutout", layer="CDS/P/DESI-Legacy-Surveys/DR10", timeout=2
    )
    ask = replace(hips.request(3.0, 0.0, 38, 0.262 * u.arcsec), layer="ls-dr10")
    of_the_viewer = [LegacySurvey._payload(replace(ask, bands=band)) for band in ask.bands]
    monkeypatch.setattr(hips, "_payload", lambda request: of_the_viewer)

    def reply(request):
        body = viewer.fits(request).body
        at = body.index(b"SURVEY  =")
        return Reply(200, "image/fits", body[:at] + card.encode("latin1").ljust(80) + body[at + 80 :])

    viewer.overrides["fits"] = reply
    assert hips.attempt(ask).outcome.status in ("ok", "corrupt")
