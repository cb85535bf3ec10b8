import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from galzoo_repr.catalogue import record_provenance

ROWS = 5


def result_columns():
    """Columns as the package computes them, with what each format finds hard."""
    embedding = np.random.default_rng(0).normal(size=(ROWS, 64)).astype(np.float32)
    embedding[[1, 3]] = np.nan
    embedding[2, 0] = np.inf
    mask = np.array([False, True, False, False, True])
    return {
        "coords": SkyCoord([1, 2, np.nan, 4, 5] * u.deg, [1, 2, 3, 4, 5] * u.deg, frame="galactic"),
        "id": np.array([2**60 + 1, 2, 3, 4, 5]),
        "name": ["NGC 1", "", "a,b \"c\" 'd'", "nan", "#5"],
        "cutout": ["/a/b.fits", "", "", "c.jpeg", "d"],
        "cutout_status": ["ok", "bad_position", "ok", "timeout", "ok"],
        "embedding": Column(
            embedding, description="Embedding", meta={"encoder": {"name": "bundled", "dim": 64}}
        ),
        "similarity": Column(
            np.array([1, np.nan, 0.5, np.nan, -1], np.float32), description="Higher is more alike"
        ),
        "similarity_rank": np.array([1, -1, 2, -1, 3], np.int32),
        "valid": np.array([True, False, True, False, True]),
        "size": Column(
            [1.5, 2.5, np.nan, 4.5, 5.5], unit="arcsec", description="Half-light radius", format=".2f"
        ),
        "flux": Column(np.arange(5, dtype=np.float32), unit="nmgy", description="r-band flux"),
        "votes": np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], np.int16),
        "cube": np.arange(ROWS * 6.0).reshape(ROWS, 2, 3),
        "bits": np.array([0, 1, 127, 200, 255], np.uint8),
        "signed_byte": np.array([-128, -1, 0, 1, 127], np.int8),
        "unsigned": np.array([0, 1, 2, 3, 65535], np.uint16),
        "half": np.array([0, 0.5, np.nan, 1, 2], np.float16),
        "big_endian": np.arange(ROWS, dtype=">f4"),
        "masked_int": MaskedColumn([1, 999999, -(2**63), 2**63 - 1, 0], mask=mask),
        "masked_byte": MaskedColumn(np.array([0, 63, 255, 64, 1], np.uint8), mask=mask),
        "masked_float": MaskedColumn([1.0, 2.0, np.nan, 4.0, 5.0], mask=mask, unit="mag"),
        "masked_text": MaskedColumn(["a", "b", "", "N/A", "e"], mask=mask),
        "masked_bool": MaskedColumn([True, True, False, False, True], mask=mask),
    }


def catalogue(table_class):
    table = table_class(result_columns())
    if table_class is QTable:
        table["masked_quantity"] = Masked(
            [1.0, 2.0, np.nan, 4.0, 5.0] * u.kpc, mask=[False, True, False, False, True]
        )
    for name in table.colnames:
        table[name].info.description = table[name].info.description or f"Description of {name}"
    table["id"].info.meta = {"ucd": "meta.id;meta.main", "values": 3, "nested": {"list": [1, {"deep": None}]}}
    table.meta = {
        "comments": ["first comment", "second comment"],
        "OBJECT": "galaxies",
        "lower": "case",
        "NUMBER": 3,
        "FLOAT": 0.1 + 0.2,
        "FLAG": True,
        "NOTHING": None,
        "A long key": 1,
        "QUOTED": 'l\'été & "co" \\ ' + "x' & " * 40,
        "TUPLE": (1, 2.5, "c"),
        "NAXIS": "reserved in FITS",
        "NAXIS3": 7,
        "nested": {"list": [1, 2.5, None, True], "empty": {}, 3: "integer key", "ø": "ü"},
        "SIZE": 3 * u.arcsec,
    }
    record_provenance(
        table, "add_embeddings", {"encoder": "bundled", "layer": "ls-dr10", "recipe": {"size": [64, 64]}}
    )
    return table


@pytest.fixture(params=[Table, QTable], ids=["Table", "QTable"])
def result(request):
    """A full result of the package on an awkward catalogue."""
    return catalogue(request.param)
