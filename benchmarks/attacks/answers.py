"""Images, bricks and maps from a service that are not what they claim to be."""

import io
import struct
import threading
import time
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galzoo_repr import CutoutStore, add_cutouts
from galzoo_repr.cutouts import BrickSurvey, Coverage, HipsSurvey, LegacySurvey, cutout_requests, fetch_into

from . import attack
from .bad_server import MEGABYTE, Server, fits_body, forever, gzip_bomb, one_bad_row, send, with_cards

CARDS = {
    "NAXIS 3.0": {"NAXIS": "3.0"},
    "NAXIS 10^9": {"NAXIS": 10**9},
    "NAXIS -1": {"NAXIS": -1},
    "NAXIS1 99999999999": {"NAXIS1": "99999999999"},
    "NAXIS1 -38": {"NAXIS1": -38},
    "NAXIS1 inf": {"NAXIS1": "inf"},
    "NAXIS1 of 60 digits": {"NAXIS1": "9" * 60},
    "BITPIX 64": {"BITPIX": 64},
    "BITPIX -32.0": {"BITPIX": "-32.0"},
    "CRVAL1 nan": {"CRVAL1": "nan"},
    "CD1_1 inf": {"CD1_1": "inf"},
    "no grid": {"CRVAL1": None},
    "BSCALE nan": {"BSCALE": "nan"},
    "BZERO 1e30": {"BZERO": "1E30"},
    "BSCALE 'abc'": {"BSCALE": "'abc'"},
    "bands zrg": {"BANDS": "'zrg'"},
    "bands zrg one by one": {"BANDS": None, "BAND0": "'z'", "BAND1": "'r'", "BAND2": "'g'"},
    "bands told in two ways": {"BAND0": "'z'", "BAND1": "'r'", "BAND2": "'g'"},
    "bands in half": {"BANDS": None, "BAND0": "'g'"},
}


@attack(cards=CARDS)
def an_image_whose_header_says(folder, cards):
    one_bad_row(folder, lambda c, path, n: send(c, fits_body(path, **cards)))


@attack(value=[np.nan, np.inf, 3e38, -1e30, 0.0, 5.0])
def an_image_of_nothing_but(folder, value):
    one_bad_row(folder, lambda c, path, n: send(c, fits_body(path, pixels=np.full((3, 38, 38), value))))


BODIES = {
    "nothing": b"",
    "a page": b"<html><script>alert(1)</script></html>",
    "one letter": b"S",
    "half a header": b"SIMPLE  =                    T".ljust(80) * 3,
    "a header of 1 MB": b"COMMENT a".ljust(80) * 13_000,
    "non-ASCII cards": b"SIMPLE  =                    T".ljust(80) + b"\xff" * 2720 + b"END".ljust(2880),
    "a header of CONTINUE": b"SIMPLE  =                    T".ljust(80)
    + b"CONTINUE  'a&'".ljust(80) * 9999
    + b"END".ljust(80),
    "a pickle": b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}


@attack(body=BODIES)
def an_answer_that_is_no_image(folder, body):
    one_bad_row(folder, lambda c, path, n: send(c, body))


def jpeg(size=(39, 39), claimed=None, scans=0):
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    body = io.BytesIO()
    Image.fromarray(noise).save(body, "JPEG", progressive=bool(scans))
    body = bytearray(body.getvalue())
    if claimed:
        at = body.index(b"\xff\xc0") + 5
        body[at : at + 4] = struct.pack(">HH", *claimed)
    at = body.rindex(b"\xff\xda")
    return bytes(body[:at] + body[at:-2] * max(scans, 1) + body[-2:])


PICTURES = {
    "claims 65000 x 65000": lambda: jpeg(claimed=(65000, 65000)),
    "claims 13000 x 13000": lambda: jpeg(claimed=(13000, 13000)),
    "claims 0 x 0": lambda: jpeg(claimed=(0, 0)),
    "of another size": lambda: jpeg((40, 40)),
    "of 500 scans": lambda: jpeg(scans=500),
    "cut": lambda: jpeg()[:700],
    "only its start": lambda: b"\xff\xd8",
    "of one colour": lambda: b"\xff\xd8\xff" + bytes(1000),
}


@attack(picture=PICTURES)
def a_jpeg(folder, picture):
    body = picture()
    one_bad_row(folder, lambda c, path, n: send(c, body), image_format="jpeg", honest=lambda path: jpeg())


