"""Catalogues, models and settings that nobody would write who means well."""

import hashlib
import io
import json
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table
from safetensors.numpy import load_file, save_file

from galzoo_repr import CutoutStore, SimilarityIndex, add_cutouts, finetune
from galzoo_repr.catalogue import read_catalogue
from galzoo_repr.cutouts import LegacySurvey
from galzoo_repr.finetuning import MorphologyModel

from . import attack, refused
from .bad_server import Server, forever, gzip_bomb, send, with_cards
from .folders import DATA, change, in_place_of, saved_index

PACKED = ["csv", "ecsv", "vot", "fits", "txt", "tsv"]


@attack(kind=PACKED)
def a_gigabyte_of_zeros_is_a_packed(folder, kind):
    path = folder / f"a.{kind}.gz"
    path.write_bytes(gzip_bomb(1000))
    refused(lambda: read_catalogue(path))


def votable(fields, data, table=""):
    return f'<VOTABLE version="1.3"><RESOURCE><TABLE {table}>{fields}{data}</TABLE></RESOURCE></VOTABLE>'.encode()


ROW = "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>"
NUMBER = '<FIELD name="a" datatype="double"/>'
TREES = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
VOTABLES = {
    "a file elsewhere": votable(NUMBER, '<DATA><FITS><STREAM href="file:///etc/passwd"/></FITS></DATA>'),
    "cells of 10^8 numbers": votable('<FIELD name="a" datatype="double" arraysize="100000000"/>', ROW),
    "cells of 10^5 x 10^5": votable('<FIELD name="a" datatype="float" arraysize="99999x99999"/>', ROW),
    "entities of entities": f'<?xml version="1.0"?><!DOCTYPE V [<!ENTITY l0 "a">{TREES}]>'.encode()
    + votable('<FIELD name="a" datatype="char" arraysize="*"/>', ROW.replace("1", "&l11;")),
}


@attack(body=VOTABLES)
def a_votable_has(folder, body):
    (folder / "a.vot").write_bytes(body)
    refused(lambda: read_catalogue(folder / "a.vot"))


@attack()
def a_votable_counts_a_trillion_rows(folder):
    (folder / "a.vot").write_bytes(votable(NUMBER, ROW, 'nrows="1000000000000"'))
    assert len(read_catalogue(folder / "a.vot")) == 1


@attack(kind=["FITS", "BINARY", "BINARY2"])
def a_votable_asks_a_service(folder, kind):
    server = Server(lambda c, path, n: send(c, b"x"))
    data = f'<DATA><{kind}><STREAM href="{server.url}/x"/></{kind}></DATA>'
    (folder / "a.vot").write_bytes(votable(NUMBER, data))
    refused(lambda: read_catalogue(folder / "a.vot"))
    assert not server.paths


@attack()
def a_votable_shows_no_other_file(folder):
    (folder / "secret").write_text("the secret")
    entity = (
        f'<?xml version="1.0"?><!DOCTYPE V [<!ENTITY x SYSTEM "{(folder / "secret").as_uri()}">]>'.encode()
    )
    body = votable('<FIELD name="a" datatype="char" arraysize="*"/>', ROW.replace("1", "&x;"))
    (folder / "a.vot").write_bytes(entity + body)
    try:
        assert "secret" not in str(read_catalogue(folder / "a.vot")["a"].tolist())
    except ValueError:
        return


CARDS = {
    "NAXIS2 10^12": {"NAXIS2": 10**12},
    "NAXIS2 10^8": {"NAXIS2": 10**8},
    "NAXIS2 -5": {"NAXIS2": -5},
    "TFIELDS 999": {"TFIELDS": 999},
    "PCOUNT 10^15": {"PCOUNT": 10**15},
    "TFORM1 999999999D": {"TFORM1": "'999999999D'"},
    "NAXIS 999": {"NAXIS": 999},
}


@attack(cards=CARDS)
def a_fits_catalogue_whose_header_says(folder, cards):
    body = io.BytesIO()
    Table({"ra": np.arange(3.0), "dec": np.arange(3.0)}).write(body, format="fits")
    body = body.getvalue()
    at = body.index(b"XTENSION")
    (folder / "a.fits").write_bytes(body[:at] + with_cards(body[at:], **cards))
    refused(lambda: read_catalogue(folder / "a.fits"))


@attack(start={"no start": b"", "a start": b"SIMPLE  =                    T".ljust(80)})
def a_fits_catalogue_without_end(folder, start):
    with (folder / "a.fits").open("wb") as file:
        file.write(start)
        file.truncate(2**32)
    refused(lambda: read_catalogue(folder / "a.fits"))


@attack(value=[np.nan, np.inf, 1e30])
def a_vector_of_an_index_is(folder, value):
    index = saved_index(folder)
    vectors = np.where(np.arange(200)[:, None] == 7, np.float32(value), DATA[:, :4])
    change(
        index / "index.json",
        lambda card: in_place_of(index, card["segments"][0]["arrays"]["vectors"], vectors),
    )
    refused(lambda: SimilarityIndex.open(index).search(DATA[0]))
    refused(SimilarityIndex.open(index).verify)


@attack(value=[np.nan, np.inf], seconds=60)
def a_weight_of_a_model_is(folder, value):
    table = Table({"embedding": DATA, "ring": DATA[:, 0] > 0})
    finetune(table, "ring", members=2, progress=False).save(folder / "model")
    path = next((folder / "model").glob("*.safetensors"))
    arrays = load_file(path)
    arrays["head.weights"].flat[0] = value
    save_file(arrays, path)
    card = json.loads((folder / "model" / "morphology.json").read_text())
    card["arrays_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "model" / "morphology.json").write_text(json.dumps(card))
    refused(lambda: MorphologyModel.load(folder / "model"))


@attack(seconds=60)
def a_body_without_bound_is_asked_for_once(folder):
    def answer(connection, path, number):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        forever(connection)

    server = Server(answer)
    survey = LegacySurvey(server=server.url, timeout=20)
    table = Table({"ra": [1.0], "dec": [1.0]})
    found = add_cutouts(table, survey=survey, store=folder / "store", fov=10 * u.arcsec, progress=False)
    assert found["cutout_status"].tolist() == ["corrupt"]
    assert len(server.paths) == 1


@attack(path={"with a zero": "a\0b", "with half a letter": "a\ud800b"})
def a_path_that_is_none(folder, path):
    path = str(Path(folder)) + "/" + path
    for use in (CutoutStore, SimilarityIndex.open, MorphologyModel.load, read_catalogue):
        assert "cannot be the path of" in refused(lambda use=use: use(path))
