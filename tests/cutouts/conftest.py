"""A small viewer on the loopback interface, with the habits of the real one that the client must see."""

import io
import threading

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galzoo_repr import LegacySurvey
from galzoo_repr.cutouts import CutoutStore, fetch_into
from galzoo_repr.simulation._service import Reply, SurveyService, html_reply

LAYER_BANDS = {"ls-dr9": "grz", "ls-dr10": "griz", "ls-dr10-gri": "gri", "sdss": "gri"}


class Viewer:
    """Images of noise; positions north of +60 are off the survey; tests set `holes` and `overrides`."""

    def __init__(self):
        self.holes = {}
        self.overrides = {}
        self.header = {}

    def fits(self, request):
        query = request.query
        layer, size, scale = query["layer"], min(int(query["size"]), 3000), float(query["pixscale"])
        ra, dec = float(query["ra"]), float(query["dec"])
        if layer not in LAYER_BANDS:
            return Reply(200, "text/html; charset=utf-8", b"no such layer")
        if dec > 60:
            return html_reply(500, "Server Error (500)")
        bands = query["bands"] if set(query["bands"]) <= set(LAYER_BANDS[layer]) else LAYER_BANDS[layer]
        generator = np.random.default_rng([int(ra * 1e4), int((dec + 90) * 1e4), size])
        planes = generator.normal(0, 0.01, (len(bands), size, size)).astype(">f4")
        for band, rows in self.holes.items():
            if band in bands:
                planes[bands.index(band), : int(rows * size)] = 0
        header = fits.Header(
            {"SURVEY": "LegacySurvey", "VERSION": "DR10", "IMAGETYP": "IMAGE", "BANDS": bands}
        )
        header.update(
            CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=ra, CRVAL2=dec,
            CRPIX1=(size + 1) / 2, CRPIX2=(size + 1) / 2,
            CD1_1=-scale / 3600, CD1_2=0.0, CD2_1=0.0, CD2_2=scale / 3600,
        )  # fmt: skip
        header.update(self.header)
        body = io.BytesIO()
        fits.PrimaryHDU(planes if len(bands) > 1 else planes[0], header).writeto(body)
        return Reply(200, "image/fits", body.getvalue())

    def jpeg(self, request):
        query = request.query
        size = min(int(query["size"]), 3000)
        if query["layer"] not in LAYER_BANDS:
            return Reply(200, "text/html; charset=utf-8", b"no such layer")
        if float(query["dec"]) > 60:
            pixels = np.full((size, size, 3), 22 if query["layer"].endswith("-gri") else 32, np.uint8)
        else:
            pixels = np.random.default_rng(0).integers(20, 90, (size, size, 3), np.uint8)
        body = io.BytesIO()
        Image.fromarray(pixels).save(body, "JPEG", quality=90)
        return Reply(200, "image/jpeg", body.getvalue())


class Raw:
    """Bytes for the socket as they are: headers that lie, bodies that trickle, stall or break off."""

    def __init__(self, head, body=b"", *, pause=0.0, piece=1 << 20, first_pause=0.0):
        self.head, self.body, self.pause, self.piece, self.first_pause = head, body, pause, piece, first_pause
        self.done = threading.Event()

    def write(self, handler):
        handler.close_connection = True
        self.done.wait(self.first_pause)
        handler.wfile.write(self.head.replace("\n", "\r\n").encode())
        for start in range(0, len(self.body), self.piece):
            handler.wfile.write(self.body[start : start + self.piece])
            handler.wfile.flush()
            self.done.wait(self.pause)


@pytest.fixture
def viewer():
    return Viewer()


@pytest.fixture
def service(viewer):
    def answer(kind):
        def endpoint(request):
            override = viewer.overrides.get(kind, viewer.overrides.get("any"))
            reply = override(request) if callable(override) else override
            return reply if reply is not None else getattr(viewer, kind)(request)

        return endpoint

    routes = {"/viewer/fits-cutout": answer("fits"), "/viewer/jpeg-cutout": answer("jpeg")}
    with SurveyService(routes, base="/viewer") as running:
        yield running


@pytest.fixture
def survey(service):
    return LegacySurvey(server=service.url, layer="ls-dr10", timeout=5)


@pytest.fixture
def store(tmp_path):
    with CutoutStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def raw():
    """Replies that reach the socket as they are; those that wait are let go when the test ends."""
    made = []

    def make(*args, **kwargs):
        made.append(Raw(*args, **kwargs))
        return made[-1]

    yield make
    for reply in made:
        reply.done.set()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Retry without the pauses that real services deserve."""
    from galzoo_repr.cutouts import _pool, _throttle

    monkeypatch.setattr(_pool, "backoff_seconds", lambda attempts: 0.001)
    monkeypatch.setattr(_throttle, "_PROBE_SECONDS", (0.01, 0.02))


@pytest.fixture
def fetch_all():
    """Fetch into a store and give the outcomes in the order of the requests."""

    def call(store, survey, requests, **options):
        outcomes = dict(fetch_into(store, survey, requests, **options))
        return [outcomes[row] for row in range(len(requests))]

    return call
