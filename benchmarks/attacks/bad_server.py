"""A service on the loopback interface that sends whatever bytes an attack wants, and honest images otherwise."""

import io
import socket
import threading
import time
import zlib
from urllib.parse import parse_qs, urlsplit

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table

from galzoo_repr import LegacySurvey, add_cutouts
from galzoo_repr.cutouts import STATUSES

MEGABYTE = bytes(2**20)


class Server:
    """Answers GET by ``answer(connection, path, number)``, which writes to the socket; it is closed on False."""

    def __init__(self, answer):
        self._answer, self.paths, self.heads = answer, [], []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/viewer"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                while head := self._head(lines):
                    path = head[0].split()[1].decode()
                    self.paths.append(path)
                    self.heads.append(b"".join(head))
                    if self._answer(connection, path, len(self.paths)) is False:
                        return
        except OSError:
            pass

    @staticmethod
    def _head(lines):
        head = []
        while (line := lines.readline()) not in (b"\r\n", b""):
            head.append(line)
        return head


def send(connection, body, head=b"HTTP/1.1 200 OK", *headers):
    lines = [head, *headers, b"Content-Length: %d" % len(body)]
    connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)


def fits_body(path, bands=None, pixels=None, **cards):
    """The image that a request to the viewer asks for; cards are replaced or added as they are, text and all."""
    query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
    size, scale = int(query["size"]), float(query["pixscale"]) / 3600
    bands = query["bands"] if bands is None else bands
    if pixels is None:
        pixels = np.random.default_rng(int(float(query["ra"]))).normal(size=(len(bands), size, size))
    header = fits.Header({"BANDS": bands})
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=float(query["ra"]), CRVAL2=float(query["dec"]))
    header.update(CRPIX1=(size + 1) / 2, CRPIX2=(size + 1) / 2, CD1_1=-scale, CD2_2=scale)
    body = io.BytesIO()
    fits.PrimaryHDU(np.asarray(pixels, ">f4"), header).writeto(body)
    return with_cards(body.getvalue(), **cards)


def with_cards(body, **cards):
    """Replace cards of the first header by others, or by nothing, or add them, whatever they say."""
    end = body.index(b"END".ljust(80))
    lines = [body[start : start + 80] for start in range(0, end, 80)]
    for keyword, value in cards.items():
        keyword = keyword.replace("__", "-")
        card = b"" if value is None else f"{keyword:<8}= {value:>20}".encode("latin1").ljust(80)[:80]
        places = [place for place, line in enumerate(lines) if line.startswith(f"{keyword:<8}".encode())]
        for place in places:
            lines[place] = card
        if not places:
            lines.append(card)
    head = b"".join(lines) + b"END".ljust(80)
    old = -(-(end + 80) // 2880) * 2880
    return head.ljust(-(-len(head) // 2880) * 2880) + body[old:]


def gzip_bomb(megabytes):
    """Zeros in pieces that are all the same, and can be repeated; only the sum at the end is wrong."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + piece * megabytes + packer.flush()


def forever(connection, piece=MEGABYTE, pause=0.0):
    while True:
        connection.sendall(piece)
        time.sleep(pause)


def one_bad_row(
    folder, answer, *, allowed=frozenset(STATUSES) - {"ok"}, image_format="fits", honest=fits_body
):
    """Four rows, of which the service answers the third as it likes: this one has a status and the others are good."""

    def some(connection, path, number):
        if "ra=3." in path:
            return answer(connection, path, number)
        return send(connection, honest(path))

    table, server = Table({"ra": [1.0, 2.0, 3.0, 4.0], "dec": [0.0] * 4}), Server(some)
    survey = LegacySurvey(server=server.url, timeout=2, image_format=image_format)
    found = add_cutouts(table, survey=survey, store=folder / "store", fov=10 * u.arcsec, progress=False)
    statuses = found["cutout_status"].tolist()
    assert statuses[2] in allowed, statuses
    assert statuses[:2] + statuses[3:] == ["ok"] * 3, statuses
    return server


def one_attempt(answer, *, timeout=1.0, late=2.0, **options):
    """Ask once: whatever comes, there is an outcome before the deadline and two seconds have passed."""
    server = Server(answer)
    survey = LegacySurvey(server=server.url, timeout=timeout, **options)
    request = survey.request(3.0, 0.0, 38, 0.262 * u.arcsec)
    began = time.monotonic()
    outcome = survey.attempt(request).outcome
    took = time.monotonic() - began
    assert took < timeout + late, f"it took {took:.1f} s"
    assert outcome.status != "ok"
    assert outcome.reason
    return outcome