def plane(path, bands="g"):
    import json
    from urllib.parse import parse_qs, urlsplit

    grid = json.loads(parse_qs(urlsplit(path).query)["wcs"][0])
    query = (
        f"?ra={grid['CRVAL1']}&dec={grid['CRVAL2']}&size={grid['NAXIS1']}&pixscale={grid['CDELT2'] * 3600}"
    )
    return fits_body(query, bands=bands, pixels=np.random.default_rng(0).normal(size=(grid["NAXIS1"],) * 2))


HIPS = {
    "BITPIX -32.0": {"BITPIX": "-32.0"},
    "NAXIS 2.0": {"NAXIS": "2.0"},
    "BSCALE 'abc'": {"BSCALE": "'abc'"},
    "BUNIT without end": {"BUNIT": "'nJ"},
    "BUNIT \xe4": {"BUNIT": "'\xe4'"},
    "MAGZERO 1e999": {"MAGZERO": "1E999"},
    "EXTEND 7": {"EXTEND": "7", "GROUPS": "T", "PCOUNT": "-7"},
}


@attack(cards=HIPS)
def a_hips_plane_whose_header_says(folder, cards):
    def answer(connection, path, number):
        body = plane(path)
        send(connection, with_cards(body, BANDS=None, **cards))

    server = Server(answer)
    table = Table({"ra": [1.0, 2.0], "dec": [0.0, 0.0]})
    survey = HipsSurvey(server=server.url, timeout=2, layer="CDS/P/DESI-Legacy-Surveys/DR10")
    found = add_cutouts(table, survey=survey, store=folder / "store", fov=10 * u.arcsec, progress=False)
    assert set(found["cutout_status"]) <= {"ok", "corrupt"}


def brick(kind="RICE_1", size=300, **cards):
    pixels = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = io.BytesIO()
        hdu = fits.CompImageHDU(pixels, compression_type=kind, tile_shape=(100, size))
        hdu.header.update(
            CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=1.0, CRVAL2=0.0, CRPIX1=150, CRPIX2=150
        )
        hdu.header.update(CDELT1=-0.262 / 3600, CDELT2=0.262 / 3600)
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(body)
    body = body.getvalue()
    at = body.index(b"XTENSION")
    return body[:at] + with_cards(body[at:], **cards)


def spoiled(kind):
    body = bytearray(brick(kind))
    body[-2880 * 4 :] = np.random.default_rng(1).bytes(2880 * 4)
    return bytes(body)


BRICKS = {
    "page": lambda: b"<html>",
    "no image": lambda: fits_body("?ra=1&dec=0&size=4&pixscale=1", bands="grz")[:2880],
    "NAXIS 10^9": lambda: brick(NAXIS=10**9),
    "NAXIS2 10^12": lambda: brick(NAXIS2=10**12),
    "PCOUNT 10^15": lambda: brick(PCOUNT=10**15),
    "PCOUNT -5": lambda: brick(PCOUNT=-5),
    "TFIELDS 999999999": lambda: brick(TFIELDS=999999999),
    "ZNAXIS1 10^9": lambda: brick(ZNAXIS1=10**9),
    "ZNAXIS 10^9": lambda: brick(ZNAXIS=10**9),
    "ZNAXIS2 60000": lambda: brick(ZNAXIS2=60000),
    "ZTILE1 10^9": lambda: brick(ZTILE1=10**9),
    "ZTILE2 -1": lambda: brick(ZTILE2=-1),
    "ZCMPTYPE BOGUS": lambda: brick(ZCMPTYPE="'BOGUS'"),
    "ZCMPTYPE GZIP_1": lambda: brick(ZCMPTYPE="'GZIP_1'"),
    "ZCMPTYPE PLIO_1": lambda: brick(ZCMPTYPE="'PLIO_1'"),
    "ZCMPTYPE HCOMPRESS_1": lambda: brick(ZCMPTYPE="'HCOMPRESS_1'"),
    "ZBITPIX 8": lambda: brick(ZBITPIX=8),
    "ZBITPIX 7": lambda: brick(ZBITPIX=7),
    "rice spoiled": lambda: spoiled("RICE_1"),
    "gzip spoiled": lambda: spoiled("GZIP_2"),
    "hcompress spoiled": lambda: spoiled("HCOMPRESS_1"),
    "CTYPE of a cube": lambda: brick(CTYPE1="'BOGUS-XY'"),
    "CRVAL1 nan": lambda: brick(CRVAL1="nan"),
    "BUNIT of numbers": lambda: brick(BUNIT=7),
}


