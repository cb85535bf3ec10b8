"""Pictures that a catalogue names, and names that galaxies have."""

import bz2
import gzip
import io
import lzma
import os
import socket
import struct
import zlib
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from PIL import Image

from galzoo_repr import CutoutStore
from galzoo_repr.cutouts import LegacySurvey, fetch_into
from galzoo_repr.images import read_image

from . import attack
from .answers import BRICKS, brick, jpeg
from .bad_server import Server, fits_body, gzip_bomb, send, with_cards


def fifo(folder):
    os.mkfifo(folder / "a")
    return folder / "a"


def bound_socket(folder):
    socket.socket(socket.AF_UNIX).bind(str(folder / "a"))
    return folder / "a"


def link(to):
    def make(folder):
        (folder / "a").symlink_to(to(folder) if callable(to) else to)
        return folder / "a"

    return make


def linked_fifo(folder):
    os.mkfifo(folder / "b")
    return folder / "b"


def hollow(folder):
    with open(folder / "a", "wb") as file:
        file.truncate(2**40)
    return folder / "a"


PATHS = {
    "pipe": fifo,
    "socket": bound_socket,
    "folder": lambda folder: folder,
    "link to a pipe": link(linked_fifo),
    "link to /dev/zero": link("/dev/zero"),
    "link to itself": link("a"),
    "/dev/zero": lambda _: "/dev/zero",
    "/dev/stdin": lambda _: "/dev/stdin",
    "/proc/self/mem": lambda _: "/proc/self/mem",
    "/proc/kmsg": lambda _: "/proc/kmsg",
    "a hollow file of 1 TB": hollow,
    "with a zero": lambda _: "a\0b",
    "with half a letter": lambda _: "a\ud800b",
    "of 5000 letters": lambda _: "a" * 5000,
    "an address": lambda _: "http://127.0.0.1:9/x",
}


@attack(path=PATHS)
def the_path_of_a_picture_is_a(folder, path):
    image = read_image(path(folder))
    assert image.status in ("missing", "corrupt", "truncated")
    assert image.reason


def png(width, height, chunks=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(min(3 * width * height, 2**20)))
    return b"\x89PNG\r\n\x1a\n" + head + chunks + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def saved(kind, size=(64, 64), **options):
    body = io.BytesIO()
    Image.new("RGB", size).save(body, kind, **options)
    return body.getvalue()


def frames():
    body = io.BytesIO()
    many = [Image.new("P", (200, 200), colour % 250) for colour in range(500)]
    many[0].save(body, "GIF", save_all=True, append_images=many[1:])
    return body.getvalue()


def patched(body, at, new):
    return body[:at] + new + body[at + len(new) :]


PICTURES = {
    "PNG of 65000 x 65000": lambda: png(65000, 65000),
    "PNG of 2^31 x 2^31": lambda: png(2**31 - 1, 2**31 - 1),
    "PNG of 8000 x 8000 zeros": lambda: saved("PNG", (8000, 8000)),
    "GIF of 65535 x 65535": lambda: patched(saved("GIF"), 6, b"\xff\xff\xff\xff"),
    "GIF of 500 frames": frames,
    "BMP of 2^30 x 2^30": lambda: patched(saved("BMP"), 18, struct.pack("<ii", 2**30, 2**30)),
    "TIFF of 60000 x 60000": lambda: saved("TIFF").replace(b"\x40\0\0\0", b"\x60\xea\0\0"),
    "WebP of 16383 x 16383": lambda: saved("WEBP", lossless=True)[:21] + b"\xff\xff\xff\x0f" + bytes(40),
    "WebP cut": lambda: saved("WEBP")[:40],
    "PPM of 10^9 x 10^9": lambda: b"P6 1000000000 1000000000 255\n" + bytes(100),
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) (w) file\n%%EOF\n",
    "JPEG of 65000 x 65000": lambda: jpeg(claimed=(65000, 65000)),
    "gzip bomb": lambda: gzip_bomb(3000),
    "gzip bomb in gzip": lambda: gzip.compress(gzip_bomb(3000)),
    "bzip2 bomb": lambda: bz2.compress(bytes(2**27)) * 30,
    "xz bomb": lambda: lzma.compress(bytes(2**27), preset=1) * 30,
    "FITS of 10^9 axes": lambda: flat(NAXIS=10**9),
    "FITS of 1000 axes": lambda: flat(NAXIS=1000),
    "FITS of axes with 4000 digits": lambda: flat().replace(b"NAXIS1  =", b"NAXIS1  =" + b"9" * 4000, 1),
    "FITS with BZERO nan": lambda: flat(BZERO="nan"),
    "FITS with BSCALE 1e300": lambda: flat(BSCALE="1E300"),
    "FITS with BSCALE 'a'": lambda: flat(BSCALE="'a'"),
    "FITS cut": lambda: flat()[:5000],
    "FITS of 1e300": lambda: doubles(1e300),
    "FITS of -inf": lambda: doubles(-np.inf),
}


def flat(**cards):
    return fits_body("?ra=1&dec=0&size=38&pixscale=0.262", bands="grz", **cards)


def doubles(value):
    body = io.BytesIO()
    header = fits.Header({"BANDS": "grz"})
    fits.PrimaryHDU(np.full((3, 9, 9), value), header).writeto(body)
    return body.getvalue()


@attack(seconds=40, made=PICTURES)
def a_picture_that_is_a(folder, made):
    image = read_image(made())
    if image.status == "ok" or image.pixels is not None:
        assert np.isfinite(image.pixels).all()
    else:
        assert image.reason


@attack(made=BRICKS)
def a_picture_that_is_a_packed_fits_with(folder, made):
    image = read_image(made(), "g")
    assert image.reason or np.isfinite(image.pixels).all()


@attack()
def an_extension_of_10_to_the_9_axes_hides_no_image(folder):
    primary = fits_body("?ra=1&dec=0&size=38&pixscale=0.262", bands="grz", BZERO="0.0")
    broken = with_cards(brick()[2880:], NAXIS=10**9)
    assert read_image(primary + broken).status == "ok"


NAMES = ["NGC 1/2", "NGC 1_2", "NGC 1:2", "../x", "..", ".", "", "/etc/passwd", "C:\\x", "a\0b", "a\nb", "-rf",
         ".hidden", "CON", "con.txt", "com\u00b9", "a.", "a ", "a", "A", "\u00e9", "e\u0301", "x" * 300, "x" * 301,
         "\u00e9" * 200, "\u202egpj", "\ud800", "~", "$HOME", "*?\"<>|"]  # fmt: skip


@attack()
def names_of_galaxies_are_those_of_files(folder):
    server = Server(lambda c, path, n: send(c, fits_body(path)))
    survey = LegacySurvey(server=server.url, timeout=5)
    wanted = [survey.request(1.0 + row, 0.0, 38, 0.262 * u.arcsec) for row in range(len(NAMES))]
    with CutoutStore(folder / "store") as store:
        outcomes = dict(fetch_into(store, survey, wanted))
        paths = [store.name(request, outcomes[row]) for row, request in enumerate(wanted)]
        for _ in range(2):
            table = store.export(folder / "deep" / "out", cutouts=paths, names=NAMES)
            there = sorted(os.listdir(folder / "deep" / "out"))
            assert len(there) == len({one.casefold() for one in there}) == len(NAMES)
            assert sorted(table["file"]) == there
            for file, path in zip(table["file"], paths, strict=True):
                assert (folder / "deep" / "out" / file).read_bytes() == Path(path).read_bytes()
    assert os.listdir(folder / "deep") == ["out"]
