"""Pictures that claim to be more than they are, and files that are none: a status, at once and in little memory."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galzoo_repr.images import read_image


def _card(keyword, value):
    return f"{keyword:<8}= {value:>20}".ljust(80).encode()


def _packed(kind="RICE_1", **cards):
    """A compressed FITS image, of whose table some cards lie."""
    pixels = np.random.default_rng(0).normal(size=(60, 60)).astype(np.float32)
    body = io.BytesIO()
    image = fits.CompImageHDU(pixels, compression_type=kind, tile_shape=(20, 60))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(body)
    body = body.getvalue()
    for keyword, value in cards.items():
        at = body.index(f"{keyword:<8}=".encode(), 2880)
        body = body[:at] + _card(keyword, value) + body[at + 80 :]
    return body


def _plain(values=None, **cards):
    body = io.BytesIO()
    header = fits.Header({"BANDS": "grz", "SPARE": 0})
    fits.PrimaryHDU(
        np.random.default_rng(0).normal(size=(3, 9, 9)) if values is None else values, header
    ).writeto(body)
    body = body.getvalue()
    for keyword, value in cards.items():
        at = (
            body.index(f"{keyword:<8}=".encode())
            if keyword != "BSCALE" and keyword != "BZERO"
            else body.index(b"SPARE")
        )
        body = body[:at] + _card(keyword, value) + body[at + 80 :]
    return body


@pytest.fixture
def in_little_memory():
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**28


@pytest.mark.skipif(os.name != "posix", reason="there are no such files elsewhere")
class TestFilesThatAreNone:
    @pytest.mark.parametrize("linked", [False, True])
    def test_pipe(self, tmp_path, linked):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        if linked:
            (tmp_path / "link").symlink_to(path)
            path = tmp_path / "link"
        image = read_image(path)
        assert image.status == "corrupt"
        assert "no regular file" in image.reason

    def test_device(self):
        assert "no regular file" in read_image("/dev/zero").reason

    def test_hollow_file(self, tmp_path, in_little_memory):
        with open(tmp_path / "hollow.fits", "wb") as file:
            file.truncate(2**40)
        assert "which no picture has" in read_image(tmp_path / "hollow.fits").reason

    @pytest.mark.parametrize("path", ["a\0b", "a\ud800b", "a" * 5000])
    def test_path_that_cannot_be(self, path):
        assert read_image(path).status in ("missing", "corrupt")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_unpacks_to_far_more_is_refused(pack, in_little_memory):
    image = read_image(pack(bytes(2**27)))
    assert image.status == "corrupt"
    assert "unpack to more than" in image.reason


def _png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def _saved(kind, at, new):
    body = io.BytesIO()
    Image.new("RGB", (64, 64)).save(body, kind)
    body = bytearray(body.getvalue())
    body[at : at + len(new)] = new
    return bytes(body)


@pytest.mark.parametrize(
    "content",
    [
        _png(65_000, 65_000),
        _png(8000, 8000),
        _saved("GIF", 6, b"\xff\xff\xff\xff"),
        _saved("BMP", 18, struct.pack("<ii", 2**30, 2**30)),
        b"P6 7000 7000 255\n" + bytes(100),
    ],
    ids=["png", "smaller png", "gif", "bmp", "ppm"],
)
def test_colours_are_not_decoded_before_their_number_is_known(content, in_little_memory):
    image = read_image(content)
    assert image.status == "corrupt"
    assert image.reason


def test_no_program_is_run_for_a_picture(monkeypatch):
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("it was run"))
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    assert "is not run" in read_image(drawing).reason


class TestFits:
    @pytest.mark.parametrize("axes", [1000, 10**9, -1, "2.0"])
    def test_axes_that_cannot_be(self, axes):
        image = read_image(_plain(BITPIX=-64, NAXIS=axes))
        assert image.status == "corrupt"
        assert f"NAXIS = {axes}" in image.reason

    @pytest.mark.parametrize(
        "cards",
        [{"ZNAXIS1": 10**9}, {"ZNAXIS2": 10**6}, {"ZNAXIS": 10**9}, {"ZTILE1": 10**9}, {"ZTILE2": -1}, {"PCOUNT": -5},
         {"NAXIS2": "1E9"}, {"TFIELDS": 10**8}, {"ZBITPIX": 7}, {"ZCMPTYPE": "'BOGUS'"}],
        ids=str,
    )  # fmt: skip
    def test_packed_images_that_lie(self, cards, in_little_memory):
        image = read_image(_packed(**cards), "g")
        assert image.status in ("corrupt", "truncated")
        assert image.reason

    @pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
    def test_packed_images_that_do_not_are_read(self, kind):
        assert read_image(_packed(kind), "g").status == "ok"

    def test_what_follows_a_good_image_does_not_matter(self):
        follows = _packed(NAXIS=10**9)[2880:]
        assert read_image(_plain(SPARE=0, BZERO=0.0) + follows).status == "ok"

    @pytest.mark.parametrize(
        "cards", [{"BSCALE": "nan"}, {"BZERO": "nan"}, {"BSCALE": "1E300"}, {"BSCALE": "'a'"}], ids=str
    )
    def test_scales_that_are_none(self, cards):
        image = read_image(_plain(**cards))
        assert image.status in ("partial", "corrupt")
        assert image.reason
        assert image.pixels is None or np.isfinite(image.pixels).all()

    @pytest.mark.parametrize("value", [1e300, 1e30, -1e20])
    def test_pixels_that_are_no_fluxes(self, value):
        pixels = np.random.default_rng(0).normal(size=(3, 9, 9))
        pixels[1, 2, 3] = value
        image = read_image(_plain(pixels))
        assert image.status == "corrupt" or np.abs(image.pixels).max() < 1e15

    def test_numbers_of_thousands_of_digits(self):
        content = _plain().replace(b"NAXIS1  =", b"NAXIS1  =" + b"9" * 4000, 1)
        assert read_image(content).status in ("corrupt", "truncated")