def ask_for_a_brick(folder, answer, timeout=5):
    survey = BrickSurvey(
        server=Server(answer).url, layer="ls-dr10", folder=folder / "bricks", timeout=timeout
    )
    table = Table({"ra": [1.0], "dec": [0.0]})
    found = add_cutouts(table, survey=survey, store=folder / "store", fov=10 * u.arcsec, progress=False)
    return found["cutout_status"][0]


@attack(made=BRICKS)
def a_brick_with(folder, made):
    body = made()
    ask_for_a_brick(folder, lambda c, path, n: send(c, body))


@attack(kind=["endless", "gzip bomb"])
def a_brick_without_bound(folder, kind):
    bomb = gzip_bomb(3000)

    def answer(connection, path, number):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\n" + (b"Content-Encoding: gzip\r\n\r\n" + bomb if "gzip" in kind else b"\r\n")
        )
        forever(connection, MEGABYTE if kind == "endless" else bomb)

    assert ask_for_a_brick(folder, answer) in ("corrupt", "timeout")


MAPS = {
    "page": b"<html>",
    "nothing": b"",
    "brackets": b"[" * 100_000,
    "order 99": b"99/1-5",
    "an endless range": b"29/0-99999999999999999999",
    "a range that is none": b"3/5-2",
    "negative cells": b"3/-5",
    "zeros": bytes(10_000),
    "not UTF-8": b"\xff\xfe 3/1-5",
    "JSON": b'{"29": [0, 3458764513820540927]}',
}


@attack(body=MAPS)
def a_coverage_map_of(folder, body):
    ask_for_a_map(folder, lambda c, path, n: send(c, body))


@attack(kind=["endless", "gzip bomb"])
def a_coverage_map_without_bound(folder, kind):
    bomb = gzip_bomb(3000)

    def answer(connection, path, number):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\n" + (b"Content-Encoding: gzip\r\n\r\n" + bomb if "gzip" in kind else b"\r\n")
        )
        forever(connection, MEGABYTE)

    ask_for_a_map(folder, answer)


def ask_for_a_map(folder, answer):
    from astroquery.exceptions import RemoteServiceError
    from astroquery.exceptions import TimeoutError as QueryTimeoutError

    from galzoo_repr import conf

    with conf.set_temp("cache_dir", str(folder)), conf.set_temp("timeout", 5.0):
        try:
            Coverage.from_server("g", server=Server(answer).url)
        except (ValueError, RemoteServiceError, QueryTimeoutError) as error:
            if not str(error):
                raise AssertionError("it is refused without a word") from error


def requests_and_service(n):
    server = Server(lambda c, path, n: send(c, fits_body(path)))
    table = Table({"ra": np.arange(1.0, n + 1), "dec": np.zeros(n)})
    survey = LegacySurvey(server=server.url, timeout=5)
    return server, survey, cutout_requests(table, survey, fov=10 * u.arcsec)[0]


@attack(seconds=30, owner=["elsewhere 1 x", "nonsense", "elsewhere 99999999999999999999 x", ""])
def a_claim_whose_sign_of_life_lies_a_year_ahead(folder, owner):
    _, survey, wanted = requests_and_service(3)
    with CutoutStore(folder / "store") as store:
        with store.manifest.transaction() as db:
            db.execute("INSERT INTO owner VALUES (?, ?)", (owner, time.time() + 3e7))
            db.executemany("INSERT INTO claim VALUES (?, ?)", [(one.key, owner) for one in wanted])
        began = time.monotonic()
        assert {outcome.status for _, outcome in fetch_into(store, survey, wanted)} == {"ok"}
        assert time.monotonic() - began < 15


@attack(seconds=40)
def a_call_that_pauses_keeps_its_claims(folder):
    server, survey, wanted = requests_and_service(30)
    with CutoutStore(folder / "store") as store, CutoutStore(folder / "store") as other:
        rows = fetch_into(store, survey, wanted)
        next(rows)
        call = threading.Thread(target=lambda: list(fetch_into(other, survey, wanted)))
        call.start()
        time.sleep(14)
        list(rows)
        call.join(15)
    assert len(server.paths) == 30, f"{len(server.paths)} requests for 30 rows"
